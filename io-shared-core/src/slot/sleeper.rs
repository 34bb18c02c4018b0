//! Sleeping for a consumer without its handle, as threads do that wait for many consumers.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use super::interrupt::Interrupt;
use super::{Consumer, Slot};
use crate::error::Result;
use crate::os::claim::Part;
use crate::os::clock;
use crate::os::futex::{self, Awaited};
use crate::os::nap::nap;
use crate::protocol::{self, Words};
use crate::region::Region;

/// What a thread needs to sleep for a consumer. It keeps the mapping and the consumer's claim alive
/// by itself, and takes no value. A consumer that is dropped waits until its sleepers are gone.
#[derive(Debug, Clone)]
pub struct Sleeper {
    region: Arc<Region>,
    consumer: protocol::Consumer,
    _one_more: Sleepers,
}

/// How many [`Sleeper`]s a consumer has.
#[derive(Debug, Clone, Default)]
pub(super) struct Sleepers(Arc<()>);

impl Sleepers {
    /// Waits until there are none, for at most a second: the threads that have them have been told,
    /// and drop them as soon as they run.
    pub(super) fn wait_for_the_last(&self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        let mut pause = Duration::from_micros(10);
        let mut deadline = None;
        while Arc::strong_count(&self.0) > 1 {
            if clock::now() >= *deadline.get_or_insert_with(|| clock::deadline(PATIENCE)) {
                return;
            }
            nap(pause);
            pause = (pause * 2).min(Duration::from_millis(1));
        }
    }
}

/// A [`Sleeper`] that borrows. Counting references to 127 regions would cost a waiter as much as
/// clearing their sleepers' bits.
#[derive(Debug, Clone, Copy)]
pub struct BorrowedSleeper<'a> {
    region: &'a Region,
    consumer: &'a protocol::Consumer,
}

impl Slot<Consumer> {
    /// A sleeper for this consumer, for as long as the consumer is borrowed.
    pub fn as_sleeper(&self) -> BorrowedSleeper<'_> {
        BorrowedSleeper { region: &self.region, consumer: &self.side.protocol }
    }

    /// A sleeper for this consumer, for this thread or another. The consumer's drop waits until the
    /// sleeper is dropped, for at most a second, so that the claim is free afterwards.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::slot::sleep_any;
    /// use io_shared_core::{Message, Slot, Spec, clock};
    /// # fn main() -> io_shared_core::Result<()> {
    /// # let name = io_shared_core::Name::new(&format!("/doc-sleeper-{}", std::process::id()))?;
    /// # let location = io_shared_core::Location::from(name);
    /// # let spec = Spec { schema: Some(u32::schema()), capacity: Some(4), ..Spec::default() };
    /// # let mut producer = Slot::producing(&location, &spec)?;
    /// # let consumer = Slot::consuming(&location, None, &spec)?;
    /// let sleeper = consumer.sleeper();
    /// assert!(!sleeper.is_ready());
    /// producer.loan::<u32>(0)?.put()?;
    /// let a_second = clock::now() + 1_000_000_000;
    /// sleep_any(&[sleeper.as_sleeper()], &[], None, a_second); // there is something: returns
    /// assert!(sleeper.is_ready());
    /// # io_shared_core::remove(&location, io_shared_core::Kind::Channel)
    /// # }
    /// ```
    pub fn sleeper(&self) -> Sleeper {
        Sleeper {
            region: Arc::clone(&self.region),
            consumer: self.side.protocol.clone(),
            _one_more: self.side.sleepers.clone(),
        }
    }
}

impl Sleeper {
    /// The most sleepers and interrupts that one [`sleep_any`] takes, in addition to a bell.
    pub const MOST: usize = futex::MOST - 1;

    /// The same, borrowed.
    pub fn as_sleeper(&self) -> BorrowedSleeper<'_> {
        BorrowedSleeper { region: &self.region, consumer: &self.consumer }
    }

    /// Whether a get would return at once: with a value not seen yet, or because the region is
    /// marked as removed, or because another consumer has taken over the slot.
    pub fn is_ready(&self) -> bool {
        self.consumer.has_unseen(&*self.region) || self.region.is_retired() || self.is_lost()
    }

    fn is_lost(&self) -> bool {
        !self.consumer.seat().is_own(&*self.region)
    }

    /// Whether the region is marked as removed: no more wake-ups come from it.
    pub fn is_retired(&self) -> bool {
        self.region.is_retired()
    }

    /// Whether it sleeps for this slot, and not for one that this slot has replaced.
    pub fn is_of(&self, slot: &Slot<Consumer>) -> bool {
        Arc::ptr_eq(&self.region, &slot.region)
    }

    /// Whether the name leads to another region or to none by now. Asks the file system.
    pub fn is_replaced(&self) -> bool {
        self.region.is_replaced()
    }

    /// The name, as errors show it.
    pub fn name(&self) -> &str {
        self.region.name()
    }

    /// Whether a producer has its claim now.
    ///
    /// # Errors
    /// [`ErrorKind::ForkedHandle`](crate::ErrorKind::ForkedHandle),
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn has_producer(&self) -> Result<bool> {
        self.region.check_fork()?;
        self.region.is_taken(Part::Producer)
    }

    /// Whether it was inherited over a fork, and so belongs to the parent.
    pub fn is_forked(&self) -> bool {
        self.region.is_forked()
    }
}

impl BorrowedSleeper<'_> {
    /// As [`Sleeper::is_ready`].
    pub fn is_ready(&self) -> bool {
        self.consumer.has_unseen(self.region) || self.region.is_retired()
    }

    /// As [`Sleeper::is_retired`].
    pub fn is_retired(&self) -> bool {
        self.region.is_retired()
    }
}

/// Sleeps until one of `sleepers` may have something new, one of `interrupts` is raised, the bell
/// is rung after its count was the one given, or `until` (CLOCK_MONOTONIC in nanoseconds) has come.
/// May return early for no reason. Returns at once if nothing could ever wake it, and in a forked
/// child.
///
/// If the kernel has no futex_waitv, the interrupts of a single sleeper do not end the sleep.
///
/// # Panics
/// With more than [`Sleeper::MOST`] sleepers and interrupts.
pub fn sleep_any(
    sleepers: &[BorrowedSleeper<'_>],
    interrupts: &[&Interrupt],
    bell: Option<(&Bell, u64)>,
    until: u64,
) {
    assert!(sleepers.len() + interrupts.len() <= Sleeper::MOST, "more than one wait takes");
    if sleepers.iter().any(|sleeper| sleeper.region.is_forked()) {
        return;
    }
    let each = sleepers.iter().map(|sleeper| (sleeper.region, sleeper.consumer));
    protocol::sleep_any(each, |unmoved| {
        let mut words: Vec<Awaited<'_>> =
            interrupts.iter().map(|interrupt| interrupt.awaited()).collect();
        words.extend(
            unmoved.into_iter().map(|(region, low)| Awaited { word: region.latest(), low }),
        );
        let signalled = match bell {
            // Last: without futex_waitv, this is the word whose wake-up comes at once.
            Some((bell, rung)) => {
                words.push(Awaited { word: &bell.rung, low: rung as u32 });
                bell.heard.store(true, SeqCst);
                let signalled = futex::wait_any(&words, interrupts.len(), until);
                bell.heard.store(false, SeqCst);
                signalled
            }
            None => futex::wait_any(&words, interrupts.len(), until),
        };
        if signalled {
            // Of one only: it ends this wait, and the others would end later ones.
            interrupts.iter().any(|interrupt| interrupt.signalled());
        }
    });
    #[cfg(feature = "crash-points")]
    for sleeper in sleepers {
        count_late_find(sleeper.region, sleeper.consumer, until);
    }
}

/// Wakes a thread in [`sleep_any`] from within its process.
#[derive(Debug, Default)]
pub struct Bell {
    rung: AtomicU64,
    /// Whether a thread may be asleep, so that a ring makes no needless system call. Each bell
    /// serves one sleeping thread.
    heard: AtomicBool,
}

impl Bell {
    /// How often the bell was rung.
    pub fn count(&self) -> u64 {
        self.rung.load(SeqCst)
    }

    /// Wakes the thread that sleeps by this bell, or keeps it from falling asleep.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::slot::{Bell, sleep_any};
    /// let bell = Bell::default();
    /// let count = bell.count();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| bell.ring());
    ///     sleep_any(&[], &[], Some((&bell, count)), u64::MAX);
    /// });
    /// ```
    pub fn ring(&self) {
        // SeqCst, with `sleep_any`: this adds to the count and then loads the flag; that stores the
        // flag and then has the kernel look at the count. One of the two sees the other.
        self.rung.fetch_add(1, SeqCst);
        if self.heard.load(SeqCst) {
            futex::wake_all(self.rung.as_ptr().cast());
        }
    }
}

/// Counts a value that was put long before a slice of the wait ended, but found only when it ended.
#[cfg(feature = "crash-points")]
pub(super) fn count_late_find(region: &Region, consumer: &protocol::Consumer, until: u64) {
    use std::sync::atomic::Ordering::Relaxed;

    use crate::crash_point;
    if clock::now() >= until && consumer.has_unseen(region) {
        let latest = region.latest().load(Relaxed);
        let index = protocol::Latest::unpack(latest).index;
        if region.is_mapped(index) {
            let stamp = region.header(index).stamp.load(Relaxed);
            crash_point::count_late_find(until.saturating_sub(stamp));
        }
    }
}
