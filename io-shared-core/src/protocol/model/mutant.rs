//! One deliberate weakening of the protocol, and the places it can be made at.
//!
//! The words of the model know the source line of each operation (`#[track_caller]`). A run without
//! a mutant writes down every place it passes, so no list of places has to be kept; a run with one
//! weakens the operation at one place.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst};

use crate::crash_point::CrashPoint;

pub(super) type Place = &'static Location<'static>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Load,
    Store,
    /// A compare-exchange that succeeds.
    Exchange,
    /// A compare-exchange that fails.
    Failure,
    Fence,
}

/// An operation of the shipped source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Site {
    pub(super) place: Place,
    pub(super) operation: Operation,
    pub(super) order: Ordering,
}

/// What is done otherwise than the source says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// The operation there has this ordering; a fence that is `Relaxed` is none.
    Weaker(Place, Operation, Ordering),
    /// The store there, or the store half of the exchange, does not happen.
    Dropped(Place),
    /// The exchange there is a plain store.
    Plain(Place),
    /// The load there gives what this process last read from `latest`.
    Repeated(Place),
    /// The load there gives 0.
    Blind(Place),
    /// The pool has one buffer fewer than are enough.
    OneBufferFewer,
    /// Sleepers are looked for and woken before a value is published, not after.
    WakeFirst,
    /// Nobody is woken.
    WakeNever,
    /// A producer wakes nobody before its own first put.
    WakeOnlyAfterPut,
    /// A burier does not ask whether it won.
    WinAlways,
    /// A burier keeps what it won.
    UnwinNever,
}

thread_local! {
    // A model runs on one operating-system thread, whichever of its threads is on.
    static MUTANT: Cell<Option<Mutant>> = const { Cell::new(None) };
    static SITES: RefCell<Vec<Site>> = const { RefCell::new(Vec::new()) };
    static PASSES: RefCell<BTreeMap<CrashPoint, u32>> = const { RefCell::new(BTreeMap::new()) };
    static DEATHS: Cell<u64> = const { Cell::new(0) };
}

/// Runs `run` with `mutant` in force.
pub(super) fn with<R>(mutant: Option<Mutant>, run: impl FnOnce() -> R) -> R {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            MUTANT.set(None);
        }
    }
    MUTANT.set(mutant);
    let _reset = Reset;
    run()
}

pub(super) fn is(mutant: Mutant) -> bool {
    MUTANT.get() == Some(mutant)
}

/// The ordering to use at `place`, which is `order` but for a mutant. Writes the place down.
pub(super) fn order(place: Place, operation: Operation, order: Ordering) -> Ordering {
    // What a scenario reads for itself is not the protocol's.
    if !place.file().contains("model") {
        let site = Site { place, operation, order };
        SITES.with_borrow_mut(|sites| {
            if !sites.contains(&site) {
                sites.push(site);
            }
        });
    }
    match MUTANT.get() {
        Some(Mutant::Weaker(at, which, weaker)) if at == place && which == operation => weaker,
        _ => order,
    }
}

/// The sites that this thread has passed since this was asked last.
pub(super) fn take_sites() -> Vec<Site> {
    let mut sites = SITES.take();
    sites.sort_by_key(|s| (s.place.file(), s.place.line(), s.place.column(), s.operation));
    sites
}

/// Notes that a victim has passed `point` for the `nth` time in this execution.
pub(super) fn note_pass(point: CrashPoint, nth: u32) {
    PASSES.with_borrow_mut(|passes| {
        let most = passes.entry(point).or_default();
        *most = nth.max(*most);
    });
}

/// How often each point was passed by a victim, at most, in one execution since this was asked last.
pub(super) fn take_passes() -> BTreeMap<CrashPoint, u32> {
    PASSES.take()
}

pub(super) fn note_death() {
    DEATHS.set(DEATHS.get() + 1);
}

/// The executions in which a victim has died since this was asked last.
pub(super) fn take_deaths() -> u64 {
    DEATHS.take()
}

/// Every ordering weaker than `order` that `operation` can have and loom can tell from it.
pub(super) fn weaker(operation: Operation, order: Ordering) -> &'static [Ordering] {
    match (operation, order) {
        (_, Relaxed) => &[],
        (Operation::Load | Operation::Failure, SeqCst) => &[Acquire, Relaxed],
        (Operation::Store, SeqCst) => &[Release, Relaxed],
        (Operation::Exchange | Operation::Fence, SeqCst) => &[AcqRel, Acquire, Release, Relaxed],
        (Operation::Exchange | Operation::Fence, AcqRel) => &[Acquire, Release, Relaxed],
        _ => &[Relaxed],
    }
}
