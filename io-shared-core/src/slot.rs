//! A single slot of shared memory, opened in one role.
//!
//! This is the one place where shared memory becomes references. A [`Loan`] is a buffer that the
//! protocol has lent to this producer alone. A [`Guard`] is a value in a buffer that the protocol
//! keeps the producer away from. Both borrow or share the slot, so neither outlives the claim and
//! the mapping. No sequence of safe calls here yields a reference to memory that a conforming
//! process may write meanwhile. (Bytes without a header look before each write whether they have
//! become a region; between the look and the write another process may make them one.) Types,
//! builders and waiting are the channel crate's.
//!
//! An observer gets no references at all, only checked copies.

mod array;
mod blocks;
mod copied;
mod event;
mod filling;
mod growth;
mod guard;
mod interrupt;
mod kept;
mod loan;
mod part;
mod reopening;
mod sleeper;
mod value;
pub(crate) mod window;

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

pub use crate::protocol::Which;
pub use copied::Copied;
pub use event::Event;
pub(crate) use filling::{LEAST_AHEAD, PIECE};
pub use growth::Connection;
pub use guard::{Guard, OwnedGuard, Wanted};
pub use interrupt::Interrupt;
pub use kept::Kept;
pub use loan::Loan;
pub use sleeper::{Bell, BorrowedSleeper, Sleeper, sleep_any};

use reopening::Reopening;
use sleeper::Sleepers;
use value::InlineWords;
use window::Window;

use crate::error::{ErrorKind, Holder, Result};
use crate::message::schema::Schema;
use crate::os::claim::Part;
use crate::os::clock::{self, StampClock};
use crate::protocol::{self, Words};
use crate::region::{self, Kind, Location, Region, Role, Side, Spec, Watch};

/// The producer's side of a slot.
#[derive(Debug)]
pub struct Producer {
    /// The slot's.
    region: Arc<Region>,
    protocol: protocol::Producer,
    /// `None`: values get no stamp.
    stamps: Option<StampClock>,
    /// The second mappings of buffers, by the address of their payload in the first mapping.
    windows: Vec<(usize, Arc<Window>)>,
    /// The regions that this channel had before it grew, while consumers are in them.
    left: Vec<Arc<Region>>,
    prefault: bool,
    /// How the channel is opened anew once it was replaced. `None`: it is not.
    reopening: Option<Box<Reopening>>,
}

impl Drop for Producer {
    fn drop(&mut self) {
        // The protocol of an inherited slot is the parent's.
        if self.region.is_forked() {
            return;
        }
        if self.region.survives_reboot() {
            // A producer that has lost its role must not seal anything.
            let _ = self.seal();
        }
        if self.region.is_ephemeral() && self.is_awaited() {
            self.region.leave_name();
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
    /// The copy of the last inline value.
    inline: InlineWords,
    sleepers: Sleepers,
    /// The sequence of a value that was taken, and then not returned because the name leads
    /// elsewhere; and what had been received before.
    refused: Option<(u64, u64)>,
    /// For the next owned guard: what one that was taken back has kept.
    spare: Option<Arc<Region>>,
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // The protocol of an inherited slot is the parent's.
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
/// let location = io_shared_core::Location::from(name);
/// let spec = Spec { schema: Some(<[u32]>::schema()), capacity: Some(400), ..Spec::default() };
/// let mut producer = Slot::producing(&location, &spec)?;
/// let mut consumer = Slot::consuming(&location, None, &spec)?;
///
/// let mut loan = producer.loan::<[u32]>(3)?;
/// loan.copy_from_slice(&[1, 2, 3]);
/// assert_eq!(loan.put()?, 1);
///
/// // This closure neither waits nor takes a missing value for an error.
/// let guard = consumer.acquire::<[u32]>(Which::Unseen, |_, nothing| nothing.map(|()| false))?;
/// assert_eq!(guard.as_deref(), Some(&[1, 2, 3][..]));
/// # drop(guard);
/// # io_shared_core::remove(&location, io_shared_core::Kind::Channel)
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

    /// A descriptor of a region that has no name, to pass to another process: a child inherits it,
    /// or it is sent over a Unix socket. `None` if there is a name to open.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.region.as_fd()
    }

    /// The most bytes that one message may have, header fields included.
    #[inline]
    pub fn capacity(&self) -> u64 {
        self.region.layout().capacity
    }

    /// Consumer slots.
    pub fn consumer_slots(&self) -> usize {
        self.region.consumer_slots()
    }

    /// Whether this handle knows that its region was removed or replaced.
    #[inline]
    pub fn is_stale(&self) -> bool {
        self.watch.is_stale(&self.region)
    }

    /// The number that a channel keeps when it grows into a larger region. Another channel of the
    /// same name has another one.
    pub fn line(&self) -> u64 {
        self.region.line()
    }

    /// Whether the region's name leads to another region now. Asks the file system.
    pub fn is_succeeded(&self) -> bool {
        self.region.is_succeeded()
    }

    /// Whether the region's name leads to nothing now. Asks the file system.
    pub fn is_gone(&self) -> bool {
        self.region.is_gone()
    }

    /// Looks whether the name still leads to this region, unless it did so within the last 90 ms.
    ///
    /// # Errors
    /// [`ErrorKind::Replaced`], [`ErrorKind::ForkedHandle`].
    pub fn check(&self) -> Result<()> {
        self.check_fork()?;
        self.check_or_look()
    }

    #[inline]
    fn check_or_look(&self) -> Result<()> {
        self.watch.check_or_look(&self.region)
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
    /// Opens the slot at `location` as its producer. Creates or replaces it if necessary.
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
                let side = Producer {
                    region: Arc::clone(&region),
                    protocol,
                    stamps,
                    windows: Vec::new(),
                    left: attached.left.into_iter().map(Arc::new).collect(),
                    prefault: spec.prefault,
                    reopening: spec.reopen.then(|| Box::new(Reopening::new(location, spec))),
                };
                Ok(Self::new(region, side))
            }
            _ => Err(location.error(ErrorKind::NotFound)),
        }
    }

    /// The number of the last value put, by this producer or an earlier one; 0 for none.
    pub fn sequence(&self) -> u64 {
        self.side.protocol.sequence()
    }

    /// Writes the last value put, with its checksum, to the file that the region lies in, and
    /// returns once it is on disk, so that it survives a reboot. Does nothing for a region in
    /// memory.
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

    /// Sets whether values get a stamp, from which consumers compute their age. On by default.
    pub fn set_stamps(&mut self, stamps: bool) {
        self.side.stamps = stamps.then(StampClock::new);
    }

    /// Says where the values come from, until the next producer takes the role.
    ///
    /// # Errors
    /// [`ErrorKind::BadOption`]: it has more than 128 bytes, or a zero byte.
    /// [`ErrorKind::ForkedHandle`].
    pub fn set_origin(&mut self, origin: &str) -> Result<()> {
        self.check_fork()?;
        self.region.note_origin(origin)
    }
}

impl Slot<Consumer> {
    /// Opens the slot at `location` as a consumer. Creates it if the spec suffices; otherwise waits
    /// for its producer.
    ///
    /// # Errors
    /// [`ErrorKind::NoSlot`], [`ErrorKind::RoleTaken`] (for a consumer's name), and the errors of
    /// [`Slot::producing`].
    pub fn consuming(location: &Location, consumer: Option<&str>, spec: &Spec) -> Result<Self> {
        let role = Role::Consumer { name: consumer.map(str::to_owned) };
        let attached = region::attach(location, &role, spec)?;
        match attached.side {
            Side::Consumer(protocol) => {
                let region = Arc::new(attached.region);
                let (inline, sleepers) = (InlineWords::default(), Sleepers::default());
                let side = Consumer {
                    region: Arc::clone(&region),
                    protocol,
                    inline,
                    sleepers,
                    refused: None,
                    spare: None,
                };
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

    /// Who has the producer's role now, as its block says; `None` if nobody has.
    ///
    /// # Errors
    /// The errors of [`has_producer`](Self::has_producer).
    pub fn producer(&self) -> Result<Option<Holder>> {
        self.check_fork()?;
        self.region.producer()
    }

    /// Who had the producer's role last, as its block says.
    pub fn last_producer(&self) -> Holder {
        self.region.holder(Part::Producer)
    }

    /// The number of the newest value, whether this consumer has seen it or not; 0 for none.
    pub fn newest(&self) -> u64 {
        // Relaxed: only the number itself is used.
        protocol::Latest::unpack(self.region.latest().load(Relaxed)).sequence
    }

    /// The number of the last value that this consumer has seen, also before it was killed and came
    /// back; 0 for none.
    pub fn last_seen(&self) -> u64 {
        self.region.last_seen(self.side.protocol.consumer()).load(Relaxed)
    }

    /// Sleeps until there may be something new, or until `until` (CLOCK_MONOTONIC in nanoseconds).
    /// May return early for no reason. Call it when [`acquire`](Self::acquire) has found nothing.
    pub fn sleep(&mut self, until: u64) {
        if self.region.is_forked() {
            return;
        }
        self.side.protocol.sleep(&*self.region, until);
        // However long that was. The next get reports what this look finds.
        let _ = self.look(clock::now_coarse());
        #[cfg(feature = "crash-points")]
        sleeper::count_late_find(&self.region, &self.side.protocol, until);
    }

    /// As [`sleep`](Self::sleep), and until `interrupt` is raised. If the kernel has no
    /// futex_waitv, an interrupt does not end the sleep.
    pub fn sleep_or(&mut self, until: u64, interrupt: &Interrupt) {
        sleep_any(&[self.as_sleeper()], &[interrupt], None, until);
        let _ = self.look(clock::now_coarse());
    }

    /// Replaces a slot whose region was removed or replaced by `new`. Does not wait for its
    /// sleepers, which have yet to notice: nobody else takes its claim.
    pub fn replace_by(&mut self, new: Self) {
        self.side.sleepers = Sleepers::default();
        *self = new;
    }

    /// Whether this thread runs on the core from which the producer last woke a sleeper. Spinning
    /// there would only delay the producer.
    pub fn shares_cpu(&self) -> bool {
        self.region.shares_cpu()
    }

    /// Whether there is a value that this consumer has not seen yet. Looks at two words.
    #[inline]
    pub fn has_unseen(&self) -> bool {
        self.side.protocol.has_unseen(&*self.region)
    }

    /// Whether a get would return at once: with a value not seen yet, or because the region was
    /// removed or another consumer has taken over this slot. Looks at four words.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.has_unseen() || self.is_stale() || self.is_lost()
    }

    /// Whether another consumer has taken over this slot, because other code has closed its
    /// descriptor.
    #[inline]
    pub fn is_lost(&self) -> bool {
        !self.side.protocol.seat().is_own(&*self.region)
    }
}

/// Removes the region of this kind at `location`, whether or not anybody uses it. Its users get
/// [`ErrorKind::Replaced`] from then on.
///
/// # Errors
/// [`ErrorKind::NotFound`], [`ErrorKind::Mismatch`] (a region of another kind),
/// [`ErrorKind::NotOwner`], [`ErrorKind::NotARegion`] (foreign files are left alone),
/// [`ErrorKind::Busy`], [`ErrorKind::System`].
///
/// # Examples
/// ```
/// use io_shared_core::{ErrorKind, Kind, Name};
/// let location = Name::new("/doc-nothing-here").unwrap().into();
/// let error = io_shared_core::remove(&location, Kind::Channel).unwrap_err();
/// assert_eq!(*error.kind(), ErrorKind::NotFound);
/// ```
#[doc(alias = "shm_unlink")]
pub fn remove(location: &Location, kind: Kind) -> Result<()> {
    region::remove(location, kind)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::message::Message;
    use crate::protocol::Which;
    use crate::region::Name;

    #[test]
    fn the_only_consumer_comes_back_to_its_slot_while_a_producer_reclaims_it() {
        let spec = Spec { schema: Some(u64::schema()), capacity: Some(8), ..Spec::default() };
        let (mut tried, mut in_time) = (0, 0);
        while in_time < 5 {
            tried += 1;
            assert!(tried < 2000, "a thread that sleeps for 1 ms never ran within 3 ms");
            let name = format!("/slot-reclaimed-{}-{tried}", std::process::id());
            let location = Location::from(Name::new(&name).unwrap());
            let mut producer = Slot::producing(&location, &spec).unwrap();
            drop(Slot::consuming(&location, None, &spec).unwrap());
            producer.put(&7_u64).unwrap();
            // As a producer has the claim that finds its owner dead.
            assert!(producer.region.win(0));
            let (region, began) = (Arc::clone(&producer.region), Instant::now());
            let reclaim = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(1));
                region.unwin(0);
                began.elapsed()
            });
            let mut consumer = Slot::consuming(&location, None, &spec).unwrap();
            if reclaim.join().unwrap() <= Duration::from_millis(3) {
                in_time += 1;
                assert_eq!(consumer.side.protocol.consumer(), 0);
                let got =
                    consumer.acquire::<u64>(Which::Unseen, |_, nothing| nothing.map(|()| false));
                assert_eq!(*got.unwrap().expect("it was put"), 7);
            }
            remove(&location, Kind::Channel).unwrap();
        }
    }
}
