//! How a get waits: it spins briefly, then sleeps in the kernel.
//!
//! Handing a value to a spinning consumer takes 0.1 us; to a consumer that sleeps on another core,
//! 50 us. But a spin that ends without a value wastes a core that the producer may need. So each
//! handle keeps a budget: how many times a spin looks for a value.
//!
//! - The budget doubles when a spin ends in a value, and halves when it does not.
//! - It grows fourfold when a sleep was so short that a longer spin would have found the value.
//! - Its limit is what a sleep and a wake-up cost, plus two copies of the last value: a consumer
//!   that waits for an answer of that size then keeps spinning while the other side copies.
//! - It is almost nothing while both sides run on one core, where spinning only delays the
//!   producer. There the handle yields to the producer once before it sleeps, which costs half as
//!   much as a sleep and a wake-up.
//!
//! Sleeps are cut into slices, because a producer may be killed between its publish and its wake.

use std::hint;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

use io_shared_core::slot::{self, Interrupt, Slot};
use io_shared_core::{LongWait, clock};

use crate::long_wait::Awaited;

/// The longest single sleep, in nanoseconds.
pub(crate) const SLICE: u64 = 100_000_000;

/// How many times a handle's first spin looks.
const FIRST: u32 = 256;
/// The most looks of one spin for small values: about 40 us, as long as a sleep and a wake-up on
/// another core take.
const MOST: u32 = 2048;
/// A value that is larger by this many bytes earns one more look: copying them twice takes as long.
const BYTES_OF_A_LOOK: usize = 256;
/// The most looks of one spin for any value: about 0.7 ms. Compared with that, a wake-up is cheap.
const MOST_OF_ALL: u32 = 16 * MOST;
/// The fewest looks of one spin.
const FEWEST: u32 = 4;
/// How long a look with its pause takes, and a wake-up on another core, in nanoseconds. A sleep
/// that was no longer than the longest spin and a wake-up would have been better spent spinning.
const LOOK: u64 = 20;
const WAKE_UP: u64 = 40_000;
/// A yield that took longer than this, in nanoseconds, ran other threads than the producer.
const LONG: u64 = 200_000;

/// A handle's budget for spinning.
#[derive(Debug)]
pub(crate) struct Patience {
    /// Relaxed: it is a hint, and threads that wait for the same consumer may overwrite it.
    budget: AtomicU32,
    /// The largest budget.
    most: u32,
    /// Whether this wait has spun already.
    spun: bool,
    /// Whether the last spin ended in a value.
    met: bool,
    /// Reports this wait once it lasts long.
    long: LongWait,
    /// While both sides share one core: after how many more sleeps a yield is tried again. `None`:
    /// they do not share one.
    sleeps_to_yield: Option<u32>,
    /// How many sleeps the last failed yield cost.
    penalty: u32,
    /// When a wait for many consumers last looked for what only the kernel knows of this one.
    /// Relaxed, as the budget.
    looked: AtomicU64,
}

impl Default for Patience {
    fn default() -> Self {
        let budget = AtomicU32::new(FIRST);
        let long = LongWait::default();
        Self {
            budget,
            most: MOST,
            spun: false,
            met: false,
            long,
            sleeps_to_yield: None,
            penalty: 0,
            looked: AtomicU64::new(0),
        }
    }
}

impl Patience {
    /// Starts a new wait.
    #[inline]
    pub(crate) fn start(&mut self) {
        // The last wait's success counts only now: when its value came, its producer was waiting
        // for the answer.
        if self.met {
            self.met = false;
            self.spun(true);
        }
        self.spun = false;
    }

    /// Ends the wait with a value of `length` bytes.
    #[inline]
    pub(crate) fn got(&mut self, length: usize) {
        let more = (length / BYTES_OF_A_LOOK).min((MOST_OF_ALL - MOST) as usize);
        self.most = MOST + more as u32;
    }

    /// Waits for something to get or for the interrupt, and returns `false` if the deadline passes
    /// first.
    ///
    /// `meanwhile` does any work that can be done before the value is complete, and returns whether
    /// it did some: then the rest of the value may come soon.
    #[inline]
    pub(crate) fn wait(
        &mut self,
        slot: &mut Slot<slot::Consumer>,
        deadline: u64,
        interrupt: Option<&Interrupt>,
        mut meanwhile: impl FnMut(&mut Slot<slot::Consumer>) -> bool,
    ) -> bool {
        let first = !self.spun;
        self.spun = true;
        if first {
            self.long.restart();
        }
        let mut looks = if first { self.budget() } else { 0 };
        let mut slice_over = None;
        loop {
            if meanwhile(slot) {
                // Whatever the producer does, the wait ends at its deadline, and the channel's name
                // is checked once in a slice.
                let now = clock::now();
                if now >= deadline {
                    return false;
                }
                if now >= *slice_over.get_or_insert(now.saturating_add(SLICE)) {
                    return true;
                }
                looks = looks.max(if slot.shares_cpu() { FEWEST } else { MOST });
            }
            if looks == 0 {
                break;
            }
            if slot.is_ready() {
                self.met = first;
                return true;
            }
            looks -= 1;
            hint::spin_loop();
        }
        if first {
            self.spun(false);
            if self.sleeps_to_yield == Some(0) && self.give_way(slot) {
                return true;
            }
        }
        self.sleep(slot, deadline, interrupt)
    }

    #[cold]
    fn sleep(
        &mut self,
        slot: &mut Slot<slot::Consumer>,
        deadline: u64,
        interrupt: Option<&Interrupt>,
    ) -> bool {
        let now = clock::now();
        if now >= deadline {
            return false;
        }
        self.report_if_long(slot, now);
        let until = deadline.min(now.saturating_add(SLICE));
        match interrupt {
            Some(interrupt) => slot.sleep_or(until, interrupt),
            None => slot.sleep(until),
        }
        self.slept(slot, clock::now() - now);
        let left = self.sleeps_to_yield.unwrap_or(0).saturating_sub(1);
        self.sleeps_to_yield = slot.shares_cpu().then_some(left);
        true
    }

    /// Reports the wait once if it has lasted long at `now`.
    fn report_if_long(&self, slot: &Slot<slot::Consumer>, now: u64) {
        if self.long.is_due(now) && !slot.has_unseen() {
            Awaited::of_slot(slot).report();
        }
    }

    /// Leaves the report of a long wait to the caller, until the next sleep is over.
    #[inline]
    pub(crate) fn hush(&mut self) {
        self.long.restart();
    }

    /// Notes that the channel was removed, and that the wait is for a new one.
    #[cold]
    pub(crate) fn gone(&mut self, slot: &Slot<slot::Consumer>) {
        if !self.spun {
            self.spun = true;
            self.long.restart();
        }
        self.report_if_long(slot, clock::now());
    }

    /// Yields to the producer, which runs on the same core; this costs half as much as a sleep and
    /// a wake-up. If other threads run there too, they may get the core instead, and the value
    /// comes late. So each failed yield is followed by more sleeps than the one before.
    #[cold]
    fn give_way(&mut self, slot: &Slot<slot::Consumer>) -> bool {
        let before = clock::now();
        std::thread::yield_now();
        // The yield may have taken long, so the name is checked. The next get reports what this
        // finds.
        let _ = slot.check();
        let ready = slot.is_ready();
        if ready && clock::now() - before < LONG {
            self.penalty = 0;
        } else {
            self.penalty = (self.penalty * 2).clamp(1, MOST);
            self.sleeps_to_yield = Some(self.penalty);
        }
        ready
    }

    /// Whether a slice is over since this was last true.
    pub(crate) fn is_look_due(&self, now: u64) -> bool {
        let is_due = now.saturating_sub(self.looked.load(Relaxed)) >= SLICE;
        if is_due {
            self.looked.store(now, Relaxed);
        }
        is_due
    }

    /// How many times the next spin looks.
    #[inline]
    pub(crate) fn budget(&self) -> u32 {
        self.budget.load(Relaxed)
    }

    /// Adjusts the budget after a spin. `ready` says whether it found something to get.
    pub(crate) fn spun(&self, ready: bool) {
        let budget = self.budget();
        let next = if ready { (budget * 2).min(self.most) } else { (budget / 2).max(FEWEST) };
        self.budget.store(next, Relaxed);
    }

    /// Adjusts the budget after a sleep of `nanos` nanoseconds.
    pub(crate) fn slept(&self, slot: &Slot<slot::Consumer>, nanos: u64) {
        if slot.shares_cpu() {
            self.budget.store(FEWEST, Relaxed);
        } else if nanos < LOOK * u64::from(self.most) + WAKE_UP {
            self.budget.store((self.budget() * 4).min(self.most), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use io_shared_core::{Kind, Location, Message, Name, Spec};

    use super::*;

    fn grown(patience: &Patience) -> u32 {
        (0..20).for_each(|_| patience.spun(true));
        patience.budget()
    }

    #[test]
    fn a_spin_lasts_at_most_as_long_as_two_copies_of_the_last_value_and_a_wake_up() {
        let mut patience = Patience::default();
        assert_eq!(grown(&patience), MOST);
        patience.got(16);
        assert_eq!(grown(&patience), MOST);
        patience.got(256 * 1000);
        assert_eq!(grown(&patience), MOST + 1000);
        patience.got(usize::MAX);
        assert_eq!(grown(&patience), MOST_OF_ALL);
        patience.got(16);
        assert_eq!(grown(&patience), MOST);
    }

    #[test]
    fn a_wait_that_always_finds_something_to_do_ends_at_its_deadline() {
        let name = format!("/waiting-meanwhile-{}", std::process::id());
        let location = Location::from(Name::new(&name).unwrap());
        let spec = Spec { schema: Some(u64::schema()), capacity: Some(8), ..Spec::default() };
        let mut slot = Slot::consuming(&location, None, &spec).unwrap();
        let mut patience = Patience::default();
        patience.start();
        let before = clock::now();
        assert!(patience.wait(&mut slot, u64::MAX, None, |_| true), "to check the name");
        let until = clock::now() + 20_000_000;
        assert!(!patience.wait(&mut slot, until, None, |_| true));
        assert!((SLICE..SLICE * 20).contains(&(clock::now() - before)));
        io_shared_core::remove(&location, Kind::Channel).unwrap();
    }

    #[test]
    fn spins_that_find_nothing_leave_a_few_looks() {
        let mut patience = Patience::default();
        patience.got(5 << 20);
        grown(&patience);
        (0..20).for_each(|_| patience.spun(false));
        assert_eq!(patience.budget(), FEWEST);
    }
}
