//! Bytes used like a file: a position, and the calls that move it.

use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::ops::{Bound, RangeBounds};

use memchr::memmem;

use crate::error::{Error, ErrorKind, Result};

/// Reading locked bytes like a file. The position belongs to the handle, and outlives the guard.
pub trait Bytes: Read + BufRead + Seek {
    /// All of them.
    fn as_bytes(&self) -> &[u8];

    /// The next byte; `None` at the end.
    fn read_byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        // A read of memory does not fail.
        (self.read(&mut byte).ok()? == 1).then_some(byte[0])
    }

    /// Where `needle` first is within `range`.
    fn find(&self, needle: &[u8], range: impl RangeBounds<u64>) -> Option<u64>
    where
        Self: Sized,
    {
        find(self.as_bytes(), needle, range, memmem::find)
    }

    /// Where `needle` last is within `range`.
    fn rfind(&self, needle: &[u8], range: impl RangeBounds<u64>) -> Option<u64>
    where
        Self: Sized,
    {
        find(self.as_bytes(), needle, range, memmem::rfind)
    }
}

/// Writing locked bytes like a file. What does not fit is not written at all.
pub trait BytesMut: Bytes + Write {
    /// All of them.
    fn as_bytes_mut(&mut self) -> &mut [u8];

    /// Writes one byte at the position.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBounds`] at the end.
    fn write_byte(&mut self, byte: u8) -> Result<()>;

    /// Copies `length` bytes from `from` to `to`; the two may overlap.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBounds`] if either is not within the memory.
    fn move_within(&mut self, to: u64, from: u64, length: u64) -> Result<()>;
}

/// The part of `bytes` that `range` names, cut to what there is, and where it starts.
pub(super) fn part(bytes: &[u8], range: impl RangeBounds<u64>) -> (usize, &[u8]) {
    let size = bytes.len() as u64;
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => size,
    };
    let (start, end) = (start.min(size) as usize, end.min(size) as usize);
    (start, bytes.get(start..end).unwrap_or_default())
}

pub(super) fn find(
    bytes: &[u8],
    needle: &[u8],
    range: impl RangeBounds<u64>,
    search: impl Fn(&[u8], &[u8]) -> Option<usize>,
) -> Option<u64> {
    let (start, part) = part(bytes, range);
    search(part, needle).map(|at| (start + at) as u64)
}

/// Where `length` bytes at `at` lie, if they are within `size`.
pub(super) fn range(
    name: &str,
    at: u64,
    length: u64,
    size: usize,
) -> Result<std::ops::Range<usize>> {
    match at.checked_add(length) {
        Some(end) if end <= size as u64 => Ok(at as usize..end as usize),
        _ => Err(Error::new(name, ErrorKind::OutOfBounds { at, length, size: size as u64 })),
    }
}

/// The position after a seek; not behind the end.
pub(super) fn seek(name: &str, position: u64, to: SeekFrom, size: usize) -> Result<u64> {
    let (base, offset) = match to {
        SeekFrom::Start(at) => (at, 0),
        SeekFrom::End(offset) => (size as u64, offset),
        SeekFrom::Current(offset) => (position, offset),
    };
    let size = size as u64;
    let out_of_bounds = ErrorKind::OutOfBounds { at: base, length: 0, size };
    base.checked_add_signed(offset)
        .filter(|at| *at <= size)
        .ok_or_else(|| Error::new(name, out_of_bounds))
}

impl From<Error> for io::Error {
    /// The error as an `io::Error` of the fitting kind, which carries it.
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::Timeout { .. } => io::ErrorKind::TimedOut,
            ErrorKind::WouldBlock => io::ErrorKind::WouldBlock,
            ErrorKind::OutOfBounds { length: 0, .. } => io::ErrorKind::InvalidInput,
            ErrorKind::OutOfBounds { .. } => io::ErrorKind::WriteZero,
            ErrorKind::NoSpace { .. } => io::ErrorKind::StorageFull,
            ErrorKind::System { errno, .. } => io::Error::from_raw_os_error(*errno).kind(),
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
