//! Claiming a role in a mapped region: its claim, its slot, and the state of its protocol.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::blocks::LONGEST_NAME;
use super::layout::{self, Kind};
use super::location::Location;
use super::mapped::Region;
use super::region_lock::RegionLock;
use super::spec::{Place, Role, Spec};
use crate::error::{Error, ErrorKind, Holder, Result};
use crate::lock::Locker;
use crate::os::claim::{Claims, PATIENCE, Part, REGION_PATIENCE};
use crate::os::{clock, nap};
use crate::protocol::{self, Fault, Latest, MOST_BUFFERS, MOST_HOLDS, OWN_BUFFERS, Words};

/// How often to look, a millisecond apart, whether a reclaim is over. It stores a few words.
const RECLAIM_LOOKS: usize = 5;

/// A region, and the protocol state of the role that was claimed in it.
pub(crate) struct Attached {
    pub(crate) region: Region,
    pub(crate) side: Side,
    /// The region that a producer has left for this one.
    pub(crate) left: Option<Region>,
    /// Whether this opening created the region.
    pub(crate) created: bool,
}

/// The protocol state of a role.
pub(crate) enum Side {
    Producer(protocol::Producer),
    Consumer(protocol::Consumer),
    Observer,
    Locker(Locker),
}

/// Checks a consumer's name.
pub(super) fn check_consumer_name(location: &Location, role: &Role) -> Result<()> {
    match role {
        Role::Consumer { name: Some(name) } if name.is_empty() || name.len() > LONGEST_NAME => {
            Err(location.error(ErrorKind::BadOption {
                option: "consumer_name",
                found: format!("{name:?}"),
                expected: format!("a name has 1 to {LONGEST_NAME} bytes"),
            }))
        }
        _ => Ok(()),
    }
}

impl Region {
    /// Claims `role` and takes over its block.
    pub(super) fn claim_role(&self, role: &Role, spec: &Spec) -> Result<Side> {
        let patience = spec.patience.unwrap_or(REGION_PATIENCE);
        if let (Kind::Channel, Some(consumers)) = (self.layout.kind, spec.consumers) {
            self.reserve(consumers, patience)?;
        }
        let side = match role {
            Role::Producer => self.claim_producer().map(Side::Producer),
            Role::Consumer { name } => {
                let holds = spec.holds.unwrap_or(1).min(MOST_HOLDS) as usize;
                let name = name.as_deref().unwrap_or("");
                let from = spec.comes_from.filter(|from| from.leads_to(self.line));
                self.claim_consumer(name, holds, patience, from).map(Side::Consumer)
            }
            Role::Observer => Ok(Side::Observer),
            Role::Locker => self.claim_locker(),
        }?;
        if self.layout.kind == Kind::Channel {
            self.ask_for_history(spec.history.unwrap_or(0), patience)?;
        }
        Ok(side)
    }

    /// Extends the pool ahead of time, for this many consumers.
    fn reserve(&self, consumers: u32, patience: Duration) -> Result<()> {
        let buffers = OWN_BUFFERS + u64::from(consumers) + protocol::history(self).added;
        if self.claims.is_none() || self.pool().load(Relaxed) >= buffers {
            return Ok(()); // an observer reserves nothing
        }
        let _lock = self.lock(patience)?;
        self.extend_pool(buffers)
    }

    fn claim_producer(&self) -> Result<protocol::Producer> {
        let patience = self.patience_of_producer();
        if !self.try_part(Part::Producer, Some(patience))? {
            let holder = self.holder(Part::Producer);
            return Err(self.error(ErrorKind::RoleTaken { holder }));
        }
        // First of all: from now on, whoever is refused the role is told of this holder.
        self.note_producer();
        self.judge_value();
        self.stamp_by_own_clock();
        protocol::Producer::take_over(self).map_err(|fault| self.fault(fault))
    }

    fn claim_locker(&self) -> Result<Side> {
        let deadline = clock::deadline(PATIENCE);
        loop {
            for slot in 0..self.consumer_slots() {
                if self.try_part(Part::Consumer(slot), None)? {
                    self.judge_content(self.claims()?, slot)?;
                    let incarnation = self.enter_locker(slot);
                    return Ok(Side::Locker(Locker::take_over(self, slot, incarnation)));
                }
            }
            if clock::now() >= deadline {
                let holders =
                    (0..self.consumer_slots()).map(|slot| self.holder(Part::Consumer(slot)));
                return Err(self.no_slot(holders.collect()));
            }
            nap::nap(Duration::from_millis(1));
        }
    }

    /// Claims a consumer's slot: the one of its name; else the one that it had before the channel
    /// grew; else the free one whose grant fits best; else one that a named consumer has left.
    /// `name` is empty for none.
    fn claim_consumer(
        &self,
        name: &str,
        holds: usize,
        patience: Duration,
        from: Option<Place>,
    ) -> Result<protocol::Consumer> {
        self.await_judgement(self.claims()?)?;
        let deadline = clock::deadline(PATIENCE);
        loop {
            let at_last = clock::now() >= deadline;
            let lock = self.lock_to_join(patience)?;
            let own = (0..self.consumer_slots())
                .find(|slot| !name.is_empty() && self.consumer_name(*slot) == name);
            let slot = match own {
                Some(slot) if self.try_part(Part::Consumer(slot), None)? => Some(slot),
                Some(_) => None,
                None => match from.map(|from| from.slot) {
                    Some(slot) if self.is_free(slot)? => Some(slot),
                    _ => self.free_slot(holds, at_last)?,
                },
            };
            if let Some(slot) = slot {
                return self.take_over_slot(slot, name, holds, own == Some(slot), from);
            }
            drop(lock);
            if at_last {
                let holder = |slot| self.holder(Part::Consumer(slot));
                return Err(match own {
                    Some(slot) => self.error(ErrorKind::RoleTaken { holder: holder(slot) }),
                    None => self.no_slot(self.consumers_there()),
                });
            }
            nap::nap(Duration::from_millis(1));
        }
    }

    /// Whether there is such a slot, no name has it, and its claim was won.
    fn is_free(&self, slot: usize) -> Result<bool> {
        let is_unnamed = slot < self.consumer_slots() && self.consumer_name(slot).is_empty();
        Ok(is_unnamed && self.try_part(Part::Consumer(slot), None)?)
    }

    /// Takes over a slot whose claim was won. Without a name, a consumer resumes only where there
    /// never was another, and no buffers were reserved for others. (Then there is a slot without a
    /// name, and one that a name has left goes to nobody else.) One that comes `from` a smaller
    /// region of this channel goes on where it was.
    fn take_over_slot(
        &self,
        slot: usize,
        name: &str,
        holds: usize,
        is_own: bool,
        from: Option<Place>,
    ) -> Result<protocol::Consumer> {
        let resumes = is_own || (slot == 0 && name.is_empty() && self.had_one());
        if !self.join(slot, holds)? {
            return Err(self.no_buffer());
        }
        if !resumes {
            self.forget_consumer(slot);
        }
        self.note_consumer(slot);
        if let Some(from) = from {
            // Relaxed: this handle has the slot's claim.
            let there = if is_own { self.last_seen(slot).load(Relaxed) } else { 0 };
            self.last_seen(slot).store(from.last_seen.max(there), Relaxed);
        }
        let resumes = resumes || from.is_some();
        let consumer = protocol::Consumer::take_over(self, slot, holds, resumes)
            .map_err(|fault| self.fault(fault))?;
        self.enter_consumer(slot, name, from.map(|from| from.slot));
        Ok(consumer)
    }

    /// Claims a free slot. One that a named consumer has left is claimed only if there is no other,
    /// or `at_last`, and then the one that was named longest ago: the other slots may be claimed
    /// only for the moment of a reclaim, which must not cost the name its slot.
    fn free_slot(&self, holds: usize, at_last: bool) -> Result<Option<usize>> {
        // The only consumer may be coming back, while the producer reclaims what it has left.
        if self.had_one() && self.consumer_name(0).is_empty() {
            // Looks are counted, not timed: so every opening takes the same steps.
            for _ in 0..RECLAIM_LOOKS {
                if self.try_part(Part::Consumer(0), None)? {
                    return Ok(Some(0));
                }
                nap::nap(Duration::from_millis(1));
            }
        }
        let (mut unnamed, named): (Vec<usize>, Vec<usize>) =
            (0..self.consumer_slots()).partition(|slot| self.consumer_name(*slot).is_empty());
        // The grant that fits best: the smallest that is enough, else the largest.
        unnamed.sort_by_key(|&slot| match protocol::entries(self, slot) {
            enough if enough >= holds => (0, enough),
            less => (1, usize::MAX - less),
        });
        let mut named: Vec<usize> =
            named.into_iter().filter(|_| at_last || unnamed.is_empty()).collect();
        named.sort_by_key(|&slot| self.claimed_at(slot));
        for slot in unnamed.iter().copied().chain(named) {
            if self.try_part(Part::Consumer(slot), None)? {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    /// Whether there was a consumer in the first slot, and never another.
    fn had_one(&self) -> bool {
        self.was_claimed(0) && self.used().load(Relaxed) <= 1 && !self.expects_others()
    }

    /// Whether there are buffers for more consumers than the first, as `.consumers(n)` reserves.
    fn expects_others(&self) -> bool {
        let unexpected = OWN_BUFFERS + protocol::history(self).added;
        self.pool().load(Relaxed) > unexpected + protocol::entries(self, 0) as u64
    }

    /// The consumers that have a slot now.
    fn consumers_there(&self) -> Vec<Holder> {
        let is_taken = |slot: &usize| self.is_taken(Part::Consumer(*slot)).unwrap_or(true);
        let taken = (0..self.consumer_slots()).filter(is_taken);
        taken.map(|slot| self.holder(Part::Consumer(slot))).collect()
    }

    /// The error that every slot is taken, with what can be done in a region of this kind.
    fn no_slot(&self, holders: Vec<Holder>) -> Error {
        let slots = holders.len() as u64;
        let channel = self.layout.kind == Kind::Channel;
        let (option, most) = match channel {
            true => (".consumers", layout::MOST_CONSUMERS.into()),
            false => (".handles", layout::MOST_LOCKERS.into()),
        };
        let mut advice = String::new();
        if channel {
            advice += ", watch without a slot (.observer())";
        }
        if slots < most {
            advice += &format!(", or create it with {option}({}) (at most {most})", slots + 1);
        } else {
            advice += &format!(" (there are at most {most})");
        }
        self.error(ErrorKind::NoSlot { holders }).advise(advice)
    }

    /// The error that a slot is free, but the channel can have no more buffers for what its
    /// consumer would hold.
    fn no_buffer(&self) -> Error {
        let holders = self.consumers_there();
        let advice = format!(
            ", keep fewer values at once (.holds()), or watch without a slot (.observer()): there \
             are at most {} for all consumers together",
            layout::MOST_CONSUMERS
        );
        self.error(ErrorKind::NoSlot { holders }).advise(advice)
    }

    fn try_part(&self, part: Part, patience: Option<Duration>) -> Result<bool> {
        let Some(claims) = &self.claims else {
            return Ok(false);
        };
        let won = match patience {
            Some(patience) => claims.claim(part, patience),
            None => claims.try_claim(part),
        };
        won.map_err(|errno| Error::system(&self.name, "fcntl(F_OFD_SETLK)", errno))
    }

    pub(super) fn claims(&self) -> Result<&Claims> {
        let what = "an observer claims nothing";
        self.claims.as_ref().ok_or_else(|| self.error(ErrorKind::Unsupported { what: what.into() }))
    }

    /// The region's own lock, until the guard drops.
    pub(super) fn lock(&self, patience: Duration) -> Result<RegionLock<'_>> {
        RegionLock::take(&self.name, self.claims()?, patience)
    }

    /// The region's own lock. Joiners that reserve large buffers hold it for long, and there may be
    /// many before this one: patience begins anew with each that has got on.
    fn lock_to_join(&self, patience: Duration) -> Result<RegionLock<'_>> {
        let pool = || self.pool().load(Relaxed).min(MOST_BUFFERS);
        let mut seen = pool();
        loop {
            match self.lock(patience) {
                Err(error) if matches!(error.kind(), ErrorKind::Busy { .. }) && pool() > seen => {
                    seen = pool().max(seen + 1); // it ends whatever is written there
                }
                locked => return locked,
            }
        }
    }

    /// The error that another handle has taken over `slot`, which this handle had.
    #[cold]
    pub(crate) fn slot_lost(&self, slot: usize) -> Error {
        let (whose, then) = match self.layout().kind {
            Kind::Channel => (
                "consumer",
                "it gets nothing more, and a value that it held may have changed since; open a new \
                 consumer",
            ),
            _ => (
                "handle",
                "it locks nothing any more, and others may have had the lock at the same time; \
                 open it again",
            ),
        };
        let holder = self.holder(Part::Consumer(slot));
        self.error(self.role_lost(Part::Consumer(slot))).advise(format!(
            "another handle took over this {whose}'s slot ({holder}), because other code closed \
             the descriptor of this one: {then}"
        ))
    }

    /// The error for a fault of the protocol, with the region's name and numbers.
    pub(crate) fn fault(&self, fault: Fault) -> Error {
        self.error(match fault {
            Fault::RoleLost => self.role_lost(Part::Producer),
            Fault::SlotLost(slot) => return self.slot_lost(slot),
            Fault::AlreadyHeld(holds) => ErrorKind::AlreadyHeld { holds },
            Fault::NoMemory => return self.no_memory(),
            Fault::Busy => ErrorKind::Busy { doing: "reading the latest value" },
            Fault::SequenceExhausted => ErrorKind::SequenceExhausted,
            Fault::BadNumber { number, last } => {
                ErrorKind::BadSeq { found: number, last, largest: Latest::LAST_SEQUENCE }
            }
            Fault::Corrupt(what) => ErrorKind::Corrupt { what: what.to_owned() },
        })
    }
}
