//! The region's own lock, which is held for a few system calls at a time.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::os::claim::{Claims, Part};

/// The region's own lock, until this is dropped.
pub(super) struct RegionLock<'a>(&'a Claims);

impl<'a> RegionLock<'a> {
    pub(super) fn take(
        name: impl std::fmt::Display,
        claims: &'a Claims,
        patience: Duration,
    ) -> Result<Self> {
        match claims.claim(Part::Region, patience) {
            Ok(true) => Ok(Self(claims)),
            Ok(false) => {
                let doing = "waiting for its lock (a stopped process may hold it)";
                Err(Error::new(name, ErrorKind::Busy { doing }))
            }
            Err(errno) => Err(Error::system(name, "fcntl(F_OFD_SETLK)", errno)),
        }
    }
}

impl Drop for RegionLock<'_> {
    fn drop(&mut self) {
        self.0.release(Part::Region);
    }
}
