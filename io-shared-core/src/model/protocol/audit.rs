//! Putting and getting in a scenario, with a check of all that a consumer is promised.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use super::process::Process;
use super::words::{Messages, Region};
use crate::model::victim::{Killable, Running};
use crate::protocol::{
    Consumer, Fault, InlineRead, Producer, Protected, Which, Word, entries, is_asleep,
};

/// Puts a message that says its sequence and its sender.
pub(crate) fn put<M: Messages>(me: &M, producer: &mut Producer, sender: u64) -> Result<u64, Fault> {
    let put = publish(me, producer, sender)?;
    producer.wake(me);
    Ok(put)
}

/// A put that has woken nobody yet.
pub(super) fn publish<M: Messages>(
    me: &M,
    producer: &mut Producer,
    sender: u64,
) -> Result<u64, Fault> {
    publish_numbered(me, producer, sender, producer.sequence() + 1)
}

/// The same under a given number.
pub(super) fn publish_numbered<M: Messages>(
    me: &M,
    producer: &mut Producer,
    sender: u64,
    sequence: u64,
) -> Result<u64, Fault> {
    let buffer = producer.loan(me)?;
    producer.check_number(sequence)?;
    me.write(buffer, message(sequence, sender));
    let put =
        producer.publish(me, buffer, sequence, 16 + sequence, 100 + sequence, me.tag(sequence))?;
    assert_eq!(put, sequence);
    Ok(put)
}

pub(crate) fn message(sequence: u64, sender: u64) -> [u64; 2] {
    let first = sequence << 8 | sender;
    [first, !first]
}

/// What a consumer is promised, checked at each of its gets.
pub(crate) struct Audit<'a, M> {
    pub(super) me: &'a M,
    pub(super) consumer: &'a mut Consumer,
    pub(super) seen: u64,
    pub(super) sender: u64,
}

impl<'a, M: Messages> Audit<'a, M> {
    /// For a consumer that has received the values up to `seen`, or was too late for them.
    pub(crate) fn new(me: &'a M, consumer: &'a mut Consumer, seen: u64) -> Self {
        Self { me, consumer, seen, sender: 0 }
    }

    /// Protects the next value, if there is one. It must be newer than the last, with the right
    /// count of misses.
    pub(super) fn hold(&mut self) -> Option<Protected> {
        let hold = self.consumer.protect(self.me, Which::Unseen).unwrap()?;
        self.note(hold.sequence, hold.missed);
        Some(hold)
    }

    /// The same, with the entry parted with.
    pub(super) fn take(&mut self) -> Option<Protected> {
        let hold = self.hold()?;
        self.consumer.part_with(hold.entry);
        Some(hold)
    }

    /// A value was taken.
    fn note(&mut self, sequence: u64, missed: u64) {
        assert!(sequence > self.seen, "{sequence} comes again");
        assert_eq!(missed, sequence - self.seen - 1, "what was missed");
        self.seen = sequence;
        assert_eq!(self.me.last_seen(self.consumer.consumer()).load(Relaxed), sequence);
    }

    /// Reads a taken value, which must be whole, and releases its entry.
    pub(super) fn give_back(&mut self, hold: Protected) {
        self.sender = read(self.me, hold);
        self.consumer.seat().release(self.me, hold.entry);
    }

    /// The sequence of the next value, if there was one. It is read inline if it can be.
    pub(crate) fn get(&mut self) -> Option<u64> {
        let mut inline = [0; 2];
        match self.consumer.read_inline(self.me, Which::Unseen, &mut inline).unwrap() {
            InlineRead::Nothing => None,
            InlineRead::NotInline => {
                let hold = self.hold()?;
                self.sender = read(self.me, hold);
                Some(hold.sequence)
            }
            InlineRead::Value { sequence, missed, stamp, tag } => {
                self.note(sequence, missed);
                self.sender = inline[0] & 0xff;
                assert_eq!(inline, message(sequence, self.sender), "an inline value is whole");
                assert_eq!((stamp, tag), (100 + sequence, self.me.tag(sequence)));
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
                None => self.consumer.sleep(self.me, 0),
            }
        }
    }

    /// When everything is over: the newest value is `last`, and nothing is left.
    pub(crate) fn end(mut self, last: u64) {
        match self.get() {
            Some(sequence) => assert_eq!(sequence, last, "the newest value wins"),
            None => assert_eq!(self.seen, last, "the newest value was received"),
        }
        let current = self.consumer.protect(self.me, Which::Current).unwrap().unwrap();
        assert_eq!((current.sequence, current.missed), (last, 0));
        self.sender = read(self.me, current);
        assert!(!self.consumer.has_unseen(self.me));
        self.consumer.leave(self.me);
        let slot = self.consumer.consumer();
        assert!(!is_asleep(self.me, slot), "nobody waits any more");
        for entry in 0..entries(self.me, slot) {
            assert_eq!(self.me.held(slot, entry).load(Relaxed), 0, "nothing is held any more");
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
    assert_eq!(hold.tag, me.tag(hold.sequence));
    sender
}

pub(super) fn produce(region: &Rc<Region>) -> (Process, Producer) {
    let me = Process::new(region, 0);
    me.claim_producer();
    let producer = Producer::take_over(&me).unwrap();
    (me, producer)
}

pub(super) fn consume(region: &Rc<Region>, slot: usize) -> (Process, Consumer) {
    let me = Process::new(region, 1 + slot as u32);
    me.claim_consumer(slot);
    let consumer = Consumer::take_over(&me, slot, entries(&me, slot), false).unwrap();
    (me, consumer)
}

pub(super) fn put_in_a_thread(me: Process, mut producer: Producer, puts: u64) -> Running<()> {
    me.run(move |me| {
        for _ in 0..puts {
            put(me, &mut producer, 0).unwrap();
        }
    })
}
