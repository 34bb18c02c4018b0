//! How a get waits: spin shortly, then sleep in the kernel.
//!
//! A hand-over to a spinning consumer takes a tenth of a microsecond, to a sleeping one on another
//! core fifty. But spinning in vain steals the core that the producer may need. So each handle keeps
//! a budget of looks: it halves when a spin was in vain, doubles when one ended in a value, grows
//! when a sleep was so short that a spin would have met its end, and is next to nothing while both
//! sides run on one core, where spinning only delays the producer. There the handle gives way to the
//! producer once before it sleeps, which costs half of a sleep and a wake-up. Sleeps come in slices,
//! since a producer may be killed between its publish and its wake.

use std::hint;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use io_shared_core::clock;
use io_shared_core::slot::{Consuming, Slot};

/// The longest sleep at once, in nanoseconds.
pub(crate) const SLICE: u64 = 100_000_000;

/// Looks of the first spin; each takes some 20 ns with its pause.
const FIRST: u32 = 256;
/// The most looks of one spin: some 40 us, as long as a sleep and wake-up across cores take.
const MOST: u32 = 2048;
/// The fewest.
const FEWEST: u32 = 4;
/// A sleep shorter than this, in nanoseconds, is one that a long spin would have met the end of.
const SHORT: u64 = 80_000;
/// A yield longer than this, in nanoseconds, went to others than the producer.
const LONG: u64 = 200_000;

/// A handle's budget for spinning.
#[derive(Debug)]
pub(crate) struct Patience {
    /// Relaxed: a hint, which threads that wait for one consumer together may overwrite.
    budget: AtomicU32,
    spun: bool,
    /// Whether the last spin ended in a value.
    met: bool,
    /// Sleeps beside the producer on one core until a yield is tried again, and the most that they
    /// were; `None`: the two are not on one core.
    beside: Option<u32>,
    penalty: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { budget: AtomicU32::new(FIRST), spun: false, met: false, beside: None, penalty: 0 }
    }
}

impl Patience {
    /// A new wait begins.
    #[inline]
    pub(crate) fn start(&mut self) {
        // Of the last wait: not when its value had come, as somebody waits for the answer to that.
        if self.met {
            self.met = false;
            self.spun(true);
        }
        self.spun = false;
    }

    /// Waits for something to get. `false`: the deadline has come.
    #[inline]
    pub(crate) fn wait(&mut self, slot: &mut Slot<Consuming>, deadline: u64) -> bool {
        if !self.spun {
            self.spun = true;
            for _ in 0..self.budget() {
                if slot.is_ready() {
                    self.met = true;
                    return true;
                }
                hint::spin_loop();
            }
            self.spun(false);
            if self.beside == Some(0) && self.give_way(slot) {
                return true;
            }
        }
        self.sleep(slot, deadline)
    }

    #[cold]
    fn sleep(&mut self, slot: &mut Slot<Consuming>, deadline: u64) -> bool {
        let now = clock::now();
        if now >= deadline {
            return false;
        }
        slot.sleep(deadline.min(now.saturating_add(SLICE)));
        self.slept(slot, clock::now() - now);
        let beside = self.beside.unwrap_or(0).saturating_sub(1);
        self.beside = slot.shares_cpu().then_some(beside);
        true
    }

    /// Lets the producer, which runs on the same core, go on: half of what a sleep and a wake-up
    /// cost. Where others run there too, it may be they who go on, and the value comes late; so a
    /// yield in vain is followed by ever more sleeps.
    #[cold]
    fn give_way(&mut self, slot: &Slot<Consuming>) -> bool {
        let before = clock::now();
        std::thread::yield_now();
        let ready = slot.is_ready();
        if ready && clock::now() - before < LONG {
            self.penalty = 0;
        } else {
            self.penalty = (self.penalty * 2).clamp(1, MOST);
            self.beside = Some(self.penalty);
        }
        ready
    }

    /// Looks of the next spin.
    #[inline]
    pub(crate) fn budget(&self) -> u32 {
        self.budget.load(Relaxed)
    }

    /// A spin has ended, with something to get or in vain.
    pub(crate) fn spun(&self, ready: bool) {
        let budget = self.budget();
        let next = if ready { (budget * 2).min(MOST) } else { (budget / 2).max(FEWEST) };
        self.budget.store(next, Relaxed);
    }

    /// A sleep of so many nanoseconds has ended.
    pub(crate) fn slept(&self, slot: &Slot<Consuming>, nanos: u64) {
        if slot.shares_cpu() {
            self.budget.store(FEWEST, Relaxed);
        } else if nanos < SHORT {
            self.budget.store((self.budget() * 4).min(MOST), Relaxed);
        }
    }
}
