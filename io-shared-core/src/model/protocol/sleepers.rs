//! Scenarios in which consumers sleep, while nobody dies.

use std::sync::atomic::Ordering::Relaxed;

use super::audit::{Audit, consume, produce, put_in_a_thread};
use super::process::Process;
use super::words::{Region, Shape};
use crate::model::victim::{Fate, Killable};
use crate::protocol::{Bits, Consumer, Producer, Word, Words, entries, is_asleep, sleep_any};

pub(super) fn one_sleeper(_: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (peer, producer) = produce(&region);
    let (me, mut consumer) = consume(&region, 0);
    let putting = put_in_a_thread(peer, producer, 3);
    let mut audit = Audit::new(&me, &mut consumer, 0);
    audit.get_until(|sequence, _| sequence == 3);
    putting.end();
    audit.end(3);
}

pub(super) fn two_sleepers(_: Fate) {
    let region = Region::new(Shape::of(2, 1));
    let (peer, producer) = produce(&region);
    let (me, mut consumer) = consume(&region, 0);
    let (other, mut other_consumer) = consume(&region, 1);
    let putting = put_in_a_thread(peer, producer, 2);
    let other = other.run(move |other| {
        Audit::new(other, &mut other_consumer, 0).get_until(|sequence, _| sequence == 2);
    });
    let mut audit = Audit::new(&me, &mut consumer, 0);
    audit.get_until(|sequence, _| sequence == 2);
    other.end();
    putting.end();
    audit.end(2);
}

/// Two channels, their producers, and one consumer that waits for both until it has received a
/// value of each.
pub(super) fn waiter_on_two(_: Fate) {
    let first = Region::new(Shape::of(1, 1));
    let second = first.beside(Shape::of(1, 1));
    let producers = [&first, &second].map(|region| {
        let (peer, producer) = produce(region);
        put_in_a_thread(peer, producer, 1)
    });
    let (me, mut consumer) = consume(&first, 0);
    let also = me.also_in(&second);
    also.claim_consumer(0);
    let mut also_consumer = Consumer::take_over(&also, 0, entries(&also, 0), false).unwrap();
    let mut audits = [Audit::new(&me, &mut consumer, 0), Audit::new(&also, &mut also_consumer, 0)];
    while audits.iter().any(|audit| audit.seen == 0) {
        sleep_any(audits.iter().map(|audit| (audit.me, &*audit.consumer)), Process::wait_any);
        for audit in &mut audits {
            audit.get();
        }
    }
    for putting in producers {
        putting.end();
    }
    audits.into_iter().for_each(|audit| audit.end(1));
}

/// One process by itself: what matters is what is left.
pub(super) fn needless_wakes(_: Fate) {
    needless_wakes_of(false);
    needless_wakes_of(true);
}

fn needless_wakes_of(follows: bool) {
    let region = Region::new(Shape { ahead: true, ..Shape::of(2, 1) });
    let (me, mut producer) = produce(&region);
    let (living, _) = consume(&region, 0);
    me.asleep(0).insert(3, Relaxed);
    me.following(0).insert(if follows { 3 } else { 0 }, Relaxed);
    for _ in 0..15 {
        Producer::rouse(&me);
        producer.wake(&me);
        assert!(is_asleep(&me, 1), "too early to look");
    }
    Producer::rouse(&me);
    producer.wake(&me);
    assert!(is_asleep(&me, 0), "a living consumer's bit is its own");
    assert!(!is_asleep(&me, 1), "the dead one is buried");
    assert_eq!(me.following(0).load(Relaxed), u64::from(follows));
    assert!(region.consumers[1].claim.try_take(1), "and its claim is free");
    living.free_claims();
}
