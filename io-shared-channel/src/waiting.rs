//! How a get waits: spin shortly, then sleep in the kernel.
//!
//! A hand-over to a spinning consumer takes a tenth of a microsecond, to a sleeping one on another
//! core fifty. But spinning in vain steals the core that the producer may need. So each handle keeps
//! a budget of looks: it halves when a spin was in vain, doubles when one ended in a value, grows
//! when a sleep was so short that a spin would have met its end, and is next to nothing while both
//! sides run on one core, where spinning only delays the producer. It grows no further than to what a
//! sleep and wake-up cost, and what two copies of the last value do: whoever copies that out and an
//! answer in is not slept for. On one core the handle gives way to the producer once before it
//! sleeps, which costs half of a sleep and a wake-up. Sleeps come in slices, since a producer may be
//! killed between its publish and its wake.

use std::hint;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use io_shared_core::slot::{self, Slot};
use io_shared_core::{LongWait, clock};

use crate::long_wait::Awaited;

/// The longest sleep at once, in nanoseconds.
pub(crate) const SLICE: u64 = 100_000_000;

/// Looks of the first spin.
const FIRST: u32 = 256;
/// The most looks of one spin for small values: some 40 us, as long as a sleep and wake-up across
/// cores take.
const MOST: u32 = 2048;
/// So many bytes more of a value make it a look more: two copies of them take as long.
const BYTES_OF_A_LOOK: usize = 256;
/// The most looks of one spin for any value, some 0.7 ms: beside that a wake-up is little.
const MOST_OF_ALL: u32 = 16 * MOST;
/// The fewest.
const FEWEST: u32 = 4;
/// What a look takes, with its pause, and a wake-up across cores, in nanoseconds: a sleep no longer
/// than the longest spin and a wake-up is one that the spin would have met the end of.
const LOOK: u64 = 20;
const WAKE_UP: u64 = 40_000;
/// A yield longer than this, in nanoseconds, went to others than the producer.
const LONG: u64 = 200_000;

/// A handle's budget for spinning.
#[derive(Debug)]
pub(crate) struct Patience {
    /// Relaxed: a hint, which threads that wait for one consumer together may overwrite.
    budget: AtomicU32,
    /// The most that it grows to.
    most: u32,
    spun: bool,
    /// Whether the last spin ended in a value.
    met: bool,
    /// This wait, to be told of if it lasts.
    long: LongWait,
    /// Sleeps beside the producer on one core until a yield is tried again, and the most that they
    /// were; `None`: the two are not on one core.
    beside: Option<u32>,
    penalty: u32,
}

impl Default for Patience {
    fn default() -> Self {
        let budget = AtomicU32::new(FIRST);
        let long = LongWait::default();
        Self { budget, most: MOST, spun: false, met: false, long, beside: None, penalty: 0 }
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

    /// The wait has ended in a value of so many bytes.
    #[inline]
    pub(crate) fn got(&mut self, length: usize) {
        let more = (length / BYTES_OF_A_LOOK).min((MOST_OF_ALL - MOST) as usize);
        self.most = MOST + more as u32;
    }

    /// Waits for something to get. `false`: the deadline has come. `meanwhile` does what can be done
    /// of it already, and says whether it did something: then the rest may be near.
    #[inline]
    pub(crate) fn wait(
        &mut self,
        slot: &mut Slot<slot::Consumer>,
        deadline: u64,
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
                // Whatever its producer does, the wait ends in time, and the name is looked at.
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
            if self.beside == Some(0) && self.give_way(slot) {
                return true;
            }
        }
        self.sleep(slot, deadline)
    }

    #[cold]
    fn sleep(&mut self, slot: &mut Slot<slot::Consumer>, deadline: u64) -> bool {
        let now = clock::now();
        if now >= deadline {
            return false;
        }
        self.lasts(slot, now);
        slot.sleep(deadline.min(now.saturating_add(SLICE)));
        self.slept(slot, clock::now() - now);
        let beside = self.beside.unwrap_or(0).saturating_sub(1);
        self.beside = slot.shares_cpu().then_some(beside);
        true
    }

    /// The wait for something of `slot` goes on at `now`: if it lasts, that is told once.
    fn lasts(&self, slot: &Slot<slot::Consumer>, now: u64) {
        if self.long.is_due(now) && !slot.has_unseen() {
            Awaited::of_slot(slot).tell();
        }
    }

    /// The wait is for a channel that was removed to be there again.
    #[cold]
    pub(crate) fn gone(&mut self, slot: &Slot<slot::Consumer>) {
        if !self.spun {
            self.spun = true;
            self.long.restart();
        }
        self.lasts(slot, clock::now());
    }

    /// Lets the producer, which runs on the same core, go on: half of what a sleep and a wake-up
    /// cost. Where others run there too, it may be they who go on, and the value comes late; so a
    /// yield in vain is followed by ever more sleeps.
    #[cold]
    fn give_way(&mut self, slot: &Slot<slot::Consumer>) -> bool {
        let before = clock::now();
        std::thread::yield_now();
        // However long that was. What it finds out, the next get says.
        let _ = slot.check();
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
        let next = if ready { (budget * 2).min(self.most) } else { (budget / 2).max(FEWEST) };
        self.budget.store(next, Relaxed);
    }

    /// A sleep of so many nanoseconds has ended.
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
        assert!(patience.wait(&mut slot, u64::MAX, |_| true), "to look where the name leads");
        let until = clock::now() + 20_000_000;
        assert!(!patience.wait(&mut slot, until, |_| true));
        assert!((SLICE..SLICE * 20).contains(&(clock::now() - before)));
        io_shared_core::remove(&location, Kind::Channel).unwrap();
    }

    #[test]
    fn spins_in_vain_leave_a_few_looks() {
        let mut patience = Patience::default();
        patience.got(5 << 20);
        grown(&patience);
        (0..20).for_each(|_| patience.spun(false));
        assert_eq!(patience.budget(), FEWEST);
    }
}
