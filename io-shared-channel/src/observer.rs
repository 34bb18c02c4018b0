//! The side that looks on.

use std::marker::PhantomData;

use io_shared_core::slot::{Copied, Observing, Slot};
use io_shared_core::{Message, Result, Schema};

use crate::channel::Options;

/// Reads a channel without taking part in it.
///
/// # Examples
/// ```
/// # fn main() -> io_shared_channel::Result<()> {
/// # let name = &format!("/doc-observes-{}", std::process::id());
/// # io_shared_channel::producer::<f64>(name)?.put(&20.5)?;
/// use io_shared_channel::Channel;
/// let mut observer = Channel::<f64>::named(name).observer()?;
/// let copy = observer.copy()?.expect("a value was put");
/// assert_eq!((*copy, copy.seq()), (20.5, 1));
/// assert_eq!(observer.schema().to_json(), <f64 as io_shared_channel::Message>::schema().to_json());
/// # Channel::remove(name)
/// # }
/// ```
pub struct Observer<T: Message + ?Sized> {
    slot: Slot<Observing>,
    message: PhantomData<fn() -> Box<T>>,
}

impl<T: Message + ?Sized> Observer<T> {
    pub(crate) fn open(options: Options) -> Result<Self> {
        // Who only looks on asks for a type, not for sizes.
        let spec = io_shared_core::Spec {
            capacity: None,
            consumers: None,
            holds: None,
            ..options.spec::<T>()?
        };
        let slot = Slot::observing(&options.place()?, &spec)?;
        Ok(Self {
            slot,
            message: PhantomData,
        })
    }

    /// A copy of the latest value, whole and checked; none if nothing was ever put.
    ///
    /// # Errors
    /// [`Busy`](crate::ErrorKind::Busy) if the producer kept refilling what was being copied,
    /// [`Replaced`](crate::ErrorKind::Replaced), [`Corrupt`](crate::ErrorKind::Corrupt),
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if `T` is aligned to more than 64.
    pub fn copy(&mut self) -> Result<Option<Copied<T>>> {
        self.slot.copy()
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
        f.debug_struct("Observer")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
