//! A typed value under a reader-writer lock.

mod bytes;
mod change;
mod guard;
mod named;

use std::fmt;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

pub use self::bytes::StateBytes;
pub use self::guard::{StateGuard, StateReadGuard};
use self::named::State;
use super::handle::{Access, LockHold, Wait};
use super::lock_error::{LockError, LockResult, clean_or_dirty};
use super::options::{Mmap, MmapOptions, locations};
use crate::error::Result;
use crate::message::Message;
use crate::region::{Kind, Name};

/// What to do about a value that is none of its type.
const SET_IT: &str = "write a whole value with Shared::set";

/// A value of type `T` that unrelated programs read and write. Opening it checks the type field by
/// field. The value is all zeros at first, or what [`initial`](MmapOptions::initial) says.
///
/// If the state is removed or replaced, its handles go on in the one that has the name then, or
/// create it anew, as it was opened: at the next lock, within 100 ms.
///
/// # Examples
/// ```
/// # use io_shared_core as io_shared;
/// use io_shared::Shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-shared-{}", std::process::id());
/// let mut here = Shared::<[i32; 2]>::open(name)?;
/// let mut there = Shared::<[i32; 2]>::open(name)?; // in another program
/// here.write()?[0] = 42;
/// there.update(|pair| pair[1] = pair[0] + 1)?;
/// assert_eq!(here.get()?, [42, 43]);
/// # Shared::<[i32; 2]>::remove(name)
/// # }
/// ```
pub struct Shared<T: Message> {
    state: State,
    value: PhantomData<fn() -> T>,
}

impl<T: Message> Mmap for Shared<T> {
    fn open(options: &MmapOptions<Self>) -> Result<Self> {
        options.refuse(&["size"], "the size is that of the type")?;
        let spec = options.spec(Kind::State, T::schema(), Some(T::SHAPE.size as u64))?;
        Ok(Self { state: State::open(options.location()?, spec)?, value: PhantomData })
    }
}

locations!(Shared<T>, T: Message);

impl<T: Message> Shared<T> {
    /// Opens or creates the value of this name in shared memory, with every option at its default.
    ///
    /// # Errors
    /// The errors of [`MmapOptions::open`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-state-open-{}", std::process::id());
    /// use io_shared::{ErrorKind, Shared};
    /// let mut pose = Shared::<[f64; 3]>::open(name)?;
    /// assert_eq!(pose.get()?, [0.0; 3]); // created here
    /// let error = Shared::<[f32; 3]>::open(name).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }));
    /// # Shared::<[f64; 3]>::remove(name)
    /// # }
    /// ```
    pub fn open(name: impl AsRef<str>) -> Result<Self> {
        Self::named(name).open()
    }

    /// Opens or creates the value in this file, which keeps it.
    ///
    /// # Errors
    /// The errors of [`MmapOptions::open`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("doc-open-file-{}", std::process::id()));
    /// use io_shared::Shared;
    /// Shared::<[i32; 2]>::open_file(&path)?.update(|pair| *pair = [4, 2])?;
    /// // After a restart, or a reboot:
    /// assert_eq!(Shared::<[i32; 2]>::open_file(&path)?.get()?, [4, 2]);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(()) }
    /// ```
    pub fn open_file(path: impl Into<PathBuf>) -> Result<Self> {
        Self::file(path).open()
    }

    /// Waits for the lock to read.
    ///
    /// # Errors
    /// The errors of [`SharedMmap::lock`](super::SharedMmap::lock), and
    /// [`BadValue`](crate::ErrorKind::BadValue) if a `bool` or an enum in the value has no such
    /// value, which [`set`](Self::set) mends.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// use io_shared::Shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-state-read-{}", std::process::id());
    /// # Shared::<[f64; 3]>::open(name)?.update(|pose| *pose = [1.0, 2.0, 0.5])?;
    /// let mut pose = Shared::<[f64; 3]>::open(name)?;
    /// let guard = pose.read()?; // no writer changes it meanwhile
    /// let distance = guard[0].hypot(guard[1]);
    /// # assert_eq!(distance, 5_f64.sqrt());
    /// # drop(guard);
    /// # Shared::<[f64; 3]>::remove(name)
    /// # }
    /// ```
    #[doc(alias = "pthread_rwlock_rdlock")]
    #[inline]
    pub fn read(&mut self) -> LockResult<StateReadGuard<'_, T>> {
        self.take_read(Wait::Ever)
    }

    /// Waits for the lock to read, for at most `timeout`; a timeout of 0 tries once.
    ///
    /// # Errors
    /// [`Timeout`](crate::ErrorKind::Timeout), and the errors of [`read`](Self::read).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-state-read-timeout-{}", std::process::id());
    /// # use std::time::Duration;
    /// use io_shared::{ErrorKind, Shared};
    /// let mut here = Shared::<[i32; 2]>::open(name)?;
    /// let mut there = Shared::<[i32; 2]>::open(name)?;
    /// let guard = here.write()?;
    /// let error = there.read_timeout(Duration::from_millis(10)).unwrap_err();
    /// let error = error.into_guard().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Timeout { .. }));
    /// # drop(guard);
    /// # Shared::<[i32; 2]>::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn read_timeout(&mut self, timeout: Duration) -> LockResult<StateReadGuard<'_, T>> {
        self.take_read(Wait::within(timeout))
    }

    #[inline]
    fn take_read(&mut self, wait: Wait) -> LockResult<StateReadGuard<'_, T>> {
        match self.take(Access::Read, wait) {
            Ok((held, dirty)) => {
                clean_or_dirty(StateReadGuard { lock: held, value: PhantomData }, dirty)
            }
            Err(error) => Err(LockError::Failed(error)),
        }
    }

    /// Takes the lock, and checks the value; returns whether the content is dirty.
    #[inline(always)]
    fn take(&mut self, access: Access, wait: Wait) -> Result<(LockHold<'_>, bool)> {
        let (held, dirty) = self.state.take(access, wait)?;
        if T::CHECKED {
            let region = &held.handle.region;
            // SAFETY: the region's one buffer spans a T, and the lock keeps writers away.
            let checked = unsafe { T::check(held.handle.start(), T::SHAPE.size) };
            checked.map_err(|invalid| region.bad_value::<T>(invalid, SET_IT))?;
        }
        Ok((held, dirty))
    }

    /// Writes `value` without looking at what there is, and says that the content is whole: it
    /// mends what a writer left half-written, and a value that is none of `T` ([`BadValue`]).
    ///
    /// [`BadValue`]: crate::ErrorKind::BadValue
    ///
    /// # Errors
    /// The errors of [`write`](Self::write), without `OwnerDied` and `BadValue`.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-state-set-{}", std::process::id());
    /// use io_shared::Shared;
    /// let mut pair = Shared::<[i32; 2]>::open(name)?;
    /// # let mut dying = Shared::<[i32; 2]>::open(name)?;
    /// # std::mem::forget(dying.write()?);
    /// # drop(dying);
    /// // A program was killed between its two writes.
    /// assert!(pair.get().is_err());
    /// pair.set(&[0, 0])?;
    /// assert_eq!(pair.get()?, [0, 0]);
    /// # Shared::<[i32; 2]>::remove(name)
    /// # }
    /// ```
    pub fn set(&mut self, value: &T) -> Result<()> {
        self.state.set(value.as_bytes(), Wait::Ever)
    }

    /// Waits for the lock to write.
    ///
    /// # Errors
    /// The errors of [`read`](Self::read).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-state-write-{}", std::process::id());
    /// use io_shared::Shared;
    /// use io_shared::mmap::LockError;
    /// # let mut pair = Shared::<[i32; 2]>::open(name)?;
    /// # let mut dying = Shared::<[i32; 2]>::open(name)?;
    /// # std::mem::forget(dying.write()?);
    /// # drop(dying);
    /// let mut guard = match pair.write() {
    ///     Err(LockError::OwnerDied(mut guard)) => {
    ///         *guard = [0, 0]; // mends what may be half-written
    ///         guard.mark_consistent();
    ///         guard
    ///     }
    ///     other => other?,
    /// };
    /// guard[0] += 1;
    /// # drop(guard);
    /// # assert_eq!(pair.get()?, [1, 0]);
    /// # Shared::<[i32; 2]>::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn write(&mut self) -> LockResult<StateGuard<'_, T>> {
        self.take_write(Wait::Ever)
    }

    /// Waits for the lock to write, for at most `timeout`; a timeout of 0 tries once.
    ///
    /// # Errors
    /// [`Timeout`](crate::ErrorKind::Timeout), and the errors of [`write`](Self::write).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-state-write-timeout-{}", std::process::id());
    /// # use std::time::Duration;
    /// use io_shared::Shared;
    /// let mut here = Shared::<[i32; 2]>::open(name)?;
    /// let mut there = Shared::<[i32; 2]>::open(name)?;
    /// let guard = here.read()?;
    /// assert!(there.write_timeout(Duration::ZERO).is_err()); // tries once
    /// drop(guard);
    /// there.write_timeout(Duration::from_secs(10))?[0] = 42;
    /// # assert_eq!(here.get()?, [42, 0]);
    /// # Shared::<[i32; 2]>::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn write_timeout(&mut self, timeout: Duration) -> LockResult<StateGuard<'_, T>> {
        self.take_write(Wait::within(timeout))
    }

    #[inline]
    fn take_write(&mut self, wait: Wait) -> LockResult<StateGuard<'_, T>> {
        match self.take(Access::Write, wait) {
            Ok((held, dirty)) => {
                clean_or_dirty(StateGuard { lock: held, value: PhantomData }, dirty)
            }
            Err(error) => Err(LockError::Failed(error)),
        }
    }

    /// Returns a copy of the value.
    ///
    /// # Errors
    /// [`OwnerDied`](crate::ErrorKind::OwnerDied) if a writer died in the middle: a half-written
    /// value is never returned as if it were whole. Otherwise the errors of [`read`](Self::read).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// let mut counter = io_shared::Shared::<u64>::anonymous().open()?;
    /// counter.update(|count| *count += 1)?;
    /// assert_eq!(counter.get()?, 1);
    /// # Ok(()) }
    /// ```
    pub fn get(&mut self) -> Result<T>
    where
        T: Copy,
    {
        Ok(*self.read()?)
    }

    /// Calls `change` with the value, while nobody else reads or writes it, and returns its result.
    ///
    /// # Errors
    /// [`OwnerDied`](crate::ErrorKind::OwnerDied) if an earlier writer died in the middle: `change`
    /// is not called. Otherwise the errors of [`write`](Self::write).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-state-update-{}", std::process::id());
    /// use io_shared::Shared;
    /// let mut pair = Shared::<[i32; 2]>::open(name)?;
    /// let before = pair.update(|pair| std::mem::replace(&mut pair[0], 42))?;
    /// assert_eq!((before, pair.get()?), (0, [42, 0]));
    /// # Shared::<[i32; 2]>::remove(name)
    /// # }
    /// ```
    pub fn update<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Result<R> {
        Ok(change(&mut *self.write()?))
    }

    /// Writes the value, with its checksum, to its file, if it has one, once no writer has the
    /// lock. Returns when it is on disk (msync), so that it survives a reboot.
    ///
    /// # Errors
    /// [`System`](crate::ErrorKind::System), [`WouldDeadlock`](crate::ErrorKind::WouldDeadlock) (a
    /// forgotten guard of this handle), [`Replaced`](crate::ErrorKind::Replaced),
    /// [`RoleLost`](crate::ErrorKind::RoleLost), [`ForkedHandle`](crate::ErrorKind::ForkedHandle).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("doc-state-flush-{}", std::process::id()));
    /// let mut settings = io_shared::Shared::<[u32; 2]>::open_file(&path)?;
    /// settings.update(|pair| *pair = [640, 480])?;
    /// settings.flush()?;
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(()) }
    /// ```
    #[doc(alias = "msync")]
    pub fn flush(&self) -> Result<()> {
        self.state.handle.flush()
    }

    /// Removes the value of this name from shared memory. A handle that is still open creates it
    /// anew at its next lock.
    ///
    /// # Errors
    /// The errors of [`SharedMmap::remove`](super::SharedMmap::remove).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-state-remove-{}", std::process::id());
    /// use io_shared::Shared;
    /// let mut pair = Shared::<[i32; 2]>::open(name)?;
    /// pair.set(&[4, 2])?;
    /// Shared::<[i32; 2]>::remove(name)?;
    /// assert_eq!(pair.get()?, [0, 0]);
    /// # Shared::<[i32; 2]>::remove(name)
    /// # }
    /// ```
    #[doc(alias = "shm_unlink")]
    pub fn remove(name: impl AsRef<str>) -> Result<()> {
        crate::slot::remove(&Name::new(name.as_ref())?.into(), Kind::State)
    }

    /// The name or location, as errors show it.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// let pair = io_shared::Shared::<[i32; 2]>::anonymous().open()?;
    /// assert_eq!(pair.name(), "anonymous shared memory");
    /// # Ok(()) }
    /// ```
    pub fn name(&self) -> &str {
        self.state.handle.region.name()
    }

    /// A descriptor to pass to another process, if the value has no name.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use io_shared::Shared;
    /// let mut here = Shared::<[i32; 2]>::anonymous().open()?;
    /// let descriptor = here.as_fd().expect("it has no name").try_clone_to_owned()?; // or sent
    /// let mut there = Shared::<[i32; 2]>::from_fd(descriptor).open()?;
    /// here.write()?[0] = 42;
    /// assert_eq!(there.get()?, [42, 0]);
    /// # Ok(()) }
    /// ```
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.state.handle.as_fd()
    }
}

impl<T: Message> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("name", &self.name()).finish_non_exhaustive()
    }
}
