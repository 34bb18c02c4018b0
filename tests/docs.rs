//! What the docs refer to: that the tests, files, headings and functions they name exist, that
//! each command they have is run, and that each line of docs/FAULTS.md has a test.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

#[path = "docs/commands.rs"]
mod commands;
#[path = "docs/links.rs"]
mod links;
#[path = "common/tree.rs"]
mod tree;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use tree::root;

/// The lines of docs/FAULTS.md.
const FAULTS: std::ops::RangeInclusive<usize> = 1..=155;
/// How a cell begins that says why there is no test.
const NOT_RUN: &str = "not run here: ";

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The pages, of which each may name tests.
fn pages() -> impl Iterator<Item = PathBuf> {
    tree::files_with(&["md"]).into_iter()
}

/// What stands between backticks in a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether `name` is run as a test by `file`: marked as one, itself or by the macro of the models,
/// and not left out.
fn is_test(file: &str, name: &str) -> bool {
    let Ok(source) = std::fs::read_to_string(root().join(file)) else { return false };
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let head = format!("fn {name}(");
    lines.iter().enumerate().any(|(number, line)| {
        let attributes = || {
            let above = lines[..number].iter().rev();
            above.take_while(|line| line.starts_with("#[") || line.starts_with("//"))
        };
        line.starts_with(&head)
            && attributes().any(|line| *line == "#[test]")
            && attributes().all(|line| !line.starts_with("#[ignore"))
    })
}

/// The same for pytest, which runs functions whose names begin with `test`, in files whose names
/// do, unless a line above says that it is skipped, on other versions of Python than an old one.
fn is_python_test(file: &str, name: &str) -> bool {
    let folders = ["python/tests/", "python/tests_ros1/", "python/tests_ros2/"];
    let is_run = |folder| file.strip_prefix(folder).is_some_and(|file| file.starts_with("test_"));
    let runs = folders.into_iter().any(is_run) && name.starts_with("test_");
    let source = std::fs::read_to_string(root().join(file)).unwrap_or_default();
    let head = format!("def {name}(");
    let lines: Vec<&str> = source.lines().collect();
    let skipped = |at: usize| {
        let above = lines[..at].iter().rev().take_while(|line| !line.is_empty());
        let is_skip = |line: &&str| {
            line.contains("mark.skip") && !line.contains("mark.skipif(sys.version_info < ")
        };
        above.into_iter().any(is_skip)
    };
    runs && (0..lines.len()).any(|at| lines[at].starts_with(&head) && !skipped(at))
}

/// Whether a quote names a test and its file.
fn names_a_test(quote: &str) -> bool {
    quote.contains(".rs::") || quote.contains(".py::")
}

/// Why `quote` is not what it says: a test, a command of the harnesses, or a file of cases.
fn fault_in(quote: &str) -> Option<String> {
    if names_a_test(quote) {
        let (file, name) = quote.split_once("::").unwrap_or_default();
        let is = if file.ends_with(".py") { is_python_test } else { is_test };
        return (!is(file, name)).then(|| format!("no test `{quote}`"));
    }
    if let Some((_, command)) = quote.split_once("cargo run --release -p torture -- ") {
        let word = format!("\"{}\"", command.split(' ').next()?);
        return (!read("torture/src/main.rs").contains(&word))
            .then(|| format!("no command `{quote}`"));
    }
    (quote.starts_with("tests/ui/") && !root().join(quote).exists())
        .then(|| format!("no file `{quote}`"))
}

#[test]
fn every_test_that_a_page_names_exists() {
    let (mut faults, mut named) = (Vec::new(), 0);
    for page in pages() {
        for line in std::fs::read_to_string(&page).unwrap().lines() {
            named += quoted(line).filter(|quote| names_a_test(quote)).count();
            let why = quoted(line).filter_map(fault_in);
            faults.extend(why.map(|why| format!("{}: {why}", page.display())));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(named > FAULTS.count(), "only {named} tests are named");
}

/// The text of the Rust files in `folder` and below.
fn sources(folder: &Path, text: &mut String) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// The pages of the lock and of the proof name tests and scenarios without their files.
#[test]
fn every_test_that_a_page_names_without_its_file_is_somewhere() {
    let mut text = String::new();
    for folder in ["io-shared-core", "io-shared-channel", "io-shared-ffi", "tests", "torture"] {
        sources(&root().join(folder), &mut text);
    }
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let words: HashSet<&str> = text.split(|c| !is_part(c)).collect();
    let is_test_name = |quote: &str| {
        let is_long = quote.matches('_').count() > 3 && !quote.starts_with('_');
        is_long && quote.chars().all(is_part)
    };
    let (mut named, mut missing) = (0, Vec::new());
    for page in pages() {
        for line in std::fs::read_to_string(&page).unwrap().lines() {
            let tests = quoted(line).filter(|quote| is_test_name(quote));
            for test in tests {
                named += 1;
                if !words.contains(test) {
                    missing.push(format!("{}: `{test}`", page.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(named > 50, "only {named} are named");
}

#[test]
fn every_line_of_the_faults_has_a_row_with_a_test_or_a_reason() {
    let page = read("docs/FAULTS.md");
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').collect();
        let number: usize = cells[0].trim().parse().ok()?;
        assert_eq!(cells.len(), 4, "{line}");
        Some((number, cells[3].trim().to_owned()))
    });
    let rows: Vec<_> = rows.collect();
    let numbers: Vec<usize> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, FAULTS.collect::<Vec<_>>(), "each number once, in order");
    let unfinished: Vec<_> = rows
        .iter()
        .filter(|(_, cell)| {
            let has_test = quoted(cell).any(names_a_test);
            let has_reason = cell.split(NOT_RUN).nth(1).is_some_and(|reason| reason.len() > 10);
            cell.contains("TODO") || !(has_test || has_reason)
        })
        .map(|(number, cell)| format!("{number}: {cell}"))
        .collect();
    assert!(unfinished.is_empty(), "neither tested nor argued:\n{}", unfinished.join("\n"));
}

#[test]
fn what_is_no_test_is_found_out() {
    let here = "tests/docs.rs";
    assert!(is_test(here, "what_is_no_test_is_found_out"));
    assert!(!is_test(here, "what_is_no_test"));
    assert!(!is_test(here, "is_test"));
    assert!(!is_test("tests/no.rs", "what_is_no_test_is_found_out"));
    let there = "python/tests/test_arrays.py";
    assert!(is_python_test(there, "test_ctrl_c_works_during_a_wait"));
    assert!(!is_python_test(there, "test_ctrl_c"));
    assert!(!is_python_test(there, "ends"));
    assert!(!is_python_test("python/tests/conftest.py", "pythons"));
    for wrong in [
        "tests/docs.rs::is_test",
        "python/tests/test_arrays.py::no",
        "tests/ui/fail/no.rs",
        "cargo run --release -p torture -- nothing --seed 1",
    ] {
        assert!(fault_in(wrong).is_some(), "{wrong}");
    }
    assert_eq!(fault_in("cargo run --release -p torture -- campaign --kills 9"), None);
    assert_eq!(fault_in("put"), None);
}
