//! The protocol of docs/ARCHITECTURE.md and nothing else, for 16 bytes: no types, no checks, no
//! clock, no errors. 16 bytes are stored inline, next to `latest`, so the reader holds nothing. The
//! cost over the bare line is the protocol's price: a value that is whole whoever dies, a publish
//! that cannot overwrite another producer's, a fence. What io-shared costs over this is the
//! library's price.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU64, fence};

use crate::Result;
use crate::names::Names;
use crate::page::{Page, STRIDE};
use crate::run::{Incoming, Outgoing, Spec, check};
use crate::system::System;

pub(crate) struct Protocol;

impl System for Protocol {
    type Out = Out;
    type In = In;
    const NAME: &'static str = crate::system::PROTOCOL;
    const SETTINGS: &'static str =
        "compare-exchange and a fence over three buffers; the value next to the word that names it";
    const POLLS_ONLY: bool = true;
    const LARGEST: usize = 16;

    fn outgoing(names: &Names, spec: &Spec) -> Result<Out> {
        Ok(Out {
            words: Words(Page::open(&names.file_of(spec), 4096)?),
            latest: 0,
            finds: Vec::new(),
        })
    }

    fn incoming(names: &Names, spec: &Spec) -> Result<In> {
        Ok(In { words: Words(Page::open(&names.file_of(spec), 4096)?), last_seen: 0 })
    }
}

const BUFFERS: usize = 3;
const INDEX: u32 = 56;

/// The shared words of one slot, each block in its line.
struct Words(Page);

impl Words {
    fn word(&self, line: usize, word: usize) -> &AtomicU64 {
        let at = self.0.words(line * STRIDE + word * 8, 1);
        // SAFETY: inside the mapping, which lives as long as the reference; aligned to 8; every
        // process accesses these words atomically alone.
        unsafe { AtomicU64::from_ptr(at) }
    }

    fn latest(&self) -> &AtomicU64 {
        self.word(0, 0)
    }

    /// Word 0 is the mark, 1 the stamp, 2 and 3 the payload.
    fn inline(&self, word: usize) -> &AtomicU64 {
        self.word(0, 1 + word)
    }

    fn waiting(&self) -> &AtomicU64 {
        self.word(1, 0)
    }

    fn held(&self) -> &AtomicU64 {
        self.word(2, 0)
    }

    fn last_seen(&self) -> &AtomicU64 {
        self.word(3, 0)
    }

    /// Word 0 is the sequence, 1 the length, 2 the stamp, 3 and 4 the payload.
    fn buffer(&self, index: usize, word: usize) -> &AtomicU64 {
        self.word(4 + index, word)
    }
}

pub(crate) struct Out {
    words: Words,
    latest: u64,
    finds: Vec<usize>,
}

impl Out {
    fn scan(&mut self) {
        let held = self.words.held().load(Acquire);
        let latest = (self.latest >> INDEX) as usize;
        let free = |index: &usize| *index != latest && *index as u64 + 1 != held;
        self.finds.extend((0..BUFFERS).filter(free));
    }
}

impl Outgoing for Out {
    #[inline]
    fn send(&mut self, seq: u64, touch: bool) -> Result<()> {
        if self.finds.is_empty() {
            self.scan();
        }
        let index = self.finds.pop().unwrap_or(0);
        let words = &self.words;
        words.buffer(index, 0).store(0, Relaxed);
        fence(Release);
        if touch {
            words.buffer(index, 3).store(seq, Relaxed);
            words.buffer(index, 4).store(seq, Relaxed);
        }
        words.buffer(index, 1).store(16, Relaxed);
        // Sequence 0 is no value yet.
        words.buffer(index, 0).store(seq + 1, Relaxed);
        let next = (index as u64) << INDEX | (seq + 1);
        words.inline(0).store(0, Relaxed);
        fence(Release);
        for word in 1..4 {
            words.inline(word).store(words.buffer(index, word + 1).load(Relaxed), Relaxed);
        }
        words.inline(0).store(next, Release);
        if words.latest().compare_exchange(self.latest, next, Release, Relaxed).is_err() {
            return Err("somebody else has published".into());
        }
        fence(SeqCst);
        self.latest = next;
        if words.waiting().load(Relaxed) != 0 {
            return Err("nobody sleeps here".into());
        }
        if self.finds.is_empty() {
            self.scan();
        }
        Ok(())
    }
}

pub(crate) struct In {
    words: Words,
    last_seen: u64,
}

impl Incoming for In {
    #[inline]
    fn try_receive(&mut self, seq: u64, touch: bool) -> Result<bool> {
        let words = &self.words;
        let latest = words.latest().load(Relaxed);
        let sequence = latest & ((1 << INDEX) - 1);
        if sequence == self.last_seen {
            return Ok(false);
        }
        if words.inline(0).load(Acquire) != latest {
            return Err("a ping-pong has one value at a time".into());
        }
        let payload = [2, 3].map(|word| words.inline(word).load(Relaxed));
        fence(Acquire);
        if words.inline(0).load(Relaxed) != latest {
            return Err("a ping-pong has one value at a time".into());
        }
        self.last_seen = sequence;
        words.last_seen().store(sequence, Relaxed);
        if touch {
            check(&payload, seq)?;
        }
        Ok(true)
    }

    fn block(&mut self, seq: u64, touch: bool) -> Result<()> {
        self.poll(seq, touch)
    }
}
