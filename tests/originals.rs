//! `docs/ORIGINALS.md` and `docs/LOCKS.md` name tests that exist.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::path::Path;

/// Everything in backquotes in the last column of the page's tables, whose head is `test`.
fn named_tests(page: &str) -> Vec<String> {
    let mut named = Vec::new();
    let mut in_table = false;
    for line in page.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let Some(last) = cells.len().checked_sub(2).and_then(|at| cells.get(at)) else {
            in_table = false;
            continue;
        };
        if *last == "test" {
            in_table = true;
        } else if in_table && !last.starts_with("---") {
            let quoted = last.split('`').skip(1).step_by(2).map(str::to_owned);
            let before = named.len();
            named.extend(quoted);
            assert!(named.len() > before, "a row without a test: {line}");
        }
    }
    named
}

/// The text of every test file of the workspace.
fn sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    for directory in ["tests", "torture/tests"] {
        for entry in std::fs::read_dir(root.join(directory)).unwrap().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "rs") {
                text += &std::fs::read_to_string(entry.path()).unwrap();
            }
        }
    }
    text
}

#[test]
fn every_test_that_the_documents_name_exists() {
    let (sources, root) = (sources(), Path::new(env!("CARGO_MANIFEST_DIR")));
    for (page, least) in [("ORIGINALS.md", 40), ("LOCKS.md", 10)] {
        let text = std::fs::read_to_string(root.join("docs").join(page)).unwrap();
        let named = named_tests(&text);
        assert!(named.len() >= least, "{page}: {}", named.len());
        // `tests/docs.rs` checks those that are named with their file.
        for test in named.into_iter().filter(|test| !test.contains("::")) {
            let exists = match test.ends_with(".rs") {
                true => root.join(&test).exists(),
                false => sources.contains(&format!("#[test]\nfn {test}()")),
            };
            assert!(exists, "{page} names {test}, which does not exist");
        }
    }
}
