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
use crate::os::claim::{Claims, Part};
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
            // What a producer that was killed as it gave the channel a larger region has left.
            found.look_at_line();
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
        let is_unused = || may_go(&found.file) && !found.look_at_line().has_users;
        match found.retire_if(Users::None, &is_unused)? {
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

    /// Leaves a region that goes with its last user, or that has lost its name. This handle's
    /// claims are given up then.
    fn leave(&self) {
        let own = |claims: &&Claims| !claims.is_forked() && claims.is_own();
        let Some(claims) = self.claims.as_ref().filter(own) else { return };
        if self.ephemeral && !self.left_to_others.load(Relaxed) {
            let removal = Removal::of(&self.location, self.identity, claims, Some(self.words()));
            let is_awaited = || self.look_at_line().has_users;
            let successor = || self.remove_successor();
            // If it fails, whoever opens the region next removes it.
            let _ = removal.and_then(|it| it.unless(&is_awaited).followed_by(&successor).leave());
        }
        // As a channel grew, this may have been given a hidden name.
        if self.location.identity() != Some(self.identity) && !claims.is_unlinked() {
            claims.release(Part::Roles);
            claims.release(Part::History);
            self.look_at_line();
        }
    }

    /// Removes the region that has the name, if it is one of the same ephemeral channel and nobody
    /// uses that.
    fn remove_successor(&self) -> Result<()> {
        match Candidate::open(&self.location, OFlag::O_RDWR)? {
            Some(named) if named.is_ephemeral() && named.prelude.line == self.line => {
                named.retire_left_over().map(drop)
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let may_have_grown = self.layout.kind == Kind::Channel;
        if self.location.path().is_some() && (self.ephemeral || may_have_grown) {
            self.leave();
        }
    }
}
