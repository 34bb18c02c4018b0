//! CLOCK_MONOTONIC as puts read it for their stamps.
//!
//! A reading of the clock waits for every instruction before it, and a small put waits for the
//! reading: a third of a hand-over of 16 bytes (measured). But the clock is made of the processor's
//! time-stamp counter, which can be read without a wait. So for a millisecond after a reading, a stamp
//! is that reading plus the counter's ticks since then, at the rate of the milliseconds before it.
//!
//! What is trusted is little: the counter counts only where the kernel had it for its own clock when a
//! producer first opened, a rate
//! only if two in a row agree, and each for a millisecond. A counter that stops, jumps or changes its
//! speed (a suspended or migrated machine) costs one millisecond of wrong stamps at the worst.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

use super::now;

/// How long a reading and a rate are good for, and the least that a rate is measured over, in
/// nanoseconds.
const REACH: u64 = 1_000_000;
/// Ticks between the two readings of the counter around one of the clock, from which on something came
/// between them: nothing is learned from that.
const INTERRUPTED: u64 = 1000;
/// A rate is nanoseconds of one tick, in so many bits behind the point.
const FRACTION: u32 = 32;

/// A clock that one handle reads at each of its puts.
#[derive(Debug, Default)]
pub(crate) struct StampClock {
    /// Whether the kernel's clock is made of the counter; where it is not, that is not looked at.
    counts: bool,
    /// The last reading that was learned from: the counter, and the clock in nanoseconds.
    ticks: u64,
    time: u64,
    rate: u64,
    /// Ticks since that reading for which the rate is good; 0: the clock is read each time.
    reach: u64,
    /// The last time that was told.
    last: u64,
}

impl StampClock {
    pub(crate) fn new() -> Self {
        Self { counts: is_the_clocks(), ..Self::default() }
    }

    /// CLOCK_MONOTONIC in nanoseconds, to two microseconds. Never 0, and never less than it was before.
    #[inline]
    pub(crate) fn now(&mut self) -> u64 {
        if !self.counts {
            return now();
        }
        let time = match self.at(counter()) {
            Some(time) => time,
            None => self.read(),
        };
        self.last = self.last.max(time);
        self.last
    }

    /// The time at which the counter stands there, if that can be told.
    #[inline]
    fn at(&self, ticks: u64) -> Option<u64> {
        let since = ticks.wrapping_sub(self.ticks);
        // The product is below 2^52: `reach` times the rate is a millisecond.
        (since < self.reach).then(|| self.time + ((since * self.rate) >> FRACTION))
    }

    #[cold]
    fn read(&mut self) -> u64 {
        let ticks = counter();
        let time = now();
        let took = counter().wrapping_sub(ticks);
        self.learn(ticks, time, took);
        time
    }

    /// Takes in that the counter stood at `ticks` when the clock said `time`, by a reading that took so
    /// many ticks.
    fn learn(&mut self, ticks: u64, time: u64, took: u64) {
        self.reach = 0;
        let elapsed = time.saturating_sub(self.time);
        if took > INTERRUPTED || elapsed < REACH {
            return;
        }
        let ticked = ticks.wrapping_sub(self.ticks);
        // None over more than four seconds: that has too many bits, and is too long for a rate.
        let scaled = elapsed.checked_mul(1 << FRACTION);
        let rate = scaled.and_then(|scaled| scaled.checked_div(ticked)).unwrap_or(0);
        if rate != 0 && rate.abs_diff(self.rate) <= rate >> 10 {
            self.reach = (REACH << FRACTION) / rate;
        }
        (self.ticks, self.time, self.rate) = (ticks, time, rate);
    }
}

/// The processor's counter; 0 where there is none that is read without a wait.
#[inline]
fn counter() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction, and a program that Linux does not let use it
    // cannot read a clock that is made of it either.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    0
}

/// Whether the kernel's own clock is made of that counter: it has found it to run at one speed, and the
/// same on all cores.
fn is_the_clocks() -> bool {
    const UNKNOWN: u8 = 2;
    // Not a OnceLock: a fork in another thread would leave the child's in the midst of its
    // initialisation, to be waited for for ever. Asked twice, it is the same.
    static KNOWN: AtomicU8 = AtomicU8::new(UNKNOWN);
    let known = KNOWN.load(Relaxed);
    if known != UNKNOWN {
        return known == 1;
    }
    let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let is = cfg!(target_arch = "x86_64")
        && std::fs::read_to_string(source).is_ok_and(|name| name.trim() == "tsc");
    KNOWN.store(u8::from(is), Relaxed);
    is
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A clock that has read a counter of 2.5 GHz at each of these milliseconds.
    fn learned(milliseconds: impl IntoIterator<Item = u64>) -> StampClock {
        let mut clock = StampClock::default();
        for at in milliseconds {
            clock.learn(at * MS * 5 / 2, at * MS, 100);
        }
        clock
    }

    #[test]
    fn two_rates_that_agree_tell_the_time_for_a_millisecond() {
        let clock = learned([9000, 9001]);
        assert_eq!(clock.at(9001 * MS * 5 / 2 + 1), None, "one rate is none");
        let clock = learned([9000, 9001, 9002]);
        for since in [0, 1, 1000, MS - 1] {
            let told = clock.at((9002 * MS + since) * 5 / 2).unwrap();
            assert!(told.abs_diff(9002 * MS + since) <= 1, "{since}: {told}");
        }
        assert_eq!(clock.at((9003 * MS + 10) * 5 / 2), None);
        assert_eq!(clock.at((9002 * MS - 10) * 5 / 2), None, "a counter that went back");
    }

    #[test]
    fn a_counter_that_stops_jumps_or_changes_its_speed_is_not_believed() {
        let next = |ticks: u64, time: u64| {
            let mut clock = learned(9000..9010);
            clock.learn(ticks, time, 100);
            clock.at(ticks + 1)
        };
        assert!(next(9010 * MS * 5 / 2, 9010 * MS).is_some());
        assert_eq!(next(9009 * MS * 5 / 2, 9010 * MS), None, "stopped");
        assert_eq!(next(7, 9010 * MS), None, "began anew");
        assert_eq!(next(19_000 * MS * 5 / 2, 9010 * MS), None, "went on while the clock stood");
        assert_eq!(next((9009 * MS * 5 / 2) + MS * 2, 9010 * MS), None, "is slower");
    }

    #[test]
    fn nothing_is_learned_from_a_reading_that_was_interrupted_or_came_soon_or_late() {
        for (after, took) in [(MS, 1001), (MS - 1, 100), (5000 * MS, 100)] {
            let mut clock = learned(9000..9010);
            let time = 9009 * MS + after;
            clock.learn(time * 5 / 2, time, took);
            assert_eq!(clock.at(time * 5 / 2 + 1), None, "{after} ns, {took} ticks");
        }
    }

    #[test]
    fn it_is_the_clock_to_two_microseconds_and_never_goes_back() {
        let mut clock = StampClock::new();
        let (mut last, mut told) = (0, 0);
        for _ in 0..200_000 {
            told += u32::from(clock.at(counter()).is_some());
            let before = now();
            let time = clock.now();
            let after = now();
            assert!(before <= time + 2000 && time <= after + 2000, "{before} {time} {after}");
            assert!(time >= last);
            last = time;
        }
        assert!(told == 0 || is_the_clocks());
        if told == 0 {
            eprintln!("no stamp is told by the counter on this machine");
        }
    }
}
