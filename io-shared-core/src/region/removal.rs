//! Taking a region's name away: the platform that the link protocol runs on.

use std::path::Path;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

use nix::errno::Errno;

use super::cause;
use super::link_protocol::{self, Linked, Removed, Users};
use super::location::Location;
use super::region_lock::RegionLock;
use crate::crash_point::{CrashPoint, reached};
use crate::error::{Error, ErrorKind, Result};
use crate::os::claim::{Claims, PATIENCE, Part, REGION_PATIENCE};
use crate::os::futex;

/// A region whose name may go, as its finder or its user sees it.
pub(super) struct Removal<'a> {
    location: &'a Location,
    path: &'a Path,
    identity: (u64, u64),
    claims: &'a Claims,
    /// `None` if they could not be mapped. That is no failure: the name is gone, and everyone looks
    /// for that in the end.
    words: Option<RemoverWords<'a>>,
    /// Whether it may go, asked when the roles are won.
    may_go: &'a dyn Fn() -> bool,
    /// Whether users of the channel have yet to follow it to this region.
    is_awaited: &'a dyn Fn() -> bool,
    /// Removes the region that has the name, if the channel has grown and nobody uses that one.
    remove_successor: &'a dyn Fn() -> Result<()>,
}

/// The words that a remover writes to. They lie at the same offsets in every layout version.
pub(super) struct RemoverWords<'a> {
    pub(super) retired: &'a AtomicU8,
    /// The word that sleepers sleep on.
    pub(super) latest: *const u32,
}

impl<'a> Removal<'a> {
    pub(super) fn of(
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
        let (may_go, is_awaited, remove_successor) = (&|| true, &|| false, &|| Ok(()));
        Ok(Self { location, path, identity, claims, words, may_go, is_awaited, remove_successor })
    }

    /// The same removal; a region of which `may_go` says `false` counts as used.
    pub(super) fn only_if(self, may_go: &'a dyn Fn() -> bool) -> Self {
        Self { may_go, ..self }
    }

    /// The same removal; a region that `is_awaited` says so of counts as used by the channel's
    /// users in other regions.
    pub(super) fn unless(self, is_awaited: &'a dyn Fn() -> bool) -> Self {
        Self { is_awaited, ..self }
    }

    /// The same removal, of a region that may have grown: `remove` removes the one that has the
    /// name now, unless it is used.
    pub(super) fn followed_by(self, remove: &'a dyn Fn() -> Result<()>) -> Self {
        Self { remove_successor: remove, ..self }
    }

    pub(super) fn remove(&self, users: Users) -> Result<Removed> {
        link_protocol::remove(self, users).inspect(|removed| self.tell(*removed))
    }

    /// Leaves an ephemeral region, whose claims this handle gives up.
    pub(super) fn leave(&self) -> Result<Removed> {
        link_protocol::leave(self).inspect(|removed| self.tell(*removed))
    }

    fn tell(&self, removed: Removed) {
        if removed == Removed::Done {
            tracing::info!(region = %self.location, "removed");
        }
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
        let won = won.map_err(|errno| Error::system(self.location, "fcntl(F_OFD_SETLK)", errno))?;
        Ok(won && (self.may_go)())
    }

    fn is_awaited(&self) -> bool {
        (self.is_awaited)()
    }

    fn free_roles(&self) {
        self.claims.release(Part::Roles);
    }

    fn remove_successor(&self) -> Result<()> {
        let taken = self.claims.is_taken(Part::Roles);
        match taken.map_err(|errno| Error::system(self.location, "fcntl(F_OFD_GETLK)", errno))? {
            true => Ok(()), // others are here, and may follow
            false => (self.remove_successor)(),
        }
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

pub(super) fn not_owner(location: &Location) -> Error {
    location.error(ErrorKind::NotOwner).advise(cause::of_refused_removal(location.path()))
}
