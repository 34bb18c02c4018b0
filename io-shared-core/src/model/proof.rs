//! Holds `docs/PROOF.md` to the source as it is: its tables name what is there, and all of it.

use std::path::Path;

use super::page::table;
use super::scenario::{Model, Scenario};
use super::{linked, lock, protocol};
use crate::crash_point::CrashPoint;

const MODELS: &[&Model] = &[&protocol::MODEL, &lock::MODEL, &linked::MODEL];

fn scenarios() -> impl Iterator<Item = &'static Scenario> {
    MODELS.iter().flat_map(|model| model.scenarios)
}

#[test]
fn the_crash_table_has_every_crash_point_and_what_covers_it() {
    let rows = table("Crashes");
    let named: Vec<&str> = rows.iter().map(|cells| cells[0].as_str()).collect();
    let points: Vec<String> = CrashPoint::ALL.iter().map(|point| format!("{point:?}")).collect();
    assert_eq!(named, points, "one row for each crash point, in their order");
    for (point, cells) in CrashPoint::ALL.iter().zip(&rows) {
        let covering: Vec<&str> = scenarios()
            .filter(|s| s.deaths.is_some_and(|(first, last)| first <= *point && *point <= last))
            .map(|scenario| scenario.name)
            .collect();
        let cited: Vec<&str> = cells[3].split(", ").map(|name| name.trim_matches('`')).collect();
        if covering.is_empty() {
            // That the test exists is seen to by tests/docs.rs, for every page.
            assert!(
                cells[3].contains(".rs::"),
                "{point:?}: not modelled, and by whom is it tested?"
            );
            assert!(
                cited.iter().all(|name| scenarios().all(|scenario| scenario.name != *name)),
                "{point:?}: no scenario kills there"
            );
        } else {
            assert_eq!(cited, covering, "{point:?}: the scenarios that kill there");
        }
    }
}

#[test]
fn the_tables_of_scenarios_are_the_models() {
    for model in MODELS {
        let rows = table(model.scenario_table);
        let named: Vec<(&str, String)> =
            rows.iter().map(|cells| (cells[0].as_str(), cells[2].clone())).collect();
        let scenarios: Vec<(&str, String)> =
            model.scenarios.iter().map(|s| (s.name, s.preemptions.to_string())).collect();
        assert_eq!(named, scenarios);
    }
}

#[test]
fn what_is_broken_on_purpose_is_in_the_source_and_is_what_the_script_breaks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |file: &str| std::fs::read_to_string(root.join(file)).expect("a file");
    let script = read("torture/mutants");
    let rows = table("Broken on purpose");
    assert_eq!(script.matches(".rs\"\n").count(), rows.len(), "one row for each of the script");
    for cells in rows {
        let [file, line, becomes, caught_by] = &cells[..] else { panic!("four cells: {cells:?}") };
        let source = read(file);
        assert_eq!(source.lines().filter(|l| l.trim() == line).count(), 1, "{file}: {line}");
        let becomes = if becomes == "nothing" { "" } else { becomes };
        let test = caught_by.rsplit('`').next().expect("a test");
        let broken = format!("'{line}'\n  '{becomes}'\n");
        let (_, behind) = script.split_once(&broken).expect("a row of the script");
        let (command, _) = behind.split_once("\"\n").expect("a command");
        assert!(command.ends_with(test), "{command} for {caught_by}");
    }
}
