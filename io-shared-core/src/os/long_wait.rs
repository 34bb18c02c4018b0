//! Waits of over a second. A `tracing` warning says once what each waits for. Otherwise a call that
//! cannot succeed, for example because of a mistyped name, would look like a hang without a reason.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// One wait, and whether it has been reported. Only looked at between sleeps.
#[derive(Debug, Default)]
pub struct LongWait {
    /// When to report it, in nanoseconds of CLOCK_MONOTONIC. 0: it has not begun. [`u64::MAX`]:
    /// reported. Relaxed: no data depends on it.
    due: AtomicU64,
}

impl LongWait {
    /// The length at which a wait is reported, in nanoseconds.
    pub const LONG: u64 = 1_000_000_000;

    /// A wait that began at `began`.
    pub fn since(began: u64) -> Self {
        Self { due: AtomicU64::new(began.saturating_add(Self::LONG)) }
    }

    /// Prepares for another wait.
    #[inline]
    pub fn restart(&mut self) {
        *self.due.get_mut() = 0;
    }

    /// Whether to report the wait now. True once per wait. The first look begins it, if it has not
    /// begun.
    pub fn is_due(&self, now: u64) -> bool {
        match self.due.load(Relaxed) {
            0 => self.due.store(now.saturating_add(Self::LONG), Relaxed),
            due if now >= due => return self.due.swap(u64::MAX, Relaxed) != u64::MAX,
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_reported_once_and_only_when_it_is_long() {
        let wait = LongWait::since(5);
        assert!(!wait.is_due(5 + LongWait::LONG - 1));
        assert!(wait.is_due(5 + LongWait::LONG));
        assert!(!wait.is_due(5 + 2 * LongWait::LONG));
    }

    #[test]
    fn the_first_look_is_the_beginning_of_a_wait() {
        let mut wait = LongWait::default();
        for beginning in [7, 7 * LongWait::LONG] {
            assert!(!wait.is_due(beginning));
            assert!(!wait.is_due(beginning + LongWait::LONG - 1));
            assert!(wait.is_due(beginning + LongWait::LONG));
            wait.restart();
        }
    }
}
