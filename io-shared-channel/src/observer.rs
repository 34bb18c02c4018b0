//! The observer: the handle of a channel that looks on.
//!
//! An observer takes no slot and holds nothing. It copies the newest value and checks afterwards
//! that the producer did not refill the buffer during the copy.

mod part;

use std::marker::PhantomData;
use std::time::Duration;

use io_shared_core::inspect::Pace;
use io_shared_core::slot::{self, Copied, Slot};
use io_shared_core::{
    Error, ErrorKind, Holder, LongWait, Message, Result, Schema, Spec, clock, nap,
};

use crate::long_wait::Awaited;
use crate::options::Options;
use crate::since::Since;
use crate::waiting::SLICE;
pub use part::Part;

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
    pace: Pace,
    message: PhantomData<fn() -> Box<T>>,
}

impl<T: Message + ?Sized> Observer<T> {
    pub(crate) fn open(options: Options) -> Result<Self> {
        let slot = open::<T>(&options, options.open_timeout)?;
        Ok(Self { slot, options, pace: Pace::of_observer(), message: PhantomData })
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
        let copied = self.ask(|slot| slot.copy::<T>())?.flatten();
        if let Some(copied) = &copied {
            self.pace.note(copied.seq(), copied.stamp());
        }
        Ok(copied)
    }

    /// Waits for a value that this observer has not copied yet, for at most `timeout`, and copies
    /// it. A timeout of 0 looks once; [`Duration::MAX`] waits without a limit.
    ///
    /// It takes no slot, and nobody wakes it. It looks when three quarters of a steady producer's
    /// period are over, and when the next value is due; where the last two periods differ by more
    /// than an eighth, it looks a quarter of the shorter one apart. It looks every 10 ms at least
    /// and every 50 us at most. So it sees each value of a producer with a steady period of 200 us
    /// or more, and the latest ones of a faster one. While the producer's period is not known,
    /// without a producer, and after a second without a value, it looks every 10 ms.
    ///
    /// A wait that exceeds a second writes one `tracing` warning, which names the channel and says
    /// whether it has a producer. No interrupter ends it: wait for a while at a time where that is
    /// needed.
    ///
    /// # Errors
    /// [`Timeout`](ErrorKind::Timeout), and the errors of [`copy`](Self::copy) except
    /// [`Busy`](ErrorKind::Busy).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-observer-wait-{}", std::process::id());
    /// use std::time::Duration;
    /// let mut speed = io_shared::producer::<f64>(name)?;
    /// let mut observer = io_shared::Channel::<f64>::named(name).observer()?;
    /// speed.put(&13.9)?;
    /// let copy = observer.wait(Duration::from_secs(1))?;
    /// assert_eq!((*copy, copy.seq()), (13.9, 1));
    /// assert!(observer.wait(Duration::ZERO).is_err()); // nothing new since
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn wait(&mut self, timeout: Duration) -> Result<Copied<T>> {
        let started = clock::now();
        let deadline = clock::deadline(timeout);
        let long = LongWait::since(started);
        let (mut look_for_producer, mut has_producer) = (started.saturating_add(SLICE), true);
        loop {
            if let Some(copied) = self.unseen()? {
                return Ok(copied);
            }
            let now = clock::now();
            if now >= deadline {
                let waiting_for = "a new value".into();
                return Err(Error::new(
                    self.name(),
                    ErrorKind::Timeout { after: timeout, waiting_for },
                ));
            }
            if now >= look_for_producer {
                look_for_producer = now.saturating_add(SLICE);
                has_producer = self.producer()?.is_some();
            }
            if long.is_due(now) {
                Awaited::of_observer(&self.slot).report();
            }
            let nap_for = self.pace.nap(has_producer);
            nap(nap_for.min(Duration::from_nanos(deadline - now)));
        }
    }

    /// A copy of the newest value, if this observer has not copied it yet.
    fn unseen(&mut self) -> Result<Option<Copied<T>>> {
        let seq = self.seq()?;
        if seq == 0 || seq == self.pace.seen() {
            return Ok(None);
        }
        match self.copy() {
            // The next look finds a newer value.
            Err(error) if matches!(error.kind(), ErrorKind::Busy { .. }) => Ok(None),
            copied => copied,
        }
    }

    /// The number of the newest value, without a copy; 0 if nothing was ever put, or if the channel
    /// was removed and there is no new one yet.
    ///
    /// # Errors
    /// The errors of [`copy`](Self::copy) except [`Busy`](ErrorKind::Busy).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-observer-seq-{}", std::process::id());
    /// # let mut speed = io_shared::producer::<f64>(name)?;
    /// let mut observer = io_shared::Channel::<f64>::named(name).observer()?;
    /// assert_eq!(observer.seq()?, 0);
    /// speed.put(&13.9)?;
    /// assert_eq!(observer.seq()?, 1);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn seq(&mut self) -> Result<u64> {
        Ok(self.ask(|slot| slot.newest())?.unwrap_or(0))
    }

    /// What `ask` finds in the channel, or in the one that has replaced it. `None`: it was removed,
    /// and there is no new one yet.
    fn ask<A>(
        &mut self,
        mut ask: impl FnMut(&mut Slot<slot::Observer>) -> Result<A>,
    ) -> Result<Option<A>> {
        // The new channel may be replaced again before the answer; a few attempts are enough.
        for _ in 0..8 {
            match ask(&mut self.slot) {
                Err(error) if self.options.reopens_after(&error) => {
                    if !self.reopen()? {
                        return Ok(None);
                    }
                }
                answer => return answer.map(Some),
            }
        }
        ask(&mut self.slot).map(Some)
    }

    /// Opens the channel that has the name now. Returns whether there is one.
    #[cold]
    fn reopen(&mut self) -> Result<bool> {
        let options = self.options.reopening(self.slot.schema());
        match open::<T>(&options, Some(Duration::ZERO)) {
            Ok(slot) => {
                // A channel that has grown goes on with its numbers, and its newest value is there.
                if slot.line() != self.slot.line() {
                    self.pace = Pace::of_observer();
                }
                self.slot = slot;
            }
            // An observer cannot tell whether anybody is using a channel of another shape.
            Err(error) if *error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Who the channel's living producer is, as [`Consumer::producer`](crate::Consumer::producer)
    /// says it; `None` if it has none. Read permission suffices for that.
    ///
    /// # Errors
    /// [`ForkedHandle`](crate::ErrorKind::ForkedHandle), [`System`](crate::ErrorKind::System).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-observer-producer-{}", std::process::id());
    /// let speed = io_shared::producer::<f64>(name)?;
    /// let observer = io_shared::Channel::<f64>::named(name).observer()?;
    /// assert_eq!(observer.producer()?.and_then(|who| who.pid), Some(std::process::id()));
    /// drop(speed);
    /// assert!(observer.producer()?.is_none());
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn producer(&self) -> Result<Option<Holder>> {
        Ok(self.slot.producer()?.filter(|_| !self.slot.is_stale()))
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
        Since::new(seq, |seq| Ok(self.ask(|slot| slot.copy_after(seq))?.flatten()))
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
        Ok(self.ask(|slot| slot.copy_tagged(tag))?.flatten())
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
