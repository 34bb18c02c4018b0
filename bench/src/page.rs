//! Raw memory shared by two processes: the bare limits, and how two processes keep step without
//! disturbing what is measured.

use std::fs::OpenOptions;
use std::hint;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapRaw;

use crate::Result;

/// Bytes between two words, so that no two share a line, nor the line fetched along with it.
pub(crate) const STRIDE: usize = 128;

pub(crate) struct Page {
    map: MmapRaw,
}

impl Page {
    /// Maps the file `path`. The process that comes first creates it, with zeros.
    pub(crate) fn open(path: &Path, bytes: usize) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path)?;
        file.set_len(bytes.max(4096) as u64)?;
        Ok(Self { map: MmapRaw::map_raw(&file)? })
    }

    /// The word in that line.
    pub(crate) fn word(&self, line: usize) -> &AtomicU64 {
        let offset = line * STRIDE;
        assert!(offset + 8 <= self.map.len());
        let word = self.map.as_mut_ptr().wrapping_add(offset).cast();
        // SAFETY: inside the mapping, which lives as long as the reference; aligned to 128; every
        // process accesses these words atomically alone.
        unsafe { AtomicU64::from_ptr(word) }
    }

    /// The address of the words at that offset.
    pub(crate) fn words(&self, offset: usize, words: usize) -> *mut u64 {
        assert!(offset.is_multiple_of(8) && offset + words * 8 <= self.map.len());
        self.map.as_mut_ptr().wrapping_add(offset).cast()
    }

    /// Notes in `line` that step `step` is done.
    pub(crate) fn tell(&self, line: usize, step: u64) {
        self.word(line).store(step, Ordering::Release);
    }

    /// The last step noted in `line`.
    pub(crate) fn read(&self, line: usize) -> u64 {
        self.word(line).load(Ordering::Acquire)
    }

    /// Spins until the other process has noted the step.
    pub(crate) fn await_step(&self, line: usize, step: u64) {
        while self.read(line) != step {
            hint::spin_loop();
        }
    }
}
