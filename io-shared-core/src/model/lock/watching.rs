//! What is tried of handles that watch for writes.

use super::process::Process;
use super::scenarios::{EVER, NO, audit, change, look, open, read, write};
use super::words::Region;
use crate::lock::{LockFault, Locker};
use crate::model::victim::{Fate, Killable};

/// Sleeps until there was a write after number `seen`. Returns how many writes a look then finds,
/// and whether the content is dirty. What it reads is what those have written.
fn watch(me: &Process, locker: &Locker, seen: u64) -> (u64, bool) {
    assert_eq!(locker.await_change(me, seen, EVER), Ok(()));
    assert_eq!(locker.read(me, EVER), Ok(()));
    let found = locker.writes(me);
    let dirty = look(me, locker);
    assert!(dirty || me.region.content.get()[0] == found, "it is told of what it cannot read");
    locker.unread(me);
    assert!(found > seen, "nothing was written");
    (found, dirty)
}

/// One watches and reads, twice, while another writes twice. No slice ends.
pub(super) fn watcher(_: Fate) {
    let region = Region::new(2).without_slices().shared();
    let (me, locker) = open(&region, 0);
    let (writer, writer_locker) = open(&region, 1);
    let writer = writer.run(move |me| {
        write(me, &writer_locker);
        write(me, &writer_locker);
    });
    let mut seen = 0;
    while seen < 2 {
        seen = watch(&me, &locker, seen).0;
    }
    writer.end();
    audit(&me, &locker, false);
}

/// Two watch while a third writes. No slice ends.
pub(super) fn two_watchers(_: Fate) {
    let region = Region::new(3).without_slices().shared();
    let (me, locker) = open(&region, 0);
    let (other, other_locker) = open(&region, 1);
    let (writer, writer_locker) = open(&region, 2);
    let other = other.run(move |me| watch(me, &other_locker, 0));
    let writer = writer.run(move |me| write(me, &writer_locker));
    watch(&me, &locker, 0);
    other.end();
    writer.end();
    audit(&me, &locker, false);
}

/// One has the lock and writes, one waits for the lock, and one watches. No slice ends.
pub(super) fn watcher_and_waiter(_: Fate) {
    let region = Region::new(3).without_slices().shared();
    let (me, locker) = open(&region, 0);
    let (waiter, waiter_locker) = open(&region, 1);
    let (watcher, watcher_locker) = open(&region, 2);
    assert_eq!(locker.lock(&me, NO), Ok(()));
    let waiter = waiter.run(move |me| read(me, &waiter_locker));
    let watcher = watcher.run(move |me| watch(me, &watcher_locker, 0));
    change(&me, &locker);
    locker.unlock(&me);
    waiter.end();
    watcher.end();
    audit(&me, &locker, false);
}

/// One watches, and a read and a try to write that fails end no wait. Then there is a write. No
/// slice ends.
pub(super) fn watched_try_in_vain(_: Fate) {
    let region = Region::new(3).without_slices().shared();
    let (me, locker) = open(&region, 0);
    let (watcher, watcher_locker) = open(&region, 1);
    let (reading, reading_locker) = open(&region, 2);
    assert_eq!(reading_locker.read(&reading, NO), Ok(()));
    let watcher = watcher.run(move |me| watch(me, &watcher_locker, 0));
    assert_eq!(locker.lock(&me, NO), Err(LockFault::Blocked));
    assert_eq!(locker.has_changed(&me, 0), Ok(false), "nothing was written");
    reading_locker.unread(&reading);
    write(&me, &locker);
    assert_eq!(watcher.end(), Some((1, false)));
    audit(&me, &locker, false);
}

/// A writer is killed at each step while another handle watches, which must see the write or the
/// death.
pub(super) fn killed_writer(fate: Fate) {
    let region = Region::new(2).shared();
    let (victim, victim_locker) = open(&region, 0);
    let (me, locker) = open(&region, 1);
    let victim = victim.run_victim(fate, move |me| write(me, &victim_locker));
    let (_, dirty) = watch(&me, &locker, 0);
    victim.end();
    assert_eq!(dirty, super::deaths::may_have_written(fate), "whether it is told of the death");
    audit(&me, &locker, dirty);
}

/// One that watches is killed before it sleeps, and another watches. No slice ends.
pub(super) fn killed_watcher(fate: Fate) {
    let region = Region::new(3).without_slices().shared();
    let (victim, victim_locker) = open(&region, 0);
    let (other, other_locker) = open(&region, 1);
    let (me, locker) = open(&region, 2);
    let victim = victim.run_victim(fate, move |me| watch(me, &victim_locker, 0));
    let other = other.run(move |me| watch(me, &other_locker, 0));
    write(&me, &locker);
    victim.end();
    other.end();
    audit(&me, &locker, false);
}

/// A writer is killed while another handle may sleep, watching; a reader comes and buries it. No
/// slice ends.
pub(super) fn burier_wakes(fate: Fate) {
    let region = Region::new(3).without_slices().shared();
    let (victim, victim_locker) = open(&region, 0);
    let (other, other_locker) = open(&region, 1);
    let (me, locker) = open(&region, 2);
    let victim = victim.run_victim(fate, move |me| write(me, &victim_locker));
    let other = other.run(move |me| watch(me, &other_locker, 0));
    victim.end();
    read(&me, &locker);
    other.end();
    audit(&me, &locker, super::deaths::may_have_written(fate));
}

/// A writer has died in the middle, and others have yet to see it: one that may sleep, watching,
/// and one that comes to read. No slice ends.
pub(super) fn late_burier(_: Fate) {
    let region = Region::new(3).without_slices().shared();
    let (dead, dead_locker) = open(&region, 0);
    let (other, other_locker) = open(&region, 1);
    let (me, locker) = open(&region, 2);
    assert_eq!(dead_locker.lock(&dead, NO), Ok(()));
    region.content.set([1, 0]);
    let other = other.run(move |me| watch(me, &other_locker, 0));
    dead.free_claims();
    assert!(read(&me, &locker), "dirty is kept");
    // A burial that another's bit comes between is counted twice.
    assert!(other.end().is_some_and(|(_, dirty)| dirty), "it is told of the death");
    audit(&me, &locker, true);
}

/// One reads while a writer that waits for it is killed and buried: it finds the content dirty, or
/// is told of a change afterwards.
pub(super) fn burial_during_a_read(fate: Fate) {
    let region = Region::new(3).shared();
    let (me, locker) = open(&region, 0);
    let (victim, victim_locker) = open(&region, 1);
    let (other, other_locker) = open(&region, 2);
    assert_eq!(locker.read(&me, NO), Ok(()));
    let victim = victim.run_victim(fate, move |me| write(me, &victim_locker));
    let other = other.run(move |me| read(me, &other_locker));
    let seen = locker.writes(&me);
    let dirty = look(&me, &locker);
    locker.unread(&me);
    victim.end();
    other.end();
    assert!(dirty || locker.has_changed(&me, seen) == Ok(true), "it knows nothing of the death");
    audit(&me, &locker, super::deaths::may_have_written(fate));
}
