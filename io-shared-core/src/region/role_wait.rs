//! Waiting for a role that another handle has, until that handle has gone: what a restarted program
//! does while its predecessor ends.
//!
//! The kernel frees a claim and wakes nobody who sleeps on a futex. It does wake a process that
//! blocks in fcntl(F_OFD_SETLKW); but that call has no timeout, only a signal ends it, and it would
//! go on waiting in a region that has lost its name meanwhile. So this looks every few milliseconds
//! whether the claim is free, which takes two system calls.
//!
//! Nothing is claimed here. Once the role may be free, the opening starts over, and may be refused
//! again because another handle was faster.

use std::time::Duration;

use nix::fcntl::OFlag;

use super::candidate::Candidate;
use super::location::Location;
use super::spec::{Role, Spec};
use crate::error::{Error, ErrorKind, Holder, Result};
use crate::os::claim::Part;
use crate::os::clock;
use crate::os::long_wait::LongWait;
use crate::os::nap::nap;

/// The longest pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How long an opening waits for its role.
pub(super) struct RoleWait {
    /// `None`: it does not wait.
    deadline: Option<u64>,
    long: LongWait,
}

impl RoleWait {
    pub(super) fn new(spec: &Spec) -> Self {
        let long = LongWait::since(clock::now());
        Self { deadline: spec.wait_for_role.map(clock::deadline), long }
    }

    /// Whether the opening waits for whoever has the role, rather than fail with `refusal`.
    pub(super) fn outlasts(&self, role: &Role, refusal: &Error) -> bool {
        let waits = self.deadline.is_some_and(|deadline| clock::now() < deadline);
        waits && !awaited(role, refusal).is_empty()
    }

    /// Waits until one of those that have the role may have gone, or until the deadline.
    pub(super) fn wait(&self, location: &Location, role: &Role, refusal: &Error) -> Result<()> {
        let Some(found) = Candidate::open(location, OFlag::O_RDWR)? else { return Ok(()) };
        let parts = awaited(role, refusal);
        let mut pause = Duration::from_millis(1);
        loop {
            let now = clock::now();
            let left = self.deadline.unwrap_or(0).saturating_sub(now);
            if left == 0 || location.identity() != Some(found.identity) {
                return Ok(());
            }
            for part in &parts {
                if !found.is_taken(*part)? {
                    return Ok(());
                }
            }
            if self.long.is_due(now) {
                report(location, refusal);
            }
            nap(pause.min(Duration::from_nanos(left)));
            pause = (pause * 2).min(LOOK_AGAIN);
        }
    }
}

/// The claims that `refusal` is about, one of which is enough; empty if no role was refused. A
/// region of another shape is refused because of its users: a producer waits for the one before it,
/// since it may replace the region then.
fn awaited(role: &Role, refusal: &Error) -> Vec<Part> {
    let part = |holder: &Holder| holder.slot.map_or(Part::Producer, Part::Consumer);
    match refusal.kind() {
        ErrorKind::RoleTaken { holder } => vec![part(holder)],
        ErrorKind::NoSlot { holders } => holders.iter().map(part).collect(),
        ErrorKind::Mismatch { holders, .. } if *role == Role::Producer => {
            let producer = |holder: &&Holder| holder.slot.is_none();
            holders.iter().filter(producer).map(part).collect()
        }
        _ => Vec::new(),
    }
}

#[cold]
fn report(location: &Location, refusal: &Error) {
    let (what, holder) = match refusal.kind() {
        ErrorKind::RoleTaken { holder } => (
            holder.slot.map_or("the producer's role", |_| "the slot of its name"),
            holder.to_string(),
        ),
        ErrorKind::NoSlot { holders } => ("a free slot", format!("{} consumers", holders.len())),
        _ => ("the producer's role", "a producer of another shape".to_owned()),
    };
    tracing::warn!(
        region = %location,
        holder,
        "{location}: has waited for over a second for {what}, taken by: {holder} \
         (`wait_for_role` bounds this wait)",
    );
}
