//! What `docs/PROOF.md` says, and that it says it of the source as it is.

use std::path::Path;

use super::SCENARIOS;
use super::mutant::Place;
use crate::crash_point::CrashPoint;

/// The protocol's files, as the sites name them.
pub(super) const SOURCES: &[(&str, &str)] = &[
    ("producer.rs", include_str!("../producer.rs")),
    ("consumer.rs", include_str!("../consumer.rs")),
    ("observer.rs", include_str!("../observer.rs")),
];

/// A line of the source, as the tables name it: not by its number, which any edit above it changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) file: &'static str,
    pub(super) function: &'static str,
    pub(super) text: &'static str,
}

impl Line {
    pub(super) fn of(place: Place) -> Self {
        let &(file, source) =
            SOURCES.iter().find(|(file, _)| place.file().ends_with(file)).expect("a source");
        Self::at(file, source, place.line() as usize - 1)
    }

    fn at(file: &'static str, source: &'static str, number: usize) -> Self {
        let before: Vec<&str> = source.lines().take(number + 1).collect();
        let text = before[number].trim();
        let function = before.iter().rev().find_map(|line| line.split_once("fn ")).expect("a fn").1;
        Self { file, function: function.split(['(', '<']).next().unwrap_or(function), text }
    }

    /// Every line of the source that touches shared memory.
    pub(super) fn all() -> Vec<Self> {
        let touches = [".load(", ".store(", ".compare_exchange(", ".fence("];
        let mut lines = Vec::new();
        for &(file, source) in SOURCES {
            for (number, line) in source.lines().enumerate() {
                let code = line.split("//").next().unwrap_or(line);
                if touches.iter().any(|touch| code.contains(touch)) {
                    lines.push(Self::at(file, source, number));
                }
            }
        }
        lines
    }
}

/// A row of the tables of orderings and steps: a place, what is done to it, and what then fails.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) file: String,
    pub(super) function: String,
    pub(super) text: String,
    pub(super) change: String,
    /// A scenario's name, or why none fails.
    pub(super) caught_by: String,
}

impl Row {
    pub(super) fn is_of(&self, line: &Line, change: &str) -> bool {
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
pub(super) fn rows(heading: &str) -> Vec<Row> {
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

#[test]
fn the_crash_table_has_every_crash_point_and_what_covers_it() {
    let rows = table("Crashes");
    let named: Vec<&str> = rows.iter().map(|cells| cells[0].as_str()).collect();
    let points: Vec<String> = CrashPoint::ALL.iter().map(|point| format!("{point:?}")).collect();
    assert_eq!(named, points, "one row for each crash point, in their order");
    for (point, cells) in CrashPoint::ALL.iter().zip(&rows) {
        let covering: Vec<&str> = SCENARIOS
            .iter()
            .filter(|s| s.deaths.is_some_and(|(first, last)| first <= *point && *point <= last))
            .map(|scenario| scenario.name)
            .collect();
        let cited: Vec<&str> = cells[3].split(", ").map(|name| name.trim_matches('`')).collect();
        if covering.is_empty() {
            assert!(
                cited.iter().all(|name| SCENARIOS.iter().all(|scenario| scenario.name != *name)),
                "{point:?}: no scenario kills there"
            );
        } else {
            assert_eq!(cited, covering, "{point:?}: the scenarios that kill there");
        }
    }
}

#[test]
fn the_table_of_scenarios_is_the_models() {
    let rows = table("What is modelled");
    let named: Vec<(&str, String)> =
        rows.iter().map(|cells| (cells[0].as_str(), cells[2].clone())).collect();
    let scenarios: Vec<(&str, String)> =
        SCENARIOS.iter().map(|s| (s.name, s.preemptions.to_string())).collect();
    assert_eq!(named, scenarios);
}
