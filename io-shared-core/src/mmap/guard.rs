//! The guards of locked bytes: the lock, held, and the bytes as a file and as a slice.

use std::fmt;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

use super::bytes::{self, Bytes, BytesMut};
use super::handle::{Access, Handle, LockHold, Wait};
use super::lock_error::{LockError, LockResult, Locked, clean_or_dirty};
use crate::error::Result;
use crate::message::shown::Shown;
use crate::os::copy;
use crate::region::Region;

/// The bytes, for writing and reading, while nobody else reads or writes them.
///
/// The guard is a file ([`Read`], [`BufRead`], [`Write`], [`Seek`]) and a slice
/// ([`Bytes::as_bytes`], [`BytesMut::as_bytes_mut`]). A write that does not fit writes nothing. A
/// panic while the guard lives marks the content dirty, as a death does.
///
/// # Examples
/// ```
/// # use io_shared_core as io_shared;
/// use std::io::Write;
///
/// use io_shared::SharedMmap;
/// use io_shared::mmap::{Bytes, BytesMut};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut shared = SharedMmap::anonymous().size(8).open()?;
/// let mut guard = shared.lock()?;
/// guard.write_all(b"Hello")?; // as a file
/// guard.as_bytes_mut()[0] = b'J'; // as a slice
/// assert_eq!(guard.as_bytes()[..5], *b"Jello");
/// # Ok(()) }
/// ```
#[must_use = "a lock is given back when its guard is dropped"]
pub struct MmapGuard<'a>(LockHold<'a>);

/// The bytes, for reading, together with other readers: a file ([`Read`], [`BufRead`], [`Seek`])
/// and a slice ([`Bytes::as_bytes`]). [`RwSharedMmap::read`](super::RwSharedMmap::read) returns it.
///
/// # Examples
/// ```
/// # use io_shared_core as io_shared;
/// use std::io::BufRead;
///
/// use io_shared::RwSharedMmap;
/// use io_shared::mmap::{Bytes, BytesMut};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut table = RwSharedMmap::anonymous().size(6).open()?;
/// table.write()?.as_bytes_mut().copy_from_slice(b"ab\ncd\n");
/// let mut guard = table.read()?;
/// assert_eq!((guard.len(), guard.is_empty()), (6, false));
/// let mut line = String::new();
/// guard.read_line(&mut line)?; // as a file
/// assert_eq!((&*line, guard.as_bytes()[3]), ("ab\n", b'c')); // as a slice
/// # Ok(()) }
/// ```
#[must_use = "a lock is given back when its guard is dropped"]
pub struct MmapReadGuard<'a>(LockHold<'a>);

impl<'a> MmapGuard<'a> {
    /// The guard of a lock that was taken to write.
    pub(super) fn of(held: LockHold<'a>) -> Self {
        Self(held)
    }
}

impl<'a> MmapReadGuard<'a> {
    /// The guard of a lock that was taken to read.
    pub(super) fn of(held: LockHold<'a>) -> Self {
        Self(held)
    }
}

#[inline]
pub(super) fn lock(handle: &mut Handle, wait: Wait) -> LockResult<MmapGuard<'_>> {
    match LockHold::take(handle, Access::Write, wait) {
        Ok((held, dirty)) => clean_or_dirty(MmapGuard(held), dirty),
        Err(error) => Err(LockError::Failed(error)),
    }
}

#[inline]
pub(super) fn read(handle: &mut Handle, wait: Wait) -> LockResult<MmapReadGuard<'_>> {
    match LockHold::take(handle, Access::Read, wait) {
        Ok((held, dirty)) => clean_or_dirty(MmapReadGuard(held), dirty),
        Err(error) => Err(LockError::Failed(error)),
    }
}

impl MmapGuard<'_> {
    /// Says that the content is whole again after a writer died in the middle. Until then every
    /// lock, of any handle, is [`LockError::OwnerDied`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// use io_shared::mmap::BytesMut;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-consistent-{}", std::process::id());
    /// # use io_shared::SharedMmap;
    /// # let mut shared = SharedMmap::named(name).size(16).open()?;
    /// # let mut dying = SharedMmap::named(name).open()?;
    /// # std::mem::forget(dying.lock()?);
    /// # drop(dying);
    /// // A program was killed in the middle of a write.
    /// let mut guard = shared.lock().or_else(|error| error.into_guard())?;
    /// guard.as_bytes_mut().fill(0); // the repair
    /// guard.mark_consistent();
    /// drop(guard);
    /// assert!(shared.lock().is_ok());
    /// # SharedMmap::remove(name)
    /// # }
    /// ```
    #[doc(alias = "pthread_mutex_consistent")]
    pub fn mark_consistent(&self) {
        self.0.handle.mark_consistent();
    }

    /// Says that the content may be half-written, for a writer that gives up in the middle. A death
    /// or a panic there does the same. Every lock from then on is [`LockError::OwnerDied`], until
    /// somebody calls [`mark_consistent`](Self::mark_consistent).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// use io_shared::mmap::LockError;
    /// # fn main() -> io_shared::Result<()> {
    /// let mut shared = io_shared::SharedMmap::anonymous().size(8).open()?;
    /// shared.lock()?.mark_dirty();
    /// let Err(LockError::OwnerDied(guard)) = shared.lock() else { unreachable!() };
    /// guard.mark_consistent(); // after a repair
    /// drop(guard);
    /// assert!(shared.lock().is_ok());
    /// # Ok(()) }
    /// ```
    pub fn mark_dirty(&self) {
        self.0.handle.mark_dirty();
    }
}

macro_rules! readable {
    ($Guard:ident) => {
        impl Locked for $Guard<'_> {
            #[allow(private_interfaces)]
            fn region(&self) -> &Region {
                &self.0.handle.region
            }
        }

        impl fmt::Debug for $Guard<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Guard))
                    .field("name", &self.region().name())
                    .field("bytes", &Shown(self.as_bytes()))
                    .finish_non_exhaustive()
            }
        }

        impl $Guard<'_> {
            /// The number of bytes. [`MmapReadGuard`] has an example.
            #[allow(clippy::len_without_is_empty, reason = "is_empty follows")]
            pub fn len(&self) -> usize {
                self.0.handle.len()
            }

            /// Whether there are no bytes. [`MmapReadGuard`] has an example.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            fn rest(&self) -> &[u8] {
                let position = self.0.handle.position as usize;
                self.as_bytes().get(position..).unwrap_or_default()
            }
        }

        impl Bytes for $Guard<'_> {
            #[inline]
            fn as_bytes(&self) -> &[u8] {
                let handle = &*self.0.handle;
                // SAFETY: the region's one buffer spans its capacity and is mapped while the region
                // lives; the lock, held while this guard lives, keeps every other writer away; the
                // guard is borrowed for as long as the slice.
                unsafe { std::slice::from_raw_parts(handle.start(), handle.len()) }
            }
        }

        impl Read for $Guard<'_> {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                let rest = self.rest();
                let read = rest.len().min(to.len());
                copy::slice(&rest[..read], &mut to[..read]);
                self.consume(read);
                Ok(read)
            }
        }

        impl BufRead for $Guard<'_> {
            fn fill_buf(&mut self) -> io::Result<&[u8]> {
                Ok(self.rest())
            }

            fn consume(&mut self, amount: usize) {
                let size = self.len() as u64;
                let handle = &mut *self.0.handle;
                handle.position = handle.position.saturating_add(amount as u64).min(size);
            }
        }

        impl Seek for $Guard<'_> {
            fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
                self.0.handle.seek(to)
            }
        }
    };
}
readable!(MmapGuard);
readable!(MmapReadGuard);

impl BytesMut for MmapGuard<'_> {
    #[inline]
    fn as_bytes_mut(&mut self) -> &mut [u8] {
        let handle = &mut *self.0.handle;
        // SAFETY: as in `as_bytes`; the writer's lock keeps readers away too, and this guard is
        // borrowed mutably for as long as the slice.
        unsafe { std::slice::from_raw_parts_mut(handle.start(), handle.len()) }
    }

    fn write_byte(&mut self, byte: u8) -> Result<()> {
        let range = self.next(1)?;
        self.as_bytes_mut()[range.start] = byte;
        self.0.handle.position = range.end as u64;
        Ok(())
    }

    fn move_within(&mut self, to: u64, from: u64, length: u64) -> Result<()> {
        let size = self.len();
        let name = self.0.handle.region.name();
        let to = bytes::range(name, to, length, size)?;
        let from = bytes::range(name, from, length, size)?;
        self.as_bytes_mut().copy_within(from, to.start);
        Ok(())
    }
}

impl MmapGuard<'_> {
    fn next(&self, length: usize) -> Result<std::ops::Range<usize>> {
        let handle = &*self.0.handle;
        bytes::range(handle.region.name(), handle.position, length as u64, handle.len())
    }
}

impl Write for MmapGuard<'_> {
    /// Writes all of `from` at the position, or nothing.
    ///
    /// # Errors
    /// An `io::Error` that carries [`OutOfBounds`](crate::ErrorKind::OutOfBounds) if it does not
    /// fit.
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let range = self.next(from.len())?;
        self.0.handle.position = range.end as u64;
        if let Some(to) = self.as_bytes_mut().get_mut(range) {
            copy::slice(from, to);
        }
        Ok(from.len())
    }

    /// Writes the content, with its checksum, to the file, if there is one. Returns once it is on
    /// disk (msync), so that it survives a reboot.
    ///
    /// # Errors
    /// An `io::Error` that carries [`System`](crate::ErrorKind::System),
    /// [`RoleLost`](crate::ErrorKind::RoleLost) or
    /// [`ForkedHandle`](crate::ErrorKind::ForkedHandle).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// use std::io::Write;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let path = std::env::temp_dir().join(format!("doc-guard-flush-{}", std::process::id()));
    /// let mut shared = io_shared::SharedMmap::file(&path).size(16).open()?;
    /// let mut guard = shared.lock()?;
    /// guard.write_all(b"12.5 m\n")?;
    /// guard.flush()?; // on disk, and no other handle has read it yet
    /// # drop(guard);
    /// # std::fs::remove_file(&path)?;
    /// # Ok(()) }
    /// ```
    fn flush(&mut self) -> io::Result<()> {
        Ok(self.0.handle.flush_written()?)
    }
}
