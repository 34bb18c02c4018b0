//! A child's progress: a few words in memory that its parent can still read when the child is dead.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use super::outcome::Outcome;

/// Shared by a parent and a child. The child has it as its standard input.
#[derive(Debug)]
pub(super) struct Log(pub(super) File);

/// The content of a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Noted {
    /// The current or last case.
    pub(super) case: u64,
    /// The outcome of all cases before it.
    pub(super) opened: u64,
    pub(super) refused: u64,
}

impl Log {
    pub(super) fn new() -> io::Result<Self> {
        super::input::memory(&[0; 24]).map(Self)
    }

    /// Opens the log in the child.
    pub(super) fn of_parent() -> io::Result<Self> {
        Ok(Self(File::from(io::stdin().as_fd().try_clone_to_owned()?)))
    }

    pub(super) fn note(&self, case: u64, sum: Outcome) {
        let words = [case, sum.opened, sum.refused].map(u64::to_le_bytes);
        // This overwrites words that exist, so it cannot run out of memory.
        let _ = self.0.write_all_at(words.as_flattened(), 0);
    }

    pub(super) fn read(&self) -> io::Result<Noted> {
        let mut words = [[0; 8]; 3];
        self.0.read_exact_at(words.as_flattened_mut(), 0)?;
        let [case, opened, refused] = words.map(u64::from_le_bytes);
        Ok(Noted { case, opened, refused })
    }
}
