//! The pool of buffers, and how a consumer joins: it has a buffer for each value that it may hold.
//!
//! Anybody may join a living channel. A joiner claims a slot under the region's lock. Where the
//! slot has fewer entries than it asks for, it first adds a buffer to the pool for each that is
//! missing. Three words tell the producer, which never waits for the lock:
//!
//! - `pool`, how many buffers there are. It only grows, and only after what it adds was reserved.
//! - a slot's grant, how many entries it has. It only grows, also for its next owner. A scan may
//!   have passed a dead slot with two entries; if one of them then went to a joiner elsewhere, the
//!   scan would find that one, too, and no free buffer.
//! - `used`, how many slots a scan looks at.
//!
//! A scan that is too early for one of them is too early for the joiner's entries as well. The
//! joiner's look at `latest` comes after the fence of its announcement, and so it finds what was
//! published before the scan.
//!
//! What must stay true: all grants together, the values of a [history](super::history) and two are
//! never more than the pool.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::latest::{Fault, Latest};
use super::words::{MOST_BUFFERS, MOST_HOLDS, OWN_BUFFERS, Word, Words};
use crate::crash_point::CrashPoint;

const KEPT_BITS: u32 = 8;
const ADDED_BITS: u32 = 8;

/// Grants a slot `holds` entries, and adds a buffer for each that it did not have. `false`: there
/// can be no more buffers. The caller has the region's lock and the slot's claim. `reserve`
/// reserves the memory of the buffers between two numbers, and makes it zeros.
pub(crate) fn join<W: Words, E>(
    words: &W,
    slot: usize,
    holds: usize,
    reserve: impl FnOnce(u64, u64) -> Result<(), E>,
) -> Result<bool, E> {
    if holds > entries(words, slot) {
        let Some(buffers) = needed(words, slot, holds) else { return Ok(false) };
        extend(words, buffers, reserve)?;
        // Relaxed, as the store below: a scan that finds neither comes before the fence of this
        // joiner's first announcement, and the joiner will find what was published before the scan.
        words.grant(slot).store(holds as u8, Relaxed);
    }
    // Relaxed: the lock orders its writers.
    let used = words.used().load(Relaxed);
    if used <= slot as u64 {
        words.used().store(slot as u64 + 1, Relaxed);
    }
    words.reached(CrashPoint::SlotGranted);
    Ok(true)
}

/// How many buffers there must be for a slot to have `holds` entries; `None`: more than there can
/// be.
pub(crate) fn needed<W: Words>(words: &W, slot: usize, holds: usize) -> Option<u64> {
    let granted: usize = (0..words.consumer_slots()).map(|slot| entries(words, slot)).sum();
    enough(granted + holds.saturating_sub(entries(words, slot)), history(words).kept)
}

/// The word `history`, unpacked. Its layout is at [`Words::history`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct History {
    /// How many values before the newest are kept; 0: none, nobody asks for them.
    pub(crate) kept: u64,
    /// How many buffers were ever added for it.
    pub(crate) added: u64,
    /// How often it was asked for.
    pub(super) raised: u64,
}

impl History {
    pub(super) fn unpack(word: u64) -> Self {
        Self {
            kept: (word & 0xff).min(MOST_BUFFERS - OWN_BUFFERS),
            added: (word >> KEPT_BITS & 0xff).min(MOST_BUFFERS - OWN_BUFFERS),
            raised: word >> (KEPT_BITS + ADDED_BITS),
        }
    }

    pub(super) fn pack(self) -> u64 {
        self.raised << (KEPT_BITS + ADDED_BITS) | self.added << KEPT_BITS | self.kept
    }
}

/// What the word says.
#[inline]
pub(crate) fn history<W: Words>(words: &W) -> History {
    // Relaxed: the producer chooses by it among free buffers, and the region's lock orders those
    // that add buffers.
    History::unpack(words.history().load(Relaxed))
}

/// Whether values before the newest are kept.
#[inline]
pub(super) fn keeps_history<W: Words>(words: &W) -> bool {
    // Relaxed: as in `history`. Each scan asks this, so it looks at the low byte alone.
    words.history().load(Relaxed) as u8 != 0
}

/// How many buffers there must be for these grants and a history of `kept` values; `None`: more
/// than there can be.
pub(super) fn enough(granted: usize, kept: u64) -> Option<u64> {
    let buffers = OWN_BUFFERS + granted as u64 + kept;
    (buffers <= MOST_BUFFERS).then_some(buffers)
}

/// Extends the pool to at least this many buffers. The caller has the region's lock.
pub(crate) fn extend<W: Words, E>(
    words: &W,
    buffers: u64,
    reserve: impl FnOnce(u64, u64) -> Result<(), E>,
) -> Result<(), E> {
    // Relaxed: the lock orders its writers.
    let pool = words.pool().load(Relaxed).clamp(OWN_BUFFERS, MOST_BUFFERS);
    let buffers = buffers.min(MOST_BUFFERS);
    if buffers <= pool {
        return Ok(());
    }
    reserve(pool, buffers)?;
    words.reached(CrashPoint::PoolReserved);
    // Release: whoever finds a buffer in the pool finds its memory reserved, and zeros there.
    words.pool().store(buffers, Release);
    words.reached(CrashPoint::PoolGrown);
    Ok(())
}

/// Unpacks a word of `latest` and checks its index. From here on the buffer is mapped.
#[inline]
pub(super) fn checked<W: Words>(words: &W, word: u64) -> Result<Latest, Fault> {
    let latest = Latest::unpack(word);
    if !words.is_mapped(latest.index) {
        reach(words, latest.index)?;
    }
    Ok(latest)
}

/// Maps `buffer`, whose number a word of shared memory has told, if the pool has it.
#[cold]
pub(super) fn reach<W: Words>(words: &W, buffer: usize) -> Result<(), Fault> {
    // Acquire: the word may have been read relaxed. Its writer had found the buffer in the pool,
    // and after this fence so does the load.
    //
    // It is also for the memory, with the Release in `extend`: a scan that found the buffer had
    // looked at the pool before, and so had the writer of a word that names it.
    words.fence(Acquire);
    if buffer >= pool(words) {
        return Err(Fault::Corrupt("a buffer is named that is outside the pool"));
    }
    words.map(buffer)
}

/// How many buffers there are, whatever is written there.
#[inline]
pub(super) fn pool<W: Words>(words: &W) -> usize {
    // Relaxed: a buffer that is found here is mapped before it is used, after the fence in `reach`.
    words.pool().load(Relaxed).min(MOST_BUFFERS) as usize
}

/// How many slots can have an owner. Each scan and wake loads it anew, after the fence of the
/// publish.
#[inline]
pub(super) fn used<W: Words>(words: &W) -> usize {
    // Relaxed: the owner of a slot that is not among them announces after that fence.
    (words.used().load(Relaxed) as usize).min(words.consumer_slots())
}

/// How many entries a slot has, whatever is written there.
#[inline]
pub(crate) fn entries<W: Words>(words: &W, slot: usize) -> usize {
    // Relaxed: as in `used`.
    usize::from(words.grant(slot).load(Relaxed)).min(MOST_HOLDS as usize)
}
