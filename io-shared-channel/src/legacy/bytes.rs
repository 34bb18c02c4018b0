//! Shared bytes under the semaphores of the package that this project began as: one lock, or a lock
//! for one writer or many readers.
//!
//! A writer takes `_write`, and waits until `_read` is back at the number of readers. A reader
//! takes `_write`, takes one of `_read`, and gives `_write` back; the one of `_read` follows when
//! it is done.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use io_shared_core::legacy::Objects;
use io_shared_core::{Error, ErrorKind, Result, Size};

use super::wait::{Wait, Waits};
use super::{LOCK_TIMEOUT, size_of_object};

/// The semaphores by number: the only one or `_write`, and `_read`.
const WRITE: usize = 0;
const READ: usize = 1;

/// Shared bytes, for bindings: locks that no borrow keeps. [`SharedMmap`] and [`RwSharedMmap`] are
/// what Rust programs use.
#[derive(Debug)]
pub struct LegacyBytes {
    objects: Objects,
    waits: Waits,
    size: u64,
    /// How many readers there may be; `None`: one lock for all.
    readers: Option<u32>,
    held: Option<Held>,
}

/// A lock that was taken.
#[derive(Debug, Clone, Copy)]
struct Held {
    semaphore: usize,
    /// The process that took it: its child has not.
    process: u32,
}

impl LegacyBytes {
    /// Opens the bytes, and creates what is missing. `readers`: how many readers there may be
    /// together; `None` for one lock.
    ///
    /// # Errors
    /// Those of [`SharedMmap::open`].
    pub fn open(
        name: &str,
        size: impl Into<Size>,
        readers: Option<u32>,
        lock_timeout: Duration,
    ) -> Result<Self> {
        let size = size_of_object(name, Some(size.into()))?;
        let mut objects = match readers {
            None => Objects::new(name, &[("", 1)]),
            Some(readers) => Objects::new(name, &[("_write", 1), ("_read", readers)]),
        }?;
        let mut waits = Waits::new(lock_timeout);
        waits.locks_any = true;
        waits.try_open(&mut objects, size)?;
        Ok(Self { objects, waits, size, readers, held: None })
    }

    /// The name, as errors show it.
    pub fn name(&self) -> String {
        self.objects.name()
    }

    /// How many bytes there are: as many as were asked for, or fewer if the object is smaller.
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn size(&self) -> Result<u64> {
        match self.objects.is_open() {
            true => Ok(self.objects.size()?.min(self.size)),
            false => Ok(self.size),
        }
    }

    /// Takes the lock to write, or to read together with other readers. `timeout`: gives up before
    /// the lock timeout.
    ///
    /// # Errors
    /// Those of [`SharedMmap::lock`]; [`ErrorKind::WouldDeadlock`] if this handle has it already;
    /// [`ErrorKind::Timeout`].
    pub fn lock(&mut self, writes: bool, timeout: Option<Duration>) -> Result<()> {
        if self.held.is_some_and(|held| held.process == std::process::id()) {
            return Err(Error::new(self.name(), ErrorKind::WouldDeadlock));
        }
        let mut opening = Wait::new(Some(timeout.unwrap_or(self.waits.lock_timeout)));
        let mut locking = Wait::new(timeout);
        loop {
            self.waits.open(&mut self.objects, self.size, &mut opening)?;
            if let Some(semaphore) = self.take(writes, &mut locking)? {
                self.held = Some(Held { semaphore, process: std::process::id() });
                return Ok(());
            }
        }
    }

    /// Takes what must be taken, and returns which semaphore is given back at the end. `None`: the
    /// names lead elsewhere by now.
    fn take(&mut self, writes: bool, wait: &mut Wait) -> Result<Option<usize>> {
        let Self { objects, waits, readers, .. } = self;
        let objects: &Objects = objects;
        let take = |number| move || Ok(objects.try_take(number)?.then_some(()));
        if waits.get(objects, WRITE, wait, take(WRITE))?.is_none() {
            return Ok(None);
        }
        let Some(readers) = *readers else { return Ok(Some(WRITE)) };
        let all_are_back = || Ok((objects.value(READ)? >= readers).then_some(()));
        let entered = match writes {
            true => waits.get(objects, READ, wait, all_are_back),
            false => waits.get(objects, READ, wait, take(READ)),
        };
        if !writes || !matches!(entered, Ok(Some(()))) {
            objects.give(WRITE)?;
        }
        let semaphore = if writes { WRITE } else { READ };
        Ok(entered?.map(|()| semaphore))
    }

    /// Gives the lock back, if this process has it by this handle.
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn unlock(&mut self) -> Result<()> {
        match self.held.take() {
            Some(held) if held.process == std::process::id() => self.objects.give(held.semaphore),
            _ => Ok(()),
        }
    }

    /// Reads all of `bytes` from `at` on.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBounds`] if there are fewer, [`ErrorKind::System`].
    pub fn read_at(&self, bytes: &mut [u8], at: u64) -> Result<()> {
        self.check(at, bytes.len())?;
        match self.objects.read_at(bytes, at)? {
            read if read == bytes.len() => Ok(()),
            // It was cut short since.
            _ => Err(self.out_of_bounds(at, bytes.len())),
        }
    }

    /// Writes all of `bytes` from `at` on.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBounds`] if there are fewer, [`ErrorKind::NoSpace`],
    /// [`ErrorKind::System`].
    pub fn write_at(&mut self, bytes: &[u8], at: u64) -> Result<()> {
        self.check(at, bytes.len())?;
        self.objects.reserve(at + bytes.len() as u64)?;
        self.objects.write_at(bytes, at)
    }

    fn check(&self, at: u64, length: usize) -> Result<()> {
        match at.checked_add(length as u64) {
            Some(end) if end <= self.size()? => Ok(()),
            _ => Err(self.out_of_bounds(at, length)),
        }
    }

    #[cold]
    fn out_of_bounds(&self, at: u64, length: usize) -> Error {
        let size = self.size().unwrap_or(0);
        let kind = ErrorKind::OutOfBounds { at, length: length as u64, size };
        Error::new(self.name(), kind)
    }
}

impl Drop for LegacyBytes {
    fn drop(&mut self) {
        // It fails only if the semaphore has too many already, and so is no lock.
        let _ = self.unlock();
    }
}

/// The bytes of a `SharedMMap` of the package that this project began as, under its one lock.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-legacy-bytes-{}", std::process::id());
/// use io_shared::legacy::SharedMmap;
/// let mut state = SharedMmap::open(name, "4K")?;
/// state.lock()?.write_at(b"hello", 0)?;
/// let mut hello = [0; 5];
/// state.lock()?.read_at(&mut hello, 0)?;
/// assert_eq!(&hello, b"hello");
/// # for file in ["", "sem."] {
/// #     std::fs::remove_file(format!("/dev/shm/{file}{}", &name[1..])).unwrap();
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SharedMmap(LegacyBytes);

impl SharedMmap {
    /// Opens the bytes of that name, which is taken as it is, and creates object and semaphore if
    /// they are missing. An object that is there keeps its size. It gets its semaphores from the
    /// first lock on, if it has none.
    ///
    /// # Errors
    /// [`ErrorKind::BadName`], [`ErrorKind::BadSize`], [`ErrorKind::BadOption`];
    /// [`ErrorKind::Unsupported`] if something else has one of the names, or in a program built
    /// with musl; [`ErrorKind::FileSizeLimit`], [`ErrorKind::System`].
    ///
    /// # Examples
    /// [`SharedMmap`] has one.
    pub fn open(name: impl AsRef<str>, size: impl Into<Size>) -> Result<Self> {
        LegacyBytes::open(name.as_ref(), size, None, LOCK_TIMEOUT).map(Self)
    }

    /// Sets how long a wait for the lock lasts: 5 seconds if nothing is said.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-legacy-stuck-{}", std::process::id());
    /// use io_shared::{ErrorKind, legacy::SharedMmap};
    /// use std::time::Duration;
    /// let mut dead = SharedMmap::open(name, 8)?;
    /// let mut state = SharedMmap::open(name, 8)?.lock_timeout(Duration::from_millis(20));
    /// let held = dead.lock()?;
    /// let error = state.lock().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::LegacyLockStuck { .. }));
    /// assert!(error.to_string().contains("fuser -v /dev/shm/sem.doc-legacy-stuck"));
    /// # drop(held);
    /// # for file in ["", "sem."] {
    /// #     std::fs::remove_file(format!("/dev/shm/{file}{}", &name[1..])).unwrap();
    /// # }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.0.waits.lock_timeout = timeout;
        self
    }

    /// Takes the lock, and gives it back when the guard is dropped. If the objects were replaced,
    /// the guard is one of those that have the names now.
    ///
    /// # Errors
    /// [`ErrorKind::LegacyLockStuck`]; [`ErrorKind::Timeout`] if a part of the objects is missing
    /// for as long as the lock timeout; and those of [`open`](Self::open).
    ///
    /// # Examples
    /// [`SharedMmap`] has one.
    pub fn lock(&mut self) -> Result<GuardMut<'_>> {
        self.0.lock(true, None)?;
        Ok(GuardMut(Guard(&mut self.0)))
    }
}

/// The bytes of a `RWSharedMMap` of the package that this project began as, under its lock for one
/// writer or many readers.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-legacy-rw-{}", std::process::id());
/// use io_shared::legacy::RwSharedMmap;
/// let mut state = RwSharedMmap::open(name, "4K", 1000)?;
/// let mut other = RwSharedMmap::open(name, "4K", 1000)?;
/// state.write()?.write_at(b"hello", 0)?;
/// let (reader, too) = (state.read()?, other.read()?);
/// assert_eq!((reader.size()?, too.size()?), (4096, 4096));
/// # drop((reader, too));
/// # for file in ["", "sem.", "_write", "_read"] {
/// #     let sem = file.starts_with('_').then_some("sem.");
/// #     let (before, after) = sem.map_or((file, ""), |sem| (sem, file));
/// #     let _ = std::fs::remove_file(format!("/dev/shm/{before}{}{after}", &name[1..]));
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct RwSharedMmap(LegacyBytes);

impl RwSharedMmap {
    /// As [`SharedMmap::open`]. `max_readers` is the same on every side (1000 on the other, if it
    /// does not say).
    ///
    /// # Errors
    /// Those of [`SharedMmap::open`]; [`ErrorKind::BadOption`] if there are no readers.
    ///
    /// # Examples
    /// [`RwSharedMmap`] has one.
    pub fn open(name: impl AsRef<str>, size: impl Into<Size>, max_readers: u32) -> Result<Self> {
        let name = name.as_ref();
        if max_readers == 0 {
            let (found, expected) = ("0".into(), "there must be at least one reader".into());
            let kind = ErrorKind::BadOption { option: "max_readers", found, expected };
            return Err(Error::new(name, kind));
        }
        LegacyBytes::open(name, size, Some(max_readers), LOCK_TIMEOUT).map(Self)
    }

    /// As [`SharedMmap::lock_timeout`].
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.0.waits.lock_timeout = timeout;
        self
    }

    /// Takes the lock to read, together with other readers. [`RwSharedMmap`] has an example.
    ///
    /// # Errors
    /// Those of [`SharedMmap::lock`].
    pub fn read(&mut self) -> Result<Guard<'_>> {
        self.0.lock(false, None)?;
        Ok(Guard(&mut self.0))
    }

    /// Takes the lock to write, alone. [`RwSharedMmap`] has an example.
    ///
    /// # Errors
    /// Those of [`SharedMmap::lock`]. It is also stuck if a reader died, which leaves `_read` below
    /// its number for good.
    pub fn write(&mut self) -> Result<GuardMut<'_>> {
        self.0.lock(true, None)?;
        Ok(GuardMut(Guard(&mut self.0)))
    }
}

/// Bytes that may be read, until it is dropped. [`RwSharedMmap::read`] returns it.
pub struct Guard<'a>(&'a mut LegacyBytes);

impl Guard<'_> {
    /// How many bytes there are. [`RwSharedMmap`] has an example.
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn size(&self) -> Result<u64> {
        self.0.size()
    }

    /// Reads all of `bytes` from `at` on. [`SharedMmap`] has an example.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBounds`] if there are fewer, also because the object was cut short
    /// meanwhile; [`ErrorKind::System`].
    pub fn read_at(&self, bytes: &mut [u8], at: u64) -> Result<()> {
        self.0.read_at(bytes, at)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // As when the handle is dropped.
        let _ = self.0.unlock();
    }
}

impl fmt::Debug for Guard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("name", &self.0.name()).finish_non_exhaustive()
    }
}

/// Bytes that may be read and written, until it is dropped. [`SharedMmap::lock`] and
/// [`RwSharedMmap::write`] return it.
#[derive(Debug)]
pub struct GuardMut<'a>(Guard<'a>);

impl GuardMut<'_> {
    /// Writes all of `bytes` from `at` on. [`SharedMmap`] has an example.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBounds`] if there are fewer, [`ErrorKind::NoSpace`],
    /// [`ErrorKind::System`].
    pub fn write_at(&mut self, bytes: &[u8], at: u64) -> Result<()> {
        self.0.0.write_at(bytes, at)
    }
}

impl<'a> Deref for GuardMut<'a> {
    type Target = Guard<'a>;

    fn deref(&self) -> &Guard<'a> {
        &self.0
    }
}
