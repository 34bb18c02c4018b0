//! The producer: the handle of a channel that puts values.
//!
//! A put fills a buffer that no consumer can see and publishes it; core's slot does both. This file
//! adds types, growth, and the reopening of channels that were replaced. The wait for consumers is
//! `producer/taken.rs`.

mod taken;

use std::marker::PhantomData;
use std::os::fd::BorrowedFd;

use io_shared_core::message::ListCapacity;
use io_shared_core::slot::{self, Loan, Slot};
use io_shared_core::{Error, ErrorKind, Holder, Message, Result, Schema};

use crate::interrupter::Interrupts;
use crate::options::Options;

/// The one producer of a channel. Dropping it leaves the channel and its last value in place. In a
/// file the value then has a checksum, which is verified after a reboot.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-puts-{}", std::process::id());
/// let mut temperature = io_shared::producer::<f64>(name)?;
/// assert_eq!(temperature.put(&20.5)?, 1);
///
/// let mut loan = temperature.loan()?; // fill the message where it will lie
/// *loan = 20.6;
/// assert_eq!(loan.put()?, 2);
/// # io_shared::remove(name)
/// # }
/// ```
#[doc(alias = "publisher")]
#[doc(alias = "writer")]
pub struct Producer<T: Message + ?Sized> {
    slot: Slot<slot::Producer>,
    options: Options,
    interrupts: Interrupts,
    message: PhantomData<fn() -> Box<T>>,
}

impl<T: Message + ?Sized> Producer<T> {
    pub(crate) fn open(options: Options) -> Result<Self> {
        options.check_described()?;
        let mut slot = Slot::producing(&options.location()?, &options.spec::<T>()?)?;
        slot.set_stamps(options.stamps);
        Ok(Self { slot, options, interrupts: Interrupts::default(), message: PhantomData })
    }

    /// Puts a copy of `value`, which is the channel's newest value from then on. Never waits for
    /// anybody. Returns the value's sequence number.
    ///
    /// # Errors
    /// After an error, the previous value stays the newest.
    ///
    /// - [`ErrorKind::TooLarge`]: the value does not fit the channel's capacity, and the channel
    ///   does not [grow](crate::Channel::growing). [`ErrorKind::NoSpace`]: there is no room for it
    ///   to grow.
    /// - [`ErrorKind::BadLength`]: the channel's [schema](crate::Channel::schema) does not allow
    ///   this number of bytes.
    /// - [`ErrorKind::Replaced`]: the channel was removed or replaced, with
    ///   [`.reopen(false)`](crate::Channel::reopen). Without it, the errors of
    ///   [`Channel::producer`](crate::Channel::producer), for the channel that has the name now.
    /// - [`ErrorKind::RoleLost`]: other code closed this handle's descriptor, and another producer
    ///   has taken the role.
    /// - [`ErrorKind::ForkedHandle`]: the handle was inherited by fork; open a new one.
    /// - [`ErrorKind::NoMemory`]: this process has no address space for a buffer that a consumer
    ///   added when it joined. The next put tries again.
    /// - [`ErrorKind::SequenceExhausted`], [`ErrorKind::Corrupt`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-producer-put-{}", std::process::id());
    /// use io_shared::Channel;
    /// let mut clouds = Channel::<[f32]>::named(name).elements(1000).producer()?;
    /// assert_eq!(clouds.put(&[1.0, 2.0])?, 1);
    /// assert_eq!(clouds.put(&[3.0])?, 2); // the newest wins
    /// assert!(clouds.put(&[0.0; 1001]).is_err());
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "publish")]
    #[doc(alias = "send")]
    #[doc(alias = "write")]
    #[inline]
    pub fn put(&mut self, value: &T) -> Result<u64> {
        self.put_by(|slot| slot.put(value))
    }

    /// Puts a copy of `value` with a tag, a number of the user's. Whoever receives the value finds
    /// it there ([`Guard::tag`](crate::Guard::tag)). A stage of a pipeline tags its output with the
    /// `seq` of its input, so that the two can be paired. [`put`](Self::put) tags with 0.
    ///
    /// # Errors
    /// The errors of [`put`](Self::put).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-producer-put-tagged-{}", std::process::id());
    /// # let clouds = &format!("/doc-producer-put-tagged-clouds-{}", std::process::id());
    /// # io_shared::producer::<[f32; 3]>(clouds)?.put(&[0.0; 3])?;
    /// let mut clouds = io_shared::consumer::<[f32; 3]>(clouds)?;
    /// let mut labels = io_shared::producer::<u8>(name)?;
    /// let cloud = clouds.get()?;
    /// labels.put_tagged(&7, cloud.seq())?; // whoever has both can tell that they belong together
    /// # assert_eq!(io_shared::consumer::<u8>(name)?.get()?.tag(), 1);
    /// # drop(cloud);
    /// # io_shared::remove(clouds.name())?;
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn put_tagged(&mut self, value: &T, tag: u64) -> Result<u64> {
        self.put_by(|slot| slot.put_tagged(value, tag))
    }

    /// Puts a copy of `value` under this number, which must be greater than the last one's.
    #[cold]
    pub(crate) fn put_numbered(&mut self, value: &T, seq: u64) -> Result<u64> {
        let mut loan = self.loan_any(value.elements())?;
        loan.copy_from(value);
        loan.numbered(seq, None)?;
        loan.put()
    }

    /// Looks whether the name still leads to this channel, unless it did so within the last 90 ms.
    pub(crate) fn check(&self) -> Result<()> {
        self.slot.check()
    }

    /// Puts a value by `put`, which is called again if the channel has to grow for it.
    #[inline]
    pub(crate) fn put_by(
        &mut self,
        put: impl Fn(&mut Slot<slot::Producer>) -> Result<u64>,
    ) -> Result<u64> {
        match put(&mut self.slot) {
            Err(error) => self.put_again(put, error),
            put => put,
        }
    }

    /// Puts once the channel has grown, if `error` says that it must. Any other `error` is returned
    /// as it is.
    #[cold]
    fn put_again(
        &mut self,
        put: impl Fn(&mut Slot<slot::Producer>) -> Result<u64>,
        error: Error,
    ) -> Result<u64> {
        make_room(&mut self.slot, &self.options, error)?;
        put(&mut self.slot)
    }

    /// Lends a buffer for a message with `elements` elements in its tail, to be filled in place.
    /// The buffer first contains an older message, or zeros.
    ///
    /// This does not compile for a sized message: use [`loan`](Self::loan).
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`], [`ErrorKind::RoleLost`], [`ErrorKind::SequenceExhausted`],
    /// [`ErrorKind::NoMemory`], [`ErrorKind::ForkedHandle`], [`ErrorKind::Corrupt`]; if the
    /// channel [grows](crate::Channel::growing), [`ErrorKind::NoSpace`], and
    /// [`ErrorKind::Replaced`] with [`.reopen(false)`](crate::Channel::reopen). If the channel was
    /// removed or replaced, the errors of [`Channel::producer`](crate::Channel::producer), for the
    /// channel that has the name now.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-loan-len-{}", std::process::id());
    /// use io_shared::Channel;
    /// let mut labels = Channel::<[u32]>::named(name).elements(1000).producer()?;
    /// let mut loan = labels.loan_len(1000)?;
    /// loan[..3].copy_from_slice(&[7, 8, 9]);
    /// loan.truncate(3); // put only these
    /// loan.put()?;
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn loan_len(&mut self, elements: usize) -> Result<Loan<'_, T>> {
        const {
            assert!(T::SHAPE.element.is_some(), "this message does not end in a slice: use loan()");
            assert!(!T::HAS_LISTS, "this message has lists: use loan_lists()");
        }
        self.loan_any(elements)
    }

    /// Lends a buffer for a message whose lists have these many elements, to be filled in place.
    /// The fields are zeros at first, and the lists have any elements.
    /// [`List`](crate::List) has an example.
    ///
    /// # Errors
    /// The errors of [`loan_len`](Self::loan_len).
    #[inline]
    pub fn loan_lists(&mut self, sizes: impl ListCapacity<Message = T>) -> Result<Loan<'_, T>> {
        let mut loan = self.loan_any(sizes.bytes())?;
        sizes.lay_out(&mut loan);
        Ok(loan)
    }

    #[inline]
    pub(crate) fn loan_any(&mut self, elements: usize) -> Result<Loan<'_, T>> {
        if self.slot.is_stale() {
            self.follow()?;
        }
        let options = &self.options;
        self.slot.loan_or(elements, |slot, error| make_room(slot, options, error))
    }

    /// What [`binding::lend_again`](crate::binding::lend_again) does.
    pub(crate) fn lend_again(&mut self, elements: usize) -> Result<Loan<'_, T>> {
        self.slot.loan(elements)
    }

    /// Writes the last value and its checksum to the channel's file, and returns when the disk has
    /// them. The value then survives a reboot and a power cut. Does nothing for a channel in
    /// memory.
    ///
    /// Values put later are not synced. After a reboot, consumers get the last value if it was
    /// synced, or if its producer was dropped in an orderly way and all of the value reached the
    /// disk. Otherwise the channel is as if nothing was ever put.
    ///
    /// # Errors
    /// [`ErrorKind::RoleLost`], [`ErrorKind::Replaced`] (the channel was removed or replaced, and
    /// the last value with it), [`ErrorKind::ForkedHandle`], [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("doc-sync-{}", std::process::id()));
    /// use io_shared::Channel;
    /// let mut pose = Channel::<[f64; 3]>::file(&path).producer()?;
    /// pose.put(&[1.0, 2.0, 0.5])?;
    /// pose.sync()?; // from here on a power cut cannot lose it
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(()) }
    /// ```
    #[doc(alias = "fsync")]
    #[doc(alias = "msync")]
    #[doc(alias = "flush")]
    pub fn sync(&mut self) -> Result<()> {
        self.slot.sync()
    }

    /// The consumers that are connected: their slots, names and process ids.
    ///
    /// # Errors
    /// [`ErrorKind::ForkedHandle`], [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-producer-connected-{}", std::process::id());
    /// use io_shared::Channel;
    /// let producer = io_shared::producer::<f64>(name)?;
    /// assert!(producer.connected()?.is_empty());
    /// let viewer = Channel::<f64>::named(name).consumer_name("viewer").consumer()?;
    /// assert_eq!(producer.connected()?[0].name.as_deref(), Some("viewer"));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "subscribers")]
    pub fn connected(&self) -> Result<Vec<Holder>> {
        let claimed = self.slot.claimed()?;
        Ok(claimed.into_iter().filter_map(|at| self.slot.consumer(at)).collect())
    }

    /// The sequence number of the last value, put by this producer or an earlier one; 0 if nothing
    /// was ever put.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-producer-seq-{}", std::process::id());
    /// let mut speed = io_shared::producer::<f64>(name)?;
    /// assert_eq!(speed.seq(), 0);
    /// speed.put(&13.9)?;
    /// drop(speed);
    /// let mut speed = io_shared::producer::<f64>(name)?; // after a restart
    /// assert_eq!(speed.seq(), 1);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn seq(&self) -> u64 {
        self.slot.sequence()
    }

    /// The descriptor of a channel without a name (made by `anonymous`, or opened by `from_fd`), to
    /// pass to another process. `None` for other channels.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-producer-as-fd-{}", std::process::id());
    /// use io_shared::Channel;
    /// assert!(Channel::<f64>::anonymous().producer()?.as_fd().is_some());
    /// assert!(Channel::<f64>::named(name).producer()?.as_fd().is_none());
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.slot.as_fd()
    }

    /// Says where the values come from, if this program only passes them on: from another machine,
    /// for example. [`inspect`](io_shared_core::inspect::Participant::origin) shows it, until the
    /// next producer opens the channel.
    ///
    /// # Errors
    /// [`ErrorKind::BadOption`]: it has more than 128 bytes, or a zero byte.
    /// [`ErrorKind::ForkedHandle`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, inspect};
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-set-origin-{}", std::process::id());
    /// let mut copies = io_shared::producer::<f64>(name)?;
    /// copies.set_origin("the lidar of robot 7")?;
    /// let entry = inspect::entry(&Location::from(Name::new(name)?))?;
    /// let inspect::Content::Region(region) = entry.content else { unreachable!() };
    /// let origin = region.producer.and_then(|producer| producer.origin);
    /// assert_eq!(origin.as_deref(), Some("the lidar of robot 7"));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn set_origin(&mut self, origin: &str) -> Result<()> {
        self.slot.set_origin(origin)
    }

    /// The channel's name; for a channel in a file, its path.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = format!("doc-producer-name-{}", std::process::id());
    /// let speed = io_shared::producer::<f64>(&name)?;
    /// assert_eq!(speed.name(), format!("/{name}"));
    /// # io_shared::remove(&name)
    /// # }
    /// ```
    pub fn name(&self) -> &str {
        self.slot.name()
    }

    /// How many bytes one message may have, header fields included.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-producer-capacity-{}", std::process::id());
    /// let speed = io_shared::producer::<f64>(name)?;
    /// assert_eq!(speed.capacity(), 8);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn capacity(&self) -> u64 {
        self.slot.capacity()
    }

    /// The description of the channel's messages.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-producer-schema-{}", std::process::id());
    /// let pose = io_shared::producer::<[f64; 3]>(name)?;
    /// assert_eq!(pose.schema().to_json(), r#"{"array":3,"of":"<f8"}"#);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn schema(&self) -> &Schema {
        self.slot.schema()
    }

    /// Goes on in the channel that has replaced this one, so that what is lent is filled where it
    /// will lie. A loan of this one would be copied when it is put.
    #[cold]
    fn follow(&mut self) -> Result<()> {
        match self.slot.check() {
            Err(error) if self.options.reopens_after(&error) => self.slot.reopen(),
            _ => Ok(()), // the loan says what else there is
        }
    }
}

impl<T: Message> Producer<T> {
    /// Lends a buffer to be filled in place. The buffer first contains an older message, or zeros.
    ///
    /// For messages that end in a slice there is [`loan_len`](Self::loan_len) instead.
    ///
    /// # Errors
    /// The errors of [`loan_len`](Self::loan_len), except [`ErrorKind::TooLarge`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-producer-loan-{}", std::process::id());
    /// let mut position = io_shared::producer::<[f64; 3]>(name)?;
    /// let mut loan = position.loan()?;
    /// *loan = [1.0, 2.0, 0.5]; // in shared memory, not yet visible to consumers
    /// loan.put()?;
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn loan(&mut self) -> Result<Loan<'_, T>> {
        self.loan_any(0)
    }

    /// Like [`loan`](Self::loan), with every byte 0.
    ///
    /// # Errors
    /// The errors of [`loan`](Self::loan).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-producer-loan-zeroed-{}", std::process::id());
    /// let mut position = io_shared::producer::<[f64; 3]>(name)?;
    /// let mut loan = position.loan_zeroed()?;
    /// loan[2] = 0.5;
    /// loan.put()?;
    /// assert_eq!(*io_shared::consumer::<[f64; 3]>(name)?.get()?, [0.0, 0.0, 0.5]);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn loan_zeroed(&mut self) -> Result<Loan<'_, T>> {
        let mut loan = self.loan_any(0)?;
        loan.zero();
        Ok(loan)
    }
}

/// Grows the channel for the message that did not fit, if the user asked for it. A channel that was
/// replaced is opened anew first.
#[cold]
fn make_room(slot: &mut Slot<slot::Producer>, options: &Options, error: Error) -> Result<()> {
    let needed = match error.kind() {
        ErrorKind::TooLarge { needed, .. } if options.growing => *needed,
        _ => return Err(error),
    };
    let mut grown = slot.grow(needed);
    // The new channel may be removed again before it grows; a few attempts are enough.
    for _ in 0..8 {
        match grown {
            Err(error) if options.reopens_after(&error) => slot.reopen()?,
            grown => return grown,
        }
        grown = if slot.capacity() < needed { slot.grow(needed) } else { Ok(()) };
    }
    grown
}

impl<T: Message + ?Sized> std::fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("name", &self.name()).finish_non_exhaustive()
    }
}
