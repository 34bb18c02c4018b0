//! `io-shared bw`: how many bytes per second are put.

use std::collections::VecDeque;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use io_shared::inspect::Newest;
use serde_json::json;

use crate::failure::Failure;
use crate::follow::Follow;
use crate::named;
use crate::out::Out;
use crate::reports::{self, Measure};
use crate::units;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The channel. One that is not there is waited for.
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(named::channels))]
    name: String,
    /// Judge by this many values.
    #[arg(long, short, value_name = "COUNT", default_value_t = 100)]
    window: usize,
    #[command(flatten)]
    reports: reports::Reports,
}

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let mut follow = Follow::new(&options.name)?;
    let mut sizes = Sizes { values: VecDeque::new(), window: options.window.max(1) };
    reports::run(&mut follow, &options.reports, &mut sizes, out)
}

/// The newest values, and one more: the rate is from the first to the last.
struct Sizes {
    values: VecDeque<Newest>,
    window: usize,
}

impl Measure for Sizes {
    fn add(&mut self, _: &mut Follow, newest: Newest) -> Result<(), Failure> {
        if self.values.len() > self.window {
            self.values.pop_front();
        }
        self.values.push_back(newest);
        Ok(())
    }

    fn report(&mut self, out: &mut Out) -> Result<bool, Failure> {
        let values = &self.values;
        let (Some(first), Some(last)) = (values.front(), values.back()) else { return Ok(false) };
        let Some(rate) = first.rate_to(last) else { return Ok(false) };
        let sizes = || values.iter().map(|value| value.bytes);
        // Of a hostile region the sum may have more than 64 bits.
        let mean = sizes().map(|bytes| bytes as f64).sum::<f64>() / values.len() as f64;
        let (min, max) = (sizes().min().unwrap_or(0), sizes().max().unwrap_or(0));
        let per_second = rate * mean;
        if out.json {
            out.object(&json!({
                "bytes_per_second": per_second,
                "mean": mean as u64,
                "min": min,
                "max": max,
                "window": values.len(),
            }))?;
            return Ok(true);
        }
        let [mean, min, max] = [mean as u64, min, max].map(units::bytes);
        let per_second = units::bytes(per_second as u64);
        out.line(format_args!("{per_second}/s from {} values", values.len()))?;
        out.line(format_args!("\tMessage size mean: {mean} min: {min} max: {max}"))?;
        Ok(true)
    }
}
