//! What is tried while somebody is killed, at each crash point in turn.

use std::rc::Rc;

use super::process::Process;
use super::scenarios::{EVER, NO, audit, change, look, open, read, repair, write};
use super::words::Region;
use crate::crash_point::CrashPoint;
use crate::lock::LockWords;
use crate::model::victim::{Fate, Killable};

/// Whether a writer that is killed there may have written.
pub(super) fn may_have_written(fate: Fate) -> bool {
    use CrashPoint::{WriteCounted, WriterAlone, WriterOwns};
    matches!(fate, Some((WriterOwns | WriterAlone | WriteCounted, _)))
}

/// A writer is killed next to another writer and a reader.
pub(super) fn writer(fate: Fate) {
    let region = Region::new(3).shared();
    let (victim, victim_locker) = open(&region, 0);
    let (other, other_locker) = open(&region, 1);
    let (me, locker) = open(&region, 2);
    let victim = victim.run_victim(fate, move |me| write(me, &victim_locker));
    let other = other.run(move |me| write(me, &other_locker));
    read(&me, &locker);
    victim.end();
    other.end();
    audit(&me, &locker, may_have_written(fate));
}

/// A writer is killed next to another, which repairs what it finds.
pub(super) fn repaired(fate: Fate) {
    let region = Region::new(2).shared();
    let (victim, victim_locker) = open(&region, 0);
    let (me, locker) = open(&region, 1);
    let victim = victim.run_victim(fate, move |me| write(me, &victim_locker));
    repair(&me, &locker);
    read(&me, &locker);
    victim.end();
    repair(&me, &locker);
    audit(&me, &locker, false);
}

/// A writer is killed while it waits for another, as a reader does: the wake is for both. Slices
/// are off.
pub(super) fn waiter(fate: Fate) {
    let region = Region::new(3).without_slices().shared();
    let (me, locker) = open(&region, 0);
    let (victim, victim_locker) = open(&region, 1);
    let (other, other_locker) = open(&region, 2);
    assert_eq!(locker.lock(&me, NO), Ok(()));
    let victim = victim.run_victim(fate, move |me| write(me, &victim_locker));
    let other = other.run(move |me| read(me, &other_locker));
    change(&me, &locker);
    locker.unlock(&me);
    victim.end();
    other.end();
    audit(&me, &locker, false);
}

/// A reader is killed next to a writer.
pub(super) fn reader(fate: Fate) {
    let region = Region::new(2).shared();
    let (victim, victim_locker) = open(&region, 0);
    let (me, locker) = open(&region, 1);
    let victim = victim.run_victim(fate, move |me| {
        assert_eq!(victim_locker.read(me, EVER), Ok(()));
        look(me, &victim_locker);
        // A death when all is read.
        me.reached(CrashPoint::ReaderReads);
        victim_locker.unread(me);
    });
    write(&me, &locker);
    victim.end();
    audit(&me, &locker, false);
}

/// A writer is killed while it waits for one reader, and another reader waits for it.
pub(super) fn awaiting_writer(fate: Fate) {
    let region = Region::new(3).shared();
    let (me, locker) = open(&region, 0);
    let (victim, victim_locker) = open(&region, 1);
    let (other, other_locker) = open(&region, 2);
    assert_eq!(locker.read(&me, NO), Ok(()));
    let victim = victim.run_victim(fate, move |me| write(me, &victim_locker));
    let other = other.run(move |me| read(me, &other_locker));
    look(&me, &locker);
    locker.unread(&me);
    victim.end();
    other.end();
    audit(&me, &locker, false);
}

/// A region whose first slot's owner died with the lock, in the middle of a write.
fn half_written(region: Region) -> Rc<Region> {
    let region = region.shared();
    let (dead, locker) = open(&region, 0);
    assert_eq!(locker.lock(&dead, NO), Ok(()));
    region.content.set([1, 0]);
    dead.free_claims();
    region
}

/// A writer is killed while it buries a dead one, next to another that tries to bury it and the
/// slot's new owner.
pub(super) fn burier(fate: Fate) {
    let region = half_written(Region::new(3));
    let (victim, victim_locker) = open(&region, 1);
    let (other, other_locker) = open(&region, 2);
    let victim = victim.run_victim(fate, move |me| write(me, &victim_locker));
    let other = other.run(move |me| assert!(write(me, &other_locker), "dirty is kept"));
    let me = Process::new(&region, 3);
    let locker = me.claim(0);
    assert!(write(&me, &locker), "dirty is kept");
    victim.end();
    other.end();
    audit(&me, &locker, true);
}

/// A reader is killed while it buries a dead writer, next to a writer that tries to bury it.
pub(super) fn burying_reader(fate: Fate) {
    let region = half_written(Region::new(3));
    let (victim, victim_locker) = open(&region, 1);
    let (me, locker) = open(&region, 2);
    let victim = victim.run_victim(fate, move |me| read(me, &victim_locker));
    assert!(write(&me, &locker), "dirty is kept");
    victim.end();
    audit(&me, &locker, true);
}

/// A region whose first slot's owner died as it read.
fn half_read(region: Region) -> Rc<Region> {
    let region = region.shared();
    let (dead, locker) = open(&region, 0);
    assert_eq!(locker.read(&dead, NO), Ok(()));
    dead.free_claims();
    region
}

/// A writer is killed while it buries a dead reader, next to the slot's new owner, which reads.
pub(super) fn reader_burier(fate: Fate) {
    let region = half_read(Region::new(2));
    let (victim, victim_locker) = open(&region, 1);
    let victim = victim.run_victim(fate, move |me| write(me, &victim_locker));
    let me = Process::new(&region, 2);
    let locker = me.claim(0);
    read(&me, &locker);
    victim.end();
    audit(&me, &locker, false);
}

/// As above, next to another writer that tries to bury it, and the slot's new owner.
pub(super) fn reader_buriers(fate: Fate) {
    let region = half_read(Region::new(3));
    let (victim, victim_locker) = open(&region, 1);
    let (other, other_locker) = open(&region, 2);
    let victim = victim.run_victim(fate, move |me| write(me, &victim_locker));
    let other = other.run(move |me| write(me, &other_locker));
    let me = Process::new(&region, 3);
    let locker = me.claim(0);
    victim.end();
    other.end();
    audit(&me, &locker, false);
}

/// The handle that takes the slot of a dead writer is killed next to a writer.
pub(super) fn new_owner(fate: Fate) {
    let region = half_written(Region::new(2));
    let (me, locker) = open(&region, 1);
    let victim = Process::new(&region, 2).run_victim(fate, |me| {
        let locker = me.claim(0);
        assert!(write(me, &locker), "dirty is kept");
    });
    assert!(write(&me, &locker), "dirty is kept");
    victim.end();
    audit(&me, &locker, true);
}

/// A writer is killed while another may sleep, waiting for it; a reader comes and buries it. Slices
/// are off.
pub(super) fn burier_wakes(fate: Fate) {
    let region = Region::new(3).without_slices().shared();
    let (victim, victim_locker) = open(&region, 0);
    let (other, other_locker) = open(&region, 1);
    let (me, locker) = open(&region, 2);
    let victim = victim.run_victim(fate, move |me| write(me, &victim_locker));
    let other = other.run(move |me| write(me, &other_locker));
    victim.end();
    read(&me, &locker);
    other.end();
    audit(&me, &locker, may_have_written(fate));
}

/// A reader is killed while a writer may sleep, waiting for it; its slot is claimed anew. Slices
/// are off.
pub(super) fn new_owner_wakes(fate: Fate) {
    let region = Region::new(2).without_slices().shared();
    let (victim, victim_locker) = open(&region, 0);
    let (writer, writer_locker) = open(&region, 1);
    let victim = victim.run_victim(fate, move |me| {
        assert_eq!(victim_locker.read(me, EVER), Ok(()));
        look(me, &victim_locker);
        // A death when all is read.
        me.reached(CrashPoint::ReaderReads);
        victim_locker.unread(me);
    });
    let writer = writer.run(move |me| write(me, &writer_locker));
    let me = Process::new(&region, 2);
    let locker = me.claim(0);
    writer.end();
    victim.end();
    audit(&me, &locker, false);
}
