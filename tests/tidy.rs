//! The style of every file: widths, lengths, headers and phrases.
//!
//! `tests/tidy/exceptions.txt` lists what may break a rule, and why. An exception that is no longer
//! needed fails the test too, so the list only describes what is there.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

#[path = "tidy/exceptions.rs"]
mod exceptions;
#[path = "tidy/functions.rs"]
mod functions;
#[path = "common/tree.rs"]
mod tree;

use std::path::Path;

use exceptions::{Breach, judge};
use tree::shown;

/// The longest line, in characters.
const WIDTH: usize = 100;
/// The longest function, in lines, with its signature and its last brace.
const FUNCTION: usize = 70;
/// The longest file of source, in lines.
const FILE: usize = 500;

/// What is source: its files have headers, and limits to their lengths.
const SOURCE: &[&str] = &["rs", "py", "pyi", "c", "h", "cpp", "hpp", "sh"];
/// What has prose in it.
const PROSE: &[&str] = &["rs", "py", "pyi", "c", "h", "cpp", "hpp", "sh", "md", "toml", "yml"];

/// Phrases that a reader has to read twice. They are compared without regard to case, over the ends
/// of lines, and with words only: a blank at an end is the end of a word.
const PHRASES: &[&str] = &[
    " so many ",
    " of before",
    " of after ",
    " in vain",
    " as it is told",
    " as it was told",
    " for who ",
    " to who ",
    " by who ",
    " than who ",
    " who copies ",
    " nobody lives in ",
    " of one's own",
    " is all one to ",
    " thereof",
    " beside ",
];

/// Calls `found` for each file with one of the `extensions`, with its path as shown and its text.
fn each(extensions: &[&str], mut found: impl FnMut(&Path, String, &str)) {
    for path in tree::files_with(extensions) {
        let text = std::fs::read_to_string(&path).unwrap();
        found(&path, shown(&path), &text);
    }
}

/// A line of a page without the targets of its links.
fn without_targets(line: &str) -> String {
    let mut parts = line.split("](");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push(']');
        kept.push_str(part.split_once(')').map_or("", |(_, rest)| rest));
    }
    kept
}

/// The lines of a page that are prose, with their numbers: no code, no tables, no lone links.
fn prose_of(page: &str) -> Vec<(usize, String)> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for (number, line) in page.lines().enumerate() {
        let start = line.trim_start();
        let is_fence = start.starts_with("```");
        is_code ^= is_fence;
        let is_word = !start.trim_start_matches(['-', ' ']).contains(' ');
        if is_code || is_fence || start.starts_with('|') || start.starts_with('<') || is_word {
            continue;
        }
        lines.push((number + 1, without_targets(line)));
    }
    lines
}

#[test]
fn no_line_is_wider_than_a_hundred_characters() {
    let mut breaches = Vec::new();
    let mut is_over = |path: &str, number: usize, line: &str| {
        let is_over = line.chars().count() > WIDTH && !line.contains("://");
        let (path, item) = (path.to_owned(), "-".to_owned());
        breaches.extend(is_over.then_some(Breach { rule: "width", path, item, line: number }));
    };
    each(SOURCE, |_, path, text| {
        text.lines().enumerate().for_each(|(number, line)| is_over(&path, number + 1, line));
    });
    each(&["md"], |_, path, text| {
        prose_of(text).iter().for_each(|(number, line)| is_over(&path, *number, line));
    });
    judge(&["width"], &breaches);
}

#[test]
fn no_function_is_longer_than_seventy_lines_and_no_file_than_five_hundred() {
    let mut breaches = Vec::new();
    each(SOURCE, |file, path, text| {
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > FILE {
            let (path, item) = (path.clone(), "-".to_owned());
            breaches.push(Breach { rule: "file", path, item, line: lines.len() });
        }
        for (name, range) in functions::of(&tree::extension_of(file), &lines) {
            if range.len() > FUNCTION {
                let path = path.clone();
                breaches.push(Breach { rule: "function", path, item: name, line: range.start + 1 });
            }
        }
    });
    judge(&["file", "function"], &breaches);
}

/// Whether a file says at its start what it is.
fn has_header(extension: &str, text: &str) -> bool {
    let is_preamble = |line: &&str| line.starts_with("#!") || line.is_empty();
    let Some(first) = text.lines().find(|line| !is_preamble(line)) else { return true };
    let starts: &[&str] = match extension {
        "rs" => &["//!"],
        "py" | "pyi" => &["\"\"\"", "u\"\"\"", "r\"\"\"", "# "],
        "c" | "h" | "cpp" | "hpp" => &["/*", "// "],
        _ => &["# "],
    };
    starts.iter().any(|start| first.starts_with(start))
}

#[test]
fn every_file_says_at_its_start_what_it_is() {
    let mut breaches = Vec::new();
    each(SOURCE, |file, path, text| {
        if !has_header(&tree::extension_of(file), text) {
            breaches.push(Breach { rule: "header", path, item: "-".to_owned(), line: 1 });
        }
    });
    judge(&["header"], &breaches);
}

#[test]
fn no_line_has_a_tab_or_ends_with_a_blank() {
    let mut breaches = Vec::new();
    each(PROSE, |_, path, text| {
        for (number, line) in text.lines().enumerate() {
            if line.contains('\t') || line.ends_with(' ') {
                let (path, item) = (path.clone(), "-".to_owned());
                breaches.push(Breach { rule: "blank", path, item, line: number + 1 });
            }
        }
    });
    judge(&["blank"], &breaches);
}

/// The words of a text in one line, without the signs that begin comments and without punctuation
/// around words, and where each line of the text begins in it.
fn words_of(text: &str) -> (String, Vec<usize>) {
    let (mut words, mut starts) = (String::from(" "), Vec::new());
    for line in text.lines() {
        starts.push(words.len());
        let signs = ["//!", "///", "//", "#", "* "];
        let start = line.trim_start();
        let sign = signs.iter().find_map(|sign| start.strip_prefix(sign));
        for word in sign.unwrap_or(start).split_whitespace() {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            if !word.is_empty() {
                words.push_str(&word.to_lowercase());
                words.push(' ');
            }
        }
    }
    (words, starts)
}

#[test]
fn no_phrase_has_to_be_read_twice() {
    let mut breaches = Vec::new();
    each(PROSE, |_, path, text| {
        if path.starts_with("tests/tidy") {
            return; // the list of them
        }
        let (words, starts) = words_of(text);
        for phrase in PHRASES {
            for (at, _) in words.match_indices(phrase) {
                let line = starts.partition_point(|start| *start <= at + 1);
                let (path, item) = (path.clone(), phrase.trim().replace(' ', "-"));
                breaches.push(Breach { rule: "phrase", path, item, line });
            }
        }
    });
    judge(&["phrase"], &breaches);
}

#[test]
fn what_is_untidy_is_found_out() {
    let page =
        "Prose with a [link](https://example.org/a/long/one) in it.\n```\ncode\n```\n| a | b |\n";
    let prose = prose_of(page);
    assert_eq!(prose, [(1, "Prose with a [link] in it.".to_owned())]);
    assert!(has_header("rs", "//! A file.\n"));
    assert!(!has_header("rs", "use std::fs;\n"));
    assert!(has_header("sh", "#!/bin/sh\n# A script.\n"));
    assert!(!has_header("py", "import os\n"));
    let scripts =
        ["torture/mutants", "bench/paired", ".ci/run"].map(|path| tree::root().join(path));
    assert_eq!(scripts.each_ref().map(|path| tree::extension_of(path)), ["sh", "py", "sh"]);
    let sources = tree::files_with(SOURCE);
    assert!(scripts.iter().all(|script| sources.contains(script)));
    let (words, starts) = words_of("//! It waits in\n//! vain, for so\n// (many).\n");
    assert!(words.contains(" in vain ") && words.contains(" so many "));
    assert_eq!(starts.partition_point(|start| *start <= words.find("vain").unwrap()), 2);
}
