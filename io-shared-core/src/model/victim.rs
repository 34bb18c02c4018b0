//! The process that a scenario kills, and where it dies.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};

use loom::thread::{self, JoinHandle};

use super::mutant;
use crate::crash_point::CrashPoint;

/// When a victim dies: at this point, after passing it this many times.
pub(crate) type Fate = Option<(CrashPoint, u32)>;

/// How a victim's thread ends where its process is killed.
struct Killed;

/// Ends the running process, as a kill does.
pub(crate) fn die() -> ! {
    panic::resume_unwind(Box::new(Killed))
}

/// What a process passes of the points at which it may be killed.
pub(crate) struct Mortal {
    victim: bool,
    fate: Fate,
    passes: RefCell<Vec<CrashPoint>>,
}

impl Mortal {
    /// Of a process that nobody kills.
    pub(crate) fn spared() -> Self {
        Self { victim: false, fate: None, passes: RefCell::default() }
    }

    /// Of the scenario's victim.
    pub(crate) fn victim(fate: Fate) -> Self {
        Self { victim: true, fate, ..Self::spared() }
    }

    pub(crate) fn reached(&self, point: CrashPoint) {
        if !self.victim {
            return;
        }
        let mut passes = self.passes.borrow_mut();
        let before = passes.iter().filter(|&&passed| passed == point).count() as u32;
        passes.push(point);
        mutant::note_pass(point, before + 1);
        if self.fate == Some((point, before)) {
            mutant::note_death();
            drop(passes);
            die();
        }
    }
}

/// What `life` came to; `None` if it was ended by a kill.
pub(crate) fn live<R>(life: impl FnOnce() -> R) -> Option<R> {
    // Unwinding runs no line of a protocol: its halves have nothing to drop.
    match panic::catch_unwind(AssertUnwindSafe(life)) {
        Ok(value) => Some(value),
        Err(death) if death.is::<Killed>() => None,
        Err(failure) => panic::resume_unwind(failure),
    }
}

/// A process of a model: it runs in a thread of its own, and can be killed.
pub(crate) trait Killable: Sized + 'static {
    fn set_mortal(&mut self, mortal: Mortal);

    /// What follows the victim's end, which may have been a `kill`.
    fn gone(&self, killed: bool);

    /// Runs `life` in a thread of its own.
    fn run<R: 'static>(self, life: impl FnOnce(&Self) -> R + 'static) -> Running<R> {
        Running::start(move || Some(life(&self)))
    }

    /// Runs `life` in a thread of its own as the scenario's victim, which may die at `fate`.
    fn run_victim<R: 'static>(
        mut self,
        fate: Fate,
        life: impl FnOnce(&Self) -> R + 'static,
    ) -> Running<R> {
        self.set_mortal(Mortal::victim(fate));
        Running::start(move || {
            let lived = live(|| life(&self));
            self.gone(lived.is_none());
            lived
        })
    }
}

/// A process that was started.
pub(crate) struct Running<R>(JoinHandle<Option<R>>);

impl<R: 'static> Running<R> {
    /// Starts a thread.
    fn start(life: impl FnOnce() -> Option<R> + 'static) -> Self {
        Self(thread::spawn(life))
    }

    /// Waits for its end; `None` if it was killed.
    pub(crate) fn end(self) -> Option<R> {
        self.0.join().unwrap()
    }
}
