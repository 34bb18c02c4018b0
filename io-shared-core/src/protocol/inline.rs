//! What comes along with `latest`, in its line.
//!
//! A hand-over is as fast as its cache lines: one for `latest`, and one more for the buffer that it
//! names, which cannot be asked for before the first has come. So what stands at the head of the buffer
//! is carried beside `latest` as well: whoever holds a value need not wait for a line of it. And of a
//! message of a fixed size that fits, all of it: its reader is done with the one line, and holds nothing.
//! It is a copy, for readers that take one; the value itself is in its buffer as ever, for observers,
//! for whoever finds the copy half made, and for whoever comes when its producer was killed at it.
//!
//! The mark is a sequence lock: it is 0 while the copy is being made, and then the very word of
//! `latest` that publishes the value, which no other value has.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::consumer::Consumer;
use super::{Fault, Inline, Which, Word, Words};
use crate::crash_point::CrashPoint;

/// What a look at the line gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InlineRead {
    /// There is no value, or none that was not had.
    Nothing,
    /// There is one, and it is to be [protected](Consumer::protect).
    NotInline,
    /// This is it.
    Value { sequence: u64, missed: u64, stamp: u64 },
}

impl<C: Word<u64>> Inline<'_, C> {
    /// Copies `message` (or its length) and its stamp here, beside a `latest` that is about to become
    /// `word`.
    #[inline]
    pub(super) fn write<W: Words>(
        &self,
        words: &W,
        word: u64,
        stamp: u64,
        message: impl IntoIterator<Item = u64>,
    ) {
        if self.message.is_empty() {
            return;
        }
        // Relaxed, and the fence behind it: a reader that copies any word from here on finds, after
        // its own Acquire fence, that the mark is no longer the one it copies.
        self.mark.store(0, Relaxed);
        words.fence(Release);
        self.stamp.store(stamp, Relaxed);
        // Once more, for a death in the midst of it.
        words.reached(CrashPoint::PutSealed);
        for (copy, word) in self.message.iter().zip(message) {
            copy.store(word, Relaxed);
        }
        // Release: who finds this mark finds what was copied before it.
        self.mark.store(word, Release);
    }

    /// Stamp and length of the message that `word` of `latest` names, if they are carried. Behind a
    /// fence that acquires, [`is_of`](Self::is_of) says whether they were whole.
    #[inline]
    pub(super) fn head(&self, word: u64) -> Option<Head> {
        // Acquire: with the Release in `write`.
        let [length, next, more @ ..] = self.message else { return None };
        let head = || Head {
            stamp: self.stamp.load(Relaxed),
            length: length.load(Relaxed),
            next: next.load(Relaxed) as usize,
            filling: more.first().map_or(0, |filling| filling.load(Relaxed)),
        };
        (self.mark.load(Acquire) == word).then(head)
    }

    #[inline]
    pub(super) fn is_of(&self, word: u64) -> bool {
        self.mark.load(Relaxed) == word
    }
}

/// What is to be known of a message that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) stamp: u64,
    /// In bytes.
    pub(super) length: u64,
    /// The buffer that the next message is likely to be in.
    pub(super) next: usize,
    /// 0: it cannot have been read ahead.
    pub(super) filling: u64,
}

impl Consumer {
    /// Takes the latest value if it is carried, and copies as much of it as `message` has room for.
    #[inline]
    pub(crate) fn read_inline<W: Words>(
        &self,
        words: &W,
        which: Which,
        message: &mut [u64],
    ) -> Result<InlineRead, Fault> {
        if !words.stores_inline() {
            return Ok(InlineRead::NotInline);
        }
        self.seat().check(words)?;
        let inline = words.inline();
        // Relaxed: all that it tells is that the value is published; what it is, the mark does.
        let word = words.latest().load(Relaxed);
        // Relaxed: this consumer is the only writer.
        let last_seen = words.last_seen(self.consumer()).load(Relaxed);
        let Some(latest) = self.judge(words, word, last_seen, which)? else {
            return Ok(InlineRead::Nothing);
        };
        // Acquire: with the Release in `write`.
        if inline.mark.load(Acquire) != word {
            return Ok(InlineRead::NotInline);
        }
        let stamp = inline.stamp.load(Relaxed);
        for (copy, word) in message.iter_mut().zip(inline.message) {
            *copy = word.load(Relaxed);
        }
        // Acquire, with the Release fence in `write`: if any word was one of a later value, the
        // second look sees that value's 0, or what came after it.
        words.fence(Acquire);
        if !inline.is_of(word) {
            return Ok(InlineRead::NotInline);
        }
        // Relaxed: as in `settle`.
        words.last_seen(self.consumer()).store(latest.sequence, Relaxed);
        words.reached(CrashPoint::GetSeen);
        let missed = (latest.sequence - last_seen).saturating_sub(1);
        Ok(InlineRead::Value { sequence: latest.sequence, missed, stamp })
    }
}
