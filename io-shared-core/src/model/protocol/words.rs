//! The shared words of a slot, made of loom's atomics.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU8, AtomicU64};

use crate::model::kernel::{Claim, Conflict, Futex};
use crate::model::mutant::{self, Mutant};
use crate::model::words::{Exchanged, Shared};
use crate::protocol::Words;

/// A platform with messages of two words in its buffers.
pub(crate) trait Messages: Words {
    fn write(&self, buffer: usize, message: [u64; 2]);
    fn read(&self, buffer: usize) -> [u64; 2];
    /// The tag of the value of this sequence.
    fn tag(&self, sequence: u64) -> u64 {
        200 + sequence
    }
}

/// The two words of a message.
pub(crate) enum Payload {
    /// As a consumer reads it: a read that is not ordered with every write is an error.
    Plain(UnsafeCell<[u64; 2]>),
    /// As an observer copies it: each word on its own, whatever is being written.
    Copied([AtomicU64; 2]),
}

impl Payload {
    pub(crate) fn write(&self, message: [u64; 2]) {
        match self {
            // SAFETY: loom hands out the pointer for this closure alone, and ends the run if any
            // other access is not ordered with it.
            Payload::Plain(cell) => cell.with_mut(|bytes| unsafe { *bytes = message }),
            Payload::Copied(words) => {
                words.iter().zip(message).for_each(|(word, half)| word.store(half, Relaxed));
            }
        }
    }

    /// The words of a message that others may copy while they are written.
    pub(crate) fn words(&self) -> &[AtomicU64; 2] {
        match self {
            Payload::Plain(_) => panic!("this payload is read only when it is published"),
            Payload::Copied(words) => words,
        }
    }

    pub(crate) fn read(&self) -> [u64; 2] {
        match self {
            // SAFETY: as in `write`.
            Payload::Plain(cell) => cell.with(|bytes| unsafe { *bytes }),
            Payload::Copied(words) => [words[0].load(Relaxed), words[1].load(Relaxed)],
        }
    }
}

/// How large a slot is.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) consumers: usize,
    pub(crate) holds: usize,
    /// How many there are at first.
    pub(crate) buffers: usize,
    /// How many values before the newest somebody had kept who is gone.
    pub(crate) kept: u64,
    /// Whether somebody asks for such values, or nobody does any more.
    pub(crate) asked: bool,
    /// How many more joiners may add.
    pub(crate) more: usize,
    /// Slots that have their entries at first; the others get them as they are joined.
    pub(crate) used: usize,
    /// Whether the payload is for observers.
    pub(crate) copied: bool,
    /// Whether whole values are stored inline.
    pub(crate) stores_inline: bool,
    /// Whether anything is stored inline.
    pub(crate) heads: bool,
    /// Whether buffers are large.
    pub(crate) large: bool,
    /// Whether values are read ahead.
    pub(crate) ahead: bool,
    /// Whether values have tags. Next to `latest` a tag is one more word like the stamp, and each
    /// such word doubles the executions.
    pub(crate) tags: bool,
}

impl Shape {
    /// A slot with just enough buffers.
    pub(crate) fn of(consumers: usize, holds: usize) -> Self {
        let fewer = usize::from(mutant::is(Mutant::OneBufferFewer));
        let buffers = consumers * holds + 2 - fewer;
        Self {
            consumers,
            holds,
            buffers,
            kept: 0,
            asked: false,
            more: 0,
            used: consumers,
            copied: false,
            stores_inline: false,
            heads: false,
            large: false,
            ahead: false,
            tags: true,
        }
    }

    /// One in which the first `used` slots have had owners. The others have no entries yet: there
    /// are buffers for these alone, and memory for more.
    pub(crate) fn to_join(self, used: usize) -> Self {
        let buffers = used * self.holds + 2;
        Self { used, buffers, more: self.buffers - buffers, ..self }
    }

    /// One with buffers for a history, which was asked for. The word stays as it is.
    pub(crate) fn keeping(self, kept: u64) -> Self {
        Self { kept, buffers: self.buffers + kept as usize, ..self }
    }

    /// One in which somebody may ask for a history, with memory for this many buffers more.
    pub(crate) fn to_be_asked(self, kept: usize) -> Self {
        Self { asked: true, more: kept, ..self }
    }

    /// A word of the pool, which changes only where somebody joins.
    fn changing<A>(&self, word: Shared<A>, value: usize) -> Shared<A> {
        let value = value as u64;
        if self.more == 0 { word.fixed(value) } else { word.read_by_its_writer().known(value) }
    }

    /// One whose values are stored inline.
    pub(crate) fn storing_inline(self) -> Self {
        Self { stores_inline: true, ..self.with_heads() }
    }

    /// One whose values may be read ahead, in pieces of one word.
    pub(crate) fn read_ahead(self) -> Self {
        Self { copied: true, large: true, ahead: true, ..self.with_heads() }
    }

    /// One that stores its values' lengths and stamps inline.
    pub(crate) fn with_heads(self) -> Self {
        Self { heads: true, tags: false, ..self }
    }
}

pub(crate) struct Buffer {
    pub(crate) sequence: Shared<AtomicU64>,
    pub(crate) length: Shared<AtomicU64>,
    pub(crate) stamp: Shared<AtomicU64>,
    pub(crate) tag: Shared<AtomicU64>,
    /// Whether its memory is reserved: a touch of what is not would be SIGBUS.
    pub(crate) reserved: UnsafeCell<bool>,
    pub(crate) payload: Payload,
}

pub(crate) struct ConsumerBlock {
    pub(crate) held: Vec<Shared<AtomicU8>>,
    pub(crate) grant: Shared<AtomicU8>,
    pub(crate) taken: Shared<AtomicU64>,
    pub(crate) last_seen: Shared<AtomicU64>,
    pub(crate) claim: Claim,
}

/// A region: what the processes of a scenario share.
pub(crate) struct Region {
    pub(crate) latest: Exchanged,
    pub(crate) incarnation: Shared<AtomicU64>,
    pub(crate) filled: Shared<AtomicU64>,
    pub(crate) asleep: Shared<AtomicU64>,
    pub(crate) following: Shared<AtomicU64>,
    pub(crate) used: Shared<AtomicU64>,
    pub(crate) pool: Shared<AtomicU64>,
    pub(crate) history: Shared<AtomicU64>,
    /// How many claim the history. The kernel orders no more than this does.
    pub(super) asking: AtomicU64,
    /// What whoever opened it before anybody joined has mapped.
    pub(super) mapped_at_first: usize,
    /// The mark, the stamp, the tag and the message next to `latest`.
    pub(crate) inline: Vec<Shared<AtomicU64>>,
    pub(crate) stores_inline: bool,
    pub(crate) is_large: bool,
    pub(crate) tags: bool,
    /// One for all regions of a scenario, as there is one order of fences.
    pub(crate) fences: Rc<Conflict>,
    pub(crate) retired: Shared<AtomicU8>,
    pub(crate) producer: Claim,
    /// The region's own lock.
    pub(crate) lock: Claim,
    pub(crate) consumers: Vec<ConsumerBlock>,
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) futex: Futex,
}

impl Region {
    pub(crate) fn new(shape: Shape) -> Rc<Self> {
        Self::with(shape, Rc::new(Conflict::new()))
    }

    /// Another region, whose processes may be this one's.
    pub(crate) fn beside(&self, shape: Shape) -> Rc<Self> {
        Self::with(shape, Rc::clone(&self.fences))
    }

    fn with(shape: Shape, fences: Rc<Conflict>) -> Rc<Self> {
        let word = || Shared::new(AtomicU64::new(0));
        let tag = || if shape.tags { word() } else { word().ignored() };
        let flag = || Shared::new(AtomicU8::new(0));
        let payload = || match shape.copied {
            false => Payload::Plain(UnsafeCell::new([0; 2])),
            true => Payload::Copied([AtomicU64::new(0), AtomicU64::new(0)]),
        };
        let consumer = |slot| ConsumerBlock {
            held: (0..shape.holds).map(|_| flag().read_by_its_writer()).collect(),
            grant: {
                let granted = if slot < shape.used { shape.holds } else { 0 };
                shape.changing(Shared::new(AtomicU8::new(granted as u8)), granted)
            },
            taken: word().read_by_its_writer(),
            last_seen: word().read_by_its_writer(),
            claim: Claim::new(),
        };
        let buffer = |number| Buffer {
            sequence: word().read_by_its_writer(),
            length: word(),
            stamp: word(),
            tag: tag(),
            reserved: UnsafeCell::new(number < shape.buffers),
            payload: payload(),
        };
        let word_of = |value| Shared::new(AtomicU64::new(value as u64));
        let message = if shape.heads { 2 } else { 0 } + usize::from(shape.ahead);
        Rc::new(Self {
            latest: Exchanged::new(),
            incarnation: word().read_by_its_writer(),
            filled: word().read_by_its_writer(),
            is_large: shape.large,
            asleep: word(),
            following: if shape.ahead { word().read_by_its_writer() } else { word().fixed(0) },
            used: shape.changing(word_of(shape.used), shape.used),
            pool: shape.changing(word_of(shape.buffers), shape.buffers),
            history: match shape.asked {
                true => Shared::new(AtomicU64::new(shape.kept)),
                false => word_of(0).fixed(shape.kept),
            },
            asking: AtomicU64::new(0),
            mapped_at_first: shape.buffers,
            inline: [word(), word(), tag()]
                .into_iter()
                .chain((0..message).map(|_| word()))
                .collect(),
            stores_inline: shape.stores_inline,
            tags: shape.tags,
            fences,
            retired: flag(),
            producer: Claim::new(),
            lock: Claim::new(),
            consumers: (0..shape.consumers).map(consumer).collect(),
            buffers: (0..shape.buffers + shape.more).map(buffer).collect(),
            futex: Futex::new(),
        })
    }
}
