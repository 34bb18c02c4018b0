//! The two clocks, and whose they are: of which boot, in which time namespace.

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

/// How far a stamp may be ahead of the clock of who reads it, in nanoseconds: twice what it may be
/// off. One that is further ahead is of another clock, or of none.
const AHEAD: u64 = 4_000;

/// The time since `stamp`; `None` if it is 0, which is none, or later than now.
pub(crate) fn since(stamp: u64) -> Option<Duration> {
    match now().checked_sub(stamp) {
        _ if stamp == 0 => None,
        Some(nanos) => Some(Duration::from_nanos(nanos)),
        None => (stamp - AHEAD <= now()).then_some(Duration::ZERO),
    }
}

/// Whose CLOCK_MONOTONIC it is: each boot has one, and each time namespace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// Zeros where it is not known.
    pub(crate) boot: [u64; 2],
    /// The time namespace; 0 where it is not known, or the kernel has none.
    pub(crate) namespace: u64,
    generation: u64,
}

impl Clock {
    /// This process's.
    pub(crate) fn here() -> Self {
        Self {
            boot: boot_id(),
            namespace: time_namespace(),
            generation: crate::os::fork::generation(),
        }
    }

    /// Whether stamps of a clock that is so described can be compared with this one. Not so where
    /// nothing is known of it: that may be any.
    pub(crate) fn is(&self, boot: [u64; 2], namespace: u64) -> bool {
        self.is_boot(boot) && self.namespace == namespace
    }

    /// Whether that boot is this one, as far as is known.
    pub(crate) fn is_boot(&self, boot: [u64; 2]) -> bool {
        self.is_known() && self.boot == boot
    }

    pub(crate) fn is_known(&self) -> bool {
        self.boot != [0, 0]
    }

    /// Whether it is this process's still: a forked child may be in another namespace.
    pub(crate) fn is_still_here(&self) -> bool {
        self.generation == crate::os::fork::generation() || {
            let now = Self::here();
            self.is(now.boot, now.namespace)
        }
    }
}

/// The inode of this process's time namespace, which has 32 bits; above it, of any but the machine's
/// own, a sum of what its clocks are ahead: the inode of one that is gone may be another's later.
fn time_namespace() -> u64 {
    // As the kernel has it since there are any.
    const MACHINES_OWN: u64 = 0xEFFF_FFFA;
    // Asked each time: a child that is forked after an unshare is in another one.
    let inode = |path| nix::sys::stat::stat(path).map_or(0, |status| status.st_ino);
    let own = inode(c"/proc/self/ns/time");
    if own == 0 || own == MACHINES_OWN || own != inode(c"/proc/self/ns/time_for_children") {
        return own;
    }
    let ahead = std::fs::read("/proc/self/timens_offsets").unwrap_or_default();
    let sum = ahead
        .iter()
        .fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    own | u64::from(sum) << 32
}

/// The id of this boot, as the kernel tells it; zeros where /proc is not mounted.
fn boot_id() -> [u64; 2] {
    // Not a OnceLock: a fork in another thread would leave the child's in the midst of its
    // initialisation, to be waited for for ever. Read twice, it is the same.
    static KNOWN: AtomicBool = AtomicBool::new(false);
    static HALVES: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
    // Acquire, with the Release below: the halves are there.
    if !KNOWN.load(Acquire) {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        let half = |range| digits.get(range).and_then(|d| u64::from_str_radix(d, 16).ok());
        let (Some(high), Some(low)) = (half(0..16), half(16..32)) else {
            return [0, 0]; // /proc may be mounted later
        };
        HALVES[0].store(high, Relaxed);
        HALVES[1].store(low, Relaxed);
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

    #[test]
    fn a_stamp_of_the_future_has_no_age_but_for_what_stamps_are_off() {
        assert_eq!(since(0), None);
        assert!(since(now()).is_some());
        assert!(since(now() + 2_000).is_some());
        assert_eq!(since(now() + 1_000_000_000), None);
        assert_eq!(since(u64::MAX), None);
        assert!(since(1).is_some_and(|age| age.as_nanos() > 1_000_000));
    }

    #[test]
    fn clocks_are_the_same_only_if_both_are_known_and_equal_in_everything() {
        let here = Clock::here();
        let (boot, namespace) = (here.boot, here.namespace);
        assert!(here.is(boot, namespace) && here.is_still_here());
        assert!(!here.is(boot, namespace + 1));
        assert!(!here.is([boot[0], boot[1] + 1], namespace));
        assert!(!here.is([0, 0], 0));
        let unknown = Clock { boot: [0, 0], namespace: 0, ..here };
        assert!(!unknown.is([0, 0], 0), "two that are not known may differ");
    }
}
