//! Small values, carried in the line of `latest`.
//!
//! A hand-over is as fast as its cache lines: one for `latest`, and one more for the buffer that it
//! names, which cannot be asked for before the first has come. So a message of a fixed size that
//! fits is carried beside `latest` as well: its reader is done with the one line, and holds nothing.
//! It is a copy, for readers that take one; the value itself is in its buffer as ever, for observers,
//! for whoever finds the copy half made, and for whoever comes when its producer was killed at it.
//!
//! The mark is a sequence lock: it is 0 while the copy is being made, and then the very word of
//! `latest` that publishes the value, which no other value has.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::consumer::Reader;
use super::{Carried, Fault, Which, Word, Words};
use crate::crash_point::CrashPoint;

/// What a look at the line gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glance {
    /// There is no value, or none that was not had.
    Nothing,
    /// There is one, and it is to be [held](Reader::hold).
    Elsewhere,
    /// This is it.
    Carried { sequence: u64, missed: u64, stamp: u64 },
}

impl<C: Word<u64>> Carried<'_, C> {
    /// Copies the sealed message of `buffer` and its stamp here, beside a `latest` that is about to
    /// become `word`.
    #[inline]
    pub(super) fn carry<W: Words>(&self, words: &W, buffer: usize, word: u64, stamp: u64) {
        // Relaxed, and the fence behind it: a reader that copies any word from here on finds, after
        // its own Acquire fence, that the mark is no longer the one it copies.
        self.mark.store(0, Relaxed);
        words.fence(Release);
        self.stamp.store(stamp, Relaxed);
        // Once more, for a death in the midst of it.
        words.reached(CrashPoint::PutSealed);
        for (carried, word) in self.message.iter().zip(words.written(buffer)) {
            carried.store(word, Relaxed);
        }
        // Release: who finds this mark finds what was copied before it.
        self.mark.store(word, Release);
    }
}

impl Reader {
    /// Takes the latest value if it is carried, and copies as much of it as `message` has room for.
    #[inline]
    pub(crate) fn glance<W: Words>(
        &self,
        words: &W,
        which: Which,
        message: &mut [u64],
    ) -> Result<Glance, Fault> {
        let Some(carried) = words.carried() else {
            return Ok(Glance::Elsewhere);
        };
        // Relaxed: all that it tells is that the value is published; what it is, the mark does.
        let word = words.latest().load(Relaxed);
        // Relaxed: this consumer is the only writer.
        let last_seen = words.last_seen(self.consumer()).load(Relaxed);
        let Some(latest) = self.judge(words, word, last_seen, which)? else {
            return Ok(Glance::Nothing);
        };
        // Acquire: with the Release in `carry`.
        if carried.mark.load(Acquire) != word {
            return Ok(Glance::Elsewhere);
        }
        let stamp = carried.stamp.load(Relaxed);
        for (copy, carried) in message.iter_mut().zip(carried.message) {
            *copy = carried.load(Relaxed);
        }
        // Acquire, with the Release fence in `carry`: if any word was one of a later value, the
        // second look sees that value's 0, or what came after it.
        words.fence(Acquire);
        if carried.mark.load(Relaxed) != word {
            return Ok(Glance::Elsewhere);
        }
        // Relaxed: as in `settle`.
        words.last_seen(self.consumer()).store(latest.sequence, Relaxed);
        words.reached(CrashPoint::GetSeen);
        let missed = (latest.sequence - last_seen).saturating_sub(1);
        Ok(Glance::Carried { sequence: latest.sequence, missed, stamp })
    }
}
