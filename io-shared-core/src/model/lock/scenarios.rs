//! What is tried while nobody dies.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use super::process::Process;
use super::words::Region;
use crate::crash_point::CrashPoint;
use crate::lock::{FREE, LockFault, LockWords, Locker};
use crate::model::victim::{Fate, Killable};
use crate::protocol::Word;

pub(super) const EVER: u64 = u64::MAX;
pub(super) const NO: u64 = 0;

/// Opens a handle, in the slot of its number.
pub(super) fn open(region: &Rc<Region>, number: u32) -> (Process, Locker) {
    let me = Process::new(region, number);
    let locker = me.claim(number as usize);
    (me, locker)
}

/// What a writer does with the lock. Returns whether it found it dirty.
pub(super) fn change(me: &Process, locker: &Locker) -> bool {
    me.region.inside.borrow_mut().write(me.number);
    let dirty = locker.is_dirty(me);
    let [first, second] = me.region.content.get();
    assert!(dirty || first == second, "half-written, and nobody says so");
    me.region.content.set([first + 1, second]);
    // A death in the middle.
    me.reached(CrashPoint::WriterAlone);
    me.region.content.set([first + 1; 2]);
    me.region.inside.borrow_mut().leave(me.number);
    dirty
}

pub(super) fn write(me: &Process, locker: &Locker) -> bool {
    assert_eq!(locker.lock(me, EVER), Ok(()));
    let dirty = change(me, locker);
    locker.unlock(me);
    dirty
}

/// As `write`, by a writer that knows how to repair what it finds.
pub(super) fn repair(me: &Process, locker: &Locker) {
    assert_eq!(locker.lock(me, EVER), Ok(()));
    if change(me, locker) {
        locker.mark_consistent(me);
    }
    locker.unlock(me);
}

/// What a reader does with the lock. Returns whether it found it dirty.
pub(super) fn look(me: &Process, locker: &Locker) -> bool {
    me.region.inside.borrow_mut().read(me.number);
    let dirty = locker.is_dirty(me);
    let [first, second] = me.region.content.get();
    assert!(dirty || first == second, "half-written, and nobody says so");
    me.region.inside.borrow_mut().leave(me.number);
    dirty
}

pub(super) fn read(me: &Process, locker: &Locker) -> bool {
    assert_eq!(locker.read(me, EVER), Ok(()));
    let dirty = look(me, locker);
    locker.unread(me);
    dirty
}

/// When everything is over: a try gets the lock, which is as dirty as it must be, and nothing is
/// left.
pub(super) fn audit(me: &Process, locker: &Locker, dirty: bool) {
    me.may_wait.set(false);
    assert_eq!(locker.lock(me, NO), Ok(()), "nobody has it");
    assert_eq!(change(me, locker), dirty, "whether it is dirty");
    locker.unlock(me);
    assert_eq!(me.word().load(Relaxed), FREE);
    for slot in 0..me.slots() {
        assert_eq!(me.reading(slot).load(Relaxed), 0, "nobody reads");
    }
}

/// How many times it was written.
fn writes(me: &Process) -> u64 {
    me.region.content.get()[0]
}

pub(super) fn two_writers(_: Fate) {
    let region = Region::new(2).mutex().shared();
    let (me, locker) = open(&region, 0);
    let (other, other_locker) = open(&region, 1);
    let other = other.run(move |me| write(me, &other_locker));
    write(&me, &locker);
    write(&me, &locker);
    other.end();
    audit(&me, &locker, false);
    assert_eq!(writes(&me), 4);
}

pub(super) fn writer_and_reader(_: Fate) {
    let region = Region::new(2).shared();
    let (me, locker) = open(&region, 0);
    let (writer, writer_locker) = open(&region, 1);
    let writer = writer.run(move |me| {
        write(me, &writer_locker);
        write(me, &writer_locker);
    });
    read(&me, &locker);
    read(&me, &locker);
    writer.end();
    audit(&me, &locker, false);
}

/// Starts where two read and nobody waits.
pub(super) fn readers_together(_: Fate) {
    let region = Region::new(3).shared();
    let (me, locker) = open(&region, 0);
    let (other, other_locker) = open(&region, 1);
    let (writer, writer_locker) = open(&region, 2);
    assert_eq!(locker.read(&me, NO), Ok(()));
    assert_eq!(other_locker.read(&other, NO), Ok(()), "readers read together");
    let writer = writer.run(move |me| write(me, &writer_locker));
    let other = other.run(move |me| {
        look(me, &other_locker);
        other_locker.unread(me);
    });
    look(&me, &locker);
    locker.unread(&me);
    read(&me, &locker);
    writer.end();
    other.end();
    audit(&me, &locker, false);
}

pub(super) fn sleepers(_: Fate) {
    let region = Region::new(3).shared();
    let (me, locker) = open(&region, 0);
    let (writer, writer_locker) = open(&region, 1);
    let (reader, reader_locker) = open(&region, 2);
    assert_eq!(locker.lock(&me, NO), Ok(()));
    let writer = writer.run(move |me| write(me, &writer_locker));
    let reader = reader.run(move |me| read(me, &reader_locker));
    change(&me, &locker);
    locker.unlock(&me);
    writer.end();
    reader.end();
    audit(&me, &locker, false);
}

pub(super) fn tries(_: Fate) {
    let region = Region::new(2).shared();
    let (me, locker) = open(&region, 0);
    let (other, other_locker) = open(&region, 1);
    let other = other.run(move |me| {
        write(me, &other_locker);
        read(me, &other_locker);
    });
    me.may_wait.set(false);
    match locker.lock(&me, NO) {
        Ok(()) => {
            change(&me, &locker);
            locker.unlock(&me);
        }
        Err(fault) => assert_eq!(fault, LockFault::Blocked),
    }
    match locker.read(&me, NO) {
        Ok(()) => {
            look(&me, &locker);
            locker.unread(&me);
        }
        Err(fault) => assert_eq!(fault, LockFault::Blocked),
    }
    other.end();
    audit(&me, &locker, false);
}

/// One reads all the time, so a try to write fails; another reader may have to wait for the try.
pub(super) fn try_in_vain(_: Fate) {
    let region = Region::new(3).shared();
    let (me, locker) = open(&region, 0);
    let (other, other_locker) = open(&region, 1);
    let (reading, reading_locker) = open(&region, 2);
    assert_eq!(reading_locker.read(&reading, NO), Ok(()));
    let other = other.run(move |me| read(me, &other_locker));
    me.may_wait.set(false);
    assert_eq!(locker.lock(&me, NO), Err(LockFault::Blocked));
    other.end();
    look(&reading, &reading_locker);
    reading_locker.unread(&reading);
    audit(&me, &locker, false);
}

/// One process by itself: what matters is what it is told, and what is left.
pub(super) fn forgotten_guard(_: Fate) {
    let region = Region::new(2).shared();
    let (me, locker) = open(&region, 0);
    let (other, other_locker) = open(&region, 1);
    assert_eq!(locker.lock(&me, EVER), Ok(()));
    assert_eq!(locker.lock(&me, EVER), Err(LockFault::WouldDeadlock));
    assert_eq!(locker.read(&me, EVER), Err(LockFault::WouldDeadlock));
    assert_eq!(other_locker.read(&other, NO), Err(LockFault::Blocked), "it is held still");
    locker.unlock(&me);
    assert_eq!(locker.read(&me, EVER), Ok(()));
    assert_eq!(locker.read(&me, EVER), Err(LockFault::WouldDeadlock));
    assert_eq!(locker.lock(&me, EVER), Err(LockFault::WouldDeadlock));
    assert_eq!(other_locker.lock(&other, NO), Err(LockFault::Blocked), "it is read still");
    assert_eq!(other_locker.read(&other, NO), Ok(()), "and by nobody written");
    other_locker.unread(&other);
    locker.unread(&me);
    audit(&other, &other_locker, false);
}

/// A handle writes and leaves, and another takes its slot and does the same.
pub(super) fn reused_slot(_: Fate) {
    let region = Region::new(2).shared();
    let (me, locker) = open(&region, 1);
    let leaving = Process::new(&region, 0).run(|me| {
        let locker = me.claim(0);
        write(me, &locker);
        me.free_claims();
        let next = Process::new(&me.region, 2);
        let locker = next.claim(0);
        write(&next, &locker);
    });
    assert!(!write(&me, &locker), "nobody died");
    leaving.end();
    audit(&me, &locker, false);
}

/// A handle that loses its claim while it has the lock, and its slot's next owner.
pub(super) fn stale_unlock(_: Fate) {
    let region = Region::new(2).shared();
    let (stale, stale_locker) = open(&region, 0);
    let (other, other_locker) = open(&region, 1);
    assert_eq!(stale_locker.lock(&stale, NO), Ok(()));
    stale.free_claims();
    let successor = Process::new(&region, 2).run(|me| {
        let locker = me.claim(0);
        write(me, &locker);
    });
    let other = other.run(move |me| {
        write(me, &other_locker);
        other_locker
    });
    stale_locker.unlock(&stale);
    successor.end();
    let other_locker = other.end().unwrap();
    let me = Process::new(&region, 1);
    let dirty = other_locker.is_dirty(&me);
    audit(&me, &other_locker, dirty);
}

/// A writer panics in the middle; the next writer repairs what it left.
pub(super) fn marks(_: Fate) {
    let region = Region::new(3).shared();
    let (me, locker) = open(&region, 0);
    let (panicking, panicking_locker) = open(&region, 1);
    let (reader, reader_locker) = open(&region, 2);
    let panicking = panicking.run(move |me| {
        assert_eq!(panicking_locker.lock(me, EVER), Ok(()));
        me.region.content.set([7, 0]);
        panicking_locker.mark_dirty(me);
        panicking_locker.unlock(me);
    });
    let reader = reader.run(move |me| read(me, &reader_locker));
    repair(&me, &locker);
    panicking.end();
    reader.end();
    repair(&me, &locker);
    audit(&me, &locker, false);
}
