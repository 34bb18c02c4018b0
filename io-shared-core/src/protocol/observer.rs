//! The observer's half: copy a value without taking part.

use std::sync::atomic::Ordering::{Acquire, Relaxed};

use super::latest::Fault;
use super::pool::checked;
use super::words::{Word, Words};

/// A value that an observer has copied.
#[derive(Debug)]
pub(crate) struct Watched<C> {
    pub(crate) sequence: u64,
    pub(crate) stamp: u64,
    pub(crate) tag: u64,
    /// What the copying returned.
    pub(crate) copied: C,
}

/// Copies the latest value by `copy` (buffer, length in bytes). `copy` must read by relaxed atomic
/// words and must bear any length: the value may be torn until its sequence was looked at again.
/// `None`: there is no value yet.
pub(crate) fn watch<W: Words, C>(
    words: &W,
    mut copy: impl FnMut(usize, u64) -> Option<C>,
) -> Result<Option<Watched<C>>, Fault> {
    for _ in 0..W::TRIES {
        // Acquire: the buffer's header and payload are at least as new as this word.
        let latest = checked(words, words.latest().load(Acquire))?;
        if latest.sequence <= words.lost() {
            return Ok(None);
        }
        if let Some(watched) = copy_checked(words, latest.index, latest.sequence, &mut copy)? {
            return Ok(Some(watched));
        }
    }
    Err(Fault::Busy)
}

/// Copies value `sequence`, which was published in `buffer` before a `latest` that the caller has
/// acquired. `None`: the buffer is being filled again.
pub(super) fn copy_checked<W: Words, C>(
    words: &W,
    buffer: usize,
    sequence: u64,
    copy: &mut impl FnMut(usize, u64) -> Option<C>,
) -> Result<Option<Watched<C>>, Fault> {
    // Relaxed: ordered by the acquired `latest`. Another sequence means that the buffer is being
    // filled again.
    if words.header(buffer).sequence.load(Relaxed) != sequence {
        return Ok(None);
    }
    let length = words.header(buffer).length.load(Relaxed);
    let stamp = words.header(buffer).stamp.load(Relaxed);
    let tag = words.header(buffer).tag.load(Relaxed);
    let copied = copy(buffer, length);
    // Acquire, with the Release fence in `loan`: if any word of the copy was written by a later
    // loan, the second look sees that loan's 0, or what came after it.
    words.fence(Acquire);
    let is_whole = words.header(buffer).sequence.load(Relaxed) == sequence;
    match copied {
        _ if !is_whole => Ok(None),
        Some(copied) => Ok(Some(Watched { sequence, stamp, tag, copied })),
        None => Err(Fault::Corrupt("a message is longer than the capacity")),
    }
}
