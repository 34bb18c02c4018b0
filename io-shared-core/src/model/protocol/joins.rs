//! Scenarios in which consumers join a channel in use, and bring their buffers with them.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use super::audit::{Audit, consume, produce, publish, put, put_in_a_thread, read};
use super::process::Process;
use super::words::{Region, Shape};
use crate::model::victim::{Fate, Killable, Running};
use crate::protocol::{Consumer, Producer, Which, Word, Words};

/// Joins in a slot that is free, as a process that opened the region when it had its first buffers.
fn join(region: &Rc<Region>, slot: usize, holds: usize) -> (Process, Consumer) {
    let me = Process::new(region, 1 + slot as u32);
    let consumer = join_as(&me, slot, holds);
    (me, consumer)
}

fn join_as(me: &Process, slot: usize, holds: usize) -> Consumer {
    me.claim_consumer(slot);
    me.join(slot, holds);
    Consumer::take_over(me, slot, holds, false).unwrap()
}

/// Puts, and sees that each scan finds a buffer. Nobody sleeps.
fn scan_after_puts(me: Process, mut producer: Producer, puts: u64) -> Running<()> {
    me.run(move |me| {
        for _ in 0..puts {
            publish(me, &mut producer, 0).unwrap();
            assert!(producer.finds_at_once(me), "a scan finds nothing");
        }
    })
}

/// Where it is tightest: until the consumer has joined there is one free buffer.
pub(super) fn during_puts(_: Fate) {
    let region = Region::new(Shape::of(1, 1).to_join(0));
    let (me_producing, mut producer) = produce(&region);
    put(&me_producing, &mut producer, 0).unwrap();
    let producer = scan_after_puts(me_producing, producer, 2);
    let (me, mut consumer) = join(&region, 0, 1);
    let mut audit = Audit::new(&me, &mut consumer, me.last_seen(0).load(Relaxed));
    audit.get();
    audit.get();
    producer.end();
    me.audit_pool();
    audit.end(3);
}

/// A consumer that was there before, and has mapped three buffers, gets a value in the fourth.
pub(super) fn bystander(_: Fate) {
    let region = Region::new(Shape::of(2, 1).to_join(1));
    let (me_producing, mut producer) = produce(&region);
    let (me, mut consumer) = consume(&region, 0);
    put(&me_producing, &mut producer, 0).unwrap();
    let joiner = Process::new(&region, 2).run(|me| {
        me.claim_consumer(1);
        me.join(1, 1);
    });
    let producer = put_in_a_thread(me_producing, producer, 2);
    let mut audit = Audit::new(&me, &mut consumer, 0);
    audit.get();
    producer.end();
    joiner.end();
    audit.end(3);
}

pub(super) fn two_at_once(_: Fate) {
    let region = Region::new(Shape::of(2, 1).to_join(0));
    let (me_producing, mut producer) = produce(&region);
    put(&me_producing, &mut producer, 0).unwrap();
    let producer = put_in_a_thread(me_producing, producer, 1);
    let other = Process::new(&region, 2).run(|me| {
        let mut consumer = join_as(me, 1, 1);
        let hold = consumer.protect(me, Which::Current).unwrap().unwrap();
        read(me, hold);
    });
    let (me, mut consumer) = join(&region, 0, 1);
    let mut audit = Audit::new(&me, &mut consumer, me.last_seen(0).load(Relaxed));
    audit.get();
    other.end();
    producer.end();
    me.audit_pool();
    audit.end(2);
}

/// A slot with two entries goes to a consumer that asks for one, and another consumer joins. If
/// that one were given the entry that the first does not use, a scan could find no free buffer.
pub(super) fn during_take_over(_: Fate) {
    let region = Region::new(Shape::of(2, 2).to_join(1));
    let (me_producing, mut producer) = produce(&region);
    let (gone, mut gone_consumer) = consume(&region, 0);
    for _ in 0..2 {
        put(&me_producing, &mut producer, 0).unwrap();
        let hold = gone_consumer.protect(&gone, Which::Unseen).unwrap().unwrap();
        gone_consumer.part_with(hold.entry);
    }
    put(&me_producing, &mut producer, 0).unwrap();
    gone.free_claims();
    let producer = scan_after_puts(me_producing, producer, 1);
    let (_next, _) = join(&region, 0, 1);
    let (me, mut consumer) = join(&region, 1, 1);
    let hold = consumer.protect(&me, Which::Current).unwrap().unwrap();
    read(&me, hold);
    producer.end();
    me.audit_pool();
    Audit::new(&me, &mut consumer, me.last_seen(1).load(Relaxed)).end(4);
}

/// A joiner sleeps at once: the put that it waits for looks at its slot.
pub(super) fn sleeper(_: Fate) {
    let region = Region::new(Shape::of(1, 1).to_join(0));
    let (me_producing, producer) = produce(&region);
    let producer = put_in_a_thread(me_producing, producer, 1);
    let (me, mut consumer) = join(&region, 0, 1);
    let mut audit = Audit::new(&me, &mut consumer, 0);
    audit.get_until(|sequence, _| sequence == 1);
    producer.end();
    audit.end(1);
}

/// A joiner is killed at each step; another joins in its slot, during a put.
pub(super) fn killed(fate: Fate) {
    let region = Region::new(Shape::of(1, 1).to_join(0));
    let (me_producing, mut producer) = produce(&region);
    put(&me_producing, &mut producer, 0).unwrap();
    let victim = Process::new(&region, 1).run_victim(fate, |me| {
        let mut consumer = join_as(me, 0, 1);
        let hold = consumer.protect(me, Which::Current).unwrap().unwrap();
        read(me, hold);
    });
    let producer = put_in_a_thread(me_producing, producer, 1);
    victim.end();
    let me = Process::new(&region, 2);
    let mut consumer = join_as(&me, 0, 1);
    let mut audit = Audit::new(&me, &mut consumer, me.last_seen(0).load(Relaxed));
    audit.get();
    producer.end();
    me.audit_pool();
    audit.end(2);
}
