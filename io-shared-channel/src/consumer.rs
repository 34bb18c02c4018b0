//! The consumer: the handle of a channel that gets values.
//!
//! A get asks core's slot for a value and decides what to do while there is none: spin or sleep
//! (`waiting.rs`), give up at the deadline, or open the channel that has replaced this one.

mod following;
mod gets;
mod handed_out;
mod history;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use io_shared_core::binding::CopyTarget;
use io_shared_core::slot::{self, Guard, OwnedGuard, Slot, Wanted, Which};
use io_shared_core::{Holder, Message, Result, Schema, Spec, clock};

#[cfg(doc)]
use crate::ErrorKind;
use crate::any_consumer::AnyConsumer;
use crate::any_consumer::sealed::{Parts, Sealed};
use crate::interrupter::Interrupts;
use crate::options::Options;
use crate::ready_fd::ReadyFd;
use crate::required_producer::RequiredProducer;
use crate::waiting::Patience;
pub(crate) use gets::Awaits;
use gets::{Any, Ends, ReadAhead, Wait, get_from, open, try_from};

/// A consumer of a channel, in a slot of its own. Dropping it frees the slot. It may join at any
/// time, whatever the others do.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-gets-{}", std::process::id());
/// # let mut temperature = io_shared::producer::<f64>(name)?;
/// let mut consumer = io_shared::consumer::<f64>(name)?;
/// assert!(consumer.try_get()?.is_none());
///
/// temperature.put(&20.5)?;
/// temperature.put(&20.6)?;
/// let value = consumer.get()?; // the newest wins
/// assert_eq!((*value, value.seq(), value.missed()), (20.6, 2, 1));
/// # drop(value);
/// # io_shared::remove(name)
/// # }
/// ```
#[doc(alias = "subscriber")]
#[doc(alias = "reader")]
pub struct Consumer<T: Message + ?Sized> {
    /// Dropped before the slot, which waits for its sleepers.
    ready: Option<Box<ReadyFd>>,
    slot: Slot<slot::Consumer>,
    options: Options,
    patience: Patience,
    /// Shared with the waiting threads.
    required: Option<Arc<RequiredProducer>>,
    interrupts: Interrupts,
    message: PhantomData<fn() -> Box<T>>,
}

impl<T: Message + ?Sized> Consumer<T> {
    pub(crate) fn open(options: Options) -> Result<Self> {
        let spec = options.spec::<T>()?;
        Self::open_by(options, &spec)
    }

    fn open_by(options: Options, spec: &Spec) -> Result<Self> {
        let slot = open(&options, spec)?;
        let required = options.requires_producer.then(|| Arc::new(RequiredProducer::of(&slot)));
        let (patience, interrupts) = (Patience::default(), Interrupts::default());
        let ready = None;
        Ok(Self { ready, slot, options, patience, required, interrupts, message: PhantomData })
    }

    /// Opens a channel that is there. It is never created, and not waited for.
    pub(crate) fn join(options: Options) -> Result<Self> {
        let spec = options.spec::<T>()?;
        let spec = Spec { capacity: None, open_timeout: Some(Duration::ZERO), ..spec };
        Self::open_by(options, &spec)
    }

    /// Waits for a value this consumer has not seen yet, and borrows it where it lies.
    ///
    /// The first get of a new consumer may return a value that was put before the consumer existed.
    /// A wait that exceeds a second writes one `tracing` warning, which names the channel and says
    /// whether it has a producer.
    ///
    /// # Errors
    /// - [`ErrorKind::AlreadyHeld`]: this consumer holds as many values as it may (never for small
    ///   values, see [`Guard`]).
    /// - [`ErrorKind::Replaced`]: the channel was removed or replaced, with
    ///   [`.reopen(false)`](crate::Channel::reopen). Without it, the errors of
    ///   [`Channel::consumer`](crate::Channel::consumer), for the channel that has the name now.
    /// - [`ErrorKind::NoProducer`]: the channel has lost its producer, with
    ///   [`.requires_producer(true)`](crate::Channel::requires_producer).
    /// - [`ErrorKind::Interrupted`]: an [`interrupter`](Self::interrupter) ended the wait. A value
    ///   that is there is returned first.
    /// - [`ErrorKind::RoleLost`]: other code closed this handle's descriptor, and another consumer
    ///   has taken the slot.
    /// - [`ErrorKind::ForkedHandle`]: the handle was inherited by fork; open a new one.
    /// - [`ErrorKind::NoMemory`]: this process has no address space for the buffer that the value
    ///   lies in. The value is not lost: the next get tries again.
    /// - [`ErrorKind::Corrupt`]: the channel's memory is damaged.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-consumer-get-{}", std::process::id());
    /// # io_shared::producer::<f64>(name)?.put(&13.9)?;
    /// let mut speed = io_shared::consumer::<f64>(name)?;
    /// let value = speed.get()?;
    /// println!("{} m/s", *value); // the producer does not touch the value while the guard lives
    /// drop(value);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "recv")]
    #[doc(alias = "receive")]
    #[doc(alias = "take")]
    #[inline]
    pub fn get(&mut self) -> Result<Guard<'_, T>> {
        self.get_until(u64::MAX, Duration::MAX)
    }

    /// Like [`get`](Self::get), but waits for at most `timeout`. A timeout of 0 tries once.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], and the errors of [`get`](Self::get).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-get-timeout-{}", std::process::id());
    /// use io_shared::ErrorKind;
    /// let mut consumer = io_shared::consumer::<f64>(name)?;
    /// let error = consumer.get_timeout(Duration::from_millis(10)).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Timeout { .. }));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn get_timeout(&mut self, timeout: Duration) -> Result<Guard<'_, T>> {
        self.get_until(clock::deadline(timeout), timeout)
    }

    /// What [`binding::get_into`](crate::binding::get_into) does.
    #[inline]
    pub(crate) fn get_into(
        &mut self,
        target: &mut CopyTarget<'_>,
        timeout: Option<Duration>,
    ) -> Result<Guard<'_, T>> {
        let deadline = timeout.map_or(u64::MAX, clock::deadline);
        let timeout = timeout.unwrap_or(Duration::MAX);
        self.get_for(deadline, timeout, ReadAhead { target })
    }

    /// Drops a guard of this consumer, which makes its next one cheaper.
    #[inline]
    pub(crate) fn take_back(&mut self, guard: OwnedGuard<T>) {
        self.slot.take_back(guard);
    }

    /// As [`get_timeout`](Self::get_timeout), until `deadline`.
    #[inline]
    pub(crate) fn get_until(&mut self, deadline: u64, timeout: Duration) -> Result<Guard<'_, T>> {
        self.get_for(deadline, timeout, Any)
    }

    /// Waits until `deadline` for what `awaits` says.
    #[inline]
    pub(crate) fn get_for(
        &mut self,
        deadline: u64,
        timeout: Duration,
        awaits: impl Awaits,
    ) -> Result<Guard<'_, T>> {
        if self.ready.is_some() {
            return self.get_watched(deadline, timeout, awaits);
        }
        let wait = Wait { deadline, timeout };
        let Self { slot, options, patience, required, interrupts, .. } = self;
        let ends = Ends { required, interrupts };
        get_from(slot, options, patience, ends, wait, awaits, |_| {})
    }

    /// As [`get_for`](Self::get_for), where an event loop watches the consumer.
    #[cold]
    fn get_watched(
        &mut self,
        deadline: u64,
        timeout: Duration,
        awaits: impl Awaits,
    ) -> Result<Guard<'_, T>> {
        let wait = Wait { deadline, timeout };
        let Self { ready, slot, options, patience, required, interrupts, .. } = self;
        let mut reopened = |slot: &Slot<_>| ReadyFd::follow(ready, slot);
        let ends = Ends { required, interrupts };
        let got = get_from(slot, options, patience, ends, wait, awaits, &mut reopened);
        ReadyFd::rearm(ready);
        got
    }

    /// The newest value, if this consumer has not seen it yet. Never waits.
    ///
    /// # Errors
    /// The errors of [`get`](Self::get), and [`ErrorKind::Busy`] if the producer replaced the value
    /// 64 times while this call tried to take it.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-consumer-try-get-{}", std::process::id());
    /// # io_shared::producer::<f64>(name)?.put(&13.9)?;
    /// let mut speed = io_shared::consumer::<f64>(name)?;
    /// if let Some(value) = speed.try_get()? {
    ///     println!("{} m/s", *value);
    /// }
    /// assert!(speed.try_get()?.is_none()); // nothing new since
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "try_recv")]
    #[doc(alias = "poll")]
    #[inline]
    pub fn try_get(&mut self) -> Result<Option<Guard<'_, T>>> {
        self.try_wanted(Which::Unseen)
    }

    /// The newest value, whether or not this consumer has seen it; `None` if nothing was ever put,
    /// or if the channel was removed and there is no new one yet. It counts as seen afterwards.
    /// Never waits.
    ///
    /// # Errors
    /// The errors of [`try_get`](Self::try_get).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-latest-{}", std::process::id());
    /// # io_shared::producer::<f64>(name)?.put(&20.5)?;
    /// let mut consumer = io_shared::consumer::<f64>(name)?;
    /// assert_eq!(*consumer.get()?, 20.5);
    /// assert!(consumer.try_get()?.is_none());
    /// assert_eq!(consumer.latest()?.as_deref(), Some(&20.5));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn latest(&mut self) -> Result<Option<Guard<'_, T>>> {
        self.try_wanted(Which::Current)
    }

    // Always inlined, as `acquire` is.
    #[inline(always)]
    pub(crate) fn try_wanted(&mut self, wanted: impl Into<Wanted>) -> Result<Option<Guard<'_, T>>> {
        let wanted = wanted.into();
        // One test for both, which few consumers have.
        if self.ready.is_some() | self.required.is_some() {
            return self.try_watched(wanted.which);
        }
        try_from(&mut self.slot, &self.options, &None, wanted, |_| {})
    }

    /// As [`try_wanted`](Self::try_wanted), where an event loop watches the consumer or it requires
    /// a producer.
    #[cold]
    fn try_watched(&mut self, which: Which) -> Result<Option<Guard<'_, T>>> {
        let Self { ready, slot, options, required, .. } = self;
        let got =
            try_from(slot, options, required, which.into(), |slot| ReadyFd::follow(ready, slot));
        ReadyFd::rearm(ready);
        got
    }

    /// The sequence number of the last value this consumer has seen; 0 if it has seen none. A named
    /// consumer that was killed and restarts finds its earlier number here.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-consumer-last-seen-{}", std::process::id());
    /// # io_shared::producer::<f64>(name)?.put(&13.9)?;
    /// let mut speed = io_shared::consumer::<f64>(name)?;
    /// assert_eq!(speed.last_seen(), 0);
    /// speed.get()?;
    /// assert_eq!(speed.last_seen(), 1);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn last_seen(&self) -> u64 {
        self.slot.last_seen()
    }

    /// Whether the channel has a living producer. A channel that was removed or replaced has none,
    /// until this consumer's next get opens the new one.
    ///
    /// # Errors
    /// [`ErrorKind::ForkedHandle`]; [`ErrorKind::RoleLost`] if other code closed this handle's
    /// descriptor; [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-consumer-has-producer-{}", std::process::id());
    /// # let producer = io_shared::producer::<f64>(name)?;
    /// let speed = io_shared::consumer::<f64>(name)?;
    /// assert!(speed.has_producer()?);
    /// drop(producer); // or killed
    /// assert!(!speed.has_producer()?);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn has_producer(&self) -> Result<bool> {
        Ok(self.slot.has_producer()? && !self.slot.is_stale())
    }

    /// Who the channel's living producer is; `None` if it has none. The kernel proves that it is
    /// alive. Who it is, it wrote down itself when it took the role.
    ///
    /// # Errors
    /// The errors of [`has_producer`](Self::has_producer).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-consumer-producer-{}", std::process::id());
    /// # let producer = io_shared::producer::<f64>(name)?;
    /// let speed = io_shared::consumer::<f64>(name)?;
    /// let who = speed.producer()?.expect("it has one");
    /// println!("{:?} ({:?}) since {:?}", who.command, who.pid, who.since);
    /// # assert_eq!(who.pid, Some(std::process::id()));
    /// drop(producer); // or killed
    /// assert!(speed.producer()?.is_none());
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "publisher")]
    pub fn producer(&self) -> Result<Option<Holder>> {
        Ok(self.slot.producer()?.filter(|_| !self.slot.is_stale()))
    }

    #[cfg(feature = "async")]
    pub(crate) fn required(&self) -> Option<&Arc<RequiredProducer>> {
        self.required.as_ref()
    }

    #[cfg(feature = "async")]
    pub(crate) fn slot(&self) -> &Slot<slot::Consumer> {
        &self.slot
    }

    /// The channel's name; for a channel in a file, its path.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = format!("doc-consumer-name-{}", std::process::id());
    /// let consumer = io_shared::consumer::<f64>(&name)?;
    /// assert_eq!(consumer.name(), format!("/{name}"));
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
    /// # let name = &format!("/doc-consumer-capacity-{}", std::process::id());
    /// # let producer = io_shared::Channel::<[f32]>::named(name).capacity("4K").producer()?;
    /// let clouds = io_shared::consumer::<[f32]>(name)?;
    /// assert_eq!(clouds.capacity(), 4096); // as its producer asked for
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
    /// # let name = &format!("/doc-consumer-schema-{}", std::process::id());
    /// let speed = io_shared::consumer::<f64>(name)?;
    /// assert_eq!(speed.schema().name(), "<f8");
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn schema(&self) -> &Schema {
        self.slot.schema()
    }
}

impl<T: Message + ?Sized> AnyConsumer for Consumer<T> {}

impl<T: Message + ?Sized> Sealed for Consumer<T> {
    fn parts(&self) -> Parts<'_> {
        Parts {
            slot: &self.slot,
            patience: &self.patience,
            interrupts: &self.interrupts,
            reopens: self.options.reopen,
            required: self.required.as_deref(),
        }
    }
}

impl<T: Message + ?Sized> std::fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("name", &self.name()).finish_non_exhaustive()
    }
}
