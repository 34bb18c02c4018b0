//! A region as it is in its file, read without the library: held entries, waiting flags, the latest
//! value, the owner of a lock. The offsets are those of docs/ARCHITECTURE.md.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

const LATEST: u64 = 0x80;
const CONTROL: u64 = 0x100;
const CONSUMERS: usize = 68;
const HOLDS: usize = 72;
const PRODUCER_OFFSET: usize = 88;
const CONSUMERS_OFFSET: usize = 92;
/// Offsets in the producer's block.
const DIRTY: u64 = 40;
const FILLED: u64 = 64;
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
    /// For each consumer slot, whether it is flagged as asleep.
    pub waiting: Vec<bool>,
    /// For each consumer slot, its held entries: 0, or the buffer plus one. For a lock: whether it
    /// reads.
    pub held: Vec<Vec<u8>>,
    /// For each consumer slot, the last value it has seen.
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
        let consumers = number(CONSUMERS);
        let mut latest = [0; 8];
        file.read_exact_at(&mut latest, LATEST)?;
        let latest = u64::from_le_bytes(latest);
        let mut dirty = [0];
        file.read_exact_at(&mut dirty, u64::from(number(PRODUCER_OFFSET)) + DIRTY)?;
        let mut filled = [0; 8];
        file.read_exact_at(&mut filled, u64::from(number(PRODUCER_OFFSET)) + FILLED)?;
        let mut control = vec![0; 1 + consumers as usize];
        file.read_exact_at(&mut control, CONTROL)?;
        let block = |slot| u64::from(number(CONSUMERS_OFFSET)) + u64::from(slot) * 128;
        let held = (0..consumers).map(|slot| {
            let mut entries = vec![0; number(HOLDS) as usize];
            file.read_exact_at(&mut entries, block(slot)).map(|()| entries)
        });
        let last_seen = (0..consumers).map(|slot| {
            let mut word = [0; 8];
            file.read_exact_at(&mut word, block(slot) + LAST_SEEN)?;
            Ok(u64::from_le_bytes(word))
        });
        Ok(Self {
            inode: file.metadata()?.ino(),
            word: latest,
            sequence: latest & ((1 << 52) - 1),
            owner: latest & ((1 << 10) - 1),
            dirty: dirty != [0],
            filled: u64::from_le_bytes(filled) & ((1 << 24) - 1),
            epoch: latest >> 52 & 15,
            retired: control.first() != Some(&0),
            waiting: control.iter().skip(1).map(|byte| *byte != 0).collect(),
            held: held.collect::<io::Result<_>>()?,
            last_seen: last_seen.collect::<io::Result<_>>()?,
        })
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
