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

pub(crate) type Place = &'static Location<'static>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Load,
    Store,
    /// A compare-exchange that succeeds.
    Exchange,
    /// A compare-exchange that fails.
    Failure,
    Fence,
    Wake,
    /// An attempt at the claim of an owner that may be dead.
    Win,
    /// The end of what `Win` won.
    Unwin,
    /// The region's own lock.
    Lock,
    /// A look at where a name leads.
    Look,
}

/// An operation of the shipped source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) place: Place,
    pub(crate) operation: Operation,
    pub(crate) order: Ordering,
}

/// What is done differently from what the source says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The operation there has this ordering; a fence that is `Relaxed` is none.
    Weaker(Place, Operation, Ordering),
    /// The store there, or the store half of the exchange, does not happen.
    Dropped(Place),
    /// The exchange there is a plain store.
    Plain(Place),
    /// The load there returns what this process last read from the word.
    Repeated(Place),
    /// The load there returns 0; a look at where a name leads finds that all is well.
    Blind(Place),
    /// The wake there wakes nobody.
    Unwoken(Place),
    /// A process that tries to win a claim there goes on as if it had won.
    Won(Place),
    /// What was won is not given up there.
    NotFreed(Place),
    /// The exchange there leaves out the bit that says that somebody sleeps.
    Unsaid(Place),
    /// The lock there is not taken.
    Unlocked(Place),
    /// The store there happens after the step that follows it.
    Late(Place),
    /// A new owner of a slot has its predecessor's incarnation.
    SameIncarnation,
    /// A creator links a region before it has its claim.
    LinkFirst,
    /// The pool has one buffer fewer than are enough.
    OneBufferFewer,
    /// Sleepers are woken before the value is published, or the lock given back, and not after.
    WakeFirst,
    /// Nobody is woken.
    WakeNever,
    /// A producer wakes nobody before its own first put.
    WakeOnlyAfterPut,
    /// A slot's grant becomes what its next owner asks for, although that is less.
    GrantShrinks,
    /// A scan reads how many buffers there are before it reads the held entries.
    PoolFirst,
}

thread_local! {
    // A model runs on one operating-system thread, whichever of its threads is on.
    static MUTANT: Cell<Option<Mutant>> = const { Cell::new(None) };
    static SITES: RefCell<Vec<Site>> = const { RefCell::new(Vec::new()) };
    static PASSES: RefCell<BTreeMap<CrashPoint, u32>> = const { RefCell::new(BTreeMap::new()) };
    static DEATHS: Cell<u64> = const { Cell::new(0) };
    static OWED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `run` with `mutant` in force.
pub(crate) fn with<R>(mutant: Option<Mutant>, run: impl FnOnce() -> R) -> R {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            MUTANT.set(None);
            OWED.set(false);
        }
    }
    MUTANT.set(mutant);
    let _reset = Reset;
    run()
}

pub(crate) fn is(mutant: Mutant) -> bool {
    MUTANT.get() == Some(mutant)
}

/// Whether the store at `place` is not to happen there.
pub(crate) fn omits_store(place: Place) -> bool {
    OWED.set(OWED.get() || is(Mutant::Late(place)));
    is(Mutant::Late(place)) || is(Mutant::Dropped(place))
}

/// Whether a store was put off until now.
pub(crate) fn take_owed() -> bool {
    OWED.take()
}

/// The ordering to use at `place`, which is `order` but for a mutant. Writes the place down.
pub(crate) fn order(place: Place, operation: Operation, order: Ordering) -> Ordering {
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

/// Whether the call at `place` is left to the platform as `mutant` says. Writes the place down.
pub(crate) fn is_at(place: Place, operation: Operation, mutant: fn(Place) -> Mutant) -> bool {
    order(place, operation, Relaxed);
    is(mutant(place))
}

/// The sites that this thread has passed since the last call.
pub(crate) fn take_sites() -> Vec<Site> {
    let mut sites = SITES.take();
    sites.sort_by_key(|s| (s.place.file(), s.place.line(), s.place.column(), s.operation));
    sites
}

/// Notes that a victim has passed `point` for the `nth` time in this execution.
pub(crate) fn note_pass(point: CrashPoint, nth: u32) {
    PASSES.with_borrow_mut(|passes| {
        let most = passes.entry(point).or_default();
        *most = nth.max(*most);
    });
}

/// How many times a victim passed each point, at most, in one execution since the last call.
pub(crate) fn take_passes() -> BTreeMap<CrashPoint, u32> {
    PASSES.take()
}

pub(crate) fn note_death() {
    DEATHS.set(DEATHS.get() + 1);
}

/// The executions in which a victim has died since the last call.
pub(crate) fn take_deaths() -> u64 {
    DEATHS.take()
}

/// Every ordering weaker than `order` that `operation` can have and loom can tell from it.
pub(crate) fn weaker(operation: Operation, order: Ordering) -> &'static [Ordering] {
    match (operation, order) {
        (_, Relaxed) => &[],
        (Operation::Load | Operation::Failure, SeqCst) => &[Acquire, Relaxed],
        (Operation::Store, SeqCst) => &[Release, Relaxed],
        (Operation::Exchange | Operation::Fence, SeqCst) => &[AcqRel, Acquire, Release, Relaxed],
        (Operation::Exchange | Operation::Fence, AcqRel) => &[Acquire, Release, Relaxed],
        _ => &[Relaxed],
    }
}
