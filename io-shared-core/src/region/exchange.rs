//! The exchange: a larger region takes a channel's name, while others use the channel.
//!
//! Its producer makes the larger region next to the old one: with the old one's mode, owner, group,
//! flags, slots, buffers and line, and with its latest value. So whoever comes from the old region,
//! or was in it before a restart, goes on in the new one where it stopped. The order of the steps
//! is `link_protocol.rs`, whose platform this is. The name always leads to one of the two regions.
//!
//! Whoever has not followed yet is known by a claim in the old region alone. Where others have to
//! find that claim, the old region takes the hidden name of the new one in exchange (`line.rs`): in
//! an ephemeral channel, which goes with its last user, and where others than the producer ask for
//! a history. Its last user, or whoever looks there next, removes it.
//!
//! Callers are producers of channels that grow (`slot/growth.rs`).

use std::cell::Cell;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

use nix::errno::Errno;

use super::cause;
use super::create::NewRegion;
use super::layout::{Kind, Layout};
use super::link_protocol::{self, Exchanged};
use super::location::Location;
use super::mapped::Region;
use super::plan::Plan;
use super::removal::Removal;
use super::role::Attached;
use super::spec::{Role, Spec};
use crate::crash_point::{CrashPoint, reached};
use crate::error::{Error, ErrorKind, Result};
use crate::os::claim::Part;
use crate::os::copy;
use crate::protocol::{self, Latest, MOST_BUFFERS, OWN_BUFFERS, Words};

impl Region {
    /// Gives this region's name to one whose messages have at least `needed` bytes, and returns
    /// that with its producer. From then on this handle has no role here. The caller is this
    /// region's producer.
    pub(crate) fn grow(
        &self,
        producer: &protocol::Producer,
        needed: u64,
        prefault: bool,
    ) -> Result<Attached> {
        if self.location.path().is_none() {
            return Err(self.does_not_grow(needed, "it has no name".into()));
        }
        if !self.has_claims() {
            return Err(self.claims_lost());
        }
        let plan = self.larger(needed)?;
        let new = self.give_name_to(&plan, producer, needed, prefault)?;
        tracing::info!(
            region = self.name(),
            from = self.layout.capacity,
            to = plan.layout.capacity,
            "gave the channel a larger capacity"
        );
        Ok(new)
    }

    /// Gives this region's name to one whose messages begin as these do and have more fields, and
    /// returns that with its producer, as [`grow`](Self::grow) does. `plan` is what that would be
    /// if this were not there. The latest value has no such fields: it stays behind.
    pub(super) fn add_fields(
        &self,
        producer: &protocol::Producer,
        plan: &Plan,
        prefault: bool,
    ) -> Result<Attached> {
        let Layout { consumers, capacity, align, schema_length, page_size, .. } = plan.layout;
        let consumers = consumers.max(self.layout.consumers);
        let layout =
            Layout::plan(Kind::Channel, consumers, capacity, align, schema_length, page_size)
                .map_err(|_| self.does_not_grow(capacity, "it would be too large".into()))?;
        let buffers = plan.buffers.max(self.buffers_there()?);
        let (schema, schema_text) = (plan.schema.clone(), plan.schema_text.clone());
        let plan = Plan { layout, buffers, schema, schema_text };
        self.give_name_to(&plan, producer, capacity, prefault)
    }

    fn give_name_to(
        &self,
        plan: &Plan,
        producer: &protocol::Producer,
        needed: u64,
        prefault: bool,
    ) -> Result<Attached> {
        let latest = producer.latest(self).map_err(|fault| self.fault(fault))?;
        // What a producer before has left that was killed as it did this takes room.
        self.look_at_line();
        // Twice, if this process may give no hidden name to a file that had none.
        for _ in 0..2 {
            let new = NewRegion::succeed(self, needed, plan, latest, prefault);
            let mut new = new.map_err(|error| self.unless_refused(error, needed))?;
            if !new.hidden.link_hidden()? {
                continue;
            }
            reached(CrashPoint::ExchangeLinked);
            self.exchange(&new, producer, needed)?;
            new.hidden.sync_name();
            return Ok(new.attached);
        }
        Err(self.does_not_grow(needed, "its directory takes no other names".into()))
    }

    /// The region that messages of `needed` bytes fit in: the next power of two.
    fn larger(&self, needed: u64) -> Result<Plan> {
        let Layout { consumers, align, schema_length, page_size, .. } = self.layout;
        let schema_text = self.schema.to_json();
        let length = u32::try_from(schema_text.len()).unwrap_or(schema_length);
        let layout = needed
            .checked_next_power_of_two()
            .and_then(|capacity| {
                Layout::plan(Kind::Channel, consumers, capacity, align, length, page_size).ok()
            })
            .filter(|layout| layout.capacity > self.layout.capacity);
        let Some(layout) = layout else {
            return Err(self.does_not_grow(needed, "a region stays below 2^63 bytes".into()));
        };
        let buffers = self.buffers_there()?;
        Ok(Plan { layout, buffers, schema: self.schema.clone(), schema_text })
    }

    /// How many buffers there are. A larger region reserves as many, so they must be in the file.
    fn buffers_there(&self) -> Result<u64> {
        // Acquire: whoever extended the pool has extended the file first.
        let pool = self.pool().load(Acquire);
        let is_whole =
            || self.length_of_file().is_none_or(|length| length >= self.layout.size(pool));
        match (OWN_BUFFERS..=MOST_BUFFERS).contains(&pool) && is_whole() {
            true => Ok(pool),
            false => {
                let what = format!("it says that it has {pool} buffers, and has less");
                Err(Error::corrupt(&self.name, what))
            }
        }
    }

    fn exchange(&self, new: &NewRegion, producer: &protocol::Producer, needed: u64) -> Result<()> {
        let claims = self.claims.as_ref().ok_or_else(|| self.claims_lost())?;
        let removal = Removal::of(&self.location, self.identity, claims, Some(self.words()))?;
        let keeps = Cell::new(self.ephemeral);
        let exchange = Exchange { old: self, removal, new, producer, needed, keeps };
        match link_protocol::exchange(&exchange)? {
            Exchanged::Done => {}
            Exchanged::NameMoved => return Err(self.replaced()),
            Exchanged::RoleLost => return Err(self.fault(protocol::Fault::RoleLost)),
        }
        // Last of all: whoever takes the role here by then finds the name elsewhere.
        claims.release(Part::Producer);
        Ok(())
    }

    /// Writes to a larger region, which nobody else sees yet, what it starts with: the latest value
    /// and the clock of its stamp. The caller is this region's producer.
    pub(super) fn start_larger(&self, to: &Region, latest: Latest) -> Result<()> {
        self.copy_clock(to);
        if latest.sequence == 0 {
            return Ok(());
        }
        if to.schema.hash() != self.schema.hash() {
            // It lacks fields, so it is no message of the new region. Sequence numbers go on.
            to.lose_value(latest.sequence);
            to.latest().store(Latest { index: 0, ..latest }.pack(), Relaxed);
            return Ok(());
        }
        let (from, copied) = (self.header(latest.index), to.header(0));
        // Relaxed: this process is their only writer.
        let length = from.length.load(Relaxed);
        if length > self.layout.capacity {
            let what = "its latest value is longer than its capacity";
            return Err(Error::corrupt(&self.name, what));
        }
        // SAFETY: both payloads span at least this region's capacity. Only this producer writes to
        // its latest value and to a region that nobody else sees.
        unsafe {
            copy::bytes(self.payload(latest.index), to.payload(0), length as usize);
        }
        for (word, copy) in [(from.length, copied.length), (from.stamp, copied.stamp)] {
            copy.store(word.load(Relaxed), Relaxed);
        }
        copied.tag.store(from.tag.load(Relaxed), Relaxed);
        copied.sequence.store(latest.sequence, Relaxed);
        let latest = Latest { index: 0, ..latest };
        to.latest().store(latest.pack(), Relaxed);
        if self.survives_reboot {
            // After a power cut, this value must be as good as the old region's.
            to.seal_value(latest);
        }
        Ok(())
    }

    /// The same error, unless it says that this process may create nothing in the directory.
    #[cold]
    fn unless_refused(&self, error: Error, needed: u64) -> Error {
        let errno = match error.kind() {
            ErrorKind::System { call: "create", errno } => Errno::from_raw(*errno),
            _ => return error,
        };
        let directory = self.location.directory();
        let is_shm = matches!(self.location, Location::Shm(_));
        let why = cause::of_refused_creation(&directory, is_shm, errno);
        match errno {
            Errno::EACCES | Errno::EPERM | Errno::EROFS => self.does_not_grow(needed, why),
            Errno::ENOSPC | Errno::EDQUOT => {
                let directory = directory.display().to_string();
                self.error(ErrorKind::NoSpace { needed, directory }).advise(why)
            }
            _ => error,
        }
    }

    /// The error for a message that does not fit in a channel that cannot grow.
    #[cold]
    fn does_not_grow(&self, needed: u64, why: String) -> Error {
        self.error(ErrorKind::TooLarge { needed, capacity: self.layout.capacity }).advise(why)
    }
}

impl NewRegion {
    /// Makes the larger region of a channel without a name, and claims its producer's role.
    fn succeed(
        old: &Region,
        needed: u64,
        plan: &Plan,
        latest: Latest,
        prefault: bool,
    ) -> Result<Self> {
        let status = old
            .claims
            .as_ref()
            .and_then(|claims| claims.as_fd())
            .ok_or_else(|| old.claims_lost())
            .and_then(|fd| {
                nix::sys::stat::fstat(fd).map_err(|e| Error::system(&old.name, "fstat", e))
            })?;
        let spec = Spec {
            mode: Some(status.st_mode & 0o777),
            ephemeral: old.ephemeral,
            prefault,
            history: Some(old.own_history()),
            ..Spec::default()
        };
        let new = Self::make(&old.location, &Role::Producer, &spec, plan, Some((old, latest)))?;
        if !new.hidden.belong_to(status.st_uid, status.st_gid)? {
            let why = cause::of_refused_growth(old.location.path());
            return Err(old.does_not_grow(needed, why));
        }
        Ok(new)
    }
}

/// A region and the larger one, as the link protocol sees them.
struct Exchange<'a> {
    old: &'a Region,
    removal: Removal<'a>,
    new: &'a NewRegion,
    producer: &'a protocol::Producer,
    needed: u64,
    /// Whether the old region keeps a name.
    keeps: Cell<bool>,
}

impl<'a> link_protocol::Exchange for Exchange<'a> {
    type Old = Removal<'a>;

    fn old(&self) -> &Removal<'a> {
        &self.removal
    }

    fn has_role(&self) -> bool {
        self.old.has_claims() && self.producer.latest(self.old).is_ok()
    }

    fn hand_over(&self) -> Result<()> {
        let (old, new) = (self.old, &self.new.attached.region);
        // Consumers may have joined since the larger region was made.
        let buffers = old.buffers_there()?;
        if buffers > new.buffers_there()? {
            new.extend_pool(buffers)?;
            if old.survives_reboot {
                // The pool reaches the disk before the grants do.
                new.flush()?;
            }
        }
        if old.hand_over_history(new)? {
            self.keeps.set(true);
        }
        old.copy_consumers(new);
        Ok(())
    }

    fn rename(&self) -> Result<()> {
        let old = self.old;
        self.new.hidden.rename(self.keeps.get()).map_err(|errno| match errno {
            Errno::EPERM | Errno::EACCES => {
                let why = cause::of_refused_growth(old.location.path());
                old.does_not_grow(self.needed, why)
            }
            errno => Error::system(&old.name, "rename", errno),
        })
    }
}
