//! Whose CLOCK_MONOTONIC a stamp was read from: of which boot, in which time namespace.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::os::fork;

/// The identity of a CLOCK_MONOTONIC: each boot has one, and each time namespace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// The boot's id; zeros if it is not known.
    pub(crate) boot: [u64; 2],
    /// The time namespace; 0 if it is not known, or the kernel has none.
    pub(crate) namespace: u64,
    generation: u64,
}

impl Clock {
    /// This process's clock.
    pub(crate) fn here() -> Self {
        Self { boot: boot_id(), namespace: time_namespace(), generation: fork::generation() }
    }

    /// Whether stamps of the clock with this description can be compared with this clock. An
    /// unknown clock may be any, so its stamps cannot.
    pub(crate) fn is(&self, boot: [u64; 2], namespace: u64) -> bool {
        self.is_boot(boot) && self.namespace == namespace
    }

    /// Whether `boot` is known to be this boot.
    pub(crate) fn is_boot(&self, boot: [u64; 2]) -> bool {
        self.is_known() && self.boot == boot
    }

    pub(crate) fn is_known(&self) -> bool {
        self.boot != [0, 0]
    }

    /// Whether it is still this process's clock: a forked child may be in another namespace.
    pub(crate) fn is_still_here(&self) -> bool {
        self.generation == fork::generation() || {
            let now = Self::here();
            self.is(now.boot, now.namespace)
        }
    }
}

/// The inode of this process's time namespace, in the low 32 bits. The high 32 bits are a checksum
/// of the namespace's clock offsets, except for the machine's own namespace: a later namespace may
/// have the inode of one that is gone.
fn time_namespace() -> u64 {
    // The inode that the kernel has used since it has time namespaces.
    const MACHINES_OWN: u64 = 0xEFFF_FFFA;
    // Asked each time: a child that is forked after an unshare is in another namespace.
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

/// The kernel's id of this boot; zeros if /proc is not mounted.
fn boot_id() -> [u64; 2] {
    // Not a OnceLock: a fork during another thread's initialisation would leave the child waiting
    // for ever. Reading the id twice does no harm.
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
    fn the_boot_has_an_id_that_stays() {
        assert_ne!(boot_id(), [0, 0]);
        assert_eq!(boot_id(), boot_id());
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
        assert!(!unknown.is([0, 0], 0), "two unknown clocks may differ");
    }
}
