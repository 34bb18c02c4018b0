//! The wait of a producer until its consumers have taken the last value.

use std::time::Duration;

use crossbeam_utils::Backoff;
use io_shared_core::slot::Connection;
use io_shared_core::{Error, ErrorKind, LongWait, Message, Result, clock};

use super::Producer;
use crate::interrupter::Interrupter;

impl<T: Message + ?Sized> Producer<T> {
    /// Waits until every consumer that is connected now has taken the last value, and returns how
    /// many have. For programs that run in lock step; a put itself never waits.
    ///
    /// A consumer that ends during the wait is no longer waited for. One that has not followed the
    /// channel since it [grew](crate::Channel::growing) is waited for until it has, and has taken
    /// the value, or has ended. Without consumers this returns 0 at once. It spins briefly, then
    /// sleeps between looks, for 50 us at first and 1 ms at most.
    /// A wait that exceeds a second writes one `tracing` warning, which names the consumers it
    /// waits for.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], which names the consumers that have not taken the value;
    /// [`ErrorKind::Interrupted`], within 2 ms of the interrupt; [`ErrorKind::Replaced`] (the
    /// channel was removed or replaced, and the last value with it), [`ErrorKind::ForkedHandle`],
    /// [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-wait-taken-{}", std::process::id());
    /// let mut step = io_shared::producer::<u64>(name)?;
    /// step.put(&1)?;
    /// assert_eq!(step.wait_taken(Duration::from_secs(1))?, 0); // no consumer is connected
    ///
    /// let mut consumer = io_shared::consumer::<u64>(name)?;
    /// assert!(step.wait_taken(Duration::ZERO).is_err());
    /// assert_eq!(*consumer.get()?, 1);
    /// assert_eq!(step.wait_taken(Duration::ZERO)?, 1);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn wait_taken(&mut self, timeout: Duration) -> Result<usize> {
        let deadline = clock::deadline(timeout);
        let mut missing = self.slot.claimed()?;
        let mut taken = 0;
        let backoff = Backoff::new();
        let mut pause = Duration::from_micros(50);
        let long = LongWait::default();
        loop {
            let before = missing.len();
            missing.retain(|&at| !self.slot.has_had_last(at));
            taken += before - missing.len();
            if missing.is_empty() {
                return Ok(taken);
            }
            if !backoff.is_completed() {
                backoff.snooze();
                continue;
            }
            self.interrupts.check(self.name())?;
            // Those that have not ended, where they are now.
            let now = missing.iter().map(|&at| self.slot.claimed_since(at));
            missing = now.filter_map(Result::transpose).collect::<Result<_>>()?;
            self.slot.check_around()?;
            let left = deadline.saturating_sub(clock::now());
            if left == 0 && !missing.is_empty() {
                return Err(self.not_taken(timeout, &missing));
            }
            if long.is_due(clock::now()) && !missing.is_empty() {
                let (name, awaited) = (self.name(), self.awaited(&missing));
                tracing::warn!(region = name, "{name}: has waited for over a second for {awaited}");
            }
            io_shared_core::nap(pause.min(Duration::from_nanos(left)));
            pause = (pause * 2).min(Duration::from_millis(1));
        }
    }

    /// A handle that ends a [`wait_taken`](Self::wait_taken) of this producer from another thread
    /// or from a signal handler.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-producer-interrupter-{}", std::process::id());
    /// use io_shared::ErrorKind;
    /// let mut step = io_shared::producer::<u64>(name)?;
    /// # let consumer = io_shared::consumer::<u64>(name)?;
    /// step.put(&1)?;
    /// step.interrupter().interrupt();
    /// let error = step.wait_taken(Duration::MAX).unwrap_err(); // its consumer has not taken it
    /// assert_eq!(*error.kind(), ErrorKind::Interrupted);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn interrupter(&self) -> Interrupter {
        self.interrupts.interrupter()
    }

    #[cold]
    fn not_taken(&self, after: Duration, missing: &[Connection]) -> Error {
        let waiting_for = self.awaited(missing);
        Error::new(self.name(), ErrorKind::Timeout { after, waiting_for })
    }

    /// What is waited for, in words.
    fn awaited(&self, missing: &[Connection]) -> String {
        let names: Vec<_> = missing
            .iter()
            .filter_map(|at| self.slot.consumer(*at))
            .map(|consumer| consumer.to_string())
            .collect();
        let last = self.slot.sequence();
        format!("value {last} to be taken by: {}", names.join(", "))
    }
}
