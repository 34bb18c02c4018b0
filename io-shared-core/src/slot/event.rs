//! A descriptor that is readable while it is set, for event loops: an eventfd.
//!
//! Its user has its number, and may have closed it. The number may lead to another file by then,
//! which is not to be touched: it is asked each time.

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::stat::fstat;
use nix::unistd::{read, write};

use crate::error::{Error, Result};
use crate::os::file::above_streams;

/// The flags of its open file, which other eventfds do not have. An eventfd cannot append, so the
/// second one changes nothing.
const MARKED: OFlag = OFlag::O_NONBLOCK.union(OFlag::O_APPEND);

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
pub struct Event {
    descriptor: RawFd,
    /// Device and inode, as all eventfds have them.
    file: (u64, u64),
}

impl Event {
    /// One that is not set. `name` is the name that an error shows.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System), for example without a free descriptor.
    pub fn new(name: &str) -> Result<Self> {
        let (made, file) = marked().map_err(|errno| Error::system(name, "eventfd", errno))?;
        Ok(Self { descriptor: made.into_raw_fd(), file })
    }

    /// Whether the descriptor is still this one's: other code may have closed it.
    pub fn is_open(&self) -> bool {
        let flags = fcntl(self, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
        flags.is_ok_and(|flags| flags.contains(MARKED)) && identity(self) == Ok(self.file)
    }

    /// Makes it readable.
    pub fn set(&self) {
        if self.is_open() {
            // It fails only if it was set 2^64 - 2 times, and then it is readable.
            let _ = write(self, &1_u64.to_ne_bytes());
        }
    }

    /// Makes it not readable.
    pub fn clear(&self) {
        if self.is_open() {
            // It fails if it is not set.
            let _ = read(self, &mut [0; 8]);
        }
    }
}

fn marked() -> std::result::Result<(OwnedFd, (u64, u64)), Errno> {
    let made = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    let made = above_streams(OwnedFd::from(made))?;
    fcntl(&made, FcntlArg::F_SETFL(MARKED))?;
    let file = identity(&made)?;
    Ok((made, file))
}

fn identity(descriptor: &impl AsFd) -> std::result::Result<(u64, u64), Errno> {
    fstat(descriptor).map(|status| (status.st_dev, status.st_ino))
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: it is open for as long as this value lives, unless other code has closed it. Then
        // the number is asked what it leads to before anything is read or written there.
        unsafe { BorrowedFd::borrow_raw(self.descriptor) }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if self.is_open() {
            // SAFETY: it is this value's own, as was just asked, and is closed once.
            drop(unsafe { OwnedFd::from_raw_fd(self.descriptor) });
        }
    }
}
