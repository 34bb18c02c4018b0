//! How often an observer that waits looks for the next value.
//!
//! Nobody wakes an observer, so it looks again and again: often enough to miss nothing, and seldom
//! enough to cost little. A nap is a quarter of the producer's period, which is the shorter
//! of the last two intervals between values: one long pause of a producer does not count.
//!
//! Where these two intervals are alike, it is known when the next value is due. Then the first nap
//! lasts until three quarters of the period are over, and the second until the value is there:
//! two naps for each value in place of four, and the value is found sooner. Only a producer that
//! puts two values within those three quarters has one of them missed.

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

    /// How long to nap before the next look, now that it is `now` (CLOCK_MONOTONIC). The silence
    /// began when the last value was found, however many waits there have been since.
    pub(crate) fn nap(&self, has_producer: bool, now: u64) -> Duration {
        let [before, last] = self.intervals;
        let period = if before == 0 { last } else { last.min(before) };
        let nap = match period {
            0 => LONGEST,
            _ if !has_producer || now.saturating_sub(self.found) >= SILENCE => LONGEST,
            period => self.before_due(period, now).unwrap_or(period / 4).clamp(SHORTEST, LONGEST),
        };
        Duration::from_nanos(nap)
    }

    /// How long until the next look at a steady producer, if its next value is not due yet.
    fn before_due(&self, period: u64, now: u64) -> Option<u64> {
        let [before, last] = self.intervals;
        if before == 0 || before.abs_diff(last) > period / 8 {
            return None;
        }
        // A stamp that its producer made up may lie in the future.
        let put = if self.put == 0 { self.found } else { self.put.min(self.found) };
        let early = put.saturating_add(period - period / 4);
        // A little later than the period, since the put takes time, too.
        let due = put.saturating_add(period + period / 64);
        [early, due].into_iter().find(|&look| look > now).map(|look| look - now)
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

    /// How long the nap of one whose next value was due long ago is.
    fn late(pace: &Pace) -> Duration {
        pace.nap(true, pace.found + SILENCE - MS)
    }

    #[test]
    fn a_nap_is_a_quarter_of_the_period_within_its_limits() {
        assert_eq!(late(&after(&[])), Duration::from_millis(10), "no period is known");
        assert_eq!(late(&after(&[(1, 0)])), Duration::from_millis(10));
        assert_eq!(late(&after(&[(1, 0), (2, 10)])), Duration::from_micros(2500));
        assert_eq!(late(&after(&[(1, 0), (11, 10)])), Duration::from_micros(250), "ten values");
        assert_eq!(late(&after(&[(1, 0), (2, 1000)])), Duration::from_millis(10));
        assert_eq!(late(&after(&[(1, 0), (1001, 10)])), Duration::from_micros(50));
        let paced = after(&[(1, 0), (2, 10)]);
        assert_eq!(paced.nap(false, paced.found), Duration::from_millis(10), "no producer");
        assert_eq!(paced.nap(true, paced.found + SILENCE), Duration::from_millis(10));
    }

    #[test]
    fn values_whose_stamps_do_not_rise_are_paced_by_when_they_are_found() {
        for stamps in [[0; 3], [7; 3], [9, 8, 7], [7, 0, 7]] {
            let mut pace = Pace::default();
            for (seq, put) in (1..).zip(stamps) {
                pace.note_at(seq, put, 1000 * MS + seq * 4 * MS);
            }
            assert_eq!(late(&pace), Duration::from_millis(1), "{stamps:?}");
        }
        let mut at_once = after(&[(1, 0), (2, 10)]);
        at_once.note_at(3, 0, at_once.found);
        assert_eq!(late(&at_once), Duration::from_micros(50), "a period is known");
    }

    #[test]
    fn one_long_pause_of_a_producer_does_not_slow_the_looks_and_a_new_channel_starts_anew() {
        let paused = after(&[(1, 0), (2, 10), (3, 5000)]);
        assert_eq!(late(&paused), Duration::from_micros(2500));
        assert_eq!(late(&after(&[(1, 0), (2, 10), (3, 400), (4, 400)])), Duration::from_millis(10));
        let restarted = after(&[(7, 0), (8, 10), (1, 9000)]);
        assert_eq!((restarted.seen(), late(&restarted)), (1, Duration::from_micros(2500)));
    }

    #[test]
    fn where_a_value_is_due_two_naps_lead_to_it() {
        let steady = after(&[(1, 0), (2, 10), (3, 10)]);
        let put = steady.put;
        let due = put + 10 * MS + 10 * MS / 64;
        for (now, nap) in [
            (put + MS, Duration::from_micros(6500)),
            (put + 7 * MS, Duration::from_micros(500)),
            (put + 7 * MS + MS / 2, Duration::from_nanos(due - put - 7 * MS - MS / 2)),
            (due - 1, Duration::from_micros(50)),
            (due, Duration::from_micros(2500)),
            (due + 20 * MS, Duration::from_micros(2500)),
        ] {
            assert_eq!(steady.nap(true, now), nap, "{} after the put", now - put);
        }
        let slow = after(&[(1, 0), (2, 100), (3, 100)]);
        assert_eq!(slow.nap(true, slow.found), Duration::from_millis(10), "at most the longest");
        let irregular = after(&[(1, 0), (2, 10), (3, 12)]);
        assert_eq!(irregular.nap(true, irregular.found), Duration::from_micros(2500));
        // A stamp in the future, which its producer made up, does not keep an observer waiting.
        let mut ahead = steady;
        ahead.note_at(4, due + 1000 * MS, due);
        ahead.note_at(5, due + 1010 * MS, due + 10 * MS);
        ahead.note_at(6, due + 1020 * MS, due + 20 * MS);
        assert_eq!(ahead.nap(true, due + 20 * MS), Duration::from_micros(7500));
    }
}
