//! A process of the model: a handle of the lock, what it runs on, and what can die.

use std::cell::Cell;
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::Ordering::{self, Relaxed};

use loom::sync::atomic::{AtomicU8, AtomicU64};

use super::words::Region;
use crate::crash_point::CrashPoint;
use crate::lock::{LockWords, Locker, WAITING, owner};
use crate::model::kernel::Futex;
use crate::model::mutant::{self, Mutant, Operation};
use crate::model::victim::{Killable, Mortal};
use crate::model::words::{Shared, fence};
use crate::protocol::{Exchange, Word};

pub(super) struct Process {
    pub(super) region: Rc<Region>,
    pub(super) number: u32,
    word: LockWord,
    mortal: Mortal,
    /// The death after which a slice of this process has ended last.
    slice_ended: Cell<u32>,
    /// Whether it may sleep.
    pub(super) may_wait: Cell<bool>,
}

/// The lock word, as one process sees it.
pub(super) struct LockWord {
    region: Rc<Region>,
    read: Cell<u64>,
}

impl Process {
    pub(super) fn new(region: &Rc<Region>, number: u32) -> Self {
        Self {
            region: Rc::clone(region),
            number,
            word: LockWord { region: Rc::clone(region), read: Cell::new(0) },
            mortal: Mortal::spared(),
            slice_ended: Cell::new(0),
            may_wait: Cell::new(true),
        }
    }

    /// Claims a slot, waiting for it if need be, and takes it over.
    pub(super) fn claim(&self, slot: usize) -> Locker {
        let block = &self.region.slots[slot];
        block.claim.take(self.number);
        let counted = u32::from(!mutant::is(Mutant::SameIncarnation));
        block.incarnation.set(block.incarnation.get() + counted);
        Locker::take_over(self, slot, block.incarnation.get())
    }

    /// What the kernel does when a process is gone, or when its descriptors are closed for it.
    pub(super) fn free_claims(&self) {
        self.region.inside.borrow_mut().leave(self.number);
        self.region.slots.iter().for_each(|slot| slot.claim.free(self.number));
    }

    fn sleep(&self, futex: &Futex, as_expected: impl FnOnce() -> bool) {
        assert!(self.may_wait.get(), "a try form waits");
        futex.wait(|| self.slice_ended.get() == self.region.deaths.get() && as_expected());
        self.slice_ended.set(self.region.deaths.get());
    }
}

impl Killable for Process {
    fn set_mortal(&mut self, mortal: Mortal) {
        self.mortal = mortal;
    }

    fn gone(&self, killed: bool) {
        self.free_claims();
        if killed {
            self.region.note_death();
        }
    }
}

impl LockWords for Process {
    type Word = LockWord;
    type Reading = Shared<AtomicU64>;
    type Dirty = Shared<AtomicU8>;
    type Writes = Shared<AtomicU64>;

    fn slots(&self) -> usize {
        self.region.slots.len()
    }

    fn word(&self) -> &LockWord {
        &self.word
    }

    fn reading(&self, slot: usize) -> &Self::Reading {
        &self.region.slots[slot].reading
    }

    fn dirty(&self) -> &Self::Dirty {
        &self.region.dirty
    }

    fn writes(&self) -> &Self::Writes {
        &self.region.writes
    }

    fn has_readers(&self) -> bool {
        self.region.has_readers
    }

    #[track_caller]
    fn fence(&self, order: Ordering) {
        fence(&self.region.fences, order);
    }

    fn wait_word(&self, low: u32, _until: u64) {
        self.sleep(&self.region.sleepers, || self.region.word.look() as u32 == low);
    }

    #[track_caller]
    fn wake_word(&self) {
        let unwoken = mutant::is_at(Location::caller(), Operation::Wake, Mutant::Unwoken);
        if !unwoken && !mutant::is(Mutant::WakeFirst) {
            self.region.sleepers.wake();
        }
    }

    fn wait_reading(&self, slot: usize, _until: u64) {
        let slot = &self.region.slots[slot];
        self.sleep(&slot.awaiting, || slot.reading.load(Relaxed) as u32 == 1);
    }

    #[track_caller]
    fn wake_reading(&self, slot: usize) {
        if !mutant::is_at(Location::caller(), Operation::Wake, Mutant::Unwoken) {
            self.region.slots[slot].awaiting.wake();
        }
    }

    fn wait_writes(&self, low: u32, _until: u64) {
        let region = &self.region;
        self.sleep(&region.watchers, || region.writes.atom.load(Relaxed) as u32 == low);
    }

    #[track_caller]
    fn wake_writes(&self) {
        let unwoken = mutant::is_at(Location::caller(), Operation::Wake, Mutant::Unwoken);
        if !unwoken && !mutant::is(Mutant::WakeFirst) {
            self.region.watchers.wake();
        }
    }

    #[track_caller]
    fn win_slot(&self, slot: usize) -> bool {
        let won = mutant::is_at(Location::caller(), Operation::Win, Mutant::Won);
        self.region.slots[slot].claim.try_take(self.number) || won
    }

    #[track_caller]
    fn unwin_slot(&self, slot: usize) {
        if !mutant::is_at(Location::caller(), Operation::Unwin, Mutant::NotFreed) {
            self.region.slots[slot].claim.free(self.number);
        }
    }

    fn reached(&self, point: CrashPoint) {
        self.mortal.reached(point);
    }
}

impl Word<u64> for LockWord {
    #[track_caller]
    fn load(&self, order: Ordering) -> u64 {
        self.region.word.load(&self.read, order)
    }

    #[track_caller]
    fn store(&self, _value: u64, _order: Ordering) {
        panic!("the lock word is only ever exchanged");
    }
}

impl Exchange<u64> for LockWord {
    #[track_caller]
    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        let unsaid = mutant::is(Mutant::Unsaid(Location::caller()));
        let new = if unsaid { new & !WAITING } else { new };
        if owner(new).is_none() && mutant::is(Mutant::WakeFirst) {
            self.region.sleepers.wake();
            self.region.watchers.wake();
        }
        let outcome = self.region.word.exchange(current, new, success, failure);
        if outcome.is_ok() && mutant::take_owed() {
            self.region.dirty.atom.store(1, Relaxed);
        }
        outcome
    }
}
