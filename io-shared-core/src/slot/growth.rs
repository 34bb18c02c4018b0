//! Growth: a producer gives its channel a larger capacity, and consumers follow it there.
//!
//! The producer keeps the regions that it has left for as long as consumers are in them, because
//! only there it sees whether they live. Until they follow, they count as connected, and as not
//! having received what was put since.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{Consumer, Producer, Slot};
use crate::error::{ErrorKind, Holder, Result};
use crate::os::claim::Part;
use crate::os::clock;
use crate::protocol::Words;
use crate::region::{Place, Region, Side, Watch};

impl Slot<Producer> {
    /// Gives the channel to a larger region, in which messages of `needed` bytes fit: its capacity
    /// becomes the next power of two. The latest value stays the latest, sequence numbers continue,
    /// and so do consumers that follow the name ([`Spec::comes_from`](crate::Spec::comes_from)).
    ///
    /// # Errors
    /// After an error the channel is as it was.
    ///
    /// - [`ErrorKind::TooLarge`]: the channel cannot grow. It has no name, or the file belongs to
    ///   somebody else, and this process may not replace it.
    /// - [`ErrorKind::NoSpace`], [`ErrorKind::FileSizeLimit`]: there is no room for both regions.
    /// - [`ErrorKind::Replaced`], [`ErrorKind::RoleLost`], [`ErrorKind::ForkedHandle`],
    ///   [`ErrorKind::Busy`], [`ErrorKind::Corrupt`], [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Message, Slot, Spec, Which};
    /// # fn main() -> io_shared_core::Result<()> {
    /// # let name = io_shared_core::Name::new(&format!("/doc-slot-grow-{}", std::process::id()))?;
    /// # let location = io_shared_core::Location::from(name);
    /// let spec = Spec { schema: Some(<[u8]>::schema()), capacity: Some(4), ..Spec::default() };
    /// let mut producer = Slot::producing(&location, &spec)?;
    /// producer.put(&b"tiny"[..])?;
    /// assert!(producer.put(&b"larger"[..]).is_err());
    /// producer.grow(6)?;
    /// assert_eq!(producer.capacity(), 8);
    /// assert_eq!(producer.put(&b"larger"[..])?, 2);
    /// # io_shared_core::remove(&location, io_shared_core::Kind::Channel)
    /// # }
    /// ```
    #[cold]
    pub fn grow(&mut self, needed: u64) -> Result<()> {
        self.check_fork()?;
        self.check_stale()?;
        let side = &mut self.side;
        let new = self.region.grow(&side.protocol, needed, side.prefault)?;
        let Side::Producer(protocol) = new.side else {
            return Err(self.region.error(ErrorKind::NotFound)); // not reached
        };
        let region = Arc::new(new.region);
        side.protocol = protocol;
        // Their buffers are the old region's.
        side.windows.clear();
        side.region = Arc::clone(&region);
        side.left.push(std::mem::replace(&mut self.region, region));
        self.watch = Watch::new();
        self.forget_left();
        Ok(())
    }

    /// As [`loan`](Self::loan); where the message does not fit, `make_room` may [grow](Self::grow)
    /// the channel, or return the error that it is called with.
    ///
    /// # Errors
    /// The errors of [`loan`](Self::loan) and of `make_room`.
    #[inline]
    pub fn loan_or<T: crate::Message + ?Sized>(
        &mut self,
        elements: usize,
        make_room: impl FnOnce(&mut Self, crate::Error) -> Result<()>,
    ) -> Result<super::Loan<'_, T>> {
        self.check_fork()?;
        if !self.fits::<T>(elements) {
            make_room(self, self.too_large::<T>(elements))?;
            if !self.fits::<T>(elements) {
                return Err(self.too_large::<T>(elements));
            }
        }
        let mut loan = self.lend_fitting::<T>(elements)?;
        if T::CHECKED {
            loan.clear(elements);
        }
        Ok(loan)
    }

    /// As [`check`](Self::check); it also forgets the regions that this channel had before it grew,
    /// once no consumer is in them any more. Puts do so, too.
    ///
    /// # Errors
    /// The errors of [`check`](Self::check).
    pub fn check_around(&mut self) -> Result<()> {
        self.check_fork()?;
        self.check_stale()?;
        self.look_around(clock::now_coarse())
    }

    /// Looks whether the name still leads here, and whether consumers are left in earlier regions,
    /// unless it did so within the last 90 ms.
    #[inline]
    pub(super) fn look_around(&mut self, now: u64) -> Result<()> {
        if self.watch.is_due(now) { self.look_around_now(now) } else { Ok(()) }
    }

    #[cold]
    fn look_around_now(&mut self, now: u64) -> Result<()> {
        self.forget_left();
        self.look(now)
    }

    /// Forgets the regions that it has left and that nobody is in any more.
    fn forget_left(&mut self) {
        self.side.left.retain(is_used);
        self.region.look_at_askers(self.side.left.iter().map(AsRef::as_ref));
    }
}

/// A consumer's slot: in the channel as it is, or in a smaller region that it had before it grew
/// and that this consumer has yet to leave.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// Device and inode of the region.
    region: (u64, u64),
    slot: usize,
    /// What slot it had in a smaller region, if it comes from there.
    from: Option<usize>,
    /// Whose it is, as its block said.
    pid: u32,
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        (self.region, self.slot) == (other.region, other.slot)
    }
}

impl Eq for Connection {}

impl Connection {
    /// Whether this is the consumer that was connected as `left` in a smaller region.
    fn comes_from(&self, left: &Self) -> bool {
        self.region != left.region && self.from == Some(left.slot) && self.pid == left.pid
    }
}

impl Slot<Producer> {
    /// The consumers that are connected now, also those that have not followed the channel to its
    /// larger region yet.
    ///
    /// # Errors
    /// [`ErrorKind::ForkedHandle`], [`ErrorKind::RoleLost`] (other code closed this handle's
    /// descriptor), [`ErrorKind::System`].
    pub fn claimed(&self) -> Result<Vec<Connection>> {
        self.check_fork()?;
        let mut found = Vec::new();
        // In this order: a consumer that follows takes its new slot before it leaves the old one.
        for region in self.regions() {
            found.extend(connections(region)?);
        }
        // One that has followed has its old slot, too, for as long as it holds a value of it.
        let has_followed = |at: usize| {
            let mut later = found.iter().skip(at + 1);
            later.any(|later| found.get(at).is_some_and(|at| later.comes_from(at)))
        };
        let there = (0..found.len()).filter(|&at| !has_followed(at));
        Ok(there.filter_map(|at| found.get(at).copied()).collect())
    }

    /// Where the consumer is that was connected as `before`: there, or where it has followed the
    /// channel. `None`: it has ended.
    ///
    /// # Errors
    /// The errors of [`claimed`](Self::claimed).
    pub fn claimed_since(&self, before: Connection) -> Result<Option<Connection>> {
        self.check_fork()?;
        // One that follows just now has the new slot before it leaves the old one.
        let was_claimed = self.is_claimed(before);
        let at = self.regions().position(|region| region.identity() == before.region);
        for region in self.regions().skip(at.map_or(0, |at| at + 1)) {
            let mut there = connections(region)?.into_iter();
            if let Some(followed) = there.find(|there| there.comes_from(&before)) {
                return Ok(Some(followed));
            }
        }
        Ok(was_claimed.then_some(before))
    }

    /// The regions that this channel had before it grew and that somebody is in, and its own.
    fn regions(&self) -> impl Iterator<Item = &Region> {
        self.side.left.iter().chain([&self.region]).map(AsRef::as_ref)
    }

    fn region_of(&self, at: Connection) -> Option<&Region> {
        self.regions().find(|region| region.identity() == at.region)
    }

    fn is_claimed(&self, at: Connection) -> bool {
        let taken = self.region_of(at).map(|region| region.is_taken(Part::Consumer(at.slot)));
        taken.is_some_and(|taken| taken.unwrap_or(true))
    }

    /// Whether this consumer has seen the last value put, or that value is not there to be seen.
    pub fn has_had_last(&self, at: Connection) -> bool {
        // Relaxed: only the number itself is used.
        let seen = |region: &Region| region.last_seen(at.slot).load(Relaxed);
        let last = self.sequence();
        self.region_of(at).is_some_and(|region| seen(region) >= last) || last <= self.region.lost()
    }

    /// Who this consumer is, as its block says.
    pub fn consumer(&self, at: Connection) -> Option<Holder> {
        self.region_of(at).map(|region| region.holder(Part::Consumer(at.slot)))
    }
}

/// The consumers that have a slot of this region.
fn connections(region: &Region) -> Result<Vec<Connection>> {
    let mut found = Vec::new();
    for slot in 0..region.consumer_slots() {
        if region.is_taken(Part::Consumer(slot))? {
            let (pid, (is_there, from)) = (region.consumer_pid(slot), region.claimed_from(slot));
            // Otherwise it is just coming.
            if is_there {
                found.push(Connection { region: region.identity(), slot, from, pid });
            }
        }
    }
    Ok(found)
}

fn is_used(left: &Arc<Region>) -> bool {
    has_consumers(left) || left.is_taken(Part::History).unwrap_or(false)
}

fn has_consumers(left: &Arc<Region>) -> bool {
    left.is_taken(Part::Roles).unwrap_or(false)
}

impl Producer {
    /// Whether consumers are still in a region that this producer has left.
    pub(super) fn is_awaited(&self) -> bool {
        self.left.iter().any(has_consumers)
    }
}

impl Slot<Consumer> {
    /// Where this consumer is, for its next opening by name.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Message, Slot, Spec, Which};
    /// # fn main() -> io_shared_core::Result<()> {
    /// # let name = io_shared_core::Name::new(&format!("/doc-slot-place-{}", std::process::id()))?;
    /// # let location = io_shared_core::Location::from(name);
    /// let spec = Spec { schema: Some(<[u8]>::schema()), capacity: Some(4), ..Spec::default() };
    /// let mut producer = Slot::producing(&location, &spec)?;
    /// let mut consumer = Slot::consuming(&location, None, &spec)?;
    /// producer.put(&b"tiny"[..])?;
    /// drop(consumer.acquire::<[u8]>(Which::Unseen, |_, nothing| nothing.map(|()| false))?);
    /// producer.grow(8)?;
    ///
    /// let spec = Spec { comes_from: Some(consumer.place()), ..spec };
    /// let follower = Slot::consuming(&location, None, &spec)?;
    /// consumer.replace_by(follower);
    /// assert_eq!((consumer.capacity(), consumer.last_seen()), (8, 1));
    /// # io_shared_core::remove(&location, io_shared_core::Kind::Channel)
    /// # }
    /// ```
    pub fn place(&self) -> Place {
        let slot = self.side.protocol.consumer();
        let stored = self.region.last_seen(slot).load(Relaxed);
        let last_seen = match self.side.refused {
            Some((sequence, before)) if sequence == stored => before,
            _ => stored,
        };
        Place::new(&self.region, slot, last_seen)
    }
}
