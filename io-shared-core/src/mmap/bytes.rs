//! Bytes used like a file: a position, and the calls that move it.

use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::ops::{Bound, RangeBounds};

use memchr::memmem;

use crate::error::{Error, ErrorKind, Result};

/// Reading locked bytes like a file. The position belongs to the handle, and outlives the guard.
///
/// # Examples
/// ```
/// # use io_shared_core as io_shared;
/// use std::io::Write;
///
/// use io_shared::SharedMmap;
/// use io_shared::mmap::Bytes;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut shared = SharedMmap::anonymous().size(16).open()?;
/// shared.lock()?.write_all(b"one two one")?;
/// let mut guard = shared.lock()?;
/// assert_eq!(guard.read_byte(), Some(0)); // after what was written
/// assert_eq!((guard.find(b"one", ..), guard.rfind(b"one", ..)), (Some(0), Some(8)));
/// assert_eq!(guard.find(b"one", 1..10), None); // it would end at 11
/// # Ok(()) }
/// ```
pub trait Bytes: Read + BufRead + Seek {
    /// All bytes, as a slice. [`BytesMut`] has an example.
    fn as_bytes(&self) -> &[u8];

    /// Reads the next byte; `None` at the end. [`Bytes`] has an example.
    fn read_byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        // A read of memory does not fail.
        (self.read(&mut byte).ok()? == 1).then_some(byte[0])
    }

    /// Finds the first `needle` that lies within `range`. [`Bytes`] has an example.
    fn find(&self, needle: &[u8], range: impl RangeBounds<u64>) -> Option<u64>
    where
        Self: Sized,
    {
        find(self.as_bytes(), needle, range, memmem::find)
    }

    /// Finds the last `needle` that lies within `range`. [`Bytes`] has an example.
    fn rfind(&self, needle: &[u8], range: impl RangeBounds<u64>) -> Option<u64>
    where
        Self: Sized,
    {
        find(self.as_bytes(), needle, range, memmem::rfind)
    }
}

/// Writing locked bytes like a file. A write that does not fit writes nothing.
///
/// # Examples
/// ```
/// # use io_shared_core as io_shared;
/// use std::io::Write;
///
/// use io_shared::SharedMmap;
/// use io_shared::mmap::{Bytes, BytesMut};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut shared = SharedMmap::anonymous().size(6).open()?;
/// let mut guard = shared.lock()?;
/// guard.write_all(b"abcd")?;
/// assert!(guard.write_all(b"efg").is_err()); // 3 bytes, and room for 2
/// guard.move_within(2, 0, 4)?;
/// assert_eq!(guard.as_bytes(), b"ababcd");
/// # Ok(()) }
/// ```
pub trait BytesMut: Bytes + Write {
    /// All bytes, as a mutable slice. [`MmapGuard`](super::MmapGuard) has an example.
    fn as_bytes_mut(&mut self) -> &mut [u8];

    /// Writes one byte at the position.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBounds`] at the end.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// use io_shared::mmap::{Bytes, BytesMut};
    /// # fn main() -> io_shared::Result<()> {
    /// let mut shared = io_shared::SharedMmap::anonymous().size(2).open()?;
    /// let mut guard = shared.lock()?;
    /// guard.write_byte(b'o')?;
    /// guard.write_byte(b'k')?;
    /// assert!(guard.write_byte(b'!').is_err()); // at the end
    /// assert_eq!(guard.as_bytes(), b"ok");
    /// # Ok(()) }
    /// ```
    fn write_byte(&mut self, byte: u8) -> Result<()>;

    /// Copies `length` bytes from `from` to `to`; the two may overlap. [`BytesMut`] has an example.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBounds`] if either is not within the bytes.
    fn move_within(&mut self, to: u64, from: u64, length: u64) -> Result<()>;
}

/// The part of `range` below `size`.
pub(super) fn cut(size: usize, range: &impl RangeBounds<u64>) -> std::ops::Range<usize> {
    let size = size as u64;
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
    let end = end.min(size);
    start.min(end) as usize..end as usize
}

fn find(
    bytes: &[u8],
    needle: &[u8],
    range: impl RangeBounds<u64>,
    search: impl Fn(&[u8], &[u8]) -> Option<usize>,
) -> Option<u64> {
    let range = cut(bytes.len(), &range);
    let start = range.start;
    search(bytes.get(range)?, needle).map(|at| (start + at) as u64)
}

/// The range of `length` bytes at `at`, if it lies within `size`.
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

/// The position after a seek, which must not be past the end.
pub(super) fn seek(name: &str, position: u64, to: SeekFrom, size: usize) -> Result<u64> {
    let (base, offset) = match to {
        SeekFrom::Start(at) => (at, 0),
        SeekFrom::End(offset) => (size as u64, offset),
        SeekFrom::Current(offset) => (position, offset),
    };
    let size = size as u64;
    let at = base.saturating_add_signed(offset);
    let out_of_bounds = ErrorKind::OutOfBounds { at, length: 0, size };
    base.checked_add_signed(offset)
        .filter(|at| *at <= size)
        .ok_or_else(|| Error::new(name, out_of_bounds))
}

impl From<Error> for io::Error {
    /// Wraps the error in an `io::Error` of the matching kind.
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
