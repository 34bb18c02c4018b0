//! Eight handles write and read, die and come back.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{self, Relaxed};

use shuttle::sync::atomic::{AtomicU8, AtomicU64};
use shuttle::thread;

use super::kernel::{Claim, Futex};
use super::{Fate, any, rage};
use crate::crash_point::CrashPoint;
use crate::lock::{LockWords, Locker};
use crate::model::lock::words::Inside;
use crate::model::victim;

const SLOTS: usize = 8;
/// How often each of them may die.
const DEATHS: u32 = 2;
const EVER: u64 = u64::MAX;

#[derive(Default)]
struct Slot {
    reading: AtomicU64,
    awaiting: Futex,
    /// Written by the owner of the claim.
    incarnation: AtomicU32,
    claim: Claim,
}

#[derive(Default)]
struct Region {
    word: AtomicU64,
    dirty: AtomicU8,
    writes: AtomicU64,
    slots: [Slot; SLOTS],
    sleepers: Futex,
    watchers: Futex,
    /// Two halves, which are equal unless a writer stopped between them.
    content: [AtomicU64; 2],
    /// No thread of the storm waits for it, or sees anything by it.
    inside: std::sync::Mutex<Inside>,
}

struct Process {
    region: Arc<Region>,
    number: u32,
    fate: Fate,
    /// The slices that it knows to have ended: on the reading flags, on the lock word, and on the
    /// number of writes.
    slices: [Cell<u64>; SLOTS + 2],
}

impl Process {
    fn live(region: &Arc<Region>, number: u32, fate: Fate, life: impl FnOnce(&Self)) -> bool {
        let me = Self { region: Arc::clone(region), number, fate, slices: Default::default() };
        let lived = victim::live(|| life(&me)).is_some();
        region.inside.lock().unwrap().leave(number);
        region.slots.iter().for_each(|slot| slot.claim.free(number));
        if !lived {
            // Sleepers look again when their slice ends.
            region.sleepers.end_slices();
            region.watchers.end_slices();
            region.slots.iter().for_each(|slot| slot.awaiting.end_slices());
        }
        lived
    }

    fn look(&self, locker: &Locker) -> u64 {
        let [first, second] = self.region.content.each_ref().map(|half| half.load(Relaxed));
        assert!(locker.is_dirty(self) || first == second, "half-written, and nobody says so");
        first
    }

    fn write(&self, locker: &Locker) {
        assert_eq!(locker.lock(self, EVER), Ok(()));
        self.region.inside.lock().unwrap().write(self.number);
        let first = self.look(locker);
        self.region.content[0].store(first + 1, Relaxed);
        self.reached(CrashPoint::WriterAlone);
        self.region.content[1].store(first + 1, Relaxed);
        if any(2) == 0 {
            locker.mark_consistent(self);
        }
        self.region.inside.lock().unwrap().leave(self.number);
        locker.unlock(self);
    }

    fn read(&self, locker: &Locker) {
        assert_eq!(locker.read(self, EVER), Ok(()));
        self.region.inside.lock().unwrap().read(self.number);
        self.look(locker);
        self.reached(CrashPoint::ReaderReads);
        self.region.inside.lock().unwrap().leave(self.number);
        locker.unread(self);
    }
}

impl LockWords for Process {
    type Word = AtomicU64;
    type Reading = AtomicU64;
    type Dirty = AtomicU8;
    type Writes = AtomicU64;

    fn slots(&self) -> usize {
        SLOTS
    }

    fn word(&self) -> &AtomicU64 {
        &self.region.word
    }

    fn reading(&self, slot: usize) -> &AtomicU64 {
        &self.region.slots[slot].reading
    }

    fn dirty(&self) -> &AtomicU8 {
        &self.region.dirty
    }

    fn writes(&self) -> &AtomicU64 {
        &self.region.writes
    }

    fn fence(&self, _: Ordering) {}

    fn wait_word(&self, low: u32, _until: u64) {
        let as_expected = || self.region.word.load(Relaxed) as u32 == low;
        self.region.sleepers.wait(&self.slices[SLOTS], as_expected);
    }

    fn wake_word(&self) {
        self.region.sleepers.wake();
    }

    fn wait_reading(&self, slot: usize, _until: u64) {
        let block = &self.region.slots[slot];
        block.awaiting.wait(&self.slices[slot], || block.reading.load(Relaxed) == 1);
    }

    fn wake_reading(&self, slot: usize) {
        self.region.slots[slot].awaiting.wake();
    }

    fn wait_writes(&self, low: u32, _until: u64) {
        let as_expected = || self.region.writes.load(Relaxed) as u32 == low;
        self.region.watchers.wait(&self.slices[SLOTS + 1], as_expected);
    }

    fn wake_writes(&self) {
        self.region.watchers.wake();
    }

    fn win_slot(&self, slot: usize) -> bool {
        self.region.slots[slot].claim.try_take(self.number)
    }

    fn unwin_slot(&self, slot: usize) {
        self.region.slots[slot].claim.free(self.number);
    }

    fn reached(&self, point: CrashPoint) {
        self.fate.reached(point);
    }
}

/// Locks a few times; killed, another takes its slot.
fn take_part(region: &Arc<Region>, slot: usize) {
    for life in 0.. {
        let number = 100 * (1 + slot as u32) + life;
        let fate = if life < DEATHS { Fate::within(20) } else { Fate::never() };
        let lived = Process::live(region, number, fate, |me| {
            let block = &me.region.slots[slot];
            block.claim.take(number);
            let incarnation = 1 + block.incarnation.fetch_add(1, Relaxed);
            let locker = Locker::take_over(me, slot, incarnation);
            for _ in 0..2 {
                if any(3) == 0 {
                    me.write(&locker);
                } else {
                    me.read(&locker);
                }
            }
        });
        if lived {
            return;
        }
    }
}

fn storm() {
    let region = Arc::new(Region::default());
    let handles = (0..SLOTS).map(|slot| {
        let region = Arc::clone(&region);
        thread::spawn(move || take_part(&region, slot))
    });
    let handles: Vec<_> = handles.collect();
    handles.into_iter().for_each(|handle| handle.join().unwrap());
    assert_eq!(region.word.load(Relaxed), 0, "nobody has the lock any more");
    for slot in &region.slots {
        assert_eq!(slot.reading.load(Relaxed), 0, "nobody reads any more");
    }
}

#[test]
fn eight_handles_of_a_lock_die_and_come_back() {
    rage("eight handles of a lock", 4_000, storm);
}
