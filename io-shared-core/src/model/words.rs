//! Shared words made of loom's atomics, which know who calls them.

use std::cell::Cell;
use std::panic::Location;
use std::sync::atomic::Ordering;

use loom::sync::atomic::{AtomicU8, AtomicU64};

use super::kernel::Loads;
use super::mutant::{self, Mutant, Operation};
use crate::protocol::Word;

/// A loom atomic that knows who calls it.
pub(crate) struct Shared<A> {
    pub(crate) atom: A,
    /// For words that their writer reads too.
    loads: Option<Loads>,
    /// What was read last.
    read: Cell<u64>,
}

impl<A> Shared<A> {
    pub(crate) fn new(atom: A) -> Self {
        Self { atom, loads: None, read: Cell::new(0) }
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
                let place = Location::caller();
                let order = mutant::order(place, Operation::Store, order);
                if !mutant::omits_store(place) {
                    self.loads.iter().for_each(Loads::store);
                    self.atom.store(value, order);
                }
            }
        }
    };
}

word!(AtomicU64, u64);
word!(AtomicU8, u8);
