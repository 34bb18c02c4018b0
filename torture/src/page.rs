//! The page that a campaign shares with its crew: commands one way, accounts the other.
//!
//! It is a memfd of the parent, so it outlives every child, and what a killed child wrote is still
//! there. It consists of atomic words, which begin as zeros. Only the child in a role writes to its
//! lane, except for the few fields that say otherwise. The parent writes those while no child is in
//! the role.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use memmap2::MmapRaw;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::role::Role;

/// Everybody except the producers shall rest.
pub(crate) const REST_READERS: u32 = 1;
/// The producers as well.
pub(crate) const REST_PRODUCERS: u32 = 2;

/// How many puts are remembered: far more than are made within a slice.
const PUTS: usize = 1 << 15;
/// In [`Lane::left_lock`]: it still has the lock.
pub(crate) const HAS: u64 = u64::MAX;
const EVENTS: usize = 64;
const TEXT: usize = 400;

/// What parent and children share.
#[derive(Debug)]
#[repr(C)]
pub struct Page {
    /// `REST_*`. Written by the parent.
    pub(crate) rest: AtomicU32,
    /// Counts when deaths of lockers begin and end, so it is odd while one dies. Written by the
    /// parent.
    pub(crate) locker_deaths: AtomicU64,
    pub(crate) locks: [LockAccount; 2],
    pub(crate) lanes: [Lane; Role::ALL.len()],
    /// The last puts on the first and the second channel.
    puts: [[Put; PUTS]; 2],
}

/// The account of one lock, over all lockers. Whoever has the lock writes it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct LockAccount {
    /// The number of the last write that began.
    pub(crate) begun: AtomicU64,
    /// Odd if somebody was told that a writer died and nobody has repaired the content since. It
    /// only grows.
    pub(crate) told: AtomicU64,
    /// Deaths of lockers before the last repair.
    pub(crate) deaths: AtomicU64,
}

/// The account of one role, over all of its incarnations.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Lane {
    /// The crash point passed last, plus one. The parent sets it to 0 before a start.
    pub(crate) point: AtomicU32,
    /// The channel that the producer is using, and to which the point passed last belongs.
    pub(crate) channel: AtomicU32,
    /// The crash point to stay at, plus one; 0: none. Written by the parent.
    pub(crate) aim: AtomicU32,
    /// 1 once the role is open. The parent sets it to 0 before a start.
    pub(crate) opened: AtomicU32,
    /// 1 while at rest.
    pub(crate) resting: AtomicU32,
    failed: AtomicU32,
    /// When the role was opened.
    pub(crate) opened_at: AtomicU64,
    /// Rounds of the role's loop.
    pub(crate) rounds: AtomicU64,
    /// The sequence that a consumer got last. For the producer: the sequence of the last put that
    /// returned, on each channel.
    pub(crate) had: [AtomicU64; 2],
    /// The sequence that the producer is putting or has put.
    pub(crate) putting: [AtomicU64; 2],
    /// The bounds of `last_seen` when this role is opened again. Written by the parent.
    pub(crate) resumes_from: AtomicU64,
    pub(crate) resumes_to: AtomicU64,
    pub(crate) values: AtomicU64,
    pub(crate) missed: AtomicU64,
    pub(crate) timeouts: AtomicU64,
    pub(crate) busy: AtomicU64,
    /// For a locker: bit n is set while it opens lock n, is in a call of it, or has its guard.
    pub(crate) at_locks: AtomicU64,
    /// When it last released each lock, or timed out waiting for it; [`HAS`] while it has a guard.
    pub(crate) left_lock: [AtomicU64; 2],
    /// Its run delay, as last noted, and at the start of this incarnation.
    pub(crate) delayed: AtomicU64,
    pub(crate) delayed_before: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) repairs: AtomicU64,
    /// The longest wait that was too short to post.
    pub(crate) longest: AtomicU64,
    events_posted: AtomicU64,
    events: [[AtomicU64; Event::WORDS]; EVENTS],
    text: [AtomicU8; TEXT],
}

#[derive(Debug)]
#[repr(C)]
struct Put {
    sequence: AtomicU64,
    began: AtomicU64,
    ended: AtomicU64,
}

/// When a put began and, if it did, returned. CLOCK_MONOTONIC in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PutTimes {
    pub(crate) began: u64,
    /// 0 if it has not returned.
    pub(crate) ended: u64,
}

/// Something for the parent to judge, because only the parent knows what it killed and stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: EventKind,
    pub(crate) called: u64,
    pub(crate) returned: u64,
    /// For a get: the first sequence not seen yet at the call. For a put: its own. For a lock: its
    /// number.
    pub(crate) sequence: u64,
    /// When that was put, as known at the return. For a lock: when another locker last left it.
    pub(crate) put: PutTimes,
    /// How long the caller was ready to run and did not.
    pub(crate) delayed: u64,
    /// Late finds counted by the library in this call. For a lock: how long all other lockers had
    /// been ready to run and did not, before the call.
    pub(crate) late: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// A get that returned long after its value was put, or that counted a late find.
    LongWait,
    /// A get that ended in a timeout although there was a value.
    Timeout,
    /// A put that took long.
    SlowPut,
    /// A lock that was acquired long after the call, or not in time.
    LockWait,
    /// A lock call that returned long after its deadline.
    Overslept,
}

impl Event {
    const WORDS: usize = 8;

    fn to_words(self) -> [u64; Self::WORDS] {
        let kind = match self.kind {
            EventKind::LongWait => 0,
            EventKind::Timeout => 1,
            EventKind::SlowPut => 2,
            EventKind::LockWait => 3,
            EventKind::Overslept => 4,
        };
        let PutTimes { began, ended } = self.put;
        [kind, self.called, self.returned, self.sequence, began, ended, self.delayed, self.late]
    }

    fn from_words(words: [u64; Self::WORDS]) -> Self {
        let [kind, called, returned, sequence, began, ended, delayed, late] = words;
        let kind = match kind {
            0 => EventKind::LongWait,
            1 => EventKind::Timeout,
            2 => EventKind::SlowPut,
            3 => EventKind::LockWait,
            _ => EventKind::Overslept,
        };
        Self { kind, called, returned, sequence, put: PutTimes { began, ended }, delayed, late }
    }
}

impl Page {
    /// Creates a page and the descriptor through which children find it. Both live as long as the
    /// process, because crash points are recorded through a `'static` word.
    pub(crate) fn create() -> io::Result<(&'static Self, File)> {
        let file = File::from(memfd_create(c"torture", MFdFlags::MFD_CLOEXEC)?);
        file.set_len(size_of::<Self>() as u64)?;
        Ok((Self::map(&file)?, file))
    }

    /// Maps the page of the process that started this one.
    pub(crate) fn of_parent(path: &str) -> io::Result<&'static Self> {
        Self::map(&File::options().read(true).write(true).open(path)?)
    }

    /// The path through which children find `file`.
    pub(crate) fn path_of(file: &File) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
    }

    fn map(file: &File) -> io::Result<&'static Self> {
        if file.metadata()?.len() != size_of::<Self>() as u64 {
            return Err(io::Error::other("the page is of another build"));
        }
        let map: &'static MmapRaw = Box::leak(Box::new(MmapRaw::map_raw(file)?));
        // SAFETY: the mapping is as long as a Page (just checked), aligned to a memory page, and
        // never unmapped; a Page is atomics only, for which every bit pattern is valid and which
        // other processes may change.
        Ok(unsafe { &*map.as_ptr().cast::<Self>() })
    }

    pub(crate) fn lane(&self, role: Role) -> &Lane {
        &self.lanes[role as usize]
    }

    /// Notes that the put of `sequence` begins.
    pub(crate) fn begin_put(&self, channel: usize, sequence: u64, now: u64) {
        let put = &self.puts[channel][sequence as usize % PUTS];
        put.sequence.store(0, Relaxed);
        put.ended.store(0, Release);
        put.began.store(now, Release);
        put.sequence.store(sequence, Release);
        self.lane(Role::Producer).putting[channel].store(sequence, Release);
    }

    /// Notes that it has returned.
    pub(crate) fn end_put(&self, channel: usize, sequence: u64, now: u64) {
        self.puts[channel][sequence as usize % PUTS].ended.store(now, Release);
        self.lane(Role::Producer).had[channel].store(sequence, Release);
    }

    /// When value `sequence` was put; zeros if that has not begun or is no longer remembered.
    pub(crate) fn put_times(&self, channel: usize, sequence: u64) -> Option<PutTimes> {
        let put = &self.puts[channel][sequence as usize % PUTS];
        if put.sequence.load(Acquire) != sequence {
            return None;
        }
        let times = PutTimes { began: put.began.load(Acquire), ended: put.ended.load(Acquire) };
        (put.sequence.load(Acquire) == sequence).then_some(times)
    }
}

impl Lane {
    pub(crate) fn post(&self, event: Event) {
        let posted = self.events_posted.load(Relaxed);
        for (word, value) in self.events[posted as usize % EVENTS].iter().zip(event.to_words()) {
            word.store(value, Relaxed);
        }
        self.events_posted.store(posted + 1, Release);
    }

    /// The events after the first `read`, and sets `read` to the number posted. An error if more
    /// were posted than fit.
    pub(crate) fn events(&self, read: &mut u64) -> Result<Vec<Event>, String> {
        let posted = self.events_posted.load(Acquire);
        if posted - *read > EVENTS as u64 {
            return Err(format!("{} events at once", posted - *read));
        }
        let events = (*read..posted)
            .map(|i| {
                let words = &self.events[i as usize % EVENTS];
                Event::from_words(std::array::from_fn(|word| words[word].load(Relaxed)))
            })
            .collect();
        *read = posted;
        Ok(events)
    }

    /// Notes why this child ends.
    pub(crate) fn fail(&self, text: &str) {
        for (location, byte) in self.text.iter().zip(text.bytes().chain(std::iter::repeat(0))) {
            location.store(byte, Relaxed);
        }
        self.failed.store(1, Release);
    }

    /// Returns a child's note, once.
    pub(crate) fn take_failure(&self) -> Option<String> {
        if self.failed.swap(0, Acquire) == 0 {
            return None;
        }
        let bytes = self.text.iter().map(|location| location.load(Relaxed));
        let bytes: Vec<u8> = bytes.take_while(|byte| *byte != 0).collect();
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}
