//! When to look for a channel's next value, for those that nobody wakes.
//!
//! Whoever only observes is not woken, so it looks again and again: often enough to miss nothing,
//! and seldom enough to cost little. A nap is a quarter of the producer's period, which is the
//! shorter of the last two intervals between values: one long pause of a producer does not count.
//!
//! Where these two intervals are alike, it is known when the next value is due. An observer's first
//! nap then lasts until three quarters of the period are over, and the second until the value is
//! there: two naps for each value in place of four, and the value is found sooner. Only a producer
//! that puts two values within those three quarters has one of them missed.
//!
//! A tool that shows values to a person is in no hurry, and shall not disturb. One nap leads it to
//! a moment after the value is due, when the channel's consumers have been woken. That moment
//! differs from value to value, so that it does not fall each time on what they do next.

use std::time::Duration;

use crate::os::clock;

/// The shortest and the longest nap, in nanoseconds.
const SHORTEST: u64 = 50_000;
const LONGEST: u64 = 10_000_000;
/// The longest nap of a tool before a value is due.
const LONGEST_OF_TOOL: u64 = 250_000_000;
/// After this many nanoseconds without a value, and two periods, the naps are the longest.
const SILENCE: u64 = 1_000_000_000;

/// When a program that only looks at a channel looks for the next value, by the values that it has
/// seen.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # use io_shared_core::{Location, Name, inspect};
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-pace-{}", std::process::id());
/// # let mut speed = io_shared::producer::<f64>(name)?;
/// # speed.put(&13.9)?;
/// let reader = inspect::Reader::open(&Location::from(Name::new(name)?))?;
/// let mut pace = inspect::Pace::of_tool();
/// # let mut looks = 0;
/// loop {
///     if let Some(newest) = reader.newest()?.filter(|newest| newest.seq != pace.seen()) {
///         println!("value {}", newest.seq);
///         pace.note(newest.seq, newest.stamp);
///     }
///     std::thread::sleep(pace.nap(true));
/// #   looks += 1;
/// #   if looks == 3 { break }
/// }
/// # assert_eq!(pace.seen(), 1);
/// # io_shared::remove(name)
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Pace {
    /// Whether to look some time after a value is due, and not at once.
    is_of_tool: bool,
    /// The number of the last one; 0 for none.
    seen: u64,
    /// When it was put, by its stamp, and when it was found.
    put: u64,
    found: u64,
    /// The last two intervals between puts, in nanoseconds; 0: not known.
    intervals: [u64; 2],
}

impl Pace {
    /// The pace of a program that wants each value soon, as observers' waits do: two looks for each
    /// value of a steady producer, and one every 10 ms at least. [`Pace`] has an example.
    pub fn of_observer() -> Self {
        Self::default()
    }

    /// The pace of a tool that wants to disturb nobody: one look for each value of a steady
    /// producer, some time after the value is due. [`Pace`] has an example.
    pub fn of_tool() -> Self {
        Self { is_of_tool: true, ..Self::default() }
    }

    /// The number of the last value that was noted; 0 for none. [`Pace`] has an example.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Notes a value that was found now. `stamp` is CLOCK_MONOTONIC at its put in nanoseconds, or 0
    /// if it has none. [`Pace`] has an example.
    pub fn note(&mut self, seq: u64, stamp: u64) {
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

    /// How long to nap before the next look. Without a producer that is 10 ms, as it is where the
    /// period is not known, and after a second without a value. [`Pace`] has an example.
    pub fn nap(&self, has_producer: bool) -> Duration {
        self.nap_at(has_producer, clock::now())
    }

    /// The same where it is `now` (CLOCK_MONOTONIC). The silence began when the last value was
    /// found, however many waits there have been since.
    fn nap_at(&self, has_producer: bool, now: u64) -> Duration {
        let [before, last] = self.intervals;
        let period = if before == 0 { last } else { last.min(before) };
        let silence = SILENCE.max(period.saturating_mul(2));
        let nap = match period {
            0 => LONGEST,
            _ if !has_producer || now.saturating_sub(self.found) >= silence => LONGEST,
            period => match self.before_due(period, now) {
                Some(nap) if self.is_of_tool => nap.clamp(SHORTEST, LONGEST_OF_TOOL),
                nap => nap.unwrap_or(period / 4).clamp(SHORTEST, LONGEST),
            },
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
        let looks = match self.is_of_tool && self.put != 0 {
            true => [put.saturating_add(period + self.lag(period)); 2],
            false => [early, due],
        };
        looks.into_iter().find(|&look| look > now).map(|look| look - now)
    }

    /// How long after a value is due a tool looks: an eighth to three eighths of a period. Without
    /// stamps it does not wait for longer, since what it finds late it would take for put late.
    fn lag(&self, period: u64) -> u64 {
        // Multiples of the golden ratio lie evenly between 0 and 1, and never in a rhythm.
        let part = self.seen.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56;
        period / 8 + period / 1024 * part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    /// After values with these numbers, each stamped some milliseconds after the one before.
    fn after(values: &[(u64, u64)]) -> Pace {
        let mut pace = Pace::of_observer();
        let mut stamp = 1000 * MS;
        for (seq, milliseconds) in values {
            stamp += milliseconds * MS;
            pace.note_at(*seq, stamp, stamp + MS);
        }
        pace
    }

    /// How long the nap of one whose next value was due long ago is.
    fn late(pace: &Pace) -> Duration {
        pace.nap_at(true, pace.found + SILENCE - MS)
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
        assert_eq!(paced.nap_at(false, paced.found), Duration::from_millis(10), "no producer");
        assert_eq!(paced.nap_at(true, paced.found + SILENCE), Duration::from_millis(10));
    }

    #[test]
    fn values_whose_stamps_do_not_rise_are_paced_by_when_they_are_found() {
        for stamps in [[0; 3], [7; 3], [9, 8, 7], [7, 0, 7]] {
            let mut pace = Pace::of_observer();
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
            assert_eq!(steady.nap_at(true, now), nap, "{} after the put", now - put);
        }
        let slow = after(&[(1, 0), (2, 100), (3, 100)]);
        assert_eq!(slow.nap_at(true, slow.found), Duration::from_millis(10), "at most the longest");
        let irregular = after(&[(1, 0), (2, 10), (3, 12)]);
        assert_eq!(irregular.nap_at(true, irregular.found), Duration::from_micros(2500));
        // A stamp in the future, which its producer made up, does not keep an observer waiting.
        let mut ahead = steady;
        ahead.note_at(4, due + 1000 * MS, due);
        ahead.note_at(5, due + 1010 * MS, due + 10 * MS);
        ahead.note_at(6, due + 1020 * MS, due + 20 * MS);
        assert_eq!(ahead.nap_at(true, due + 20 * MS), Duration::from_micros(7500));
    }

    /// Has a pace follow a producer whose values are put at these times. Returns when each value
    /// was found, and how many looks there were.
    fn followed(mut pace: Pace, puts: &[u64], has_stamps: bool) -> (Vec<(u64, u64)>, usize) {
        let (mut now, mut found, mut looks) = (puts[0], Vec::new(), 0);
        while now <= *puts.last().unwrap() + SILENCE / 2 {
            let seq = puts.partition_point(|put| *put <= now);
            looks += 1;
            if seq as u64 != pace.seen() {
                pace.note_at(seq as u64, if has_stamps { puts[seq - 1] } else { 0 }, now);
                found.push((seq as u64, now - puts[seq - 1]));
            }
            now += pace.nap_at(true, now).as_nanos() as u64;
        }
        (found, looks)
    }

    #[test]
    fn a_tool_looks_once_for_each_value_when_its_consumers_have_been_woken() {
        for period in [MS, 20 * MS, 100 * MS, 140 * MS] {
            let jitter = period / 20;
            let puts: Vec<u64> =
                (0..500).map(|n| 1000 * MS + n * period + n * 7919 % 101 * jitter / 101).collect();
            let (found, looks) = followed(Pace::of_tool(), &puts, true);
            // Until the period is known, a look comes every 10 ms.
            let known = found[2].0;
            assert!(found[2..].iter().map(|(seq, _)| *seq).eq(known..=500), "{period} ns");
            let idle = (SILENCE / 2).div_ceil(LONGEST.min(period / 4)) as usize;
            assert!(looks <= 500 + 60 + idle, "{looks} looks, {period} ns");
            let steady = &found[3..];
            assert!(steady.iter().all(|(_, late)| *late >= period / 16), "{period} ns");
            assert!(steady.iter().all(|(_, late)| *late <= period / 2), "{period} ns");
            let early = steady.iter().filter(|(_, late)| *late < period / 4).count();
            assert!((150..350).contains(&early), "{early} of 497 in the first half, {period} ns");
        }
    }

    #[test]
    fn a_tool_misses_nothing_where_there_are_no_stamps() {
        let puts: Vec<u64> = (0..500).map(|n| 1000 * MS + n * 20 * MS).collect();
        let (found, _) = followed(Pace::of_tool(), &puts, false);
        assert!(found[2..].iter().map(|(seq, _)| *seq).eq(found[2].0..=500));
    }
}
