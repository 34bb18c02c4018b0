//! How a get waits: spin shortly, then sleep in the kernel.
//!
//! A hand-over to a spinning consumer takes a tenth of a microsecond, to a sleeping one fifty. But
//! spinning in vain steals the core that the producer may need. So each handle keeps a budget of
//! looks: it doubles when a spin ended in a value and halves when it was in vain. Sleeps come in
//! slices, since a producer may be killed between its publish and its wake.

use std::hint;

use io_shared_core::clock;
use io_shared_core::slot::{Consuming, Slot};

/// The longest sleep at once, in nanoseconds.
const SLICE: u64 = 100_000_000;

/// Looks of the first spin; each takes about 20 ns with its pause.
const FIRST: u32 = 256;
/// The most looks of one spin: about 40 us, as long as a sleep and wake-up across cores take.
const MOST: u32 = 2048;
/// The fewest, so that a change for the better is noticed.
const FEWEST: u32 = 4;

/// A handle's budget for spinning.
#[derive(Debug)]
pub(crate) struct Patience {
    budget: u32,
    spun: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            budget: FIRST,
            spun: false,
        }
    }
}

impl Patience {
    /// A new wait begins.
    #[inline]
    pub(crate) fn start(&mut self) {
        self.spun = false;
    }

    /// Waits for something to get. `false`: the deadline has come.
    pub(crate) fn wait(&mut self, slot: &Slot<Consuming>, deadline: u64) -> bool {
        if !self.spun {
            self.spun = true;
            if self.spin(slot) {
                return true;
            }
        }
        let now = clock::now();
        if now >= deadline {
            return false;
        }
        slot.sleep(deadline.min(now.saturating_add(SLICE)));
        true
    }

    fn spin(&mut self, slot: &Slot<Consuming>) -> bool {
        for _ in 0..self.budget {
            if slot.is_ready() {
                self.budget = (self.budget * 2).min(MOST);
                return true;
            }
            hint::spin_loop();
        }
        self.budget = (self.budget / 2).max(FEWEST);
        false
    }
}
