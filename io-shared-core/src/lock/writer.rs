//! Writing alone: acquire, wait for the readers to leave, release.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use super::{
    ASKED, AWAITING, FREE, LockFault, LockWords, Locker, WAITING, WATCHED, is_over, owner,
    slice_end,
};
use crate::crash_point::CrashPoint;
use crate::protocol::{Exchange, Word};

impl Locker {
    /// Takes the lock to write, until `until` (CLOCK_MONOTONIC in nanoseconds; 0: tries once).
    ///
    /// A writer that waits here bars new readers, so that a stream of them cannot keep it waiting.
    #[inline]
    pub(crate) fn lock<W: LockWords>(&self, words: &W, until: u64) -> Result<(), LockFault> {
        // Acquire: what the last writer wrote.
        if words.word().compare_exchange(FREE, self.mark, Acquire, Relaxed).is_err() {
            self.lock_contended(words, until)?;
        }
        words.reached(CrashPoint::WriterOwns);
        if words.has_readers() {
            self.await_readers(words, until)?;
        }
        words.reached(CrashPoint::WriterAlone);
        Ok(())
    }

    #[cold]
    fn lock_contended<W: LockWords>(&self, words: &W, until: u64) -> Result<(), LockFault> {
        loop {
            let seen = words.word().load(Relaxed);
            if owner(seen).is_none() {
                // Without the waiting bit: a wake wakes all sleepers, and each of them that comes
                // too late sets the bit again. With the watched bit, which waits for a write.
                let own = self.mark | seen & WATCHED;
                if words.word().compare_exchange(seen, own, Acquire, Relaxed).is_ok() {
                    return Ok(());
                }
                continue;
            }
            // With the bit: the sleepers on the dead owner's word are not woken.
            if self.bury(words, seen, self.mark | WAITING)? {
                return Ok(());
            }
            if is_over(until) {
                return Err(LockFault::Blocked);
            }
            self.wait(words, seen, until)?;
        }
    }

    #[inline]
    fn await_readers<W: LockWords>(&self, words: &W, until: u64) -> Result<(), LockFault> {
        // SeqCst, with the fence in `read`: of our name in the word followed by this look, and a
        // raised reading flag followed by a look at the word, one sees the other.
        words.fence(SeqCst);
        for slot in 0..words.used_slots() {
            // Acquire: the reader's reads come before our writes.
            if words.reading(slot).load(Acquire) != 0 {
                return self.await_readers_from(words, slot, until);
            }
        }
        Ok(())
    }

    #[cold]
    fn await_readers_from<W: LockWords>(
        &self,
        words: &W,
        first: usize,
        until: u64,
    ) -> Result<(), LockFault> {
        // A writer that dies here has written nothing.
        self.flip_awaiting(words);
        words.reached(CrashPoint::WriterAwaits);
        let mut slots = first..words.used_slots();
        let left = slots.try_for_each(|slot| self.await_reader(words, slot, until));
        self.flip_awaiting(words);
        left.inspect_err(|_| {
            self.free(words, WATCHED);
        })
    }

    fn flip_awaiting<W: LockWords>(&self, words: &W) {
        // Relaxed: others look at the bit only after they have won the claim that a death gave up,
        // which comes after all of this.
        let mut seen = words.word().load(Relaxed);
        while (seen ^ self.mark) & !(ASKED | AWAITING) == 0 {
            match words.word().compare_exchange(seen, seen ^ AWAITING, Relaxed, Relaxed) {
                Ok(_) => break,
                Err(moved) => seen = moved,
            }
        }
    }

    #[cold]
    fn await_reader<W: LockWords>(
        &self,
        words: &W,
        slot: usize,
        until: u64,
    ) -> Result<(), LockFault> {
        while words.reading(slot).load(Acquire) != 0 {
            if slot == self.slot {
                return Err(LockFault::WouldDeadlock);
            } else if words.win_slot(slot) {
                words.reached(CrashPoint::ReaderBuryWon);
                // Relaxed: the next to look has the lock after us, or the slot.
                words.reading(slot).store(0, Relaxed);
                words.unwin_slot(slot);
            } else if is_over(until) {
                return Err(LockFault::Blocked);
            } else if words.is_gone() {
                return Err(LockFault::Gone);
            } else {
                words.wait_reading(slot, until.min(slice_end()));
            }
        }
        Ok(())
    }

    /// Gives the lock back after a write, which it counts. Returns the number of that write; `None`
    /// if the lock is not this handle's any more.
    #[inline]
    pub(crate) fn unlock<W: LockWords>(&self, words: &W) -> Option<u64> {
        // Relaxed, both: it is written under the lock, or under the claim of the lock's dead owner.
        // Whoever takes the lock, or sets the watched bit, after this acquires it with the word.
        let number = words.writes().load(Relaxed).wrapping_add(1);
        words.writes().store(number, Relaxed);
        words.reached(CrashPoint::WriteCounted);
        self.free(words, 0).then_some(number)
    }

    /// Frees the word, but for the bits of `kept`. If it is not this handle's any more, does
    /// nothing and returns `false`.
    #[inline]
    fn free<W: LockWords>(&self, words: &W, kept: u64) -> bool {
        // Release: what was written under the lock. A compare-exchange and not a store: a handle
        // that lost its claim without knowing it must not free its successor's lock.
        match words.word().compare_exchange(self.mark, FREE, Release, Relaxed) {
            Ok(_) => {
                words.reached(CrashPoint::WriterLeft);
                true
            }
            Err(seen) => self.free_asked(words, seen, kept),
        }
    }

    /// Frees the word, in which others may have set their bits, and wakes them.
    #[cold]
    fn free_asked<W: LockWords>(&self, words: &W, mut seen: u64, kept: u64) -> bool {
        while (seen ^ self.mark) & !ASKED == 0 {
            // Release: as in `free`.
            match words.word().compare_exchange(seen, seen & kept, Release, Relaxed) {
                Ok(_) => {
                    words.reached(CrashPoint::WriterLeft);
                    if seen & WAITING != 0 {
                        words.wake_word();
                    }
                    if seen & WATCHED & !kept != 0 {
                        words.wake_writes();
                    }
                    return true;
                }
                Err(moved) => seen = moved,
            }
        }
        false
    }
}
