//! Watching for writes: ask for a wake-up in the lock word, then sleep until their number rises.
//!
//! Writers that nobody watches pay for the count and nothing else: the watched bit lies in the word
//! that they exchange anyway. The next write takes it down, so a watcher that is killed costs one
//! needless wake-up.

use std::sync::atomic::Ordering::{Acquire, Relaxed};

use super::{FREE, LockFault, LockWords, Locker, WATCHED, is_over, owner, slice_end};
use crate::crash_point::CrashPoint;
use crate::protocol::{Exchange, Word};

impl Locker {
    /// How many writes there were, asked with the lock.
    #[inline]
    pub(crate) fn writes<W: LockWords>(&self, words: &W) -> u64 {
        // Acquire: whoever counts a dead writer's write has raised the dirty flag before.
        words.writes().load(Acquire)
    }

    /// Whether there was a write after number `seen`, asked without the lock. A writer that died in
    /// the middle is buried, which counts.
    pub(crate) fn has_changed<W: LockWords>(
        &self,
        words: &W,
        seen: u64,
    ) -> Result<bool, LockFault> {
        loop {
            // Relaxed: the content is read under the lock.
            if words.writes().load(Relaxed) != seen {
                return Ok(true);
            }
            let word = words.word().load(Relaxed);
            if owner(word).is_none() || !self.bury(words, word, FREE)? {
                return Ok(false);
            }
        }
    }

    /// Sleeps until there was a write after number `seen`, until `until` (CLOCK_MONOTONIC in
    /// nanoseconds; 0: looks once).
    #[cold]
    pub(crate) fn await_change<W: LockWords>(
        &self,
        words: &W,
        seen: u64,
        until: u64,
    ) -> Result<(), LockFault> {
        while !self.has_changed(words, seen)? {
            if is_over(until) {
                return Err(LockFault::Blocked);
            }
            if words.is_gone() {
                return Err(LockFault::Gone);
            }
            let word = watch(words);
            words.reached(CrashPoint::ChangeWatched);
            if !self.bury(words, word, FREE)? {
                words.wait_writes(seen as u32, until.min(slice_end()));
            }
        }
        Ok(())
    }
}

/// Sets the watched bit, also where it is set: an exchange reads the word's last change. Returns
/// what the word was.
fn watch<W: LockWords>(words: &W) -> u64 {
    let mut seen = words.word().load(Relaxed);
    loop {
        // Acquire: if the last writer has freed the word before, its write is found to be counted.
        match words.word().compare_exchange(seen, seen | WATCHED, Acquire, Relaxed) {
            Ok(_) => return seen,
            Err(moved) => seen = moved,
        }
    }
}
