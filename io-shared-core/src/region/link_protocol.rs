//! The link protocol: the steps that take a region's name away, those that give it to a larger
//! region, and those that join the region and leave it.
//!
//! Like `protocol`, it is generic over its platform ([`Linked`], [`Exchange`], [`Joinable`]), and
//! the model checker runs it as it is. `removal.rs`, `exchange.rs` and `attach.rs` call it in
//! shipped code and are its platform there.
//!
//! What must stay true:
//! - One remover takes a name away, and only while it leads to that remover's region.
//! - In an exchange the name leads to the old region or to the new one, and never nowhere. Whoever
//!   opens the new one finds there what each consumer has received.
//! - Nobody who is told that a region is open is still using it when it is removed as unused.
//! - Whoever is in a removed region finds out, wherever the remover was killed: by the flag, or
//!   because the name leads elsewhere.

use crate::crash_point::CrashPoint;

/// Who may be using a region that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Users {
    Any,
    /// Nobody. The remover does not ask for every role's claim but wins it, so that nobody can join
    /// until it is done.
    None,
    /// Nobody, not even in the regions that the channel had before it grew. As for
    /// [`None`](Users::None), but the remover does not wait for short-lived claims.
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
    /// Wins the claims of every role; this handle's own claims count as won. `false`: others have
    /// some.
    fn win_roles(&self, users: Users) -> Result<bool, Self::Error>;
    /// Whether users of the channel have yet to follow it here, from a region that it had before.
    fn is_awaited(&self) -> bool;
    /// Gives up the claims of every role, including those that this handle had before.
    fn free_roles(&self);
    /// Removes the region that has the name, if it is one of the same ephemeral channel, and nobody
    /// uses it or this one.
    fn remove_successor(&self) -> Result<(), Self::Error>;
    /// Removes whatever the name leads to. `false`: it leads nowhere.
    fn unlink(&self) -> Result<bool, Self::Error>;
    /// Raises the retired flag.
    fn mark(&self);
    /// Wakes everyone who sleeps on the region.
    fn wake(&self);
    fn reached(&self, point: CrashPoint);
}

/// Takes the region's name away, so that everyone in it notices. A remover that is killed after the
/// name is gone leaves nothing to finish: at their next look, others see that it leads elsewhere.
pub(crate) fn remove<R: Linked>(region: &R, users: Users) -> Result<Removed, R::Error> {
    let lock = region.lock()?;
    region.reached(CrashPoint::RemoveLocked);
    let removed = remove_locked(region, users);
    if users != Users::Any {
        // Still under the lock: if two leave at once, the second finds that it is the last.
        region.free_roles();
    }
    drop(lock);
    removed
}

fn remove_locked<R: Linked>(region: &R, users: Users) -> Result<Removed, R::Error> {
    // Another remover may have been faster, and the name may lead to the region after this one.
    if !region.is_named() {
        return Ok(Removed::NameMoved);
    }
    if users != Users::Any && !region.win_roles(users)? {
        return Ok(Removed::InUse);
    }
    // Those that follow get in when the roles are free again: until then they are found there.
    if users == Users::NoneAtOnce && region.is_awaited() {
        return Ok(Removed::InUse);
    }
    if !region.unlink()? {
        return Ok(Removed::NameMoved);
    }
    region.reached(CrashPoint::RemoveUnlinked);
    // Only now: a remover that cannot take the name away must leave the region as it is.
    region.mark();
    region.reached(CrashPoint::RemoveRetired);
    region.wake();
    Ok(Removed::Done)
}

/// Leaves an ephemeral region, and removes it if this was the last user of its channel.
pub(crate) fn leave<R: Linked>(region: &R) -> Result<Removed, R::Error> {
    let removed = remove(region, Users::NoneAtOnce)?;
    if removed == Removed::NameMoved {
        // The channel may have grown, and nobody have followed it. This handle's claims are given
        // up by now: if the last users of two of its regions leave at once, the second to look
        // finds that nobody is left.
        region.remove_successor()?;
    }
    Ok(removed)
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exchanged {
    Done,
    /// The name leads elsewhere by now.
    NameMoved,
    /// Another handle has taken over the producer's role.
    RoleLost,
}

/// A channel's region, and a larger one that takes its name. The new one is whole, has the old
/// one's latest value, and its producer's claim is this handle's, as the old one's is. It lies
/// under a hidden name.
pub(crate) trait Exchange {
    type Old: Linked;

    fn old(&self) -> &Self::Old;
    /// Whether this handle is still the old region's producer.
    fn has_role(&self) -> bool;
    /// Writes to the new region what each consumer has received in the old one.
    fn hand_over(&self) -> Result<(), ErrorOf<Self>>;
    /// Makes the name lead to the new region, in one step.
    fn rename(&self) -> Result<(), ErrorOf<Self>>;
}

/// Why an exchange failed.
pub(crate) type ErrorOf<X> = <<X as Exchange>::Old as Linked>::Error;

/// Gives the old region's name to the new one, so that everyone in the old one notices. A producer
/// that is killed before the rename leaves the old region and a hidden file; one that is killed
/// after it leaves the new region.
pub(crate) fn exchange<X: Exchange>(exchange: &X) -> Result<Exchanged, ErrorOf<X>> {
    let old = exchange.old();
    let lock = old.lock()?;
    old.reached(CrashPoint::ExchangeLocked);
    let exchanged = exchange_locked(exchange, old);
    drop(lock);
    exchanged
}

fn exchange_locked<X: Exchange>(exchange: &X, old: &X::Old) -> Result<Exchanged, ErrorOf<X>> {
    // A remover may have been faster, and the name may lead to the region after this one.
    if !old.is_named() {
        return Ok(Exchanged::NameMoved);
    }
    // If other code has closed this handle's descriptor, another producer may put by now.
    if !exchange.has_role() {
        return Ok(Exchanged::RoleLost);
    }
    // Before the rename, and under the lock: nobody joins the old region meanwhile, and nobody is
    // in the new one.
    exchange.hand_over()?;
    old.reached(CrashPoint::ExchangeHandedOver);
    exchange.rename()?;
    old.reached(CrashPoint::ExchangeRenamed);
    // Only now: a producer that cannot take the name must leave the region as it is.
    old.mark();
    old.reached(CrashPoint::ExchangeRetired);
    old.wake();
    Ok(Exchanged::Done)
}

/// A region that may be removed before this handle has joined it.
pub(crate) trait Joinable {
    /// Whether it is marked, or its name leads elsewhere.
    fn is_replaced(&self) -> bool;
}

/// Claims a role in the region. `None`: it was removed or replaced before.
pub(crate) fn join<R: Joinable, S, E>(
    region: &R,
    claim: impl FnOnce(&R) -> Result<S, E>,
) -> Result<Option<S>, E> {
    let side = match claim(region) {
        // The claim is worth nothing any more.
        Err(_) if region.is_replaced() => return Ok(None),
        side => side?,
    };
    // A remover of an unused region wins the claims first: it sees whoever claimed before that, and
    // whoever claims after that sees here that the name is gone.
    if region.is_replaced() {
        return Ok(None);
    }
    Ok(Some(side))
}
