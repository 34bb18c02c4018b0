//! The words of the protocol and of the lock, in a mapped region.
//!
//! The protocol and the lock are generic over their words, so that the model checker runs the same
//! source. This is the shipped implementation: each word is an atomic in the region's header or in
//! a buffer, at an offset of the layout.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};

use super::blocks;
use super::layout::{self, Kind};
use super::mapped::{Region, word8, word64};
use crate::crash_point::{self, CrashPoint};
use crate::lock::LockWords;
use crate::os::claim::Part;
use crate::os::futex::{self, Awaited};
use crate::protocol::{
    Bits, Exchange, Fault, Header, Inline, MAX_INLINE_WORDS, MOST_HOLDS, Word, Words,
};

/// Buffers of at least this many bytes are large: two of them fill a typical first-level cache.
const LARGE: u64 = 1 << 15;

impl Word<u64> for AtomicU64 {
    #[inline]
    fn load(&self, order: Ordering) -> u64 {
        self.load(order)
    }

    #[inline]
    fn store(&self, value: u64, order: Ordering) {
        self.store(value, order);
    }
}

impl Exchange<u64> for AtomicU64 {
    #[inline]
    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> std::result::Result<u64, u64> {
        self.compare_exchange(current, new, success, failure)
    }
}

impl Bits for AtomicU64 {
    fn insert(&self, bits: u64, order: Ordering) {
        self.fetch_or(bits, order);
    }

    fn remove(&self, bits: u64, order: Ordering) {
        self.fetch_and(!bits, order);
    }
}

impl Word<u8> for AtomicU8 {
    #[inline]
    fn load(&self, order: Ordering) -> u8 {
        self.load(order)
    }

    #[inline]
    fn store(&self, value: u8, order: Ordering) {
        self.store(value, order);
    }
}

impl Words for Region {
    type Latest = AtomicU64;
    type Count = AtomicU64;
    type Flag = AtomicU8;
    type Set = AtomicU64;
    type History = AtomicU64;

    #[inline]
    fn consumer_slots(&self) -> usize {
        self.layout.consumers as usize
    }

    #[inline]
    fn used(&self) -> &AtomicU64 {
        self.producer_word(blocks::USED)
    }

    #[inline]
    fn grant(&self, consumer: usize) -> &AtomicU8 {
        // SAFETY: the byte after a consumer's hazard pointers is its grant, and nothing else.
        unsafe { word8(self, self.in_consumer(consumer, blocks::GRANT)) }
    }

    #[inline]
    fn pool(&self) -> &AtomicU64 {
        self.producer_word(blocks::POOL)
    }

    #[inline]
    fn is_mapped(&self, buffer: usize) -> bool {
        !self.buffers.at(buffer).is_null()
    }

    fn map(&self, buffer: usize) -> Result<(), Fault> {
        self.map_added(buffer)
    }

    #[inline]
    fn is_large(&self) -> bool {
        self.layout.stride >= LARGE
    }

    #[inline]
    fn latest(&self) -> &AtomicU64 {
        // SAFETY: offset 0x80 is in every header, aligned, and nothing else lies there.
        unsafe { word64(self, self.in_header(layout::LATEST)) }
    }

    #[inline]
    fn incarnation(&self) -> &AtomicU64 {
        self.producer_word(blocks::PRODUCER_INCARNATION)
    }

    #[inline]
    fn filled(&self) -> &AtomicU64 {
        self.producer_word(blocks::PRODUCER_FILLED)
    }

    #[inline]
    fn history(&self) -> &AtomicU64 {
        self.producer_word(blocks::HISTORY)
    }

    #[inline]
    fn retired(&self) -> &AtomicU8 {
        // SAFETY: the first control byte is in every header, and nothing else lies there.
        unsafe { word8(self, self.in_header(layout::RETIRED)) }
    }

    #[inline]
    fn asleep(&self, word: usize) -> &AtomicU64 {
        assert!(word < layout::SLEEPER_WORDS, "a word for slots of a region");
        // SAFETY: every header has this many words there, aligned, and nothing else.
        unsafe { word64(self, self.in_header(layout::ASLEEP + 8 * word as u64)) }
    }

    #[inline]
    fn following(&self, word: usize) -> &AtomicU64 {
        assert!(word < layout::SLEEPER_WORDS, "a word for slots of a region");
        // SAFETY: as in `asleep`.
        unsafe { word64(self, self.in_header(layout::FOLLOWING + 8 * word as u64)) }
    }

    #[inline]
    fn held(&self, consumer: usize, entry: usize) -> &AtomicU8 {
        assert!(entry < MOST_HOLDS as usize, "a hold of this region");
        // SAFETY: the first eight bytes of a consumer's block are its hazard pointers.
        unsafe { word8(self, self.in_consumer(consumer, blocks::HELD + entry as u64)) }
    }

    #[inline]
    fn taken(&self, consumer: usize) -> &AtomicU64 {
        Region::taken(self, consumer)
    }

    #[inline]
    fn last_seen(&self, consumer: usize) -> &AtomicU64 {
        // SAFETY: the block is aligned to 128 and the offset to 8; nothing else lies there.
        unsafe { word64(self, self.in_consumer(consumer, blocks::LAST_SEEN)) }
    }

    #[inline]
    fn lost(&self) -> u64 {
        // Relaxed: it is written before anybody has a role in this boot.
        self.producer_word(blocks::LOST).load(Ordering::Relaxed)
    }

    #[inline]
    fn header(&self, buffer: usize) -> Header<'_, AtomicU64> {
        // SAFETY: a buffer is aligned to 128, and starts with these four words, which are only
        // ever accessed as atomics of 64 bits; it is mapped as long as the region.
        let words = unsafe { &*self.buffer(buffer).cast::<[AtomicU64; 4]>() };
        let [sequence, length, stamp, tag] = words;
        Header { sequence, length, stamp, tag }
    }

    #[inline]
    fn stores_inline(&self) -> bool {
        self.stores_inline
    }

    #[inline]
    fn inline(&self) -> Inline<'_, AtomicU64> {
        let start = self.in_header(layout::INLINE).cast::<[AtomicU64; 3 + MAX_INLINE_WORDS]>();
        // SAFETY: `latest` is the first word of its line, which has room for these seven after it.
        // Nothing else lies there, and all are only ever accessed as atomics of 64 bits.
        let [mark, stamp, tag, message @ ..] = unsafe { &*start };
        Inline { mark, stamp, tag, message }
    }

    #[inline]
    fn written(&self, buffer: usize) -> [u64; MAX_INLINE_WORDS] {
        // SAFETY: where values are stored inline the payload starts at 32, so these words are the
        // rest of the buffer's first line, and the buffer is aligned to 128.
        let words = unsafe { &*self.payload(buffer).cast::<[AtomicU64; MAX_INLINE_WORDS]>() };
        // Atomic, although only this producer writes there: the loads stay one word wide. Before a
        // wider load the processor would wait for the stores to complete.
        words.each_ref().map(|word| word.load(Ordering::Relaxed))
    }

    #[inline]
    fn fence(&self, order: Ordering) {
        fence(order);
    }

    fn wake(&self) -> usize {
        self.note_cpu();
        futex::wake_all(self.in_header(layout::LATEST).cast())
    }

    fn wait(&self, low: u32, until: u64) {
        futex::wait(Awaited { word: self.latest(), low }, until);
    }

    // One mutex for both, so that one thread does not lower a bit that another has just found
    // raised. A thread that finds it raised knows so through the mutex, and its fence comes after
    // that: for the producer's fence, it is as if the thread had raised the bit itself.
    fn first_asleep(&self, raise: impl FnOnce()) {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        if *sleepers == 0 {
            raise();
        }
        *sleepers += 1;
    }

    fn last_awake(&self, lower: impl FnOnce()) {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        *sleepers -= 1;
        if *sleepers == 0 {
            lower();
        }
    }

    fn win(&self, consumer: usize) -> bool {
        let Some(claims) = &self.claims else { return false };
        if claims.try_claim(Part::Consumer(consumer)) != Ok(true) {
            return false;
        }
        let is_own = claims.is_own();
        if !is_own {
            // The claim is in another file, which has the number by now: the owner may well live.
            claims.release(Part::Consumer(consumer));
        }
        is_own
    }

    fn unwin(&self, consumer: usize) {
        if let Some(claims) = &self.claims {
            claims.release(Part::Consumer(consumer));
        }
    }

    #[inline(always)]
    fn reached(&self, point: CrashPoint) {
        crash_point::reached(point);
    }
}

impl LockWords for Region {
    type Word = AtomicU64;
    type Reading = AtomicU64;
    type Dirty = AtomicU8;
    type Writes = AtomicU64;

    #[inline]
    fn slots(&self) -> usize {
        self.layout.consumers as usize
    }

    #[inline]
    fn used_slots(&self) -> usize {
        Region::used_slots(self)
    }

    #[inline]
    fn word(&self) -> &AtomicU64 {
        self.latest()
    }

    #[inline]
    fn reading(&self, slot: usize) -> &AtomicU64 {
        // SAFETY: in a lock's region the first word of a slot's block is its reading flag; the
        // block is aligned to 128.
        unsafe { word64(self, self.in_consumer(slot, blocks::READING)) }
    }

    #[inline]
    fn dirty(&self) -> &AtomicU8 {
        // SAFETY: in a lock's region this byte of the producer's block is the dirty flag.
        unsafe { word8(self, self.in_producer(blocks::DIRTY)) }
    }

    #[inline]
    fn writes(&self) -> &AtomicU64 {
        // SAFETY: in a lock's region, which stores nothing inline, this word follows the lock word;
        // it is aligned, and nothing else lies there.
        unsafe { word64(self, self.in_header(layout::WRITES)) }
    }

    #[inline]
    fn has_readers(&self) -> bool {
        self.layout.kind != Kind::Mmap
    }

    fn is_gone(&self) -> bool {
        // Without its descriptor, this handle could wait forever for a dead owner.
        self.is_replaced() || !self.has_claims()
    }

    #[inline]
    fn fence(&self, order: Ordering) {
        fence(order);
    }

    fn wait_word(&self, low: u32, until: u64) {
        self.wait(low, until);
    }

    fn wake_word(&self) {
        futex::wake_all(self.in_header(layout::LATEST).cast());
    }

    fn wait_reading(&self, slot: usize, until: u64) {
        futex::wait(Awaited { word: self.reading(slot), low: 1 }, until);
    }

    fn wake_reading(&self, slot: usize) {
        futex::wake_all(self.in_consumer(slot, blocks::READING).cast());
    }

    fn wait_writes(&self, low: u32, until: u64) {
        futex::wait(Awaited { word: self.writes(), low }, until);
    }

    fn wake_writes(&self) {
        futex::wake_all(self.in_header(layout::WRITES).cast());
    }

    fn win_slot(&self, slot: usize) -> bool {
        self.win(slot)
    }

    fn unwin_slot(&self, slot: usize) {
        self.unwin(slot);
    }

    #[inline(always)]
    fn reached(&self, point: CrashPoint) {
        crash_point::reached(point);
    }
}
