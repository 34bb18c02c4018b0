//! Waits of over a second, of which a `tracing` warning says once what they wait for: a call that
//! cannot succeed, by a mistyped name for one, would else look like a hang without a reason.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// One wait, and whether it has been told of. Looked at between sleeps only.
#[derive(Debug, Default)]
pub struct LongWait {
    /// When it is to be told of, in nanoseconds of CLOCK_MONOTONIC; 0: it has not begun;
    /// [`u64::MAX`]: told. Relaxed: no data depends on it.
    due: AtomicU64,
}

impl LongWait {
    /// So long a wait is told of, in nanoseconds.
    pub const LONG: u64 = 1_000_000_000;

    /// A wait that began then.
    pub fn since(began: u64) -> Self {
        Self { due: AtomicU64::new(began.saturating_add(Self::LONG)) }
    }

    /// Another wait is to begin.
    #[inline]
    pub fn restart(&mut self) {
        *self.due.get_mut() = 0;
    }

    /// Whether it is to be told of now: once. The first look is its beginning, if nothing was before.
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
    fn a_wait_is_told_of_once_and_only_when_it_is_long() {
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
