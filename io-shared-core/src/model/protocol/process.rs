//! A process of the model: what the protocol runs on, and what can die.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::Ordering::{self, Acquire, Relaxed, SeqCst};

use loom::sync::atomic::{AtomicU8, AtomicU64};

use super::words::{Buffer, Messages, Region};
use crate::crash_point::CrashPoint;
use crate::model::kernel::Futex;
use crate::model::mutant::{self, Mutant, Operation};
use crate::model::victim::{Killable, Mortal};
use crate::model::words::{Shared, fence, slot_accessors};
use crate::protocol::{self, Exchange, Fault, Latest, Word, Words};

/// One process, or one more thread of it under the same number.
pub(crate) struct Process {
    pub(super) region: Rc<Region>,
    number: u32,
    latest: LatestWord,
    mortal: Rc<Mortal>,
    /// How many buffers it has mapped.
    mapped: Cell<usize>,
    /// What a mutant scan takes for the pool.
    early_pool: Shared<AtomicU64>,
    /// What a mutant joiner has still to store in `used`.
    late_used: Cell<Option<u64>>,
    /// Whether it claims a history.
    asks: Cell<bool>,
    /// The same process in other regions: it dies in all.
    also: RefCell<Vec<Rc<Region>>>,
}

/// `latest`, as one process sees it.
pub(crate) struct LatestWord {
    region: Rc<Region>,
    read: Cell<u64>,
    published: Cell<bool>,
}

impl Process {
    pub(crate) fn new(region: &Rc<Region>, number: u32) -> Self {
        let latest = LatestWord {
            region: Rc::clone(region),
            read: Cell::new(0),
            published: Cell::new(false),
        };
        let mortal = Rc::new(Mortal::spared());
        Self {
            region: Rc::clone(region),
            number,
            latest,
            mortal,
            mapped: Cell::new(region.mapped_at_first),
            early_pool: Shared::new(AtomicU64::new(region.mapped_at_first as u64)),
            late_used: Cell::new(None),
            asks: Cell::new(false),
            also: RefCell::default(),
        }
    }

    /// The same process in another region.
    pub(super) fn also_in(&self, region: &Rc<Region>) -> Self {
        self.also.borrow_mut().push(Rc::clone(region));
        Self { mortal: Rc::clone(&self.mortal), ..Self::new(region, self.number) }
    }

    /// What [`sleep_any`](crate::protocol::sleep_any) is to wait by.
    pub(super) fn wait_any(awaited: Vec<(&Self, u32)>) {
        let futexes: Vec<_> = awaited.iter().map(|(process, _)| &process.region.futex).collect();
        Futex::wait_any(&futexes, || awaited.iter().all(|&(me, low)| me.low() == low));
    }

    fn low(&self) -> u32 {
        self.region.latest.look() as u32
    }

    pub(super) fn claim_consumer(&self, consumer: usize) {
        self.region.consumers[consumer].claim.take(self.number);
    }

    pub(super) fn has_consumer(&self, consumer: usize) -> bool {
        self.region.consumers[consumer].claim.is_of(self.number)
    }

    /// Joins in a slot, whose claim this process has.
    pub(super) fn join(&self, slot: usize, holds: usize) {
        self.region.lock.take(self.number);
        self.join_locked(slot, holds);
        self.region.lock.free(self.number);
    }

    /// As `join`, with the region's lock.
    pub(crate) fn join_locked(&self, slot: usize, holds: usize) {
        if mutant::is(Mutant::GrantShrinks) {
            self.grant(slot).store(holds.min(protocol::entries(self, slot)) as u8, Relaxed);
        }
        let reserve = |from, to| self.reserve(from, to);
        assert_eq!(protocol::join(self, slot, holds, reserve), Ok(true));
        if mutant::take_owed() {
            self.late_used.set(Some(slot as u64 + 1));
        }
    }

    fn reserve(&self, from: u64, to: u64) -> Result<(), ()> {
        for buffer in &self.region.buffers[from as usize..to as usize] {
            // SAFETY: loom hands out the pointer for this closure alone, and ends the run if any
            // other access is not ordered with it.
            buffer.reserved.with_mut(|reserved| unsafe { *reserved = true });
        }
        Ok(())
    }

    /// Asks for a history, and says so before.
    pub(super) fn ask_for_history(&self, kept: u64) {
        self.asks.set(true);
        self.region.asking.fetch_add(1, Relaxed);
        self.region.lock.take(self.number);
        let reserve = |from, to| self.reserve(from, to);
        assert_eq!(protocol::keep_history(self, kept, reserve), Ok(true));
        self.region.lock.free(self.number);
    }

    /// The producer's look whether anybody asks for one.
    pub(super) fn look_at_history(&self) {
        protocol::end_history(self, || self.region.asking.load(Relaxed) != 0);
    }

    /// When nothing goes on any more: there are buffers for all entries.
    pub(crate) fn audit_pool(&self) {
        let slots = 0..self.consumer_slots();
        let granted: usize = slots.map(|slot| protocol::entries(self, slot)).sum();
        let pool = self.pool().load(Relaxed);
        let kept = protocol::history(self).kept;
        assert!(granted as u64 + kept + 2 <= pool, "{granted} entries and {pool} buffers");
    }

    pub(super) fn claim_producer(&self) {
        self.region.producer.take(self.number);
    }

    /// What the kernel does when a process is gone, or when its descriptors are closed for it.
    pub(crate) fn free_claims(&self) {
        for region in std::iter::once(&self.region).chain(self.also.borrow().iter()) {
            region.producer.free(self.number);
            region.lock.free(self.number);
            region.consumers.iter().for_each(|consumer| consumer.claim.free(self.number));
            if self.asks.take() {
                region.asking.fetch_sub(1, Relaxed);
            }
        }
    }
}

impl Killable for Process {
    fn set_mortal(&mut self, mortal: Mortal) {
        self.mortal = Rc::new(mortal);
    }

    fn gone(&self, _killed: bool) {
        self.free_claims();
    }
}

impl Words for Process {
    /// More than `latest` moves in any scenario: `Busy` needs more puts than a model can bear, and
    /// 64 tries would only make a mutant's endless loop longer.
    const TRIES: usize = 8;

    type Latest = LatestWord;
    type Count = Shared<AtomicU64>;
    type Flag = Shared<AtomicU8>;
    type Set = Shared<AtomicU64>;
    type History = Shared<AtomicU64>;

    slot_accessors!();

    fn used(&self) -> &Self::Count {
        if mutant::is(Mutant::PoolFirst) {
            // A scan begins.
            self.early_pool.atom.store(self.region.pool.load(Acquire), Relaxed);
        }
        &self.region.used
    }

    fn pool(&self) -> &Self::Count {
        let early = mutant::is(Mutant::PoolFirst) && self.region.producer.is_of(self.number);
        if early { &self.early_pool } else { &self.region.pool }
    }

    fn is_mapped(&self, buffer: usize) -> bool {
        buffer < self.mapped.get()
    }

    fn map(&self, buffer: usize) -> Result<(), Fault> {
        for buffer in &self.region.buffers[self.mapped.get()..=buffer] {
            // SAFETY: as in `join`.
            let reserved = buffer.reserved.with(|reserved| unsafe { *reserved });
            assert!(reserved, "a buffer is mapped that is not reserved");
        }
        self.mapped.set(buffer + 1);
        Ok(())
    }

    fn latest(&self) -> &LatestWord {
        &self.latest
    }

    #[track_caller]
    fn fence(&self, order: Ordering) {
        fence(&self.region.fences, order);
    }

    fn wake(&self) -> usize {
        let late = mutant::is(Mutant::WakeFirst) || mutant::is(Mutant::WakeNever);
        if late || mutant::is(Mutant::WakeOnlyAfterPut) && !self.latest.published.get() {
            return 0;
        }
        self.region.futex.wake()
    }

    fn wait(&self, low: u32, _until: u64) {
        self.region.futex.wait(|| self.low() == low);
    }

    #[track_caller]
    fn win(&self, consumer: usize) -> bool {
        let won = mutant::is_at(Location::caller(), Operation::Win, Mutant::Won);
        self.region.consumers[consumer].claim.try_take(self.number) || won
    }

    #[track_caller]
    fn unwin(&self, consumer: usize) {
        if !mutant::is_at(Location::caller(), Operation::Unwin, Mutant::NotFreed) {
            self.region.consumers[consumer].claim.free(self.number);
        }
    }

    fn reached(&self, point: CrashPoint) {
        if point == CrashPoint::GetSeen
            && let Some(used) = self.late_used.take()
        {
            self.region.used.atom.store(used, Relaxed);
        }
        self.mortal.reached(point);
    }
}

impl Messages for Process {
    fn write(&self, buffer: usize, message: [u64; 2]) {
        self.region.buffers[buffer].payload.write(message);
    }

    fn read(&self, buffer: usize) -> [u64; 2] {
        self.region.buffers[buffer].payload.read()
    }

    fn tag(&self, sequence: u64) -> u64 {
        if self.region.tags { 200 + sequence } else { 0 }
    }
}

impl Word<u64> for LatestWord {
    #[track_caller]
    fn load(&self, order: Ordering) -> u64 {
        self.region.latest.load(&self.read, order)
    }

    #[track_caller]
    fn store(&self, _value: u64, _order: Ordering) {
        panic!("`latest` is only ever exchanged");
    }
}

impl Exchange<u64> for LatestWord {
    #[track_caller]
    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        let publishes = Latest::unpack(new).sequence > Latest::unpack(current).sequence;
        if publishes && mutant::is(Mutant::WakeFirst) {
            loom::sync::atomic::fence(SeqCst);
            if self.region.asleep.atom.load(Relaxed) != 0 {
                self.region.futex.wake();
            }
        }
        self.published.set(self.published.get() || publishes);
        self.region.latest.exchange(current, new, success, failure)
    }
}
