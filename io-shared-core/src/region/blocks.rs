//! The role blocks: who has a role, and from which value on stamps count.
//!
//! People read them in errors, and consumers are told apart by them. Only a claim proves that
//! somebody is alive. Whoever has a block's claim writes it.

use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::layout::{self, Layout};
use super::mapped::{Region, word8, word64};
use super::origin;
use crate::error::Holder;
use crate::os::claim::{Claims, Part};
use crate::protocol::{Latest, Words};

pub(super) const HELD: u64 = 0;
/// How many of the hazard pointers the slot has.
pub(super) const GRANT: u64 = 8;
const NAME_LENGTH: u64 = 9;
/// 0: this slot has never been claimed. 1: it has. More: by one that had this slot, plus 2, in a
/// smaller region of the channel.
const CLAIMED: u64 = 10;
const CLAIMED_AFRESH: u8 = 1;
const CLAIMED_FROM: u8 = 2;
const CONSUMER_PID: u64 = 28;
const CONSUMER_WHO: Who = Who { command: 12, claimed_at: 112, namespace: 120 };
const NAME: u64 = 32;
/// Not in the cache line of the hazard pointers: the producer reads those between its puts, and
/// this core's next fence waits for a store to a line that another core reads.
pub(super) const LAST_SEEN: u64 = 96;
/// The longest name of a consumer in bytes.
pub(super) const LONGEST_NAME: usize = 63;

/// In a lock's region: the slot's reading flag, where a channel has the hazard pointers.
pub(super) const READING: u64 = 0;
/// How often the slot was claimed. It is in the line of `last_seen`, which only its owner writes,
/// because each get reads it.
const INCARNATION: u64 = 104;

const PRODUCER_PID: u64 = 0;
/// Which clock the producer stamps by: the boot, and the time namespace.
const BOOT_ID: u64 = 8;
const TIME_NAMESPACE: u64 = 56;
pub(super) const FIRST_SEQUENCE: u64 = 24;
/// The core from which the producer last woke somebody, plus one.
const PRODUCER_CPU: u64 = 32;
/// How often the role was taken over.
pub(super) const PRODUCER_INCARNATION: u64 = 48;
/// How much of the buffer that is being filled may be read ahead. Not in the line of the
/// incarnation, which each put reads.
pub(super) const PRODUCER_FILLED: u64 = 64;
/// In a lock's region: whether a writer died while writing.
pub(super) const DIRTY: u64 = 40;
/// In a channel: the sequence of the last value that a reboot has cost. No get returns it or an
/// earlier one.
pub(super) const LOST: u64 = 40;
/// In a lock's region: the checksum of its content.
pub(super) const CONTENT_SUM: u64 = 72;
/// How many buffers a channel has.
pub(super) const POOL: u64 = 128;
/// One more than the highest slot that ever had an owner, of a channel or of a lock.
pub(super) const USED: u64 = 136;
/// Whether values before the newest of a channel are kept.
pub(super) const HISTORY: u64 = 144;
const PRODUCER_WHO: Who = Who { command: 160, claimed_at: 176, namespace: 184 };

/// Where a role's block says who has the role, for people.
struct Who {
    /// 15 bytes: the program's name as in /proc/PID/comm, filled up with zeros.
    command: u64,
    /// When the role was claimed, in nanoseconds of the wall clock.
    claimed_at: u64,
    /// The inode of the PID namespace that the pid belongs to; 0: unknown.
    namespace: u64,
}

/// Bytes of a program's name.
const COMMAND: usize = 15;

const _: () = assert!(NAME as usize + LONGEST_NAME <= LAST_SEEN as usize);
const _: () = assert!(HELD / 64 != LAST_SEEN / 64 && LAST_SEEN < layout::BLOCK);

impl Region {
    fn word32(&self, at: *mut u8) -> &AtomicU32 {
        // SAFETY: `at` is a 32-bit field of a block of this region: mapped while the region lives,
        // aligned, and only ever accessed as an atomic of 32 bits.
        unsafe { AtomicU32::from_ptr(at.cast()) }
    }

    #[inline]
    pub(super) fn producer_word(&self, offset: u64) -> &AtomicU64 {
        // SAFETY: the block is aligned to 128, and callers pass the offset of a 64-bit field.
        unsafe { word64(self, self.in_producer(offset)) }
    }

    pub(super) fn producer_pid(&self) -> u32 {
        self.word32(self.in_producer(PRODUCER_PID)).load(Ordering::Relaxed)
    }

    pub(crate) fn consumer_pid(&self, slot: usize) -> u32 {
        self.word32(self.in_consumer(slot, CONSUMER_PID)).load(Ordering::Relaxed)
    }

    /// Writes down the producer that has just won its claim.
    pub(super) fn note_producer(&self) {
        self.word32(self.in_producer(PRODUCER_PID)).store(std::process::id(), Ordering::Relaxed);
        self.note_who(&PRODUCER_WHO, |offset| self.in_producer(offset));
        self.forget_origin();
    }

    /// Writes down who has just claimed a role whose block `at` leads to.
    fn note_who(&self, who: &Who, at: impl Fn(u64) -> *mut u8) {
        let command = std::fs::read("/proc/self/comm").unwrap_or_default();
        let command = command.into_iter().take_while(|byte| *byte != b'\n');
        for (i, byte) in command.chain(std::iter::repeat(0)).take(COMMAND).enumerate() {
            // SAFETY: the block has 15 bytes for this there, which are only accessed as atomics.
            unsafe { word8(self, at(who.command + i as u64)) }.store(byte, Ordering::Relaxed);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_nanos() as u64);
        let namespace = std::fs::metadata("/proc/self/ns/pid").map_or(0, |ns| ns.ino());
        for (offset, word) in [(who.claimed_at, now), (who.namespace, namespace)] {
            // SAFETY: the block is aligned to 128 and the offset to 8; nothing else lies there.
            unsafe { word64(self, at(offset)) }.store(word, Ordering::Relaxed);
        }
    }

    /// Writes down that the producer stamps by this handle's clock from now on.
    pub(super) fn stamp_by_own_clock(&self) {
        if !self.has_own_clock() {
            self.end_ages();
            self.producer_word(TIME_NAMESPACE).store(self.clock.namespace, Ordering::Release);
            self.store_boot();
        }
    }

    /// Ends the ages of all values put so far. It has to be called before another clock is written
    /// down: whoever sees that clock also sees where its values start.
    pub(super) fn end_ages(&self) {
        let latest = Latest::unpack(self.latest().load(Ordering::Relaxed));
        self.producer_word(FIRST_SEQUENCE).store(latest.sequence + 1, Ordering::Relaxed);
    }

    /// The boot that was last written down.
    pub(super) fn boot(&self) -> [u64; 2] {
        // Acquire: pairs with the Release of the store that wrote it, for what came before that.
        [0, 8].map(|half| self.producer_word(BOOT_ID + half).load(Ordering::Acquire))
    }

    pub(super) fn store_boot(&self) {
        for (half, word) in [0, 8].into_iter().zip(self.clock.boot) {
            // Release: publishes what was done about the previous boot.
            self.producer_word(BOOT_ID + half).store(word, Ordering::Release);
        }
    }

    /// Whether the producer stamps by this handle's clock.
    fn has_own_clock(&self) -> bool {
        let namespace = self.producer_word(TIME_NAMESPACE).load(Ordering::Acquire);
        self.clock.is(self.boot(), namespace)
    }

    /// Writes down the core that the producer runs on, for the consumers that it wakes.
    pub(super) fn note_cpu(&self) {
        self.word32(self.in_producer(PRODUCER_CPU)).store(current_cpu(), Ordering::Relaxed);
    }

    /// Whether this thread runs on the core from which the producer last woke somebody.
    pub(crate) fn shares_cpu(&self) -> bool {
        self.word32(self.in_producer(PRODUCER_CPU)).load(Ordering::Relaxed) == current_cpu()
    }

    /// The stamp of value `sequence` if it comes from this process's clock; else 0.
    pub(crate) fn own_stamp(&self, sequence: u64, stamp: u64) -> u64 {
        // The clock first: another clock's first sequence is written down before that clock is, and
        // its first value comes after that.
        let is_own = self.clock.is_still_here()
            && self.has_own_clock()
            && sequence >= self.producer_word(FIRST_SEQUENCE).load(Ordering::Relaxed);
        if is_own { stamp } else { 0 }
    }

    /// Who has `part`, as its block says.
    pub(crate) fn holder(&self, part: Part) -> Holder {
        let claims = self.claims.as_ref();
        match part {
            Part::Consumer(slot) => {
                let (pid, name) = (self.consumer_pid(slot), self.consumer_name(slot));
                let holder = holder_of(part, pid, &name, claims);
                // The handles of a lock write down their pid alone.
                match self.layout.kind {
                    layout::Kind::Channel => {
                        self.add_who(holder, &CONSUMER_WHO, |offset| self.in_consumer(slot, offset))
                    }
                    _ => holder,
                }
            }
            _ => {
                let holder = holder_of(part, self.producer_pid(), "", claims);
                self.add_who(holder, &PRODUCER_WHO, |offset| self.in_producer(offset))
            }
        }
    }

    /// Adds what the role's block, to which `at` leads, says of its owner's program.
    fn add_who(&self, holder: Holder, who: &Who, at: impl Fn(u64) -> *mut u8) -> Holder {
        let command = (0..COMMAND as u64).map(|i| {
            // SAFETY: the block has 15 bytes for this there, which are only accessed as atomics.
            unsafe { word8(self, at(who.command + i)) }.load(Ordering::Relaxed)
        });
        let command: Vec<u8> = command.take_while(|byte| *byte != 0).collect();
        // SAFETY: the block is aligned to 128 and the offset to 8; nothing else lies there.
        let since = unsafe { word64(self, at(who.claimed_at)) }.load(Ordering::Relaxed);
        told_by(holder, String::from_utf8_lossy(&command).into_owned(), since)
    }

    fn consumer_byte(&self, slot: usize, offset: u64) -> &std::sync::atomic::AtomicU8 {
        // SAFETY: callers pass the offset of a byte field of the block.
        unsafe { word8(self, self.in_consumer(slot, offset)) }
    }

    fn consumer_word(&self, slot: usize, offset: u64) -> &AtomicU64 {
        // SAFETY: the block is aligned to 128, and callers pass the offset of a 64-bit field.
        unsafe { word64(self, self.in_consumer(slot, offset)) }
    }

    /// The name in a consumer's block; empty if there is none, or if the bytes are not a name.
    pub(super) fn consumer_name(&self, slot: usize) -> String {
        let length = usize::from(self.consumer_byte(slot, NAME_LENGTH).load(Ordering::Relaxed));
        let bytes: Vec<u8> = (0..length.min(LONGEST_NAME))
            .map(|i| self.consumer_byte(slot, NAME + i as u64).load(Ordering::Relaxed))
            .collect();
        String::from_utf8(bytes).unwrap_or_default()
    }

    pub(super) fn was_claimed(&self, slot: usize) -> bool {
        self.consumer_byte(slot, CLAIMED).load(Ordering::Relaxed) != 0
    }

    /// Forgets who had the slot, before another consumer takes it over. If that one is killed
    /// half-way, it must not be mistaken for its predecessor.
    pub(super) fn forget_consumer(&self, slot: usize) {
        self.consumer_byte(slot, CLAIMED).store(0, Ordering::Relaxed);
        self.consumer_byte(slot, NAME_LENGTH).store(0, Ordering::Relaxed);
    }

    /// Writes down who has the slot's claim now.
    pub(super) fn note_consumer(&self, slot: usize) {
        let pid = self.word32(self.in_consumer(slot, CONSUMER_PID));
        pid.store(std::process::id(), Ordering::Relaxed);
        self.note_who(&CONSUMER_WHO, |offset| self.in_consumer(slot, offset));
    }

    /// When the slot was last claimed, in nanoseconds of the wall clock.
    pub(super) fn claimed_at(&self, slot: usize) -> u64 {
        let at = self.in_consumer(slot, CONSUMER_WHO.claimed_at);
        // SAFETY: the block is aligned to 128 and the offset to 8; nothing else lies there.
        unsafe { word64(self, at) }.load(Ordering::Relaxed)
    }

    /// Writes down the consumer that has just taken over the slot.
    ///
    /// `from` is the slot that it had in a smaller region of this channel.
    pub(super) fn enter_consumer(&self, slot: usize, name: &str, from: Option<usize>) {
        for (i, byte) in name.bytes().take(LONGEST_NAME).enumerate() {
            self.consumer_byte(slot, NAME + i as u64).store(byte, Ordering::Relaxed);
        }
        let length = name.len().min(LONGEST_NAME) as u8;
        self.consumer_byte(slot, NAME_LENGTH).store(length, Ordering::Relaxed);
        let claimed = from.map_or(CLAIMED_AFRESH, |from| CLAIMED_FROM.saturating_add(from as u8));
        self.consumer_byte(slot, CLAIMED).store(claimed, Ordering::Relaxed);
    }

    /// Whether a consumer has taken over the slot, and what slot it had in a smaller region of this
    /// channel.
    pub(crate) fn claimed_from(&self, slot: usize) -> (bool, Option<usize>) {
        // Relaxed: only the number itself is used.
        let claimed = self.consumer_byte(slot, CLAIMED).load(Ordering::Relaxed);
        (claimed != 0, claimed.checked_sub(CLAIMED_FROM).map(usize::from))
    }
}

/// What a larger region of the same channel starts with.
impl Region {
    /// Writes down the clock, and where its values start, as this region has them.
    pub(super) fn copy_clock(&self, to: &Region) {
        for offset in [BOOT_ID, BOOT_ID + 8, TIME_NAMESPACE, FIRST_SEQUENCE, LOST] {
            // Relaxed: nobody else sees the larger region yet.
            let word = self.producer_word(offset).load(Ordering::Relaxed);
            to.producer_word(offset).store(word, Ordering::Relaxed);
        }
    }

    /// Writes down that the latest value, of this number, is not there.
    pub(super) fn lose_value(&self, sequence: u64) {
        // Relaxed: nobody else sees the region yet.
        self.producer_word(LOST).store(sequence, Ordering::Relaxed);
    }

    /// Copies the blocks of the consumers: their grants, who they are, and what they have received.
    /// Nothing is held in the larger region, and nobody has taken over a slot there.
    pub(super) fn copy_consumers(&self, to: &Region) {
        // Relaxed, as everything below: nobody else sees the larger region yet.
        let used = self.used().load(Ordering::Relaxed);
        to.used().store(used, Ordering::Relaxed);
        let slots = self.consumer_slots().min(to.consumer_slots());
        for slot in 0..slots.min(used as usize) {
            let command = CONSUMER_WHO.command..CONSUMER_WHO.command + COMMAND as u64;
            let name = NAME..NAME + LONGEST_NAME as u64;
            for offset in (GRANT..=CLAIMED).chain(command).chain(name) {
                let byte = self.consumer_byte(slot, offset).load(Ordering::Relaxed);
                to.consumer_byte(slot, offset).store(byte, Ordering::Relaxed);
            }
            // One that is here says itself where it was, if it follows. Another consumer that takes
            // the slot must not be mistaken for it.
            if self.is_taken(Part::Consumer(slot)).unwrap_or(true) {
                to.consumer_byte(slot, CLAIMED).store(0, Ordering::Relaxed);
            }
            let pid = self.consumer_pid(slot);
            to.word32(to.in_consumer(slot, CONSUMER_PID)).store(pid, Ordering::Relaxed);
            for offset in [LAST_SEEN, CONSUMER_WHO.claimed_at, CONSUMER_WHO.namespace] {
                let word = self.consumer_word(slot, offset).load(Ordering::Relaxed);
                to.consumer_word(slot, offset).store(word, Ordering::Relaxed);
            }
        }
    }
}

/// The slots of a lock.
impl Region {
    /// How many slots of a lock can have an owner: all up to the highest that was ever claimed.
    #[inline]
    pub(super) fn used_slots(&self) -> usize {
        // Relaxed: the fence before it in `await_readers` orders it.
        let used = self.producer_word(USED).load(Ordering::Relaxed);
        used.min(self.layout.consumers.into()) as usize
    }

    /// How often a slot was claimed, of a channel or of a lock.
    #[inline]
    pub(crate) fn taken(&self, slot: usize) -> &AtomicU64 {
        // SAFETY: the block is aligned to 128 and the offset to 8; nothing else lies there.
        unsafe { word64(self, self.in_consumer(slot, INCARNATION)) }
    }

    /// Counts one more claim of a lock's slot, and writes down who has it.
    pub(super) fn enter_locker(&self, slot: usize) -> u32 {
        let incarnation = self.taken(slot);
        // Relaxed: this handle has the slot's claim, and is the only writer.
        let next = incarnation.load(Ordering::Relaxed).wrapping_add(1);
        incarnation.store(next, Ordering::Relaxed);
        // SeqCst, with the fences of the lock: a writer whose fence comes after a reader's fence
        // finds the reader's slot among those that it looks at.
        self.producer_word(USED).fetch_max(slot as u64 + 1, Ordering::SeqCst);
        self.word32(self.in_consumer(slot, CONSUMER_PID))
            .store(std::process::id(), Ordering::Relaxed);
        next as u32
    }
}

/// The core that this thread runs on, plus one; 0 if that is unknown.
fn current_cpu() -> u32 {
    // SAFETY: sched_getcpu has no preconditions.
    u32::try_from(unsafe { libc::sched_getcpu() } + 1).unwrap_or(0)
}

/// A holder as errors describe it; a `pid` of 0 and an empty name mean none. `claims` are those of
/// the handle that asks: a process of the same number may be another one, in another PID namespace
/// or from before.
pub(super) fn holder_of(part: Part, pid: u32, name: &str, claims: Option<&Claims>) -> Holder {
    let slot = match part {
        Part::Consumer(slot) => Some(slot),
        _ => None,
    };
    let name = (!name.is_empty()).then(|| name.to_owned());
    let is_here = pid == std::process::id() && claims.is_some_and(|own| own.is_held_here(part));
    let pid = (pid != 0).then_some(pid);
    Holder { slot, name, pid, command: None, since: None, is_here }
}

/// As many bytes as any block has.
const LONGEST_BLOCK: usize = 512;

/// What a role's block says, as it was read from the file.
pub(super) struct Noted {
    /// 0: nobody ever had it.
    pub(super) pid: u32,
    pub(super) command: String,
    pub(super) name: String,
    /// In nanoseconds of the wall clock; 0: unknown.
    pub(super) claimed_at: u64,
    /// The inode of the pid's namespace; 0: unknown.
    pub(super) namespace: u64,
    pub(super) grant: u8,
    pub(super) last_seen: u64,
    pub(super) origin: Option<String>,
}

/// What `part`'s block says, by the start of the region in `head`.
pub(super) fn noted(head: &[u8], layout: &Layout, part: Part) -> Noted {
    noted_in(head.get(block_of(layout, part)..).unwrap_or_default(), layout, part)
}

/// Where `part`'s block begins.
fn block_of(layout: &Layout, part: Part) -> usize {
    match part {
        Part::Consumer(slot) => layout.consumers_offset as usize + slot * layout::BLOCK as usize,
        _ => layout.producer_offset as usize,
    }
}

/// What `part`'s block says, with which `block` begins.
fn noted_in(block: &[u8], layout: &Layout, part: Part) -> Noted {
    let (pid, who) = match part {
        Part::Consumer(_) => (CONSUMER_PID, &CONSUMER_WHO),
        _ => (PRODUCER_PID, &PRODUCER_WHO),
    };
    let is_consumer = matches!(part, Part::Consumer(_)) && layout.kind == layout::Kind::Channel;
    let byte = |at: u64| block.get(at as usize).copied().unwrap_or(0);
    let text = |at: u64, length: usize| {
        let bytes = block.get(at as usize..at as usize + length).unwrap_or_default();
        let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    };
    let name = usize::from(byte(NAME_LENGTH)).min(LONGEST_NAME);
    // The handles of a lock write down their pid alone.
    let is_told = is_consumer || part == Part::Producer;
    Noted {
        pid: word_in(block, pid) as u32,
        command: if is_told { text(who.command, COMMAND) } else { String::new() },
        name: if is_consumer { text(NAME, name) } else { String::new() },
        claimed_at: if is_told { word_in(block, who.claimed_at) } else { 0 },
        namespace: if is_told { word_in(block, who.namespace) } else { 0 },
        grant: if is_consumer { byte(GRANT) } else { 0 },
        last_seen: if is_consumer { word_in(block, LAST_SEEN) } else { 0 },
        origin: if part == Part::Producer { origin::noted(block) } else { None },
    }
}

/// Which clock the producer stamps by, and from which value on.
pub(super) struct NotedClock {
    pub(super) boot: [u64; 2],
    pub(super) namespace: u64,
    pub(super) first_sequence: u64,
    pub(super) lost: u64,
    /// How many buffers there are.
    pub(super) pool: u64,
}

/// What the producer's block says of its clock.
pub(super) fn noted_clock(block: &[u8]) -> NotedClock {
    NotedClock {
        boot: [0, 8].map(|half| word_in(block, BOOT_ID + half)),
        namespace: word_in(block, TIME_NAMESPACE),
        first_sequence: word_in(block, FIRST_SEQUENCE),
        lost: word_in(block, LOST),
        pool: word_in(block, POOL),
    }
}

/// Eight bytes of a block as a number; 0 if it is shorter.
fn word_in(block: &[u8], at: u64) -> u64 {
    let bytes = block.get(at as usize..).and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// What `part`'s block says of its owner, read from the file of a region that is not mapped.
pub(super) fn read_holder(
    file: &std::fs::File,
    layout: &Layout,
    part: Part,
    claims: Option<&Claims>,
) -> Holder {
    use std::os::unix::fs::FileExt;
    let mut block = [0; LONGEST_BLOCK];
    // What cannot be read stays unknown: it only goes into an error's text. A block may be the last
    // thing in the file, so it is read as far as there is anything.
    let _ = file.read_at(&mut block, block_of(layout, part) as u64);
    let Noted { pid, command, name, claimed_at, .. } = noted_in(&block, layout, part);
    let holder = holder_of(part, pid, &name, claims);
    told_by(holder, command, claimed_at)
}

/// A holder with what else its block says: its program, and since when it has the role.
fn told_by(holder: Holder, command: String, since: u64) -> Holder {
    Holder {
        command: (!command.is_empty()).then_some(command),
        since: (since != 0).then(|| SystemTime::UNIX_EPOCH + Duration::from_nanos(since)),
        ..holder
    }
}
