//! Typed state whose type is known by its schema alone: for bindings of other languages.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::named::State;
use crate::error::{Error, ErrorKind, Result};
use crate::message::schema::{Checks, Schema};
use crate::mmap::guard::{MmapGuard, MmapReadGuard};
use crate::mmap::handle::{Access, LockHold, Wait};
use crate::mmap::lock_error::{LockError, LockResult, clean_or_dirty};
use crate::mmap::options::{Mmap, MmapOptions, locations};
use crate::region::{Kind, Name};

/// What to do about a value that is none of its type.
const SET_IT: &str = "write a whole value";

/// The bytes of typed state, of a type that a [`Schema`] describes: what a
/// [`Shared<T>`](super::Shared) is to a binding of another language.
///
/// # Examples
/// ```
/// # use io_shared_core as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-state-bytes-{}", std::process::id());
/// use io_shared::mmap::{Bytes, BytesMut, StateBytes};
/// use io_shared::{Message, Shared};
/// let schema = <[u8; 4]>::schema(); // or of a text
/// let mut there = StateBytes::named(name).schema(schema).initial_bytes(*b"cold").open()?;
/// let mut here = Shared::<[u8; 4]>::open(name)?;
/// assert!(here.changed()?);
/// there.write(None)?.as_bytes_mut()[0] = b'b';
/// assert_eq!((here.get()?, there.read(None)?.as_bytes()), (*b"bold", &b"bold"[..]));
/// # Shared::<[u8; 4]>::remove(name)
/// # }
/// ```
pub struct StateBytes(State);

impl Mmap for StateBytes {
    fn open(options: &MmapOptions<Self>) -> Result<Self> {
        options.refuse(&["size"], "the size is that of the type")?;
        let refused = |option, found: &str, expected: &str| {
            let (found, expected) = (found.to_owned(), expected.to_owned());
            Error::new(options.place(), ErrorKind::BadOption { option, found, expected })
        };
        let Some(schema) = options.schema.clone() else {
            return Err(refused("schema", "none", "the type of the state"));
        };
        let shape = schema.root().shape();
        if shape.element.is_some() {
            return Err(refused("schema", "a type of no fixed size", "state has a fixed size"));
        }
        if let Some(initial) = &options.initial {
            check_value(&options.place(), &schema, "initial", initial)?;
        }
        let spec = options.spec(Kind::State, schema, Some(shape.size as u64))?;
        Ok(Self(State::open(options.location()?, spec)?))
    }
}

locations!(StateBytes);

/// Checks that these bytes are a whole value of the type.
fn check_value(name: &str, schema: &Schema, option: &'static str, value: &[u8]) -> Result<()> {
    let size = schema.root().shape().size;
    if value.len() != size {
        let found = format!("{} bytes", value.len());
        let expected = format!("a value of the type has {size} bytes");
        return Err(Error::new(name, ErrorKind::BadOption { option, found, expected }));
    }
    let checked = Checks::of(schema.root()).check(value);
    checked.map_err(|invalid| Error::bad_value(name, schema.root(), invalid))
}

impl MmapOptions<StateBytes> {
    /// The type of the state. It is needed. [`StateBytes`] has an example.
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// What the value is at first, if this opening creates it: a whole one. [`StateBytes`] has an
    /// example.
    pub fn initial_bytes(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.initial = Some(value.into());
        self
    }
}

impl StateBytes {
    /// Waits for the lock to read, for at most `timeout`; without one, for ever. 0 tries once.
    ///
    /// # Errors
    /// The errors of [`Shared::read_timeout`](super::Shared::read_timeout); with a timeout of 0,
    /// [`WouldBlock`](ErrorKind::WouldBlock) in place of `Timeout`.
    ///
    /// # Examples
    /// [`StateBytes`] has one.
    pub fn read(&mut self, timeout: Option<Duration>) -> LockResult<MmapReadGuard<'_>> {
        match self.take(Access::Read, timeout) {
            Ok((held, dirty)) => clean_or_dirty(MmapReadGuard::of(held), dirty),
            Err(error) => Err(LockError::Failed(error)),
        }
    }

    /// As [`read`](Self::read), to write. What is written is checked by whoever locks it next.
    ///
    /// # Errors
    /// The errors of [`read`](Self::read).
    ///
    /// # Examples
    /// [`StateBytes`] has one.
    pub fn write(&mut self, timeout: Option<Duration>) -> LockResult<MmapGuard<'_>> {
        match self.take(Access::Write, timeout) {
            Ok((held, dirty)) => clean_or_dirty(MmapGuard::of(held), dirty),
            Err(error) => Err(LockError::Failed(error)),
        }
    }

    fn take(&mut self, access: Access, timeout: Option<Duration>) -> Result<(LockHold<'_>, bool)> {
        let (held, dirty) = self.0.take(access, wait(timeout))?;
        let handle = &held.handle;
        // SAFETY: the region's one buffer has that many bytes, and the lock keeps writers away.
        let checked = unsafe { handle.region.check_bytes::<[u8]>(handle.start(), handle.len()) };
        checked.map_err(|invalid| handle.region.bad_value::<[u8]>(invalid, SET_IT))?;
        Ok((held, dirty))
    }

    /// Writes a whole value without looking at what there is, as
    /// [`Shared::set`](super::Shared::set) does.
    ///
    /// # Errors
    /// [`BadOption`](ErrorKind::BadOption) if the value has another length than the type;
    /// [`BadValue`](ErrorKind::BadValue) if it is none of the type; otherwise the errors of
    /// [`write`](Self::write), without `OwnerDied`.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// use io_shared::Message;
    /// use io_shared::mmap::{Bytes, StateBytes};
    /// let mut state = StateBytes::anonymous().schema(<[u8; 4]>::schema()).open()?;
    /// assert!(state.set(b"too long", None).is_err());
    /// state.set(b"warm", None)?;
    /// assert_eq!(state.read(None)?.as_bytes(), b"warm");
    /// # Ok(()) }
    /// ```
    pub fn set(&mut self, value: &[u8], timeout: Option<Duration>) -> Result<()> {
        check_value(self.name(), self.0.region().schema(), "value", value)?;
        self.0.set(value, wait(timeout))
    }

    /// As [`Shared::changed`](super::Shared::changed).
    ///
    /// # Errors
    /// Those of [`Shared::changed`](super::Shared::changed).
    ///
    /// # Examples
    /// [`Shared::changed`](super::Shared::changed) has one.
    pub fn changed(&mut self) -> Result<bool> {
        self.0.changed()
    }

    /// As [`Shared::wait_changed`](super::Shared::wait_changed).
    ///
    /// # Errors
    /// Those of [`Shared::wait_changed`](super::Shared::wait_changed).
    ///
    /// # Examples
    /// [`Shared::wait_changed`](super::Shared::wait_changed) has one.
    pub fn wait_changed(&mut self, timeout: Duration) -> Result<()> {
        self.0.wait_changed(timeout)
    }

    /// Whether this handle created the state, as [`Shared::created`](super::Shared::created) says.
    pub fn created(&self) -> bool {
        self.0.handle.created()
    }

    /// How many bytes a value has.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// use io_shared::Message;
    /// use io_shared::mmap::StateBytes;
    /// let state = StateBytes::anonymous().schema(u64::schema()).open()?;
    /// assert_eq!(state.size(), 8);
    /// # Ok(()) }
    /// ```
    pub fn size(&self) -> usize {
        self.0.handle.len()
    }

    /// The name or location, as errors show it.
    ///
    /// # Examples
    /// [`Shared::name`](super::Shared::name) has one.
    pub fn name(&self) -> &str {
        self.0.region().name()
    }

    /// A descriptor to pass to another process, if the state has no name.
    ///
    /// # Examples
    /// [`Shared::as_fd`](super::Shared::as_fd) has one.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.handle.as_fd()
    }

    /// Removes the state of this name, of any type, from shared memory.
    ///
    /// # Errors
    /// Those of [`Shared::remove`](super::Shared::remove).
    ///
    /// # Examples
    /// [`Shared::remove`](super::Shared::remove) has one.
    pub fn remove(name: impl AsRef<str>) -> Result<()> {
        crate::slot::remove(&Name::new(name.as_ref())?.into(), Kind::State)
    }
}

/// How long to wait for a lock with this timeout.
fn wait(timeout: Option<Duration>) -> Wait {
    match timeout {
        None => Wait::Ever,
        Some(Duration::ZERO) => Wait::No,
        Some(timeout) => Wait::within(timeout),
    }
}

impl fmt::Debug for StateBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateBytes").field("name", &self.name()).finish_non_exhaustive()
    }
}
