//! A line of shipped code, as the tables of `docs/PROOF.md` name it.

/// A line of the source, as the tables name it: not by its number, which any edit above it changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) file: &'static str,
    pub(crate) function: &'static str,
    pub(crate) text: &'static str,
}

impl Line {
    pub(super) fn at(file: &'static str, source: &'static str, number: usize) -> Self {
        let before: Vec<&str> = source.lines().take(number + 1).collect();
        let text = before[number].trim();
        let function = before.iter().rev().find_map(|line| line.split_once("fn ")).expect("a fn").1;
        Self { file, function: function.split(['(', '<']).next().unwrap_or(function), text }
    }
}
