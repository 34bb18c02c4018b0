//! The lock of a region: who may write, who reads, and what happens when one of them dies.
//!
//! A writer owns the lock word, which names its slot. A reader is a flag in a slot of its own, so
//! readers share no word, and a dead reader can be told from a living one. Whether an owner lives
//! is decided by its claim: only a handle that wins the claim of a slot may clean up after its
//! owner (`bury`). `docs/LOCKS.md` describes the whole.
//!
//! Like `protocol`, this is generic over its platform ([`LockWords`]), and the model checker runs
//! it as it is. Each ordering is argued where it stands.
//!
//! What must stay true:
//! - The lock word names at most one living handle. Once that handle has waited for the readers, no
//!   living handle has its reading flag up and its guard given out.
//! - The dirty flag goes up before anybody gets the lock of a dead writer that may have written. It
//!   goes down only by [`Locker::mark_consistent`].
//! - The number of writes rises before the lock of a writer that may have written is free, whether
//!   it gives the lock back or is buried. Whoever takes the watched bit down has raised that
//!   number, and wakes the sleepers afterwards.
//!
//! A mutex is the same lock without readers: its writers do not look for any.

mod reader;
mod watcher;
mod writer;

use std::sync::atomic::Ordering::{Relaxed, Release};

use crate::crash_point::CrashPoint;
use crate::os::clock;
use crate::protocol::{Exchange, Word};

/// The longest single sleep, in nanoseconds. A death is noticed at most this late.
const SLICE: u64 = 100_000_000;

/// The shared words of one lock and the kernel services that it uses.
pub(crate) trait LockWords {
    type Word: Exchange<u64>;
    type Reading: Word<u64>;
    type Dirty: Word<u8>;
    type Writes: Word<u64>;

    fn slots(&self) -> usize;
    /// One more than the highest slot that was ever claimed. Writers look at no slot beyond.
    fn used_slots(&self) -> usize {
        self.slots()
    }
    /// | bits | field | |
    /// |---|---|---|
    /// | 34..64 | - | 0 |
    /// | 33 | watched | somebody may sleep until the number of writes rises |
    /// | 32 | awaiting | the owner sleeps for readers to leave: it has written nothing |
    /// | 31 | waiting | somebody may sleep on this word |
    /// | 10..31 | incarnation | claims of the owner's slot so far: a new owner is not a dead one |
    /// | 0..10 | owner | 0: free; n: slot n - 1 writes, or waits for the readers to leave |
    ///
    /// The low 32 bits are the futex word.
    fn word(&self) -> &Self::Word;
    /// 0: not reading; 1: reading, or about to look whether there is a writer. A writer sleeps on
    /// its low half.
    fn reading(&self, slot: usize) -> &Self::Reading;
    /// 0: consistent; 1: a writer died, or panicked, in the middle.
    fn dirty(&self) -> &Self::Dirty;
    /// How many writes there were, those of dead writers included. Watchers sleep on its low half.
    fn writes(&self) -> &Self::Writes;

    /// Whether handles read together. If not, a writer has nobody to wait for.
    fn has_readers(&self) -> bool {
        true
    }
    /// Whether the region was removed or replaced. Checked before each sleep.
    fn is_gone(&self) -> bool {
        false
    }
    fn fence(&self, order: std::sync::atomic::Ordering);
    fn wait_word(&self, low: u32, until: u64);
    fn wake_word(&self);
    fn wait_reading(&self, slot: usize, until: u64);
    fn wake_reading(&self, slot: usize);
    fn wait_writes(&self, low: u32, until: u64);
    fn wake_writes(&self);
    /// Tries to win the claim of a slot whose owner may be dead.
    fn win_slot(&self, slot: usize) -> bool;
    /// Gives up what `win_slot` won.
    fn unwin_slot(&self, slot: usize);
    fn reached(&self, point: CrashPoint);
}

pub(crate) const FREE: u64 = 0;
pub(crate) const WAITING: u64 = 1 << 31;
const AWAITING: u64 = 1 << 32;
pub(crate) const WATCHED: u64 = 1 << 33;
/// The bits that others than the owner set.
const ASKED: u64 = WAITING | WATCHED;
const OWNER_BITS: u32 = 10;
const OWNER: u64 = (1 << OWNER_BITS) - 1;
const INCARNATION: u64 = (1 << 21) - 1;

/// Why a lock was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockFault {
    /// The time ran out, or there was none.
    Blocked,
    /// This handle has the lock already.
    WouldDeadlock,
    /// The region was removed or replaced while this handle waited.
    Gone,
    Corrupt(&'static str),
}

/// A handle that has the claim of a slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Locker {
    pub(crate) slot: usize,
    incarnation: u32,
    /// What the lock word is while this handle owns it.
    mark: u64,
}

/// The slot that a lock word names.
pub(crate) fn owner(word: u64) -> Option<usize> {
    ((word & OWNER) as usize).checked_sub(1)
}

impl Locker {
    /// Takes a slot over from a dead or departed owner. The caller has its claim, and has raised
    /// `incarnation`.
    pub(crate) fn take_over<W: LockWords>(words: &W, slot: usize, incarnation: u32) -> Self {
        words.reached(CrashPoint::LockerClaimed);
        let locker = Self {
            slot,
            incarnation,
            mark: (slot as u64 + 1) | (u64::from(incarnation) & INCARNATION) << OWNER_BITS,
        };
        // Release: as when a reader leaves, on behalf of one that is gone.
        words.reading(slot).store(0, Release);
        words.wake_reading(slot);
        words.reached(CrashPoint::LockerCleared);
        // An owner of this slot may have died with the lock; nobody else can bury it now.
        // Relaxed: whoever named this slot had its claim before us, and an older word is not read.
        let mut seen = words.word().load(Relaxed);
        while owner(seen) == Some(slot) {
            match words.replace_dead(seen, FREE) {
                Ok(()) => break,
                Err(moved) => seen = moved,
            }
        }
        locker
    }

    /// How many times the slot was claimed, this handle's claim included.
    #[inline]
    pub(crate) fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// Whether a writer died or panicked in the middle, and nobody has called
    /// [`mark_consistent`](Self::mark_consistent) since.
    pub(crate) fn is_dirty<W: LockWords>(&self, words: &W) -> bool {
        // Relaxed: it is written under the lock, and read under it.
        words.dirty().load(Relaxed) != 0
    }

    pub(crate) fn mark_consistent<W: LockWords>(&self, words: &W) {
        words.dirty().store(0, Relaxed);
    }

    pub(crate) fn mark_dirty<W: LockWords>(&self, words: &W) {
        words.dirty().store(1, Relaxed);
    }

    /// Reclaims a dead owner's lock: if the owner that `seen` names is dead, puts `new` in its
    /// place and marks the content dirty. Returns whether it did.
    fn bury<W: LockWords>(&self, words: &W, seen: u64, new: u64) -> Result<bool, LockFault> {
        let Some(dead) = owner(seen) else { return Ok(false) };
        if dead >= words.slots() {
            return Err(LockFault::Corrupt("the lock word names a slot that does not exist"));
        }
        if dead == self.slot {
            return Err(LockFault::WouldDeadlock);
        }
        if !words.win_slot(dead) {
            return Ok(false);
        }
        words.reached(CrashPoint::OwnerBuryWon);
        // First win the claim, then look again: what `seen` said may be over, and its slot may be
        // another's since. Relaxed: everything done under the claim comes before, and with it the
        // word's last change from what `seen` names.
        let mut now = words.word().load(Relaxed);
        let buried = loop {
            if (now ^ seen) & !ASKED != 0 {
                break false;
            }
            match words.replace_dead(now, new) {
                Ok(()) => break true,
                Err(moved) => now = moved,
            }
        };
        words.unwin_slot(dead);
        Ok(buried)
    }

    /// Sleeps until the word changes from `seen`, which has an owner, or for a slice.
    fn wait<W: LockWords>(&self, words: &W, seen: u64, until: u64) -> Result<(), LockFault> {
        if words.is_gone() {
            return Err(LockFault::Gone);
        }
        // Relaxed: the bit carries no data; its owner's release reads it in the same word.
        if seen & WAITING != 0
            || words.word().compare_exchange(seen, seen | WAITING, Relaxed, Relaxed).is_ok()
        {
            words.reached(CrashPoint::LockWaiting);
            words.wait_word((seen | WAITING) as u32, until.min(slice_end()));
        }
        Ok(())
    }
}

fn slice_end() -> u64 {
    clock::now().saturating_add(SLICE)
}

/// Whether a wait until `until` is over. 0 was over before it began, and needs no clock.
fn is_over(until: u64) -> bool {
    until == 0 || (until != u64::MAX && clock::now() >= until)
}

trait ReplaceDead: LockWords {
    /// Puts `new` in the place of a dead owner's word. Raises the dirty flag first, and the number
    /// of writes, unless the owner was waiting for readers. The caller has the dead owner's claim.
    fn replace_dead(&self, dead: u64, new: u64) -> Result<(), u64> {
        if dead & AWAITING == 0 {
            self.dirty().store(1, Relaxed);
            let writes = self.writes().load(Relaxed);
            // Release: a reader may be in that came before the dead writer had written. If it finds
            // this number, it finds the flag.
            self.writes().store(writes.wrapping_add(1), Release);
        }
        self.reached(CrashPoint::OwnerDirty);
        // The watched bit stays: whoever takes it down has raised the number of writes.
        let new = new | dead & WATCHED;
        // Release: the dirty flag and what the dead owner did, for whoever takes the lock next. It
        // acquires nothing: the claim that the dead owner gave up came in between.
        self.word().compare_exchange(dead, new, Release, Relaxed)?;
        self.reached(CrashPoint::OwnerReplaced);
        if owner(new).is_none() && dead & WAITING != 0 {
            self.wake_word();
        }
        if dead & WATCHED != 0 {
            self.wake_writes();
        }
        Ok(())
    }
}

impl<W: LockWords> ReplaceDead for W {}
