//! The values before the newest, and those with a tag: copies that a consumer makes of what still
//! lies whole.

use std::time::Duration;

use io_shared_core::slot::{self, Copied, Slot};
use io_shared_core::{Error, ErrorKind, Message, Result, clock};

use super::Consumer;
use super::gets::reopen_or;
use crate::ready_fd::ReadyFd;
use crate::since::Since;

impl<T: Message + ?Sized> Consumer<T> {
    /// Copies of the values after number `seq` that still lie whole, oldest first, whether or not
    /// this consumer has seen them: [`Observer::since`](crate::Observer::since) says more. They do
    /// not count as seen.
    ///
    /// # Errors
    /// Each item has the errors of [`Observer::copy`](crate::Observer::copy).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-consumer-since-{}", std::process::id());
    /// # let mut speed = io_shared::producer::<f64>(name)?;
    /// use io_shared::Channel;
    /// let mut filter = Channel::<f64>::named(name).history(7).consumer()?;
    /// speed.put(&13.9)?;
    /// speed.put(&14.0)?;
    /// let now = filter.get()?.seq();
    /// let last_two: io_shared::Result<Vec<_>> = filter.since(now - 2).collect();
    /// assert_eq!(last_two?.iter().map(|copy| **copy).sum::<f64>(), 27.9);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn since(&mut self, seq: u64) -> Since<'_, T> {
        Since::new(seq, |seq| self.copy_by(|slot| slot.copy_after(seq)))
    }

    /// A copy of the newest value with this [tag](Copied::tag) that still lies whole, whether or
    /// not this consumer has seen it; `None` if there is none. Never waits. It does not count as
    /// seen.
    ///
    /// # Errors
    /// The errors of [`Observer::copy`](crate::Observer::copy).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-consumer-tagged-{}", std::process::id());
    /// # let mut labels = io_shared::producer::<u8>(name)?;
    /// let mut viewer = io_shared::consumer::<u8>(name)?;
    /// labels.put_tagged(&7, 41)?; // of cloud 41
    /// assert_eq!(viewer.tagged(41)?.as_deref(), Some(&7));
    /// assert!(viewer.tagged(42)?.is_none());
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn tagged(&mut self, tag: u64) -> Result<Option<Copied<T>>> {
        self.copy_by(|slot| slot.copy_tagged(tag))
    }

    /// Like [`tagged`](Self::tagged), but waits for at most `timeout` until a value with this tag
    /// comes. Values that come meanwhile count as seen.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], and the errors of [`get`](Self::get) and of
    /// [`tagged`](Self::tagged).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-consumer-tagged-timeout-{}", std::process::id());
    /// # let mut labels = io_shared::producer::<u8>(name)?;
    /// let mut viewer = io_shared::consumer::<u8>(name)?;
    /// labels.put_tagged(&7, 41)?; // of cloud 41
    /// assert_eq!(*viewer.tagged_timeout(41, Duration::from_millis(50))?, 7);
    /// assert!(viewer.tagged_timeout(42, Duration::from_millis(50)).is_err());
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn tagged_timeout(&mut self, tag: u64, timeout: Duration) -> Result<Copied<T>> {
        let deadline = clock::deadline(timeout);
        loop {
            match self.tagged(tag) {
                Ok(Some(copy)) => return Ok(copy),
                // Values came so fast that none of them could be looked at: the next one is.
                Err(error) if matches!(error.kind(), ErrorKind::Busy { .. }) => {}
                none => drop(none?),
            }
            let guard = match self.get_until(deadline, timeout) {
                Err(error) if matches!(error.kind(), ErrorKind::Timeout { .. }) => {
                    let waiting_for = format!("a value with the tag {tag}");
                    let kind = ErrorKind::Timeout { after: timeout, waiting_for };
                    return Err(Error::new(self.name(), kind));
                }
                got => got?,
            };
            if guard.tag() == tag {
                return guard.to_copy();
            }
        }
    }

    /// Copies by `copy`, which is called again if the channel has to be reopened.
    fn copy_by(
        &mut self,
        mut copy: impl FnMut(&mut Slot<slot::Consumer>) -> Result<Option<Copied<T>>>,
    ) -> Result<Option<Copied<T>>> {
        let Self { ready, slot, options, .. } = self;
        match copy(slot) {
            Err(error) => match reopen_or::<T>(slot, options, error, 0)? {
                true => {
                    ReadyFd::follow(ready, slot);
                    copy(slot)
                }
                false => Ok(None),
            },
            copied => copied,
        }
    }
}
