//! Gets that are awaited.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use io_shared_core::slot::{Guard, OwnedGuard};
use io_shared_core::{ErrorKind, LongWait, Message, Result, clock, nap};

use crate::Consumer;
use crate::long_wait::Awaited;
use crate::waiter::{LOOK_AGAIN, Registration};

/// A consumer whose gets are awaited, under any executor. Made by
/// [`Consumer::into_async`](Consumer::into_async), with the feature `async`.
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
/// # io_shared::Channel::remove(name)
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncConsumer<T: Message + ?Sized>(Consumer<T>);

impl<T: Message + ?Sized> Consumer<T> {
    /// This consumer, with gets that are awaited.
    ///
    /// There is an example at [`AsyncConsumer`].
    pub fn into_async(self) -> AsyncConsumer<T> {
        AsyncConsumer(self)
    }
}

impl<T: Message + ?Sized> AsyncConsumer<T> {
    /// Waits for a value that this consumer has not had.
    ///
    /// The guard borrows nothing, so that it may cross an await or go to another task. As many live
    /// at once as the channel has holds, one unless [`holds`](crate::Channel::holds) says otherwise:
    /// drop one before the next get.
    ///
    /// Cancel-safe: dropped before it is ready, it has taken nothing, and leaves nothing behind. One
    /// thread waits for all awaited gets of the process, 127 at a time, and is started at the first
    /// need; further threads for more. Where none can be started, those that there are look at the
    /// rest every millisecond; with none at all, each poll that finds nothing takes a millisecond,
    /// and asks to be polled again.
    ///
    /// # Errors
    /// As for [`Consumer::get`].
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
            // The executor has others to run, too.
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
            Awaited::of_slot(slot).tell();
        }
        // What was put since the try above, the thread finds.
        *registration = Registration::new(slot.sleeper(), context.waker(), Some(long));
        if registration.is_none() {
            // Nobody waits for it: this task is to look again, and not to keep a core busy.
            nap(Duration::from_nanos(LOOK_AGAIN));
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// The value that this consumer has not had, if there is one: [`Consumer::try_get`].
    ///
    /// # Errors
    /// As for [`Consumer::try_get`].
    pub fn try_get(&mut self) -> Result<Option<Guard<'_, T>>> {
        self.0.try_get()
    }

    /// The consumer, with gets that block.
    pub fn into_sync(self) -> Consumer<T> {
        self.0
    }
}
