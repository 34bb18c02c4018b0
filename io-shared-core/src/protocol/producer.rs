//! The producer's half: take the role over, loan, fill, publish, wake, reclaim dead sleepers.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use super::ahead::{Filled, MOST_PIECES};
use super::asleep;
use super::latest::{Fault, Latest};
use super::pool::{checked, entries, keeps_history, pool, reach, used};
use super::words::{Exchange, MOST_BUFFERS, Word, Words};
use crate::crash_point::CrashPoint;

/// What stands for the last sequence of a buffer that was never used, or that was being filled when
/// the producer died: such a buffer is chosen after all others.
const NEVER_USED: u64 = u64::MAX;

/// After this many needless wakes the producer looks for dead sleepers. The number doubles with
/// each look that finds none, up to [`RAREST_LOOK`].
const FIRST_LOOK: u32 = 16;
const RAREST_LOOK: u32 = 1024;

/// What a producer remembers between two puts. All of it can be lost with the process.
#[derive(Debug)]
pub(crate) struct Producer {
    /// The word this producer last wrote to `latest`.
    word: u64,
    incarnation: u64,
    /// Buffers found free and not published since; the last one is used next. Of large buffers that
    /// is the most recently used, which the caches may still have, unless a history is kept. Of
    /// others it is the longest unused, which leaves observers the most time, and all are used
    /// before the next scan.
    finds: Vec<u8>,
    /// Buffers other than the latest that the last scan found named by an entry, whether they are
    /// held or were only announced.
    held: Bits,
    /// The sequence of the last value in each buffer.
    used: Vec<u64>,
    /// Whether values before the newest are kept, as of the last scan.
    keeps: bool,
    /// How many buffers there were at the take-over, and the last sequence then.
    inherited: (usize, u64),
    /// The number of the last filling.
    fillings: u64,
    /// Whether the buffer that is lent is being filled under that number.
    fills: bool,
    needless: u32,
    look_after: u32,
}

impl Producer {
    /// Takes the role over from its previous owner. The caller has the producer's claim.
    pub(crate) fn take_over<W: Words>(words: &W) -> Result<Self, Fault> {
        // Relaxed: the claim orders its owners. This comes first, so that a predecessor that lost
        // its claim without knowing it learns of it at its next look.
        let incarnation = words.incarnation().load(Relaxed).wrapping_add(1);
        words.incarnation().store(incarnation, Relaxed);
        words.reached(CrashPoint::ProducerClaimed);
        let mut word = words.latest().load(Relaxed);
        for _ in 0..W::TRIES {
            let latest = checked(words, word)?;
            let raised = Latest { epoch: latest.epoch + 1, ..latest }.pack();
            // Never a plain store: a predecessor that lost its claim without knowing it may be
            // publishing right now, and its value must not be undone. Relaxed: an exchange hands on
            // what the publishes before it released, and this producer acquires it by the fence
            // below.
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
        // last: a predecessor that lost its claim without knowing it may still be filling it.
        let last = Latest::unpack(word).sequence;
        let last_use = |buffer| {
            let sequence = words.header(buffer).sequence;
            let mut found = sequence.load(Relaxed);
            if found > last {
                // The predecessor was killed before it published this value, and nobody may take it
                // for the next one of its number. Relaxed: whoever acquires a later word of
                // `latest` finds it.
                sequence.store(0, Relaxed);
                found = 0;
            }
            found.wrapping_sub(1)
        };
        let used: Vec<u64> = (0..pool(words))
            .take_while(|&buffer| words.is_mapped(buffer) || reach(words, buffer).is_ok())
            .map(last_use)
            .collect();
        let finds = Vec::with_capacity(MOST_BUFFERS as usize);
        // Relaxed: the claim orders its owners.
        let fillings = Filled::unpack(words.filled().load(Relaxed)).number;
        Self::end_filling(words, fillings);
        Self {
            word,
            incarnation,
            finds,
            held: Bits::default(),
            inherited: (used.len(), last),
            used,
            keeps: false,
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

    /// The last value published, if this producer still has its role.
    pub(crate) fn latest<W: Words>(&self, words: &W) -> Result<Latest, Fault> {
        self.check(words)?;
        Ok(Latest::unpack(self.word))
    }

    /// Finds a free buffer and opens it for filling. Until it is published, or the next call, it
    /// is this producer's alone; called again without a publish, it returns the same buffer.
    #[inline]
    pub(crate) fn loan<W: Words>(&mut self, words: &W) -> Result<usize, Fault> {
        self.check(words)?;
        if self.sequence() >= Latest::LAST_SEQUENCE {
            return Err(Fault::SequenceExhausted);
        }
        words.reached(CrashPoint::LoanChecked);
        self.refill_finds(words);
        let Some(&buffer) = self.finds.last() else {
            return Err(Fault::Corrupt("more buffers are held than there are holds"));
        };
        let buffer = usize::from(buffer);
        if !words.is_mapped(buffer) {
            reach(words, buffer)?;
        }
        if self.fills {
            self.fills = false;
            Self::end_filling(words, self.fillings);
        }
        words.reached(CrashPoint::LoanScanned);
        // Relaxed, and the fence after it: an observer that copies any byte written from here on
        // finds, after its own Acquire fence, that the sequence is no longer the one it copies.
        words.header(buffer).sequence.store(0, Relaxed);
        words.fence(Release);
        words.reached(CrashPoint::LoanOpened);
        Ok(buffer)
    }

    /// Gathers the buffers that are neither the latest nor held. A buffer found free stays free
    /// until it is published, since a consumer validates only what `latest` names. So one scan
    /// serves several loans.
    fn scan<W: Words>(&mut self, words: &W) {
        let latest = Latest::unpack(self.word).index as u8;
        let mut taken = Bits::default();
        for consumer in 0..used(words) {
            for entry in 0..entries(words, consumer) {
                // Acquire: the reads of the buffer that this entry named before come before our
                // writes to it.
                let held = words.held(consumer, entry).load(Acquire);
                taken.set(held.wrapping_sub(1));
            }
        }
        taken.clear(latest);
        self.held = taken;
        // After the entries: what they name was in the pool before, and so were two buffers more.
        let pool = pool(words);
        if pool > self.used.len() {
            self.used.resize(pool, NEVER_USED);
        }
        let free = (0..pool as u8).filter(|&buffer| buffer != latest && !taken.has(buffer));
        self.keeps = keeps_history(words);
        let last_use = |&b: &u8| self.used[usize::from(b)];
        if !self.keeps && words.is_large() {
            // The one that was used last. One that is being filled or was never used is the worst.
            self.finds.extend(free.max_by_key(|b| last_use(b).wrapping_add(1)));
            return;
        }
        self.finds.extend(free);
        match self.keeps {
            true => self.put_the_longest_unused_last(),
            // One that is being filled or was never used comes first, and so is taken last.
            false => self.finds.sort_unstable_by_key(|b| std::cmp::Reverse(last_use(b))),
        }
    }

    /// Orders what was found for a history.
    #[cold]
    fn put_the_longest_unused_last(&mut self) {
        let (used, inherited) = (&self.used, self.inherited);
        let age = |&b: &u8| age(used, inherited, usize::from(b));
        self.finds.sort_unstable_by_key(|b| std::cmp::Reverse(age(b)));
    }

    /// Says that the first `pieces` of the buffer on loan are filled. They stay as they are for as
    /// long as it is on loan: the caller fills the rest and publishes it, or gives it up.
    pub(crate) fn fill<W: Words>(&mut self, words: &W, pieces: u64) {
        let (number, pieces) = (self.filling(), pieces.min(MOST_PIECES));
        // Release: whoever reads this many pieces finds what was written there.
        words.filled().store(Filled { number, pieces }.pack(), Release);
        words.reached(CrashPoint::PutFilling);
    }

    /// The number of the filling of the buffer on loan.
    fn filling(&mut self) -> u64 {
        if !self.fills {
            self.fills = true;
            self.fillings = Filled::after(self.fillings);
        }
        self.fillings
    }

    /// What was filled is published, or was given up.
    fn end_filling<W: Words>(words: &W, number: u64) {
        // Relaxed: it only spares others a useless reading.
        words.filled().store(Filled { number, pieces: 0 }.pack(), Relaxed);
    }

    /// Refuses a number that is not greater than the last, or that is none.
    pub(crate) fn check_number(&self, number: u64) -> Result<(), Fault> {
        let last = self.sequence();
        match last < number && number <= Latest::LAST_SEQUENCE {
            true => Ok(()),
            false => Err(Fault::BadNumber { number, last }),
        }
    }

    /// Publishes `buffer`, which [`loan`](Self::loan) opened last, under this number: the next, or
    /// one that [`check_number`](Self::check_number) has found good. Nobody is woken yet:
    /// [`wake`](Self::wake) comes next.
    #[inline]
    pub(crate) fn publish<W: Words>(
        &mut self,
        words: &W,
        buffer: usize,
        sequence: u64,
        length: u64,
        stamp: u64,
        tag: u64,
    ) -> Result<u64, Fault> {
        debug_assert_eq!(self.finds.last().copied().map(usize::from), Some(buffer), "on loan");
        self.check(words)?;
        let last = Latest::unpack(self.word);
        debug_assert!(self.check_number(sequence).is_ok(), "a number only grows");
        let next = Latest { index: buffer, sequence, ..last };
        // Relaxed: consumers and observers read these after they have acquired `latest`.
        let header = words.header(buffer);
        header.length.store(length, Relaxed);
        header.stamp.store(stamp, Relaxed);
        header.tag.store(tag, Relaxed);
        header.sequence.store(next.sequence, Relaxed);
        words.reached(CrashPoint::PutSealed);
        let inline = words.inline();
        if words.stores_inline() {
            inline.write(words, next.pack(), (stamp, tag), words.written(buffer));
        } else {
            let likely = self.likely_next(words, buffer) as u64;
            let filling = if self.fills { self.fillings } else { 0 };
            inline.write(words, next.pack(), (stamp, tag), [length, likely, filling]);
        }
        // The one atomic write of a put. Release: the payload and the buffer's header come before
        // it. Nothing is acquired: what it replaces is this producer's own word. It is a
        // compare-exchange and not a store, because a producer that lost its claim must not publish
        // over its successor's value.
        match words.latest().compare_exchange(self.word, next.pack(), Release, Relaxed) {
            Ok(_) => {}
            Err(found) => return Err(self.diagnose(words, found)),
        }
        words.reached(CrashPoint::PutPublished);
        // SeqCst, one fence for two pairs. With the fence in `announce`: of this publish, followed
        // by a scan, and a held entry, followed by a second look at `latest`, one sees the other.
        // With the fence in `sleep`: the same of this publish, followed by `wake`, and a
        // sleeper's bit, followed by a look at `latest`.
        words.fence(SeqCst);
        self.word = next.pack();
        self.used[buffer] = next.sequence;
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

    /// The buffer that will be used after `buffer`, if no consumer happens to hold it.
    #[inline]
    fn likely_next<W: Words>(&self, words: &W, buffer: usize) -> usize {
        if words.is_large() && !self.keeps {
            return Latest::unpack(self.word).index;
        }
        match self.finds.len().checked_sub(2).and_then(|next| self.finds.get(next)) {
            Some(&next) => usize::from(next),
            None => self.longest_unused(buffer),
        }
    }

    /// The buffer that the next scan is likely to find. A consumer announces the buffer that it is
    /// told is likely, and so keeps it from the scan; what was announced for nothing comes last.
    fn longest_unused(&self, but: usize) -> usize {
        let others = self.used.iter().enumerate().filter(|&(buffer, _)| buffer != but);
        // One number, which each put compares. It is greatest for what an entry names, and of the
        // others for what was never used: no sequence reaches 2^62.
        let rank = |&(buffer, &used): &(usize, &u64)| {
            u64::from(self.held.has(buffer as u8)) << 63 | used.min(1 << 62)
        };
        others.min_by_key(rank).map_or(but, |(buffer, _)| buffer)
    }

    /// Wakes the consumers that read ahead, while the value is being filled.
    pub(crate) fn rouse<W: Words>(words: &W) {
        if asleep::is_any_following(words) {
            words.wake();
        }
    }

    /// Wakes the consumers that sleep. When wakes have long found nobody, looks for dead sleepers.
    #[inline]
    pub(crate) fn wake<W: Words>(&mut self, words: &W) {
        if asleep::is_any_asleep(words) {
            words.reached(CrashPoint::PutSawWaiting);
            // Before the call, which takes long: consumers that are awake announce the next buffer
            // meanwhile, and would keep it from the scan.
            self.refill_finds(words);
            if words.wake() == 0 {
                self.count_needless(words);
            }
            words.reached(CrashPoint::PutWoken);
        }
        // Now, while nobody waits for it, and not in the next loan.
        self.refill_finds(words);
    }

    #[inline]
    fn refill_finds<W: Words>(&mut self, words: &W) {
        if self.finds.is_empty() {
            self.scan(words);
        }
    }

    /// Whether one scan finds a free buffer, as each must. A loan may scan several times, and would
    /// hide one that finds none.
    #[cfg(test)]
    pub(crate) fn finds_at_once<W: Words>(&mut self, words: &W) -> bool {
        self.refill_finds(words);
        !self.finds.is_empty()
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

    /// Checks that nobody has taken the role over: otherwise this producer may not write any more.
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

/// When a buffer was used last, for the order in which the values of a history are given up. One
/// that was added has no value to lose. One that was found empty at the take-over may still be
/// filled by a predecessor that lost its claim without knowing it, and gets its turn as if it had
/// been used then. `inherited` is how many there were, and the last sequence.
fn age(used: &[u64], inherited: (usize, u64), buffer: usize) -> u64 {
    match used[buffer] {
        NEVER_USED if buffer < inherited.0 => inherited.1,
        NEVER_USED => 0,
        sequence => sequence,
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

/// Reclaims dead sleepers: clears their bits, so that puts stop waking nobody. Returns
/// whether there were any. It acts only on a claim that it has won: asking first and acting then
/// would rob a new owner.
fn bury<W: Words>(words: &W) -> bool {
    let mut buried = false;
    for consumer in 0..used(words) {
        if asleep::is_asleep(words, consumer) && words.win(consumer) {
            words.reached(CrashPoint::BuryWon);
            // The kernel's lock orders it before a new owner's stores.
            asleep::lower(words, consumer);
            words.reached(CrashPoint::BuryCleared);
            words.unwin(consumer);
            buried = true;
        }
    }
    buried
}
