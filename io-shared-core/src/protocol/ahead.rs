//! Reading a value ahead of its publication.
//!
//! A put that copies a large value takes as long as the get that copies it out, and the second may
//! follow the first: the producer says how much of the buffer is filled, and a consumer that waits
//! copies so much of the buffer that it expects. What it has copied is worth nothing until the value
//! is published. Then it is the value's if that lies in this buffer and carries the number of this
//! filling, which no other value of the region does; else it is thrown away. So nothing is taken back
//! when a producer dies halfway, or takes another buffer.
//!
//! Nobody's role changes: the buffer is the producer's until it is published, and the reads are races
//! as an observer's are. There is no fence behind them, as an observer needs: of a value that is held,
//! nothing was written to its buffer since. A later loan of that buffer comes behind a later publish.
//! Either the scan behind that has not found the entry that names the buffer: then the fences of the
//! publish and of the announcement, which came before the reads, have the get find the later value. Or
//! the entry named another buffer in between, for another get: then the fence of the announcement that
//! followed lies between the reads and the look at `latest`, and does the same.

use std::ops::Range;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::consumer::Consumer;
use super::producer::Producer;
use super::{Word, Words};
use crate::crash_point::CrashPoint;

const PIECES_BITS: u32 = 24;
const MOST_PIECES: u64 = (1 << PIECES_BITS) - 1;

/// How much of a buffer is filled, as it stands in shared memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filled {
    /// Of the filling: each has the next. 0: there was none yet.
    pub(super) number: u64,
    pub(super) pieces: u64,
}

impl Filled {
    pub(super) fn unpack(word: u64) -> Self {
        Self { number: word >> PIECES_BITS, pieces: word & MOST_PIECES }
    }

    /// The number of the filling after that of `number`; 0 is none's, and it comes round after years.
    pub(super) fn after(number: u64) -> u64 {
        number % (u64::MAX >> PIECES_BITS) + 1
    }

    fn pack(self) -> u64 {
        self.number << PIECES_BITS | self.pieces
    }
}

impl Producer {
    /// The first `pieces` of the buffer that was lent are filled. They stay as they are for as long as it
    /// is, and nothing else is done with it but to fill the rest and publish it, or give it up.
    pub(crate) fn fill<W: Words>(&mut self, words: &W, pieces: u64) {
        let (number, pieces) = (self.filling(), pieces.min(MOST_PIECES));
        // Release: who reads so many pieces finds what was written there.
        words.filled().store(Filled { number, pieces }.pack(), Release);
        words.reached(CrashPoint::PutFilling);
    }

    /// What was filled is published, or was given up.
    pub(super) fn end_filling<W: Words>(words: &W, number: u64) {
        // Relaxed: it keeps others from reading in vain, no more.
        words.filled().store(Filled { number, pieces: 0 }.pack(), Relaxed);
    }
}

/// What was read of a value before it was published.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Ahead {
    number: u64,
    buffer: usize,
    pieces: u64,
}

impl Consumer {
    /// Copies the pieces of the expected buffer that were filled since the last call, by `copy`, which
    /// must read by relaxed atomic words and must bear any range. Whether there were any.
    pub(crate) fn read_ahead<W: Words>(
        &mut self,
        words: &W,
        ahead: &mut Ahead,
        copy: impl FnOnce(usize, Range<u64>),
    ) -> bool {
        let Some(buffer) = self.expected() else { return false };
        // Acquire: with the Release in `fill`.
        let word = words.filled().load(Acquire);
        // Once, though each get has a room of its own: its producer may be dead.
        if !self.follow(word) {
            return false;
        }
        let Filled { number, pieces } = Filled::unpack(word);
        if (number, buffer) != (ahead.number, ahead.buffer) {
            *ahead = Ahead { number, buffer, pieces: 0 };
        }
        if pieces <= ahead.pieces {
            return false;
        }
        copy(buffer, ahead.pieces..pieces);
        ahead.pieces = pieces;
        true
    }
}

impl Ahead {
    /// How many pieces of the value that is held were read ahead.
    pub(crate) fn of(&self, filling: u64, buffer: usize) -> u64 {
        match filling != 0 && (filling, buffer) == (self.number, self.buffer) {
            true => self.pieces,
            false => 0,
        }
    }
}
