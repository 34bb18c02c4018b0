//! `io-shared delay`: how long from one channel to another, or from a stamp in a message to now.

use std::time::SystemTime;

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use io_shared::inspect::Newest;
use io_shared::value::Path;
use io_shared::{ErrorKind, Value};

use crate::advice;
use crate::failure::Failure;
use crate::follow::Follow;
use crate::named;
use crate::out::Out;
use crate::reports::{self, Measure};
use crate::stats::Window;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Two channels: how long after the value of the first that its tag names each value of the
    /// second was put. Or one channel, with --field.
    #[arg(value_name = "NAME", num_args = 1..=2, required = true,
          add = ArgValueCandidates::new(named::channels))]
    names: Vec<String>,
    /// The field with a time in nanoseconds: the delay is from then to now.
    #[arg(long, value_name = "PATH", allow_hyphen_values = true)]
    field: Option<Path>,
    /// The clock of that time.
    #[arg(long, requires = "field", default_value = "realtime")]
    clock: Clock,
    /// Judge by this many values.
    #[arg(long, short, value_name = "COUNT", default_value_t = 10_000)]
    window: usize,
    #[command(flatten)]
    reports: reports::Reports,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Clock {
    /// Nanoseconds since 1970.
    Realtime,
    /// CLOCK_MONOTONIC, as stamps of channels are.
    Monotonic,
}

/// Where a delay ends, and where it starts.
enum Between {
    /// The put of the value in this channel that a tag names.
    Channels(Box<Follow>),
    /// A time in the message.
    Field(Path, Clock),
}

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let (between, measured) = match (&options.names[..], &options.field) {
        ([from, to], None) => (Between::Channels(Box::new(Follow::new(from)?)), to),
        ([name], Some(field)) => (Between::Field(field.clone(), options.clock), name),
        ([name], None) => {
            let name = advice::quoted(name);
            return Err(Failure::Usage(format!(
                "from where? Name the channel that it is computed from ({}), or the field with a \
                 time ({})",
                advice::command(&format!("delay OTHER {name}")),
                advice::command(&format!("delay {name} --field stamp_ns"))
            )));
        }
        _ => {
            let text = "--field is about one channel; without it there are two";
            return Err(Failure::Usage(text.to_owned()));
        }
    };
    let mut follow = Follow::new(measured)?;
    let mut delays = Delays { between, delays: Window::new(options.window), without: 0 };
    reports::run(&mut follow, &options.reports, &mut delays, out)
}

/// The delays of the newest values.
struct Delays {
    between: Between,
    delays: Window,
    /// Values since the last report whose other end is not known.
    without: u64,
}

impl Between {
    /// The delay of a value in seconds. `None`: its other end is not known.
    fn delay(&mut self, follow: &mut Follow, newest: Newest) -> Result<Option<f64>, Failure> {
        match self {
            Between::Channels(from) => {
                if newest.tag == 0 || newest.stamp == 0 || !from.is_there_still()? {
                    return Ok(None);
                }
                let partner = from.reader()?.find(newest.tag)?;
                let start = partner.map(|partner| partner.stamp).filter(|stamp| *stamp > 0);
                Ok(start.map(|start| (newest.stamp as f64 - start as f64) / 1e9))
            }
            Between::Field(path, clock) => {
                let mut bytes = Vec::new();
                let reader = follow.reader()?;
                match reader.copy_part(path, &mut bytes) {
                    Ok(Some(_)) => {}
                    Ok(None) => return Ok(None),
                    Err(error) if matches!(error.kind(), ErrorKind::Busy { .. }) => {
                        return Ok(None);
                    }
                    Err(error) => return Err(error.into()),
                }
                let value = Value::decode(reader.schema(), &bytes)
                    .map_err(|error| Failure::Failed(error.to_string()))?;
                let time = value.at(path).map_err(|error| Failure::Usage(error.to_string()))?;
                let Some(time) = time.as_integer() else {
                    let text = format!("`{path}` is no whole number, so no time in nanoseconds");
                    return Err(Failure::Usage(text));
                };
                Ok(Some((clock.now() - time) as f64 / 1e9))
            }
        }
    }
}

impl Between {
    /// Words for a first channel that has no producer.
    fn lacks_producer(&self) -> String {
        match self {
            Between::Channels(from) if from.lacks_producer() => {
                format!("; {} has no producer", from.name())
            }
            _ => String::new(),
        }
    }
}

impl Clock {
    fn now(self) -> i128 {
        match self {
            Clock::Realtime => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                now.map_or(0, |now| now.as_nanos() as i128)
            }
            Clock::Monotonic => {
                let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
                now.map_or(0, |now| std::time::Duration::from(now).as_nanos() as i128)
            }
        }
    }
}

impl Measure for Delays {
    fn add(&mut self, follow: &mut Follow, newest: Newest) -> Result<(), Failure> {
        match self.between.delay(follow, newest)? {
            Some(delay) => self.delays.add(delay),
            None => self.without += 1,
        }
        Ok(())
    }

    fn report(&mut self, out: &mut Out) -> Result<bool, Failure> {
        let without = std::mem::take(&mut self.without);
        let summary = self.delays.summary();
        if out.json {
            let mut object = summary.map_or_else(|| serde_json::json!({}), |delays| delays.json());
            if let Some(object) = object.as_object_mut() {
                object.insert("without_partner".to_owned(), without.into());
            }
            out.object(&object)?;
            return Ok(true);
        }
        if let Some(delays) = summary {
            out.line(format_args!("average delay: {:.6}", delays.mean))?;
            out.line(delays.line())?;
        }
        if without > 0 {
            let s = if without == 1 { "" } else { "s" };
            out.line(format_args!(
                "\t{without} value{s} without a partner: no tag, or the value that it names is \
                 gone{}",
                self.between.lacks_producer()
            ))?;
        }
        Ok(summary.is_some() || without > 0)
    }
}
