//! Reading a value ahead of its publication: what the two sides say of it.
//!
//! A put that copies a large value takes about as long as the get that copies it out, and the two
//! copies may overlap. The producer says how much of the buffer is filled
//! ([`Producer::fill`](super::Producer::fill)); a consumer that waits copies those pieces of the
//! buffer that it expects ([`Consumer::read_ahead`](super::Consumer::read_ahead)). What it has
//! copied counts for nothing until the value is published. Then it is part of the value if the
//! value lies in this buffer and has the number of this filling, which no other value of the region
//! has; otherwise it is thrown away. So nothing has to be undone when a producer dies halfway, or
//! takes another buffer.
//!
//! The roles stay as they are: the buffer is the producer's until it is published, and the reads
//! are races, as an observer's are. No fence follows them, although an observer needs one. If the
//! value is held later, nothing was written to its buffer after the filling. For a later loan of
//! that buffer comes after a later publish, and there are two cases:
//! - The scan after that publish did not find the entry that names the buffer. The announcement
//!   came before the reads; by its fence and the fence of the publish, the get finds the later
//!   value.
//! - The entry named another buffer in between, for another get. Then the fence of the announcement
//!   that followed lies between the reads and the look at `latest`, and does the same.

const PIECES_BITS: u32 = 24;
pub(super) const MOST_PIECES: u64 = (1 << PIECES_BITS) - 1;

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

    pub(super) fn pack(self) -> u64 {
        self.number << PIECES_BITS | self.pieces
    }

    /// The number of the filling after `number`. It is never 0, and comes round after years.
    pub(super) fn after(number: u64) -> u64 {
        number % (u64::MAX >> PIECES_BITS) + 1
    }
}

/// What a consumer has read of a value before it was published.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Ahead {
    number: u64,
    buffer: usize,
    pieces: u64,
}

impl Ahead {
    /// How many pieces of the value with that filling, held in `buffer`, were read ahead.
    pub(crate) fn of(&self, filling: u64, buffer: usize) -> u64 {
        match filling != 0 && (filling, buffer) == (self.number, self.buffer) {
            true => self.pieces,
            false => 0,
        }
    }

    /// Has `copy` read the pieces that are filled and were not read yet. Returns whether there were
    /// any.
    pub(super) fn copy_new(
        &mut self,
        filled: Filled,
        buffer: usize,
        copy: impl FnOnce(usize, std::ops::Range<u64>),
    ) -> bool {
        let Filled { number, pieces } = filled;
        if (number, buffer) != (self.number, self.buffer) {
            *self = Self { number, buffer, pieces: 0 };
        }
        if pieces <= self.pieces {
            return false;
        }
        copy(buffer, self.pieces..pieces);
        self.pieces = pieces;
        true
    }
}
