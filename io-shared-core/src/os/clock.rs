//! The two clocks and the boot.

mod stamp_clock;

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

pub(crate) use stamp_clock::StampClock;

/// CLOCK_MONOTONIC in nanoseconds: what stamps and deadlines are in. Never 0.
#[inline]
pub fn now() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// CLOCK_MONOTONIC as of the last timer tick (1 to 10 ms ago), at a fifth of the cost.
#[inline]
pub fn now_coarse() -> u64 {
    read(libc::CLOCK_MONOTONIC_COARSE)
}

/// The instant `after` from now, saturating: [`u64::MAX`] is never.
pub fn deadline(after: Duration) -> u64 {
    u64::try_from(after.as_nanos()).map_or(u64::MAX, |nanos| now().saturating_add(nanos))
}

/// An instant of CLOCK_MONOTONIC, as system calls take it.
pub(crate) fn timespec(at: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: i64::try_from(at / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: (at % 1_000_000_000) as i64,
    }
}

#[inline]
fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec that lives through the call, and the call writes nothing else.
    // It cannot fail: both clocks exist since Linux 2.6.32.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The id of this boot, as the kernel tells it; zeros where /proc is not mounted.
pub(crate) fn boot_id() -> [u64; 2] {
    // Not a OnceLock: a fork in another thread would leave the child's in the midst of its
    // initialisation, to be waited for for ever. Read twice, it is the same.
    static KNOWN: AtomicBool = AtomicBool::new(false);
    static HALVES: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
    // Acquire, with the Release below: the halves are there.
    if !KNOWN.load(Acquire) {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        let half = |range| digits.get(range).and_then(|d| u64::from_str_radix(d, 16).ok());
        HALVES[0].store(half(0..16).unwrap_or(0), Relaxed);
        HALVES[1].store(half(16..32).unwrap_or(0), Relaxed);
        KNOWN.store(true, Release);
    }
    [HALVES[0].load(Relaxed), HALVES[1].load(Relaxed)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_saturate() {
        assert_eq!(deadline(Duration::MAX), u64::MAX);
        assert!(deadline(Duration::ZERO) <= now());
    }

    #[test]
    fn the_boot_has_an_id_that_stays() {
        assert_ne!(boot_id(), [0, 0]);
        assert_eq!(boot_id(), boot_id());
    }
}
