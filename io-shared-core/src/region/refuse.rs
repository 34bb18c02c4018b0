//! Keeping the mmap without a lock away from regions, whose users have references to their bytes.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::layout;
use super::location::Location;
use crate::error::{Error, ErrorKind, Result};

/// Refuses a region to code that would write to its bytes without a lock.
pub(crate) fn refuse_region(location: &Location, file: &File) -> Result<()> {
    let mut magic = [0; layout::MAGIC.len()];
    match file.read_exact_at(&mut magic, 0) {
        Ok(()) => refuse_magic(location, magic),
        _ => Ok(()), // shorter
    }
}

/// Like [`refuse_region`], for an object that starts with these bytes.
#[inline]
pub(crate) fn refuse_magic(name: impl std::fmt::Display, magic: [u8; 8]) -> Result<()> {
    if magic != layout::MAGIC {
        return Ok(());
    }
    let what = "it is an io-shared region, with a header and locks: open it as what it was created \
                as (a channel, a locked mmap or typed state)";
    Err(Error::new(name, ErrorKind::Unsupported { what: what.into() }))
}
