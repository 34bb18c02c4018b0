//! The producer's half: loan, put, wake, take over, bury.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use super::ahead::Filled;
use super::{ASLEEP_TO_FOLLOW, Exchange, Fault, Latest, Word, Words};
use crate::crash_point::CrashPoint;

/// Needless wakes before the producer looks for dead sleepers; it doubles up to [`RAREST_LOOK`].
const FIRST_LOOK: u32 = 16;
const RAREST_LOOK: u32 = 1024;

/// What a producer remembers between two puts; all of it can be lost with the process.
#[derive(Debug)]
pub(crate) struct Producer {
    /// The word this producer last wrote to `latest`.
    word: u64,
    incarnation: u64,
    /// Buffers found free and not published since; the next to use is the last. Of large ones that is
    /// the most recently used, which the caches may have still; of others the longest unused, which
    /// leaves observers most time, and all of them are used before they are looked for again.
    finds: Vec<u8>,
    /// Buffers that the last scan found held, or announced in vain, beside the latest.
    held: Bits,
    /// The sequence that each buffer last carried.
    used: Vec<u64>,
    /// The number of the last filling.
    fillings: u64,
    /// Whether the buffer that is lent is being filled under that number.
    fills: bool,
    needless: u32,
    look_after: u32,
}

impl Producer {
    /// Takes the slot over from whoever published before. The caller has the producer's claim.
    pub(crate) fn take_over<W: Words>(words: &W) -> Result<Self, Fault> {
        // Relaxed: the claim orders its owners. First of all, so that a predecessor that lost its claim
        // unawares learns of it at its next look.
        let incarnation = words.incarnation().load(Relaxed).wrapping_add(1);
        words.incarnation().store(incarnation, Relaxed);
        words.reached(CrashPoint::ProducerClaimed);
        let mut word = words.latest().load(Relaxed);
        for _ in 0..W::TRIES {
            let latest = Latest::checked(words, word)?;
            let raised = Latest { epoch: latest.epoch + 1, ..latest }.pack();
            // Never a plain store: a predecessor that lost its claim unawares may publish just now,
            // and its value must not be undone. Relaxed: an exchange hands on what the publishes
            // before it released, and this producer acquires it by the fence below.
            match words.latest().compare_exchange(word, raised, Relaxed, Relaxed) {
                Ok(_) => {
                    words.reached(CrashPoint::EpochRaised);
                    // SeqCst: as in `publish`; the predecessor may have died before its own.
                    words.fence(SeqCst);
                    let mut producer = Self::new(words, raised, incarnation);
                    // The predecessor may have died between its last publish and its wake.
                    producer.wake(words);
                    return Ok(producer);
                }
                Err(moved) => word = moved,
            }
        }
        Err(Fault::Busy)
    }

    fn new<W: Words>(words: &W, word: u64, incarnation: u64) -> Self {
        // Relaxed: they only choose among free buffers. One that was being filled (0) is chosen
        // last: a predecessor that lost its claim unawares may be filling it still.
        let used = (0..words.buffers())
            .map(|buffer| words.header(buffer).sequence.load(Relaxed).wrapping_sub(1))
            .collect();
        let finds = Vec::with_capacity(words.buffers());
        // Relaxed: the claim orders its owners.
        let fillings = Filled::unpack(words.filled().load(Relaxed)).number;
        Self::end_filling(words, fillings);
        Self {
            word,
            incarnation,
            finds,
            held: Bits::default(),
            used,
            fillings,
            fills: false,
            needless: 0,
            look_after: FIRST_LOOK,
        }
    }

    /// The sequence of the last value published.
    #[inline]
    pub(crate) fn sequence(&self) -> u64 {
        Latest::unpack(self.word).sequence
    }

    /// The last value published, if this producer has its role still.
    pub(crate) fn latest<W: Words>(&self, words: &W) -> Result<Latest, Fault> {
        self.check(words)?;
        Ok(Latest::unpack(self.word))
    }

    /// Finds a free buffer and opens it for filling. Until it is published, or the next call, it
    /// is this producer's alone; called again without a publish, it gives the same buffer.
    #[inline]
    pub(crate) fn loan<W: Words>(&mut self, words: &W) -> Result<usize, Fault> {
        self.check(words)?;
        if self.sequence() >= Latest::LAST_SEQUENCE {
            return Err(Fault::SequenceExhausted);
        }
        words.reached(CrashPoint::LoanChecked);
        self.look_ahead(words);
        let Some(&buffer) = self.finds.last() else {
            return Err(Fault::Corrupt("more buffers are held than there are holds"));
        };
        let buffer = usize::from(buffer);
        if self.fills {
            self.fills = false;
            Self::end_filling(words, self.fillings);
        }
        words.reached(CrashPoint::LoanScanned);
        // Relaxed, and the fence behind it: an observer that copies any byte written from here on
        // finds, after its own Acquire fence, that the sequence is no longer the one it copies.
        words.header(buffer).sequence.store(0, Relaxed);
        words.fence(Release);
        words.reached(CrashPoint::LoanOpened);
        Ok(buffer)
    }

    /// Gathers the buffers that are neither the latest nor held. A buffer found free stays free
    /// until it is published, since a consumer validates only what `latest` names; so one scan's
    /// finds serve several loans.
    fn scan<W: Words>(&mut self, words: &W) {
        let latest = Latest::unpack(self.word).index as u8;
        let mut taken = Bits::default();
        for consumer in 0..words.consumer_slots() {
            for entry in 0..words.holds() {
                // Acquire: the reads of the buffer that this entry named before come before our
                // writes to it.
                let held = words.held(consumer, entry).load(Acquire);
                taken.set(held.wrapping_sub(1));
            }
        }
        taken.clear(latest);
        self.held = taken;
        let buffers = 0..words.buffers() as u8;
        self.finds.extend(buffers.filter(|&buffer| buffer != latest && !taken.has(buffer)));
        let used = |&b: &u8| self.used[usize::from(b)];
        if words.is_large() {
            // What is being filled, or was never used, comes last here too.
            self.finds.sort_unstable_by_key(|b| used(b).wrapping_add(1));
        } else {
            self.finds.sort_unstable_by_key(|b| std::cmp::Reverse(used(b)));
        }
    }

    /// Publishes the buffer that [`loan`](Self::loan) opened. Nobody is woken yet: [`wake`](Self::wake)
    /// comes next.
    #[inline]
    pub(crate) fn publish<W: Words>(
        &mut self,
        words: &W,
        length: u64,
        stamp: u64,
    ) -> Result<u64, Fault> {
        self.check(words)?;
        let Some(&buffer) = self.finds.last() else {
            return Err(Fault::Corrupt("a buffer was published that was not lent"));
        };
        let index = usize::from(buffer);
        let last = Latest::unpack(self.word);
        let next = Latest { index, sequence: last.sequence + 1, ..last };
        // Relaxed: consumers and observers read these after they have acquired `latest`.
        let header = words.header(index);
        header.length.store(length, Relaxed);
        header.stamp.store(stamp, Relaxed);
        header.sequence.store(next.sequence, Relaxed);
        words.reached(CrashPoint::PutSealed);
        let inline = words.inline();
        if words.stores_inline() {
            inline.write(words, next.pack(), stamp, words.written(index));
        } else {
            let likely = self.likely_next(words, index) as u64;
            let filling = if self.fills { self.fillings } else { 0 };
            inline.write(words, next.pack(), stamp, [length, likely, filling]);
        }
        // The one atomic write of a put. Release: the payload and the buffer's header come before
        // it; nothing is acquired, for what it replaces is this producer's own word. A
        // compare-exchange and not a store: a producer that lost its claim must not publish over its
        // successor's value.
        match words.latest().compare_exchange(self.word, next.pack(), Release, Relaxed) {
            Ok(_) => {}
            Err(found) => return Err(self.diagnose(words, found)),
        }
        words.reached(CrashPoint::PutPublished);
        // SeqCst, one fence for two pairs. With the fence in `protect`: of this publish, followed by a
        // scan, and a held entry, followed by a second look at `latest`, one sees the other. With
        // the fence in `sleep`: the same of this publish, followed by `wake`, and a waiting byte.
        words.fence(SeqCst);
        self.word = next.pack();
        self.used[index] = next.sequence;
        self.finds.pop();
        if words.is_large() {
            self.finds.clear();
        }
        if self.fills {
            self.fills = false;
            Self::end_filling(words, self.fillings);
        }
        Ok(next.sequence)
    }

    /// The buffer that comes after `index`, if no consumer happens to hold it.
    #[inline]
    fn likely_next<W: Words>(&self, words: &W, index: usize) -> usize {
        if words.is_large() {
            return Latest::unpack(self.word).index;
        }
        match self.finds.len().checked_sub(2).and_then(|next| self.finds.get(next)) {
            Some(&next) => usize::from(next),
            None => self.longest_unused(index),
        }
    }

    /// What the next scan is likely to find: that it is expected to be in a buffer makes a consumer
    /// announce that one, and what was announced in vain is not told to be likely again.
    fn longest_unused(&self, but: usize) -> usize {
        let others = (0..self.used.len()).filter(|&buffer| buffer != but);
        let rank = |&buffer: &usize| (self.held.has(buffer as u8), self.used[buffer]);
        others.min_by_key(rank).unwrap_or(but)
    }

    /// The number of the filling of the buffer that is lent.
    pub(super) fn filling(&mut self) -> u64 {
        if !self.fills {
            self.fills = true;
            self.fillings = Filled::after(self.fillings);
        }
        self.fillings
    }

    /// Wakes who reads ahead, while the value is being filled.
    pub(crate) fn rouse<W: Words>(words: &W) {
        // Relaxed: whoever is not found to sleep here is woken behind the publish.
        let asleep = |consumer| words.waiting(consumer).load(Relaxed) == ASLEEP_TO_FOLLOW;
        if (0..words.consumer_slots()).any(asleep) {
            words.wake();
        }
    }

    /// Wakes whoever sleeps, and looks for dead sleepers when wakes were in vain for long.
    #[inline]
    pub(crate) fn wake<W: Words>(&mut self, words: &W) {
        // Relaxed: the byte carries no data, and the fence of the publish before has ordered it.
        let consumers = 0..words.consumer_slots();
        if consumers.fold(0, |any, consumer| any | words.waiting(consumer).load(Relaxed)) != 0 {
            words.reached(CrashPoint::PutSawWaiting);
            // Before the call, which takes long: who is awake announces the next buffer meanwhile, and
            // would find that it kept it from being found.
            self.look_ahead(words);
            if words.wake() == 0 {
                self.count_needless(words);
            }
            words.reached(CrashPoint::PutWoken);
        }
        // Now, while nobody waits for it, and not in the next loan.
        self.look_ahead(words);
    }

    #[inline]
    fn look_ahead<W: Words>(&mut self, words: &W) {
        if self.finds.is_empty() {
            self.scan(words);
        }
    }

    #[cold]
    fn count_needless<W: Words>(&mut self, words: &W) {
        self.needless += 1;
        if self.needless >= self.look_after {
            let buried = bury(words);
            self.needless = 0;
            self.look_after =
                if buried { FIRST_LOOK } else { (self.look_after * 2).min(RAREST_LOOK) };
        }
    }

    /// Nobody has taken the role over, or this producer may not write any more.
    #[inline]
    fn check<W: Words>(&self, words: &W) -> Result<(), Fault> {
        // Relaxed: nobody else's data is read because of this; the compare-exchange decides.
        let found = words.incarnation().load(Relaxed);
        if found == self.incarnation { Ok(()) } else { Err(Fault::RoleLost) }
    }

    #[cold]
    fn diagnose<W: Words>(&self, words: &W, found: u64) -> Fault {
        match self.check(words) {
            Ok(()) if Latest::unpack(found).epoch == Latest::unpack(self.word).epoch => {
                Fault::Corrupt("`latest` was changed by something that is not its producer")
            }
            _ => Fault::RoleLost,
        }
    }
}

/// A set of bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Bits([u64; 4]);

impl Bits {
    fn set(&mut self, byte: u8) {
        self.0[usize::from(byte / 64)] |= 1 << (byte % 64);
    }

    fn clear(&mut self, byte: u8) {
        self.0[usize::from(byte / 64)] &= !(1 << (byte % 64));
    }

    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte / 64)] >> (byte % 64) & 1 != 0
    }
}

/// Clears the waiting bytes of dead consumers, so that puts stop waking nobody. Whether there were
/// any. Only a claim that was won is acted on: asking and then acting would rob a new owner.
fn bury<W: Words>(words: &W) -> bool {
    let mut buried = false;
    for consumer in 0..words.consumer_slots() {
        if words.waiting(consumer).load(Relaxed) != 0 && words.win(consumer) {
            words.reached(CrashPoint::BuryWon);
            // Relaxed: the kernel's lock orders it before a new owner's stores.
            words.waiting(consumer).store(0, Relaxed);
            words.reached(CrashPoint::BuryCleared);
            words.unwin(consumer);
            buried = true;
        }
    }
    buried
}
