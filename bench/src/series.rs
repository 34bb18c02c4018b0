//! Figures over rounds. A ratio counts only within a round, since two virtual cores move closer and
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

    /// Of the ratios within each round.
    pub(crate) fn of_ratios(values: &[f64], to: &[f64]) -> Option<Self> {
        let ratios: Vec<_> = values.iter().zip(to).map(|(value, to)| value / to).collect();
        Self::of(&ratios)
    }
}

/// One-way times of one ping-pong, over all rounds: nanoseconds, half a round trip each.
#[derive(Debug)]
pub(crate) struct Series {
    /// Of each round.
    pub(crate) p50: Vec<f64>,
    pub(crate) p99: Vec<f64>,
    pub(crate) mean: Vec<f64>,
    /// Of all rounds together, in tenths of a nanosecond.
    all: Histogram<u64>,
}

impl Series {
    pub(crate) fn new() -> Result<Self> {
        let all = Histogram::new_with_bounds(1, 1_000_000_000_000, 3)?;
        Ok(Self { p50: Vec::new(), p99: Vec::new(), mean: Vec::new(), all })
    }

    /// Adds a round: what its round trips took, in ticks.
    pub(crate) fn add(&mut self, times: &[u64], clock: Clock) {
        let mut round: Vec<_> = times.iter().map(|t| clock.nanoseconds(*t) / 2.0).collect();
        round.sort_by(f64::total_cmp);
        let at = |quantile: f64| {
            let index = (round.len() as f64 * quantile) as usize;
            round.get(index).copied().unwrap_or(f64::NAN)
        };
        self.p50.push(at(0.5));
        self.p99.push(at(0.99));
        self.mean.push(round.iter().sum::<f64>() / round.len() as f64);
        for time in round {
            self.all.saturating_record((time * 10.0) as u64);
        }
    }

    /// Of all rounds together.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        let ratios = Spread::of_ratios(&[2.0, 40.0, 9.0], &[1.0, 10.0, 3.0]);
        assert_eq!(ratios, Some(Spread { median: 3.0, least: 2.0, most: 4.0 }));
        assert_eq!(Spread::of_ratios(&[1.0], &[]), None);
    }
}
