//! The builder of channels: where a channel lies, and how it is opened.
//!
//! A [`Channel`] collects options and opens nothing until one of `producer`, `consumer` and
//! `observer` is called. The options' methods are in `channel/setters.rs`, the options themselves
//! in `options.rs`.

mod setters;
mod untyped;

use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use io_shared_core::{Kind, Location, Message, Name, Result};

use crate::named::AsName;
use crate::options::{Options, Wanted};
use crate::{Consumer, Observer, Producer};

/// A named single slot for messages of type `T`, not yet opened.
///
/// Any number of consumers join and leave a living channel, up to 64 at a time by default. Options
/// may be given on both sides, and mean *at least*. A side that finds less than it asks for fails
/// with [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch), which names both numbers. An option
/// that is not given takes what the channel has, or its default when the channel is created.
/// Mistakes in names and options are reported when the channel is opened.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// use io_shared::Channel;
/// use std::time::Duration;
///
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-channel-{}", std::process::id());
/// let mut clouds = Channel::<[f32]>::named(name).capacity("5M").producer()?;
/// let mut viewer = Channel::<[f32]>::named(name)
///     .open_timeout(Duration::from_secs(1))
///     .consumer()?;
/// clouds.put(&[1.0, 2.0])?;
/// assert_eq!(*viewer.get()?, [1.0, 2.0]);
/// # Channel::remove(name)
/// # }
/// ```
#[doc(alias = "topic")]
#[must_use = "a channel is opened by .producer(), .consumer() or .observer()"]
pub struct Channel<T: ?Sized> {
    options: Options,
    message: PhantomData<fn() -> Box<T>>,
}

impl<T: Message + ?Sized> Channel<T> {
    /// The channel with this name in shared memory. `cloud_share` and `/cloud_share` are the same
    /// channel.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("doc-channel-named-{}", std::process::id());
    /// use io_shared::Channel;
    /// let mut speed = Channel::<f64>::named(name).producer()?;
    /// speed.put(&13.9)?;
    /// let mut display = Channel::<f64>::named(format!("/{name}")).consumer()?;
    /// assert_eq!(*display.get()?, 13.9);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "shm_open")]
    pub fn named(name: impl Into<String>) -> Self {
        Self::new(Wanted::Name(name.into()))
    }

    /// The channel in this file, which keeps the last value across restarts. The file's directory
    /// must exist, on a local file system. A relative path is resolved when this is called.
    ///
    /// Across a reboot the channel keeps a value that was [synced](crate::Producer::sync), or whose
    /// producer was dropped before an orderly shutdown. Any other value may be half-written, so it
    /// is not returned after a reboot, not even after an orderly one: the channel is then as if
    /// nothing was ever put, and a `tracing` warning says so. Sequence numbers continue. Where
    /// /proc is not mounted, every opening counts as the first one after a reboot, except while a
    /// producer lives.
    ///
    /// A producer with another shape does not replace a channel in a file, as it does a named one,
    /// unless [`replace`](Self::replace) is set.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// use io_shared::Channel;
    /// # fn main() -> io_shared::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("doc-file-{}", std::process::id()));
    /// let mut producer = Channel::<f64>::file(&path).producer()?;
    /// producer.put(&20.5)?;
    /// producer.sync()?;
    /// // After a restart, or a reboot:
    /// assert_eq!(*Channel::<f64>::file(&path).consumer()?.get()?, 20.5);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(()) }
    /// ```
    #[doc(alias = "mmap")]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new(Wanted::Location(Location::file(path)))
    }

    /// A new channel without a name. Other processes open it by its descriptor
    /// ([`Producer::as_fd`](crate::Producer::as_fd)), which they inherit or receive over a Unix
    /// socket. The channel ends with its last user.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// use io_shared::Channel;
    /// # fn main() -> io_shared::Result<()> {
    /// let mut producer = Channel::<f64>::anonymous().producer()?;
    /// let descriptor = producer.as_fd().expect("it has no name").try_clone_to_owned().unwrap();
    /// // In another process that received the descriptor:
    /// let mut consumer = Channel::<f64>::from_fd(descriptor).consumer()?;
    /// producer.put(&20.5)?;
    /// assert_eq!(*consumer.get()?, 20.5);
    /// # Ok(()) }
    /// ```
    #[doc(alias = "memfd_create")]
    pub fn anonymous() -> Self {
        Self::new(Wanted::Location(Location::Anonymous))
    }

    /// The channel that a descriptor refers to. The channel is opened anew through /proc/self/fd,
    /// because a descriptor from another process shares its file locks with its sender.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// use io_shared::Channel;
    /// # fn main() -> io_shared::Result<()> {
    /// let producer = Channel::<f64>::anonymous().producer()?;
    /// let descriptor = producer.as_fd().expect("it has no name").try_clone_to_owned().unwrap();
    /// let consumer = Channel::<f64>::from_fd(descriptor).consumer()?;
    /// assert!(consumer.has_producer()?);
    /// # Ok(()) }
    /// ```
    pub fn from_fd(descriptor: impl Into<OwnedFd>) -> Self {
        Self::new(Wanted::Location(Location::descriptor(descriptor)))
    }

    /// The channel at this location: for code that takes the location from its configuration.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// use io_shared::{Channel, Location, Name};
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-at-{}", std::process::id());
    /// let location = Location::from(Name::new(name)?); // or Location::file(path)
    /// Channel::<f64>::at(location.clone()).producer()?.put(&13.9)?;
    /// assert_eq!(*Channel::<f64>::at(location).consumer()?.get()?, 13.9);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn at(location: impl Into<Location>) -> Self {
        Self::new(Wanted::Location(location.into()))
    }

    fn new(location: Wanted) -> Self {
        Self { options: Options::new(location), message: PhantomData }
    }

    /// Opens the channel to put values.
    ///
    /// Creates the channel if it does not exist. Replaces it if it has another shape and nobody is
    /// using it.
    ///
    /// # Errors
    /// - [`RoleTaken`](crate::ErrorKind::RoleTaken): the channel has a living producer.
    /// - [`Mismatch`](crate::ErrorKind::Mismatch): the channel has another shape, and somebody is
    ///   using it.
    /// - [`NoSpace`](crate::ErrorKind::NoSpace),
    ///   [`FileSizeLimit`](crate::ErrorKind::FileSizeLimit): the channel's memory cannot be
    ///   reserved.
    /// - [`BadName`](crate::ErrorKind::BadName), [`BadSize`](crate::ErrorKind::BadSize),
    ///   [`BadOption`](crate::ErrorKind::BadOption): a name or option is not possible.
    /// - [`NotARegion`](crate::ErrorKind::NotARegion), [`Corrupt`](crate::ErrorKind::Corrupt): what
    ///   lies there is not a channel, or is damaged.
    /// - [`System`](crate::ErrorKind::System): a system call failed.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-producer-{}", std::process::id());
    /// use io_shared::{Channel, ErrorKind};
    /// let mut speed = Channel::<f64>::named(name).producer()?;
    /// speed.put(&13.9)?;
    /// let error = Channel::<f64>::named(name).producer().unwrap_err(); // there is only one
    /// assert!(matches!(error.kind(), ErrorKind::RoleTaken { .. }));
    /// # Channel::remove(name)
    /// # }
    /// ```
    #[doc(alias = "publisher")]
    pub fn producer(self) -> Result<Producer<T>> {
        Producer::open(self.options)
    }

    /// Opens the channel to get values.
    ///
    /// Creates the channel if it does not exist, and the type or `capacity` says how large it is.
    /// Otherwise waits for its producer.
    ///
    /// # Errors
    /// - [`NoSlot`](crate::ErrorKind::NoSlot): all consumer slots are taken (64, unless the creator
    ///   asked for more), or all consumers together would hold more than 253 values.
    /// - [`NoSpace`](crate::ErrorKind::NoSpace): there is no room for the buffers that it adds.
    ///   Nobody else is affected.
    /// - [`RoleTaken`](crate::ErrorKind::RoleTaken): another consumer has this consumer's name.
    /// - [`Mismatch`](crate::ErrorKind::Mismatch): the channel has another shape.
    /// - [`NotFound`](crate::ErrorKind::NotFound): the channel did not appear within
    ///   [`open_timeout`](Self::open_timeout).
    /// - The others of [`producer`](Self::producer).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-consumer-{}", std::process::id());
    /// use io_shared::Channel;
    /// let mut display = Channel::<f64>::named(name).consumer()?; // creates the channel
    /// assert!(!display.has_producer()?);
    /// assert!(display.try_get()?.is_none());
    /// # Channel::remove(name)
    /// # }
    /// ```
    #[doc(alias = "subscriber")]
    pub fn consumer(self) -> Result<Consumer<T>> {
        Consumer::open(self.options)
    }

    /// Opens the channel to look on. An observer takes no slot, wakes nobody, and needs only read
    /// permission. Waits for the channel to exist.
    ///
    /// # Errors
    /// [`Mismatch`](crate::ErrorKind::Mismatch), [`NotFound`](crate::ErrorKind::NotFound) after
    /// [`open_timeout`](Self::open_timeout), [`BadName`](crate::ErrorKind::BadName),
    /// [`NotARegion`](crate::ErrorKind::NotARegion), [`Corrupt`](crate::ErrorKind::Corrupt),
    /// [`System`](crate::ErrorKind::System).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-observer-{}", std::process::id());
    /// use io_shared::Channel;
    /// # let mut speed = Channel::<f64>::named(name).producer()?;
    /// # speed.put(&13.9)?;
    /// let mut dashboard = Channel::<f64>::named(name).observer()?;
    /// assert_eq!(dashboard.copy()?.as_deref(), Some(&13.9));
    /// # Channel::remove(name)
    /// # }
    /// ```
    pub fn observer(self) -> Result<Observer<T>> {
        Observer::open(self.options)
    }
}

impl Channel<()> {
    /// Removes the channel with this name, as one removes a file.
    ///
    /// Open handles follow the name to a new channel ([`reopen`](Self::reopen)). The next put of a
    /// producer creates it, so drop the producer first if the channel is to stay away, for example
    /// at the end of a test. Consumers create nothing: they wait for a producer.
    ///
    /// A consumer that has not seen the last value of the removed channel still gets it, unless
    /// there is a new channel.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`NotOwner`](crate::ErrorKind::NotOwner),
    /// [`NotARegion`](crate::ErrorKind::NotARegion) (files of other programs are left alone),
    /// [`BadName`](crate::ErrorKind::BadName), [`Busy`](crate::ErrorKind::Busy),
    /// [`System`](crate::ErrorKind::System).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// use io_shared::{Channel, ErrorKind};
    /// let error = Channel::remove("/doc-not-there").unwrap_err();
    /// assert_eq!(*error.kind(), ErrorKind::NotFound);
    /// ```
    #[doc(alias = "shm_unlink")]
    #[doc(alias = "unlink")]
    pub fn remove(name: impl AsName) -> Result<()> {
        io_shared_core::remove(&Name::new(&name.into_name())?.into(), Kind::Channel)
    }
}

impl<T: ?Sized> std::fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("options", &self.options).finish()
    }
}

impl<T: ?Sized> Clone for Channel<T> {
    fn clone(&self) -> Self {
        Self { options: self.options.clone(), message: PhantomData }
    }
}

/// Opens the channel with this name to put values, with every option at its default.
///
/// # Errors
/// As for [`Channel::producer`].
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-producer-{}", std::process::id());
/// let mut speed = io_shared::producer::<f64>(name)?;
/// speed.put(&13.9)?;
/// # io_shared::remove(name)
/// # }
/// ```
#[doc(alias = "publisher")]
pub fn producer<T: Message + ?Sized>(name: impl AsName) -> Result<Producer<T>> {
    Channel::<T>::named(name.into_name()).producer()
}

/// Opens the channel with this name to get values, with every option at its default.
///
/// # Errors
/// As for [`Channel::consumer`].
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-consumer-{}", std::process::id());
/// # io_shared::producer::<f64>(name)?.put(&13.9)?;
/// let mut speed = io_shared::consumer::<f64>(name)?;
/// assert_eq!(*speed.get()?, 13.9);
/// # io_shared::remove(name)
/// # }
/// ```
#[doc(alias = "subscriber")]
pub fn consumer<T: Message + ?Sized>(name: impl AsName) -> Result<Consumer<T>> {
    Channel::<T>::named(name.into_name()).consumer()
}

/// Removes the channel with this name, as [`Channel::remove`] does.
///
/// # Errors
/// As for [`Channel::remove`].
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-remove-{}", std::process::id());
/// let mut speed = io_shared::producer::<f64>(name)?;
/// io_shared::remove(name)?; // whoever opens the name next creates a new channel
/// # Ok(()) }
/// ```
#[doc(alias = "shm_unlink")]
#[doc(alias = "unlink")]
pub fn remove(name: impl AsName) -> Result<()> {
    Channel::remove(name)
}
