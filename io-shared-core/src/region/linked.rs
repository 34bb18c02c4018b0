//! A region under a name: the steps by which the name is taken away, and by which one moves in.
//!
//! As `protocol`, this is generic over its platform ([`Linked`]) and is what the model checker runs.
//! `remove.rs` and `open.rs` are its callers, and are what it runs on.
//!
//! What must stay true:
//! - A name is taken away by one remover, and only while it leads to that remover's region.
//! - Nobody who is told that a region is open lives in it when it is removed as unused.
//! - Who is in a removed region finds out, wherever the remover was killed: by the flag, or because
//!   the name leads elsewhere.

use crate::crash_point::CrashPoint;

/// Who may be in a region that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Users {
    Any,
    /// Nobody: every role's claim is won, not asked for, so that nobody can move in until it is
    /// over.
    None,
    /// Nobody, and who is in it is there for longer than a moment.
    NoneAtOnce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removed {
    Done,
    InUse,
    /// The name leads elsewhere by now.
    NameMoved,
}

/// A region whose name a remover may take away.
pub(crate) trait Linked {
    type Error;
    /// The region's own lock, until this is dropped.
    type Lock<'a>
    where
        Self: 'a;

    fn lock(&self) -> Result<Self::Lock<'_>, Self::Error>;
    /// Whether the name leads here now.
    fn is_named(&self) -> bool;
    /// Wins the claims of every role; those that this handle has are won. `false`: others have some.
    fn win_roles(&self, users: Users) -> Result<bool, Self::Error>;
    /// Gives up the claims of every role, those that this handle had before too.
    fn free_roles(&self);
    /// Takes away what the name leads to. `false`: it leads nowhere.
    fn unlink(&self) -> Result<bool, Self::Error>;
    /// Raises the retired flag.
    fn mark(&self);
    /// Wakes everyone who sleeps on the region.
    fn wake(&self);
    fn reached(&self, point: CrashPoint);
}

/// Takes the region's name away, so that everyone in it notices. A remover killed after the name is
/// gone leaves nothing to finish: others see at their next look that it leads elsewhere.
pub(crate) fn remove<R: Linked>(region: &R, users: Users) -> Result<Removed, R::Error> {
    let lock = region.lock()?;
    region.reached(CrashPoint::RemoveLocked);
    let removed = remove_locked(region, users);
    if users != Users::Any {
        // Under the lock still: of two that leave at once, the second finds that it is the last.
        region.free_roles();
    }
    drop(lock);
    removed
}

fn remove_locked<R: Linked>(region: &R, users: Users) -> Result<Removed, R::Error> {
    // Another remover may have been faster, and the name lead to the region after this one.
    if !region.is_named() {
        return Ok(Removed::NameMoved);
    }
    if users != Users::Any && !region.win_roles(users)? {
        return Ok(Removed::InUse);
    }
    if !region.unlink()? {
        return Ok(Removed::NameMoved);
    }
    region.reached(CrashPoint::RemoveUnlinked);
    // Only now: who cannot take the name away must leave the region as it is.
    region.mark();
    region.reached(CrashPoint::RemoveRetired);
    region.wake();
    Ok(Removed::Done)
}

/// A region that one may be too late for.
pub(crate) trait Joined {
    /// Whether it is marked, or its name leads elsewhere.
    fn is_replaced(&self) -> bool;
}

/// Claims a role in the region. `None`: it was removed or replaced before.
pub(crate) fn enter<R: Joined, S, E>(
    region: &R,
    claim: impl FnOnce(&R) -> Result<S, E>,
) -> Result<Option<S>, E> {
    let side = match claim(region) {
        // What was claimed is nobody's any more.
        Err(_) if region.is_replaced() => return Ok(None),
        side => side?,
    };
    // Who removes an unused region wins the claims first: who claimed before is seen by it, who
    // claimed after sees here that the name is gone.
    if region.is_replaced() {
        return Ok(None);
    }
    Ok(Some(side))
}
