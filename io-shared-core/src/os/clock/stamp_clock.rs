//! CLOCK_MONOTONIC as puts read it for their stamps.
//!
//! Reading the clock waits for every earlier instruction, and a small put waits for the reading:
//! this takes a third of a hand-over of 16 bytes (measured). But the kernel derives the clock from
//! the processor's time-stamp counter, which can be read without a wait. So for a millisecond after
//! a reading, a stamp is that reading plus the counter's ticks since then, at the rate of the
//! milliseconds before it.
//!
//! Little is trusted. The counter is used only if the kernel used it for its own clock when a
//! producer first opened. A rate is used only if two in a row agree, and each for a millisecond. A
//! counter that stops, jumps or changes its speed (in a suspended or migrated machine) costs at
//! worst one millisecond of wrong stamps.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

use super::now;

/// How long a reading and a rate are valid, and the shortest time to measure a rate over, in
/// nanoseconds.
const REACH: u64 = 1_000_000;
/// If the two readings of the counter around one of the clock are more than this many ticks apart,
/// the thread was interrupted, and nothing is learned from them.
const INTERRUPTED: u64 = 1000;
/// A rate is the nanoseconds of one tick, with this many fractional bits.
const FRACTION: u32 = 32;

/// The clock that one handle reads at each of its puts.
#[derive(Debug, Default)]
pub(crate) struct StampClock {
    /// Whether the kernel derives its clock from the counter. If not, the counter is not used.
    counts: bool,
    /// The last reading that the clock learned from: the counter, and the time in nanoseconds.
    ticks: u64,
    time: u64,
    rate: u64,
    /// For how many ticks after that reading the rate is valid. 0: the clock is read each time.
    reach: u64,
    /// The last time that `now` returned.
    last: u64,
}

impl StampClock {
    pub(crate) fn new() -> Self {
        Self { counts: is_the_clocks(), ..Self::default() }
    }

    /// CLOCK_MONOTONIC in nanoseconds, exact to 2 us. Never 0, and never less than before.
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

    /// The time at which the counter stands at `ticks`, if the last rate is still valid.
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

    /// Learns that the counter stood at `ticks` when the clock said `time`, from a reading that
    /// took `took` ticks.
    fn learn(&mut self, ticks: u64, time: u64, took: u64) {
        self.reach = 0;
        let elapsed = time.saturating_sub(self.time);
        if took > INTERRUPTED || elapsed < REACH {
            return;
        }
        let ticked = ticks.wrapping_sub(self.ticks);
        // No rate over more than four seconds: that has too many bits, and is too long for a rate.
        let scaled = elapsed.checked_mul(1 << FRACTION);
        let rate = scaled.and_then(|scaled| scaled.checked_div(ticked)).unwrap_or(0);
        if rate != 0 && rate.abs_diff(self.rate) <= rate >> 10 {
            self.reach = (REACH << FRACTION) / rate;
        }
        (self.ticks, self.time, self.rate) = (ticks, time, rate);
    }
}

/// The processor's counter; 0 if there is none that can be read without a wait.
#[inline]
fn counter() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction, and a program that Linux does not let use
    // it cannot read a clock that is derived from it either.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    0
}

/// Whether the kernel derives its own clock from the counter: then it has found that the counter
/// runs at a constant speed, and is the same on all cores.
fn is_the_clocks() -> bool {
    const UNKNOWN: u8 = 2;
    // Not a OnceLock: a fork during another thread's initialisation would leave the child waiting
    // for ever. Asking twice does no harm.
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
