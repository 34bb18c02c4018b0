//! The side that puts.

use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crossbeam_utils::Backoff;
use io_shared_core::slot::{self, Loan, Slot};
use io_shared_core::{Error, ErrorKind, Holder, LongWait, Message, Result, Schema, Spec, clock};

use crate::options::Options;

/// The one producer of a channel. Dropped, it leaves the channel and its last value in place; in a file
/// with a checksum, by which it is known after a reboot.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-puts-{}", std::process::id());
/// let mut temperature = io_shared::producer::<f64>(name)?;
/// assert_eq!(temperature.put(&20.5)?, 1);
///
/// let mut loan = temperature.loan()?; // already in shared memory
/// *loan = 20.6;
/// assert_eq!(loan.put()?, 2);
/// # io_shared::Channel::remove(name)
/// # }
/// ```
pub struct Producer<T: Message + ?Sized> {
    slot: Slot<slot::Producer>,
    options: Options,
    message: PhantomData<fn() -> Box<T>>,
}

impl<T: Message + ?Sized> Producer<T> {
    pub(crate) fn open(options: Options) -> Result<Self> {
        options.check_described()?;
        let slot = open(&options, &options.spec::<T>()?)?;
        Ok(Self { slot, options, message: PhantomData })
    }

    /// Puts a copy of `value`: the newest value from now on. Never waits for anybody. Gives the
    /// value's sequence.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`], [`ErrorKind::RoleLost`], [`ErrorKind::Replaced`] (without
    /// `.reopen(true)`), [`ErrorKind::SequenceExhausted`], [`ErrorKind::ForkedHandle`],
    /// [`ErrorKind::Corrupt`], [`ErrorKind::BadLength`] (of bytes that are
    /// [described](crate::Channel::schema) as another type); with `.reopen(true)` those of
    /// [`Channel::producer`](crate::Channel::producer) too. The value before stays the newest.
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
    /// # Channel::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn put(&mut self, value: &T) -> Result<u64> {
        self.put_by(|slot| slot.put(value))
    }

    /// Puts by `put`, which may be called again for a channel that was opened anew.
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

    /// Opens and puts into whatever has replaced the region, if `error` says that something has and
    /// the user asked for it; else returns `error`.
    #[cold]
    fn put_again(
        &mut self,
        put: impl Fn(&mut Slot<slot::Producer>) -> Result<u64>,
        error: Error,
    ) -> Result<u64> {
        let mut done = Err(error);
        // More than once: it may be removed again meanwhile.
        for _ in 0..8 {
            match done {
                Err(error) if self.options.reopen && *error.kind() == ErrorKind::Replaced => {
                    self.reopen()?;
                    done = put(&mut self.slot);
                }
                done => return done,
            }
        }
        done
    }

    /// Lends a buffer for a message with `elements` in its tail, to be filled in place. Its content
    /// at first is that of an older message, or zeros.
    ///
    /// Does not compile for a sized message: see [`loan`](Self::loan).
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`], [`ErrorKind::RoleLost`], [`ErrorKind::SequenceExhausted`],
    /// [`ErrorKind::ForkedHandle`], [`ErrorKind::Corrupt`].
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
    /// loan.truncate(3); // only these were used
    /// loan.put()?;
    /// # Channel::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn loan_len(&mut self, elements: usize) -> Result<Loan<'_, T>> {
        const {
            assert!(T::SHAPE.element.is_some(), "this message does not end in a slice: use loan()");
        }
        self.loan_any(elements)
    }

    #[inline]
    fn loan_any(&mut self, elements: usize) -> Result<Loan<'_, T>> {
        if self.options.reopen && self.slot.is_stale() {
            self.reopen()?;
        }
        self.slot.loan(elements)
    }

    /// Waits until every consumer that has its claim now has had the last value put; gives how many
    /// have. For going in step; a put itself never waits.
    ///
    /// A consumer that ends meanwhile is not waited for any longer; with no consumer it returns at
    /// once with 0. A wait of over a second says once, by a `tracing` warning, whom it waits for. Spins shortly, then sleeps for 50 us doubling to 1 ms between looks.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], which names the slots that have not had it; [`ErrorKind::Replaced`],
    /// [`ErrorKind::ForkedHandle`], [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-wait-taken-{}", std::process::id());
    /// let mut step = io_shared::producer::<u64>(name)?;
    /// step.put(&1)?;
    /// assert_eq!(step.wait_taken(Duration::from_secs(1))?, 0); // nobody is there
    ///
    /// let mut consumer = io_shared::consumer::<u64>(name)?;
    /// assert!(step.wait_taken(Duration::ZERO).is_err());
    /// assert_eq!(*consumer.get()?, 1);
    /// assert_eq!(step.wait_taken(Duration::ZERO)?, 1);
    /// # io_shared::Channel::remove(name)
    /// # }
    /// ```
    pub fn wait_taken(&mut self, timeout: Duration) -> Result<usize> {
        let deadline = clock::deadline(timeout);
        let slots = self.slot.claimed()?;
        let mut missing = slots.clone();
        let mut had = 0;
        let backoff = Backoff::new();
        let mut pause = Duration::from_micros(50);
        let long = LongWait::default();
        loop {
            let before = missing.len();
            missing.retain(|&slot| !self.slot.has_had_last(slot));
            had += before - missing.len();
            if missing.is_empty() {
                return Ok(had);
            }
            if !backoff.is_completed() {
                backoff.snooze();
                continue;
            }
            self.slot.check()?;
            let living = self.slot.claimed()?;
            missing.retain(|slot| living.contains(slot));
            let left = deadline.saturating_sub(clock::now());
            if left == 0 && !missing.is_empty() {
                return Err(self.not_taken(timeout, &missing));
            }
            if long.is_due(clock::now()) && !missing.is_empty() {
                let (name, awaited) = (self.name(), self.awaited(&missing));
                tracing::warn!(
                    region = name,
                    "has waited for over a second on {name} for {awaited}"
                );
            }
            io_shared_core::nap(pause.min(Duration::from_nanos(left)));
            pause = (pause * 2).min(Duration::from_millis(1));
        }
    }

    #[cold]
    fn not_taken(&self, after: Duration, missing: &[usize]) -> Error {
        let waiting_for = self.awaited(missing);
        Error::new(self.name(), ErrorKind::Timeout { after, waiting_for })
    }

    /// What is waited for, as it is told.
    fn awaited(&self, missing: &[usize]) -> String {
        let names: Vec<_> = missing
            .iter()
            .filter_map(|slot| self.slot.consumer(*slot))
            .map(|consumer| consumer.to_string())
            .collect();
        let last = self.slot.sequence();
        format!("value {last} to be taken by: {}", names.join(", "))
    }

    /// Writes the last value put, with its checksum, to the channel's file, and returns when it is there:
    /// it is given after a reboot, and after a power cut. Does nothing for a channel in memory.
    ///
    /// A value that is put afterwards is not synced. After a reboot the last one put is given if it was
    /// synced, or if its producer left in order and all of it reached the disk; else it is as if none was
    /// ever put.
    ///
    /// # Errors
    /// [`ErrorKind::RoleLost`], [`ErrorKind::Replaced`], [`ErrorKind::ForkedHandle`],
    /// [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("doc-sync-{}", std::process::id()));
    /// use io_shared::Channel;
    /// let mut pose = Channel::<[f64; 3]>::file(&path).producer()?;
    /// pose.put(&[1.0, 2.0, 0.5])?;
    /// pose.sync()?; // from here on it is safe from a power cut
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(()) }
    /// ```
    pub fn sync(&mut self) -> Result<()> {
        self.slot.sync()
    }

    /// The consumers that live: their slots, names and process ids.
    ///
    /// # Errors
    /// [`ErrorKind::ForkedHandle`], [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-consumers-{}", std::process::id());
    /// use io_shared::Channel;
    /// let producer = io_shared::producer::<f64>(name)?;
    /// assert!(producer.connected()?.is_empty());
    /// let viewer = Channel::<f64>::named(name).consumer_name("viewer").consumer()?;
    /// assert_eq!(producer.connected()?[0].name.as_deref(), Some("viewer"));
    /// # Channel::remove(name)
    /// # }
    /// ```
    pub fn connected(&self) -> Result<Vec<Holder>> {
        let slots = self.slot.claimed()?;
        Ok(slots.into_iter().filter_map(|slot| self.slot.consumer(slot)).collect())
    }

    /// The sequence of the last value put, by this producer or one before it; 0 for none.
    pub fn seq(&self) -> u64 {
        self.slot.sequence()
    }

    /// A descriptor to pass to another process, of a channel that has no name (`anonymous`, or
    /// opened by `from_fd`).
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.slot.as_fd()
    }

    /// The channel's name.
    pub fn name(&self) -> &str {
        self.slot.name()
    }

    /// Bytes that one message may have, header fields included.
    pub fn capacity(&self) -> u64 {
        self.slot.capacity()
    }

    /// The description of the channel's messages.
    pub fn schema(&self) -> &Schema {
        self.slot.schema()
    }

    /// Opens what has taken the region's place, with at least what this one had.
    #[cold]
    fn reopen(&mut self) -> Result<()> {
        let spec = Spec {
            capacity: Some(self.slot.capacity()),
            consumers: u32::try_from(self.slot.consumer_slots()).ok(),
            holds: u32::try_from(self.slot.holds()).ok(),
            ..self.options.spec::<T>()?
        };
        self.slot = open(&self.options, &spec)?;
        Ok(())
    }
}

impl<T: Message> Producer<T> {
    /// Lends a buffer to be filled in place. Its content at first is that of an older message, or
    /// zeros.
    ///
    /// # Errors
    /// [`ErrorKind::RoleLost`], [`ErrorKind::SequenceExhausted`], [`ErrorKind::ForkedHandle`],
    /// [`ErrorKind::Corrupt`].
    ///
    /// Not there for messages that end in a slice: see [`loan_len`](Self::loan_len).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-producer-loan-{}", std::process::id());
    /// let mut position = io_shared::producer::<[f64; 3]>(name)?;
    /// let mut loan = position.loan()?;
    /// *loan = [1.0, 2.0, 0.5]; // in shared memory, and seen by nobody yet
    /// loan.put()?;
    /// # io_shared::Channel::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn loan(&mut self) -> Result<Loan<'_, T>> {
        self.loan_any(0)
    }

    /// As [`loan`](Self::loan), with every byte 0.
    ///
    /// # Errors
    /// As for [`loan`](Self::loan).
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
    /// # io_shared::Channel::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn loan_zeroed(&mut self) -> Result<Loan<'_, T>> {
        let mut loan = self.loan_any(0)?;
        loan.zero();
        Ok(loan)
    }
}

fn open(options: &Options, spec: &Spec) -> Result<Slot<slot::Producer>> {
    let mut slot = Slot::producing(&options.location()?, spec)?;
    slot.set_stamps(options.stamps);
    Ok(slot)
}

impl<T: Message + ?Sized> std::fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("name", &self.name()).finish_non_exhaustive()
    }
}
