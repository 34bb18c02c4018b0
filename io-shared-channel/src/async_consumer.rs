//! The consumer whose gets are awaited, under any executor.
//!
//! A poll that finds no value registers the task with one of the process's waiting threads
//! (`waiter.rs`), which sleeps for the consumer and wakes the task.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use io_shared_core::slot::{Guard, OwnedGuard};
use io_shared_core::{ErrorKind, LongWait, Message, Result, clock, nap};

use crate::Consumer;
use crate::long_wait::Awaited;
use crate::waiter::{LOOK_AGAIN, Registration};

/// A consumer whose gets are awaited, under any executor. [`Consumer::into_async`] makes it, with
/// the feature `async`.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-async-{}", std::process::id());
/// # io_shared::producer::<f64>(name)?.put(&13.9)?;
/// let mut speed = io_shared::consumer::<f64>(name)?.into_async();
/// let value = pollster::block_on(speed.get())?; // in async code: speed.get().await?
/// assert_eq!(*value, 13.9);
/// # io_shared::remove(name)
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncConsumer<T: Message + ?Sized>(Consumer<T>);

impl<T: Message + ?Sized> Consumer<T> {
    /// Turns this consumer into one whose gets are awaited.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-into-async-{}", std::process::id());
    /// # io_shared::producer::<f64>(name)?.put(&13.9)?;
    /// let mut speed = io_shared::consumer::<f64>(name)?.into_async();
    /// # pollster::block_on(async {
    /// assert_eq!(*speed.get().await?, 13.9);
    /// # io_shared::Result::Ok(()) })?;
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn into_async(self) -> AsyncConsumer<T> {
        AsyncConsumer(self)
    }
}

impl<T: Message + ?Sized> AsyncConsumer<T> {
    /// Waits for a value this consumer has not seen yet.
    ///
    /// The guard borrows nothing, so it may live across an await or move to another task. The
    /// channel limits how many guards live at once: one, unless [`holds`](crate::Channel::holds)
    /// allows more. Drop a guard before the next get.
    ///
    /// The future is cancel-safe: if it is dropped before it is ready, it has taken no value. A
    /// thread of the process waits for up to 127 awaited gets; the first is started when it is
    /// needed, and more as they are needed. If no more can be started, the existing threads look at
    /// the rest every millisecond. Without any thread, a poll that finds nothing takes a
    /// millisecond and asks to be polled again.
    ///
    /// # Errors
    /// The errors of [`Consumer::get`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-async-get-{}", std::process::id());
    /// # let mut producer = io_shared::producer::<f64>(name)?;
    /// let mut speed = io_shared::consumer::<f64>(name)?.into_async();
    /// # pollster::block_on(async {
    /// # for metres in [13.9, 14.1] {
    /// # producer.put(&metres)?;
    /// let value = speed.get().await?;
    /// println!("{} m/s", *value);
    /// drop(value); // before the next get
    /// # }
    /// # io_shared::Result::Ok(()) })?;
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "recv")]
    #[doc(alias = "next")]
    pub async fn get(&mut self) -> Result<OwnedGuard<T>> {
        let mut registration = None;
        let mut long = None;
        poll_fn(|context| self.poll_get(&mut registration, &mut long, context)).await
    }

    fn poll_get(
        &mut self,
        registration: &mut Option<Registration>,
        long: &mut Option<Arc<LongWait>>,
        context: &mut Context<'_>,
    ) -> Poll<Result<OwnedGuard<T>>> {
        match self.0.try_get() {
            Ok(Some(guard)) => return Poll::Ready(Ok(guard.into_owned())),
            Ok(None) => {}
            // The executor has other tasks to run as well, so this one does not spin.
            Err(error) if matches!(error.kind(), ErrorKind::Busy { .. }) => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Err(error) => return Poll::Ready(Err(error)),
        }
        let slot = self.0.slot();
        let waits = registration
            .as_ref()
            .is_some_and(|entry| entry.sleeper().is_of(slot) && entry.renew(context.waker()));
        if waits {
            return Poll::Pending;
        }
        let now = clock::now();
        let long = long.get_or_insert_with(|| Arc::new(LongWait::since(now)));
        if long.is_due(now) {
            Awaited::of_slot(slot).report();
        }
        // If a value was put since the try above, the thread finds it.
        let required = self.0.required();
        *registration = Registration::new(slot.sleeper(), context.waker(), Some(long), required);
        if registration.is_none() {
            // No thread waits for this task, so it looks again, without keeping a core busy.
            nap(Duration::from_nanos(LOOK_AGAIN));
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// The newest value, if this consumer has not seen it yet, as in [`Consumer::try_get`].
    ///
    /// # Errors
    /// The errors of [`Consumer::try_get`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-async-try-get-{}", std::process::id());
    /// let mut speed = io_shared::consumer::<f64>(name)?.into_async();
    /// assert!(speed.try_get()?.is_none());
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn try_get(&mut self) -> Result<Option<Guard<'_, T>>> {
        self.0.try_get()
    }

    /// Turns this consumer back into one whose gets block.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-into-sync-{}", std::process::id());
    /// # io_shared::producer::<f64>(name)?.put(&13.9)?;
    /// let speed = io_shared::consumer::<f64>(name)?.into_async();
    /// assert_eq!(*speed.into_sync().get()?, 13.9);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn into_sync(self) -> Consumer<T> {
        self.0
    }
}
