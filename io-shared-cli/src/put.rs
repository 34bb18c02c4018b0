//! `io-shared put`: put one value into a channel by hand.

use std::io::Read as _;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use io_shared::inspect::{Content, Kind};
use io_shared::{Channel, Location, value};

use crate::advice;
use crate::failure::Failure;
use crate::list;
use crate::named;
use crate::out::Out;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The channel, which exists and has no producer now.
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(named::channels))]
    name: String,
    /// The value as JSON, in the form that `echo --json` prints as `value`; `-` reads it from the
    /// standard input.
    #[arg(value_name = "JSON", allow_hyphen_values = true)]
    value: String,
    /// The number that the value carries.
    #[arg(long, default_value_t = 0)]
    tag: u64,
}

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let entry = list::entry(&options.name)?;
    let region = match entry.content {
        Content::Region(region) if region.kind == Kind::Channel => region,
        _ => {
            let name = &options.name;
            let info = advice::command(&format!("info {}", advice::quoted(name)));
            let text = format!("{name} is no channel to put into; see `{info}`");
            return Err(Failure::Failed(text));
        }
    };
    let mut json = options.value.clone();
    if json == "-" {
        json.clear();
        std::io::stdin().read_to_string(&mut json).map_err(|error| {
            Failure::Failed(format!("cannot read the value from the standard input: {error}"))
        })?;
    }
    let bytes = value::encode(&region.schema, &json)
        .map_err(|error| Failure::Usage(format!("{}: {error}", options.name)))?;
    let channel = match &entry.location {
        Location::File(path) => Channel::<[u8]>::file(path),
        _ => Channel::<[u8]>::named(&entry.name),
    };
    let mut producer = channel.schema(region.schema.clone()).producer()?;
    let seq = producer.put_tagged(&bytes, options.tag)?;
    if out.json {
        out.object(&serde_json::json!({"seq": seq, "bytes": bytes.len()}))?;
    } else if out.is_terminal {
        out.line(format_args!("put value {seq}, {} bytes", bytes.len()))?;
    }
    Ok(())
}
