//! Taking a region's name away, so that everyone in it notices.
//!
//! The order is: the region's lock, a second look at the path, every role's claim where the region
//! must be unused, the name, the retired flag, the wake-up. A remover killed after the name is gone
//! leaves nothing to finish: others see at their next look that the name leads elsewhere.

use std::os::unix::fs::FileExt;

use memmap2::MmapOptions;
use nix::errno::Errno;

use super::Role;
use super::open::{Found, RegionLock, identity_at};
use crate::claim::{Claims, Part};
use crate::crash_point::{CrashPoint, reached};
use crate::error::{Error, ErrorKind, Result};
use crate::futex;
use crate::layout;
use crate::name::Name;

/// Removes the region of that name, used or not.
pub(crate) fn remove(name: &Name) -> Result<()> {
    loop {
        let Some(found) = Found::at(name, &name.path(), &Role::Producer)? else {
            return Err(Error::new(name, ErrorKind::NotFound));
        };
        if found.retire(false)? != Retired::NameMoved {
            return Ok(());
        }
    }
}

#[derive(PartialEq, Eq)]
enum Retired {
    Done,
    InUse,
    /// The name leads elsewhere by now.
    NameMoved,
}

impl Found {
    /// Removes the region if nobody lives in it. `false`: somebody does.
    pub(super) fn retire_unused(&self) -> Result<bool> {
        Ok(self.retire(true)? != Retired::InUse)
    }

    fn retire(&self, unused: bool) -> Result<Retired> {
        let name = &self.name;
        let Some(claims) = &self.claims else {
            return Err(Error::new(name, ErrorKind::NotOwner)); // an observer's; not reached
        };
        let path = name.path();
        let _lock = RegionLock::take(name, claims)?;
        reached(CrashPoint::RemoveLocked);
        if identity_at(&path) != Some(self.identity) {
            return Ok(Retired::NameMoved);
        }
        let _roles = if unused {
            // Won, not asked for: nobody can move in until this is over.
            match claims.claim(Part::Roles) {
                Ok(true) => Some(WonRoles(claims)),
                Ok(false) => return Ok(Retired::InUse),
                Err(errno) => return Err(Error::system(name, "fcntl(F_OFD_SETLK)", errno)),
            }
        } else {
            None
        };
        match nix::unistd::unlink(&path) {
            Ok(()) => {}
            Err(Errno::EPERM | Errno::EACCES) => {
                return Err(Error::new(name, ErrorKind::NotOwner));
            }
            Err(errno) => return Err(Error::system(name, "unlink", errno)),
        }
        reached(CrashPoint::RemoveUnlinked);
        // The flag and the futex word are where they are in every layout version. Failures are no
        // failures: the name is gone, and that is what everyone looks for in the end.
        let _ = self.file.write_all_at(&[1], layout::RETIRED);
        reached(CrashPoint::RemoveRetired);
        if let Ok(page) = MmapOptions::new()
            .len(layout::CONTROL as usize)
            .map_raw(&self.file)
        {
            futex::wake_all(page.as_ptr().wrapping_add(layout::LATEST as usize).cast());
        }
        tracing::info!(region = %name, "removed");
        Ok(Retired::Done)
    }
}

struct WonRoles<'a>(&'a Claims);

impl Drop for WonRoles<'_> {
    fn drop(&mut self) {
        self.0.release(Part::Roles);
    }
}
