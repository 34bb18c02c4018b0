//! Scenarios in which nobody dies or sleeps: puts and gets, roles that are lost, and an observer.

use std::sync::atomic::Ordering::Relaxed;

use super::audit::{
    Audit, consume, message, produce, publish_numbered, put, put_in_a_thread, read,
};
use super::process::Process;
use super::words::{Region, Shape};
use crate::model::victim::{Fate, Killable};
use crate::protocol::{
    Bits, Consumer, Fault, InlineRead, Producer, Protected, Watched, Which, Word, Words, entries,
    is_asleep, watch,
};

pub(super) fn one_consumer(_: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (peer, producer) = produce(&region);
    let (me, mut consumer) = consume(&region, 0);
    let putting = put_in_a_thread(peer, producer, 3);
    let mut audit = Audit::new(&me, &mut consumer, 0);
    audit.get();
    audit.get();
    putting.end();
    audit.end(3);
}

/// The first value is taken while what is stored inline of the second overwrites it.
fn taken_beside_a_put(shape: Shape) -> (Process, Consumer) {
    let region = Region::new(shape);
    let (peer, mut producer) = produce(&region);
    let (me, mut consumer) = consume(&region, 0);
    put(&peer, &mut producer, 0).unwrap();
    let putting = put_in_a_thread(peer, producer, 1);
    let mut audit = Audit::new(&me, &mut consumer, 0);
    assert!(audit.get().is_some());
    putting.end();
    audit.end(2);
    (me, consumer)
}

/// Whole values are stored inline.
pub(super) fn inline(_: Fate) {
    let (me, consumer) =
        taken_beside_a_put(Shape { tags: true, ..Shape::of(1, 1).storing_inline() });
    let found = consumer.read_inline(&me, Which::Current, &mut []).unwrap();
    assert!(
        matches!(found, InlineRead::Value { sequence: 2, .. }),
        "it is stored inline, or of no use"
    );
}

/// Lengths and stamps alone are stored inline.
pub(super) fn head(_: Fate) {
    let shape = Shape { tags: true, ..Shape::of(1, 1).with_heads() };
    let (me, mut consumer) = taken_beside_a_put(shape);
    let hold = consumer.protect(&me, Which::Current).unwrap().unwrap();
    me.header(hold.buffer).length.store(0, Relaxed);
    let again = consumer.protect(&me, Which::Current).unwrap().unwrap();
    assert_eq!(again, Protected { missed: 0, ..hold }, "it is read inline, or of no use");
}

/// Starts where it is tightest: one buffer is held, one is the latest, and the finds of a scan are
/// used up.
pub(super) fn held_buffer(_: Fate) {
    held_buffer_of(Shape::of(1, 1));
}

/// The same with large buffers, for which each put scans anew.
pub(super) fn large_held_buffer(_: Fate) {
    held_buffer_of(Shape { large: true, ..Shape::of(1, 1) });
}

fn held_buffer_of(shape: Shape) {
    let region = Region::new(shape);
    let (peer, mut producer) = produce(&region);
    let (me, mut consumer) = consume(&region, 0);
    put(&peer, &mut producer, 0).unwrap();
    let mut audit = Audit::new(&me, &mut consumer, 0);
    let hold = audit.take().unwrap();
    put(&peer, &mut producer, 0).unwrap();
    let putting = put_in_a_thread(peer, producer, 3);
    audit.give_back(hold);
    audit.get();
    putting.end();
    audit.end(5);
}

/// A consumer reads and is gone without releasing its buffer; its slot's next owner does.
pub(super) fn abandoned_buffer(_: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (peer, mut producer) = produce(&region);
    let (gone, mut gone_consumer) = consume(&region, 0);
    put(&peer, &mut producer, 0).unwrap();
    let hold = gone_consumer.protect(&gone, Which::Unseen).unwrap().unwrap();
    put(&peer, &mut producer, 0).unwrap();
    let putting = put_in_a_thread(peer, producer, 2);
    let gone = gone.run(move |me| {
        read(me, hold);
        me.free_claims();
    });
    let me = Process::new(&region, 2);
    me.claim_consumer(0);
    let mut consumer = Consumer::take_over(&me, 0, entries(&me, 0), true).unwrap();
    gone.end();
    putting.end();
    Audit::new(&me, &mut consumer, 1).end(4);
}

/// The consumer's entry names the buffer of the next value before there is one.
pub(super) fn expected_buffer(_: Fate) {
    expected_buffer_of(Shape::of(1, 1).with_heads());
}

/// The same with large buffers.
pub(super) fn large_expected_buffer(_: Fate) {
    expected_buffer_of(Shape { large: true, ..Shape::of(1, 1).with_heads() });
}

fn expected_buffer_of(shape: Shape) {
    let region = Region::new(shape);
    let (peer, mut producer) = produce(&region);
    let (me, mut consumer) = consume(&region, 0);
    let mut audit = Audit::new(&me, &mut consumer, 0);
    put(&peer, &mut producer, 0).unwrap();
    let first = audit.hold().unwrap();
    assert_eq!(audit.get(), None);
    let entry = me.held(0, first.entry).load(Relaxed);
    assert!(entry != 0 && usize::from(entry) != first.buffer + 1, "another buffer is expected");
    let putting = put_in_a_thread(peer, producer, 3);
    audit.get();
    putting.end();
    audit.end(4);
}

/// A consumer that has received a value announces the buffer of the next during its put.
pub(super) fn announced_buffer(_: Fate) {
    let region = Region::new(Shape::of(1, 1).with_heads());
    let (peer, mut producer) = produce(&region);
    let (me, mut consumer) = consume(&region, 0);
    let mut audit = Audit::new(&me, &mut consumer, 0);
    put(&peer, &mut producer, 0).unwrap();
    audit.get().unwrap();
    let putting = put_in_a_thread(peer, producer, 3);
    audit.get();
    audit.get();
    putting.end();
    audit.end(4);
}

pub(super) fn two_consumers(_: Fate) {
    let region = Region::new(Shape::of(2, 1));
    let (peer, mut producer) = produce(&region);
    let (me, mut consumer) = consume(&region, 0);
    let (other, mut other_consumer) = consume(&region, 1);
    put(&peer, &mut producer, 0).unwrap();
    let other_hold = Audit::new(&other, &mut other_consumer, 0).take().unwrap();
    put(&peer, &mut producer, 0).unwrap();
    let mut audit = Audit::new(&me, &mut consumer, 0);
    let hold = audit.take().unwrap();
    put(&peer, &mut producer, 0).unwrap();
    let putting = put_in_a_thread(peer, producer, 2);
    let other = other.run(move |other| {
        let mut audit = Audit::new(other, &mut other_consumer, 1);
        audit.give_back(other_hold);
        audit.get();
        let seen = audit.seen;
        (seen, other_consumer)
    });
    audit.give_back(hold);
    audit.get();
    let (seen, mut other_consumer) = other.end().unwrap();
    putting.end();
    audit.end(5);
    Audit::new(&me, &mut other_consumer, seen).end(5);
}

/// Both entries hold a value. Another thread releases the first while this one gets a third, into
/// the same entry if it is free by then.
pub(super) fn two_holds(_: Fate) {
    let region = Region::new(Shape::of(1, 2));
    let (peer, mut producer) = produce(&region);
    let (me, mut consumer) = consume(&region, 0);
    let mut audit = Audit::new(&me, &mut consumer, 0);
    put(&peer, &mut producer, 0).unwrap();
    let first = audit.take().unwrap();
    put(&peer, &mut producer, 0).unwrap();
    let second = audit.take().unwrap();
    put(&peer, &mut producer, 0).unwrap();
    let putting = put_in_a_thread(peer, producer, 2);
    let seat = audit.consumer.seat();
    let dropper = Process::new(&region, 1).run(move |me| {
        read(me, first);
        seat.release(me, first.entry);
    });
    match audit.consumer.protect(&me, Which::Unseen) {
        Ok(third) => {
            let third = third.unwrap();
            audit.consumer.part_with(third.entry);
            assert_eq!(third.entry, first.entry);
            assert_eq!(third.missed, third.sequence - 3);
            audit.seen = third.sequence;
            audit.give_back(third);
        }
        Err(fault) => assert_eq!(fault, Fault::AlreadyHeld(2)),
    }
    audit.give_back(second);
    dropper.end();
    putting.end();
    audit.end(5);
}

/// No consumers and two buffers: the second put from now opens the buffer that is being copied.
pub(super) fn observer(_: Fate) {
    let region = Region::new(Shape { copied: true, ..Shape::of(0, 0) });
    let (peer, mut producer) = produce(&region);
    put(&peer, &mut producer, 0).unwrap();
    let putting = put_in_a_thread(peer, producer, 2);
    let me = Process::new(&region, 1);
    let copied =
        watch(&me, |buffer, length| Some((me.region.buffers[buffer].payload.read(), length)));
    match copied {
        Ok(value) => {
            let Watched { sequence, stamp, tag, copied: (payload, length) } = value.unwrap();
            assert_eq!(tag, 200 + sequence);
            assert_eq!(payload, message(sequence, 0), "a copy is whole");
            assert_eq!((length, stamp), (16 + sequence, 100 + sequence));
        }
        Err(fault) => assert_eq!(fault, Fault::Busy),
    }
    putting.end();
}

/// Values under numbers far apart; a consumer gets, and sleeps for the last.
pub(super) fn jump(_: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (peer, mut producer) = produce(&region);
    let (me, mut consumer) = consume(&region, 0);
    put(&peer, &mut producer, 0).unwrap();
    for number in [0, 1, 1 << 52, u64::MAX] {
        let refused = Err(Fault::BadNumber { number, last: 1 });
        assert_eq!(publish_numbered(&peer, &mut producer, 0, number), refused);
    }
    let putting = peer.run(move |me| {
        publish_numbered(me, &mut producer, 0, 5).unwrap();
        producer.wake(me);
        put(me, &mut producer, 0).unwrap()
    });
    let mut audit = Audit::new(&me, &mut consumer, 0);
    audit.get_until(|sequence, _| sequence == 6);
    assert_eq!(putting.end(), Some(6), "it goes on from there");
    audit.end(6);
}

/// The producer puts the second value only when it sees that the first was received.
pub(super) fn in_step(_: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (peer, mut producer) = produce(&region);
    let (me, mut consumer) = consume(&region, 0);
    let putting = peer.run(move |me| {
        let mut last = put(me, &mut producer, 0).unwrap();
        for _ in 0..2 {
            if me.last_seen(0).load(Relaxed) == last {
                last = put(me, &mut producer, 0).unwrap();
            }
        }
        last
    });
    let mut audit = Audit::new(&me, &mut consumer, 0);
    for _ in 0..3 {
        let before = audit.seen;
        if let Some(sequence) = audit.get() {
            assert_eq!(sequence, before + 1, "nothing is missed");
        }
    }
    let last = putting.end().unwrap();
    audit.end(last);
}

/// A producer that loses its claim while it has a full loan, and its successor.
pub(super) fn stale_producer(_: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (stale, mut producer) = produce(&region);
    let (peer, mut consumer) = consume(&region, 0);
    let buffer = producer.loan(&stale).unwrap();
    region.buffers[buffer].payload.write(message(1, 1));
    stale.free_claims();
    let successor = Process::new(&region, 9).run(|me| {
        me.claim_producer();
        let mut producer = Producer::take_over(me).unwrap();
        put(me, &mut producer, 2).unwrap()
    });
    let published = producer.publish(&stale, buffer, 1, 17, 101, 201);
    let last = successor.end().unwrap();
    match published {
        Ok(sequence) => assert_eq!((sequence, last), (1, 2)),
        Err(fault) => assert_eq!((fault, last), (Fault::RoleLost, 1)),
    }
    assert_eq!(producer.loan(&stale), Err(Fault::RoleLost), "told at the next loan at the latest");
    let mut audit = Audit::new(&peer, &mut consumer, 0);
    assert_eq!(audit.get(), Some(last));
    assert_eq!(audit.sender, 2, "the successor's value stands");
    audit.end(last);
}

/// A consumer that lost its claim, after another took its slot over. One process by itself: what
/// matters is what it is told, and what it leaves alone.
pub(super) fn stale_consumer(_: Fate) {
    let region = Region::new(Shape::of(1, 2).storing_inline());
    let (peer, mut producer) = produce(&region);
    let (stale, mut consumer) = consume(&region, 0);
    put(&peer, &mut producer, 1).unwrap();
    let held = consumer.protect(&stale, Which::Unseen).unwrap().unwrap();
    consumer.part_with(held.entry);
    let kept = consumer.protect(&stale, Which::Current).unwrap().unwrap();
    assert!(consumer.seat().is_own(&stale));
    stale.free_claims();

    let successor = Process::new(&region, 9);
    successor.claim_consumer(0);
    let mut next = Consumer::take_over(&successor, 0, entries(&successor, 0), false).unwrap();
    for _ in 0..2 {
        let hold = next.protect(&successor, Which::Current).unwrap().unwrap();
        next.part_with(hold.entry);
    }
    put(&peer, &mut producer, 1).unwrap();
    successor.asleep(0).insert(1, Relaxed);

    for which in [Which::Unseen, Which::Current] {
        assert_eq!(consumer.protect(&stale, which), Err(Fault::SlotLost(0)));
        assert_eq!(consumer.read_inline(&stale, which, &mut [0; 2]), Err(Fault::SlotLost(0)));
    }
    consumer.sleep(&stale, 0);
    assert!(!consumer.seat().release(&stale, held.entry));
    assert_ne!(held.entry, kept.entry);
    consumer.leave(&stale);
    assert!(is_asleep(&successor, 0), "the bit is the successor's");
    assert_eq!(successor.last_seen(0).load(Relaxed), 1, "it has not received the second");
    for entry in 0..2 {
        assert_ne!(successor.held(0, entry).load(Relaxed), 0, "the holds are the successor's");
    }
}
