//! Taking a region's name away: what the steps of `linked.rs` run on.

use std::path::Path;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

use memmap2::{MmapOptions, MmapRaw};
use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::enter::RegionLock;
use super::found::Found;
use super::linked::{self, Linked, Removed, Users};
use super::{Kind, Region};
use crate::crash_point::{CrashPoint, reached};
use crate::error::{Error, ErrorKind, Result};
use crate::os::claim::{Claims, PATIENCE, Part, REGION_PATIENCE};
use crate::os::futex;
use crate::protocol::Words;
use crate::region::cause;
use crate::region::layout;
use crate::region::location::Location;

/// Removes the region in that place, used or not, if it is of that kind: another's content may be
/// all there is.
pub(crate) fn remove(location: &Location, kind: Kind) -> Result<()> {
    let was_there = location.identity().is_some();
    loop {
        let found = Found::at(location, OFlag::O_RDWR).map_err(|error| match error.kind() {
            // Who may not write to it does not own it, or has given that right away.
            ErrorKind::System { errno: libc::EACCES, .. } => not_owner(location),
            _ => error,
        })?;
        let Some(found) = found else {
            if was_there {
                return Ok(()); // gone as it was looked at: zeros, or another's removal
            }
            return Err(location.error(ErrorKind::NotFound).advise("there is nothing to remove"));
        };
        found.check_kind(kind)?;
        if found.retire(Users::Any)? != Removed::NameMoved {
            return Ok(());
        }
    }
}

fn not_owner(location: &Location) -> Error {
    location.error(ErrorKind::NotOwner).advise(cause::of_refused_removal(location))
}

/// A region whose name may go, as who found it or who is in it sees it.
struct Removal<'a> {
    location: &'a Location,
    path: &'a Path,
    identity: (u64, u64),
    claims: &'a Claims,
    /// `None` where they could not be mapped. That is no failure: the name is gone, and that is what
    /// everyone looks for in the end.
    words: Option<RemoverWords<'a>>,
}

/// What a remover writes to. It lies where it is in every layout version.
struct RemoverWords<'a> {
    retired: &'a AtomicU8,
    /// What sleepers sleep on.
    latest: *const u32,
}

impl<'a> Removal<'a> {
    fn of(
        location: &'a Location,
        identity: (u64, u64),
        claims: &'a Claims,
        words: Option<RemoverWords<'a>>,
    ) -> Result<Self> {
        let Some(path) = location.path() else {
            return Err(location.error(ErrorKind::Unsupported {
                what: "it has no name that could be removed".into(),
            }));
        };
        Ok(Self { location, path, identity, claims, words })
    }

    fn remove(&self, users: Users) -> Result<Removed> {
        let removed = linked::remove(self, users)?;
        if removed == Removed::Done {
            tracing::info!(region = %self.location, "removed");
        }
        Ok(removed)
    }
}

impl Linked for Removal<'_> {
    type Error = Error;
    type Lock<'l>
        = RegionLock<'l>
    where
        Self: 'l;

    fn lock(&self) -> Result<RegionLock<'_>> {
        RegionLock::take(self.location, self.claims, REGION_PATIENCE)
    }

    fn is_named(&self) -> bool {
        self.location.identity() == Some(self.identity)
    }

    fn win_roles(&self, users: Users) -> Result<bool> {
        let won = match users {
            Users::NoneAtOnce => self.claims.try_claim(Part::Roles),
            _ => self.claims.claim(Part::Roles, PATIENCE),
        };
        won.map_err(|errno| Error::system(self.location, "fcntl(F_OFD_SETLK)", errno))
    }

    fn free_roles(&self) {
        self.claims.release(Part::Roles);
    }

    fn unlink(&self) -> Result<bool> {
        match nix::unistd::unlink(self.path) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(Errno::EPERM | Errno::EACCES) => Err(not_owner(self.location)),
            Err(errno) => Err(Error::system(self.location, "unlink", errno)),
        }
    }

    fn mark(&self) {
        if let Some(words) = &self.words {
            // Relaxed: nothing is read because of it.
            words.retired.store(1, Relaxed);
        }
    }

    fn wake(&self) {
        if let Some(words) = &self.words {
            futex::wake_all(words.latest);
        }
    }

    fn reached(&self, point: CrashPoint) {
        reached(point);
    }
}

impl Found {
    /// Removes the region if nobody lives in it. `false`: somebody does.
    pub(super) fn retire_unused(&self) -> Result<bool> {
        Ok(self.retire(Users::None)? != Removed::InUse)
    }

    /// Removes an ephemeral region that its last user was killed in. `false`: it is in use.
    pub(super) fn retire_left_over(&self) -> Result<bool> {
        if self.location.path().is_none() {
            return Ok(false);
        }
        Ok(self.retire(Users::NoneAtOnce)? != Removed::InUse)
    }

    fn retire(&self, users: Users) -> Result<Removed> {
        let Some(claims) = &self.claims else {
            return Err(self.location.error(ErrorKind::NotOwner)); // an observer's; not reached
        };
        // To mark it. Mapped, not written: a write would be SIGXFSZ under a small RLIMIT_FSIZE.
        let head = MmapOptions::new().len(layout::RETIRED as usize + 1).map_raw(&self.file).ok();
        let words = head.as_ref().map(MmapRaw::as_mut_ptr).map(|head| RemoverWords {
            // SAFETY: the mapping spans the flag, in a page that the header begins, and lives to the
            // end of this function.
            retired: unsafe { AtomicU8::from_ptr(head.wrapping_add(layout::RETIRED as usize)) },
            latest: head.wrapping_add(layout::LATEST as usize).cast(),
        });
        Removal::of(&self.location, self.identity, claims, words)?.remove(users)
    }
}

impl Region {
    /// Removes an ephemeral region if this handle was the last in it; ends this handle's claims in
    /// any case, so that of two that leave at once the second is the last.
    fn retire_if_last(&self) {
        let Some(claims) =
            self.claims.as_ref().filter(|claims| !claims.is_forked() && claims.is_own())
        else {
            return;
        };
        let latest = self.in_header(layout::LATEST).cast_const().cast();
        let words = RemoverWords { retired: self.retired(), latest };
        let removal = Removal::of(&self.location, self.identity, claims, Some(words));
        // Failures leave it to whoever opens it next.
        let _ = removal.and_then(|removal| removal.remove(Users::NoneAtOnce));
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if self.ephemeral && self.location.path().is_some() {
            self.retire_if_last();
        }
    }
}
