//! The methods by which a channel's options are set.

use std::time::Duration;

use io_shared_core::message::ListCapacity;
use io_shared_core::{Message, Size};

use super::Channel;
use crate::options::Capacity;

impl<T: Message + ?Sized> Channel<T> {
    /// How large one message may be, header fields included: bytes, or a text such as `"5M"`
    /// (K, M and G are powers of 1024). Messages of a fixed size do not need it.
    ///
    /// A channel reserves this much memory for each of its buffers. It has 3 buffers at first, and
    /// gets one more for each further value that can be held at once: whoever joins reserves it.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-capacity-{}", std::process::id());
    /// use io_shared::{Channel, ErrorKind};
    /// let mut clouds = Channel::<[f32]>::named(name).capacity("4K").producer()?;
    /// clouds.put(&[0.0; 1024])?;
    /// let error = clouds.put(&[0.0; 1025]).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::TooLarge { .. }));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn capacity(mut self, size: impl Into<Size>) -> Self {
        self.options.capacity = Some(Capacity::Bytes(size.into()));
        self
    }

    /// Whether the producer gives the channel a larger capacity when a message does not fit,
    /// instead of failing with [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge). Default off.
    /// Without [`capacity`](Self::capacity) the channel starts small.
    ///
    /// The put or loan that does not fit first makes a larger channel next to the old one, with the
    /// next power of two as its capacity, and gives it the name. The latest value, sequence numbers
    /// and `missed` carry over. Consumers and observers follow, unless they have
    /// [`.reopen(false)`](Self::reopen); values that they hold stay as they are. The old memory is
    /// freed when the last of them has followed. Until then there has to be room for both, or the
    /// put fails with [`ErrorKind::NoSpace`](crate::ErrorKind::NoSpace) and the channel stays as it
    /// was.
    ///
    /// For up to 90 ms, a consumer that has not received the last value of the old channel may
    /// still get that first, and then the newest.
    ///
    /// Every program uses the capacity that it finds: with this option, a channel with less than
    /// this program asks for is no [`Mismatch`](crate::ErrorKind::Mismatch). A channel without a
    /// name cannot grow, nor can one whose file this process may not replace.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-growing-{}", std::process::id());
    /// use io_shared::Channel;
    /// let mut clouds = Channel::<[f32]>::named(name).elements(1000).growing(true).producer()?;
    /// let mut viewer = io_shared::consumer::<[f32]>(name)?;
    /// clouds.put(&[0.5; 1000])?;
    /// assert_eq!(viewer.get()?.len(), 1000);
    /// clouds.put(&[0.5; 3000])?; // three times as large
    /// assert_eq!(viewer.get()?.len(), 3000);
    /// assert_eq!(clouds.capacity(), 16384); // bytes
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "resize")]
    pub fn growing(mut self, growing: bool) -> Self {
        self.options.growing = growing;
        self
    }

    /// Like [`capacity`](Self::capacity), but in elements of the message's tail.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-elements-{}", std::process::id());
    /// use io_shared::Channel;
    /// let clouds = Channel::<[f32]>::named(name).elements(1000).producer()?;
    /// assert_eq!(clouds.capacity(), 4000); // bytes
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn elements(mut self, elements: usize) -> Self {
        self.options.capacity = Some(Capacity::Elements(elements));
        self
    }

    /// Like [`capacity`](Self::capacity), but in elements of each list of the message: as many as
    /// one message may have at most. [`List`](crate::List) has an example.
    pub fn lists(self, most: impl ListCapacity<Message = T>) -> Self {
        self.elements(most.bytes())
    }

    /// Reserves memory for this many consumers ahead of time, on any side. Consumers join without
    /// it: up to 64, or as many as the creator asks for here, at most 253.
    ///
    /// Each consumer after the first needs one more buffer (as many as it [`holds`](Self::holds)).
    /// By default it reserves them when it joins, and a lack of room is its
    /// [`NoSpace`](crate::ErrorKind::NoSpace). Buffers reserved here are there for whoever joins
    /// first. Asking for more slots than the channel has fails with
    /// [`Mismatch`](crate::ErrorKind::Mismatch).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-consumers-{}", std::process::id());
    /// use io_shared::Channel;
    /// // Whatever else needs memory, two consumers find room.
    /// let mut speed = Channel::<f64>::named(name).consumers(2).producer()?;
    /// let mut display = io_shared::consumer::<f64>(name)?;
    /// let mut log = io_shared::consumer::<f64>(name)?;
    /// speed.put(&13.9)?;
    /// assert_eq!((*display.get()?, *log.get()?), (13.9, 13.9));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "subscribers")]
    pub fn consumers(mut self, consumers: usize) -> Self {
        self.options.consumers = Some(consumers);
        self
    }

    /// How many values this consumer may hold at once, as owned guards. Default 1, at most 8.
    ///
    /// Each consumer says so for itself; producers and observers do not care. It needs as many
    /// buffers, which it reserves when it joins. All consumers together hold at most 253 values;
    /// one more fails with [`NoSlot`](crate::ErrorKind::NoSlot).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-holds-{}", std::process::id());
    /// use io_shared::Channel;
    /// let mut speed = Channel::<f64>::named(name).producer()?;
    /// let mut consumer = Channel::<f64>::named(name).holds(2).consumer()?;
    /// speed.put(&13.9)?;
    /// let earlier = consumer.get()?.into_owned();
    /// speed.put(&14.1)?;
    /// let now = consumer.get()?; // the earlier value is still held
    /// assert_eq!((*earlier, *now), (13.9, 14.1));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn holds(mut self, holds: usize) -> Self {
        self.options.holds = Some(holds);
        self
    }

    /// Has the last `history` values before the newest kept, so that
    /// [`Observer::since`](crate::Observer::since), [`Consumer::since`](crate::Consumer::since) and
    /// [`tagged`](crate::Consumer::tagged) find them. Default 0. The newest still wins in a get.
    ///
    /// It may be given on any side, and holds for the channel for as long as this handle lives. It
    /// reserves as many buffers, which stay; a lack of room for them is
    /// [`NoSpace`](crate::ErrorKind::NoSpace) here alone. An observer that asks for it needs
    /// permission to write. Together with what consumers may hold, there are at most 253.
    ///
    /// Meanwhile the producer fills the buffer that it used longest ago, and large values are no
    /// longer in the processor's caches. Within 200 ms after the last handle that asked is gone,
    /// also by a kill, puts are as they were. A producer that is killed in the middle of a put
    /// costs the history one value, until all buffers have had their turn.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-history-{}", std::process::id());
    /// use io_shared::Channel;
    /// let mut speed = Channel::<f64>::named(name).producer()?;
    /// let mut recorder = Channel::<f64>::named(name).history(14).observer()?;
    /// for value in [13.7, 13.8, 13.9] {
    ///     speed.put(&value)?;
    /// }
    /// let values: io_shared::Result<Vec<_>> = recorder.since(0).map(|copy| Ok(*copy?)).collect();
    /// assert_eq!(values?, [13.7, 13.8, 13.9]);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn history(mut self, history: usize) -> Self {
        self.options.history = Some(history);
        self
    }

    /// Names this consumer. A named consumer that is killed and restarts continues where it
    /// stopped. While it lives, no other consumer can have its name. 1 to 63 bytes.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-consumer-name-{}", std::process::id());
    /// use io_shared::Channel;
    /// # let mut speed = Channel::<f64>::named(name).producer()?;
    /// # speed.put(&13.9)?;
    /// let mut log = Channel::<f64>::named(name).consumer_name("log").consumer()?;
    /// assert_eq!(*log.get()?, 13.9);
    /// # drop(log);
    /// // After a restart, it does not see the same value again:
    /// let mut log = Channel::<f64>::named(name).consumer_name("log").consumer()?;
    /// assert!(log.try_get()?.is_none());
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn consumer_name(mut self, name: impl Into<String>) -> Self {
        self.options.consumer_name = Some(name.into());
        self
    }

    /// The permission bits of a channel created here, whatever the umask. Default `0o600`.
    ///
    /// A process with write permission can take every role, and is trusted (see SECURITY.md). A
    /// process with read permission can observe, and can keep roles from being taken.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-mode-{}", std::process::id());
    /// use io_shared::Channel;
    /// // This user puts, the group may observe.
    /// let speed = Channel::<f64>::named(name).mode(0o640).producer()?;
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "permissions")]
    #[doc(alias = "chmod")]
    pub fn mode(mut self, mode: u32) -> Self {
        self.options.mode = Some(mode);
        self
    }

    /// Whether each put stores the time, from which [`Guard::age`](crate::Guard::age) follows.
    /// Default on. When off, a put does not read the clock.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-stamps-{}", std::process::id());
    /// use io_shared::Channel;
    /// let mut speed = Channel::<f64>::named(name).stamps(false).producer()?;
    /// speed.put(&13.9)?;
    /// let mut display = io_shared::consumer::<f64>(name)?;
    /// assert_eq!(display.get()?.age(), None);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "timestamps")]
    pub fn stamps(mut self, stamps: bool) -> Self {
        self.options.stamps = stamps;
        self
    }

    /// Whether opening maps all pages, so that the first messages cause no page faults. Default
    /// off. (The memory itself is always reserved before it is used.) Buffers that are added later,
    /// as consumers join, are mapped when this handle next looks at its name: at most every 90 ms,
    /// in a put or in a get that finds no value at once. One that is needed earlier is mapped then.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-prefault-{}", std::process::id());
    /// use io_shared::Channel;
    /// let mut clouds = Channel::<[f32]>::named(name).capacity("1M").prefault(true).producer()?;
    /// clouds.put(&[0.0; 200_000])?; // takes as long as any later put
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "MAP_POPULATE")]
    pub fn prefault(mut self, prefault: bool) -> Self {
        self.options.prefault = prefault;
        self
    }

    /// Whether a handle follows its channel's name when the channel was removed or replaced.
    /// Default on. When off, the handle says [`ErrorKind::Replaced`](crate::ErrorKind::Replaced)
    /// from then on.
    ///
    /// A producer's next put or loan opens the channel that has the name now, or creates it; only a
    /// loan of the old channel fails. A consumer waits for a producer to create the new channel,
    /// and takes a slot there. Until then `try_get` and an observer's `copy` return `None`.
    ///
    /// Each handle checks the name every 90 ms. A consumer that is due checks it before it returns
    /// a value. If another channel has the name, it returns nothing of the old one. If nothing has
    /// it, it still returns the last value of the old channel, unless it has seen that value.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-reopen-{}", std::process::id());
    /// use io_shared::Channel;
    /// # let speed = Channel::<f64>::named(name).producer()?;
    /// let mut display = Channel::<f64>::named(name).consumer()?;
    /// let mut faithful = Channel::<f64>::named(name).reopen(false).consumer()?;
    /// io_shared::remove(name)?;
    /// # drop(speed);
    /// let mut speed = Channel::<f64>::named(name).producer()?; // a new channel
    /// speed.put(&13.9)?;
    /// assert_eq!(*display.get()?, 13.9);
    /// assert_eq!(*faithful.get().unwrap_err().kind(), io_shared::ErrorKind::Replaced);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn reopen(mut self, reopen: bool) -> Self {
        self.options.reopen = reopen;
        self
    }

    /// How long opening waits for the other side, where this side cannot create the channel: an
    /// observer, or a consumer of messages that end in a slice and without `capacity`. A producer
    /// of these without `capacity` waits only if this is set, and otherwise fails with
    /// [`BadOption`](crate::ErrorKind::BadOption).
    ///
    /// By default the others wait without a limit, and one `tracing` warning is written after a
    /// second. 0 fails with [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) at once.
    ///
    /// A consumer or an observer waits in the same way where there is a channel of another shape
    /// that has no producer: the program that puts the new type may start later, and replaces it.
    /// The warning then says which fields differ, and the error is
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch). If the channel has a producer, that is
    /// the error at once.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-open-timeout-{}", std::process::id());
    /// use io_shared::{Channel, ErrorKind};
    /// use std::time::Duration;
    /// let clouds = Channel::<[f32]>::named(name).open_timeout(Duration::from_millis(10));
    /// let error = clouds.consumer().unwrap_err(); // only the producer knows the size
    /// assert_eq!(*error.kind(), ErrorKind::NotFound);
    /// # Ok(()) }
    /// ```
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.options.open_timeout = Some(timeout);
        self
    }

    /// How long opening waits for a predecessor to leave: a producer for the one before it, a named
    /// consumer for the one of its name, any other for a free slot. By default opening fails at
    /// once with [`RoleTaken`](crate::ErrorKind::RoleTaken) or
    /// [`NoSlot`](crate::ErrorKind::NoSlot), as it does after this time. [`Duration::MAX`] waits
    /// without a limit, as a standby does.
    ///
    /// For restarts without a gap: the new program starts while the old one still works, and takes
    /// over within a few milliseconds after the old one has dropped its handle or was killed. A
    /// wait that exceeds a second writes one `tracing` warning, which says who has the role. An
    /// observer has no role to wait for.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name: &str = format!("/doc-channel-wait-for-role-{}", std::process::id()).leak();
    /// use io_shared::Channel;
    /// use std::time::Duration;
    /// let mut old = Channel::<u64>::named(name).producer()?;
    /// # let mut viewer = io_shared::consumer::<u64>(name)?;
    /// // The new program starts while the old one works, and waits for its role. (Here: a thread.)
    /// let new = std::thread::spawn(move || -> io_shared::Result<u64> {
    ///     let channel = Channel::<u64>::named(name).wait_for_role(Duration::from_secs(10));
    ///     let mut new = channel.producer()?;
    ///     new.put(&14)
    /// });
    /// // The old one is told to end.
    /// old.put(&13)?;
    /// # assert_eq!(*viewer.get()?, 13);
    /// old.wait_taken(Duration::from_secs(1))?; // so that no consumer misses its last value
    /// drop(old);
    /// assert_eq!(new.join().unwrap()?, 2); // the sequence numbers go on
    /// # assert_eq!(viewer.get()?.missed(), 0);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "standby")]
    pub fn wait_for_role(mut self, timeout: Duration) -> Self {
        self.options.wait_for_role = Some(timeout);
        self
    }

    /// Whether a channel created here is removed together with its last user. Default off: like a
    /// file, a channel lives until it is removed.
    ///
    /// If the last user is killed, whoever opens the channel next removes it and starts anew.
    /// Observers do not count as users. Consumers do, also while they have yet to follow a channel
    /// that has [grown](Self::growing).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-ephemeral-{}", std::process::id());
    /// use io_shared::{Channel, ErrorKind};
    /// let speed = Channel::<f64>::named(name).ephemeral(true).producer()?;
    /// drop(speed);
    /// assert_eq!(*io_shared::remove(name).unwrap_err().kind(), ErrorKind::NotFound);
    /// # Ok(()) }
    /// ```
    pub fn ephemeral(mut self, ephemeral: bool) -> Self {
        self.options.ephemeral = ephemeral;
        self
    }

    /// Whether a consumer's get ends with [`ErrorKind::NoProducer`](crate::ErrorKind::NoProducer)
    /// once the channel has lost its producer. Default off: a get waits for the next producer.
    ///
    /// A wait ends within 200 ms of the producer's end, however it came about. A value that this
    /// consumer has not seen is returned first. Until a first producer was seen, a get waits for
    /// one; when there is a producer again, gets wait for its values.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-requires-producer-{}", std::process::id());
    /// use io_shared::{Channel, ErrorKind};
    /// let mut speed = Channel::<f64>::named(name).producer()?;
    /// let mut display = Channel::<f64>::named(name).requires_producer(true).consumer()?;
    /// speed.put(&13.9)?;
    /// drop(speed); // or its process was killed
    /// assert_eq!(*display.get()?, 13.9);
    /// let error = display.get().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::NoProducer { .. }));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "liveliness")]
    pub fn requires_producer(mut self, requires: bool) -> Self {
        self.options.requires_producer = requires;
        self
    }

    /// What the values are, for those that show or record them: `cloud`, `image:bgr8` with any
    /// encoding of ROS, `depth`, or `none`. It is part of the schema, in the unit of the last
    /// field, and never compared. The handle that creates the channel decides.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-kind-{}", std::process::id());
    /// use io_shared::{Array, Channel};
    /// let camera = Channel::<Array>::named(name).capacity("1M").kind("image:bgr8").producer()?;
    /// assert!(camera.schema().to_json().contains("image:bgr8"));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.options.kind = Some(kind.into());
        self
    }

    /// Whether a producer replaces a channel in a file that has another shape and that nobody is
    /// using, or gives it new fields while others use it. Default off. In shared memory a producer
    /// always does.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("doc-replace-{}", std::process::id()));
    /// use io_shared::Channel;
    /// drop(Channel::<f32>::file(&path).producer()?);
    /// assert!(Channel::<f64>::file(&path).producer().is_err());
    /// let mut pose = Channel::<f64>::file(&path).replace(true).producer()?;
    /// pose.put(&0.5)?;
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(()) }
    /// ```
    pub fn replace(mut self, replace: bool) -> Self {
        self.options.replace = replace;
        self
    }
}
