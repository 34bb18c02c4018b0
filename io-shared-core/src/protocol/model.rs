//! The model: the shipped protocol, run by loom through every interleaving and every outcome of
//! every relaxed load that a bound on preemptions leaves.
//!
//! `words` and `kernel` are the platform, `process` what can die on it, `scenarios` and `deaths`
//! what is tried, `gate` the proof that each ordering is needed: weakened, it makes one of the
//! scenarios fail. What the model covers, and what it cannot, is in `docs/PROOF.md`.
//!
//! To add a scenario, write a function and a line in [`SCENARIOS`]. To look deeper for once, set
//! `LOOM_MAX_PREEMPTIONS`.

mod deaths;
mod gate;
mod kernel;
mod mutant;
mod process;
mod proof;
mod scenarios;
mod words;

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Once};
use std::time::Instant;

use self::mutant::Mutant;
use self::process::Fate;
use crate::crash_point::CrashPoint;

/// What is tried, each under its own test's name.
struct Scenario {
    name: &'static str,
    /// How often a thread may be interrupted where it could have gone on; waits and ends are free.
    preemptions: usize,
    body: fn(Fate),
    /// The points at which the victim is killed in turn.
    deaths: Option<(CrashPoint, CrashPoint)>,
}

macro_rules! scenarios {
    ($($name:ident: $preemptions:literal, $body:path $(, $first:ident..=$last:ident)?;)*) => {
        const SCENARIOS: &[Scenario] = &[$(Scenario {
            name: stringify!($name),
            preemptions: $preemptions,
            body: $body,
            deaths: scenarios!(@deaths $($first $last)?),
        },)*];

        $(
            #[test]
            fn $name() {
                scenario(stringify!($name)).must_hold();
            }
        )*
    };
    (@deaths) => { None };
    (@deaths $first:ident $last:ident) => { Some((CrashPoint::$first, CrashPoint::$last)) };
}

scenarios! {
    a_dead_sleeper_is_buried_after_sixteen_needless_wakes: 1, scenarios::needless_wakes;
    one_consumer_gets_whole_values_in_order: 5, scenarios::one_consumer;
    a_buffer_that_is_held_is_not_written: 4, scenarios::held_buffer;
    an_abandoned_buffer_is_written_only_when_its_slot_is_cleared: 4, scenarios::abandoned_buffer;
    two_consumers_get_whole_values_in_order: 3, scenarios::two_consumers;
    a_sleeper_gets_the_last_value: 3, scenarios::one_sleeper;
    two_sleepers_get_the_last_value: 2, scenarios::two_sleepers;
    a_guard_dropped_in_another_thread_frees_its_buffer_safely: 4, scenarios::two_holds;
    an_observer_copies_no_torn_value: 4, scenarios::observer;
    a_producer_in_step_makes_nobody_miss_a_value: 5, scenarios::in_step;
    a_producer_that_lost_its_role_is_told_and_undoes_nothing: 5, scenarios::stale_producer;
    a_killed_consumers_slot_goes_to_a_new_one: 2, deaths::consumer, ConsumerClaimed..=SleepCleared;
    a_killed_consumer_comes_back: 2, deaths::resuming_consumer, ConsumerClaimed..=SleepCleared;
    a_killed_producers_role_is_taken_over: 2, deaths::producer, ProducerClaimed..=PutPublished;
    a_new_producer_wakes_for_a_dead_ones_value: 2, deaths::unwoken, ProducerClaimed..=PutWoken;
    a_slice_ends_the_wait_on_a_dead_producer: 4, deaths::no_successor, ProducerClaimed..=PutWoken;
    a_burial_robs_no_new_owner: 3, deaths::burial, BuryWon..=BuryCleared;
}

fn scenario(name: &str) -> &'static Scenario {
    SCENARIOS.iter().find(|scenario| scenario.name == name).expect("a scenario of that name")
}

impl Scenario {
    fn must_hold(&self) {
        let start = Instant::now();
        let preemptions = loom::model::Builder::new().preemption_bound.unwrap_or(self.preemptions);
        match self.explore(preemptions) {
            Ok(executions) => println!(
                "{}: at most {preemptions} preemptions, {executions} executions, {:.1} s",
                self.name,
                start.elapsed().as_secs_f64()
            ),
            Err(why) => panic!("{}: {why}", self.name),
        }
    }

    /// Whether it fails with `mutant`; with fewest preemptions first, which finds most soonest.
    fn catches(&self, mutant: Mutant) -> Option<String> {
        mutant::with(Some(mutant), || {
            (1..=self.preemptions).find_map(|preemptions| self.explore(preemptions).err())
        })
    }

    /// Runs it with every fate of its victim; the number of executions, or why one failed.
    fn explore(&self, preemptions: usize) -> Result<u64, String> {
        mutant::take_passes();
        let mut executions = self.execute(None, preemptions)?;
        let Some((first, last)) = self.deaths else {
            return Ok(executions);
        };
        let passes = mutant::take_passes();
        for point in CrashPoint::ALL.iter().filter(|&&point| first <= point && point <= last) {
            let Some(&times) = passes.get(point) else {
                return Err(format!("the victim never passes {point:?}"));
            };
            // Later passes leave nothing that the second does not.
            for before in 0..times.min(2) {
                mutant::take_deaths();
                executions += self.execute(Some((*point, before)), preemptions)?;
                if mutant::take_deaths() == 0 {
                    return Err(format!("the victim was never killed at {point:?}"));
                }
            }
        }
        Ok(executions)
    }

    fn execute(&self, fate: Fate, preemptions: usize) -> Result<u64, String> {
        let executions = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&executions);
        let body = self.body;
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.max_branches = 2_000;
        let outcome = quietly(|| {
            builder.check(move || {
                count.fetch_add(1, Relaxed);
                body(fate);
            });
        });
        match outcome {
            Ok(()) => Ok(executions.load(Relaxed)),
            Err(why) => Err(match fate {
                Some((point, before)) => format!("killed at {point:?} after {before}: {why}"),
                None => why,
            }),
        }
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `run`; what it panicked with, unprinted: the gate makes thousands of executions fail.
fn quietly(run: impl FnOnce()) -> Result<(), String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(run));
    QUIET.set(false);
    outcome.map_err(|panic| match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast::<&str>().map_or_else(|_| "a panic".into(), |m| (*m).into()),
    })
}
