//! What `docs/PROOF.md` says, and that it says it of the source as it is.

use std::path::Path;

use super::MODELS;
use super::line::Line;
use super::mutant::Place;
use super::scenario::{Model, Scenario};
use crate::crash_point::CrashPoint;

impl Model {
    pub(crate) fn line(&self, place: Place) -> Line {
        let &(file, source) =
            self.sources.iter().find(|(file, _)| place.file().ends_with(file)).expect("a source");
        Line::at(file, source, place.line() as usize - 1)
    }

    /// Whether it is in the source of this model.
    pub(crate) fn has(&self, place: Place) -> bool {
        self.sources.iter().any(|(file, _)| place.file().ends_with(file))
    }

    /// Every line of the source that touches shared memory.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for &(file, source) in self.sources {
            for (number, line) in source.lines().enumerate() {
                let code = line.split("//").next().unwrap_or(line);
                if self.touches.iter().any(|touch| code.contains(touch)) {
                    lines.push(Line::at(file, source, number));
                }
            }
        }
        lines
    }
}

/// A row of the tables of orderings and steps: a place, what is done to it, and what then fails.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) file: String,
    pub(crate) function: String,
    pub(crate) text: String,
    pub(crate) change: String,
    /// A scenario's name, or why none fails.
    pub(crate) caught_by: String,
}

impl Row {
    pub(crate) fn is_of(&self, line: &Line, change: &str) -> bool {
        self.file == line.file
            && self.function == line.function
            && self.text == line.text
            && self.change == change
    }
}

/// The rows of the table under `heading`, cell by cell.
fn table(heading: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/PROOF.md");
    let page = std::fs::read_to_string(path).expect("docs/PROOF.md");
    let (_, section) = page.split_once(&format!("## {heading}\n")).expect("the heading");
    section
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            // A bar of the source is written `\|` in a table.
            line.replace("\\|", "\u{1}")
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().trim_matches('`').replace('\u{1}', "|"))
                .collect()
        })
        .collect()
}

/// The rows of the table of orderings, or of steps; one for each change.
pub(crate) fn rows(heading: &str) -> Vec<Row> {
    table(heading)
        .into_iter()
        .flat_map(|cells| {
            let [file, function, text, changes, caught_by, ..] = &cells[..] else {
                panic!("a row of five cells: {cells:?}");
            };
            changes
                .split(", ")
                .map(|change| Row {
                    file: file.clone(),
                    function: function.clone(),
                    text: text.clone(),
                    change: change.into(),
                    caught_by: caught_by.clone(),
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

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
        let command = behind.lines().next().expect("a command");
        assert!(command.ends_with(&format!("{test}\"")), "{command} for {caught_by}");
    }
}
