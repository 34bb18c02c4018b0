//! The bytes of an object as they are, without a header and without a lock.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::RangeBounds;
use std::os::fd::{AsFd, BorrowedFd};

use memchr::memmem;
use memmap2::{MmapOptions as Map, MmapRaw};
use nix::fcntl::OFlag;

use super::bytes;
use super::options::{Mmap, MmapOptions, locations};
use super::racing_copy::{copy_in, copy_out};
use crate::error::{Error, ErrorKind, Result};
use crate::message::Message;
use crate::os::clock;
use crate::os::long_wait::LongWait;
use crate::region::{self, HiddenFile, Location, Name};

/// The bytes of a shared-memory object, file or descriptor, with no lock and no header: the same
/// bytes that C and Python programs map.
///
/// Others may write at any time, so there are no references to the bytes, only copies by relaxed
/// atomic accesses. A copy of a value that is just being written may be partly old and partly new.
/// Where that matters, use [`SharedMmap`](super::SharedMmap) or [`Shared`](super::Shared).
///
/// A name is that of any object, and taken as it is ([`Name::posix`]).
///
/// # Examples
/// ```
/// # use io_shared_core as io_shared;
/// use io_shared::UnsafeSharedMmap;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-unsafe-{}", std::process::id());
/// let mut here = UnsafeSharedMmap::named(name).size(8).open()?;
/// let there = UnsafeSharedMmap::named(name).open()?;
/// assert_eq!((there.name(), there.is_empty()), (&**name, false));
/// here.store(&[17i32, 4])?;
/// assert_eq!(there.load::<[i32; 2]>()?, [17, 4]);
/// # io_shared::UnsafeSharedMmap::remove(name)
/// # }
/// ```
#[doc(alias = "mmap")]
#[doc(alias = "shm_open")]
pub struct UnsafeSharedMmap {
    name: String,
    file: File,
    map: Option<MmapRaw>,
    position: u64,
}

locations!(UnsafeSharedMmap);

impl Mmap for UnsafeSharedMmap {
    fn name(name: &str) -> Result<Name> {
        Name::posix(name)
    }

    fn open(options: &MmapOptions<Self>) -> Result<Self> {
        let why = "bytes without a header keep no account of their users";
        options.refuse(&["handles", "ephemeral", "replace"], why)?;
        let location = options.location()?;
        let size = options.bytes()?;
        let deadline = clock::deadline(options.patience());
        let long = LongWait::since(clock::now());
        loop {
            match (location.open(OFlag::O_RDWR)?, size) {
                (Some(file), _) => return Self::map(&location, file, size, options.extends()),
                (None, Some(size)) => {
                    let hidden = HiddenFile::new(&location, size, options.mode_bits())
                        .map_err(|error| error.ask_less("a smaller .size()"))?;
                    // Before the link, so that nothing is left if it cannot be mapped here.
                    let mapped = Self::map(&location, hidden.file_to_keep()?, Some(size), false)?;
                    if hidden.link()? {
                        return Ok(mapped);
                    }
                }
                (None, None) if clock::now() >= deadline => {
                    return Err(location.error(ErrorKind::NotFound).advise(
                        "start the program that creates it, wait longer for it with \
                         .open_timeout(), or say how large it is (.size()) to create it here",
                    ));
                }
                (None, None) => {
                    if long.is_due(clock::now()) {
                        region::warn_of_missing(&location);
                    }
                    crate::os::nap::nap(std::time::Duration::from_millis(5));
                }
            }
        }
    }
}

impl UnsafeSharedMmap {
    fn map(location: &Location, file: File, wanted: Option<u64>, extend: bool) -> Result<Self> {
        region::refuse_region(location, &file)?;
        let metadata = file.metadata().map_err(|error| location.io_error("fstat", &error))?;
        let mut size = metadata.len();
        // Mapping more than the object has would mean SIGBUS at the first access.
        if let Some(needed) = wanted.filter(|needed| *needed > size) {
            if !extend {
                return Err(location.error(ErrorKind::TooShort { needed, found: size }));
            }
            region::check_file_size_limit(location, needed)
                .and_then(|()| region::allocate(location, &file, 0, needed))
                .map_err(|error| error.ask_less("a smaller .size()"))?;
            size = needed;
        }
        if size == 0 && wanted.is_none() {
            return Err(location.error(ErrorKind::TooShort { needed: 1, found: 0 }));
        }
        let map = match size {
            0 => None,
            size => Some(
                Map::new()
                    .len(usize::try_from(size).unwrap_or(usize::MAX))
                    .map_raw(&file)
                    .map_err(|error| location.io_error("mmap", &error))?,
            ),
        };
        if let Some(map) = &map {
            crate::os::file::leave_out_of_dumps(map, 0);
        }
        Ok(Self { name: location.to_string(), file, map, position: 0 })
    }

    /// The number of bytes. [`MmapOptions::size`] has an example.
    #[allow(clippy::len_without_is_empty, reason = "is_empty follows")]
    pub fn len(&self) -> usize {
        self.map.as_ref().map_or(0, MmapRaw::len)
    }

    /// Whether there are no bytes. [`UnsafeSharedMmap`] has an example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name or location, as errors show it. [`UnsafeSharedMmap`] has an example.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The object's descriptor, to pass to another process, as
    /// [`SharedMmap::as_fd`](super::SharedMmap::as_fd) shows.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Returns a copy of the value at the start.
    ///
    /// # Errors
    /// [`ErrorKind::TooShort`] if there are fewer bytes than a `T` has, [`ErrorKind::BadValue`] if
    /// a `bool` or an enum in them has no such value.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::io::Write;
    /// let mut shared = io_shared::UnsafeSharedMmap::anonymous().size(8).open()?;
    /// shared.write_all(&[1, 0, 2, 0])?; // as a C program might
    /// assert_eq!(shared.load::<[u8; 4]>()?, [1, 0, 2, 0]);
    /// assert!(shared.load::<[u8; 9]>().is_err()); // there are 8 bytes
    /// # Ok(()) }
    /// ```
    pub fn load<T: Message + Copy>(&self) -> Result<T> {
        let start = self.as_ptr::<T>()?;
        let mut value = std::mem::MaybeUninit::<T>::zeroed();
        let to = value.as_mut_ptr().cast::<u8>();
        // SAFETY: `value` is all zeros and so initialised, spans this many bytes, and is borrowed
        // by nothing else.
        let to = unsafe { std::slice::from_raw_parts_mut(to, size_of::<T>()) };
        copy_out(start.cast(), to);
        // SAFETY: it was just borrowed as this many bytes.
        let checked = unsafe { T::check(to.as_ptr(), to.len()) };
        checked.map_err(|invalid| Error::bad_value(&self.name, &T::layout(), invalid))?;
        // SAFETY: zeroed and then overwritten: every bit pattern is a T, or it was checked.
        Ok(unsafe { value.assume_init() })
    }

    /// Stores a value at the start, word by word.
    ///
    /// # Errors
    /// [`ErrorKind::TooShort`] if there are fewer bytes than a `T` has.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// let mut shared = io_shared::UnsafeSharedMmap::anonymous().size(8).open()?;
    /// shared.store(&[17u8, 4])?;
    /// assert_eq!(shared.to_vec(..3), [17, 4, 0]);
    /// # Ok(()) }
    /// ```
    pub fn store<T: Message>(&mut self, value: &T) -> Result<()> {
        self.refuse_region()?;
        let start = self.as_ptr::<T>()?;
        copy_in(start.cast(), value.as_bytes());
        Ok(())
    }

    /// The address of the value at the start, as C programs have it: for volatile or atomic access
    /// by callers that know what other programs do with it.
    ///
    /// # Errors
    /// [`ErrorKind::TooShort`] if there are fewer bytes than a `T` has.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// let shared = io_shared::UnsafeSharedMmap::anonymous().size(8).open()?;
    /// let counter = shared.as_ptr::<u64>()?;
    /// // SAFETY: it is mapped while `shared` lives, and nobody else knows of it.
    /// unsafe { counter.write_volatile(1) };
    /// assert_eq!(shared.load::<u64>()?, 1);
    /// # Ok(()) }
    /// ```
    pub fn as_ptr<T: Message>(&self) -> Result<*mut T> {
        let (needed, found) = (T::SHAPE.size as u64, self.len() as u64);
        if needed > found {
            return Err(Error::new(&self.name, ErrorKind::TooShort { needed, found }));
        }
        let start = self.start();
        if !start.addr().is_multiple_of(T::SHAPE.align) {
            let what = "a type aligned to more than a page".to_owned();
            return Err(Error::new(&self.name, ErrorKind::Unsupported { what }));
        }
        Ok(T::from_raw_parts_mut(start, 0))
    }

    fn start(&self) -> *mut u8 {
        self.map.as_ref().map_or(std::ptr::without_provenance_mut(4096), MmapRaw::as_mut_ptr)
    }

    /// Returns a copy of the bytes in `range`, as far as they exist.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// use std::io::Write;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut shared = io_shared::UnsafeSharedMmap::anonymous().size(5).open()?;
    /// shared.write_all(b"Hello")?;
    /// assert_eq!(shared.to_vec(1..3), b"el");
    /// # Ok(()) }
    /// ```
    pub fn to_vec(&self, range: impl RangeBounds<u64>) -> Vec<u8> {
        let range = bytes::cut(self.len(), &range);
        let mut part = vec![0; range.len()];
        copy_out(self.start().wrapping_add(range.start), &mut part);
        part
    }

    /// Reads the next byte; `None` at the end.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// let mut shared = io_shared::UnsafeSharedMmap::anonymous().size(1).open()?;
    /// shared.store(&7u8)?;
    /// assert_eq!((shared.read_byte(), shared.read_byte()), (Some(7), None));
    /// # Ok(()) }
    /// ```
    pub fn read_byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        // A read of memory does not fail.
        (self.read(&mut byte).ok()? == 1).then_some(byte[0])
    }

    /// Writes one byte at the position. [`move_within`](Self::move_within) has an example.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBounds`] at the end.
    pub fn write_byte(&mut self, byte: u8) -> Result<()> {
        self.write_at_position(&[byte])
    }

    /// Appends the bytes up to and including the next line feed, or to the end, to `line`. Returns
    /// how many bytes that are.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// let mut shared = io_shared::UnsafeSharedMmap::anonymous().size(8).open()?;
    /// shared.store(b"one\ntwo\n")?;
    /// let mut line = Vec::new();
    /// assert!(shared.read_line(&mut line) == 4 && line == b"one\n");
    /// # Ok(()) }
    /// ```
    pub fn read_line(&mut self, line: &mut Vec<u8>) -> usize {
        let before = line.len();
        // In growing pieces: most lines are short, but the rest may be long.
        let mut piece = 128;
        loop {
            let bytes = self.to_vec(self.position..self.position + piece);
            let end = memchr::memchr(b'\n', &bytes).map(|at| at + 1);
            let length = end.unwrap_or(bytes.len());
            line.extend_from_slice(bytes.get(..length).unwrap_or_default());
            self.position += length as u64;
            if end.is_some() || (bytes.len() as u64) < piece {
                return line.len() - before;
            }
            piece = (piece * 2).min(1 << 16);
        }
    }

    /// Finds the first `needle` in a copy of the bytes in `range`.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// let mut shared = io_shared::UnsafeSharedMmap::anonymous().size(8).open()?;
    /// shared.store(b"abcabc")?;
    /// assert_eq!((shared.find(b"bc", ..), shared.rfind(b"bc", ..)), (Some(1), Some(4)));
    /// # Ok(()) }
    /// ```
    pub fn find(&self, needle: &[u8], range: impl RangeBounds<u64>) -> Option<u64> {
        let start = bytes::cut(self.len(), &range).start as u64;
        memmem::find(&self.to_vec(range), needle).map(|at| start + at as u64)
    }

    /// Finds the last `needle` in a copy of the bytes in `range`. [`find`](Self::find) shows it.
    pub fn rfind(&self, needle: &[u8], range: impl RangeBounds<u64>) -> Option<u64> {
        let start = bytes::cut(self.len(), &range).start as u64;
        memmem::rfind(&self.to_vec(range), needle).map(|at| start + at as u64)
    }

    /// Copies `length` bytes from `from` to `to`, by way of private memory; the two may overlap.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBounds`] if either is not within the bytes.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// let mut shared = io_shared::UnsafeSharedMmap::anonymous().size(4).open()?;
    /// shared.write_byte(7)?; // at the position
    /// shared.move_within(2, 0, 2)?;
    /// assert_eq!(shared.to_vec(..), [7, 0, 7, 0]);
    /// # Ok(()) }
    /// ```
    pub fn move_within(&mut self, to: u64, from: u64, length: u64) -> Result<()> {
        self.refuse_region()?;
        let to = bytes::range(&self.name, to, length, self.len())?;
        let from = bytes::range(&self.name, from, length, self.len())?;
        let mut moved = vec![0; from.len()];
        copy_out(self.start().wrapping_add(from.start), &mut moved);
        copy_in(self.start().wrapping_add(to.start), &moved);
        Ok(())
    }

    /// Refuses to write to an object that has become a region of io-shared since it was opened:
    /// others may have references into it.
    fn refuse_region(&self) -> Result<()> {
        let mut magic = [0; 8];
        if self.len() >= magic.len() {
            copy_out(self.start(), &mut magic);
        }
        region::refuse_magic(&self.name, magic)
    }

    fn write_at_position(&mut self, from: &[u8]) -> Result<()> {
        self.refuse_region()?;
        let range = bytes::range(&self.name, self.position, from.len() as u64, self.len())?;
        copy_in(self.start().wrapping_add(range.start), from);
        self.position = range.end as u64;
        Ok(())
    }
}

impl Read for UnsafeSharedMmap {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let left = (self.len() as u64).saturating_sub(self.position) as usize;
        let length = to.len().min(left);
        if let Some(to) = to.get_mut(..length) {
            copy_out(self.start().wrapping_add(self.position as usize), to);
        }
        self.position += length as u64;
        Ok(length)
    }
}

impl Write for UnsafeSharedMmap {
    /// Writes all of `from` at the position, or nothing.
    ///
    /// # Errors
    /// An `io::Error` that carries [`ErrorKind::OutOfBounds`] if it does not fit.
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.write_at_position(from)?;
        Ok(from.len())
    }

    /// Writes what was changed to the file, if it is one (msync).
    fn flush(&mut self) -> io::Result<()> {
        self.map.as_ref().map_or(Ok(()), MmapRaw::flush)
    }
}

impl Seek for UnsafeSharedMmap {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = bytes::seek(&self.name, self.position, to, self.len())?;
        Ok(self.position)
    }
}

impl fmt::Debug for UnsafeSharedMmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsafeSharedMmap").field("name", &self.name).finish_non_exhaustive()
    }
}
