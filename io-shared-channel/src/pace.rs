//! How often an observer that waits looks for the next value.
//!
//! Nobody wakes an observer, so it looks again and again: often enough to miss nothing, and seldom
//! enough to cost little. A nap is at most a quarter of the producer's period, which is the shorter
//! of the last two intervals between values: one long pause of a producer does not count.

use std::time::Duration;

use io_shared_core::clock;

/// The shortest and the longest nap, in nanoseconds.
const SHORTEST: u64 = 50_000;
const LONGEST: u64 = 10_000_000;
/// After this many nanoseconds without a value, the naps are the longest.
const SILENCE: u64 = 1_000_000_000;

/// What an observer knows of the values that it has copied.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// The number of the last one; 0 for none.
    seen: u64,
    /// When it was put, by its stamp, and when it was found.
    put: u64,
    found: u64,
    /// The last two intervals between puts, in nanoseconds; 0: not known.
    intervals: [u64; 2],
}

impl Pace {
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// Notes a value that was copied. `stamp` is 0 if it has none.
    pub(crate) fn note(&mut self, seq: u64, stamp: u64) {
        if seq == self.seen {
            return;
        }
        self.note_at(seq, stamp, clock::now());
    }

    fn note_at(&mut self, seq: u64, put: u64, found: u64) {
        if self.seen != 0 && seq > self.seen {
            // Stamps that do not rise tell nothing: whoever puts values under its own stamps may
            // give all of them the same.
            let time = match self.put {
                before if before != 0 && put > before => put - before,
                _ => found.saturating_sub(self.found),
            };
            let interval = (time / (seq - self.seen)).max(1);
            self.intervals = [self.intervals[1], interval];
        }
        (self.seen, self.put, self.found) = (seq, put, found);
    }

    /// How long to nap before the next look, `waited` nanoseconds after the wait began.
    pub(crate) fn nap(&self, waited: u64) -> Duration {
        let [before, last] = self.intervals;
        let period = if before == 0 { last } else { last.min(before) };
        let nap = match period {
            0 => LONGEST,
            _ if waited >= SILENCE => LONGEST,
            period => (period / 4).clamp(SHORTEST, LONGEST),
        };
        Duration::from_nanos(nap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// After values with these numbers, each stamped some milliseconds after the one before.
    fn after(values: &[(u64, u64)]) -> Pace {
        let mut pace = Pace::default();
        let mut stamp = 1000 * MS;
        for (seq, milliseconds) in values {
            stamp += milliseconds * MS;
            pace.note_at(*seq, stamp, stamp + MS);
        }
        pace
    }

    #[test]
    fn a_nap_is_a_quarter_of_the_period_within_its_limits() {
        assert_eq!(after(&[]).nap(0), Duration::from_millis(10), "no period is known");
        assert_eq!(after(&[(1, 0)]).nap(0), Duration::from_millis(10));
        assert_eq!(after(&[(1, 0), (2, 10)]).nap(0), Duration::from_micros(2500));
        assert_eq!(after(&[(1, 0), (11, 10)]).nap(0), Duration::from_micros(250), "ten values");
        assert_eq!(after(&[(1, 0), (2, 1000)]).nap(0), Duration::from_millis(10));
        assert_eq!(after(&[(1, 0), (1001, 10)]).nap(0), Duration::from_micros(50));
        assert_eq!(after(&[(1, 0), (2, 10)]).nap(SILENCE), Duration::from_millis(10));
    }

    #[test]
    fn values_whose_stamps_do_not_rise_are_paced_by_when_they_are_found() {
        for stamps in [[0; 3], [7; 3], [9, 8, 7], [7, 0, 7]] {
            let mut pace = Pace::default();
            for (seq, put) in (1..).zip(stamps) {
                pace.note_at(seq, put, 1000 * MS + seq * 4 * MS);
            }
            assert_eq!(pace.nap(0), Duration::from_millis(1), "{stamps:?}");
        }
        let mut at_once = after(&[(1, 0), (2, 10)]);
        at_once.note_at(3, 0, at_once.found);
        assert_eq!(at_once.nap(0), Duration::from_micros(50), "a period is known");
    }

    #[test]
    fn one_long_pause_of_a_producer_does_not_slow_the_looks_and_a_new_channel_starts_anew() {
        let paused = after(&[(1, 0), (2, 10), (3, 5000)]);
        assert_eq!(paused.nap(0), Duration::from_micros(2500));
        assert_eq!(after(&[(1, 0), (2, 10), (3, 400), (4, 400)]).nap(0), Duration::from_millis(10));
        let restarted = after(&[(7, 0), (8, 10), (1, 9000)]);
        assert_eq!((restarted.seen(), restarted.nap(0)), (1, Duration::from_micros(2500)));
    }
}
