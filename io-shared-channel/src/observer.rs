//! The observer: the handle of a channel that looks on.
//!
//! An observer takes no slot and holds nothing. It copies the newest value and checks afterwards
//! that the producer did not refill the buffer during the copy.

use std::marker::PhantomData;
use std::time::Duration;

use io_shared_core::slot::{self, Copied, Slot};
use io_shared_core::{ErrorKind, Message, Result, Schema, Spec};

use crate::options::Options;

/// Reads a channel without taking part in it: it takes no slot, wakes nobody, and copies every
/// value.
///
/// For tools that look at channels of other programs. It needs read permission only.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-observes-{}", std::process::id());
/// # io_shared::producer::<f64>(name)?.put(&20.5)?;
/// use io_shared::Channel;
/// let mut observer = Channel::<f64>::named(name).observer()?;
/// let copy = observer.copy()?.expect("a value was put");
/// assert_eq!((*copy, copy.seq()), (20.5, 1));
/// assert_eq!(observer.schema().to_json(), <f64 as io_shared::Message>::schema().to_json());
/// # io_shared::remove(name)
/// # }
/// ```
#[doc(alias = "monitor")]
pub struct Observer<T: Message + ?Sized> {
    slot: Slot<slot::Observer>,
    options: Options,
    message: PhantomData<fn() -> Box<T>>,
}

impl<T: Message + ?Sized> Observer<T> {
    pub(crate) fn open(options: Options) -> Result<Self> {
        let slot = open::<T>(&options, options.open_timeout)?;
        Ok(Self { slot, options, message: PhantomData })
    }

    /// A copy of the newest value, checked to be whole. `None` if nothing was ever put, or if the
    /// channel was removed and there is no new one yet.
    ///
    /// # Errors
    /// - [`Busy`](crate::ErrorKind::Busy): the producer kept refilling the buffer during the copy.
    /// - [`Replaced`](crate::ErrorKind::Replaced): the channel was removed or replaced, with
    ///   [`.reopen(false)`](crate::Channel::reopen). Without it, the errors of
    ///   [`Channel::observer`](crate::Channel::observer), for the channel that has the name now.
    /// - [`Unsupported`](crate::ErrorKind::Unsupported): `T` is aligned to more than 64 bytes.
    /// - [`NoMemory`](crate::ErrorKind::NoMemory): this process has no address space for the buffer
    ///   that the value lies in. The next copy tries again.
    /// - [`ForkedHandle`](crate::ErrorKind::ForkedHandle), [`Corrupt`](crate::ErrorKind::Corrupt).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-observer-copy-{}", std::process::id());
    /// # let mut speed = io_shared::producer::<f64>(name)?;
    /// let mut observer = io_shared::Channel::<f64>::named(name).observer()?;
    /// assert!(observer.copy()?.is_none()); // nothing was ever put
    /// speed.put(&13.9)?;
    /// assert_eq!(observer.copy()?.as_deref(), Some(&13.9));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn copy(&mut self) -> Result<Option<Copied<T>>> {
        match self.slot.copy() {
            Err(error) if self.options.reopens_after(&error) => match self.reopen()? {
                true => self.slot.copy(),
                false => Ok(None),
            },
            copied => copied,
        }
    }

    /// Opens the channel that has the name now. Returns whether there is one.
    #[cold]
    fn reopen(&mut self) -> Result<bool> {
        let options = self.options.reopening(self.slot.schema());
        match open::<T>(&options, Some(Duration::ZERO)) {
            Ok(slot) => self.slot = slot,
            // An observer cannot tell whether anybody is using a channel of another shape.
            Err(error) if *error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// The channel's name; for a channel in a file, its path.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = format!("/doc-observer-name-{}", std::process::id());
    /// # let speed = io_shared::producer::<f64>(&name)?;
    /// let observer = io_shared::Channel::<f64>::named(&name).observer()?;
    /// assert_eq!(observer.name(), name);
    /// # io_shared::remove(&name)
    /// # }
    /// ```
    pub fn name(&self) -> &str {
        self.slot.name()
    }

    /// The description of the channel's messages, as the channel's creator wrote it.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-observer-schema-{}", std::process::id());
    /// # let pose = io_shared::producer::<[f64; 3]>(name)?;
    /// let observer = io_shared::Channel::<[u8]>::named(name).any_schema().observer()?;
    /// assert_eq!(observer.schema().root().to_string(), "[<f8; 3]");
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn schema(&self) -> &Schema {
        self.slot.schema()
    }
}

impl<T: Message + ?Sized> std::fmt::Debug for Observer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer").field("name", &self.name()).finish_non_exhaustive()
    }
}

fn open<T: Message + ?Sized>(
    options: &Options,
    open_timeout: Option<Duration>,
) -> Result<Slot<slot::Observer>> {
    // An observer asks for a type, not for sizes.
    let (capacity, consumers, holds) = (None, None, None);
    let spec = Spec { capacity, consumers, holds, open_timeout, ..options.spec::<T>()? };
    Slot::observing(&options.location()?, &spec)
}
