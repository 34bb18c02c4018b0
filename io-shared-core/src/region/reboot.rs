//! What a region in a file is worth after the machine went down.
//!
//! A machine that stops has written back some pages, in any order. So after a reboot a value counts
//! only if its checksum holds. A producer writes the checksum on request ([`Region::seal_value`])
//! and when it leaves in order. For bytes under a lock, a checksum that does not hold means that
//! their owner died while writing. Whoever opens the region first judges this before anything is
//! read, and writes down the boot; the others find it done.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use super::blocks;
use super::layout::Kind;
use super::mapped::{Region, word64};
use super::region_lock::RegionLock;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::LockWords;
use crate::os::claim::{self, Claims, PATIENCE, Part};
use crate::os::{clock, nap};
use crate::protocol::{Latest, Words};

/// How long an opener waits for another one to judge the region. That one may have to read all of
/// it from a disk.
const JUDGING: Duration = Duration::from_secs(10);

impl Region {
    /// Whether the region was judged in this boot, or needs no judging because it lies in memory.
    /// This has to be asked before reading anything that depends on it.
    pub(crate) fn is_judged(&self) -> bool {
        !self.survives_reboot || self.clock.is_boot(self.boot())
    }

    /// How long a producer waits for its role: another opener may have it for as long as it judges.
    pub(super) fn patience_of_producer(&self) -> Duration {
        if self.is_judged() { PATIENCE } else { JUDGING }
    }

    /// Marks the latest value as lost if only a part of it reached the disk before a reboot. The
    /// caller has the producer's claim.
    pub(super) fn judge_value(&self) {
        if self.is_judged() {
            return;
        }
        let latest = Latest::unpack(self.latest().load(Acquire));
        let is_new = latest.sequence > self.lost() && self.has(latest.index);
        if is_new && !self.value_holds(latest) {
            self.producer_word(blocks::LOST).store(latest.sequence, Relaxed);
            tracing::warn!(
                region = self.name(),
                sequence = latest.sequence,
                "the last value was not synced before the machine went down: gets do not return it"
            );
        }
        // The inline copy lies in another page than the value that was checked.
        self.inline().mark.store(0, Relaxed);
        self.end_ages();
        self.end_judging();
    }

    /// Writes down that the region was judged in this boot, if this process knows its boot.
    fn end_judging(&self) {
        if self.clock.is_known() {
            self.store_boot();
        }
    }

    /// Like [`judge_value`](Self::judge_value), for a consumer, or waits until the producer has
    /// judged.
    pub(super) fn await_judgement(&self, claims: &Claims) -> Result<()> {
        let is_known = self.clock.is_known();
        let started = clock::now();
        loop {
            if self.is_judged() {
                return Ok(());
            }
            let failed = |errno| Error::system(&self.name, "fcntl(F_OFD_SETLK)", errno);
            if claims.try_claim(Part::Producer).map_err(failed)? {
                self.judge_value();
                claims.release(Part::Producer);
                return Ok(());
            }
            // A living producer judges first of all. If one of the two does not know its boot, this
            // consumer cannot see that the producer has judged.
            let told = is_known && self.boot() != [0, 0];
            let patience = if told { JUDGING } else { PATIENCE };
            if Duration::from_nanos(clock::now().saturating_sub(started)) >= patience {
                return match told {
                    true => Err(self.error(ErrorKind::Busy {
                        doing: "waiting for its producer to check what a reboot left of its value",
                    })),
                    false => Ok(()),
                };
            }
            nap::nap(Duration::from_millis(1));
        }
    }

    /// Whether an observer may return a value without a valid checksum: either the region was
    /// judged, or a living producer does not know its boot.
    pub(crate) fn may_be_observed(&self) -> bool {
        let is_unknown = || !self.clock.is_known() || self.boot() == [0, 0];
        let has_producer = || {
            self.file
                .as_ref()
                .is_some_and(|file| claim::is_claimed(file, Part::Producer).unwrap_or(false))
        };
        self.is_judged() || (is_unknown() && has_producer())
    }

    /// Writes the checksum of the value that `latest` names. The caller is the producer.
    pub(crate) fn seal_value(&self, latest: Latest) {
        if latest.sequence > self.lost() && self.has(latest.index) {
            let length = self.header(latest.index).length.load(Relaxed);
            if let Some(sum) = self.sum_of_value(latest, length) {
                // Relaxed: it is read only after a reboot.
                self.checksum(latest.index).store(sum, Relaxed);
            }
        }
    }

    /// Whether the value that `latest` names is whole.
    pub(crate) fn value_holds(&self, latest: Latest) -> bool {
        if !self.has(latest.index) {
            return false;
        }
        let header = self.header(latest.index);
        let length = header.length.load(Relaxed);
        let sum = self.sum_of_value(latest, length);
        header.sequence.load(Relaxed) == latest.sequence
            && sum.is_some_and(|sum| sum == self.checksum(latest.index).load(Relaxed))
    }

    /// Whether there is such a buffer; then it is mapped.
    fn has(&self, buffer: usize) -> bool {
        self.is_mapped(buffer) || self.map(buffer).is_ok()
    }

    /// The checksum in a buffer; 0 for none.
    pub(crate) fn sum_in(&self, buffer: usize) -> u64 {
        self.checksum(buffer).load(Relaxed)
    }

    fn checksum(&self, buffer: usize) -> &std::sync::atomic::AtomicU64 {
        let at = self.buffer(buffer).wrapping_add(self.layout.checksum_offset() as usize);
        // SAFETY: the offset is within the buffer, aligned to 8, and outside the payload (the
        // layout's tests check that). Nothing else lies there, and it is only accessed as an atomic
        // of 64 bits.
        unsafe { word64(self, at) }
    }

    fn sum_of_value(&self, latest: Latest, length: u64) -> Option<u64> {
        (length <= self.layout.capacity).then(|| self.sum_of(latest.index, latest.sequence, length))
    }

    /// The checksum of the first `length` bytes of a payload and, in a channel, of the tag.
    fn sum_of(&self, buffer: usize, sequence: u64, length: u64) -> u64 {
        let start = self.payload(buffer);
        // SAFETY: a payload is aligned to 8, and spans at least the capacity rounded up to a word:
        // it ends with its buffer, whose length is a multiple of 128. Others write there by atomic
        // words, or not at all: in a region that is not judged, and to a producer's own latest
        // value.
        let word = |at: *mut u8| unsafe { word64(self, at) }.load(Relaxed);
        let at = |word: u64| start.wrapping_add(word as usize * 8);
        let words = (0..length.div_ceil(8)).map(|index| word(at(index)));
        let tag = match self.layout.kind {
            Kind::Channel => self.header(buffer).tag.load(Relaxed),
            _ => 0,
        };
        sum([sequence, tag], length, words)
    }
}

/// Bytes under a lock.
impl Region {
    /// Marks the content as dirty if only a part of it reached the disk. The caller has a slot's
    /// claim.
    pub(super) fn judge_content(&self, claims: &Claims, slot: usize) -> Result<()> {
        if self.is_judged() {
            return Ok(());
        }
        let _lock = RegionLock::take(&self.name, claims, JUDGING)?;
        if self.is_judged() {
            return Ok(());
        }
        let is_unknown = !self.clock.is_known() || self.boot() == [0, 0];
        let others = (0..self.consumer_slots()).filter(|other| *other != slot);
        let mut others = others.map(|other| self.is_taken(Part::Consumer(other)));
        // A living user has judged it, although it could not say in which boot.
        if is_unknown && others.try_fold(false, |any, taken| taken.map(|taken| any | taken))? {
            return Ok(());
        }
        if self.sum_of(0, 0, self.layout.capacity) != self.content_sum().load(Relaxed) {
            self.dirty().store(1, Relaxed);
            tracing::warn!(
                region = self.name(),
                "its content was not flushed before the machine went down: it may be half-written"
            );
        }
        self.end_judging();
        Ok(())
    }

    /// Writes the checksum of the content. The caller has the lock, for reading or writing.
    pub(crate) fn seal_content(&self) {
        if self.survives_reboot {
            let sum = self.sum_of(0, 0, self.layout.capacity);
            self.content_sum().store(sum, Release);
        }
    }

    /// Whether no checksum was ever written.
    pub(crate) fn is_unsealed(&self) -> bool {
        self.survives_reboot && self.content_sum().load(Relaxed) == 0
    }

    fn content_sum(&self) -> &std::sync::atomic::AtomicU64 {
        debug_assert_ne!(self.layout.kind, Kind::Channel);
        self.producer_word(blocks::CONTENT_SUM)
    }
}

/// The checksum of a value of `length` bytes, read as words of 64 bits, with its sequence and tag.
/// Never 0, which means none.
pub(crate) fn sum(value: [u64; 2], length: u64, words: impl Iterator<Item = u64>) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15; // odd, and half of its bits set
    let mix = |sum: u64, word: u64| {
        let product = (sum ^ word).wrapping_mul(FACTOR);
        product ^ product >> 32
    };
    // The bytes after the last one do not belong to the value.
    let tail = match length % 8 {
        0 => u64::MAX,
        bytes => (1 << (bytes * 8)) - 1,
    };
    let last = length.div_ceil(8).saturating_sub(1);
    let start = mix(value.into_iter().fold(FACTOR, mix), length);
    let sum = words
        .zip(0..)
        .fold(start, |sum, (word, at)| mix(sum, if at == last { word & tail } else { word }));
    sum.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_changes_with_every_bit_of_what_it_stands_for_and_with_no_other() {
        let words = [7, u64::MAX, 0];
        let of =
            |sequence, length, words: &[u64]| sum([sequence, 9], length, words.iter().copied());
        let whole = of(3, 20, &words);
        assert_ne!(whole, of(4, 20, &words));
        assert_ne!(whole, of(3, 19, &words));
        for bit in 0..24 * 8 {
            let mut changed = words;
            changed[bit / 64] ^= 1 << (bit % 64);
            assert_eq!(of(3, 20, &changed) == whole, bit >= 20 * 8, "bit {bit}");
        }
        assert_ne!(of(1, 0, &[]), of(2, 0, &[]));
        assert_ne!(of(0, 0, &[]), 0);
    }
}
