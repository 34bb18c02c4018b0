//! The protocol of a single slot: DESIGN.md section 6, as the model checker runs it.
//!
//! This is the source that ships. It is generic over [`Words`], the shared words of one slot, so
//! that the same lines run over mapped memory and, in `model/protocol.rs`, over loom's atomics. Nothing here
//! knows of names, mappings, types or time. The ordering arguments stand at the operations; the
//! table of what each one is for, and of what the model said when it was weakened, is
//! `docs/PROOF.md`.
//!
//! What must stay true:
//! - A buffer that `latest` names, or that a validated held entry names, is not written.
//! - Each shared word has one writer at a time: `latest`, the buffers and nothing else are the
//!   producer's; a consumer's block and waiting byte are its own, or whoever has won its claim's.
//! - Every index read from shared memory is checked against the pool before it is used.

mod ahead;
mod consumer;
mod inline;
mod observer;
mod producer;

use std::sync::atomic::Ordering;

pub(crate) use ahead::Ahead;
pub use consumer::Which;
pub(crate) use consumer::{Consumer, Protected, Seat, sleep_any};
pub(crate) use inline::InlineRead;
pub(crate) use observer::watch;
pub(crate) use producer::Producer;

use crate::crash_point::CrashPoint;
use crate::region::layout::SMALL_PAYLOAD;

/// One shared atomic word.
pub(crate) trait Word<T> {
    fn load(&self, order: Ordering) -> T;
    fn store(&self, value: T, order: Ordering);
}

/// One shared atomic word that two processes may write.
pub(crate) trait Exchange<T>: Word<T> {
    fn compare_exchange(
        &self,
        current: T,
        new: T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<T, T>;
}

/// What stands before the message in a buffer.
pub(crate) struct Header<'a, C> {
    /// 0: being filled; n: complete, and value n once `latest` says so.
    pub(crate) sequence: &'a C,
    /// Bytes of the message.
    pub(crate) length: &'a C,
    /// CLOCK_MONOTONIC in nanoseconds at the put; 0: no stamp.
    pub(crate) stamp: &'a C,
}

/// What is carried beside `latest` of the value that it names.
pub(crate) struct Inline<'a, C> {
    /// The word of `latest` whose value it is; 0: none, or not all of it yet.
    pub(crate) mark: &'a C,
    pub(crate) stamp: &'a C,
    /// The message, in words of 64 bits, where [messages are carried](Words::carries); else its length in
    /// bytes, the buffer that the next one is likely to be in, and the number of its filling if it could
    /// be read ahead. Without words nothing is carried.
    pub(crate) message: &'a [C],
}

/// The shared words of one slot and the kernel services that the protocol uses.
///
/// Implementations bound-check every index: the callers have checked it, a slip must not become an
/// access outside the region.
pub(crate) trait Words {
    /// How often a `latest` that moves under the one who looks is looked at again.
    const TRIES: usize = 64;

    type Latest: Exchange<u64>;
    type Count: Word<u64>;
    type Flag: Word<u8>;

    fn consumer_slots(&self) -> usize;
    fn holds(&self) -> usize;
    fn buffers(&self) -> usize;
    /// Whether messages are so large that caches, rather than lines, decide how fast they are.
    fn is_large(&self) -> bool;

    /// | bits | field | |
    /// |---|---|---|
    /// | 56..64 | index | the buffer of the latest value |
    /// | 52..56 | epoch | raised by each producer as it takes over, modulo 16 |
    /// | 0..52 | sequence | 0: no value yet; the low 32 bits are the futex word |
    fn latest(&self) -> &Self::Latest;
    /// How often the producer's role was taken over. It lies where only producers write: a look at
    /// `latest`, which consumers look at all the time, would be waited for in each put.
    fn incarnation(&self) -> &Self::Count;
    /// | bits | field | |
    /// |---|---|---|
    /// | 24..64 | number | of the filling: a copy into a buffer, which others may read ahead |
    /// | 0..24 | pieces | how many are filled; 0: none, or its value is published or given up |
    fn filled(&self) -> &Self::Count;
    /// 0: in use; 1: the region was removed or replaced.
    fn retired(&self) -> &Self::Flag;
    /// 0: awake; [`ASLEEP`], or about to look once more before it sleeps; [`ASLEEP_TO_FOLLOW`].
    fn waiting(&self, consumer: usize) -> &Self::Flag;
    /// 0: nothing; n: buffer n - 1, once a look at `latest` behind the store and a fence found it named.
    fn held(&self, consumer: usize, entry: usize) -> &Self::Flag;
    /// How often the consumer's slot was taken over.
    fn taken(&self, consumer: usize) -> &Self::Count;
    /// The sequence of the last value that this consumer has had.
    fn last_seen(&self, consumer: usize) -> &Self::Count;
    /// The sequence of the last value that is not given, since a reboot tore it; 0: there is none. It
    /// does not change while anybody has a role.
    fn lost(&self) -> u64;
    fn header(&self, buffer: usize) -> Header<'_, Self::Count>;

    /// What is carried in the line of `latest`.
    fn inline(&self) -> Inline<'_, Self::Count>;
    /// Whether whole messages are: all have one length, and it fits.
    fn stores_inline(&self) -> bool;
    /// The message in the buffer that this producer has open, in words of 64 bits.
    fn written(&self, buffer: usize) -> [u64; MAX_INLINE_WORDS];

    fn fence(&self, order: Ordering);
    /// FUTEX_WAKE of all on the low half of `latest`; how many slept there.
    fn wake(&self) -> usize;
    /// FUTEX_WAIT on the low half of `latest` while it is `low`, until `until` (CLOCK_MONOTONIC in
    /// nanoseconds) at the latest. May end early for any reason.
    fn wait(&self, low: u32, until: u64);
    /// Calls `raise` unless another thread of this process sleeps for the same consumer: the byte is
    /// one, and stays up for both.
    fn first_asleep(&self, raise: impl FnOnce());
    /// Calls `lower` unless another thread of this process still sleeps for the same consumer.
    fn last_awake(&self, lower: impl FnOnce());
    /// Tries to win the claim of a consumer that may be dead.
    fn win(&self, consumer: usize) -> bool;
    /// Gives up what `win` won.
    fn unwin(&self, consumer: usize);
    fn reached(&self, point: CrashPoint);
}

/// Why the protocol refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    RoleLost,
    /// Another has taken over this consumer's slot.
    SlotLost(usize),
    AlreadyHeld,
    Busy,
    SequenceExhausted,
    Corrupt(&'static str),
}

/// Words of 64 bits of the largest message that is carried in the line of `latest`.
pub(crate) const MAX_INLINE_WORDS: usize = SMALL_PAYLOAD as usize / 8;

/// A waiting byte: to be woken when there is a value.
pub(crate) const ASLEEP: u8 = 1;
/// The same, and when one is being filled: its reader copies it out meanwhile.
pub(crate) const ASLEEP_TO_FOLLOW: u8 = 2;

const SEQUENCE_BITS: u32 = 52;
const EPOCH_BITS: u32 = 4;

/// `latest`, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Latest {
    pub(crate) index: usize,
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
}

impl Latest {
    pub(crate) const LAST_SEQUENCE: u64 = (1 << SEQUENCE_BITS) - 1;

    #[inline]
    pub(crate) fn unpack(word: u64) -> Self {
        Self {
            index: (word >> (SEQUENCE_BITS + EPOCH_BITS)) as usize,
            epoch: word >> SEQUENCE_BITS & ((1 << EPOCH_BITS) - 1),
            sequence: word & Self::LAST_SEQUENCE,
        }
    }

    #[inline]
    pub(crate) fn pack(self) -> u64 {
        (self.index as u64) << (SEQUENCE_BITS + EPOCH_BITS)
            | (self.epoch & ((1 << EPOCH_BITS) - 1)) << SEQUENCE_BITS
            | self.sequence
    }

    /// Takes a word read from shared memory apart and checks its index.
    #[inline]
    pub(crate) fn checked<W: Words>(words: &W, word: u64) -> Result<Self, Fault> {
        let latest = Self::unpack(word);
        if latest.index >= words.buffers() {
            return Err(Fault::Corrupt("`latest` names a buffer outside the pool"));
        }
        Ok(latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_packs_what_it_unpacks() {
        for (index, epoch, sequence) in
            [(0, 0, 0), (254, 15, Latest::LAST_SEQUENCE), (1, 2, (1 << 32) - 2), (7, 9, 1 << 51)]
        {
            let latest = Latest { index, epoch, sequence };
            assert_eq!(Latest::unpack(latest.pack()), latest);
        }
    }
}
