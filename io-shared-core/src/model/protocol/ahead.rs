//! Scenarios in which a value is read ahead of its publication, while nobody dies.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use super::audit::{Audit, consume, message, produce, put};
use super::process::Process;
use super::words::{Messages, Region, Shape};
use crate::model::victim::{Fate, Killable};
use crate::protocol::{Ahead, Consumer, Fault, Producer, Word, Words, sleep_any};

/// As [`put`], by a copy that may be read ahead: its first word is one piece.
pub(super) fn copy_in(me: &Process, producer: &mut Producer, sender: u64) -> Result<u64, Fault> {
    let buffer = producer.loan(me)?;
    let sequence = producer.sequence() + 1;
    let words = me.region.buffers[buffer].payload.words();
    let [first, second] = message(sequence, sender);
    words[0].store(first, Relaxed);
    producer.fill(me, 1);
    Producer::rouse(me);
    words[1].store(second, Relaxed);
    producer.publish(me, buffer, sequence, 16 + sequence, 100 + sequence, me.tag(sequence))?;
    producer.wake(me);
    Ok(sequence)
}

/// What a consumer copies out, the first word ahead if it can be.
pub(super) struct Copying<'a> {
    pub(super) audit: Audit<'a, Process>,
    ahead: Ahead,
    first: u64,
}

impl<'a> Copying<'a> {
    pub(super) fn new(audit: Audit<'a, Process>) -> Self {
        Self { audit, ahead: Ahead::default(), first: 0 }
    }

    pub(super) fn read_ahead(&mut self) -> bool {
        let Audit { me, consumer, .. } = &mut self.audit;
        consumer.read_ahead(*me, &mut self.ahead, |buffer, pieces| {
            assert_eq!(pieces, 0..1);
            self.first = me.region.buffers[buffer].payload.words()[0].load(Relaxed);
        })
    }

    /// The sequence of the next value, if there was one, and whether a part was read ahead.
    pub(super) fn get(&mut self) -> Option<(u64, bool)> {
        let hold = self.audit.hold()?;
        let [mut first, second] = self.audit.me.read(hold.buffer);
        let pieces = self.ahead.of(hold.filling, hold.buffer);
        if pieces == 1 {
            first = self.first;
        }
        self.audit.sender = first & 0xff;
        let whole = message(hold.sequence, self.audit.sender);
        assert_eq!([first, second], whole, "what is copied is whole");
        Some((hold.sequence, pieces == 1))
    }
}

/// A consumer that has received two values, and expects the next in the buffer of the first.
pub(super) fn expecting(region: &Rc<Region>) -> (Process, Producer, Process, Consumer) {
    let (peer, mut producer) = produce(region);
    let (me, mut consumer) = consume(region, 0);
    let mut audit = Audit::new(&me, &mut consumer, 0);
    for _ in 0..2 {
        copy_in(&peer, &mut producer, 0).unwrap();
        audit.get().unwrap();
        assert_eq!(audit.get(), None);
    }
    (peer, producer, me, consumer)
}

/// A consumer follows copies into the buffer that it expects.
pub(super) fn read_ahead(_: Fate) {
    let region = Region::new(Shape::of(1, 1).read_ahead());
    let (peer, mut producer, me, mut consumer) = expecting(&region);
    let putting = peer.run(move |me| {
        for _ in 0..2 {
            copy_in(me, &mut producer, 0).unwrap();
        }
    });
    let mut copying = Copying::new(Audit::new(&me, &mut consumer, 2));
    copying.read_ahead();
    copying.get();
    putting.end();
    copying.audit.end(4);
}

/// One process by itself: what was read of a copy counts if the copy is published, and only then.
pub(super) fn abandoned_copy(_: Fate) {
    let region = Region::new(Shape::of(1, 1).read_ahead());
    let (peer, mut producer, me, mut consumer) = expecting(&region);
    let mut copying = Copying::new(Audit::new(&me, &mut consumer, 2));
    assert!(!copying.read_ahead(), "there is nothing to read");
    let buffer = producer.loan(&peer).unwrap();
    region.buffers[buffer].payload.words()[0].store(message(3, 1)[0], Relaxed);
    producer.fill(&peer, 1);
    assert!(copying.read_ahead());
    assert!(!copying.read_ahead(), "once");
    let Audit { me, consumer, .. } = &copying.audit;
    let mut follows = 0;
    sleep_any(std::iter::once((*me, &**consumer)), |_| follows = me.following(0).load(Relaxed));
    assert_eq!(follows, 1, "it is woken at the next piece");
    assert_eq!(me.following(0).load(Relaxed), 0, "it is awake");
    put(&peer, &mut producer, 2).unwrap();
    assert_eq!(copying.get(), Some((3, false)), "the loan was put to another use");
    assert_eq!(copying.get(), None);
    let buffer = producer.loan(&peer).unwrap();
    let [first, second] = message(4, 0);
    region.buffers[buffer].payload.words()[0].store(first, Relaxed);
    producer.fill(&peer, 1);
    assert!(copying.read_ahead());
    region.buffers[buffer].payload.words()[1].store(second, Relaxed);
    producer.publish(&peer, buffer, 4, 20, 104, 0).unwrap();
    assert_eq!(copying.get(), Some((4, true)));
    assert_eq!(copying.get(), None);
    assert!(!copying.read_ahead(), "it is published");
    copying.audit.end(4);
}
