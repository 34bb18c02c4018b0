//! `io-shared hz`: how fast values come.

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use io_shared::inspect::Newest;

use crate::advice;
use crate::failure::Failure;
use crate::follow::Follow;
use crate::named;
use crate::out::Out;
use crate::reports::{self, Measure};
use crate::stats::Window;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The channel. One that is not there is waited for.
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(named::channels))]
    name: String,
    /// Judge by this many values.
    #[arg(long, short, value_name = "COUNT", default_value_t = 10_000)]
    window: usize,
    #[command(flatten)]
    reports: reports::Reports,
}

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let mut follow = Follow::new(&options.name)?;
    let echo = advice::command(&format!("echo {}", advice::quoted(&options.name)));
    let mut rate = Rate { advice: Some(echo), ..Rate::new(options.window) };
    reports::run(&mut follow, &options.reports, &mut rate, out)
}

/// The rate of a channel, by the numbers and stamps of its values.
struct Rate {
    periods: Window,
    /// The most values in it.
    window: u64,
    last: Option<Newest>,
    /// Values that were put between two that were seen, since the last report.
    missed: Vec<(u64, u64)>,
    /// The command to run next, until it was told.
    advice: Option<String>,
}

impl Rate {
    fn new(window: usize) -> Self {
        let periods = Window::new(window);
        Self { periods, window: window.max(1) as u64, last: None, missed: Vec::new(), advice: None }
    }
}

impl Measure for Rate {
    fn add(&mut self, _: &mut Follow, newest: Newest) -> Result<(), Failure> {
        if let Some(last) = &self.last {
            if let Some(rate) = last.rate_to(&newest) {
                // One for each value, also of those that were not seen.
                let values = (newest.seq - last.seq).min(self.window);
                (0..values).for_each(|_| self.periods.add(1.0 / rate));
            }
            if newest.seq > last.seq + 1 {
                self.missed.push((last.seq + 1, newest.seq - 1));
            }
        }
        self.last = Some(newest);
        Ok(())
    }

    fn report(&mut self, out: &mut Out) -> Result<bool, Failure> {
        let missed = std::mem::take(&mut self.missed);
        let count: u64 = missed.iter().fold(0, |sum, (from, to)| sum.saturating_add(to - from + 1));
        let Some(periods) = self.periods.summary() else { return Ok(false) };
        if out.json {
            let mut object = periods.json();
            if let Some(object) = object.as_object_mut() {
                object.insert("rate".to_owned(), (1.0 / periods.mean).into());
                object.insert("missed".to_owned(), count.into());
            }
            out.object(&object)?;
            return Ok(true);
        }
        out.line(format_args!("average rate: {:.3}", 1.0 / periods.mean))?;
        out.line(periods.line())?;
        if count > 0 {
            let places: Vec<String> = missed.iter().take(5).map(place).collect();
            let more = if missed.len() > 5 { ", .." } else { "" };
            let s = if count == 1 { "" } else { "s" };
            out.line(format_args!("\tmissed {count} value{s}: {}{more}", places.join(", ")))?;
        }
        if let Some(echo) = self.advice.take() {
            out.advise(format_args!("What is in it: {echo}"))?;
        }
        Ok(true)
    }
}

fn place(&(from, to): &(u64, u64)) -> String {
    if from == to { from.to_string() } else { format!("{from} to {to}") }
}
