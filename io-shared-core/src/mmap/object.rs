//! Removing objects without a header, and those whose lock lies in another region.

use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::options::MmapOptions;
use super::unguarded::UnsafeSharedMmap;
use crate::error::{Error, ErrorKind, Result};
use crate::region::{self, Location, Name};

impl UnsafeSharedMmap {
    /// Removes the object of this name from shared memory. Programs that have it mapped keep it.
    /// Refuses a region of io-shared, whose users must be told: use the `remove` of its own type.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], the error of [`open`](MmapOptions::open) for a region of io-shared,
    /// [`ErrorKind::NotOwner`], [`ErrorKind::BadName`], [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// use io_shared::{ErrorKind, UnsafeSharedMmap};
    /// let error = UnsafeSharedMmap::remove("/doc-not-there").unwrap_err();
    /// assert_eq!(*error.kind(), ErrorKind::NotFound);
    /// ```
    #[doc(alias = "shm_unlink")]
    pub fn remove(name: impl AsRef<str>) -> Result<()> {
        remove_object(&Location::from(Name::posix(name.as_ref())?))
    }

    /// Bytes under the name of a region, in the domain of this process. Their lock, if they have
    /// one, is a region of its own, as with the Python package's `SharedMMap`.
    #[doc(hidden)]
    pub fn locked_elsewhere(name: &str) -> MmapOptions<Self> {
        MmapOptions::new(Name::new(name).map(Location::from))
    }

    /// As [`remove`](Self::remove), for [`locked_elsewhere`](Self::locked_elsewhere).
    #[doc(hidden)]
    pub fn remove_locked_elsewhere(name: &str) -> Result<()> {
        remove_object(&Location::from(Name::new(name)?))
    }
}

fn remove_object(location: &Location) -> Result<()> {
    if let Ok(Some(file)) = location.open(OFlag::O_RDONLY) {
        region::refuse_region(location, &file)?;
    }
    match nix::unistd::unlink(location.path().unwrap_or(Path::new(""))) {
        Ok(()) => Ok(()),
        Err(Errno::ENOENT) => {
            Err(location.error(ErrorKind::NotFound).advise("there is nothing to remove"))
        }
        Err(Errno::EPERM | Errno::EACCES) => {
            let advice = region::of_refused_removal(location.path());
            Err(location.error(ErrorKind::NotOwner).advise(advice))
        }
        Err(errno) => Err(Error::system(location, "unlink", errno)),
    }
}
