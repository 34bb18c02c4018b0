//! `io-shared bw`: how many bytes per second are put.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use io_shared::inspect::Newest;
use serde_json::json;

use crate::failure::Failure;
use crate::follow::Follow;
use crate::named;
use crate::out::Out;
use crate::units;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The channel. One that is not there is waited for.
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(named::channels))]
    name: String,
    /// Judge by this many values.
    #[arg(long, short, value_name = "COUNT", default_value_t = 100)]
    window: usize,
    /// Print this many reports, and end. There is one each second.
    #[arg(short, value_name = "COUNT")]
    n: Option<u64>,
    /// Give up after this long without a value.
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    timeout: Option<Duration>,
}

const EVERY: Duration = Duration::from_secs(1);

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let mut follow = Follow::new(&options.name)?;
    let mut values: VecDeque<Newest> = VecDeque::new();
    let mut left = options.n.unwrap_or(u64::MAX);
    let mut quiet_since = Instant::now();
    while left > 0 {
        let report_at = Instant::now() + EVERY;
        let mut is_new = false;
        while let Some(newest) = follow.next(Some(report_at))? {
            if values.len() > options.window.max(1) {
                values.pop_front();
            }
            values.push_back(newest);
            is_new = true;
            quiet_since = Instant::now();
        }
        if is_new {
            left -= u64::from(report(&values, out)?);
        } else if options.timeout.is_some_and(|timeout| quiet_since.elapsed() >= timeout) {
            return Err(Failure::Timeout(follow.waiting_for()));
        } else if !values.is_empty() && !out.json {
            out.line("no new values")?;
        }
        out.flush()?;
    }
    Ok(())
}

/// Prints what the values say; `false` if there are too few.
fn report(values: &VecDeque<Newest>, out: &mut Out) -> Result<bool, Failure> {
    let (Some(first), Some(last)) = (values.front(), values.back()) else { return Ok(false) };
    let Some(rate) = first.rate_to(last) else { return Ok(false) };
    let sizes = || values.iter().map(|value| value.bytes);
    let mean = sizes().sum::<u64>() / values.len() as u64;
    let (min, max) = (sizes().min().unwrap_or(0), sizes().max().unwrap_or(0));
    let per_second = rate * mean as f64;
    if out.json {
        out.object(&json!({
            "bytes_per_second": per_second,
            "mean": mean,
            "min": min,
            "max": max,
            "window": values.len(),
        }))?;
        return Ok(true);
    }
    let [mean, min, max] = [mean, min, max].map(units::bytes);
    let per_second = units::bytes(per_second as u64);
    out.line(format_args!("{per_second}/s from {} values", values.len()))?;
    out.line(format_args!("\tMessage size mean: {mean} min: {min} max: {max}"))?;
    Ok(true)
}
