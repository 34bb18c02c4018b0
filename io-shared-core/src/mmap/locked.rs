//! Bytes under a lock.

use std::io::{self, Seek, SeekFrom};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::guard::{self, MmapGuard, MmapReadGuard};
use super::handle::{Handle, Wait};
use super::lock_error::LockResult;
use super::options::{Mmap, MmapOptions, locations};
use crate::error::Result;
use crate::message::Message;
use crate::region::{Kind, Name};

/// Shared bytes under one lock: only the handle that has it reads and writes them.
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
#[doc(alias = "mmap")]
#[doc(alias = "shm_open")]
pub struct SharedMmap(Handle);

/// Shared bytes under a reader-writer lock: many readers together, or one writer alone. A waiting
/// writer keeps new readers out.
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
#[doc(alias = "mmap")]
#[doc(alias = "shm_open")]
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

locations!(SharedMmap);
locations!(RwSharedMmap);

impl SharedMmap {
    /// Waits for the lock.
    ///
    /// # Errors
    /// [`LockError::OwnerDied`](super::LockError) with the guard, if a writer died in the middle;
    /// otherwise [`WouldDeadlock`](crate::ErrorKind::WouldDeadlock) (a forgotten guard of this
    /// handle), [`Replaced`](crate::ErrorKind::Replaced), [`RoleLost`](crate::ErrorKind::RoleLost),
    /// [`ForkedHandle`](crate::ErrorKind::ForkedHandle), [`Corrupt`](crate::ErrorKind::Corrupt).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// use std::io::Write;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut shared = io_shared::SharedMmap::anonymous().size("1K").open()?;
    /// let mut guard = shared.lock()?;
    /// guard.write_all(b"nobody reads this half-written")?;
    /// drop(guard); // gives the lock back
    /// # Ok(()) }
    /// ```
    #[doc(alias = "pthread_mutex_lock")]
    #[doc(alias = "sem_wait")]
    #[inline]
    pub fn lock(&mut self) -> LockResult<MmapGuard<'_>> {
        guard::lock(&mut self.0, Wait::Ever)
    }

    /// Takes the lock if no living handle has it.
    ///
    /// # Errors
    /// [`WouldBlock`](crate::ErrorKind::WouldBlock), and the errors of [`lock`](Self::lock).
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
    #[doc(alias = "pthread_mutex_trylock")]
    #[doc(alias = "sem_trywait")]
    #[inline]
    pub fn try_lock(&mut self) -> LockResult<MmapGuard<'_>> {
        guard::lock(&mut self.0, Wait::No)
    }

    /// Waits for the lock, for at most `timeout`.
    ///
    /// # Errors
    /// [`Timeout`](crate::ErrorKind::Timeout), and the errors of [`lock`](Self::lock).
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
    /// let error = there.lock_timeout(Duration::from_millis(10)).unwrap_err();
    /// let error = error.into_guard().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Timeout { .. }));
    /// # drop(guard);
    /// # SharedMmap::remove(name)
    /// # }
    /// ```
    #[doc(alias = "pthread_mutex_timedlock")]
    #[doc(alias = "sem_timedwait")]
    #[inline]
    pub fn lock_timeout(&mut self, timeout: Duration) -> LockResult<MmapGuard<'_>> {
        guard::lock(&mut self.0, Wait::within(timeout))
    }
}

impl RwSharedMmap {
    /// Waits for the lock to read.
    ///
    /// # Errors
    /// The errors of [`SharedMmap::lock`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// use std::io::{BufRead, Write};
    ///
    /// use io_shared::RwSharedMmap;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let name = &format!("/doc-rw-read-{}", std::process::id());
    /// let mut writer = RwSharedMmap::named(name).size("1K").open()?;
    /// let mut reader = RwSharedMmap::named(name).open()?; // in another program
    /// writer.write()?.write_all(b"12.5 m\n")?;
    /// let mut line = String::new();
    /// reader.read()?.read_line(&mut line)?; // no writer changes it meanwhile
    /// assert_eq!(line, "12.5 m\n");
    /// # RwSharedMmap::remove(name)?;
    /// # Ok(()) }
    /// ```
    #[doc(alias = "pthread_rwlock_rdlock")]
    #[inline]
    pub fn read(&mut self) -> LockResult<MmapReadGuard<'_>> {
        guard::read(&mut self.0, Wait::Ever)
    }

    /// Takes the lock to read if no living writer has it or waits for it.
    ///
    /// # Errors
    /// The errors of [`SharedMmap::try_lock`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-rw-try-read-{}", std::process::id());
    /// # use io_shared::RwSharedMmap;
    /// let mut writer = RwSharedMmap::named(name).size(16).open()?;
    /// let mut reader = RwSharedMmap::named(name).open()?;
    /// let guard = writer.write()?;
    /// assert!(reader.try_read().is_err());
    /// drop(guard);
    /// assert!(reader.try_read().is_ok());
    /// # RwSharedMmap::remove(name)
    /// # }
    /// ```
    #[doc(alias = "pthread_rwlock_tryrdlock")]
    #[inline]
    pub fn try_read(&mut self) -> LockResult<MmapReadGuard<'_>> {
        guard::read(&mut self.0, Wait::No)
    }

    /// Waits for the lock to read, for at most `timeout`.
    ///
    /// # Errors
    /// The errors of [`SharedMmap::lock_timeout`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-rw-read-timeout-{}", std::process::id());
    /// # use std::time::Duration;
    /// use io_shared::ErrorKind;
    /// # use io_shared::RwSharedMmap;
    /// # let mut writer = RwSharedMmap::named(name).size(16).open()?;
    /// # let mut reader = RwSharedMmap::named(name).open()?;
    /// let guard = writer.write()?;
    /// let error = reader.read_timeout(Duration::from_millis(10)).unwrap_err();
    /// let error = error.into_guard().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Timeout { .. }));
    /// # drop(guard);
    /// # RwSharedMmap::remove(name)
    /// # }
    /// ```
    #[doc(alias = "pthread_rwlock_timedrdlock")]
    #[inline]
    pub fn read_timeout(&mut self, timeout: Duration) -> LockResult<MmapReadGuard<'_>> {
        guard::read(&mut self.0, Wait::within(timeout))
    }

    /// Waits for the lock to write.
    ///
    /// # Errors
    /// The errors of [`SharedMmap::lock`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// use io_shared::mmap::{Bytes, BytesMut};
    /// # fn main() -> io_shared::Result<()> {
    /// let mut table = io_shared::RwSharedMmap::anonymous().size(4).open()?;
    /// table.write()?.as_bytes_mut().copy_from_slice(&[1, 2, 3, 4]);
    /// assert_eq!(table.read()?.as_bytes(), [1, 2, 3, 4]);
    /// # Ok(()) }
    /// ```
    #[doc(alias = "pthread_rwlock_wrlock")]
    #[inline]
    pub fn write(&mut self) -> LockResult<MmapGuard<'_>> {
        guard::lock(&mut self.0, Wait::Ever)
    }

    /// Takes the lock to write if no living handle has it.
    ///
    /// # Errors
    /// The errors of [`SharedMmap::try_lock`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-rw-try-write-{}", std::process::id());
    /// # use io_shared::RwSharedMmap;
    /// let mut writer = RwSharedMmap::named(name).size(16).open()?;
    /// let mut reader = RwSharedMmap::named(name).open()?;
    /// let guard = reader.read()?;
    /// assert!(writer.try_write().is_err());
    /// drop(guard);
    /// assert!(writer.try_write().is_ok());
    /// # RwSharedMmap::remove(name)
    /// # }
    /// ```
    #[doc(alias = "pthread_rwlock_trywrlock")]
    #[inline]
    pub fn try_write(&mut self) -> LockResult<MmapGuard<'_>> {
        guard::lock(&mut self.0, Wait::No)
    }

    /// Waits for the lock to write, for at most `timeout`.
    ///
    /// # Errors
    /// The errors of [`SharedMmap::lock_timeout`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-rw-write-timeout-{}", std::process::id());
    /// # use std::time::Duration;
    /// # use io_shared::RwSharedMmap;
    /// # let mut writer = RwSharedMmap::named(name).size(16).open()?;
    /// # let mut reader = RwSharedMmap::named(name).open()?;
    /// let guard = reader.read()?;
    /// assert!(writer.write_timeout(Duration::from_millis(10)).is_err());
    /// drop(guard);
    /// assert!(writer.write_timeout(Duration::from_secs(10)).is_ok());
    /// # RwSharedMmap::remove(name)
    /// # }
    /// ```
    #[doc(alias = "pthread_rwlock_timedwrlock")]
    #[inline]
    pub fn write_timeout(&mut self, timeout: Duration) -> LockResult<MmapGuard<'_>> {
        guard::lock(&mut self.0, Wait::within(timeout))
    }
}

macro_rules! unlocked {
    ($Type:ident, $kind:expr) => {
        impl $Type {
            /// The number of bytes. It needs no lock: it never changes.
            ///
            /// # Examples
            /// ```
            /// # use io_shared_core as io_shared;
            #[doc = concat!("use io_shared::", stringify!($Type), ";")]
            /// # fn main() -> io_shared::Result<()> {
            /// # let name = &format!("/doc-len-{}", std::process::id());
            #[doc = concat!("let shared = ", stringify!($Type), "::named(name).size(16).open()?;")]
            /// assert_eq!((shared.len(), shared.is_empty()), (16, false));
            /// assert_eq!(shared.name(), name);
            #[doc = concat!("# ", stringify!($Type), "::remove(name)")]
            /// # }
            /// ```
            #[allow(clippy::len_without_is_empty, reason = "is_empty follows")]
            pub fn len(&self) -> usize {
                self.0.len()
            }

            /// Whether there are no bytes. [`len`](Self::len) has an example.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Removes the region of this name from shared memory. Its users get
            /// [`Replaced`](crate::ErrorKind::Replaced) from then on.
            ///
            /// # Errors
            /// [`NotFound`](crate::ErrorKind::NotFound),
            /// [`Mismatch`](crate::ErrorKind::Mismatch) (a region of another kind),
            /// [`NotOwner`](crate::ErrorKind::NotOwner),
            /// [`NotARegion`](crate::ErrorKind::NotARegion) (foreign files are left alone),
            /// [`BadName`](crate::ErrorKind::BadName), [`Busy`](crate::ErrorKind::Busy),
            /// [`System`](crate::ErrorKind::System).
            ///
            /// # Examples
            /// ```
            /// # use io_shared_core as io_shared;
            /// use io_shared::ErrorKind;
            #[doc = concat!("use io_shared::", stringify!($Type), ";")]
            /// # fn main() -> io_shared::Result<()> {
            /// # let name = &format!("/doc-mmap-remove-{}", std::process::id());
            #[doc = concat!("let shared = ", stringify!($Type), "::named(name).size(16).open()?;")]
            /// // From now on every lock of `shared` is `Replaced`.
            #[doc = concat!(stringify!($Type), "::remove(name)?;")]
            #[doc = concat!("let error = ", stringify!($Type), "::remove(name).unwrap_err();")]
            /// assert_eq!(*error.kind(), ErrorKind::NotFound);
            /// # Ok(()) }
            /// ```
            #[doc(alias = "shm_unlink")]
            pub fn remove(name: impl AsRef<str>) -> Result<()> {
                crate::slot::remove(&Name::new(name.as_ref())?.into(), $kind)
            }

            /// The name or location, as errors show it. [`len`](Self::len) has an example.
            pub fn name(&self) -> &str {
                self.0.region.name()
            }

            /// A descriptor to pass to another process, if the region has no name.
            ///
            /// # Examples
            /// ```
            /// # use io_shared_core as io_shared;
            #[doc = concat!("use io_shared::", stringify!($Type), ";")]
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = concat!("let here = ", stringify!($Type), "::anonymous().size(16).open()?;")]
            /// let descriptor = here.as_fd().expect("it has no name").try_clone_to_owned()?;
            #[doc = concat!("let there = ", stringify!($Type), "::from_fd(descriptor).open()?;")]
            /// assert_eq!(there.len(), 16);
            /// # Ok(()) }
            /// ```
            pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
                self.0.as_fd()
            }
        }

        impl Seek for $Type {
            /// Moves this handle's position. It needs no lock: each handle has its own position.
            fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
                self.0.seek(to)
            }
        }
    };
}
unlocked!(SharedMmap, Kind::Mmap);
unlocked!(RwSharedMmap, Kind::RwMmap);
