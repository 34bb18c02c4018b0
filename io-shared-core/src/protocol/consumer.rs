//! A consumer's half: take a slot, get, release, sleep.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use super::inline::Head;
use super::{ASLEEP, ASLEEP_TO_FOLLOW, Fault, Header, Latest, Word, Words};
use crate::crash_point::CrashPoint;

/// Which value a get is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// One that this consumer has not had.
    Unseen,
    /// The latest, had or not.
    Current,
}

/// A slot, as whoever took it over knows it: another may have taken it over since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    consumer: usize,
    incarnation: u64,
}

impl Seat {
    /// Whether nobody has taken the slot over since. It is looked at before anything is stored in the
    /// slot: whoever lost its claim unawares must not store into what is another's.
    #[inline]
    pub(crate) fn is_own<W: Words>(self, words: &W) -> bool {
        // Relaxed: nobody's data is read because of this. It may be late, by as much as lies between
        // this look and the store behind it: only claims keep others out.
        words.taken(self.consumer).load(Relaxed) == self.incarnation
    }

    /// # Errors
    /// [`Fault::SlotLost`].
    #[inline]
    pub(crate) fn check<W: Words>(self, words: &W) -> Result<(), Fault> {
        if self.is_own(words) { Ok(()) } else { Err(Fault::SlotLost(self.consumer)) }
    }

    /// Gives an entry back. Its buffer may be written from now on. Whether it was this one's still.
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
    /// The entry that this consumer uses again and again, and the buffer it names. Who holds the value
    /// there borrows the consumer, or has [taken the entry along](Self::part_with).
    hazard: Option<HazardPointer>,
    /// The buffer that the next value is likely to be in.
    next: usize,
    /// Whether it reads ahead in this wait.
    follows: bool,
    /// What it saw of the last filling.
    followed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct HazardPointer {
    entry: usize,
    buffer: usize,
}

/// A buffer that the producer leaves alone until the consumer's next [`protect`](Consumer::protect), or, parted with,
/// until [`Seat::release`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Protected {
    pub(crate) entry: usize,
    pub(crate) buffer: usize,
    pub(crate) sequence: u64,
    /// Values published since the one this consumer had before, and never had.
    pub(crate) missed: u64,
    pub(crate) stamp: u64,
    /// Bytes of the message, as its producer says.
    pub(crate) length: u64,
    /// The number of its filling, if it could be read [ahead](super::Ahead).
    pub(crate) filling: u64,
}

impl Consumer {
    /// Takes the slot over from a dead or departed owner. The caller has its claim.
    ///
    /// `resumes`: this is the same consumer come back, which goes on after the value it had last.
    /// Any other starts with the current value unseen.
    pub(crate) fn take_over<W: Words>(
        words: &W,
        consumer: usize,
        resumes: bool,
    ) -> Result<Self, Fault> {
        // Relaxed: the claim orders its owners. First of all, so that a predecessor that lost its claim
        // unawares is told of it, rather than store into what is changed here.
        let incarnation = words.taken(consumer).load(Relaxed).wrapping_add(1);
        words.taken(consumer).store(incarnation, Relaxed);
        words.reached(CrashPoint::ConsumerClaimed);
        for entry in 0..words.holds() {
            // Release: as in `Seat::release`, for the dead owner's reads.
            words.held(consumer, entry).store(0, Release);
        }
        words.waiting(consumer).store(0, Relaxed);
        words.reached(CrashPoint::ConsumerCleared);
        // Relaxed: only the sequence is used, and a get acquires.
        let latest = Latest::checked(words, words.latest().load(Relaxed))?;
        let last_seen = if resumes {
            words.last_seen(consumer).load(Relaxed).min(latest.sequence)
        } else {
            latest.sequence.max(1) - 1
        };
        let last_seen = last_seen.max(words.lost().min(latest.sequence));
        words.last_seen(consumer).store(last_seen, Relaxed);
        words.reached(CrashPoint::ConsumerReady);
        Ok(Self {
            consumer,
            incarnation,
            hazard: None,
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

    /// Holds the latest value; `None` if there is none, or none that was not had. Until the next call the
    /// producer leaves its buffer alone, and for longer if the hold is [parted with](Self::part_with).
    #[inline]
    pub(crate) fn protect<W: Words>(
        &mut self,
        words: &W,
        which: Which,
    ) -> Result<Option<Protected>, Fault> {
        self.seat().check(words)?;
        // Relaxed, here and at the second look: whichever word is settled on was read before a fence
        // below, and that fence acquires it.
        let mut word = words.latest().load(Relaxed);
        // Relaxed: this consumer is the only writer.
        let last_seen = words.last_seen(self.consumer).load(Relaxed);
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
                    // `latest` was looked at. Acquire: what the producer wrote to the buffer before it
                    // published is read after this.
                    words.fence(Acquire);
                    return self.settle(words, latest, hazard.entry, last_seen, head).map(Some);
                }
                _ => {
                    let entry = self.announce(words, latest.index)?;
                    let again = words.latest().load(Relaxed);
                    if again == word {
                        return self.settle(words, latest, entry, last_seen, head).map(Some);
                    }
                    word = again;
                }
            }
        }
        Err(Fault::Busy)
    }

    /// Has an entry name `buffer`: if `latest` names it in a look from now on, the producer leaves it
    /// alone for as long as the entry does.
    fn announce<W: Words>(&mut self, words: &W, buffer: usize) -> Result<usize, Fault> {
        let entry = match self.hazard {
            Some(hazard) => hazard.entry,
            None => self.free_entry(words)?,
        };
        // Release, always: a producer that reads this value in place of an earlier one must know that
        // our reads of the earlier buffer are over.
        words.held(self.consumer, entry).store(buffer as u8 + 1, Release);
        self.hazard = Some(HazardPointer { entry, buffer });
        words.reached(CrashPoint::GetHeld);
        // SeqCst, with the fence in `publish`: either the producer's scan sees this entry, or we see that
        // `latest` has moved on. In `protect` it also acquires what is looked at again.
        words.fence(SeqCst);
        Ok(entry)
    }

    /// Announces the buffer that the next value is likely to be in, now that nobody waits for it: the
    /// producer looks at the entry too, so that to write it takes a transfer between the cores.
    #[inline]
    fn expect<W: Words>(&mut self, words: &W) {
        if self.expected().is_none() && self.next < words.buffers() {
            // No entry is free where guards have them all.
            let _ = self.announce(words, self.next);
        }
    }

    /// From now on the producer wakes it when it has begun to fill the expected buffer, too. Whether it
    /// has not seen this word of a filling before.
    #[inline]
    pub(super) fn follow(&mut self, filled: u64) -> bool {
        self.follows = true;
        std::mem::replace(&mut self.followed, filled) != filled
    }

    /// The buffer that was announced for the next value.
    #[inline]
    pub(super) fn expected(&self) -> Option<usize> {
        self.hazard.map(|hazard| hazard.buffer).filter(|&buffer| buffer == self.next)
    }

    /// From now on this hold is [given back](Seat::release) by whoever has it.
    #[inline]
    pub(crate) fn part_with(&mut self, entry: usize) {
        self.hazard = self.hazard.filter(|hazard| hazard.entry != entry);
    }

    /// Gives back what is kept. To be called when the consumer is not used any more.
    pub(crate) fn leave<W: Words>(&mut self, words: &W) {
        if let Some(HazardPointer { entry, .. }) = self.hazard.take() {
            self.seat().release(words, entry);
        }
    }

    /// Whether `word` names a value to take.
    #[inline]
    pub(super) fn judge<W: Words>(
        &self,
        words: &W,
        word: u64,
        last_seen: u64,
        which: Which,
    ) -> Result<Option<Latest>, Fault> {
        let latest = Latest::checked(words, word)?;
        if latest.sequence < last_seen {
            return Err(Fault::Corrupt("`latest` has gone back behind a value that was had"));
        }
        let nothing = match which {
            Which::Unseen => latest.sequence == 0 || latest.sequence == last_seen,
            Which::Current => latest.sequence <= words.lost(),
        };
        Ok((!nothing).then_some(latest))
    }

    #[inline]
    fn free_entry<W: Words>(&self, words: &W) -> Result<usize, Fault> {
        // Acquire: a guard dropped in another thread has ended its reads before the entry is used
        // again, and our Release store passes that on to the producer.
        (0..words.holds())
            .find(|&entry| words.held(self.consumer, entry).load(Acquire) == 0)
            .ok_or(Fault::AlreadyHeld)
    }

    #[inline]
    fn settle<W: Words>(
        &mut self,
        words: &W,
        latest: Latest,
        entry: usize,
        last_seen: u64,
        head: Option<Head>,
    ) -> Result<Protected, Fault> {
        words.reached(CrashPoint::GetValidated);
        let head = match head.filter(|_| words.inline().is_of(latest.pack())) {
            Some(head) => Ok(head),
            None => self.head_of(words, latest),
        };
        let Head { stamp, length, next, filling } = head?;
        self.next = next;
        // Relaxed: whoever waits for it (`wait_taken`) reads no data because of it.
        words.last_seen(self.consumer).store(latest.sequence, Relaxed);
        words.reached(CrashPoint::GetSeen);
        Ok(Protected {
            entry,
            buffer: latest.index,
            sequence: latest.sequence,
            missed: (latest.sequence - last_seen).saturating_sub(1),
            stamp,
            length,
            filling,
        })
    }

    /// What the held buffer itself says of its message.
    #[cold]
    fn head_of<W: Words>(&self, words: &W, latest: Latest) -> Result<Head, Fault> {
        // Relaxed: ordered by the fence that acquired `latest`.
        let Header { sequence, length, stamp } = words.header(latest.index);
        if sequence.load(Relaxed) != latest.sequence {
            return Err(Fault::Corrupt(
                "a buffer's sequence is not the one that `latest` gives it",
            ));
        }
        Ok(Head {
            stamp: stamp.load(Relaxed),
            length: length.load(Relaxed),
            next: usize::MAX,
            filling: 0,
        })
    }

    /// Whether a get would find a value now.
    #[inline]
    pub(crate) fn has_unseen<W: Words>(&self, words: &W) -> bool {
        let last_seen = words.last_seen(self.consumer).load(Relaxed);
        Latest::unpack(words.latest().load(Relaxed)).sequence != last_seen
    }

    /// Sleeps until there is a value not had, the region is retired, or `until` (CLOCK_MONOTONIC in
    /// nanoseconds) has come; may return earlier for no reason.
    pub(crate) fn sleep<W: Words>(&self, words: &W, until: u64) {
        self.raise(words);
        // SeqCst, with the fence in `publish`: either the producer sees the byte after its publish,
        // or we see its publish here.
        words.fence(SeqCst);
        if let Some(low) = self.unmoved(words) {
            words.wait(low, until);
        }
        self.lower(words);
    }

    /// Says that somebody may sleep.
    fn raise<W: Words>(&self, words: &W) {
        if !self.seat().is_own(words) {
            return;
        }
        let asleep = if self.follows { ASLEEP_TO_FOLLOW } else { ASLEEP };
        words.first_asleep(|| words.waiting(self.consumer).store(asleep, Relaxed));
        words.reached(CrashPoint::SleepFlagged);
    }

    /// The low half of `latest`, if there is nothing to wake up for.
    fn unmoved<W: Words>(&self, words: &W) -> Option<u32> {
        let word = words.latest().load(Relaxed);
        let last_seen = words.last_seen(self.consumer).load(Relaxed);
        let nothing =
            Latest::unpack(word).sequence == last_seen && words.retired().load(Relaxed) == 0;
        (nothing && self.seat().is_own(words)).then_some(word as u32)
    }

    fn lower<W: Words>(&self, words: &W) {
        words.reached(CrashPoint::SleepWoken);
        if !self.seat().is_own(words) {
            return;
        }
        words.last_awake(|| words.waiting(self.consumer).store(0, Relaxed));
        words.reached(CrashPoint::SleepCleared);
    }
}

/// As [`Consumer::sleep`], for many slots: `wait` sleeps while the low half of each `latest` is what it
/// is given, and is not called if there is something in one of them. One fence serves all: each byte
/// is raised before it, and each `latest` looked at behind it.
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
