//! `io-shared play`: put what was recorded into channels.
//!
//! What `record` wrote comes back byte for byte, under its numbers and tags. A cloud or a picture
//! was recorded as two messages, which are put together again. Of MCAP files that others wrote,
//! messages are turned into what a channel can have. The files: `input` (the messages of a file),
//! `tracks` (what each MCAP channel is), `output` (the channels that are put into).

mod input;
mod output;
mod tracks;

use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use crate::failure::Failure;
use crate::named;
use crate::out::{Out, plain};
use crate::units;
use input::{Input, Next};
use output::Output;
use tracks::Tracks;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The MCAP file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How fast: 2 is twice as fast as it was recorded.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = parse_rate)]
    rate: f64,
    /// Start anew at the end, again and again.
    #[arg(long = "loop")]
    again: bool,
    /// Leave out the first part.
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    start: Option<Duration>,
    /// Put what was recorded from one channel, or topic, into another channel.
    #[arg(long, value_name = "FROM=TO", value_parser = parse_remap)]
    remap: Vec<(String, String)>,
}

/// From this wait on it is said that one waits.
const LONG: Duration = Duration::from_secs(60);

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "write a number".to_owned())?;
    match rate.is_finite() && rate > 0.0 {
        true => Ok(rate),
        false => Err("it must be greater than 0".to_owned()),
    }
}

fn parse_remap(text: &str) -> Result<(String, String), String> {
    let (from, to) = text.split_once('=').ok_or("write FROM=TO")?;
    Ok((named::full(from), named::full(to)))
}

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let mut output = Output::default();
    let mut tracks = Tracks::new(options.remap.clone());
    loop {
        let was_cut = play(options, &mut tracks, &mut output)?;
        if let Some(why) = was_cut {
            let _ = writeln!(
                std::io::stderr(),
                "{}: played to where it was cut off ({why}); `io-shared record --repair` writes \
                 its end for other readers",
                options.file.display()
            );
        }
        tracks.tell_unmatched();
        if !options.again || output.is_empty() {
            break;
        }
    }
    output.tell(out)
}

/// Plays the file once. Returns why it ends too early, if it does.
fn play(
    options: &Options,
    tracks: &mut Tracks,
    output: &mut Output,
) -> Result<Option<String>, Failure> {
    let mut input = Input::open(&options.file)?;
    let mut pace = Pace { rate: options.rate, start: options.start, first: None, began: None };
    let mut told = Instant::now();
    tracks.restart();
    loop {
        let message = match input.next()? {
            Next::Message(message) => message,
            Next::Schema(schema) => {
                tracks.add_schema(schema);
                continue;
            }
            Next::Channel(channel) => {
                tracks.add_channel(channel)?;
                continue;
            }
            Next::Damaged(why) => {
                tracks.tell_damaged(&options.file.display().to_string(), &why);
                continue;
            }
            Next::End => return Ok(None),
            Next::Cut(why) => return Ok(Some(why)),
        };
        let Some(value) = tracks.value(&message) else { continue };
        let Some(due) = pace.due(message.log_time) else { continue };
        let wait = due.saturating_duration_since(Instant::now());
        if wait >= LONG {
            let time = units::duration(wait);
            let how = "--rate plays faster, --start leaves out what comes before";
            let _ = writeln!(std::io::stderr(), "the next value comes in {time}: {how}");
        }
        std::thread::sleep(wait);
        if let Some(why) = output.put(value)? {
            tracks.tell_left_out(&message, &format!("is not played: {}", plain(&why)));
        }
        if told.elapsed() >= Duration::from_secs(1) && std::io::stderr().is_terminal() {
            told = Instant::now();
            let time = units::duration(pace.played(message.log_time));
            let _ = write!(std::io::stderr(), "\r\x1b[Kplayed {time}: {} values", output.values());
        }
    }
}

/// When each value is put.
struct Pace {
    rate: f64,
    start: Option<Duration>,
    /// The time of the first message, and of the first that is played.
    first: Option<u64>,
    began: Option<(u64, Instant)>,
}

impl Pace {
    /// When a value is due. `None`: it comes before the start.
    fn due(&mut self, time: u64) -> Option<Instant> {
        let since = self.played(time);
        if since < self.start.unwrap_or_default() {
            return None;
        }
        let (from, at) = *self.began.get_or_insert_with(|| (time, Instant::now()));
        let after = Duration::from_nanos(time.saturating_sub(from));
        // One that is due in a thousand years is as good as any.
        let after = Duration::try_from_secs_f64(after.as_secs_f64() / self.rate);
        at.checked_add(after.unwrap_or(Duration::MAX)).or(Some(at))
    }

    fn played(&mut self, time: u64) -> Duration {
        let first = *self.first.get_or_insert(time);
        Duration::from_nanos(time.saturating_sub(first))
    }
}
