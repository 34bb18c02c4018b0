//! A futex and claims, as in `crate::model::kernel`, of shuttle's parts.

use shuttle::sync::atomic::{AtomicU8, AtomicU64};
use shuttle::sync::{Condvar, Mutex};

use crate::protocol::{Exchange, Word};
use std::sync::atomic::Ordering;

macro_rules! word {
    ($Atomic:ty, $T:ty) => {
        impl Word<$T> for $Atomic {
            fn load(&self, order: Ordering) -> $T {
                self.load(order)
            }

            fn store(&self, value: $T, order: Ordering) {
                self.store(value, order);
            }
        }
    };
}

word!(AtomicU64, u64);
word!(AtomicU8, u8);

impl Exchange<u64> for AtomicU64 {
    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.compare_exchange(current, new, success, failure)
    }
}

#[derive(Default)]
struct Sleepers {
    asleep: usize,
    wakes: u64,
    /// How often a slice has ended for everyone.
    slices: u64,
}

#[derive(Default)]
pub(super) struct Futex {
    sleepers: Mutex<Sleepers>,
    woken: Condvar,
}

impl Futex {
    /// Sleeps, unless a slice has ended since the caller slept last (`seen`).
    pub(super) fn wait(&self, seen: &std::cell::Cell<u64>, as_expected: impl FnOnce() -> bool) {
        let mut sleepers = self.sleepers.lock().unwrap();
        if sleepers.slices == seen.get() && as_expected() {
            let wakes = sleepers.wakes;
            sleepers.asleep += 1;
            while sleepers.wakes == wakes {
                sleepers = self.woken.wait(sleepers).unwrap();
            }
        }
        seen.set(sleepers.slices);
    }

    pub(super) fn wake(&self) -> usize {
        let mut sleepers = self.sleepers.lock().unwrap();
        sleepers.wakes += 1;
        self.woken.notify_all();
        std::mem::take(&mut sleepers.asleep)
    }

    /// Ends the slice of every wait, and of the next one of whoever is awake.
    pub(super) fn end_slices(&self) {
        self.sleepers.lock().unwrap().slices += 1;
        self.wake();
    }
}

#[derive(Default)]
pub(super) struct Claim {
    owner: Mutex<Option<u32>>,
    freed: Condvar,
}

impl Claim {
    pub(super) fn try_take(&self, process: u32) -> bool {
        *self.owner.lock().unwrap().get_or_insert(process) == process
    }

    pub(super) fn take(&self, process: u32) {
        let mut owner = self.owner.lock().unwrap();
        while owner.is_some() {
            owner = self.freed.wait(owner).unwrap();
        }
        *owner = Some(process);
    }

    pub(super) fn free(&self, process: u32) {
        let mut owner = self.owner.lock().unwrap();
        if *owner == Some(process) {
            *owner = None;
            self.freed.notify_all();
        }
    }
}
