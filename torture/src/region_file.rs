//! A region as it is in its file, read without the library: held entries, waiting flags, the latest
//! value, the owner of a lock. The offsets are those of docs/ARCHITECTURE.md.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};

const LATEST: u64 = 0x80;
const CONTROL: u64 = 0x100;
/// A bit for each consumer that sleeps.
const ASLEEP: usize = 8;
const KIND: usize = 12;
const CHANNEL: u32 = 1;
const CONSUMERS: usize = 68;
const PRODUCER_OFFSET: usize = 80;
const CONSUMERS_OFFSET: usize = 84;
/// The most entries of a slot.
const ENTRIES: usize = 8;
/// Where the claims of consumers' slots begin.
const CLAIMS: i64 = (1 << 62) + 0x100;
/// Where the claims of all roles begin, and how many bytes they are.
const ROLES: (i64, i64) = ((1 << 62) + 1, (1 << 16) - 1);
/// Offsets in the producer's block.
const DIRTY: u64 = 40;
const FILLED: u64 = 64;
const POOL: u64 = 128;
const USED: u64 = 136;
/// The offset in a consumer's block.
const LAST_SEEN: u64 = 96;

/// The shared words, as they were when they were read. They need not fit together while others
/// run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionFile {
    /// The object's inode.
    pub inode: u64,
    /// `latest`, or a lock's word.
    pub word: u64,
    /// The sequence of the latest value.
    pub sequence: u64,
    /// For a lock: the slot that has it, plus one; 0: free.
    pub owner: u64,
    /// For a lock: whether its content is marked as half-written.
    pub dirty: bool,
    /// How many pieces of the value that is being copied in are filled.
    pub filled: u64,
    /// Each producer raises it.
    pub epoch: u64,
    /// Whether the region was removed.
    pub retired: bool,
    /// For a channel: how many buffers it has.
    pub pool: u64,
    /// For each slot that ever had an owner, whether it is flagged as asleep.
    pub waiting: Vec<bool>,
    /// For each slot that ever had an owner, its held entries: 0, or the buffer plus one. For a
    /// lock: whether it reads.
    pub held: Vec<Vec<u8>>,
    /// For each slot that ever had an owner, the last value it has seen.
    pub last_seen: Vec<u64>,
}

impl RegionFile {
    /// Reads the object at `path`.
    ///
    /// # Errors
    /// If it cannot be read or is not a region.
    pub fn read(path: &Path) -> io::Result<Self> {
        Self::of(&File::open(path)?)
    }

    /// Reads an open object.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn of(file: &File) -> io::Result<Self> {
        let mut prelude = [0; 128];
        file.read_exact_at(&mut prelude, 0)?;
        if !prelude.starts_with(b"ioshared") {
            return Err(io::Error::other("no region"));
        }
        let number = |at: usize| {
            let bytes = prelude.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u32::from_le_bytes)
        };
        let producer = u64::from(number(PRODUCER_OFFSET));
        let word_at = |at: u64| {
            let mut word = [0; 8];
            file.read_exact_at(&mut word, at).map(|()| u64::from_le_bytes(word))
        };
        let is_channel = number(KIND) == CHANNEL;
        let slots = word_at(producer + USED)?.min(number(CONSUMERS).into()) as u32;
        let latest = word_at(LATEST)?;
        let mut dirty = [0];
        file.read_exact_at(&mut dirty, producer + DIRTY)?;
        let mut control = [0; 64];
        file.read_exact_at(&mut control, CONTROL)?;
        let is_asleep = |slot: u32| {
            let byte = control.get(ASLEEP + slot as usize / 8);
            is_channel && byte.is_some_and(|byte| byte >> (slot % 8) & 1 != 0)
        };
        let block = |slot| u64::from(number(CONSUMERS_OFFSET)) + u64::from(slot) * 128;
        let held = (0..slots).map(|slot| {
            let mut entries = vec![0; if is_channel { ENTRIES } else { 1 }];
            file.read_exact_at(&mut entries, block(slot)).map(|()| entries)
        });
        let last_seen = (0..slots).map(|slot| word_at(block(slot) + LAST_SEEN));
        Ok(Self {
            inode: file.metadata()?.ino(),
            word: latest,
            sequence: latest & ((1 << 52) - 1),
            owner: latest & ((1 << 10) - 1),
            dirty: dirty != [0],
            filled: word_at(producer + FILLED)? & ((1 << 24) - 1),
            epoch: latest >> 52 & 15,
            retired: control.first() != Some(&0),
            pool: if is_channel { word_at(producer + POOL)? } else { 1 },
            waiting: (0..slots).map(is_asleep).collect(),
            held: held.collect::<io::Result<_>>()?,
            last_seen: last_seen.collect::<io::Result<_>>()?,
        })
    }

    /// The same without what the dead have left: their entries and flags.
    ///
    /// # Errors
    /// If the object at `path` cannot be opened.
    pub(crate) fn of_the_living(mut self, path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        let flags = self.waiting.iter_mut().zip(&mut self.held);
        for (slot, (waiting, held)) in flags.enumerate() {
            if !is_claimed(&file, slot)? {
                *waiting = false;
                held.fill(0);
            }
        }
        Ok(self)
    }

    /// The most entries of one slot. A consumer keeps one even when it holds nothing.
    pub fn most_held(&self) -> usize {
        let held = |slot: &Vec<u8>| slot.iter().filter(|entry| **entry != 0).count();
        self.held.iter().map(held).max().unwrap_or(0)
    }

    /// How many entries are set.
    pub fn holds(&self) -> usize {
        self.held.iter().flatten().filter(|entry| **entry != 0).count()
    }
}

/// Whether a living handle has the claim of a consumer's slot.
fn is_claimed(file: &File, slot: usize) -> io::Result<bool> {
    is_locked(file, CLAIMS + slot as i64, 1)
}

/// Whether no living handle has a role in it.
pub(crate) fn is_unused(file: &File) -> io::Result<bool> {
    Ok(!is_locked(file, ROLES.0, ROLES.1)?)
}

fn is_locked(file: &File, start: i64, length: i64) -> io::Result<bool> {
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: start,
        l_len: length,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(lock.l_type != libc::F_UNLCK as libc::c_short)
}
