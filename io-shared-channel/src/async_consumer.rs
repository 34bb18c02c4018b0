//! Gets that are awaited.

use std::future::poll_fn;
use std::task::{Context, Poll};

use io_shared_core::slot::{Guard, OwnedGuard};
use io_shared_core::{ErrorKind, Message, Result};

use crate::Consumer;
use crate::waiter::Registration;

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
    /// need; further threads for more.
    ///
    /// # Errors
    /// As for [`Consumer::get`]; and [`ErrorKind::System`] if no thread can be started.
    pub async fn get(&mut self) -> Result<OwnedGuard<T>> {
        let mut registration = None;
        poll_fn(|context| self.poll_get(&mut registration, context)).await
    }

    fn poll_get(
        &mut self,
        registration: &mut Option<Registration>,
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
        if !waits {
            // What was put since the try above, the thread finds.
            *registration = Some(Registration::new(slot.sleeper(), context.waker())?);
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
