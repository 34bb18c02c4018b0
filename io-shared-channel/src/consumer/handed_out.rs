//! What a consumer hands out: its interrupter, its descriptor for event loops, and that of its
//! channel.

use std::os::fd::BorrowedFd;

use io_shared_core::{ErrorKind, Message, Result};

use super::Consumer;
use crate::interrupter::Interrupter;
use crate::ready_fd::ReadyFd;

impl<T: Message + ?Sized> Consumer<T> {
    /// A handle that ends a wait of this consumer from another thread or from a signal handler: of
    /// a get, or of [`wait_any`](crate::wait_any). Calls that do not wait are not affected, nor are
    /// awaited gets: drop the future instead.
    ///
    /// The consumer sleeps on two words from then on, which takes no longer than on one.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-consumer-interrupter-{}", std::process::id());
    /// use io_shared::ErrorKind;
    /// let mut speed = io_shared::consumer::<f64>(name)?;
    /// let interrupter = speed.interrupter(); // for another thread, or a signal handler
    /// interrupter.interrupt();
    /// assert_eq!(*speed.get().unwrap_err().kind(), ErrorKind::Interrupted);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn interrupter(&self) -> Interrupter {
        self.interrupts.interrupter()
    }

    /// What [`binding::end_waits_at_signals`](crate::binding::end_waits_at_signals) does.
    pub(crate) fn end_waits_at_signals(&self) {
        self.interrupts.raise_at_signals();
    }

    /// A descriptor that is readable while this consumer has something to get, for event loops:
    /// epoll, `poll`, Qt, libuv, tokio's `AsyncFd`. Each call returns the same one; the first makes
    /// it, and has a thread of the process wait for the consumer. It is level-triggered.
    ///
    /// When it is readable, call [`try_get`](Self::try_get). Never read from it: each get, also one
    /// that finds nothing, makes it unreadable if nothing is left. It may be readable once too
    /// often for each value, so a get that finds nothing is no error. It is also readable when a
    /// get would fail. While the channel is removed it is readable ten times a second, so that a
    /// get looks for the new channel; it then stays the same descriptor.
    ///
    /// It is closed with the consumer, and on exec. If other code has closed it before, what has
    /// its number by then is left alone, and the next call makes another one. A forked child
    /// inherits it, but no handle of the child sets or clears it.
    ///
    /// # Errors
    /// [`ErrorKind::ForkedHandle`]; [`ErrorKind::System`], for example without a free descriptor;
    /// [`ErrorKind::Unsupported`] if no thread can be started.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-ready-fd-{}", std::process::id());
    /// # io_shared::producer::<f64>(name)?.put(&13.9)?;
    /// use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
    /// let mut speed = io_shared::consumer::<f64>(name)?;
    /// let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    /// epoll.add(speed.ready_fd()?, EpollEvent::new(EpollFlags::EPOLLIN, 0)).unwrap();
    /// # let mut got = 0;
    /// # while got == 0 {
    /// let mut events = [EpollEvent::empty(); 8];
    /// let ready = epoll.wait(&mut events, EpollTimeout::NONE).unwrap();
    /// for event in &events[..ready] {
    ///     assert_eq!(event.data(), 0);
    ///     if let Some(speed) = speed.try_get()? {
    ///         println!("{} m/s", *speed);
    /// #       got += 1;
    ///     }
    /// }
    /// # }
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[doc(alias = "epoll")]
    #[doc(alias = "eventfd")]
    #[doc(alias = "fileno")]
    pub fn ready_fd(&mut self) -> Result<BorrowedFd<'_>> {
        match self.slot.check() {
            Err(error) if *error.kind() != ErrorKind::Replaced => return Err(error),
            _ => {}
        }
        self.ready.take_if(|ready| !ready.is_open());
        let ready = match &mut self.ready {
            Some(ready) => ready,
            none => none.insert(Box::new(ReadyFd::new(&self.slot, self.required.clone())?)),
        };
        Ok(ready.as_fd())
    }

    /// The descriptor of a channel without a name (made by `anonymous`, or opened by `from_fd`), to
    /// pass to another process. `None` for other channels.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// use io_shared::Channel;
    /// let consumer = Channel::<f64>::anonymous().consumer()?;
    /// let descriptor = consumer.as_fd().expect("it has no name").try_clone_to_owned().unwrap();
    /// // In another process that received the descriptor:
    /// let producer = Channel::<f64>::from_fd(descriptor).producer()?;
    /// assert!(consumer.has_producer()?);
    /// # Ok(()) }
    /// ```
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.slot.as_fd()
    }
}
