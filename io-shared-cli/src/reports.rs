//! Reports about a channel's values, one each second: what `hz`, `bw` and `delay` have in common.

use std::time::{Duration, Instant};

use clap::Args;
use io_shared::inspect::Newest;

use crate::failure::Failure;
use crate::follow::Follow;
use crate::out::Out;
use crate::units;

/// The options of all of them.
#[derive(Debug, Args)]
pub(crate) struct Reports {
    /// Print this many reports, and end. There is one each second.
    #[arg(short, value_name = "COUNT")]
    n: Option<u64>,
    /// Give up after this long without a value.
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    timeout: Option<Duration>,
}

/// What is measured.
pub(crate) trait Measure {
    /// Notes a value of the channel that is followed.
    fn add(&mut self, follow: &mut Follow, newest: Newest) -> Result<(), Failure>;
    /// Prints what is known; `false` if nothing is yet.
    fn report(&mut self, out: &mut Out) -> Result<bool, Failure>;
}

const EVERY: Duration = Duration::from_secs(1);

/// Measures the values of `follow` until there are as many reports as the user wants.
pub(crate) fn run(
    follow: &mut Follow,
    options: &Reports,
    measure: &mut impl Measure,
    out: &mut Out,
) -> Result<(), Failure> {
    let mut left = options.n.unwrap_or(u64::MAX);
    let mut last: Option<Instant> = None;
    let started = Instant::now();
    while left > 0 {
        let looked = Instant::now();
        let report_at = looked + EVERY;
        let mut is_new = false;
        // Also where values come faster than they can be looked at, there is a report in time.
        while Instant::now() < report_at {
            let quiet_since = last.unwrap_or(started);
            let give_up = options.timeout.and_then(|timeout| quiet_since.checked_add(timeout));
            let until = give_up.map_or(report_at, |give_up| give_up.min(report_at));
            let Some(newest) = follow.next(Some(until))? else {
                if !is_new && give_up.is_some_and(|give_up| Instant::now() >= give_up) {
                    return Err(Failure::Timeout(follow.waiting_for()));
                }
                break;
            };
            (last, is_new) = (Some(Instant::now()), true);
            measure.add(follow, newest)?;
        }
        if is_new {
            left -= u64::from(measure.report(out)?);
        } else if last.is_some() && !out.json {
            match follow.lacks_producer() {
                true => {
                    out.line(format_args!("no new values: {} has no producer", follow.name()))?
                }
                false => out.line("no new values")?,
            }
        }
        out.flush()?;
    }
    Ok(())
}
