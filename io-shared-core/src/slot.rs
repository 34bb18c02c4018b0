//! A single slot of shared memory, seen from one of its roles.
//!
//! This is the one place where shared memory becomes references. A [`Loan`] is a buffer that the
//! protocol has given to this producer alone; a [`Guard`] is one that the protocol keeps the producer
//! away from. Both borrow or share the slot, so neither outlives the claim and the mapping; and no
//! sequence of safe calls here yields a reference to memory that a conforming process may write
//! meanwhile. (Bytes without a header look before each write whether they have become a region; between
//! the look and the write another process may make them one.) Types, builders and waiting are the channel crate's.
//!
//! An observer gets no references at all, only checked copies.

mod array;
mod copied;
mod guard;
mod loan;
mod sleeper;
mod value;
pub(crate) mod window;

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

pub use crate::protocol::Which;
pub use copied::Copied;
pub use guard::{Guard, OwnedGuard};
pub use loan::Loan;
pub(crate) use loan::{LEAST_AHEAD, PIECE};
pub use sleeper::{Bell, BorrowedSleeper, Sleeper, sleep_any};

use sleeper::Sleepers;
use value::InlineWords;
use window::Window;

use crate::error::{ErrorKind, Holder, Result};
use crate::message::schema::Schema;
use crate::os::claim::Part;
use crate::os::clock::{self, StampClock};
use crate::protocol::{self, Words};
use crate::region::Location;
use crate::region::{self, Kind, Region, Role, Side, Spec, Watch};

/// The producer's side of a slot.
#[derive(Debug)]
pub struct Producer {
    /// The slot's.
    region: Arc<Region>,
    protocol: protocol::Producer,
    /// `None`: puts carry no time.
    stamps: Option<StampClock>,
    /// Of the buffers that were lent by a second mapping, by the address of their payload in the first.
    windows: Vec<(usize, Arc<Window>)>,
}

impl Drop for Producer {
    fn drop(&mut self) {
        // An inherited protocol is the parent's.
        if self.region.survives_reboot() && !self.region.is_forked() {
            // Who has lost the role has nothing to say.
            let _ = self.seal();
        }
    }
}

impl Producer {
    fn seal(&self) -> Result<()> {
        let region = &*self.region;
        let latest = self.protocol.latest(region).map_err(|fault| region.fault(fault))?;
        region.seal_value(latest);
        Ok(())
    }
}

/// A consumer's side of a slot.
#[derive(Debug)]
pub struct Consumer {
    /// The slot's.
    region: Arc<Region>,
    pub(crate) protocol: protocol::Consumer,
    /// The last value that was carried.
    inline: InlineWords,
    sleepers: Sleepers,
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // An inherited protocol is the parent's.
        if !self.region.is_forked() {
            self.sleepers.wait_for_the_last();
            self.protocol.leave(&*self.region);
        }
    }
}

/// An observer's side of a slot.
#[derive(Debug)]
pub struct Observer(());

/// A slot, opened in one role: `Slot<Producer>`, `Slot<Consumer>` or `Slot<Observer>`.
///
/// # Examples
/// ```
/// use io_shared_core::{Message, Slot, Spec, Which};
/// # fn main() -> io_shared_core::Result<()> {
/// # let name = io_shared_core::Name::new(&format!("/doc-slot-{}", std::process::id()))?;
/// let place = io_shared_core::Location::from(name);
/// let spec = Spec { schema: Some(<[u32]>::schema()), capacity: Some(400), ..Spec::default() };
/// let mut producer = Slot::producing(&place, &spec)?;
/// let mut consumer = Slot::consuming(&place, None, &spec)?;
///
/// let mut loan = producer.loan::<[u32]>(3)?;
/// loan.copy_from_slice(&[1, 2, 3]);
/// assert_eq!(loan.put()?, 1);
///
/// // Nothing to hold is no error, and is not waited for.
/// let guard = consumer.acquire::<[u32]>(Which::Unseen, |_, nothing| nothing.map(|()| false))?;
/// assert_eq!(guard.as_deref(), Some(&[1, 2, 3][..]));
/// # drop(guard);
/// # io_shared_core::remove(&place, io_shared_core::Kind::Channel)
/// # }
/// ```
#[derive(Debug)]
pub struct Slot<S> {
    pub(crate) region: Arc<Region>,
    pub(crate) side: S,
    watch: Watch,
}

impl<S> Slot<S> {
    fn new(region: impl Into<Arc<Region>>, side: S) -> Self {
        Self { region: region.into(), side, watch: Watch::new() }
    }

    /// The name, as errors show it.
    pub fn name(&self) -> &str {
        self.region.name()
    }

    /// The description of the messages in this slot, as its creator wrote it.
    pub fn schema(&self) -> &Schema {
        self.region.schema()
    }

    /// A descriptor of the region to pass to another process, where the place has no name: a child
    /// inherits it, or it is sent over a Unix socket. `None` where there is a name to open.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.region.as_fd()
    }

    /// Bytes that one message may have, header fields included.
    #[inline]
    pub fn capacity(&self) -> u64 {
        self.region.layout().capacity
    }

    /// Consumer slots.
    pub fn consumer_slots(&self) -> usize {
        self.region.consumer_slots()
    }

    /// Values that each consumer may hold at once.
    pub fn holds(&self) -> usize {
        self.region.holds()
    }

    /// Whether this handle knows that its region was removed or replaced.
    #[inline]
    pub fn is_stale(&self) -> bool {
        self.watch.is_stale(&self.region)
    }

    /// Looks whether the name still leads here, if it did not do so within the last 90 ms.
    ///
    /// # Errors
    /// [`ErrorKind::Replaced`], [`ErrorKind::ForkedHandle`].
    pub fn check(&self) -> Result<()> {
        self.check_fork()?;
        self.check_stale()?;
        self.look(clock::now_coarse())
    }

    #[inline]
    fn look(&self, now: u64) -> Result<()> {
        self.watch.look(&self.region, now)
    }

    #[inline]
    fn check_stale(&self) -> Result<()> {
        self.watch.check(&self.region)
    }

    #[inline]
    fn check_fork(&self) -> Result<()> {
        self.region.check_fork()
    }
}

impl Slot<Producer> {
    /// Opens the slot of that name as its producer, creating or replacing it where that is due.
    ///
    /// # Errors
    /// [`ErrorKind::RoleTaken`], [`ErrorKind::Mismatch`], [`ErrorKind::NotFound`],
    /// [`ErrorKind::BadOption`], [`ErrorKind::NoSpace`], [`ErrorKind::FileSizeLimit`],
    /// [`ErrorKind::NotARegion`], [`ErrorKind::Corrupt`], [`ErrorKind::System`].
    pub fn producing(location: &Location, spec: &Spec) -> Result<Self> {
        let attached = region::attach(location, &Role::Producer, spec)?;
        match attached.side {
            Side::Producer(protocol) => {
                let region = Arc::new(attached.region);
                let stamps = Some(StampClock::new());
                let side =
                    Producer { region: Arc::clone(&region), protocol, stamps, windows: Vec::new() };
                Ok(Self::new(region, side))
            }
            _ => Err(location.error(ErrorKind::NotFound)),
        }
    }

    /// The sequence of the last value put, by this producer or the one before; 0 for none.
    pub fn sequence(&self) -> u64 {
        self.side.protocol.sequence()
    }

    /// Writes the last value put, with its checksum, to the file in which the region lies, and returns
    /// when it is there: a reboot does not cost it. Does nothing for what lies in memory.
    ///
    /// # Errors
    /// [`ErrorKind::RoleLost`], [`ErrorKind::Replaced`], [`ErrorKind::ForkedHandle`],
    /// [`ErrorKind::System`].
    pub fn sync(&mut self) -> Result<()> {
        self.check_fork()?;
        self.check_stale()?;
        self.side.seal()?;
        if self.region.survives_reboot() { self.region.flush() } else { Ok(()) }
    }

    /// Whether puts carry the time, from which consumers tell a value's age. On at first.
    pub fn set_stamps(&mut self, stamps: bool) {
        self.side.stamps = stamps.then(StampClock::new);
    }

    /// The consumer slots that have their claim now.
    ///
    /// # Errors
    /// [`ErrorKind::ForkedHandle`], [`ErrorKind::RoleLost`] (other code closed this handle's
    /// descriptor), [`ErrorKind::System`].
    pub fn claimed(&self) -> Result<Vec<usize>> {
        self.check_fork()?;
        let mut slots = Vec::new();
        for slot in 0..self.region.consumer_slots() {
            if self.region.is_taken(Part::Consumer(slot))? {
                slots.push(slot);
            }
        }
        Ok(slots)
    }

    /// Whether the consumer of `slot` has had the last value put. `false` if there is no such slot.
    pub fn has_had_last(&self, slot: usize) -> bool {
        slot < self.region.consumer_slots()
            // Relaxed: the number is all that is used.
            && self.region.last_seen(slot).load(Relaxed) >= self.sequence()
    }

    /// Who has a consumer slot, by what is written in its block.
    pub fn consumer(&self, slot: usize) -> Option<Holder> {
        (slot < self.region.consumer_slots()).then(|| self.region.holder(Part::Consumer(slot)))
    }
}

impl Slot<Consumer> {
    /// Opens the slot of that name as a consumer, creating it where the spec suffices, else waiting
    /// for its producer.
    ///
    /// # Errors
    /// [`ErrorKind::NoSlot`], [`ErrorKind::RoleTaken`] (of a consumer's name), and as for
    /// [`Slot::producing`].
    pub fn consuming(location: &Location, consumer: Option<&str>, spec: &Spec) -> Result<Self> {
        let role = Role::Consumer { name: consumer.map(str::to_owned) };
        let attached = region::attach(location, &role, spec)?;
        match attached.side {
            Side::Consumer(protocol) => {
                let region = Arc::new(attached.region);
                let (inline, sleepers) = (InlineWords::default(), Sleepers::default());
                let side = Consumer { region: Arc::clone(&region), protocol, inline, sleepers };
                Ok(Self::new(region, side))
            }
            _ => Err(location.error(ErrorKind::NotFound)),
        }
    }

    /// Whether a producer has its claim now.
    ///
    /// # Errors
    /// [`ErrorKind::ForkedHandle`], [`ErrorKind::RoleLost`] (other code closed this handle's
    /// descriptor), [`ErrorKind::System`].
    pub fn has_producer(&self) -> Result<bool> {
        self.check_fork()?;
        self.region.is_taken(Part::Producer)
    }

    /// The sequence of the last value that this consumer has had, before it was killed and came
    /// back too; 0 for none.
    pub fn last_seen(&self) -> u64 {
        self.region.last_seen(self.side.protocol.consumer()).load(Relaxed)
    }

    /// Sleeps until there may be something new, or until `until` (CLOCK_MONOTONIC in nanoseconds).
    /// May return early for no reason. To be called when [`acquire`](Self::acquire) has found nothing.
    pub fn sleep(&mut self, until: u64) {
        if self.region.is_forked() {
            return;
        }
        self.side.protocol.sleep(&*self.region, until);
        // However long that was. What it finds out, the next get says.
        let _ = self.look(clock::now_coarse());
        #[cfg(feature = "crash-points")]
        sleeper::count_late_find(&self.region, &self.side.protocol, until);
    }

    /// Takes `new` in the place of a slot whose region was removed or replaced. Its sleepers, which are
    /// still to notice, are not waited for: nobody takes its claim.
    pub fn replace_by(&mut self, new: Self) {
        self.side.sleepers = Sleepers::default();
        *self = new;
    }

    /// Whether this thread runs on the core from which the producer last woke somebody: there,
    /// spinning only delays it.
    pub fn shares_cpu(&self) -> bool {
        self.region.shares_cpu()
    }

    /// Whether there is a value not had. Costs a look at two words.
    #[inline]
    pub fn has_unseen(&self) -> bool {
        self.side.protocol.has_unseen(&*self.region)
    }

    /// Whether a get would find something: a value not had, or that the region was removed, or that this
    /// consumer's slot is another's. Costs a look at four words.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.has_unseen() || self.is_stale() || self.is_lost()
    }

    /// Whether another has taken over this consumer's slot: other code has closed its descriptor.
    #[inline]
    pub fn is_lost(&self) -> bool {
        !self.side.protocol.seat().is_own(&*self.region)
    }
}

/// Removes the region of that kind and place, used or not; whoever uses it will find [`ErrorKind::Replaced`].
///
/// # Errors
/// [`ErrorKind::NotFound`], [`ErrorKind::Mismatch`] (of another kind),
/// [`ErrorKind::NotOwner`], [`ErrorKind::NotARegion`] (what is not ours is
/// left alone), [`ErrorKind::Busy`], [`ErrorKind::System`].
///
/// # Examples
/// ```
/// use io_shared_core::{ErrorKind, Kind, Name};
/// let place = Name::new("/doc-nothing-here").unwrap().into();
/// assert_eq!(*io_shared_core::remove(&place, Kind::Channel).unwrap_err().kind(), ErrorKind::NotFound);
/// ```
#[doc(alias = "shm_unlink")]
pub fn remove(location: &Location, kind: Kind) -> Result<()> {
    region::remove(location, kind)
}
