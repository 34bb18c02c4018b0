//! The clock of another machine, as this one's: CLOCK_MONOTONIC there and here differ by an offset
//! that is found in round trips.
//!
//! A round trip that started here at `sent` and ended at `received`, and in between read the time
//! `there`, proves that the offset is `there - middle`, give or take half the trip. The shortest of
//! the last trips counts. Clocks drift, so what a trip proves widens with its age; and where a trip
//! contradicts the earlier ones, as after a suspend, those are forgotten.

use std::collections::VecDeque;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// How many trips are kept.
const TRIPS: usize = 32;
/// How fast two clocks may drift apart: 100 parts per million.
const DRIFT: i64 = 10_000;

/// CLOCK_MONOTONIC here, in nanoseconds.
pub(crate) fn now() -> i64 {
    // It cannot fail for this clock. 0 would make stamps that count as none.
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |now| now.tv_sec() * 1_000_000_000 + now.tv_nsec())
}

/// One round trip. All times in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trip {
    pub(crate) sent: i64,
    pub(crate) there: i64,
    pub(crate) received: i64,
}

/// How far the other clock is ahead of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offset {
    pub(crate) nanos: i64,
    pub(crate) error: Duration,
    /// Half of the shortest trip.
    pub(crate) delay: Duration,
}

impl Offset {
    /// A stamp of the other clock, by this one. One that would be ahead of `now` is `now`: the
    /// offset was wrong by so much, which is within its error. 0, for no stamp, stays 0.
    pub(crate) fn here(&self, stamp: u64, now: i64) -> u64 {
        match i64::try_from(stamp) {
            Ok(0) | Err(_) => 0,
            Ok(stamp) => stamp.saturating_sub(self.nanos).clamp(1, now.max(1)) as u64,
        }
    }
}

/// What the trips to one link have proven.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    trips: VecDeque<Trip>,
}

impl Clock {
    pub(crate) fn note(&mut self, trip: Trip) {
        if trip.received < trip.sent {
            return;
        }
        let (offset, error) = proven(&trip, trip.received);
        let agrees = |earlier: &Trip| {
            let (of_earlier, more) = proven(earlier, trip.received);
            offset.abs_diff(of_earlier) <= (error + more).unsigned_abs()
        };
        if !self.trips.iter().all(agrees) {
            self.trips.clear();
        }
        if self.trips.len() == TRIPS {
            self.trips.pop_front();
        }
        self.trips.push_back(trip);
    }

    /// `None`: no trip has ended yet.
    pub(crate) fn offset(&self, now: i64) -> Option<Offset> {
        let best = self.trips.iter().min_by_key(|trip| proven(trip, now).1)?;
        let (nanos, error) = proven(best, now);
        let delay = self.trips.iter().map(|trip| (trip.received - trip.sent) / 2).min()?;
        let duration = |nanos: i64| Duration::from_nanos(nanos.unsigned_abs());
        Some(Offset { nanos, error: duration(error), delay: duration(delay) })
    }
}

/// What a trip proves of now: the offset, and how wrong that may be.
fn proven(trip: &Trip, now: i64) -> (i64, i64) {
    let half = (trip.received - trip.sent) / 2;
    let age = (now - trip.received).max(0);
    (trip.there - trip.sent - half, half + 1 + age / DRIFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AHEAD: i64 = 100_000_000_000;

    fn trip(sent: i64, out: i64, back: i64) -> Trip {
        Trip { sent, there: sent + out + AHEAD, received: sent + out + back }
    }

    #[test]
    fn the_true_offset_is_within_the_error_however_lopsided_a_trip_is() {
        let mut clock = Clock::default();
        assert_eq!(clock.offset(0), None);
        for (out, back) in [(40_000, 10_000), (1_000_000, 5_000), (3_000, 90_000), (20_000, 20_000)]
        {
            let sent = i64::from(out) * 1000;
            clock.note(trip(sent, out.into(), back.into()));
            let offset = clock.offset(sent + 2_000_000).unwrap();
            assert!(offset.nanos.abs_diff(AHEAD) as u128 <= offset.error.as_nanos(), "{offset:?}");
        }
        let offset = clock.offset(1_000_000_000).unwrap();
        assert!(offset.error < Duration::from_micros(200), "{offset:?}");
        assert_eq!(offset.delay, Duration::from_micros(20));
    }

    #[test]
    fn a_clock_that_jumps_is_believed_at_once() {
        let mut clock = Clock::default();
        for sent in (0..10).map(|i| i * 1_000_000_000) {
            clock.note(trip(sent, 20_000, 20_000));
        }
        let jumped = Trip { there: 20_000_020_000, ..trip(20_000_000_000, 20_000, 20_000) };
        clock.note(jumped);
        let offset = clock.offset(jumped.received).unwrap();
        assert!(offset.nanos.abs() <= 21_000, "{offset:?}");
    }

    #[test]
    fn a_stamp_becomes_one_of_this_clock_and_is_never_ahead_of_it() {
        let nanos = AHEAD;
        let offset = Offset { nanos, error: Duration::ZERO, delay: Duration::ZERO };
        assert_eq!(offset.here(AHEAD as u64 + 5, 10), 5);
        assert_eq!(offset.here(AHEAD as u64 + 50, 10), 10);
        assert_eq!(offset.here(0, 10), 0);
        assert_eq!(offset.here(u64::MAX, 10), 0);
        assert_eq!(offset.here(3, 10), 1);
    }
}
