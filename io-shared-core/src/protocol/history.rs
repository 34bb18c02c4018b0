//! The history: whole values from before the newest, for those that look less often than values
//! come.
//!
//! Whoever asks for a history of n values has n buffers added to the pool, and says so in the word
//! `history`. While it says so, the producer fills the buffer that it used longest ago. So all
//! buffers take turns, other than those that consumers hold, and the n values before the newest lie
//! whole. They are copied, and each copy is checked as an observer's is. Nobody holds an older
//! value: a held entry counts only for the buffer that `latest` names, because the producer may
//! have found any other free before.
//!
//! Whoever asks has a claim for as long as it wants the history, and raises the word after it has
//! that claim. The producer looks now and then whether anybody has such a claim, and takes the word
//! down if not ([`end_history`]). So a death costs at most one such look; the buffers stay. The
//! word counts how often it was raised, and is taken down by a compare-exchange: whoever asks
//! between the look and that exchange is not overlooked.
//!
//! What must stay true: while the word says that n values are kept, all grants together, n and two
//! are never more than the pool.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::latest::{Fault, Latest};
use super::observer::{Watched, copy_checked};
use super::pool::{History, checked, enough, entries, extend, history, pool, reach};
use super::words::{Exchange, MOST_BUFFERS, OWN_BUFFERS, Word, Words};
use crate::crash_point::CrashPoint;

/// Has the values before the newest kept, at least `kept` of them. `false`: there can be no more
/// buffers. The caller has the region's lock, and a claim for as long as it wants them. `reserve`
/// is as in [`join`](super::join).
pub(crate) fn keep_history<W: Words, E>(
    words: &W,
    kept: u64,
    reserve: impl FnOnce(u64, u64) -> Result<(), E>,
) -> Result<bool, E> {
    let kept = history(words).kept.max(kept);
    let granted: usize = (0..words.consumer_slots()).map(|slot| entries(words, slot)).sum();
    // Each channel has a buffer for its first consumer, which stays that consumer's.
    let Some(buffers) = enough(granted.max(1), kept) else { return Ok(false) };
    let before = pool(words) as u64;
    extend(words, buffers, reserve)?;
    let more = (pool(words) as u64).saturating_sub(before);
    for _ in 0..W::TRIES {
        let word = words.history().load(Relaxed);
        let found = History::unpack(word);
        let added = (found.added + more).min(MOST_BUFFERS - OWN_BUFFERS);
        let raised = History { kept, added, raised: found.raised + 1 }.pack();
        // Release: whoever finds the word raised finds the claim. It fails if the producer has just
        // taken the word down.
        if words.history().compare_exchange(word, raised, Release, Relaxed).is_ok() {
            break;
        }
    }
    words.reached(CrashPoint::HistoryRaised);
    Ok(true)
}

/// Takes the word down if nobody has a claim for it, as `is_asked` says.
pub(crate) fn end_history<W: Words>(words: &W, is_asked: impl FnOnce() -> bool) {
    // Acquire: the claim of whoever raised the word is found by the look that follows.
    let word = words.history().load(Acquire);
    let found = History::unpack(word);
    if found.kept == 0 || is_asked() {
        return;
    }
    // Relaxed: it hands on nothing. It fails if somebody has asked since.
    let ended = History { kept: 0, ..found }.pack();
    let _ = words.history().compare_exchange(word, ended, Relaxed, Relaxed);
    words.reached(CrashPoint::HistoryEnded);
}

/// Copies the oldest value after `sequence` that lies whole, by `copy` as in
/// [`watch`](super::watch). `None`: there is none. Of those before the newest, only those from
/// `first` on count.
pub(crate) fn oldest_after<W: Words, C>(
    words: &W,
    sequence: u64,
    first: u64,
    mut copy: impl FnMut(usize, u64) -> Option<C>,
) -> Result<Option<Watched<C>>, Fault> {
    let mut failed: usize = 0;
    let mut is_too_slow = false;
    for _ in 0..W::TRIES {
        if is_too_slow
            && let Some(newest) = newest(words)?
            && newest.sequence != sequence
            && let Some(watched) = copy_checked(words, newest.index, newest.sequence, &mut copy)?
        {
            return Ok(Some(watched));
        }
        let found = whole(words, sequence, first)?;
        // A value whose copy failed is overwritten, and no longer found. A copy that takes longer
        // than a put would go on to fail with the oldest, which is filled next: from the second
        // failure on it leaves out one more each time.
        let left_out = failed.saturating_sub(1).min(found.values.len().saturating_sub(1));
        match found.values.get(left_out) {
            Some(&(value, buffer)) => {
                if let Some(watched) = copy_checked(words, buffer, value, &mut copy)? {
                    return Ok(Some(watched));
                }
                failed += 1;
            }
            None if found.is_overtaken => {}
            None => return Ok(None),
        }
        // Even the newest value is overwritten during the scan, so it must come before one.
        is_too_slow = left_out + 1 >= found.values.len();
    }
    Err(Fault::Busy)
}

/// The newest value, if it still counts.
fn newest<W: Words>(words: &W) -> Result<Option<Latest>, Fault> {
    // Acquire: its buffer's header and payload are at least as new as this word.
    let latest = checked(words, words.latest().load(Acquire))?;
    Ok(Some(latest).filter(|latest| latest.sequence > words.lost()))
}

/// Copies the newest value with this tag that lies whole. `None`: there is none.
pub(crate) fn tagged<W: Words, C>(
    words: &W,
    tag: u64,
    first: u64,
    mut copy: impl FnMut(usize, u64) -> Option<C>,
) -> Result<Option<Watched<C>>, Fault> {
    for _ in 0..W::TRIES {
        // The newest value first: during a scan, a producer at full speed overwrites it.
        if let Some(newest) = newest(words)?
            && let Some(Tagged::Has(found)) =
                copy_tagged(words, newest.index, newest.sequence, tag, &mut copy)?
        {
            return Ok(Some(found));
        }
        let Found { mut values, mut is_overtaken } = whole(words, 0, first)?;
        while let Some((value, buffer)) = values.pop() {
            match copy_tagged(words, buffer, value, tag, &mut copy)? {
                Some(Tagged::Has(found)) => return Ok(Some(found)),
                Some(Tagged::HasAnother) => {}
                // What overwrote it may have the tag, too.
                None => is_overtaken = true,
            }
        }
        if !is_overtaken {
            return Ok(None);
        }
    }
    Err(Fault::Busy)
}

/// Whether a value that lies whole has the tag that was asked for.
enum Tagged<C> {
    Has(Watched<C>),
    HasAnother,
}

/// Copies value `sequence` if it has this tag, as [`copy_checked`] does.
fn copy_tagged<W: Words, C>(
    words: &W,
    buffer: usize,
    sequence: u64,
    tag: u64,
    copy: &mut impl FnMut(usize, u64) -> Option<C>,
) -> Result<Option<Tagged<C>>, Fault> {
    // Relaxed: ordered by the acquired `latest`; the copy is checked.
    let has_tag = words.header(buffer).tag.load(Relaxed) == tag;
    let mut copy_if_tagged = |buffer, length| match has_tag {
        true => copy(buffer, length).map(Some),
        false => Some(None),
    };
    // Also of another tag: it may be that of a value that is being put there.
    let watched = copy_checked(words, buffer, sequence, &mut copy_if_tagged)?;
    Ok(watched.map(|watched| match watched.copied {
        Some(copied) if watched.tag == tag => {
            Tagged::Has(Watched { sequence: watched.sequence, stamp: watched.stamp, tag, copied })
        }
        _ => Tagged::HasAnother,
    }))
}

/// What a scan of the buffers has found.
struct Found {
    /// The values that counted, oldest first, with their buffers.
    values: Vec<(u64, usize)>,
    /// Whether the newest value was overwritten during the scan. So there is a newer one.
    is_overtaken: bool,
}

/// Finds the values after `sequence` that lie in buffers.
fn whole<W: Words>(words: &W, sequence: u64, first: u64) -> Result<Found, Fault> {
    // Acquire: if an earlier scan or copy found a value overwritten, `latest` is now at least as
    // new as what the producer had published when it began to overwrite it.
    words.fence(Acquire);
    // Acquire: every value up to this one was published before, and its buffer is at least as new.
    let latest = checked(words, words.latest().load(Acquire))?;
    let after = match sequence > latest.sequence {
        true => 0, // a number of another channel, which this one has replaced
        false => sequence,
    };
    let after = after.max(words.lost());
    let mut is_overtaken = latest.sequence > after;
    let mut found = Vec::new();
    for buffer in 0..pool(words) {
        if !words.is_mapped(buffer) {
            reach(words, buffer)?;
        }
        // Relaxed: ordered by the acquired `latest`; the copy is checked.
        let value = words.header(buffer).sequence.load(Relaxed);
        let is_latest = value == latest.sequence && buffer == latest.index;
        let is_before = value < latest.sequence && value >= first;
        if value > after && (is_latest || is_before) {
            is_overtaken &= !is_latest;
            found.push((value, buffer));
        }
    }
    // Of two with one number, one was never published: its producer lost its role in the middle.
    let twice = |value| found.iter().filter(|(other, _)| *other == value).count() > 1;
    let mut values: Vec<_> = found.iter().copied().filter(|&(value, _)| !twice(value)).collect();
    values.sort_unstable();
    Ok(Found { values, is_overtaken })
}
