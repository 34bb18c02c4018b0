//! `docs/PROOF.md`: its tables, and the lines of the source that they name.

use std::path::Path;

use super::line::Line;
use super::mutant::Place;
use super::scenario::Model;

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
pub(crate) fn table(heading: &str) -> Vec<Vec<String>> {
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
