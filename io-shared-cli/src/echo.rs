//! `io-shared echo`: what is in a channel.

use std::time::Duration;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use io_shared::inspect::Newest;
use io_shared::value::{Path, PathError};
use io_shared::{ErrorKind, Schema, Value};
use io_shared_formats::CdrType;

use crate::advice;
use crate::failure::Failure;
use crate::follow::Follow;
use crate::named;
use crate::out::{Out, plain};
use crate::units;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The channel. One that is not there is waited for.
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(named::channels))]
    name: String,
    /// Print only this part, such as `points.0:5.x`, which is the same as `points[0:5].x`. Where a
    /// list is too short to have it, `null` is printed.
    #[arg(long, value_name = "PATH", allow_hyphen_values = true)]
    field: Option<Path>,
    /// Print one value, and end.
    #[arg(long)]
    once: bool,
    /// Print this many values, and end.
    #[arg(short, value_name = "COUNT", conflicts_with = "once")]
    n: Option<u64>,
    /// Print each value as a row of CSV.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print of arrays and lists only how long they are.
    #[arg(long)]
    no_arr: bool,
    /// Print at most this many elements of each list; 0 prints all. Without it, YAML has 128, and
    /// CSV and JSON have all.
    #[arg(long, value_name = "COUNT")]
    truncate: Option<usize>,
    /// Give up after this long without a value.
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    timeout: Option<Duration>,
}

/// The elements of a list that YAML shows, as in `ros2 topic echo`.
const SHOWN: usize = 128;

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let mut follow = Follow::new(&options.name)?;
    let mut bytes = Vec::new();
    let mut cdr = OfCdr::default();
    let mut left = if options.once { 1 } else { options.n.unwrap_or(u64::MAX) };
    let path = options.field.clone().unwrap_or_default();
    let mut is_first = true;
    while left > 0 {
        if follow.next(units::deadline(options.timeout))?.is_none() {
            return Err(Failure::Timeout(follow.waiting_for()));
        }
        let reader = follow.reader()?;
        // Of CDR it shows only where a part lies when all before it was read.
        let copied = match options.field.is_none() || cdr.knows(&options.name, reader.schema()) {
            true => reader.copy(&mut bytes),
            false => reader.copy_part(&path, &mut bytes),
        };
        let newest = match copied {
            Ok(Some(newest)) => newest,
            Ok(None) => continue,
            // The producer was faster; the next value comes.
            Err(error) if matches!(error.kind(), ErrorKind::Busy { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let decoded = cdr.decode(&options.name, reader.schema(), &bytes);
        let (schema, message) = match &decoded {
            Some((schema, message)) => (schema, message),
            None => (reader.schema(), &bytes),
        };
        let value = Value::decode(schema, message);
        let value = value.map_err(|error| {
            Failure::Failed(format!("{}: value {}: {error}", options.name, newest.seq))
        })?;
        let part = match value.at(&path) {
            Ok(part) => part,
            // This value has a shorter list; the next may have the element.
            Err(PathError::NoElement { .. }) if has_any_length(schema) => Value::Missing,
            Err(error) => return Err(Failure::Usage(error.to_string())),
        };
        show(options, &newest, &part, out)?;
        if std::mem::take(&mut is_first) && !options.csv {
            // A comment, so that it is YAML all the same.
            let doctor = advice::command(&format!("doctor {}", advice::quoted(&options.name)));
            out.advise(format_args!("# why mine does not open: {doctor}"))?;
        }
        out.flush()?;
        left -= 1;
    }
    Ok(())
}

/// Whether the messages have a list or a slice, which is shorter in some of them.
fn has_any_length(schema: &Schema) -> bool {
    schema.root().shape().element.is_some()
}

/// Decodes messages that are CDR by the definition in their schema.
#[derive(Default)]
struct OfCdr {
    /// The schema that was looked at, and the type that it describes.
    known: Option<(Schema, Option<CdrType>)>,
    has_told: bool,
}

impl OfCdr {
    /// Whether messages of this schema are CDR, whose definition it has.
    fn knows(&mut self, name: &str, schema: &Schema) -> bool {
        if self.known.as_ref().is_none_or(|(known, _)| known != schema) {
            let ty = CdrType::of(schema);
            let ty = ty.unwrap_or_else(|error| self.tell(name, &error.to_string()));
            self.known = Some((schema.clone(), ty));
        }
        matches!(self.known, Some((_, Some(_))))
    }

    /// A message and the schema to show it by. `None`: it is no CDR, or none that can be decoded.
    fn decode(&mut self, name: &str, schema: &Schema, bytes: &[u8]) -> Option<(Schema, Vec<u8>)> {
        if !self.knows(name, schema) {
            return None;
        }
        let (_, ty) = self.known.as_ref()?;
        match ty.as_ref()?.decode(bytes) {
            Ok(decoded) => Some(decoded),
            Err(error) => self.tell(name, &error.to_string()),
        }
    }

    /// Says once why the bytes are shown as they are.
    fn tell<T>(&mut self, name: &str, why: &str) -> Option<T> {
        use std::io::Write as _;
        if !std::mem::replace(&mut self.has_told, true) {
            // An error here says nothing about the values.
            let _ = writeln!(std::io::stderr(), "{name}: shown as bytes: {}", plain(why));
        }
        None
    }
}

fn show(
    options: &Options,
    newest: &Newest,
    value: &Value<'_>,
    out: &mut Out,
) -> Result<(), Failure> {
    let is_yaml = !out.json && !options.csv;
    let most = match options.truncate {
        None if is_yaml => SHOWN,
        None | Some(0) => usize::MAX,
        Some(most) => most,
    };
    let shown = match (out.json, options.csv) {
        (true, _) => value.json(),
        (_, true) => value.csv(),
        _ => value.yaml(),
    };
    let shown = if options.no_arr { shown.without_lists() } else { shown.most(most) };
    let Newest { seq, stamp, tag, .. } = newest;
    if out.json {
        out.line(format_args!(
            "{{\"seq\":{seq},\"stamp\":{stamp},\"tag\":{tag},\"value\":{shown}}}"
        ))?;
    } else if options.csv {
        out.line(shown)?;
    } else {
        let tag = if *tag == 0 { String::new() } else { format!(", tag {tag}") };
        out.line(format_args!("# value {seq}{tag}\n{shown}\n---"))?;
    }
    Ok(())
}
