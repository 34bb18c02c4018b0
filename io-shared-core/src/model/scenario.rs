//! What a model is: shipped files, the scenarios tried on them, and how one scenario is run.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Once};
use std::time::Instant;

use super::line::Line;
use super::mutant::{self, Mutant, Site};
use super::victim::Fate;
use crate::crash_point::CrashPoint;

/// One protocol, as loom runs it and as the page tells of it.
pub(crate) struct Model {
    /// The shipped files, as the sites name them.
    pub(crate) sources: &'static [(&'static str, &'static str)],
    /// What a line that touches shared memory contains.
    pub(crate) touches: &'static [&'static str],
    pub(crate) scenarios: &'static [Scenario],
    /// The heading over each table.
    pub(crate) orderings: &'static str,
    pub(crate) steps: &'static str,
    pub(crate) scenario_table: &'static str,
    /// What else could be done wrong at a site.
    pub(crate) slips: fn(&Site, &Line) -> Vec<(&'static str, Mutant)>,
}

/// One thing that is tried, under its own test's name.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// How many times a thread may be interrupted where it could have gone on; waits and ends are
    /// free.
    pub(crate) preemptions: usize,
    pub(crate) body: fn(Fate),
    /// The points at which the victim is killed in turn.
    pub(crate) deaths: Option<(CrashPoint, CrashPoint)>,
}

macro_rules! scenarios {
    ($($name:ident: $preemptions:literal, $body:path $(, $first:ident..=$last:ident)?;)*) => {
        const SCENARIOS: &[$crate::model::scenario::Scenario] = &[$(
            $crate::model::scenario::Scenario {
                name: stringify!($name),
                preemptions: $preemptions,
                body: $body,
                deaths: $crate::model::scenario::scenarios!(@deaths $($first $last)?),
            },
        )*];

        $(
            #[test]
            fn $name() {
                MODEL.scenario(stringify!($name)).must_hold();
            }
        )*
    };
    (@deaths) => { None };
    (@deaths $first:ident $last:ident) => {
        Some(($crate::crash_point::CrashPoint::$first, $crate::crash_point::CrashPoint::$last))
    };
}
pub(crate) use scenarios;

impl Model {
    pub(crate) fn scenario(&self, name: &str) -> &'static Scenario {
        self.scenarios.iter().find(|s| s.name == name).expect("a scenario of that name")
    }
}

impl Scenario {
    pub(crate) fn must_hold(&self) {
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

    /// Why it fails with `mutant`, if it does. Tries few preemptions first, which finds most the
    /// soonest.
    pub(crate) fn catches(&self, mutant: Mutant) -> Option<String> {
        mutant::with(Some(mutant), || {
            (1..=self.preemptions).find_map(|preemptions| self.explore(preemptions).err())
        })
    }

    /// Runs it with every fate of its victim. Returns the number of executions, or why one failed.
    pub(crate) fn explore(&self, preemptions: usize) -> Result<u64, String> {
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
            // Later passes leave nothing that the second does not leave.
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

    pub(crate) fn execute(&self, fate: Fate, preemptions: usize) -> Result<u64, String> {
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

/// Runs `run` and returns what it panicked with, unprinted: the gate makes thousands of executions
/// fail.
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
