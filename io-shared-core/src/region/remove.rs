//! Taking a region's name away, so that everyone in it notices.
//!
//! The order is: the region's lock, a second look at the path, every role's claim where the region
//! must be unused, the name, the retired flag, the wake-up. A remover killed after the name is gone
//! leaves nothing to finish: others see at their next look that the name leads elsewhere.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

use memmap2::{MmapOptions, MmapRaw};
use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::enter::RegionLock;
use super::found::Found;
use super::{Kind, Region};
use crate::claim::{Claims, PATIENCE, Part, REGION_PATIENCE};
use crate::crash_point::{CrashPoint, reached};
use crate::error::{Error, ErrorKind, Result};
use crate::futex;
use crate::layout;
use crate::place::Place;

/// Removes the region in that place, used or not, if it is of that kind: another's content may be
/// all there is.
pub(crate) fn remove(place: &Place, kind: Kind) -> Result<()> {
    loop {
        let found = Found::at(place, OFlag::O_RDWR).map_err(|error| match error.kind() {
            // Who may not write to it does not own it, or has given that right away.
            ErrorKind::System { errno: libc::EACCES, .. } => place.error(ErrorKind::NotOwner),
            _ => error,
        })?;
        let Some(found) = found else { return Err(place.error(ErrorKind::NotFound)) };
        found.check_kind(kind)?;
        if found.retire(Users::Any)? != Retired::NameMoved {
            return Ok(());
        }
    }
}

/// Who may be in a region that is removed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Users {
    Any,
    /// Nobody: every role's claim is won, not asked for, so that nobody can move in until it is
    /// over.
    None,
    /// Nobody, and who is in it is there for longer than a moment.
    NoneAtOnce,
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
        Ok(self.retire(Users::None)? != Retired::InUse)
    }

    /// Removes an ephemeral region that its last user was killed in. `false`: it is in use.
    pub(super) fn retire_left_over(&self) -> Result<bool> {
        if self.place.path().is_none() {
            return Ok(false);
        }
        Ok(self.retire(Users::NoneAtOnce)? != Retired::InUse)
    }

    fn retire(&self, users: Users) -> Result<Retired> {
        let Some(claims) = &self.claims else {
            return Err(self.place.error(ErrorKind::NotOwner)); // an observer's; not reached
        };
        retire(&self.place, self.identity, claims, users, || {
            // The flag and the futex word are where they are in every layout version. A failure is
            // none: the name is gone, and that is what everyone looks for in the end. Mapped, not
            // written: a write would be SIGXFSZ under a small RLIMIT_FSIZE.
            let head = MmapOptions::new().len(layout::RETIRED as usize + 1).map_raw(&self.file);
            if let Ok(head) = head.as_ref().map(MmapRaw::as_mut_ptr) {
                let flag = head.wrapping_add(layout::RETIRED as usize);
                // SAFETY: the mapping spans the flag, in a page that the header begins, and lives
                // to the end of this closure.
                let retired = unsafe { AtomicU8::from_ptr(flag) };
                retired.store(1, Relaxed);
                reached(CrashPoint::RemoveRetired);
                futex::wake_all(head.wrapping_add(layout::LATEST as usize).cast());
            }
        })
    }
}

impl Region {
    /// Removes an ephemeral region if this handle was the last in it; ends this handle's claims in
    /// any case, so that of two that leave at once the second is the last.
    fn retire_if_last(&self) {
        let Some(claims) = self.claims.as_ref().filter(|claims| !claims.is_forked()) else {
            return;
        };
        // Failures leave it to whoever opens it next.
        let _ = retire(&self.place, self.identity, claims, Users::NoneAtOnce, || {
            use crate::protocol::Words;
            self.retired().store(1, Relaxed);
            futex::wake_all(self.in_header(layout::LATEST).cast());
        });
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if self.ephemeral && self.place.path().is_some() {
            self.retire_if_last();
        }
    }
}

fn retire(
    place: &Place,
    identity: (u64, u64),
    claims: &Claims,
    users: Users,
    mark: impl FnOnce(),
) -> Result<Retired> {
    let Some(path) = place.path() else {
        return Err(place.error(ErrorKind::Unsupported {
            what: "it has no name that could be removed".into(),
        }));
    };
    let _lock = RegionLock::take(place, claims, REGION_PATIENCE)?;
    reached(CrashPoint::RemoveLocked);
    if place.identity() != Some(identity) {
        return Ok(Retired::NameMoved);
    }
    let won = match users {
        Users::Any => Ok(true),
        Users::None => claims.claim(Part::Roles, PATIENCE),
        Users::NoneAtOnce => claims.try_claim(Part::Roles),
    };
    // Declared after the lock, and so given up before it.
    let _roles = (users != Users::Any).then(|| WonRoles(claims));
    match won {
        Ok(true) => {}
        Ok(false) => return Ok(Retired::InUse),
        Err(errno) => return Err(Error::system(place, "fcntl(F_OFD_SETLK)", errno)),
    }
    match nix::unistd::unlink(&path) {
        Ok(()) => {}
        Err(Errno::ENOENT) => return Ok(Retired::NameMoved),
        Err(Errno::EPERM | Errno::EACCES) => return Err(place.error(ErrorKind::NotOwner)),
        Err(errno) => return Err(Error::system(place, "unlink", errno)),
    }
    reached(CrashPoint::RemoveUnlinked);
    mark();
    tracing::info!(region = %place, "removed");
    Ok(Retired::Done)
}

struct WonRoles<'a>(&'a Claims);

impl Drop for WonRoles<'_> {
    fn drop(&mut self) {
        self.0.release(Part::Roles);
    }
}
