//! Noticing that a region's name leads elsewhere.
//!
//! Looking up a name is a system call, so a handle does it every 90 ms at most: gets ask a
//! [`Watch`] each time, and it looks only when a look is due.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::mapped::Region;
use crate::error::Result;
use crate::os::clock;

/// How long a handle goes without looking whether its name still leads to its region, in
/// nanoseconds. It is shorter than a wait's slice of 100 ms by as much as the coarse clock may be
/// late: a handle that slept for a slice looks when that slice ends, not one slice later.
const LOOK_EVERY: u64 = 90_000_000;

/// How much earlier than the last look a time of the same clock may be, in nanoseconds: as much as
/// the stamp of a value that was put shortly before it.
const EARLIER: u64 = 10_000_000;

/// What a handle knows about where its name leads.
#[derive(Debug)]
pub(crate) struct Watch {
    /// When the handle last looked, on either monotonic clock. 0 once the name led elsewhere, or
    /// nowhere: it never leads back, and this never changes again. Atomic because threads that wait
    /// for a handle together share it, and relaxed because it says nothing about anything else.
    looked: AtomicU64,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { looked: AtomicU64::new(clock::now_coarse()) }
    }

    /// Whether the last look was more than 90 ms before `now`.
    #[inline]
    pub(crate) fn is_due(&self, now: u64) -> bool {
        !is_shortly_after(self.looked.load(Relaxed), now)
    }

    /// Looks, unless the last look was at most 90 ms before `now` (nanoseconds of either monotonic
    /// clock).
    #[inline]
    pub(crate) fn look(&self, region: &Region, now: u64) -> Result<()> {
        if is_shortly_after(self.looked.load(Relaxed), now) {
            return Ok(());
        }
        self.look_now(region)
    }

    /// [Checks](Self::check), and looks if that is due now.
    #[inline]
    pub(crate) fn check_or_look(&self, region: &Region) -> Result<()> {
        if region.is_retired() {
            return Err(region.replaced());
        }
        // If the name is known to lead elsewhere, a look is due at any time.
        self.look(region, clock::now_coarse())
    }

    #[cold]
    fn look_now(&self, region: &Region) -> Result<()> {
        let before = self.looked.load(Relaxed);
        if before != 0 {
            if region.is_replaced() {
                self.looked.store(0, Relaxed);
            } else {
                region.prefault_added();
                region.look_at_history();
                // Not `now` of the caller, which may be a stamp, and so any number at all. If this
                // fails, another thread has looked since, and may have found 0.
                let _ = self.looked.compare_exchange(before, clock::now_coarse(), Relaxed, Relaxed);
            }
        }
        self.check(region)
    }

    /// Looks now, for a get that has found an unseen value. It refuses the value if the name leads
    /// to another region, which has newer ones. If the name leads nowhere, this value is the newest
    /// that there is.
    #[cold]
    pub(crate) fn look_with_value(&self, region: &Region) -> Result<()> {
        match self.look_now(region) {
            Err(_) if !region.is_succeeded() => Ok(()),
            looked => looked,
        }
    }

    /// Whether the region is known to be removed or replaced, by its mark or by an earlier look.
    #[inline]
    pub(crate) fn is_stale(&self, region: &Region) -> bool {
        self.looked.load(Relaxed) == 0 || region.is_retired()
    }

    #[inline]
    pub(crate) fn check(&self, region: &Region) -> Result<()> {
        if self.is_stale(region) { Err(region.replaced()) } else { Ok(()) }
    }
}

/// Whether `now` is so soon after a look that another is not due.
#[inline]
fn is_shortly_after(looked: u64, now: u64) -> bool {
    // Not saturating: the stamps of another time namespace's clock may stay behind forever.
    now.wrapping_sub(looked).wrapping_add(EARLIER) < LOOK_EVERY + EARLIER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_far_from_the_last_look_on_either_side_has_another_look_due() {
        let looked = 1_000_000_000_000;
        for near in [looked, looked + 1, looked + LOOK_EVERY - 1, looked - EARLIER] {
            assert!(is_shortly_after(looked, near), "{near}");
        }
        for far in [looked + LOOK_EVERY, u64::MAX, looked - EARLIER - 1, looked - (1 << 36), 1, 0] {
            assert!(!is_shortly_after(looked, far), "{far}");
        }
        assert!(!is_shortly_after(0, looked), "it led elsewhere");
    }
}
