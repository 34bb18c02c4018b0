//! The shared words of a lock, and the content that it guards, made of loom's cells.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU8, AtomicU64};

use crate::model::kernel::{Claim, Conflict, Futex};
use crate::model::words::{Exchanged, Shared};

/// One handle's block.
pub(super) struct Slot {
    pub(super) reading: Shared<AtomicU64>,
    /// The threads that sleep on the reading flag.
    pub(super) awaiting: Futex,
    /// How many times the slot was claimed: read and written by the owner of the claim.
    pub(super) incarnation: Cell<u32>,
    pub(super) claim: Claim,
}

/// What the lock guards: two halves, which are equal unless a writer stopped between them. An
/// access that is not ordered with every other is an error.
pub(super) struct Content(UnsafeCell<[u64; 2]>);

impl Content {
    pub(super) fn get(&self) -> [u64; 2] {
        // SAFETY: loom hands out the pointer for this closure alone, and ends the run if a write is
        // not ordered with it.
        self.0.with(|halves| unsafe { *halves })
    }

    pub(super) fn set(&self, halves: [u64; 2]) {
        // SAFETY: as in `get`, for any access.
        self.0.with_mut(|content| unsafe { *content = halves });
    }
}

/// The users that have the lock, as they see it. No thread of the model learns anything by this. It
/// is how the scenarios notice what must not be, even where the memory would have been right.
#[derive(Default)]
pub(crate) struct Inside {
    writer: Option<u32>,
    readers: Vec<u32>,
}

impl Inside {
    pub(crate) fn write(&mut self, process: u32) {
        assert_eq!(self.writer, None, "one writer at a time");
        assert!(self.readers.is_empty(), "no writer next to a reader");
        self.writer = Some(process);
    }

    pub(crate) fn read(&mut self, process: u32) {
        assert_eq!(self.writer, None, "no reader next to a writer");
        self.readers.push(process);
    }

    pub(crate) fn leave(&mut self, process: u32) {
        self.writer = self.writer.filter(|&writer| writer != process);
        self.readers.retain(|&reader| reader != process);
    }
}

/// A region: what the processes of a scenario share.
pub(super) struct Region {
    pub(super) word: Exchanged,
    pub(super) fences: Conflict,
    pub(super) dirty: Shared<AtomicU8>,
    pub(super) writes: Shared<AtomicU64>,
    pub(super) slots: Vec<Slot>,
    /// The threads that sleep on the lock word.
    pub(super) sleepers: Futex,
    /// The threads that sleep until the number of writes rises.
    pub(super) watchers: Futex,
    pub(super) has_readers: bool,
    pub(super) content: Content,
    pub(super) inside: RefCell<Inside>,
    /// Deaths so far, after each of which every process may see one slice end.
    pub(super) deaths: Cell<u32>,
    /// Whether a slice ends at all.
    pub(super) slices: bool,
}

impl Region {
    /// A lock with readers.
    pub(super) fn new(slots: usize) -> Self {
        let slot = || Slot {
            reading: Shared::new(AtomicU64::new(0)).read_by_its_writer(),
            awaiting: Futex::new(),
            incarnation: Cell::new(0),
            claim: Claim::new(),
        };
        Self {
            word: Exchanged::new(),
            fences: Conflict::new(),
            dirty: Shared::new(AtomicU8::new(0)),
            writes: Shared::new(AtomicU64::new(0)).read_by_its_writer(),
            slots: (0..slots).map(|_| slot()).collect(),
            sleepers: Futex::new(),
            watchers: Futex::new(),
            has_readers: true,
            content: Content(UnsafeCell::new([0; 2])),
            inside: RefCell::default(),
            deaths: Cell::new(0),
            slices: true,
        }
    }

    pub(super) fn shared(self) -> Rc<Self> {
        Rc::new(self)
    }

    /// Without readers.
    pub(super) fn mutex(self) -> Self {
        Self { has_readers: false, ..self }
    }

    /// One whose sleepers are woken by a wake only, even if somebody dies.
    pub(super) fn without_slices(self) -> Self {
        Self { slices: false, ..self }
    }

    /// A process is dead and its claims are free: the sleepers look again.
    pub(super) fn note_death(&self) {
        if self.slices {
            self.deaths.set(self.deaths.get() + 1);
            self.sleepers.wake();
            self.watchers.wake();
            self.slots.iter().for_each(|slot| _ = slot.awaiting.wake());
        }
    }
}
