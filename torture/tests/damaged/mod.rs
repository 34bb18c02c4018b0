//! Regions of a test whose bytes it reads and overwrites, as no conforming program does.

#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses a part of it")]

use std::fs::File;
use std::os::unix::fs::FileExt;

use io_shared::{Error, ErrorKind};
use test_support::TestName;
use torture::hostile::specimen::Specimen;

/// The offset of the word that names the latest value.
pub(crate) const LATEST: u64 = 0x80;

/// A name whose bytes a test reads and overwrites.
pub(crate) struct Name(pub(crate) TestName);

impl Name {
    pub(crate) fn new(what: &str) -> Self {
        Self(TestName::new(what))
    }

    pub(crate) fn file(&self) -> File {
        File::options().read(true).write(true).open(self.0.path()).unwrap()
    }

    pub(crate) fn bytes(&self) -> Specimen {
        Specimen(std::fs::read(self.0.path()).unwrap())
    }

    /// The offset of a consumer's block, or of a lock's slot.
    pub(crate) fn block(&self, slot: u64) -> u64 {
        self.bytes().field("consumers_offset") + slot * 128
    }

    /// The offset of the word that says how many buffers there are.
    pub(crate) fn pool(&self) -> u64 {
        self.bytes().field("producer_offset") + 128
    }

    /// The offset of a buffer.
    pub(crate) fn buffer(&self, buffer: u64) -> u64 {
        self.bytes().field("buffers_offset") + buffer * self.bytes().field("stride")
    }

    pub(crate) fn write(&self, at: u64, word: u64) {
        self.file().write_all_at(&word.to_le_bytes(), at).unwrap();
    }

    pub(crate) fn read(&self, at: u64) -> u64 {
        let mut word = [0; 8];
        self.file().read_exact_at(&mut word, at).unwrap();
        u64::from_le_bytes(word)
    }
}

#[track_caller]
pub(crate) fn is_corrupt<T>(result: Result<T, Error>) {
    let error = result.map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{error}");
}
