//! Shared words and fences made of loom's, which know the line that calls them.

use std::cell::Cell;
use std::panic::Location;
use std::sync::atomic::Ordering::{self, Relaxed, SeqCst};

use loom::sync::atomic::{AtomicU8, AtomicU64};

use super::kernel::{Conflict, Loads};
use super::mutant::{self, Mutant, Operation};
use crate::protocol::{Bits, Exchange, Word};

/// A loom atomic that knows the line that calls it.
pub(crate) struct Shared<A> {
    pub(crate) atom: A,
    /// For words that their writer also reads.
    loads: Option<Loads>,
    /// What was read last.
    read: Cell<u64>,
    /// Its value, if nobody changes it: then a load is no step of the model.
    fixed: Option<u64>,
    /// Whether stores to it are nothing.
    ignored: bool,
}

impl<A> Shared<A> {
    pub(crate) fn new(atom: A) -> Self {
        Self { atom, loads: None, read: Cell::new(0), fixed: None, ignored: false }
    }

    /// One that nobody changes.
    pub(crate) fn fixed(self, value: u64) -> Self {
        Self { fixed: Some(value), ..self }
    }

    /// One whose value is known to everybody.
    pub(crate) fn known(self, value: u64) -> Self {
        self.read.set(value);
        self
    }

    /// One that is 0 whatever is stored: for scenarios that another like it says enough in.
    pub(crate) fn ignored(self) -> Self {
        Self { ignored: true, ..self.fixed(0) }
    }

    pub(crate) fn read_by_its_writer(self) -> Self {
        Self { loads: Some(Loads::new()), ..self }
    }
}

macro_rules! word {
    ($Atomic:ty, $T:ty) => {
        impl Word<$T> for Shared<$Atomic> {
            #[track_caller]
            fn load(&self, order: Ordering) -> $T {
                if let Some(value) = self.fixed {
                    return value as $T;
                }
                let place = Location::caller();
                let order = mutant::order(place, Operation::Load, order);
                if mutant::is(Mutant::Repeated(place)) {
                    return self.read.get() as $T;
                }
                let load = || self.atom.load(order);
                let value = self.loads.as_ref().map_or_else(load, |loads| loads.load(load));
                self.read.set(u64::from(value));
                if mutant::is(Mutant::Blind(place)) { 0 } else { value }
            }

            #[track_caller]
            fn store(&self, value: $T, order: Ordering) {
                if !self.ignored {
                    self.write(order, |atom, order| atom.store(value, order));
                }
            }
        }
    };
}

impl<A> Shared<A> {
    /// Every change of the word, unless the mutant at hand leaves it out.
    #[track_caller]
    fn write(&self, order: Ordering, write: impl FnOnce(&A, Ordering)) {
        assert!(self.fixed.is_none(), "nobody changes it in this scenario");
        let place = Location::caller();
        let order = mutant::order(place, Operation::Store, order);
        if !mutant::omits_store(place) {
            self.loads.iter().for_each(Loads::store);
            write(&self.atom, order);
        }
    }
}

impl Shared<AtomicU64> {
    /// Changes bits by `change`, or, as a mutant, by a plain store of `plain`.
    #[track_caller]
    fn change(
        &self,
        order: Ordering,
        plain: u64,
        change: impl FnOnce(&AtomicU64, Ordering) -> u64,
    ) {
        let is_plain = mutant::is(Mutant::Plain(Location::caller()));
        self.write(order, |atom, order| match is_plain {
            true => atom.store(plain, order),
            false => drop(change(atom, order)),
        });
    }
}

impl Bits for Shared<AtomicU64> {
    #[track_caller]
    fn insert(&self, bits: u64, order: Ordering) {
        self.change(order, bits, |atom, order| atom.fetch_or(bits, order));
    }

    #[track_caller]
    fn remove(&self, bits: u64, order: Ordering) {
        self.change(order, 0, |atom, order| atom.fetch_and(!bits, order));
    }
}

word!(AtomicU64, u64);
word!(AtomicU8, u8);

impl Exchange<u64> for Shared<AtomicU64> {
    #[track_caller]
    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        assert!(self.fixed.is_none(), "nobody changes it in this scenario");
        let place = Location::caller();
        let success = mutant::order(place, Operation::Exchange, success);
        let failure = mutant::order(place, Operation::Failure, failure);
        if mutant::is(Mutant::Dropped(place)) {
            return Ok(current);
        }
        if mutant::is(Mutant::Plain(place)) {
            self.atom.store(new, success);
            return Ok(current);
        }
        self.atom.compare_exchange(current, new, success, failure)
    }
}

/// The word that a protocol never stores plainly: `latest`, or the lock word.
pub(crate) struct Exchanged {
    atom: AtomicU64,
    loads: Loads,
}

impl Exchanged {
    pub(crate) fn new() -> Self {
        Self { atom: AtomicU64::new(0), loads: Loads::new() }
    }

    /// A look that is not the protocol's: the kernel's, or a scenario's.
    pub(crate) fn look(&self) -> u64 {
        self.loads.load(|| self.atom.load(Relaxed))
    }

    /// The protocol's load. `read` is what this process has read last.
    #[track_caller]
    pub(crate) fn load(&self, read: &Cell<u64>, order: Ordering) -> u64 {
        let place = Location::caller();
        let order = mutant::order(place, Operation::Load, order);
        if mutant::is(Mutant::Blind(place)) {
            return 0;
        }
        if !mutant::is(Mutant::Repeated(place)) {
            read.set(self.loads.load(|| self.atom.load(order)));
        }
        read.get()
    }

    #[track_caller]
    pub(crate) fn exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        let place = Location::caller();
        let success = mutant::order(place, Operation::Exchange, success);
        let failure = mutant::order(place, Operation::Failure, failure);
        if mutant::is(Mutant::Dropped(place)) {
            return Ok(current);
        }
        self.loads.store();
        if mutant::is(Mutant::Plain(place)) {
            self.atom.store(new, success);
            return Ok(current);
        }
        self.atom.compare_exchange(current, new, success, failure)
    }
}

/// The protocol's fence. `fences` is the one order that SeqCst fences have.
#[track_caller]
pub(crate) fn fence(fences: &Conflict, order: Ordering) {
    match mutant::order(Location::caller(), Operation::Fence, order) {
        Relaxed => {}
        order => {
            if order == SeqCst {
                fences.pass();
            }
            loom::sync::atomic::fence(order);
        }
    }
}

/// The accessors of [`Words`](crate::protocol::Words) that are the same over loom's and shuttle's
/// atomics: for a process with a `region` of these fields.
macro_rules! slot_accessors {
    () => {
        fn consumer_slots(&self) -> usize {
            self.region.consumers.len()
        }

        fn grant(&self, consumer: usize) -> &Self::Flag {
            &self.region.consumers[consumer].grant
        }

        fn is_large(&self) -> bool {
            self.region.is_large
        }

        fn incarnation(&self) -> &Self::Count {
            &self.region.incarnation
        }

        fn filled(&self) -> &Self::Count {
            &self.region.filled
        }

        fn history(&self) -> &Self::History {
            &self.region.history
        }

        fn retired(&self) -> &Self::Flag {
            &self.region.retired
        }

        fn asleep(&self, _: usize) -> &Self::Set {
            &self.region.asleep
        }

        fn following(&self, _: usize) -> &Self::Set {
            &self.region.following
        }

        fn held(&self, consumer: usize, entry: usize) -> &Self::Flag {
            &self.region.consumers[consumer].held[entry]
        }

        fn taken(&self, consumer: usize) -> &Self::Count {
            &self.region.consumers[consumer].taken
        }

        fn last_seen(&self, consumer: usize) -> &Self::Count {
            &self.region.consumers[consumer].last_seen
        }

        fn lost(&self) -> u64 {
            0
        }

        fn header(&self, buffer: usize) -> $crate::protocol::Header<'_, Self::Count> {
            assert!(self.is_mapped(buffer), "a buffer is mapped before it is used");
            let Buffer { sequence, length, stamp, tag, .. } = &self.region.buffers[buffer];
            $crate::protocol::Header { sequence, length, stamp, tag }
        }

        fn stores_inline(&self) -> bool {
            self.region.stores_inline
        }

        fn inline(&self) -> $crate::protocol::Inline<'_, Self::Count> {
            let [mark, stamp, tag, message @ ..] = &self.region.inline[..] else { unreachable!() };
            $crate::protocol::Inline { mark, stamp, tag, message }
        }

        fn written(&self, buffer: usize) -> [u64; $crate::protocol::MAX_INLINE_WORDS] {
            let [first, second] = self.read(buffer);
            [first, second, 0, 0]
        }

        // A process of a model sleeps in one thread for each of its consumers.
        fn first_asleep(&self, raise: impl FnOnce()) {
            raise();
        }

        fn last_awake(&self, lower: impl FnOnce()) {
            lower();
        }
    };
}
pub(crate) use slot_accessors;
