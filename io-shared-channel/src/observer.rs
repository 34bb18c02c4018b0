//! The side that looks on.

use std::marker::PhantomData;
use std::time::Duration;

use io_shared_core::slot::{self, Copied, Slot};
use io_shared_core::{ErrorKind, Message, Result, Schema, Spec};

use crate::options::Options;

/// Reads a channel without taking part in it.
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
/// # Channel::remove(name)
/// # }
/// ```
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

    /// A copy of the latest value, whole and checked; none if nothing was ever put (or, with
    /// `.reopen(true)`, if the channel was removed and there is no other yet).
    ///
    /// # Errors
    /// [`Busy`](crate::ErrorKind::Busy) if the producer kept refilling what was being copied,
    /// [`Replaced`](crate::ErrorKind::Replaced), [`ForkedHandle`](crate::ErrorKind::ForkedHandle),
    /// [`Corrupt`](crate::ErrorKind::Corrupt),
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if `T` is aligned to more than 64.
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
    /// # io_shared::Channel::remove(name)
    /// # }
    /// ```
    pub fn copy(&mut self) -> Result<Option<Copied<T>>> {
        match self.slot.copy() {
            Err(error) if self.options.reopen && *error.kind() == ErrorKind::Replaced => {
                match open::<T>(&self.options, Some(Duration::ZERO)) {
                    Ok(slot) => self.slot = slot,
                    Err(error) if *error.kind() == ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(error),
                }
                self.slot.copy()
            }
            copied => copied,
        }
    }

    /// The channel's name.
    pub fn name(&self) -> &str {
        self.slot.name()
    }

    /// The description of the channel's messages, as its creator wrote it.
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
    // Who only looks on asks for a type, not for sizes.
    let (capacity, consumers, holds) = (None, None, None);
    let spec = Spec { capacity, consumers, holds, open_timeout, ..options.spec::<T>()? };
    Slot::observing(&options.location()?, &spec)
}
