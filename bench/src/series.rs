//! Figures over rounds. Ratios are taken within a round, because two virtual cores move closer and
//! further apart within seconds.

use hdrhistogram::Histogram;

use crate::Result;
use crate::clock::Clock;

/// Least, median and most of some rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        Some(Self { median: sorted[sorted.len() / 2], least, most })
    }

    /// The spread of the ratios within each round.
    pub(crate) fn of_ratios(values: &[f64], to: &[f64]) -> Option<Self> {
        let ratios: Vec<_> = values.iter().zip(to).map(|(value, to)| value / to).collect();
        Self::of(&ratios)
    }
}

/// One-way times of one ping-pong, over all rounds: nanoseconds, half a round trip each.
#[derive(Debug)]
pub(crate) struct Series {
    /// The median of each round.
    pub(crate) p50: Vec<f64>,
    pub(crate) p99: Vec<f64>,
    pub(crate) mean: Vec<f64>,
    /// The times of all rounds together, in tenths of a nanosecond.
    all: Histogram<u64>,
}

impl Series {
    pub(crate) fn new() -> Result<Self> {
        let all = Histogram::new_with_bounds(1, 1_000_000_000_000, 3)?;
        Ok(Self { p50: Vec::new(), p99: Vec::new(), mean: Vec::new(), all })
    }

    /// Adds the times of a round's round trips, in ticks.
    pub(crate) fn add(&mut self, times: &[u64], clock: Clock) {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let one_way = |ticks: f64| clock.nanoseconds_of(ticks) / 2.0;
        self.p50.push(one_way(quantile(&sorted, clock.step(), 0.5)));
        self.p99.push(one_way(quantile(&sorted, clock.step(), 0.99)));
        self.mean.push(one_way(sorted.iter().sum::<u64>() as f64 / sorted.len() as f64));
        for time in sorted {
            self.all.saturating_record((one_way(time as f64) * 10.0) as u64);
        }
    }

    /// A quantile over all rounds together.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        self.all.value_at_quantile(quantile) as f64 / 10.0
    }

    pub(crate) fn max(&self) -> f64 {
        self.all.max() as f64 / 10.0
    }

    pub(crate) fn samples(&self) -> u64 {
        self.all.len()
    }
}

/// A quantile of sorted times from a counter that moves in steps. Equal times are spread evenly
/// over a step, as in grouped data. Otherwise a median could be no more exact than the step.
fn quantile(sorted: &[u64], step: u64, quantile: f64) -> f64 {
    let wanted = sorted.len() as f64 * quantile;
    let Some(found) = sorted.get(wanted as usize) else { return f64::NAN };
    let step = step as f64;
    let lower = *found as f64 - step / 2.0;
    let before = sorted.partition_point(|time| (*time as f64) < lower);
    let until = sorted.partition_point(|time| (*time as f64) < lower + step);
    lower + step * (wanted - before as f64) / (until - before) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        let ratios = Spread::of_ratios(&[2.0, 40.0, 9.0], &[1.0, 10.0, 3.0]);
        assert_eq!(ratios, Some(Spread { median: 3.0, least: 2.0, most: 4.0 }));
        assert_eq!(Spread::of_ratios(&[1.0], &[]), None);
    }

    #[test]
    fn a_coarse_clock_does_not_round_a_median() {
        // Two thirds of the times are below the middle of what looks like 30, and a third is above.
        assert_eq!(quantile(&[20, 20, 30, 30, 30, 30, 30, 30], 10, 0.5), 25.0 + 10.0 / 3.0);
        assert_eq!(quantile(&[7], 1, 0.5), 7.0);
        assert!(quantile(&[], 1, 0.5).is_nan());
    }
}
