//! Eight consumers join, get, sleep, die and come back, while producers take over from one another.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering::{self, Relaxed};

use shuttle::sync::atomic::{AtomicU8, AtomicU64};
use shuttle::thread;

use super::kernel::{Claim, Futex};
use super::{Fate, any, rage};
use crate::crash_point::CrashPoint;
use crate::model::protocol::audit::{Audit, put, read};
use crate::model::protocol::words::Messages;
use crate::model::victim;
use crate::model::words::slot_accessors;
use crate::protocol::{self, Bits, Consumer, Fault, OWN_BUFFERS, Producer, Which, Words, entries};

const CONSUMERS: usize = 8;
const PRODUCERS: u32 = 3;
/// How often each of them may die.
const DEATHS: u32 = 2;
/// The sender of the last value.
const LAST: u64 = 7;

#[derive(Default)]
struct Buffer {
    sequence: AtomicU64,
    length: AtomicU64,
    stamp: AtomicU64,
    tag: AtomicU64,
    payload: [AtomicU64; 2],
}

#[derive(Default)]
struct ConsumerBlock {
    held: [AtomicU8; 1],
    grant: AtomicU8,
    taken: AtomicU64,
    last_seen: AtomicU64,
    claim: Claim,
}

#[derive(Default)]
struct Region {
    latest: AtomicU64,
    incarnation: AtomicU64,
    filled: AtomicU64,
    asleep: AtomicU64,
    following: AtomicU64,
    used: AtomicU64,
    pool: AtomicU64,
    history: AtomicU64,
    inline: [AtomicU64; 5],
    stores_inline: bool,
    is_large: bool,
    retired: AtomicU8,
    producer: Claim,
    /// The region's own lock.
    lock: Claim,
    consumers: [ConsumerBlock; CONSUMERS],
    buffers: [Buffer; CONSUMERS + 2],
    futex: Futex,
}

struct Process {
    region: Arc<Region>,
    number: u32,
    fate: Fate,
    slices: Cell<u64>,
}

impl Process {
    /// Lives and, killed or at its end, is gone.
    fn live(region: &Arc<Region>, number: u32, fate: Fate, life: impl FnOnce(&Self)) -> bool {
        let me = Self { region: Arc::clone(region), number, fate, slices: Cell::new(0) };
        let lived = victim::live(|| life(&me)).is_some();
        region.producer.free(number);
        region.lock.free(number);
        region.consumers.iter().for_each(|consumer| consumer.claim.free(number));
        lived
    }

    /// Joins in a slot, whose claim this process has.
    fn join(&self, slot: usize) {
        self.region.lock.take(self.number);
        assert_eq!(protocol::join(self, slot, 1, |_, _| Ok::<(), ()>(())), Ok(true));
        self.region.lock.free(self.number);
    }
}

impl Words for Process {
    const TRIES: usize = usize::MAX;

    type Latest = AtomicU64;
    type Count = AtomicU64;
    type Flag = AtomicU8;
    type Set = AtomicU64;
    type History = AtomicU64;

    slot_accessors!();

    fn used(&self) -> &AtomicU64 {
        &self.region.used
    }

    fn pool(&self) -> &AtomicU64 {
        &self.region.pool
    }

    fn is_mapped(&self, buffer: usize) -> bool {
        buffer < CONSUMERS + 2
    }

    fn map(&self, _: usize) -> Result<(), Fault> {
        panic!("all buffers are there from the start")
    }

    fn latest(&self) -> &AtomicU64 {
        &self.region.latest
    }

    fn fence(&self, _: Ordering) {}

    fn wake(&self) -> usize {
        self.region.futex.wake()
    }

    fn wait(&self, low: u32, _until: u64) {
        self.region.futex.wait(&self.slices, || self.region.latest.load(Relaxed) as u32 == low);
    }

    fn win(&self, consumer: usize) -> bool {
        self.region.consumers[consumer].claim.try_take(self.number)
    }

    fn unwin(&self, consumer: usize) {
        self.region.consumers[consumer].claim.free(self.number);
    }

    fn reached(&self, point: CrashPoint) {
        self.fate.reached(point);
    }
}

impl Bits for AtomicU64 {
    fn insert(&self, bits: u64, order: Ordering) {
        self.fetch_or(bits, order);
    }

    fn remove(&self, bits: u64, order: Ordering) {
        self.fetch_and(!bits, order);
    }
}

impl Messages for Process {
    fn write(&self, buffer: usize, message: [u64; 2]) {
        let payload = self.region.buffers[buffer].payload.iter();
        payload.zip(message).for_each(|(word, half)| word.store(half, Relaxed));
    }

    fn read(&self, buffer: usize) -> [u64; 2] {
        self.region.buffers[buffer].payload.each_ref().map(|word| word.load(Relaxed))
    }
}

/// Gets and sleeps until it has the last value; killed, another comes, or itself again.
fn consume(region: &Arc<Region>, slot: usize) {
    for life in 0.. {
        let number = 100 * (1 + slot as u32) + life;
        let fate = if life < DEATHS { Fate::within(40) } else { Fate::never() };
        let lived = Process::live(region, number, fate, |me| {
            me.region.consumers[slot].claim.take(number);
            me.join(slot);
            let resumes = any(2) == 0;
            let mut consumer = Consumer::take_over(me, slot, entries(me, slot), resumes).unwrap();
            if resumes && has_had_last(me, &mut consumer) {
                return;
            }
            let start = me.last_seen(slot).load(Relaxed);
            Audit::new(me, &mut consumer, start).get_until(|_, sender| sender == LAST);
        });
        if lived {
            return;
        }
    }
}

/// Whether the consumer that has come back has received the last value, and will get no other.
fn has_had_last(me: &Process, consumer: &mut Consumer) -> bool {
    if consumer.has_unseen(me) {
        return false;
    }
    let Some(current) = consumer.protect(me, Which::Current).unwrap() else { return false };
    read(me, current) == LAST
}

/// Takes the role, puts a few values and leaves; killed, another follows.
fn produce(region: &Arc<Region>, producer: u32) {
    for life in 0..=DEATHS {
        Process::live(region, 10 * (1 + producer) + life, Fate::within(20), |me| {
            me.region.producer.take(me.number);
            let mut producer = Producer::take_over(me).unwrap();
            for _ in 0..=any(3) {
                put(me, &mut producer, 0).unwrap();
            }
        });
    }
}

fn storm() {
    let (stores_inline, is_large) = (any(2) == 0, any(2) == 0);
    let region = Arc::new(Region {
        stores_inline,
        is_large,
        pool: AtomicU64::new(OWN_BUFFERS),
        ..Region::default()
    });
    let producers = (0..PRODUCERS).map(|producer| {
        let region = Arc::clone(&region);
        thread::spawn(move || produce(&region, producer))
    });
    let producers: Vec<_> = producers.collect();
    let consumers = (0..CONSUMERS).map(|slot| {
        let region = Arc::clone(&region);
        thread::spawn(move || consume(&region, slot))
    });
    let consumers: Vec<_> = consumers.collect();
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    Process::live(&region, 1, Fate::never(), |me| {
        me.region.producer.take(me.number);
        let mut producer = Producer::take_over(me).unwrap();
        // Enough wakes for a burial, if enough of them wake nobody.
        for _ in 0..16 {
            producer.wake(me);
        }
        put(me, &mut producer, LAST).unwrap();
    });
    consumers.into_iter().for_each(|consumer| consumer.join().unwrap());
    assert_eq!(region.asleep.load(Relaxed), 0, "nobody waits any more");
    assert_eq!(region.used.load(Relaxed), CONSUMERS as u64);
    assert_eq!(region.pool.load(Relaxed), CONSUMERS as u64 + OWN_BUFFERS);
}

#[test]
fn eight_consumers_and_a_row_of_producers_die_and_come_back() {
    rage("eight consumers and a row of producers", 1_500, storm);
}
