//! How long a value takes from `put` to the return of `get`.
//!
//! Measured by each consumer. It is a latency only where the reader was waiting when the value was
//! put; a reader that was busy finds a value of some age, which says nothing about the channel.
//! Latencies are counted in buckets of a sixteenth of an octave, so that any number of them
//! travels in one small message.

use std::fmt;
use std::time::{Duration, Instant};

use io_shared::Message;

/// The way of one value to one reader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handover {
    pub(crate) age: Duration,
    /// Whether the reader was waiting when the value was put.
    pub(crate) waited: bool,
}

impl Handover {
    /// `age` of the value as `get` returned, and when `get` was called.
    pub(crate) fn new(age: Option<Duration>, called: Instant) -> Handover {
        let age = age.unwrap_or(Duration::MAX);
        Handover { age, waited: age <= called.elapsed() }
    }
}

impl fmt::Display for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.waited { "" } else { "~" };
        f.pad(&format!("{mark}{} us", self.age.as_micros()))
    }
}

/// The buckets of one octave.
const FINE: usize = 16;
/// From a nanosecond to half an hour.
const BUCKETS: usize = 41 * FINE;

/// How many hand-overs took how long.
#[derive(Clone, Copy, Debug, Message)]
#[repr(C)]
pub(crate) struct Latencies {
    counts: [u32; BUCKETS],
}

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies { counts: [0; BUCKETS] }
    }
}

impl Latencies {
    pub(crate) fn record(&mut self, handover: Handover) {
        if handover.waited {
            let nanoseconds = handover.age.as_nanos().max(1) as f64;
            let bucket = (nanoseconds.log2() * FINE as f64) as usize;
            self.counts[bucket.min(BUCKETS - 1)] += 1;
        }
    }

    pub(crate) fn merged(mut self, other: &Latencies) -> Latencies {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
        self
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().copied().map(u64::from).sum()
    }

    /// The latency in microseconds that this part of the hand-overs, 0 to 1, did not exceed, to
    /// within 4 %; none if there were no hand-overs. Within a bucket it is interpolated.
    pub(crate) fn quantile(&self, part: f64) -> Option<f64> {
        let rank = (part * self.count() as f64).max(0.5);
        let mut below = 0.0;
        let bucket = self.counts.iter().position(|&count| {
            below += f64::from(count);
            below >= rank
        })?;
        let within = 1.0 - (below - rank) / f64::from(self.counts[bucket]);
        let nanoseconds = ((bucket as f64 + within) / FINE as f64).exp2();
        Some((nanoseconds / 100.0).round() / 10.0)
    }
}
