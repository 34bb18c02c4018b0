//! Noticing that a region's name leads elsewhere.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::Region;
use crate::error::Result;
use crate::os::clock;

/// How long a handle goes without looking whether its name still leads to its region, in
/// nanoseconds. Less than a wait's slice of 100 ms by what the coarse clock may be late: who slept
/// for a slice looks when it ends, and not only when the next one does.
const LOOK_EVERY: u64 = 90_000_000;

/// How far a time of the same clock may be behind that of the last look, in nanoseconds: as far as a value
/// that was put shortly before it.
const BEHIND: u64 = 10_000_000;

/// What a handle knows of where its name leads. Atomic, relaxed, since threads that wait for a handle
/// together share it; each field stands for itself.
#[derive(Debug)]
pub(crate) struct Watch {
    /// When it last looked, on either monotonic clock; 0 once it led elsewhere: then each get looks.
    looked: AtomicU64,
    /// Whether it led elsewhere, or nowhere; it never leads back.
    stale: AtomicBool,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { looked: AtomicU64::new(clock::now_coarse()), stale: AtomicBool::new(false) }
    }

    /// Looks, unless it was looked 90 ms before `now` (nanoseconds of either monotonic clock) or
    /// later.
    #[inline]
    pub(crate) fn look(&self, region: &Region, now: u64) -> Result<()> {
        if is_shortly_after(self.looked.load(Relaxed), now) {
            return Ok(());
        }
        self.look_now(region)
    }

    /// As [`look`](Self::look), for whoever has found a value that was not had. It is refused where
    /// the name leads to something else: that has newer ones. Where it leads nowhere, this is the newest
    /// that there is.
    #[inline]
    pub(crate) fn look_beside_value(&self, region: &Region, now: u64) -> Result<()> {
        if is_shortly_after(self.looked.load(Relaxed), now) {
            return Ok(());
        }
        self.look_beside_value_now(region)
    }

    #[cold]
    fn look_now(&self, region: &Region) -> Result<()> {
        // Not the time it was asked with, which may be a stamp, and so anything at all.
        let looked = if region.is_replaced() {
            self.stale.store(true, Relaxed);
            0
        } else {
            clock::now_coarse()
        };
        self.looked.store(looked, Relaxed);
        self.check(region)
    }

    #[cold]
    fn look_beside_value_now(&self, region: &Region) -> Result<()> {
        match self.look_now(region) {
            Err(_) if !region.is_succeeded() => Ok(()),
            looked => looked,
        }
    }

    /// Whether the region is known to be removed or replaced: because it is marked, or because it
    /// was looked before.
    #[inline]
    pub(crate) fn is_stale(&self, region: &Region) -> bool {
        self.stale.load(Relaxed) || region.is_retired()
    }

    #[inline]
    pub(crate) fn check(&self, region: &Region) -> Result<()> {
        if self.is_stale(region) { Err(region.replaced()) } else { Ok(()) }
    }
}

/// Whether `now` comes so shortly after a look that another is not due.
#[inline]
fn is_shortly_after(looked: u64, now: u64) -> bool {
    // Not saturating: a stamp by another time namespace's clock may be behind for ever.
    now.wrapping_sub(looked).wrapping_add(BEHIND) < LOOK_EVERY + BEHIND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_far_from_the_last_look_on_either_side_has_another_look_due() {
        let looked = 1_000_000_000_000;
        for near in [looked, looked + 1, looked + LOOK_EVERY - 1, looked - BEHIND] {
            assert!(is_shortly_after(looked, near), "{near}");
        }
        for far in [looked + LOOK_EVERY, u64::MAX, looked - BEHIND - 1, looked - (1 << 36), 1, 0] {
            assert!(!is_shortly_after(looked, far), "{far}");
        }
        assert!(!is_shortly_after(0, looked), "it led elsewhere");
    }
}
