//! Reading together: raise the handle's own flag, then look for a writer.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use super::{FREE, LockFault, LockWords, Locker, is_over, owner};
use crate::crash_point::CrashPoint;
use crate::protocol::Word;

impl Locker {
    /// Takes the lock to read, until `until` (CLOCK_MONOTONIC in nanoseconds; 0: tries once).
    #[inline]
    pub(crate) fn read<W: LockWords>(&self, words: &W, until: u64) -> Result<(), LockFault> {
        let reading = words.reading(self.slot);
        // Relaxed: this handle is the flag's writer.
        if reading.load(Relaxed) != 0 {
            return Err(LockFault::WouldDeadlock);
        }
        loop {
            reading.store(1, Relaxed);
            words.reached(CrashPoint::ReaderRaised);
            // SeqCst, with the fence in `await_readers`: either the writer sees the flag, or we see
            // the writer.
            words.fence(SeqCst);
            // Acquire: what the last writer wrote.
            let seen = words.word().load(Acquire);
            if owner(seen).is_none() {
                words.reached(CrashPoint::ReaderReads);
                return Ok(());
            }
            self.leave(words);
            if self.bury(words, seen, FREE)? {
                continue;
            }
            if is_over(until) {
                return Err(LockFault::Blocked);
            }
            self.wait(words, seen, until)?;
        }
    }

    /// Gives a read lock back.
    #[inline]
    pub(crate) fn unread<W: LockWords>(&self, words: &W) {
        self.leave(words);
    }

    #[inline]
    fn leave<W: LockWords>(&self, words: &W) {
        // Release: our reads come before what a writer writes next.
        words.reading(self.slot).store(0, Release);
        words.reached(CrashPoint::ReaderLeft);
        // SeqCst: either the writer sees the flag down before it sleeps, or we see the writer here
        // and wake it.
        words.fence(SeqCst);
        if owner(words.word().load(Relaxed)).is_some() {
            words.wake_reading(self.slot);
        }
    }
}
