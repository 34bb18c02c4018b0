//! What is tried while nobody dies.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use super::process::{Fate, Process};
use super::words::{Region, Shape};
use crate::protocol::{
    ASLEEP, ASLEEP_TO_FOLLOW, Ahead, Consumer, Fault, InlineRead, Producer, Protected, Which, Word,
    Words, sleep_any, watch,
};

/// A platform with messages of two words in its buffers.
pub(crate) trait Messages: Words {
    fn write(&self, buffer: usize, message: [u64; 2]);
    fn read(&self, buffer: usize) -> [u64; 2];
}

impl Messages for Process {
    fn write(&self, buffer: usize, message: [u64; 2]) {
        self.region.buffers[buffer].payload.write(message);
    }

    fn read(&self, buffer: usize) -> [u64; 2] {
        self.region.buffers[buffer].payload.read()
    }
}

/// Puts a message that says its sequence and its sender.
pub(crate) fn put<M: Messages>(
    me: &M,
    publisher: &mut Producer,
    sender: u64,
) -> Result<u64, Fault> {
    let buffer = publisher.loan(me)?;
    let sequence = publisher.sequence() + 1;
    me.write(buffer, message(sequence, sender));
    let put = publisher.publish(me, 16 + sequence, 100 + sequence)?;
    assert_eq!(put, sequence);
    publisher.wake(me);
    Ok(put)
}

fn message(sequence: u64, sender: u64) -> [u64; 2] {
    let first = sequence << 8 | sender;
    [first, !first]
}

/// What a consumer is promised, checked at each of its gets.
pub(crate) struct Audit<'a, M> {
    me: &'a M,
    pub(super) reader: &'a mut Consumer,
    seen: u64,
    pub(super) sender: u64,
}

impl<'a, M: Messages> Audit<'a, M> {
    /// Of a consumer that has had the values up to `seen`, or was too late for them.
    pub(crate) fn new(me: &'a M, reader: &'a mut Consumer, seen: u64) -> Self {
        Self { me, reader, seen, sender: 0 }
    }

    /// Holds the next value, if there is one: newer than the last, with the right count of misses.
    fn hold(&mut self) -> Option<Protected> {
        let hold = self.reader.protect(self.me, Which::Unseen).unwrap()?;
        self.note(hold.sequence, hold.missed);
        Some(hold)
    }

    /// The same, for whoever has it to give it back.
    pub(super) fn take(&mut self) -> Option<Protected> {
        let hold = self.hold()?;
        self.reader.part_with(hold.entry);
        Some(hold)
    }

    /// A value was taken.
    fn note(&mut self, sequence: u64, missed: u64) {
        assert!(sequence > self.seen, "{sequence} comes again");
        assert_eq!(missed, sequence - self.seen - 1, "what was missed");
        self.seen = sequence;
        assert_eq!(self.me.last_seen(self.reader.consumer()).load(Relaxed), sequence);
    }

    /// Reads a taken value, which must be whole, and gives it back.
    pub(super) fn give_back(&mut self, hold: Protected) {
        self.sender = read(self.me, hold);
        self.reader.seat().release(self.me, hold.entry);
    }

    /// The sequence of the next value, if there was one. It is taken beside `latest` if it can be.
    pub(crate) fn get(&mut self) -> Option<u64> {
        let mut carried = [0; 2];
        match self.reader.read_inline(self.me, Which::Unseen, &mut carried).unwrap() {
            InlineRead::Nothing => None,
            InlineRead::NotInline => {
                let hold = self.hold()?;
                self.sender = read(self.me, hold);
                Some(hold.sequence)
            }
            InlineRead::Value { sequence, missed, stamp } => {
                self.note(sequence, missed);
                self.sender = carried[0] & 0xff;
                assert_eq!(carried, message(sequence, self.sender), "a carried value is whole");
                assert_eq!(stamp, 100 + sequence);
                Some(sequence)
            }
        }
    }

    /// Gets and sleeps until `enough` is true of a value.
    pub(crate) fn get_until(&mut self, enough: impl Fn(u64, u64) -> bool) {
        loop {
            match self.get() {
                Some(sequence) if enough(sequence, self.sender) => return,
                Some(_) => {}
                None => self.reader.sleep(self.me, 0),
            }
        }
    }

    /// Nothing goes on any more: the newest value is `last`, and nothing is left behind.
    pub(crate) fn end(mut self, last: u64) {
        match self.get() {
            Some(sequence) => assert_eq!(sequence, last, "the newest value wins"),
            None => assert_eq!(self.seen, last, "the newest value was had"),
        }
        let current = self.reader.protect(self.me, Which::Current).unwrap().unwrap();
        assert_eq!((current.sequence, current.missed), (last, 0));
        self.sender = read(self.me, current);
        assert!(!self.reader.has_unseen(self.me));
        self.reader.leave(self.me);
        let consumer = self.reader.consumer();
        assert_eq!(self.me.waiting(consumer).load(Relaxed), 0, "nobody waits any more");
        for entry in 0..self.me.holds() {
            assert_eq!(self.me.held(consumer, entry).load(Relaxed), 0, "nothing is held any more");
        }
    }
}

/// The sender of a held value, which must be whole.
pub(crate) fn read<M: Messages>(me: &M, hold: Protected) -> u64 {
    let [first, second] = me.read(hold.buffer);
    let sender = first & 0xff;
    assert_eq!([first, second], message(hold.sequence, sender), "a value is whole");
    assert_eq!(me.header(hold.buffer).length.load(Relaxed), 16 + hold.sequence);
    assert_eq!(me.header(hold.buffer).stamp.load(Relaxed), 100 + hold.sequence);
    assert_eq!((hold.length, hold.stamp), (16 + hold.sequence, 100 + hold.sequence));
    sender
}

pub(super) fn produce(region: &Rc<Region>) -> (Process, Producer) {
    let me = Process::new(region, 0);
    me.claim_producer();
    let publisher = Producer::take_over(&me).unwrap();
    (me, publisher)
}

pub(super) fn consume(region: &Rc<Region>, consumer: usize) -> (Process, Consumer) {
    let me = Process::new(region, 1 + consumer as u32);
    me.claim_consumer(consumer);
    let reader = Consumer::take_over(&me, consumer, false).unwrap();
    (me, reader)
}

fn put_in_a_thread(me: Process, mut publisher: Producer, puts: u64) -> super::process::Running<()> {
    me.run(move |me| {
        for _ in 0..puts {
            put(me, &mut publisher, 0).unwrap();
        }
    })
}

pub(super) fn one_consumer(_: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (producer, publisher) = produce(&region);
    let (me, mut reader) = consume(&region, 0);
    let producer = put_in_a_thread(producer, publisher, 3);
    let mut audit = Audit::new(&me, &mut reader, 0);
    audit.get();
    audit.get();
    producer.end();
    audit.end(3);
}

/// The first value is taken while what is carried of the second is written over it.
fn taken_beside_a_put(shape: Shape) -> (Process, Consumer) {
    let region = Region::new(shape);
    let (producer, mut publisher) = produce(&region);
    let (me, mut reader) = consume(&region, 0);
    put(&producer, &mut publisher, 0).unwrap();
    let producer = put_in_a_thread(producer, publisher, 1);
    let mut audit = Audit::new(&me, &mut reader, 0);
    assert!(audit.get().is_some());
    producer.end();
    audit.end(2);
    (me, reader)
}

/// Whole values are carried.
pub(super) fn carried(_: Fate) {
    let (me, reader) = taken_beside_a_put(Shape::of(1, 1).storing_inline());
    let carried = reader.read_inline(&me, Which::Current, &mut []).unwrap();
    assert!(
        matches!(carried, InlineRead::Value { sequence: 2, .. }),
        "it is carried, or of no use"
    );
}

/// Lengths and stamps alone are.
pub(super) fn head(_: Fate) {
    let (me, mut reader) = taken_beside_a_put(Shape::of(1, 1).with_heads());
    let hold = reader.protect(&me, Which::Current).unwrap().unwrap();
    me.header(hold.buffer).length.store(0, Relaxed);
    let again = reader.protect(&me, Which::Current).unwrap().unwrap();
    assert_eq!(
        again,
        Protected { missed: 0, ..hold },
        "it is looked at beside `latest`, or of no use"
    );
}

/// Starts where it is tightest: one buffer is held, one is the latest, one scan's finds are used up.
pub(super) fn held_buffer(_: Fate) {
    held_buffer_of(Shape::of(1, 1));
}

/// The same of large buffers, which are looked for anew after each put.
pub(super) fn large_held_buffer(_: Fate) {
    held_buffer_of(Shape { large: true, ..Shape::of(1, 1) });
}

fn held_buffer_of(shape: Shape) {
    let region = Region::new(shape);
    let (producer, mut publisher) = produce(&region);
    let (me, mut reader) = consume(&region, 0);
    put(&producer, &mut publisher, 0).unwrap();
    let mut audit = Audit::new(&me, &mut reader, 0);
    let hold = audit.take().unwrap();
    put(&producer, &mut publisher, 0).unwrap();
    let producer = put_in_a_thread(producer, publisher, 3);
    audit.give_back(hold);
    audit.get();
    producer.end();
    audit.end(5);
}

/// A consumer reads and is gone without giving its buffer back; its slot's next owner does.
pub(super) fn abandoned_buffer(_: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (producer, mut publisher) = produce(&region);
    let (gone, mut gone_reader) = consume(&region, 0);
    put(&producer, &mut publisher, 0).unwrap();
    let hold = gone_reader.protect(&gone, Which::Unseen).unwrap().unwrap();
    put(&producer, &mut publisher, 0).unwrap();
    let producer = put_in_a_thread(producer, publisher, 2);
    let gone = gone.run(move |me| {
        read(me, hold);
        me.free_claims();
    });
    let me = Process::new(&region, 2);
    me.claim_consumer(0);
    let mut reader = Consumer::take_over(&me, 0, true).unwrap();
    gone.end();
    producer.end();
    Audit::new(&me, &mut reader, 1).end(4);
}

/// Its entry names the buffer in which the next value comes, before there is one.
pub(super) fn expected_buffer(_: Fate) {
    expected_buffer_of(Shape::of(1, 1).with_heads());
}

/// The same of large buffers.
pub(super) fn large_expected_buffer(_: Fate) {
    expected_buffer_of(Shape { large: true, ..Shape::of(1, 1).with_heads() });
}

fn expected_buffer_of(shape: Shape) {
    let region = Region::new(shape);
    let (producer, mut publisher) = produce(&region);
    let (me, mut reader) = consume(&region, 0);
    let mut audit = Audit::new(&me, &mut reader, 0);
    put(&producer, &mut publisher, 0).unwrap();
    let first = audit.hold().unwrap();
    assert_eq!(audit.get(), None);
    let entry = me.held(0, first.entry).load(Relaxed);
    assert!(entry != 0 && usize::from(entry) != first.buffer + 1, "another buffer is expected");
    let producer = put_in_a_thread(producer, publisher, 3);
    audit.get();
    producer.end();
    audit.end(4);
}

/// It has had a value, and announces the buffer of the next beside its put.
pub(super) fn announced_buffer(_: Fate) {
    let region = Region::new(Shape::of(1, 1).with_heads());
    let (producer, mut publisher) = produce(&region);
    let (me, mut reader) = consume(&region, 0);
    let mut audit = Audit::new(&me, &mut reader, 0);
    put(&producer, &mut publisher, 0).unwrap();
    audit.get().unwrap();
    let producer = put_in_a_thread(producer, publisher, 3);
    audit.get();
    audit.get();
    producer.end();
    audit.end(4);
}

/// As [`put`], by a copy that may be read ahead: its first word is one piece.
pub(super) fn copy_in(me: &Process, publisher: &mut Producer, sender: u64) -> Result<u64, Fault> {
    let buffer = publisher.loan(me)?;
    let sequence = publisher.sequence() + 1;
    let words = me.region.buffers[buffer].payload.words();
    let [first, second] = message(sequence, sender);
    words[0].store(first, Relaxed);
    publisher.fill(me, 1);
    Producer::rouse(me);
    words[1].store(second, Relaxed);
    publisher.publish(me, 16 + sequence, 100 + sequence)?;
    publisher.wake(me);
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
        let Audit { me, reader, .. } = &mut self.audit;
        reader.read_ahead(*me, &mut self.ahead, |buffer, pieces| {
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

/// A consumer that has had two values, and expects the next in the buffer of the first.
pub(super) fn expecting(region: &Rc<Region>) -> (Process, Producer, Process, Consumer) {
    let (producer, mut publisher) = produce(region);
    let (me, mut reader) = consume(region, 0);
    let mut audit = Audit::new(&me, &mut reader, 0);
    for _ in 0..2 {
        copy_in(&producer, &mut publisher, 0).unwrap();
        audit.get().unwrap();
        assert_eq!(audit.get(), None);
    }
    (producer, publisher, me, reader)
}

/// It follows copies into the buffer that it expects.
pub(super) fn read_ahead(_: Fate) {
    let region = Region::new(Shape::of(1, 1).read_ahead());
    let (producer, mut publisher, me, mut reader) = expecting(&region);
    let producer = producer.run(move |me| {
        for _ in 0..2 {
            copy_in(me, &mut publisher, 0).unwrap();
        }
    });
    let mut copying = Copying::new(Audit::new(&me, &mut reader, 2));
    copying.read_ahead();
    copying.get();
    producer.end();
    copying.audit.end(4);
}

/// Nothing runs beside it: what was read of a copy that is not published is of no use, and of one that
/// is, it is.
pub(super) fn abandoned_copy(_: Fate) {
    let region = Region::new(Shape::of(1, 1).read_ahead());
    let (producer, mut publisher, me, mut reader) = expecting(&region);
    let mut copying = Copying::new(Audit::new(&me, &mut reader, 2));
    assert!(!copying.read_ahead(), "there is nothing to read");
    let buffer = publisher.loan(&producer).unwrap();
    region.buffers[buffer].payload.words()[0].store(message(3, 1)[0], Relaxed);
    publisher.fill(&producer, 1);
    assert!(copying.read_ahead());
    assert!(!copying.read_ahead(), "once");
    put(&producer, &mut publisher, 2).unwrap();
    assert_eq!(copying.get(), Some((3, false)), "the loan was put to another use");
    assert_eq!(copying.get(), None);
    let buffer = publisher.loan(&producer).unwrap();
    let [first, second] = message(4, 0);
    region.buffers[buffer].payload.words()[0].store(first, Relaxed);
    publisher.fill(&producer, 1);
    assert!(copying.read_ahead());
    region.buffers[buffer].payload.words()[1].store(second, Relaxed);
    publisher.publish(&producer, 20, 104).unwrap();
    assert_eq!(copying.get(), Some((4, true)));
    assert_eq!(copying.get(), None);
    assert!(!copying.read_ahead(), "it is published");
    copying.audit.end(4);
}

pub(super) fn two_consumers(_: Fate) {
    let region = Region::new(Shape::of(2, 1));
    let (producer, mut publisher) = produce(&region);
    let (me, mut reader) = consume(&region, 0);
    let (other, mut other_reader) = consume(&region, 1);
    put(&producer, &mut publisher, 0).unwrap();
    let other_hold = Audit::new(&other, &mut other_reader, 0).take().unwrap();
    put(&producer, &mut publisher, 0).unwrap();
    let mut audit = Audit::new(&me, &mut reader, 0);
    let hold = audit.take().unwrap();
    put(&producer, &mut publisher, 0).unwrap();
    let producer = put_in_a_thread(producer, publisher, 2);
    let other = other.run(move |other| {
        let mut audit = Audit::new(other, &mut other_reader, 1);
        audit.give_back(other_hold);
        audit.get();
        let seen = audit.seen;
        (seen, other_reader)
    });
    audit.give_back(hold);
    audit.get();
    let (seen, mut other_reader) = other.end().unwrap();
    producer.end();
    audit.end(5);
    Audit::new(&me, &mut other_reader, seen).end(5);
}

pub(super) fn one_sleeper(_: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (producer, publisher) = produce(&region);
    let (me, mut reader) = consume(&region, 0);
    let producer = put_in_a_thread(producer, publisher, 3);
    let mut audit = Audit::new(&me, &mut reader, 0);
    audit.get_until(|sequence, _| sequence == 3);
    producer.end();
    audit.end(3);
}

pub(super) fn two_sleepers(_: Fate) {
    let region = Region::new(Shape::of(2, 1));
    let (producer, publisher) = produce(&region);
    let (me, mut reader) = consume(&region, 0);
    let (other, mut other_reader) = consume(&region, 1);
    let producer = put_in_a_thread(producer, publisher, 2);
    let other = other.run(move |other| {
        Audit::new(other, &mut other_reader, 0).get_until(|sequence, _| sequence == 2);
    });
    let mut audit = Audit::new(&me, &mut reader, 0);
    audit.get_until(|sequence, _| sequence == 2);
    other.end();
    producer.end();
    audit.end(2);
}

/// Two channels, their producers, and one consumer that waits for both until it has had a value of
/// each.
pub(super) fn waiter_on_two(_: Fate) {
    let first = Region::new(Shape::of(1, 1));
    let second = first.beside(Shape::of(1, 1));
    let producers = [&first, &second].map(|region| {
        let (producer, publisher) = produce(region);
        put_in_a_thread(producer, publisher, 1)
    });
    let (me, mut reader) = consume(&first, 0);
    let also = me.also_in(&second);
    also.claim_consumer(0);
    let mut also_reader = Consumer::take_over(&also, 0, false).unwrap();
    let mut audits = [Audit::new(&me, &mut reader, 0), Audit::new(&also, &mut also_reader, 0)];
    while audits.iter().any(|audit| audit.seen == 0) {
        sleep_any(audits.iter().map(|audit| (audit.me, &*audit.reader)), Process::wait_any);
        for audit in &mut audits {
            audit.get();
        }
    }
    for producer in producers {
        producer.end();
    }
    audits.into_iter().for_each(|audit| audit.end(1));
}

/// Both entries hold a value; the first is given back in another thread while this one gets a third,
/// into the same entry if it is free by then.
pub(super) fn two_holds(_: Fate) {
    let region = Region::new(Shape::of(1, 2));
    let (producer, mut publisher) = produce(&region);
    let (me, mut reader) = consume(&region, 0);
    let mut audit = Audit::new(&me, &mut reader, 0);
    put(&producer, &mut publisher, 0).unwrap();
    let first = audit.take().unwrap();
    put(&producer, &mut publisher, 0).unwrap();
    let second = audit.take().unwrap();
    put(&producer, &mut publisher, 0).unwrap();
    let producer = put_in_a_thread(producer, publisher, 2);
    let seat = audit.reader.seat();
    let dropper = Process::new(&region, 1).run(move |me| {
        read(me, first);
        seat.release(me, first.entry);
    });
    match audit.reader.protect(&me, Which::Unseen) {
        Ok(third) => {
            let third = third.unwrap();
            audit.reader.part_with(third.entry);
            assert_eq!(third.entry, first.entry);
            assert_eq!(third.missed, third.sequence - 3);
            audit.seen = third.sequence;
            audit.give_back(third);
        }
        Err(fault) => assert_eq!(fault, Fault::AlreadyHeld),
    }
    audit.give_back(second);
    dropper.end();
    producer.end();
    audit.end(5);
}

/// No consumers and two buffers: the second put from now opens the buffer that is being copied.
pub(super) fn observer(_: Fate) {
    let region = Region::new(Shape { copied: true, ..Shape::of(0, 0) });
    let (producer, mut publisher) = produce(&region);
    put(&producer, &mut publisher, 0).unwrap();
    let producer = put_in_a_thread(producer, publisher, 2);
    let me = Process::new(&region, 1);
    let copied =
        watch(&me, |buffer, length| Some((me.region.buffers[buffer].payload.read(), length)));
    match copied {
        Ok(value) => {
            let (sequence, stamp, (payload, length)) = value.unwrap();
            assert_eq!(payload, message(sequence, 0), "a copy is whole");
            assert_eq!((length, stamp), (16 + sequence, 100 + sequence));
        }
        Err(fault) => assert_eq!(fault, Fault::Busy),
    }
    producer.end();
}

/// The producer puts the second value only when it sees that the first was had.
pub(super) fn in_step(_: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (producer, mut publisher) = produce(&region);
    let (me, mut reader) = consume(&region, 0);
    let producer = producer.run(move |producer| {
        let mut last = put(producer, &mut publisher, 0).unwrap();
        for _ in 0..2 {
            if producer.last_seen(0).load(Relaxed) == last {
                last = put(producer, &mut publisher, 0).unwrap();
            }
        }
        last
    });
    let mut audit = Audit::new(&me, &mut reader, 0);
    for _ in 0..3 {
        let before = audit.seen;
        if let Some(sequence) = audit.get() {
            assert_eq!(sequence, before + 1, "nothing is missed");
        }
    }
    let last = producer.end().unwrap();
    audit.end(last);
}

/// A producer whose descriptors were closed under it, with a full loan in hand, and its successor.
pub(super) fn stale_producer(_: Fate) {
    let region = Region::new(Shape::of(1, 1));
    let (stale, mut publisher) = produce(&region);
    let (consumer, mut reader) = consume(&region, 0);
    let buffer = publisher.loan(&stale).unwrap();
    region.buffers[buffer].payload.write(message(1, 1));
    stale.free_claims();
    let successor = Process::new(&region, 9).run(|me| {
        me.claim_producer();
        let mut publisher = Producer::take_over(me).unwrap();
        put(me, &mut publisher, 2).unwrap()
    });
    let published = publisher.publish(&stale, 17, 101);
    let last = successor.end().unwrap();
    match published {
        Ok(sequence) => assert_eq!((sequence, last), (1, 2)),
        Err(fault) => assert_eq!((fault, last), (Fault::RoleLost, 1)),
    }
    assert_eq!(publisher.loan(&stale), Err(Fault::RoleLost), "told at the next loan at the latest");
    let mut audit = Audit::new(&consumer, &mut reader, 0);
    assert_eq!(audit.get(), Some(last));
    assert_eq!(audit.sender, 2, "the successor's value stands");
    audit.end(last);
}

/// A consumer whose claim was closed under it, after another took its slot over. Nothing runs beside
/// it: what matters is what it is told, and what it leaves alone.
pub(super) fn stale_consumer(_: Fate) {
    let region = Region::new(Shape::of(1, 2).storing_inline());
    let (producer, mut publisher) = produce(&region);
    let (stale, mut reader) = consume(&region, 0);
    put(&producer, &mut publisher, 1).unwrap();
    let held = reader.protect(&stale, Which::Unseen).unwrap().unwrap();
    reader.part_with(held.entry);
    let kept = reader.protect(&stale, Which::Current).unwrap().unwrap();
    assert!(reader.seat().is_own(&stale));
    stale.free_claims();

    let successor = Process::new(&region, 9);
    successor.claim_consumer(0);
    let mut next = Consumer::take_over(&successor, 0, false).unwrap();
    for _ in 0..2 {
        let hold = next.protect(&successor, Which::Current).unwrap().unwrap();
        next.part_with(hold.entry);
    }
    put(&producer, &mut publisher, 1).unwrap();
    successor.waiting(0).store(ASLEEP, Relaxed);

    for which in [Which::Unseen, Which::Current] {
        assert_eq!(reader.protect(&stale, which), Err(Fault::SlotLost(0)));
        assert_eq!(reader.read_inline(&stale, which, &mut [0; 2]), Err(Fault::SlotLost(0)));
    }
    reader.sleep(&stale, 0);
    assert!(!reader.seat().release(&stale, held.entry));
    assert_ne!(held.entry, kept.entry);
    reader.leave(&stale);
    assert_eq!(successor.waiting(0).load(Relaxed), ASLEEP, "the byte is the successor's");
    assert_eq!(successor.last_seen(0).load(Relaxed), 1, "it has not had the second");
    for entry in 0..2 {
        assert_ne!(successor.held(0, entry).load(Relaxed), 0, "the holds are the successor's");
    }
}

/// Nothing runs beside it: what matters is what is left.
pub(super) fn needless_wakes(_: Fate) {
    needless_wakes_of(ASLEEP);
    needless_wakes_of(ASLEEP_TO_FOLLOW);
}

fn needless_wakes_of(asleep: u8) {
    let region = Region::new(Shape::of(2, 1));
    let (me, mut publisher) = produce(&region);
    let (living, _) = consume(&region, 0);
    for consumer in 0..2 {
        me.waiting(consumer).store(asleep, Relaxed);
    }
    for _ in 0..15 {
        Producer::rouse(&me);
        publisher.wake(&me);
        assert_eq!(me.waiting(1).load(Relaxed), asleep, "too early to look");
    }
    Producer::rouse(&me);
    publisher.wake(&me);
    assert_eq!(me.waiting(0).load(Relaxed), asleep, "a living consumer's byte is its own");
    assert_eq!(me.waiting(1).load(Relaxed), 0, "the dead one is buried");
    assert!(region.consumers[1].claim.try_take(1), "and its claim is free");
    living.free_claims();
}
