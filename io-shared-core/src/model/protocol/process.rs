//! A process of the model: what the protocol runs on, and what can die.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::Ordering::{self, Relaxed, SeqCst};

use loom::sync::atomic::{AtomicU8, AtomicU64};

use super::words::{self, Buffer, Region};
use crate::crash_point::CrashPoint;
use crate::model::kernel::Futex;
use crate::model::mutant::{self, Mutant, Operation};
use crate::model::victim::{self, Mortal};
pub(super) use crate::model::victim::{Fate, Running};
use crate::model::words::Shared;
use crate::protocol::{Exchange, Header, Inline, Latest, MAX_INLINE_WORDS, Word, Words};

/// One process, or one more thread of it under the same number.
pub(crate) struct Process {
    pub(super) region: Rc<Region>,
    number: u32,
    latest: LatestWord,
    mortal: Rc<Mortal>,
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
        Self { region: Rc::clone(region), number, latest, mortal, also: RefCell::default() }
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
        self.region.latest_loads.load(|| self.region.latest.load(Relaxed)) as u32
    }

    /// Runs `life` in a thread of its own.
    pub(super) fn run<R: 'static>(self, life: impl FnOnce(&Self) -> R + 'static) -> Running<R> {
        Running::start(move || Some(life(&self)))
    }

    /// Runs `life` in a thread of its own as the scenario's victim, which may die at `fate`. Dead or
    /// at its end, its claims are free.
    pub(super) fn run_victim<R: 'static>(
        mut self,
        fate: Fate,
        life: impl FnOnce(&Self) -> R + 'static,
    ) -> Running<R> {
        self.mortal = Rc::new(Mortal::victim(fate));
        Running::start(move || {
            let lived = victim::live(|| life(&self));
            self.free_claims();
            lived
        })
    }

    pub(super) fn claim_consumer(&self, consumer: usize) {
        self.region.consumers[consumer].claim.take(self.number);
    }

    pub(super) fn has_consumer(&self, consumer: usize) -> bool {
        self.region.consumers[consumer].claim.is_of(self.number)
    }

    pub(super) fn claim_producer(&self) {
        self.region.producer.take(self.number);
    }

    /// What the kernel does when a process is gone, or when its descriptors are closed for it.
    pub(crate) fn free_claims(&self) {
        for region in std::iter::once(&self.region).chain(self.also.borrow().iter()) {
            region.producer.free(self.number);
            region.consumers.iter().for_each(|consumer| consumer.claim.free(self.number));
        }
    }
}

impl Words for Process {
    /// More than `latest` moves in any scenario: `Busy` needs more puts than a model can bear, and
    /// 64 tries would only make a mutant's endless loop longer.
    const TRIES: usize = 8;

    type Latest = LatestWord;
    type Count = Shared<AtomicU64>;
    type Flag = Shared<AtomicU8>;

    fn consumer_slots(&self) -> usize {
        self.region.consumers.len()
    }

    fn holds(&self) -> usize {
        self.region.consumers.first().map_or(0, |consumer| consumer.held.len())
    }

    fn buffers(&self) -> usize {
        self.region.buffers.len()
    }

    fn is_large(&self) -> bool {
        self.region.is_large
    }

    fn latest(&self) -> &LatestWord {
        &self.latest
    }

    fn incarnation(&self) -> &Self::Count {
        &self.region.incarnation
    }

    fn filled(&self) -> &Self::Count {
        &self.region.filled
    }

    fn retired(&self) -> &Self::Flag {
        &self.region.retired
    }

    fn waiting(&self, consumer: usize) -> &Self::Flag {
        &self.region.consumers[consumer].waiting
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

    fn header(&self, buffer: usize) -> Header<'_, Self::Count> {
        let Buffer { sequence, length, stamp, .. } = &self.region.buffers[buffer];
        Header { sequence, length, stamp }
    }

    fn lost(&self) -> u64 {
        0
    }

    fn stores_inline(&self) -> bool {
        self.region.stores_inline
    }

    fn inline(&self) -> Inline<'_, Self::Count> {
        let words::Inline { mark, stamp, message } = &self.region.inline;
        Inline { mark, stamp, message }
    }

    fn written(&self, buffer: usize) -> [u64; MAX_INLINE_WORDS] {
        let [first, second] = self.region.buffers[buffer].payload.read();
        [first, second, 0, 0, 0]
    }

    #[track_caller]
    fn fence(&self, order: Ordering) {
        match mutant::order(Location::caller(), Operation::Fence, order) {
            Relaxed => {}
            order => {
                if order == SeqCst {
                    self.region.fences.pass();
                }
                loom::sync::atomic::fence(order);
            }
        }
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

    // A process of the model sleeps in one thread for each of its consumers.
    fn first_asleep(&self, raise: impl FnOnce()) {
        raise();
    }

    fn last_awake(&self, lower: impl FnOnce()) {
        lower();
    }

    fn win(&self, consumer: usize) -> bool {
        self.region.consumers[consumer].claim.try_take(self.number) || mutant::is(Mutant::WinAlways)
    }

    fn unwin(&self, consumer: usize) {
        if !mutant::is(Mutant::UnwinNever) {
            self.region.consumers[consumer].claim.free(self.number);
        }
    }

    fn reached(&self, point: CrashPoint) {
        self.mortal.reached(point);
    }
}

impl Word<u64> for LatestWord {
    #[track_caller]
    fn load(&self, order: Ordering) -> u64 {
        let place = Location::caller();
        let order = mutant::order(place, Operation::Load, order);
        if !mutant::is(Mutant::Repeated(place)) {
            self.read.set(self.region.latest_loads.load(|| self.region.latest.load(order)));
        }
        self.read.get()
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
        let place = Location::caller();
        let success = mutant::order(place, Operation::Exchange, success);
        let failure = mutant::order(place, Operation::Failure, failure);
        let publishes = Latest::unpack(new).sequence > Latest::unpack(current).sequence;
        if publishes && mutant::is(Mutant::WakeFirst) {
            loom::sync::atomic::fence(SeqCst);
            if self.region.consumers.iter().any(|consumer| consumer.waiting.atom.load(Relaxed) != 0)
            {
                self.region.futex.wake();
            }
        }
        self.published.set(self.published.get() || publishes);
        if mutant::is(Mutant::Dropped(place)) {
            return Ok(current);
        }
        self.region.latest_loads.store();
        if mutant::is(Mutant::Plain(place)) {
            self.region.latest.store(new, success);
            return Ok(current);
        }
        self.region.latest.compare_exchange(current, new, success, failure)
    }
}
