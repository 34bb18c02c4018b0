//! The platform of the protocol: the shared words of one slot, and what the kernel does for it.
//!
//! `region/words.rs` implements [`Words`] over mapped memory, `model/protocol/process.rs` over
//! loom's atomics and `model/storm/slot.rs` over shuttle's.

use std::sync::atomic::Ordering;

use super::latest::Fault;
use crate::crash_point::CrashPoint;

/// The largest message that is stored inline, in words of 64 bits.
pub(crate) const MAX_INLINE_WORDS: usize = 4;

/// The most buffers of a pool: a byte has to hold an index plus one.
pub(crate) const MOST_BUFFERS: u64 = 255;
/// The buffers that are no consumer's: the latest value's, and the one that is being filled.
pub(crate) const OWN_BUFFERS: u64 = 2;
/// The most values that one consumer holds at once.
pub(crate) const MOST_HOLDS: u32 = 8;

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

/// One shared atomic word of bits that have different owners.
pub(crate) trait Bits: Word<u64> {
    fn insert(&self, bits: u64, order: Ordering);
    fn remove(&self, bits: u64, order: Ordering);
}

/// What stands before the message in a buffer.
pub(crate) struct Header<'a, C> {
    /// 0: being filled; n: complete, and value n once `latest` says so.
    pub(crate) sequence: &'a C,
    /// Bytes of the message.
    pub(crate) length: &'a C,
    /// CLOCK_MONOTONIC in nanoseconds at the put; 0: no stamp.
    pub(crate) stamp: &'a C,
    /// The user's number for the value.
    pub(crate) tag: &'a C,
}

/// What is stored inline: next to `latest`, in its cache line, about the value that it names.
pub(crate) struct Inline<'a, C> {
    /// The version of a sequence lock. It is the word of `latest` whose value is stored here; 0:
    /// none, or only a part of it yet.
    pub(crate) mark: &'a C,
    pub(crate) stamp: &'a C,
    pub(crate) tag: &'a C,
    /// Where [values are stored inline](Words::stores_inline), the message in words of 64 bits.
    /// Elsewhere the length of the message in bytes, the buffer that the next value is likely to be
    /// in, and the number of the filling if the value could be read ahead. Without words nothing is
    /// stored.
    pub(crate) message: &'a [C],
}

/// The shared words of one slot and the kernel services that the protocol uses.
///
/// Implementations bound-check every index. The callers have checked it, but a slip must not become
/// an access outside the region.
pub(crate) trait Words {
    /// How many times a `latest` that keeps moving is looked at again.
    const TRIES: usize = 64;

    type Latest: Exchange<u64>;
    type Count: Word<u64>;
    type Flag: Word<u8>;
    type Set: Bits;
    type History: Exchange<u64>;

    fn consumer_slots(&self) -> usize;
    /// One more than the highest slot that ever had an owner. It is stored under the region's lock,
    /// before the owner's first entry.
    fn used(&self) -> &Self::Count;
    /// How many entries a slot has: the most that any of its owners asked for. It is stored under
    /// the region's lock, and never shrinks.
    fn grant(&self, consumer: usize) -> &Self::Flag;
    /// How many buffers there are: at least two more than all grants together. It is stored
    /// (Release) under the region's lock, once the memory of what it adds is reserved, and never
    /// shrinks.
    fn pool(&self) -> &Self::Count;
    /// Whether this process has mapped a buffer.
    fn is_mapped(&self, buffer: usize) -> bool;
    /// Maps a buffer that was added to the pool. What is mapped already stays where it is.
    ///
    /// # Errors
    /// [`Fault::NoMemory`]: there is no address space for it. [`Fault::Corrupt`]: there is no such
    /// buffer.
    fn map(&self, buffer: usize) -> Result<(), Fault>;
    /// Whether messages are so large that caches, rather than lines, decide how fast they are.
    fn is_large(&self) -> bool;

    /// | bits | field | |
    /// |---|---|---|
    /// | 56..64 | index | the buffer of the latest value |
    /// | 52..56 | epoch | raised by each producer as it takes over, modulo 16 |
    /// | 0..52 | sequence | 0: no value yet; the low 32 bits are the futex word |
    fn latest(&self) -> &Self::Latest;
    /// How many times the producer's role was taken over. It lies where only producers write:
    /// consumers look at `latest` all the time, so a look there would cost every put a wait for its
    /// cache line.
    fn incarnation(&self) -> &Self::Count;
    /// | bits | field | |
    /// |---|---|---|
    /// | 24..64 | number | of the filling: a copy into a buffer, which others may read ahead |
    /// | 0..24 | pieces | how many are filled; 0: none, or its value is published or given up |
    fn filled(&self) -> &Self::Count;
    /// | bits | field | |
    /// |---|---|---|
    /// | 16..64 | raised | how often it was asked for |
    /// | 8..16 | added | how many buffers were ever added for it |
    /// | 0..8 | kept | how many values before the newest are kept; 0: nobody asks for any |
    ///
    /// Whoever asks raises it under the region's lock; the producer takes it down.
    fn history(&self) -> &Self::History;
    /// 0: in use; 1: the region was removed or replaced.
    fn retired(&self) -> &Self::Flag;
    /// A bit for each of 64 consumers: whether it is asleep, or about to look once more before it
    /// sleeps.
    fn asleep(&self, word: usize) -> &Self::Set;
    /// A bit for each of 64 consumers: whether to wake it also when the first part of a value is
    /// filled, since it copies the value out meanwhile.
    fn following(&self, word: usize) -> &Self::Set;
    /// A hazard pointer. 0: nothing; n: buffer n - 1, which is protected once a look at `latest`
    /// after the store and a fence found it named.
    fn held(&self, consumer: usize, entry: usize) -> &Self::Flag;
    /// How many times the consumer's slot was taken over.
    fn taken(&self, consumer: usize) -> &Self::Count;
    /// The sequence of the last value that this consumer has received.
    fn last_seen(&self, consumer: usize) -> &Self::Count;
    /// The sequence of the last value that no consumer may receive, because a reboot tore it or
    /// because it has fewer fields than the region's messages; 0: there is none. It does not change
    /// while anybody has a role.
    fn lost(&self) -> u64;
    fn header(&self, buffer: usize) -> Header<'_, Self::Count>;

    /// What is stored in the line of `latest`.
    fn inline(&self) -> Inline<'_, Self::Count>;
    /// Whether whole messages are stored inline: all have one length, and it fits.
    fn stores_inline(&self) -> bool;
    /// The message in the buffer that this producer has open, in words of 64 bits.
    fn written(&self, buffer: usize) -> [u64; MAX_INLINE_WORDS];

    fn fence(&self, order: Ordering);
    /// FUTEX_WAKE of all on the low half of `latest`. Returns how many slept there.
    fn wake(&self) -> usize;
    /// FUTEX_WAIT on the low half of `latest` while it is `low`, at most until `until`
    /// (CLOCK_MONOTONIC in nanoseconds). May end early for any reason.
    fn wait(&self, low: u32, until: u64);
    /// Calls `raise` unless another thread of this process sleeps for the same consumer. They share
    /// one bit, which stays up for both.
    fn first_asleep(&self, raise: impl FnOnce());
    /// Calls `lower` unless another thread of this process still sleeps for the same consumer.
    fn last_awake(&self, lower: impl FnOnce());
    /// Tries to win the claim of a consumer that may be dead.
    fn win(&self, consumer: usize) -> bool;
    /// Gives up what `win` won.
    fn unwin(&self, consumer: usize);
    fn reached(&self, point: CrashPoint);
}
