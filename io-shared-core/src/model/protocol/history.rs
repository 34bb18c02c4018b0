//! Scenarios in which the values before the newest are kept, and copied.

use std::sync::atomic::Ordering::Relaxed;

use super::audit::{Audit, consume, message, produce, publish, put, put_in_a_thread};
use super::process::Process;
use super::words::{Messages, Region, Shape};
use crate::model::victim::{Fate, Killable};
use crate::protocol::{
    Fault, Producer, Which, Word, Words, entries, history, oldest_after, tagged,
};

/// The number of the oldest value after `after` that is copied; it is whole.
fn copy_oldest(me: &Process, after: u64) -> Result<Option<u64>, Fault> {
    let copied = oldest_after(me, after, 0, |buffer, length| Some((me.read(buffer), length)))?;
    let Some(watched) = copied else { return Ok(None) };
    let (payload, length) = watched.copied;
    let sequence = watched.sequence;
    let sender = payload[0] & 0xff;
    assert_eq!(payload, message(sequence, sender), "a copy is whole");
    assert_eq!((length, watched.stamp), (16 + sequence, 100 + sequence));
    assert_eq!(watched.tag, 200 + sequence);
    Ok(Some(sequence))
}

/// The values before the newest that lie whole.
fn numbers(me: &Process) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(next) = copy_oldest(me, numbers.last().copied().unwrap_or(0)).unwrap() {
        numbers.push(next);
    }
    numbers
}

/// Puts go on while the values before them are copied, from the oldest on.
pub(super) fn copied_during_puts(_: Fate) {
    let region = Region::new(Shape { copied: true, ..Shape::of(0, 0).keeping(1) });
    let (peer, mut producer) = produce(&region);
    put(&peer, &mut producer, 0).unwrap();
    put(&peer, &mut producer, 0).unwrap();
    let putting = put_in_a_thread(peer, producer, 2);
    let me = Process::new(&region, 1);
    // The second value is not overwritten. So it is copied, if the first is overwritten meanwhile.
    let first = copy_oldest(&me, 0).unwrap().expect("the newest is always there");
    assert!(first <= 2, "{first} was copied, and not 2, which lies whole");
    assert_eq!(copy_oldest(&me, first).unwrap(), Some(first + 1), "oldest first");
    putting.end();
    assert!(numbers(&me).ends_with(&[3, 4]));
}

/// Without a history, two puts overwrite the value that was the newest before them, and what was
/// found then with it. There is a newer one.
pub(super) fn overtaken(_: Fate) {
    let region = Region::new(Shape { copied: true, ..Shape::of(0, 0).keeping(0) });
    let (peer, mut producer) = produce(&region);
    put(&peer, &mut producer, 0).unwrap();
    let putting = put_in_a_thread(peer, producer, 2);
    let me = Process::new(&region, 1);
    assert!(copy_oldest(&me, 0).unwrap().is_some(), "there is a newest value all the time");
    putting.end();
}

/// The same with values that all have one tag.
pub(super) fn overtaken_with_one_tag(_: Fate) {
    let region = Region::new(Shape { copied: true, ..Shape::of(0, 0).keeping(0) });
    let (peer, mut producer) = produce(&region);
    let put_tagged = |me: &Process, producer: &mut Producer| {
        let buffer = producer.loan(me).unwrap();
        let sequence = producer.sequence() + 1;
        me.write(buffer, message(sequence, 0));
        producer.publish(me, buffer, sequence, 16, 100, 7).unwrap();
        producer.wake(me);
    };
    put_tagged(&peer, &mut producer);
    let putting = peer.run(move |me| {
        put_tagged(me, &mut producer);
        put_tagged(me, &mut producer);
    });
    let me = Process::new(&region, 1);
    let found = tagged(&me, 7, 0, |buffer, _| Some(me.read(buffer))).unwrap();
    let found = found.expect("there is a value with this tag all the time");
    assert_eq!(found.copied, message(found.sequence, 0), "a copy is whole");
    putting.end();
}

/// One process by itself: whenever a buffer is opened, the values before the newest lie whole, as
/// many as are kept. A consumer holds some; buffers are of either kind; a producer follows another.
pub(super) fn kept(_: Fate) {
    for large in [false, true] {
        let region = Region::new(Shape { copied: true, large, ..Shape::of(2, 1).keeping(3) });
        let me = Process::new(&region, 9);
        let (mut peer, mut producer) = produce(&region);
        let (holder, mut consumer) = consume(&region, 0);
        for last in 0..16_u64 {
            if last % 5 == 1 {
                consumer.protect(&holder, Which::Current).unwrap().unwrap();
            }
            if last == 8 {
                peer.free_claims();
                (peer, producer) = produce(&region);
            }
            let buffer = producer.loan(&peer).unwrap();
            let lying = |buffer| me.header(buffer).sequence.load(Relaxed);
            let found: Vec<u64> = (0..region.buffers.len()).map(lying).collect();
            for expected in last.saturating_sub(3).max(1)..=last {
                assert!(found.contains(&expected), "{expected} not in {found:?}, large: {large}");
            }
            let next = last + 1;
            peer.write(buffer, message(next, 0));
            let (length, stamp, tag) = (16 + next, 100 + next, 200 + next);
            producer.publish(&peer, buffer, next, length, stamp, tag).unwrap();
            producer.wake(&peer);
        }
    }
}

/// One process by itself: what is found by its tag, and by a number that the channel does not have.
pub(super) fn found(_: Fate) {
    let region = Region::new(Shape { copied: true, ..Shape::of(0, 0).keeping(1) });
    let (peer, mut producer) = produce(&region);
    let me = Process::new(&region, 9);
    let find = |tag| {
        let copied = tagged(&me, tag, 0, |buffer, _| Some(me.read(buffer))).unwrap();
        copied.map(|watched| (watched.sequence, watched.copied))
    };
    assert_eq!((find(201), copy_oldest(&me, 0).unwrap()), (None, None));
    for _ in 0..6 {
        put(&peer, &mut producer, 0).unwrap();
    }
    assert_eq!(find(205), Some((5, message(5, 0))));
    assert_eq!(find(201), None);
    assert_eq!(copy_oldest(&me, 6).unwrap(), None);
    assert_eq!(copy_oldest(&me, 7).unwrap(), Some(4), "a number of another channel");
    me.header(producer.loan(&peer).unwrap()).sequence.store(5, Relaxed);
    assert_eq!(copy_oldest(&me, 4).unwrap(), Some(6), "one of the two was not published");
}

/// Somebody asks while the producer finds that whoever asked before is gone, and puts.
pub(super) fn asked_during_a_look(fate: Fate) {
    let region = Region::new(Shape::of(1, 1).to_be_asked(1));
    let (peer, mut producer) = produce(&region);
    let before = Process::new(&region, 3);
    before.ask_for_history(1);
    before.free_claims();
    put(&peer, &mut producer, 0).unwrap();
    let producing = peer.run_victim(fate, move |me| {
        me.look_at_history();
        put(me, &mut producer, 0).unwrap();
    });
    let me = Process::new(&region, 1);
    me.ask_for_history(1);
    producing.end();
    assert_eq!(history(&me).kept, 1, "somebody asks");
    me.audit_pool();
    let (peer, mut producer) = produce(&region);
    peer.look_at_history();
    assert_eq!(history(&me).kept, 1, "somebody asks");
    me.free_claims();
    peer.look_at_history();
    assert_eq!((history(&me).kept, history(&me).added), (0, 1), "nobody asks");
    put(&peer, &mut producer, 0).unwrap();
}

/// Whoever asks is killed; the producer ends the history, and a consumer joins in what it left.
pub(super) fn killed_asker(fate: Fate) {
    let region = Region::new(Shape::of(1, 1).to_join(0).to_be_asked(2));
    let (peer, mut producer) = produce(&region);
    put(&peer, &mut producer, 0).unwrap();
    let victim = Process::new(&region, 3).run_victim(fate, |me| me.ask_for_history(1));
    let producing = peer.run(move |me| {
        put(me, &mut producer, 0).unwrap();
        me.look_at_history();
        producer
    });
    victim.end();
    let mut producer = producing.end().unwrap();
    let peer = Process::new(&region, 0);
    peer.look_at_history();
    assert_eq!(history(&peer).kept, 0, "nobody asks");
    let me = Process::new(&region, 1);
    me.claim_consumer(0);
    me.join(0, 1);
    let mut consumer =
        crate::protocol::Consumer::take_over(&me, 0, entries(&me, 0), false).unwrap();
    put(&peer, &mut producer, 0).unwrap();
    me.audit_pool();
    let seen = me.last_seen(0).load(Relaxed);
    Audit::new(&me, &mut consumer, seen).end(3);
}

/// A producer is killed as it puts; another puts a value of the same number. Only what was
/// published is copied.
pub(super) fn killed_producer(fate: Fate) {
    let region = Region::new(Shape { copied: true, ..Shape::of(0, 0).keeping(1) });
    let (before, mut producer) = produce(&region);
    put(&before, &mut producer, 1).unwrap();
    before.free_claims();
    let victim = Process::new(&region, 3).run_victim(fate, move |me| {
        me.claim_producer();
        let mut producer = Producer::take_over(me).unwrap();
        publish(me, &mut producer, 2).unwrap();
    });
    victim.end();
    let successor = Process::new(&region, 4).run(move |me| {
        me.claim_producer();
        let mut producer = Producer::take_over(me).unwrap();
        let published = producer.sequence();
        put(me, &mut producer, 4).unwrap();
        put(me, &mut producer, 4).unwrap();
        published
    });
    let me = Process::new(&region, 1);
    let found = oldest_after(&me, 1, 0, |buffer, _| Some(me.read(buffer)[0] & 0xff));
    let published = successor.end().unwrap();
    match found {
        Ok(Some(watched)) => {
            let sender = if watched.sequence <= published { 2 } else { 4 };
            assert_eq!(watched.copied, sender, "value {} was not published", watched.sequence);
        }
        Ok(None) => assert_eq!(published, 1),
        Err(fault) => assert_eq!(fault, Fault::Busy),
    }
    let numbers = numbers(&me);
    assert!(numbers.ends_with(&[published + 1, published + 2]), "{numbers:?} after {published}");
}
