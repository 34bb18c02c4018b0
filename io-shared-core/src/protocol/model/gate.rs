//! The mutation gate: whatever is weakened, a scenario fails, or the table says why it stays.
//!
//! `docs/PROOF.md` names the scenario that catches each change, and only that one is run for it. To
//! write the table anew after an edit of the protocol:
//! `cargo test -p io-shared-core gate::print -- --ignored --nocapture`.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::mutant::{self, Mutant, Operation, Site};
use super::proof::{self, Line, Row};
use super::{SCENARIOS, scenario};

/// One change to try, and how the tables call it.
struct Change {
    line: Line,
    name: String,
    mutant: Mutant,
}

/// Every site of the protocol that the scenarios pass.
fn sites() -> Vec<Site> {
    mutant::take_sites();
    for scenario in SCENARIOS {
        scenario.execute(None, 1).expect("it holds");
    }
    mutant::take_sites()
}

/// Every ordering and fence, made weaker in every way.
fn orderings() -> Vec<Change> {
    let mut changes = Vec::new();
    for site in sites() {
        for &weaker in mutant::weaker(site.operation, site.order) {
            let name = match (site.operation, weaker) {
                (Operation::Fence, Relaxed) => "none".into(),
                _ => format!("{weaker:?}"),
            };
            let mutant = Mutant::Weaker(site.place, site.operation, weaker);
            changes.push(Change { line: Line::of(site.place), name, mutant });
        }
    }
    changes
}

/// Every store dropped, every exchange made a plain store, and what else could be done wrong.
fn steps() -> Vec<Change> {
    let sites = sites();
    let mut changes = Vec::new();
    let mut add = |site: &Site, name: &str, mutant| {
        changes.push(Change { line: Line::of(site.place), name: name.into(), mutant });
    };
    for site in &sites {
        match site.operation {
            Operation::Store => add(site, "dropped", Mutant::Dropped(site.place)),
            Operation::Exchange => {
                add(site, "dropped", Mutant::Dropped(site.place));
                add(site, "plain store", Mutant::Plain(site.place));
            }
            _ => {}
        }
        let line = Line::of(site.place);
        match (line.function, line.text) {
            ("hold", text) if text.starts_with("let again = ") => {
                add(site, "not looked again", Mutant::Repeated(site.place));
            }
            ("scan", text) if text.starts_with("let held = ") => {
                add(site, "not looked", Mutant::Blind(site.place));
            }
            ("wake", text) if text.contains("words.waiting(") => {
                add(site, "nobody is woken", Mutant::WakeNever);
                add(site, "woken before the publish", Mutant::WakeFirst);
                add(site, "not woken at take-over", Mutant::WakeOnlyAfterPut);
            }
            ("bury", text) if text.contains(".win(") => {
                add(site, "not won", Mutant::WinAlways);
                add(site, "not given up", Mutant::UnwinNever);
            }
            _ => {}
        }
    }
    changes
}

/// Runs what the rows say of `changes`; every change has its row, and every row its change.
fn check(changes: &[Change], rows: &[Row]) {
    let start = Instant::now();
    let mut wrong = Vec::new();
    for Change { line, name, mutant } in changes {
        let Some(row) = rows.iter().find(|row| row.is_of(line, name)) else {
            wrong.push(format!("no row for {line:?}: {name}"));
            continue;
        };
        match SCENARIOS.iter().find(|scenario| scenario.name == row.caught_by) {
            Some(scenario) => {
                if scenario.catches(*mutant).is_none() {
                    wrong.push(format!("{} does not catch {line:?}: {name}", scenario.name));
                }
            }
            None => {
                for scenario in SCENARIOS {
                    if scenario.catches(*mutant).is_some() {
                        wrong.push(format!("{} catches {line:?}: {name}", scenario.name));
                    }
                }
            }
        }
    }
    for row in rows {
        if !changes.iter().any(|change| row.is_of(&change.line, &change.name)) {
            wrong.push(format!("a row for nothing: {row:?}"));
        }
    }
    println!("{} changes tried in {:.0} s", changes.len(), start.elapsed().as_secs_f64());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_ordering_is_needed_or_argued() {
    check(&orderings(), &proof::rows("Orderings"));
}

#[test]
fn every_step_is_needed_or_argued() {
    check(&steps(), &proof::rows("Steps"));
}

#[test]
fn no_access_of_the_protocol_is_left_out_of_the_model() {
    let mut passed: Vec<Line> = sites().iter().map(|site| Line::of(site.place)).collect();
    let mut written = Line::all();
    passed.sort();
    passed.dedup();
    written.sort();
    written.dedup();
    assert_eq!(passed, written);
}

#[test]
fn one_buffer_fewer_starves() {
    let scenario = scenario("a_buffer_that_is_held_is_not_written");
    let why = mutant::with(Some(Mutant::OneBufferFewer), || scenario.explore(1)).unwrap_err();
    assert!(why.contains("more buffers are held than there are holds"), "{why}");
}

#[test]
#[ignore = "prints what the tables of docs/PROOF.md should say"]
fn print_the_tables() {
    for Change { line, name, mutant } in orderings().into_iter().chain(steps()) {
        let start = Instant::now();
        let caught = SCENARIOS.iter().find_map(|s| Some((s.name, s.catches(mutant)?)));
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
