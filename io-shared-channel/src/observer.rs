//! The observer: the handle of a channel that looks on.
//!
//! An observer takes no slot and holds nothing. It copies the newest value and checks afterwards
//! that the producer did not refill the buffer during the copy.

use std::marker::PhantomData;
use std::time::Duration;

use io_shared_core::slot::{self, Copied, Slot};
use io_shared_core::{ErrorKind, Message, Result, Schema, Spec};

use crate::options::Options;
use crate::since::Since;

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
        self.copy_by(Slot::copy)
    }

    /// Copies by `copy`, which is called again if the channel has to be reopened.
    fn copy_by(
        &mut self,
        mut copy: impl FnMut(&mut Slot<slot::Observer>) -> Result<Option<Copied<T>>>,
    ) -> Result<Option<Copied<T>>> {
        match copy(&mut self.slot) {
            Err(error) if self.options.reopens_after(&error) => match self.reopen()? {
                true => copy(&mut self.slot),
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

    /// Copies of the values after number `seq` that still lie whole, oldest first. Values that do
    /// not are counted by [`missed`](Copied::missed). Without a
    /// [`history`](crate::Channel::history) there are few but the newest.
    ///
    /// A number that the channel has not reached is one of another channel, which this one has
    /// replaced: then every value counts.
    ///
    /// # Errors
    /// Each item has the errors of [`copy`](Self::copy).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-observer-since-{}", std::process::id());
    /// # let mut speed = io_shared::producer::<f64>(name)?;
    /// use io_shared::Channel;
    /// let mut recorder = Channel::<f64>::named(name).history(14).observer()?;
    /// speed.put(&13.9)?;
    /// speed.put(&14.0)?;
    /// let mut last = 0;
    /// for copy in recorder.since(last) {
    ///     let copy = copy?;
    ///     println!("{}: {}, after {} that are missing", copy.seq(), *copy, copy.missed());
    ///     last = copy.seq();
    /// }
    /// assert_eq!(last, 2);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn since(&mut self, seq: u64) -> Since<'_, T> {
        Since::new(seq, |seq| self.copy_by(|slot| slot.copy_after(seq)))
    }

    /// A copy of the newest value with this [tag](Copied::tag) that still lies whole; `None` if
    /// there is none.
    ///
    /// # Errors
    /// The errors of [`copy`](Self::copy).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-observer-tagged-{}", std::process::id());
    /// # let mut labels = io_shared::producer::<u8>(name)?;
    /// use io_shared::Channel;
    /// let mut viewer = Channel::<u8>::named(name).history(4).observer()?;
    /// labels.put_tagged(&7, 41)?; // of cloud 41
    /// labels.put_tagged(&8, 42)?;
    /// assert_eq!(viewer.tagged(41)?.as_deref(), Some(&7));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn tagged(&mut self, tag: u64) -> Result<Option<Copied<T>>> {
        self.copy_by(|slot| slot.copy_tagged(tag))
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
