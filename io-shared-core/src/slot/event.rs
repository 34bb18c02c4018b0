//! A descriptor that is readable while it is set, for event loops: an eventfd.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::{read, write};

use crate::error::{Error, Result};
use crate::os::file::above_streams;

/// A descriptor that is readable while it is set. It is closed on exec, and never blocks.
///
/// # Examples
/// ```
/// use std::os::fd::AsFd;
/// let event = io_shared_core::slot::Event::new("/clouds")?;
/// event.set(); // poll and epoll say that `event.as_fd()` is readable
/// event.clear();
/// # Ok::<(), io_shared_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Event(OwnedFd);

impl Event {
    /// One that is not set. `name` is the name that an error shows.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System), for example without a free descriptor.
    pub fn new(name: &str) -> Result<Self> {
        let made = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let made = made.and_then(|made| above_streams(OwnedFd::from(made)));
        made.map(Self).map_err(|errno| Error::system(name, "eventfd", errno))
    }

    /// Makes it readable.
    pub fn set(&self) {
        // It fails only if it was set 2^64 - 2 times, and then it is readable.
        let _ = write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Makes it not readable.
    pub fn clear(&self) {
        // It fails if it is not set.
        let _ = read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
