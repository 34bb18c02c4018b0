//! `io-shared wait`: until a channel has a value, for scripts and supervisors.

use std::time::Duration;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;

use crate::failure::Failure;
use crate::follow::Follow;
use crate::named;
use crate::out::Out;
use crate::units;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The channel.
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(named::channels))]
    name: String,
    /// Wait for a value that is no older than this.
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    max_age: Option<Duration>,
    /// Give up after this long, with exit code 4.
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    timeout: Option<Duration>,
}

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let mut follow = Follow::new(&options.name)?;
    let deadline = units::deadline(options.timeout);
    while let Some(newest) = follow.next(deadline)? {
        let is_young = options.max_age.is_none_or(|max| newest.age().is_some_and(|age| age <= max));
        if !is_young {
            continue;
        }
        if out.json {
            let age = newest.age().map(|age| age.as_secs_f64());
            out.object(&serde_json::json!({"name": follow.name(), "seq": newest.seq, "age": age}))?;
        }
        return Ok(());
    }
    Err(Failure::Timeout(follow.waiting_for()))
}
