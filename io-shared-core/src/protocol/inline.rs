//! What is stored inline: next to `latest`, in its cache line.
//!
//! A hand-over is as fast as the cache lines it moves: the line of `latest`, and then the lines of
//! the buffer that it names, which cannot be requested before `latest` has arrived. So what stands
//! at the head of the buffer is stored next to `latest` as well, and a consumer that holds a value
//! does not wait for the buffer's header. A message of a fixed size that fits is stored there
//! whole: its consumer needs that one line only, and holds nothing. The inline value is a copy, for
//! consumers that take copies. The value itself is in its buffer all the same: for observers, for
//! consumers that find the copy half made, and for those that come when the producer was killed
//! while it made the copy.
//!
//! [`Inline`] is a sequence lock. Its version, the mark, is 0 while the copy is being made, and
//! then the very word of `latest` that publishes the value; no other value has that word.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::words::{Inline, Word, Words};
use crate::crash_point::CrashPoint;

/// What [reading the inline value](super::Consumer::read_inline) found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InlineRead {
    /// There is no value, or none that this consumer has not received.
    Nothing,
    /// There is one, and it must be [protected](super::Consumer::protect) in its buffer.
    NotInline,
    /// This is it.
    Value { sequence: u64, missed: u64, stamp: u64, tag: u64 },
}

/// What a consumer needs to know of a message that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) stamp: u64,
    pub(super) tag: u64,
    /// In bytes.
    pub(super) length: u64,
    /// The buffer that the next message is likely to be in.
    pub(super) next: usize,
    /// 0: it cannot have been read ahead.
    pub(super) filling: u64,
}

impl<C: Word<u64>> Inline<'_, C> {
    /// Copies the stamp, the tag and `message` (or what stands for it) next to a `latest` that is
    /// about to become `word`.
    #[inline]
    pub(super) fn write<W: Words>(
        &self,
        words: &W,
        word: u64,
        (stamp, tag): (u64, u64),
        message: impl IntoIterator<Item = u64>,
    ) {
        if self.message.is_empty() {
            return;
        }
        // Relaxed, and the fence after it: a consumer that copies any word from here on finds,
        // after its own Acquire fence, that the mark is no longer the one it copies.
        self.mark.store(0, Relaxed);
        words.fence(Release);
        self.stamp.store(stamp, Relaxed);
        self.tag.store(tag, Relaxed);
        // Once more, for a death in the middle of it.
        words.reached(CrashPoint::PutSealed);
        for (copy, word) in self.message.iter().zip(message) {
            copy.store(word, Relaxed);
        }
        // Release: whoever finds this mark finds what was copied before it.
        self.mark.store(word, Release);
    }

    /// What is stored here about the message that `word` of `latest` names, if anything is. After
    /// an Acquire fence, [`is_of`](Self::is_of) says whether it was whole.
    #[inline]
    pub(super) fn head(&self, word: u64) -> Option<Head> {
        // Acquire: with the Release in `write`.
        let [length, next, more @ ..] = self.message else { return None };
        let head = || Head {
            stamp: self.stamp.load(Relaxed),
            tag: self.tag.load(Relaxed),
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
