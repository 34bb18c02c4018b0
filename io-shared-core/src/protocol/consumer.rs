//! The consumer's half: take a slot over, get, read ahead, release, sleep.

use std::ops::Range;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use super::ahead::{Ahead, Filled};
use super::asleep;
use super::inline::{Head, InlineRead};
use super::latest::{Fault, Latest};
use super::pool::{entries, reach};
use super::words::{Header, MOST_BUFFERS, Word, Words};
use crate::crash_point::CrashPoint;

/// Which value a get is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// One that this consumer has not received.
    Unseen,
    /// The latest, received before or not.
    Current,
}

/// A consumer's slot and the incarnation that took it over. Another may have taken it over since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    consumer: usize,
    incarnation: u64,
}

impl Seat {
    /// Whether nobody has taken the slot over since. Every store to the slot comes after this look:
    /// a consumer that lost its claim without knowing it must not store into what is another's.
    #[inline]
    pub(crate) fn is_own<W: Words>(self, words: &W) -> bool {
        // Relaxed: nobody's data is read because of this. It may be late by as much as lies between
        // this look and the store after it: only claims keep others out.
        words.taken(self.consumer).load(Relaxed) == self.incarnation
    }

    /// # Errors
    /// [`Fault::SlotLost`].
    #[inline]
    pub(crate) fn check<W: Words>(self, words: &W) -> Result<(), Fault> {
        if self.is_own(words) { Ok(()) } else { Err(Fault::SlotLost(self.consumer)) }
    }

    /// Clears an entry: its buffer may be written from now on. Returns whether the slot was still
    /// this one's.
    #[inline]
    pub(crate) fn release<W: Words>(self, words: &W, entry: usize) -> bool {
        let is_own = self.is_own(words);
        if is_own {
            // Release: our reads of the buffer come before the producer's writes to it.
            words.held(self.consumer, entry).store(0, Release);
            words.reached(CrashPoint::GetReleased);
        }
        is_own
    }
}

/// A consumer that has the claim of its slot.
#[derive(Debug, Clone)]
pub(crate) struct Consumer {
    consumer: usize,
    incarnation: u64,
    /// How many values it may hold at once. Of its slot's entries it uses no more.
    holds: usize,
    /// The entry that this consumer uses again and again, and the buffer it names. A guard of the
    /// value there borrows the consumer, or has [taken the entry along](Self::part_with).
    hazard: Option<HazardPointer>,
    /// The number of a value that is not there: 0, or that of the newest value which was
    /// [lost](Words::lost). As long as it is the latest, there is nothing to receive.
    nothing: u64,
    /// The buffer that the next value is likely to be in.
    next: usize,
    /// Whether it reads ahead in this wait.
    follows: bool,
    /// The word `filled` as it was at the last look.
    followed: u64,
}

/// A held entry of this consumer, and the buffer that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct HazardPointer {
    entry: usize,
    buffer: usize,
}

/// A value in a buffer that the producer leaves alone until the consumer's next
/// [`protect`](Consumer::protect) or, if its entry was parted with, until [`Seat::release`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Protected {
    pub(crate) entry: usize,
    pub(crate) buffer: usize,
    pub(crate) sequence: u64,
    /// Values published after the one this consumer received last, and never received.
    pub(crate) missed: u64,
    pub(crate) stamp: u64,
    pub(crate) tag: u64,
    /// Bytes of the message, as its producer says.
    pub(crate) length: u64,
    /// The number of its filling, if it could be read [ahead](super::Ahead).
    pub(crate) filling: u64,
}

impl Consumer {
    /// Takes the slot over from a dead or departed owner. The caller has its claim.
    ///
    /// `resumes`: this is the same consumer come back, which goes on after the value it received
    /// last. Any other consumer starts with the current value unseen.
    pub(crate) fn take_over<W: Words>(
        words: &W,
        consumer: usize,
        holds: usize,
        resumes: bool,
    ) -> Result<Self, Fault> {
        // Relaxed: the claim orders its owners. This comes first, so that a predecessor that lost
        // its claim without knowing it learns of it, rather than store into what is changed here.
        let incarnation = words.taken(consumer).load(Relaxed).wrapping_add(1);
        words.taken(consumer).store(incarnation, Relaxed);
        words.reached(CrashPoint::ConsumerClaimed);
        for entry in 0..entries(words, consumer) {
            // Release: as in `Seat::release`, for the dead owner's reads.
            words.held(consumer, entry).store(0, Release);
        }
        asleep::lower(words, consumer);
        words.reached(CrashPoint::ConsumerCleared);
        // Relaxed: only the sequence is used, and a get acquires.
        let latest = Latest::unpack(words.latest().load(Relaxed));
        let lost = words.lost().min(latest.sequence);
        let last_seen = if resumes {
            // What was lost since then counts as missed.
            words.last_seen(consumer).load(Relaxed).min(latest.sequence)
        } else {
            (latest.sequence.max(1) - 1).max(lost)
        };
        words.last_seen(consumer).store(last_seen, Relaxed);
        words.reached(CrashPoint::ConsumerReady);
        Ok(Self {
            consumer,
            incarnation,
            holds: holds.min(entries(words, consumer)),
            hazard: None,
            nothing: lost,
            next: usize::MAX,
            follows: false,
            followed: 0,
        })
    }

    #[inline]
    pub(crate) fn consumer(&self) -> usize {
        self.consumer
    }

    #[inline]
    pub(crate) fn seat(&self) -> Seat {
        Seat { consumer: self.consumer, incarnation: self.incarnation }
    }

    /// Takes the latest value if it is stored inline, and copies as much of it as `message` has
    /// room for.
    // Always inlined: what a call returns would be read in wider pieces than it was written in, and
    // so wait for the store to `last_seen`, which another core's cache has.
    #[inline(always)]
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
        // Relaxed: it only says that the value is published; the mark says what it is.
        let word = words.latest().load(Relaxed);
        let seen = words.last_seen(self.consumer);
        // Relaxed: this consumer is the only writer.
        let last_seen = seen.load(Relaxed);
        let Some(latest) = self.judge(words, word, last_seen, which)? else {
            return Ok(InlineRead::Nothing);
        };
        // Acquire: with the Release in `write`.
        if inline.mark.load(Acquire) != word {
            return Ok(InlineRead::NotInline);
        }
        let (stamp, tag) = (inline.stamp.load(Relaxed), inline.tag.load(Relaxed));
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
        seen.store(latest.sequence, Relaxed);
        words.reached(CrashPoint::GetSeen);
        let missed = (latest.sequence - last_seen).saturating_sub(1);
        Ok(InlineRead::Value { sequence: latest.sequence, missed, stamp, tag })
    }

    /// Protects the latest value's buffer from its producer. `None`: there is no value, or none
    /// that this consumer has not received. The producer leaves the buffer alone until the next
    /// call, and for longer if the entry is [parted with](Self::part_with).
    #[inline(always)]
    pub(crate) fn protect<W: Words>(
        &mut self,
        words: &W,
        which: Which,
    ) -> Result<Option<Protected>, Fault> {
        self.seat().check(words)?;
        // Relaxed, here and at the second look: whichever word is settled on was read before a
        // fence below, and that fence acquires it.
        let mut word = words.latest().load(Relaxed);
        let seen = words.last_seen(self.consumer);
        // Relaxed: this consumer is the only writer.
        let last_seen = seen.load(Relaxed);
        for _ in 0..W::TRIES {
            let Some(latest) = self.judge(words, word, last_seen, which)? else {
                self.follows = false;
                self.expect(words);
                return Ok(None);
            };
            words.reached(CrashPoint::GetRead);
            let head = if words.stores_inline() { None } else { words.inline().head(word) };
            match self.hazard {
                Some(hazard) if hazard.buffer == latest.index => {
                    // The entry named this buffer, and the fence of `announce` was passed, before
                    // `latest` was looked at. Acquire: what the producer wrote to the buffer before
                    // it published is read after this.
                    words.fence(Acquire);
                    return self
                        .settle(words, word, hazard.entry, (seen, last_seen), head)
                        .map(Some);
                }
                _ => {
                    let entry = self.announce(words, latest.index)?;
                    let again = words.latest().load(Relaxed);
                    if again == word {
                        return self.settle(words, word, entry, (seen, last_seen), head).map(Some);
                    }
                    word = again;
                }
            }
        }
        Err(Fault::Busy)
    }

    /// Publishes a hazard pointer: has an entry name `buffer`. If a look at `latest` from now on
    /// finds the buffer named, the producer leaves it alone for as long as the entry names it.
    fn announce<W: Words>(&mut self, words: &W, buffer: usize) -> Result<usize, Fault> {
        if !words.is_mapped(buffer) {
            reach(words, buffer)?;
        }
        let entry = match self.hazard {
            Some(hazard) => hazard.entry,
            None => self.free_entry(words)?,
        };
        // Release, always: a producer that reads this entry in place of an earlier one must know
        // that our reads of the earlier buffer are over.
        words.held(self.consumer, entry).store(buffer as u8 + 1, Release);
        self.hazard = Some(HazardPointer { entry, buffer });
        words.reached(CrashPoint::GetHeld);
        // SeqCst, with the fence in `publish`: either the producer's scan sees this entry, or we
        // see that `latest` has moved on. In `protect` it also acquires what is looked at again.
        words.fence(SeqCst);
        Ok(entry)
    }

    /// Announces the buffer that the next value is likely to be in, now that there is no value to
    /// get. The producer looks at the entry too, so a store to it takes a transfer between the
    /// cores; made now, it delays no get.
    #[inline]
    fn expect<W: Words>(&mut self, words: &W) {
        if self.expected().is_none() && self.next < MOST_BUFFERS as usize {
            // Fails if guards have all entries; then the next get announces.
            let _ = self.announce(words, self.next);
        }
    }

    /// Copies the pieces of the expected buffer that were filled since the last call, by `copy`.
    /// `copy` must read by relaxed atomic words and must bear any range. Returns whether there were
    /// any. From now on the producer wakes this consumer also when it begins to fill that buffer.
    pub(crate) fn read_ahead<W: Words>(
        &mut self,
        words: &W,
        ahead: &mut Ahead,
        copy: impl FnOnce(usize, Range<u64>),
    ) -> bool {
        let Some(buffer) = self.expected() else { return false };
        // Acquire: with the Release in `fill`.
        let word = words.filled().load(Acquire);
        self.follows = true;
        // Each word is read for once, although each get has an `ahead` of its own: the producer
        // that stored it may be dead.
        if std::mem::replace(&mut self.followed, word) == word {
            return false;
        }
        ahead.copy_new(Filled::unpack(word), buffer, copy)
    }

    /// The buffer that was announced for the next value.
    #[inline]
    fn expected(&self) -> Option<usize> {
        self.hazard.map(|hazard| hazard.buffer).filter(|&buffer| buffer == self.next)
    }

    /// From now on whoever has this entry [releases](Seat::release) it.
    #[inline]
    pub(crate) fn part_with(&mut self, entry: usize) {
        self.hazard = self.hazard.filter(|hazard| hazard.entry != entry);
    }

    /// Releases this consumer's own entry, when the consumer is not used any more.
    pub(crate) fn leave<W: Words>(&mut self, words: &W) {
        if let Some(HazardPointer { entry, .. }) = self.hazard.take() {
            self.seat().release(words, entry);
        }
    }

    /// Whether `word` names a value to take.
    #[inline]
    fn judge<W: Words>(
        &self,
        words: &W,
        word: u64,
        last_seen: u64,
        which: Which,
    ) -> Result<Option<Latest>, Fault> {
        let latest = Latest::unpack(word);
        if latest.sequence < last_seen {
            return Err(Fault::Corrupt("`latest` has gone back to a value that was received"));
        }
        let nothing = match which {
            Which::Unseen => latest.sequence == last_seen || latest.sequence == self.nothing,
            Which::Current => latest.sequence <= words.lost(),
        };
        Ok((!nothing).then_some(latest))
    }

    #[inline]
    fn free_entry<W: Words>(&self, words: &W) -> Result<usize, Fault> {
        // Acquire: a guard dropped in another thread has ended its reads before the entry is used
        // again, and our Release store passes that on to the producer.
        (0..self.holds)
            .find(|&entry| words.held(self.consumer, entry).load(Acquire) == 0)
            .ok_or(Fault::AlreadyHeld(self.holds))
    }

    #[inline(always)]
    fn settle<W: Words>(
        &mut self,
        words: &W,
        word: u64,
        entry: usize,
        (seen, last_seen): (&W::Count, u64),
        head: Option<Head>,
    ) -> Result<Protected, Fault> {
        words.reached(CrashPoint::GetValidated);
        let latest = Latest::unpack(word);
        let head = match head.filter(|_| words.inline().is_of(word)) {
            Some(head) => Ok(head),
            None => self.head_of(words, latest),
        };
        let Head { stamp, tag, length, next, filling } = head?;
        self.next = next;
        // Relaxed: a producer that waits for it (`wait_taken`) reads no data because of it.
        seen.store(latest.sequence, Relaxed);
        words.reached(CrashPoint::GetSeen);
        Ok(Protected {
            entry,
            buffer: latest.index,
            sequence: latest.sequence,
            missed: (latest.sequence - last_seen).saturating_sub(1),
            stamp,
            tag,
            length,
            filling,
        })
    }

    /// What the held buffer itself says of its message.
    #[cold]
    fn head_of<W: Words>(&self, words: &W, latest: Latest) -> Result<Head, Fault> {
        // Relaxed: ordered by the fence that acquired `latest`.
        let Header { sequence, length, stamp, tag } = words.header(latest.index);
        if sequence.load(Relaxed) != latest.sequence {
            return Err(Fault::Corrupt("a buffer's sequence is not the one that `latest` has"));
        }
        Ok(Head {
            stamp: stamp.load(Relaxed),
            tag: tag.load(Relaxed),
            length: length.load(Relaxed),
            next: usize::MAX,
            filling: 0,
        })
    }

    /// Whether a get would find a value now.
    #[inline]
    pub(crate) fn has_unseen<W: Words>(&self, words: &W) -> bool {
        let last_seen = words.last_seen(self.consumer).load(Relaxed);
        let latest = Latest::unpack(words.latest().load(Relaxed)).sequence;
        latest != last_seen && latest != self.nothing
    }

    /// Sleeps until there is a value that this consumer has not received, the region is retired, or
    /// `until` (CLOCK_MONOTONIC in nanoseconds) has come. May return earlier for no reason.
    pub(crate) fn sleep<W: Words>(&self, words: &W, until: u64) {
        self.raise(words);
        // SeqCst, with the fence in `publish`: either the producer sees the bit after its publish,
        // or we see its publish here.
        words.fence(SeqCst);
        if let Some(low) = self.unmoved(words) {
            words.wait(low, until);
        }
        self.lower(words);
    }

    /// Says that this consumer may sleep.
    fn raise<W: Words>(&self, words: &W) {
        if !self.seat().is_own(words) {
            return;
        }
        words.first_asleep(|| asleep::raise(words, self.consumer, self.follows));
        words.reached(CrashPoint::SleepFlagged);
    }

    /// The low half of `latest`, if there is nothing to wake up for.
    fn unmoved<W: Words>(&self, words: &W) -> Option<u32> {
        let word = words.latest().load(Relaxed);
        let last_seen = words.last_seen(self.consumer).load(Relaxed);
        let latest = Latest::unpack(word).sequence;
        let nothing = latest == last_seen || latest == self.nothing;
        let stays = nothing && words.retired().load(Relaxed) == 0 && self.seat().is_own(words);
        stays.then_some(word as u32)
    }

    fn lower<W: Words>(&self, words: &W) {
        words.reached(CrashPoint::SleepWoken);
        if !self.seat().is_own(words) {
            return;
        }
        words.last_awake(|| asleep::lower(words, self.consumer));
        words.reached(CrashPoint::SleepCleared);
    }
}

/// As [`Consumer::sleep`], for many slots. `wait` is given the low half of each `latest` and sleeps
/// while all are unchanged; it is not called if there is something in one of the slots. One fence
/// serves all: each bit is raised before it, and each `latest` is looked at after it.
pub(crate) fn sleep_any<'a, W: Words + 'a>(
    sleepers: impl Iterator<Item = (&'a W, &'a Consumer)> + Clone,
    wait: impl FnOnce(Vec<(&'a W, u32)>),
) {
    sleepers.clone().for_each(|(words, consumer)| consumer.raise(words));
    if let Some((words, _)) = sleepers.clone().next() {
        // SeqCst, as in `sleep`.
        words.fence(SeqCst);
    }
    let unmoved = sleepers.clone().map(|(words, consumer)| Some((words, consumer.unmoved(words)?)));
    if let Some(unmoved) = unmoved.collect() {
        wait(unmoved);
    }
    sleepers.for_each(|(words, consumer)| consumer.lower(words));
}
