//! What is tried while somebody is killed, at each crash point in turn.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use super::ahead::{Copying, copy_in, expecting};
use super::audit::{Audit, consume, produce, publish_numbered, put, put_in_a_thread, read};
use super::process::Process;
use super::words::{Region, Shape};
use crate::crash_point::CrashPoint;
use crate::model::victim::{Fate, Killable, Running};
use crate::protocol::{
    Bits, Consumer, Producer, Which, Word, Words, entries, is_asleep, sleep_any,
};

/// The sender of the value that a consumer waits for.
const LAST: u64 = 7;

pub(super) fn consumer(fate: Fate) {
    killed_consumer(fate, false);
}

pub(super) fn resuming_consumer(fate: Fate) {
    killed_consumer(fate, true);
}

/// A consumer is killed; another takes its slot. The producer never runs short of buffers.
fn killed_consumer(fate: Fate, resumes: bool) {
    let last = 4;
    let region = Region::new(Shape::of(1, 1));
    let (peer, mut producer) = produce(&region);
    put(&peer, &mut producer, 0).unwrap();
    put(&peer, &mut producer, 0).unwrap();
    // What the victim has received: its death cannot undo a get that has returned.
    let had = Rc::new(Cell::new(0));
    let victim = {
        let had = Rc::clone(&had);
        Process::new(&region, 1).run_victim(fate, move |me| {
            me.claim_consumer(0);
            let mut consumer = Consumer::take_over(me, 0, entries(me, 0), resumes).unwrap();
            loop {
                match consumer.protect(me, Which::Unseen).unwrap() {
                    Some(hold) => {
                        had.set(hold.sequence);
                        read(me, hold);
                        // A death while the user reads, as late as can be.
                        me.reached(CrashPoint::GetSeen);
                        if hold.sequence == 2 {
                            // As a guard that another thread drops.
                            consumer.part_with(hold.entry);
                            consumer.seat().release(me, hold.entry);
                        }
                        if hold.sequence == last {
                            return;
                        }
                    }
                    None => consumer.sleep(me, 0),
                }
            }
        })
    };
    let putting = peer.run(move |me| {
        for _ in 2..last {
            put(me, &mut producer, 0).unwrap();
        }
    });
    victim.end();
    let me = Process::new(&region, 2);
    me.claim_consumer(0);
    let mut consumer = Consumer::take_over(&me, 0, entries(&me, 0), resumes).unwrap();
    assert!(!is_asleep(&me, 0), "the slot is awake again");
    let start = me.last_seen(0).load(Relaxed);
    let had = had.get();
    if resumes {
        assert!(start >= had, "{had} was received, and would come again after {start}");
    }
    let mut audit = Audit::new(&me, &mut consumer, start);
    if !resumes {
        assert!(audit.get().is_some(), "the current value is unseen");
    }
    putting.end();
    audit.end(last);
}

/// A consumer of two channels is killed as it waits for both, during a put in each; others take its
/// slots.
pub(super) fn waiter_on_two(fate: Fate) {
    let first = Region::new(Shape::of(1, 1));
    let regions = [first.beside(Shape::of(1, 1)), first];
    let producers = regions.each_ref().map(|region| {
        let (peer, mut producer) = produce(region);
        peer.run(move |me| put(me, &mut producer, 0).unwrap())
    });
    let victim = {
        let second = Rc::clone(&regions[1]);
        Process::new(&regions[0], 1).run_victim(fate, move |me| {
            let also = me.also_in(&second);
            let consumers = [me, &also].map(|me| {
                me.claim_consumer(0);
                (me, Consumer::take_over(me, 0, entries(me, 0), false).unwrap())
            });
            sleep_any(consumers.iter().map(|(me, consumer)| (*me, consumer)), Process::wait_any);
            assert!(
                consumers.iter().any(|(me, consumer)| consumer.has_unseen(*me)),
                "woken for a value"
            );
        })
    };
    victim.end();
    for putting in producers {
        putting.end();
    }
    for region in &regions {
        let me = Process::new(region, 2);
        me.claim_consumer(0);
        let mut consumer = Consumer::take_over(&me, 0, entries(&me, 0), false).unwrap();
        Audit::new(&me, &mut consumer, 0).end(1);
    }
}

/// A producer that puts once, or dies.
fn killed_producer(region: &Rc<Region>, fate: Fate) -> Running<()> {
    Process::new(region, 3).run_victim(fate, move |me| {
        me.claim_producer();
        let mut producer = Producer::take_over(me).unwrap();
        put(me, &mut producer, 1).unwrap();
    })
}

/// A consumer to which a producer that is gone has left a value.
fn consume_a_first_value(region: &Rc<Region>) -> (Process, Consumer) {
    let (before, mut producer) = produce(region);
    let consumer = consume(region, 0);
    put(&before, &mut producer, 0).unwrap();
    before.free_claims();
    consumer
}

/// A producer is killed as it copies a value into a buffer that is read ahead; its successor copies
/// another one in.
pub(super) fn copying_producer(fate: Fate) {
    let region = Region::new(Shape::of(1, 1).read_ahead());
    let (before, _, me, mut consumer) = expecting(&region);
    before.free_claims();
    let producers = Process::new(&region, 3).run_victim(fate, |me| {
        me.claim_producer();
        let mut producer = Producer::take_over(me).unwrap();
        copy_in(me, &mut producer, 1).unwrap();
    });
    let mut copying = Copying::new(Audit::new(&me, &mut consumer, 2));
    copying.read_ahead();
    producers.end();
    let successor = Process::new(&region, 4).run(|me| {
        me.claim_producer();
        let mut producer = Producer::take_over(me).unwrap();
        copy_in(me, &mut producer, 2).unwrap()
    });
    copying.read_ahead();
    copying.get();
    let last = successor.end().unwrap();
    copying.audit.end(last);
}

/// A producer is killed as it stores a value inline, or just after that. The consumer gets what is
/// published, and the successor's values are stored inline again.
pub(super) fn inline_producer(fate: Fate) {
    let region = Region::new(Shape::of(1, 1).storing_inline());
    let (peer, mut consumer) = consume_a_first_value(&region);
    let victim = killed_producer(&region, fate);
    let mut audit = Audit::new(&peer, &mut consumer, 0);
    assert!(audit.get().is_some());
    victim.end();
    let me = Process::new(&region, 4);
    me.claim_producer();
    let mut producer = Producer::take_over(&me).unwrap();
    let last = put(&me, &mut producer, LAST).unwrap();
    assert!((2..=3).contains(&last), "the sequence goes on");
    assert_eq!(audit.get(), Some(last));
    assert_eq!(audit.sender, LAST);
    audit.end(last);
}

/// A producer is killed; another takes its role and puts, while a consumer gets.
pub(super) fn producer(fate: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (peer, mut consumer) = consume_a_first_value(&region);
    let victim = killed_producer(&region, fate);
    let getting = peer.run(move |me| {
        let mut audit = Audit::new(me, &mut consumer, 0);
        let first = audit.get();
        let second = audit.get();
        (second.or(first).unwrap(), consumer)
    });
    victim.end();
    let me = Process::new(&region, 4);
    me.claim_producer();
    let mut producer = Producer::take_over(&me).unwrap();
    let next = put(&me, &mut producer, LAST).unwrap();
    assert!((2..=3).contains(&next), "the sequence goes on");
    let last = put(&me, &mut producer, LAST).unwrap();
    let (seen, mut consumer) = getting.end().unwrap();
    Audit::new(&me, &mut consumer, seen).end(last);
}

/// A producer is killed as it puts under a number far ahead; another goes on from the last that was
/// published.
pub(super) fn jumping_producer(fate: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (peer, mut consumer) = consume_a_first_value(&region);
    let victim = Process::new(&region, 3).run_victim(fate, move |me| {
        me.claim_producer();
        let mut producer = Producer::take_over(me).unwrap();
        publish_numbered(me, &mut producer, 1, 9).unwrap();
    });
    victim.end();
    let me = Process::new(&region, 4);
    me.claim_producer();
    let producer = Producer::take_over(&me).unwrap();
    let next = producer.sequence() + 1;
    assert!(next == 2 || next == 10, "the jump was published, or was not made: {next}");
    let putting = put_in_a_thread(me, producer, 1);
    let mut audit = Audit::new(&peer, &mut consumer, 0);
    audit.get();
    putting.end();
    audit.end(next);
}

/// A consumer has announced the buffer of a value whose producer is killed; another takes the role
/// and puts during its get.
pub(super) fn expected_producer(fate: Fate) {
    let region = Region::new(Shape::of(1, 1).with_heads());
    let (peer, mut consumer) = consume_a_first_value(&region);
    let mut audit = Audit::new(&peer, &mut consumer, 0);
    assert!(audit.get().is_some());
    assert_eq!(audit.get(), None);
    killed_producer(&region, fate).end();
    let successor = Process::new(&region, 4).run(|me| {
        me.claim_producer();
        let mut producer = Producer::take_over(me).unwrap();
        put(me, &mut producer, LAST).unwrap();
        put(me, &mut producer, LAST).unwrap()
    });
    audit.get();
    let last = successor.end().unwrap();
    audit.end(last);
}

/// A producer is killed, perhaps between its publish and its wake; its successor takes over and
/// puts only if there was no value. The sleeper is woken either way.
pub(super) fn unwoken(fate: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (me, mut consumer) = consume(&region, 0);
    let victim = killed_producer(&region, fate);
    let getting = me.run(move |me| {
        let mut audit = Audit::new(me, &mut consumer, 0);
        audit.get_until(|_, _| true);
    });
    victim.end();
    let me = Process::new(&region, 4);
    me.claim_producer();
    let mut producer = Producer::take_over(&me).unwrap();
    if producer.sequence() == 0 {
        put(&me, &mut producer, LAST).unwrap();
    }
    getting.end();
}

/// A producer is killed and nobody follows. A value that it published is found when a slice ends.
pub(super) fn no_successor(fate: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (me, mut consumer) = consume(&region, 0);
    let victim = killed_producer(&region, fate);
    let getting = me.run(move |me| {
        let mut audit = Audit::new(me, &mut consumer, 0);
        if audit.get().is_none() {
            consumer.sleep(me, 0);
        }
        (is_asleep(me, 0), consumer)
    });
    victim.end();
    region.futex.end_slices();
    let (waiting, mut consumer) = getting.end().unwrap();
    assert!(!waiting);
    let me = Process::new(&region, 1);
    let start = me.last_seen(0).load(Relaxed);
    let mut audit = Audit::new(&me, &mut consumer, start);
    let published = region.latest.look() as u32;
    if start < u64::from(published) {
        assert_eq!(audit.get(), Some(u64::from(published)));
    }
}

/// A consumer died asleep. The producer, which may be killed at it, buries it while another
/// consumer takes the slot and falls asleep there: that one must wake for the next value.
pub(super) fn burial(fate: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let me = Process::new(&region, 3);
    me.claim_producer();
    let mut producer = Producer::take_over(&me).unwrap();
    put(&me, &mut producer, 0).unwrap();
    // What a consumer leaves that is killed while it sleeps.
    me.asleep(0).insert(1, Relaxed);
    for _ in 0..15 {
        producer.wake(&me);
    }
    me.free_claims();
    let victim = me.run_victim(fate, move |me| {
        me.claim_producer();
        producer.wake(me);
        assert!(!me.has_consumer(0), "a burier keeps no claim");
        assert_eq!(put(me, &mut producer, LAST), Ok(2));
    });
    let getting = Process::new(&region, 1).run(|me| {
        me.claim_consumer(0);
        let mut consumer = Consumer::take_over(me, 0, entries(me, 0), true).unwrap();
        Audit::new(me, &mut consumer, 0).get_until(|_, sender| sender == LAST);
        assert!(!is_asleep(me, 0));
    });
    if victim.end().is_none() {
        let me = Process::new(&region, 4);
        me.claim_producer();
        let mut producer = Producer::take_over(&me).unwrap();
        put(&me, &mut producer, LAST).unwrap();
    }
    getting.end();
}
