//! Bytes under a lock.

use std::io::{self, Seek, SeekFrom};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::guard::{self, MmapGuard, MmapReadGuard};
use super::handle::{Handle, Wait};
use super::lock_error::LockResult;
use super::options::{Mmap, MmapOptions, places};
use crate::error::Result;
use crate::message::Message;
use crate::region::Kind;
use crate::region::Name;

/// Shared bytes under one lock: whoever has it reads and writes alone.
///
/// # Examples
/// ```
/// # use io_shared_core as io_shared;
/// use std::io::{BufRead, Seek, Write};
///
/// use io_shared::SharedMmap;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let name = &format!("/doc-shared-mmap-{}", std::process::id());
/// let mut shared = SharedMmap::named(name).size("1K").open()?;
/// shared.lock()?.write_all(b"Hello, World!\n")?;
/// shared.rewind()?; // the position is this handle's own
/// let mut line = String::new();
/// shared.lock()?.read_line(&mut line)?;
/// assert_eq!(line, "Hello, World!\n");
/// # SharedMmap::remove(name)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SharedMmap(Handle);

/// Shared bytes under a reader-writer lock: readers together, a writer alone. A writer that waits
/// bars new readers.
///
/// # Examples
/// ```
/// # use io_shared_core as io_shared;
/// use std::io::Write;
///
/// use io_shared::RwSharedMmap;
/// use io_shared::mmap::Bytes;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let name = &format!("/doc-rw-mmap-{}", std::process::id());
/// let mut a = RwSharedMmap::named(name).size("1K").open()?;
/// let mut b = RwSharedMmap::named(name).open()?;
/// a.write()?.write_all(b"Hello")?;
/// let (first, second) = (a.read()?, b.read()?);
/// assert_eq!(first.as_bytes()[..5], *b"Hello");
/// assert_eq!(second.find(b"lo", ..), Some(3));
/// # drop((first, second));
/// # RwSharedMmap::remove(name)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct RwSharedMmap(Handle);

impl Mmap for SharedMmap {
    fn open(options: &MmapOptions<Self>) -> Result<Self> {
        open(options, Kind::Mmap).map(Self)
    }
}

impl Mmap for RwSharedMmap {
    fn open(options: &MmapOptions<Self>) -> Result<Self> {
        open(options, Kind::RwMmap).map(Self)
    }
}

fn open<M: Mmap>(options: &MmapOptions<M>, kind: Kind) -> Result<Handle> {
    let spec = options.spec(kind, <[u8]>::schema(), options.bytes()?)?;
    Handle::open(&options.location()?, &spec)
}

places!(SharedMmap);
places!(RwSharedMmap);

impl SharedMmap {
    /// Waits for the lock.
    ///
    /// # Errors
    /// [`LockError::OwnerDied`](super::LockError) with the guard, if a writer died in the middle;
    /// else [`WouldDeadlock`](crate::ErrorKind::WouldDeadlock) (a forgotten guard of this handle),
    /// [`Replaced`](crate::ErrorKind::Replaced), [`ForkedHandle`](crate::ErrorKind::ForkedHandle),
    /// [`Corrupt`](crate::ErrorKind::Corrupt).
    #[inline]
    pub fn lock(&mut self) -> LockResult<MmapGuard<'_>> {
        guard::lock(&mut self.0, Wait::Ever)
    }

    /// Takes the lock if nobody alive has it.
    ///
    /// # Errors
    /// [`WouldBlock`](crate::ErrorKind::WouldBlock), and as for [`lock`](Self::lock).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-try-lock-{}", std::process::id());
    /// use io_shared::ErrorKind;
    /// # use io_shared::SharedMmap;
    /// # let mut here = SharedMmap::named(name).size(16).open()?;
    /// # let mut there = SharedMmap::named(name).open()?;
    /// let guard = here.lock()?;
    /// let error = there.try_lock().unwrap_err().into_guard().unwrap_err();
    /// assert_eq!(*error.kind(), ErrorKind::WouldBlock);
    /// drop(guard);
    /// assert!(there.try_lock().is_ok());
    /// # SharedMmap::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn try_lock(&mut self) -> LockResult<MmapGuard<'_>> {
        guard::lock(&mut self.0, Wait::No)
    }

    /// Waits for the lock, for at most `timeout`.
    ///
    /// # Errors
    /// [`Timeout`](crate::ErrorKind::Timeout), and as for [`lock`](Self::lock).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-lock-timeout-{}", std::process::id());
    /// # use std::time::Duration;
    /// use io_shared::ErrorKind;
    /// # use io_shared::SharedMmap;
    /// # let mut here = SharedMmap::named(name).size(16).open()?;
    /// # let mut there = SharedMmap::named(name).open()?;
    /// let guard = here.lock()?;
    /// let error = there.lock_timeout(Duration::from_millis(10)).unwrap_err().into_guard().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Timeout { .. }));
    /// # drop(guard);
    /// # SharedMmap::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn lock_timeout(&mut self, timeout: Duration) -> LockResult<MmapGuard<'_>> {
        guard::lock(&mut self.0, Wait::For(timeout))
    }
}

impl RwSharedMmap {
    /// Waits for the lock to read.
    ///
    /// # Errors
    /// As for [`SharedMmap::lock`].
    #[inline]
    pub fn read(&mut self) -> LockResult<MmapReadGuard<'_>> {
        guard::read(&mut self.0, Wait::Ever)
    }

    /// Takes the lock to read if no living writer has it or waits for it.
    ///
    /// # Errors
    /// As for [`SharedMmap::try_lock`].
    #[inline]
    pub fn try_read(&mut self) -> LockResult<MmapReadGuard<'_>> {
        guard::read(&mut self.0, Wait::No)
    }

    /// Waits for the lock to read, for at most `timeout`.
    ///
    /// # Errors
    /// As for [`SharedMmap::lock_timeout`].
    #[inline]
    pub fn read_timeout(&mut self, timeout: Duration) -> LockResult<MmapReadGuard<'_>> {
        guard::read(&mut self.0, Wait::For(timeout))
    }

    /// Waits for the lock to write.
    ///
    /// # Errors
    /// As for [`SharedMmap::lock`].
    #[inline]
    pub fn write(&mut self) -> LockResult<MmapGuard<'_>> {
        guard::lock(&mut self.0, Wait::Ever)
    }

    /// Takes the lock to write if nobody alive has it.
    ///
    /// # Errors
    /// As for [`SharedMmap::try_lock`].
    #[inline]
    pub fn try_write(&mut self) -> LockResult<MmapGuard<'_>> {
        guard::lock(&mut self.0, Wait::No)
    }

    /// Waits for the lock to write, for at most `timeout`.
    ///
    /// # Errors
    /// As for [`SharedMmap::lock_timeout`].
    #[inline]
    pub fn write_timeout(&mut self, timeout: Duration) -> LockResult<MmapGuard<'_>> {
        guard::lock(&mut self.0, Wait::For(timeout))
    }
}

macro_rules! unlocked {
    ($Type:ident, $kind:expr) => {
        impl $Type {
            /// Bytes that there are. No lock is needed: they never grow or shrink.
            #[allow(clippy::len_without_is_empty, reason = "is_empty is beside it")]
            pub fn len(&self) -> usize {
                self.0.len()
            }

            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Removes what has that name in shared memory, like a file. Whoever uses it finds
            /// [`Replaced`](crate::ErrorKind::Replaced).
            ///
            /// # Errors
            /// [`NotFound`](crate::ErrorKind::NotFound),
            /// [`Mismatch`](crate::ErrorKind::Mismatch) (of another kind: it may be all there is),
            /// [`NotOwner`](crate::ErrorKind::NotOwner),
            /// [`NotARegion`](crate::ErrorKind::NotARegion) (what is not ours is left alone),
            /// [`BadName`](crate::ErrorKind::BadName), [`Busy`](crate::ErrorKind::Busy),
            /// [`System`](crate::ErrorKind::System).
            #[doc(alias = "shm_unlink")]
            pub fn remove(name: impl AsRef<str>) -> Result<()> {
                crate::slot::remove(&Name::new(name.as_ref())?.into(), $kind)
            }

            /// The name or place, as errors show it.
            pub fn name(&self) -> &str {
                self.0.region.name()
            }

            /// A descriptor to pass to another process, where there is no name.
            pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
                self.0.as_fd()
            }
        }

        impl Seek for $Type {
            /// Moves this handle's position. No lock is needed: it is its own.
            fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
                self.0.seek(to)
            }
        }
    };
}
unlocked!(SharedMmap, Kind::Mmap);
unlocked!(RwSharedMmap, Kind::RwMmap);
