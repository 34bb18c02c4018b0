//! The builder: a channel's name and options, and the two-line forms.

use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use io_shared_core::{Kind, Location, Message, Name, Result, Schema, Size};

use crate::named::AsName;
use crate::options::{Capacity, Described, Options, Wanted};
use crate::{Consumer, Observer, Producer};

/// A named single slot for messages of type `T`, not yet opened.
///
/// Options may be given on both sides, and mean *at least*: a side that finds less says
/// [`ErrorKind::Mismatch`] with both numbers. What is not given is taken as found, and has its
/// default when the channel is created. Mistakes in names and options surface when it is opened.
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
#[must_use = "a channel is opened by .producer(), .consumer() or .observer()"]
pub struct Channel<T: ?Sized> {
    options: Options,
    message: PhantomData<fn() -> Box<T>>,
}

impl<T: Message + ?Sized> Channel<T> {
    /// The channel of that name in shared memory; `cloud_share` and `/cloud_share` are the same.
    #[doc(alias = "shm_open")]
    pub fn named(name: impl Into<String>) -> Self {
        Self::new(Wanted::Name(name.into()))
    }

    /// The channel in that file, which keeps the last value over restarts. Its directory must exist, on
    /// a local file system. A relative path is taken from where the process is now.
    ///
    /// Over reboots it keeps a value that was [synced](crate::Producer::sync), or whose producer was
    /// dropped before an orderly shutdown. Any other is not given after a reboot, a clean one included,
    /// since it may be half-written: it is then as if nothing was ever put, and a warning (`tracing`) says
    /// so. Sequence numbers go on. Where /proc is not mounted each opening may be the first after a
    /// reboot, but beside a living producer.
    ///
    /// Unlike a named one it is not replaced by a producer of another shape, unless
    /// [`replace`](Self::replace) says so.
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

    /// A new channel without a name. Others open it by the descriptor that
    /// [`Producer::as_fd`](crate::Producer::as_fd) gives, inherited or sent over a Unix socket; it
    /// goes with its last user.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// use io_shared::Channel;
    /// # fn main() -> io_shared::Result<()> {
    /// let mut producer = Channel::<f64>::anonymous().producer()?;
    /// let descriptor = producer.as_fd().expect("it has no name").try_clone_to_owned().unwrap();
    /// // In another process, which was given the descriptor:
    /// let mut consumer = Channel::<f64>::from_fd(descriptor).consumer()?;
    /// producer.put(&20.5)?;
    /// assert_eq!(*consumer.get()?, 20.5);
    /// # Ok(()) }
    /// ```
    pub fn anonymous() -> Self {
        Self::new(Wanted::Location(Location::Anonymous))
    }

    /// The channel that a descriptor leads to. It is opened anew (through /proc/self/fd), since a
    /// descriptor from elsewhere shares its locks with its sender.
    ///
    /// There is an example at [`anonymous`](Self::anonymous).
    pub fn from_fd(descriptor: impl Into<OwnedFd>) -> Self {
        Self::new(Wanted::Location(Location::descriptor(descriptor)))
    }

    fn new(location: Wanted) -> Self {
        Self { options: Options::new(location), message: PhantomData }
    }

    /// How large one message may get, header fields included: bytes, or a text such as `"5M"`
    /// (K, M and G are powers of 1024). Not needed for sized messages.
    ///
    /// The channel's memory is this times the number of buffers (`consumers` x `holds` + 2), and all
    /// of it is reserved at creation.
    pub fn capacity(mut self, size: impl Into<Size>) -> Self {
        self.options.capacity = Some(Capacity::Bytes(size.into()));
        self
    }

    /// As [`capacity`](Self::capacity), in elements of the message's tail.
    pub fn elements(mut self, elements: usize) -> Self {
        self.options.capacity = Some(Capacity::Elements(elements));
        self
    }

    /// How many consumers may live at once. Default 1; times `holds`, at most 253.
    ///
    /// Whoever creates the channel decides, and whoever finds less than it asks for says
    /// [`ErrorKind::Mismatch`]: where either side may start first, both state it.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-consumers-{}", std::process::id());
    /// use io_shared::Channel;
    /// let mut speed = Channel::<f64>::named(name).consumers(2).producer()?;
    /// let mut display = Channel::<f64>::named(name).consumers(2).consumer()?;
    /// let mut log = Channel::<f64>::named(name).consumers(2).consumer()?;
    /// speed.put(&13.9)?;
    /// assert_eq!((*display.get()?, *log.get()?), (13.9, 13.9));
    /// # Channel::remove(name)
    /// # }
    /// ```
    pub fn consumers(mut self, consumers: usize) -> Self {
        self.options.consumers = Some(consumers);
        self
    }

    /// How many values each consumer may hold at once, through owned guards. Default 1, at most 4.
    ///
    /// Whoever creates the channel decides, and whoever finds less than it asks for says
    /// [`ErrorKind::Mismatch`]: where either side may start first, both state it.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-holds-{}", std::process::id());
    /// use io_shared::Channel;
    /// let mut speed = Channel::<f64>::named(name).holds(2).producer()?;
    /// let mut consumer = Channel::<f64>::named(name).holds(2).consumer()?;
    /// speed.put(&13.9)?;
    /// let before = consumer.get()?.into_owned();
    /// speed.put(&14.1)?;
    /// let now = consumer.get()?; // while the one before is still held
    /// assert_eq!((*before, *now), (13.9, 14.1));
    /// # Channel::remove(name)
    /// # }
    /// ```
    pub fn holds(mut self, holds: usize) -> Self {
        self.options.holds = Some(holds);
        self
    }

    /// Names this consumer. A named consumer that is killed and comes back goes on where it
    /// stopped; the name is its own while it lives. 1 to 63 bytes.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-consumer-as-{}", std::process::id());
    /// use io_shared::Channel;
    /// # let mut speed = Channel::<f64>::named(name).producer()?;
    /// # speed.put(&13.9)?;
    /// let mut log = Channel::<f64>::named(name).consumer_name("log").consumer()?;
    /// assert_eq!(*log.get()?, 13.9);
    /// # drop(log);
    /// // After a restart it is not given again what it has had:
    /// let mut log = Channel::<f64>::named(name).consumer_name("log").consumer()?;
    /// assert!(log.try_get()?.is_none());
    /// # Channel::remove(name)
    /// # }
    /// ```
    pub fn consumer_name(mut self, name: impl Into<String>) -> Self {
        self.options.consumer_name = Some(name.into());
        self
    }

    /// The permission bits of a channel created here, whatever the umask. Default `0o600`.
    ///
    /// Who may write can take every role, and is trusted (SECURITY.md); who may only read can
    /// observe, and can keep roles from being taken.
    pub fn mode(mut self, mode: u32) -> Self {
        self.options.mode = Some(mode);
        self
    }

    /// Whether puts carry the time, from which [`Guard::age`](crate::Guard::age) follows. Default
    /// on; off, a put does not read the clock.
    pub fn stamps(mut self, stamps: bool) -> Self {
        self.options.stamps = stamps;
        self
    }

    /// Whether all pages are mapped in at opening, so that the first messages cause no page faults.
    /// Default off. (The memory itself is reserved in any case.)
    pub fn prefault(mut self, prefault: bool) -> Self {
        self.options.prefault = prefault;
        self
    }

    /// Whether a handle whose channel was removed or replaced opens the new one by itself, instead
    /// of saying [`ErrorKind::Replaced`]. Default off. A loan of the old channel still says so.
    /// A consumer looks where the name leads when it has not done so for 90 ms, before it returns any
    /// value: of a channel that another has taken the name of, it returns nothing.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-reopen-{}", std::process::id());
    /// use io_shared::Channel;
    /// # let speed = Channel::<f64>::named(name).producer()?;
    /// let mut display = Channel::<f64>::named(name).reopen(true).consumer()?;
    /// Channel::remove(name)?;
    /// # drop(speed);
    /// let mut speed = Channel::<f64>::named(name).producer()?; // a new channel
    /// speed.put(&13.9)?;
    /// assert_eq!(*display.get()?, 13.9);
    /// # Channel::remove(name)
    /// # }
    /// ```
    pub fn reopen(mut self, reopen: bool) -> Self {
        self.options.reopen = reopen;
        self
    }

    /// How long opening waits for the other side, where this side cannot create the channel (a
    /// consumer of messages that end in a slice, without `capacity`; an observer). Default: as long
    /// as it takes, with a `tracing` warning once after a second; 0: [`ErrorKind::NotFound`] at once.
    ///
    /// It also bounds the wait for a producer to replace a channel of another shape (default 1 s).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-open-timeout-{}", std::process::id());
    /// use io_shared::{Channel, ErrorKind};
    /// use std::time::Duration;
    /// let clouds = Channel::<[f32]>::named(name).open_timeout(Duration::from_millis(10));
    /// let error = clouds.consumer().unwrap_err(); // its producer says how large it is
    /// assert_eq!(*error.kind(), ErrorKind::NotFound);
    /// # Ok(()) }
    /// ```
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.options.open_timeout = Some(timeout);
        self
    }

    /// Whether a channel created here is removed with its last user. If that one is killed, it is
    /// whoever opens it next that removes it, and starts anew. Observers are no users. Default off:
    /// a channel lives until it is removed, like a file.
    pub fn ephemeral(mut self, ephemeral: bool) -> Self {
        self.options.ephemeral = ephemeral;
        self
    }

    /// Whether a producer replaces a channel of another shape in which nobody lives also where it is
    /// kept in a file. Default off; in shared memory it always does.
    pub fn replace(mut self, replace: bool) -> Self {
        self.options.replace = replace;
        self
    }

    /// Opens the channel to put.
    ///
    /// Creates it if it is not there; replaces it if it has another shape and nobody lives in it.
    ///
    /// # Errors
    /// [`ErrorKind::RoleTaken`] if it has a living producer, [`ErrorKind::Mismatch`] if it has
    /// another shape and somebody lives in it, [`ErrorKind::NoSpace`],
    /// [`ErrorKind::FileSizeLimit`], [`ErrorKind::BadName`], [`ErrorKind::BadSize`],
    /// [`ErrorKind::BadOption`], [`ErrorKind::NotARegion`], [`ErrorKind::Corrupt`],
    /// [`ErrorKind::System`].
    pub fn producer(self) -> Result<Producer<T>> {
        Producer::open(self.options)
    }

    /// Opens the channel to get.
    ///
    /// Creates it if it is not there and the type or `capacity` says how large it is; else waits
    /// for its producer.
    ///
    /// # Errors
    /// [`ErrorKind::NoSlot`] if all consumer slots are taken, [`ErrorKind::RoleTaken`] if this
    /// consumer's name is, [`ErrorKind::Mismatch`], [`ErrorKind::NotFound`] after `open_timeout`,
    /// and the others of [`producer`](Self::producer).
    pub fn consumer(self) -> Result<Consumer<T>> {
        Consumer::open(self.options)
    }

    /// Opens the channel to look on: it takes no slot, wakes nobody, and needs read permission
    /// only. Waits for the channel to be there.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`], [`ErrorKind::NotFound`] after `open_timeout`,
    /// [`ErrorKind::BadName`], [`ErrorKind::NotARegion`], [`ErrorKind::Corrupt`],
    /// [`ErrorKind::System`].
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

/// Messages of a type that this program does not have: it puts and gets their bytes.
impl Channel<[u8]> {
    /// Says what the bytes are: a channel of messages so described, which programs that have the type
    /// open by it. A message whose length the description does not allow is not put
    /// ([`ErrorKind::BadLength`]). The bytes are aligned for the described type.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let name = &format!("/doc-channel-schema-{}", std::process::id());
    /// use io_shared::{Channel, ErrorKind, Schema};
    /// let pair = Schema::from_json(r#"{"array":2,"of":"<f4"}"#)?;
    /// let mut bytes = Channel::<[u8]>::named(name).schema(pair).producer()?;
    /// bytes.put(&[0, 0, 128, 63, 0, 0, 0, 64])?;
    /// assert_eq!(*io_shared::consumer::<[f32; 2]>(name)?.get()?, [1.0, 2.0]);
    ///
    /// let error = bytes.put(&[0; 7]).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::BadLength { .. }));
    /// # Channel::remove(name)?;
    /// # Ok(()) }
    /// ```
    pub fn schema(mut self, schema: Schema) -> Self {
        self.options.described = Described::As(schema);
        self
    }

    /// Takes whatever messages the channel has; [`Consumer::schema`](crate::Consumer::schema) and
    /// [`Observer::schema`](crate::Observer::schema) say what they are. For consumers and observers,
    /// and who opens a channel so waits for it to be there.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-any-schema-{}", std::process::id());
    /// use io_shared::Channel;
    /// # io_shared::producer::<[u16; 2]>(name)?.put(&[1, 2])?;
    /// let mut bytes = Channel::<[u8]>::named(name).any_schema().consumer()?;
    /// assert_eq!(bytes.schema().to_json(), r#"{"array":2,"of":"<u2"}"#);
    /// assert_eq!(*bytes.get()?, [1, 0, 2, 0]);
    ///
    /// // What is put is known to who puts it.
    /// assert!(Channel::<[u8]>::named(name).any_schema().producer().is_err());
    /// # Channel::remove(name)
    /// # }
    /// ```
    pub fn any_schema(mut self) -> Self {
        self.options.described = Described::ByChannel;
        self
    }
}

impl Channel<()> {
    /// Removes the channel of that name, like a file. Programs that use it find
    /// [`ErrorKind::Replaced`].
    ///
    /// They look for it every 100 ms: until then a put may still succeed, and a value that was put
    /// before may still be got.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::NotOwner`], [`ErrorKind::NotARegion`] (what is not
    /// ours is left alone), [`ErrorKind::BadName`], [`ErrorKind::Busy`], [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// use io_shared::{Channel, ErrorKind};
    /// let error = Channel::remove("/doc-not-there").unwrap_err();
    /// assert_eq!(*error.kind(), ErrorKind::NotFound);
    /// ```
    #[doc(alias = "shm_unlink")]
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

/// Opens the channel of that name to put, with every option at its default.
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
/// # io_shared::Channel::remove(name)
/// # }
/// ```
pub fn producer<T: Message + ?Sized>(name: impl AsName) -> Result<Producer<T>> {
    Channel::<T>::named(name.into_name()).producer()
}

/// Opens the channel of that name to get, with every option at its default.
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
/// # io_shared::Channel::remove(name)
/// # }
/// ```
pub fn consumer<T: Message + ?Sized>(name: impl AsName) -> Result<Consumer<T>> {
    Channel::<T>::named(name.into_name()).consumer()
}

/// Removes the channel of that name, as [`Channel::remove`] does.
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
pub fn remove(name: impl AsName) -> Result<()> {
    Channel::remove(name)
}
