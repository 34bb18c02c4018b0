//! Ending a wait from another thread or from a signal handler.
//!
//! An interrupt is a word of this process. A consumer that has one sleeps on it as well as on
//! `latest`. It stays raised until a wait takes it.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};

use nix::errno::Errno;

use crate::os::futex::{self, Awaited};

/// A word that ends the wait of a consumer. `channel`'s `Interrupter` is a handle to it.
#[derive(Debug, Default)]
pub struct Interrupt {
    /// 1: raised, and no wait has ended by it yet.
    raised: AtomicU64,
    /// Whether a signal handler that runs in the sleeping thread raises it.
    by_signals: AtomicBool,
}

impl Interrupt {
    /// Ends the current wait, or the next one. It may be called from a signal handler: it stores a
    /// word, makes one system call, and leaves errno as it was.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::slot::Interrupt;
    /// let interrupt = Interrupt::default();
    /// interrupt.raise();
    /// interrupt.raise();
    /// assert!(interrupt.take());
    /// assert!(!interrupt.take()); // it ends one wait
    /// ```
    pub fn raise(&self) {
        let errno = Errno::last();
        // SeqCst: the kernel compares the word after it has queued the sleeper. Either it finds the
        // 1 there, or this wake-up finds the sleeper.
        self.raised.store(1, SeqCst);
        futex::wake_all(self.raised.as_ptr().cast());
        errno.set();
    }

    /// Whether it was raised since the last call. The wait that asks ends by it.
    pub fn take(&self) -> bool {
        // Relaxed: whoever raised it passes no data along. A load first: mostly it is not raised.
        self.raised.load(Relaxed) != 0 && self.raised.swap(0, Relaxed) != 0
    }

    /// From now on a sleep that a signal handler ends raises it. For languages that run their
    /// handlers only once the wait has returned.
    pub fn raise_at_signals(&self) {
        // Relaxed: a sleep that has begun may go on.
        self.by_signals.store(true, Relaxed);
    }

    /// A signal handler has run in the thread that slept. Returns whether that raises this one.
    pub(super) fn signalled(&self) -> bool {
        let by_signals = self.by_signals.load(Relaxed);
        if by_signals {
            // SeqCst, as in `raise`. Nobody has to be woken: the thread is awake.
            self.raised.store(1, SeqCst);
        }
        by_signals
    }

    /// The word, to sleep while it is not raised.
    pub(super) fn awaited(&self) -> Awaited<'_> {
        Awaited { word: &self.raised, low: 0 }
    }
}
