//! What a child has come to: a few words in memory that its parent can still read when it is dead.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use super::cases::Outcome;

/// Shared by a parent and a child, which has it as its standard input.
#[derive(Debug)]
pub(super) struct Log(pub(super) File);

/// What is in a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Noted {
    /// The case that is run, or was run last.
    pub(super) case: u64,
    /// Of all cases before it.
    pub(super) opened: u64,
    pub(super) refused: u64,
}

impl Log {
    pub(super) fn new() -> io::Result<Self> {
        super::input::memory(&[0; 24]).map(Self)
    }

    /// In the child.
    pub(super) fn of_parent() -> io::Result<Self> {
        Ok(Self(File::from(io::stdin().as_fd().try_clone_to_owned()?)))
    }

    pub(super) fn note(&self, case: u64, sum: Outcome) {
        let words = [case, sum.opened, sum.refused].map(u64::to_le_bytes);
        // Memory has room for what it has room for already.
        let _ = self.0.write_all_at(words.as_flattened(), 0);
    }

    pub(super) fn read(&self) -> io::Result<Noted> {
        let mut words = [[0; 8]; 3];
        self.0.read_exact_at(words.as_flattened_mut(), 0)?;
        let [case, opened, refused] = words.map(u64::from_le_bytes);
        Ok(Noted { case, opened, refused })
    }
}
