//! The mutation gate: whatever is weakened, a scenario fails, or the table says why it stays.
//!
//! `docs/PROOF.md` names the scenario that catches each change, and only that one is run for it. To
//! see which rows are missing after an edit of a protocol, and what catches each of those changes:
//! `cargo test -p io-shared-core gate::print -- --ignored --nocapture`.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::line::Line;
use super::mutant::{self, Mutant, Operation, Site};
use super::page::{self, Row};
use super::scenario::{Model, Scenario};

/// One change to try, and how the tables call it.
struct Change {
    line: Line,
    name: String,
    mutant: Mutant,
}

impl Model {
    /// Every site of the protocol that the scenarios pass.
    fn sites(&self) -> Vec<Site> {
        mutant::take_sites();
        for scenario in self.scenarios {
            scenario.execute(None, 1).expect("it holds");
        }
        let mut sites = mutant::take_sites();
        // What another model has of its own runs here too.
        sites.retain(|site| self.has(site.place));
        sites
    }

    /// Every ordering and fence, made weaker in every way.
    fn weakenings(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for site in self.sites() {
            for &weaker in mutant::weaker(site.operation, site.order) {
                let name = match (site.operation, weaker) {
                    (Operation::Fence, Relaxed) => "none".into(),
                    _ => format!("{weaker:?}"),
                };
                let mutant = Mutant::Weaker(site.place, site.operation, weaker);
                changes.push(Change { line: self.line(site.place), name, mutant });
            }
        }
        changes
    }

    /// Every store dropped, every exchange made a plain store, and what else could be done wrong.
    fn missteps(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for site in &self.sites() {
            let line = self.line(site.place);
            let mut slips = match site.operation {
                Operation::Store => vec![("dropped", Mutant::Dropped(site.place))],
                Operation::Exchange => vec![
                    ("dropped", Mutant::Dropped(site.place)),
                    ("plain store", Mutant::Plain(site.place)),
                ],
                Operation::Wake => vec![("nobody is woken", Mutant::Unwoken(site.place))],
                Operation::Win => vec![("not won", Mutant::Won(site.place))],
                Operation::Unwin => vec![("not given up", Mutant::NotFreed(site.place))],
                Operation::Lock => vec![("not taken", Mutant::Unlocked(site.place))],
                Operation::Look => vec![("not looked", Mutant::Blind(site.place))],
                Operation::Load | Operation::Failure | Operation::Fence => Vec::new(),
            };
            slips.extend((self.slips)(site, &line));
            changes.extend(slips.into_iter().map(|(name, mutant)| Change {
                line: line.clone(),
                name: name.into(),
                mutant,
            }));
        }
        changes
    }

    pub(crate) fn check_orderings(&self) {
        self.check(&self.weakenings(), &page::rows(self.orderings));
    }

    pub(crate) fn check_steps(&self) {
        self.check(&self.missteps(), &page::rows(self.steps));
    }

    /// Runs what the rows say of `changes`; every change has its row, and every row its change.
    fn check(&self, changes: &[Change], rows: &[Row]) {
        let start = Instant::now();
        let mut wrong = Vec::new();
        let (mut caught, mut uncaught) = (Vec::new(), Vec::new());
        for change in changes {
            let Some(row) = rows.iter().find(|row| row.is_of(&change.line, &change.name)) else {
                wrong.push(format!("no row for {:?}: {}", change.line, change.name));
                continue;
            };
            match self.scenarios.iter().find(|scenario| scenario.name == row.caught_by) {
                Some(scenario) => caught.push((change, scenario, true)),
                None => uncaught.extend(self.scenarios.iter().map(|all| (change, all, false))),
            }
        }
        // Those that nothing catches take longest: every scenario is played to its end.
        uncaught.append(&mut caught);
        wrong.append(&mut try_all(&uncaught));
        for row in rows {
            if !changes.iter().any(|change| row.is_of(&change.line, &change.name)) {
                wrong.push(format!("a row for nothing: {row:?}"));
            }
        }
        println!("{} changes tried in {:.0} s", changes.len(), start.elapsed().as_secs_f64());
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    pub(crate) fn check_nothing_is_left_out(&self) {
        let mut passed: Vec<Line> = self.sites().iter().map(|site| self.line(site.place)).collect();
        let mut written = self.lines();
        passed.sort();
        passed.dedup();
        written.sort();
        written.dedup();
        assert_eq!(passed, written);
    }

    /// Prints the rows that the tables of `docs/PROOF.md` lack.
    pub(crate) fn print_the_tables(&self) {
        let mut changes = self.weakenings();
        changes.extend(self.missteps());
        let rows = [page::rows(self.orderings), page::rows(self.steps)].concat();
        changes.retain(|change| !rows.iter().any(|row| row.is_of(&change.line, &change.name)));
        for Change { line, name, mutant } in changes {
            let start = Instant::now();
            let most = self.scenarios.iter().map(|s| s.preemptions).max().unwrap_or(0);
            let caught = mutant::with(Some(mutant), || {
                (1..=most).find_map(|preemptions| {
                    let deep_enough = |s: &&Scenario| preemptions <= s.preemptions;
                    let mut scenarios = self.scenarios.iter().filter(deep_enough);
                    scenarios.find_map(|s| Some((s.name, s.explore(preemptions).err()?)))
                })
            });
            let (by, why) = caught.unwrap_or(("nothing", String::new()));
            let why = why.replace('\n', " ");
            let why = why.get(..120).unwrap_or(&why);
            println!(
                "| `{}` | `{}` | `{}` | {name} | `{by}` | {:.1} s, {why}",
                line.file,
                line.function,
                line.text.replace('|', "\\|"),
                start.elapsed().as_secs_f64(),
            );
        }
    }
}

/// Tries each change on a scenario, which must catch it or not, as is said. Returns what is not so.
fn try_all(tries: &[(&Change, &Scenario, bool)]) -> Vec<String> {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((change, scenario, is_caught)) = tries.get(next.fetch_add(1, Relaxed)) {
            let Change { line, name, mutant } = change;
            if scenario.catches(*mutant).is_some() != *is_caught {
                let verb = if *is_caught { "does not catch" } else { "catches" };
                let said = format!("{} {verb} {line:?}: {name}", scenario.name);
                wrong.lock().unwrap_or_else(PoisonError::into_inner).push(said);
            }
        }
    };
    // What a model keeps is its thread's.
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    wrong.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The gate's tests, for a module that has a `MODEL` in scope.
macro_rules! gate_tests {
    () => {
        #[test]
        fn every_ordering_is_needed_or_argued() {
            MODEL.check_orderings();
        }

        #[test]
        fn every_step_is_needed_or_argued() {
            MODEL.check_steps();
        }

        #[test]
        fn no_access_is_left_out_of_the_model() {
            MODEL.check_nothing_is_left_out();
        }

        #[test]
        #[ignore = "prints what the tables of docs/PROOF.md lack"]
        fn print_the_tables() {
            MODEL.print_the_tables();
        }
    };
}
pub(crate) use gate_tests;
