//! Storms: the shipped slot and lock with more processes than loom can bear, at random.
//!
//! Shuttle runs many executions of each, with a scheduler that picks the next thread at random or
//! by priorities that it changes a few times (PCT). It is sequentially consistent: what is found
//! here is a wrong step, never a wrong ordering. Processes die at crash points picked at random,
//! and others take their roles. Slices are off except after a death, so that a lost wake-up is a
//! deadlock.
//!
//! `SHUTTLE_ITERATIONS` makes each storm longer once.

mod kernel;
mod lock;
mod slot;

use std::cell::Cell;
use std::panic;
use std::sync::{Arc, Once};
use std::time::Instant;

use shuttle::rand::Rng;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};

use super::victim;
use crate::crash_point::CrashPoint;

const SEED: u64 = 4;
/// How often PCT changes a priority.
const CHANGES: usize = 5;

thread_local! {
    static RAGES: Cell<bool> = const { Cell::new(false) };
}

/// Shows shuttle only the panics of its own executions. Loom ends thousands of its own by
/// unwinding, and shuttle would report each as a failed task.
fn keep_shuttle_to_itself() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others: Arc<dyn Fn(&panic::PanicHookInfo<'_>) + Send + Sync> =
            panic::take_hook().into();
        let behind = Arc::clone(&others);
        panic::set_hook(Box::new(move |info| behind(info)));
        shuttle::check_random(|| (), 1); // sets its hook
        let shuttles = panic::take_hook();
        panic::set_hook(Box::new(
            move |info| {
                if RAGES.get() { shuttles(info) } else { others(info) }
            },
        ));
    });
}

/// Runs `storm` this many times with each scheduler.
fn rage(name: &str, iterations: usize, storm: fn()) {
    let iterations = std::env::var("SHUTTLE_ITERATIONS")
        .map_or(iterations, |given| given.parse().expect("SHUTTLE_ITERATIONS is a number"));
    let run = |scheduler: Box<dyn Scheduler + Send>, kind: &str| {
        keep_shuttle_to_itself();
        let start = Instant::now();
        let mut config = shuttle::Config::new();
        config.silence_warnings = true;
        RAGES.set(true);
        shuttle::Runner::new(scheduler, config).run(storm);
        RAGES.set(false);
        let seconds = start.elapsed().as_secs_f64();
        println!("{name}, {kind}: {iterations} executions, {seconds:.1} s");
    };
    run(Box::new(RandomScheduler::new_from_seed(SEED, iterations)), "random");
    run(Box::new(PctScheduler::new_from_seed(SEED, CHANGES, iterations)), "by priority");
}

/// Any number below `end`.
fn any(end: u32) -> u32 {
    shuttle::rand::thread_rng().gen_range(0..end)
}

/// When a process dies.
struct Fate(Cell<Option<u32>>);

impl Fate {
    /// With a chance of one half within this many crash points, else never.
    fn within(points: u32) -> Self {
        Self(Cell::new((any(2) == 0).then(|| any(points))))
    }

    fn never() -> Self {
        Self(Cell::new(None))
    }

    fn reached(&self, _: CrashPoint) {
        match self.0.get() {
            Some(0) => victim::die(),
            left => self.0.set(left.map(|left| left - 1)),
        }
    }
}
