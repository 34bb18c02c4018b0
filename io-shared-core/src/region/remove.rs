//! Removing a region: on request, and when the last user of an ephemeral one leaves.

use std::fs::File;
use std::sync::atomic::Ordering::Relaxed;

use nix::fcntl::OFlag;

use super::candidate::Candidate;
use super::layout::{self, Kind};
use super::link_protocol::{Removed, Users};
use super::location::Location;
use super::mapped::Region;
use super::removal::{Removal, RemoverWords, not_owner};
use crate::error::{ErrorKind, Result};
use crate::protocol::Words;

/// Removes the region at `location`, in use or not, if it is of that kind. One of another kind may
/// hold the only copy of its content.
pub(crate) fn remove(location: &Location, kind: Kind) -> Result<()> {
    remove_if(location, |found| found.check_kind(kind))
}

/// Removes the region at `location`, in use or not, whatever its kind is.
pub(super) fn remove_any(location: &Location) -> Result<()> {
    remove_if(location, |_| Ok(()))
}

fn remove_if(location: &Location, check: impl Fn(&Candidate) -> Result<()>) -> Result<()> {
    let was_there = location.identity().is_some();
    loop {
        let found =
            Candidate::open(location, OFlag::O_RDWR).map_err(|error| match error.kind() {
                // Who may not write to it does not own it, or has given that permission away.
                ErrorKind::System { errno: libc::EACCES, .. } => not_owner(location),
                _ => error,
            })?;
        let Some(found) = found else {
            if was_there {
                return Ok(()); // gone while it was opened: zeros, or another's removal
            }
            return Err(location.error(ErrorKind::NotFound).advise("there is nothing to remove"));
        };
        check(&found)?;
        if found.retire(Users::Any)? != Removed::NameMoved {
            return Ok(());
        }
    }
}

/// Removes the region at `location` if nobody uses it, whatever its kind is, and if `may_go` says
/// so, which is asked of its file while nobody else can have a role. `false`: it stays.
pub(super) fn remove_unused_if(
    location: &Location,
    may_go: &dyn Fn(&File) -> bool,
) -> Result<bool> {
    loop {
        let found =
            Candidate::open(location, OFlag::O_RDWR).map_err(|error| match error.kind() {
                ErrorKind::System { errno: libc::EACCES, .. } => not_owner(location),
                _ => error,
            })?;
        let Some(found) = found else {
            return Err(location.error(ErrorKind::NotFound).advise("there is nothing to remove"));
        };
        match found.retire_if(Users::None, &|| may_go(&found.file))? {
            Removed::Done => return Ok(true),
            Removed::InUse => return Ok(false),
            Removed::NameMoved => {} // another one has the name by now
        }
    }
}

impl Region {
    /// The words that a remover writes to.
    pub(super) fn words(&self) -> RemoverWords<'_> {
        let latest = self.in_header(layout::LATEST).cast_const().cast();
        RemoverWords { retired: self.retired(), latest }
    }

    /// Removes an ephemeral region if this handle is its last user. In any case ends this handle's
    /// claims, so that if two leave at once, the second is the last.
    fn retire_if_last(&self) {
        let Some(claims) =
            self.claims.as_ref().filter(|claims| !claims.is_forked() && claims.is_own())
        else {
            return;
        };
        let removal = Removal::of(&self.location, self.identity, claims, Some(self.words()));
        // If it fails, whoever opens the region next removes it.
        let _ = removal.and_then(|removal| removal.remove(Users::NoneAtOnce));
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let left_to_others = self.left_to_others.load(Relaxed);
        if self.ephemeral && self.location.path().is_some() && !left_to_others {
            self.retire_if_last();
        }
    }
}
