//! Links, anchors, paths and names of code in the pages: that what they lead to is there.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::tree::{files_with, root, shown};

/// The folders at the top whose files the pages name in quotes.
const FOLDERS: &[&str] = &[
    ".ci",
    ".github",
    "bench",
    "benches",
    "ci",
    "docs",
    "examples",
    "fuzz",
    "io-shared-channel",
    "io-shared-core",
    "io-shared-derive",
    "io-shared-ffi",
    "python",
    "src",
    "tests",
    "torture",
];
/// The folders of core whose files they name without core's path.
const FLOORS: &[&str] =
    &["binding", "lock", "message", "mmap", "model", "os", "protocol", "region", "slot"];

/// The links of a page, as (text, target), with code blocks left out.
fn links(page: &str) -> Vec<(String, String)> {
    let prose: Vec<&str> = page.split("```").step_by(2).collect();
    let prose = prose.join("\n");
    let mut links = Vec::new();
    for (at, _) in prose.match_indices("](") {
        let text = prose[..at].rsplit('[').next().unwrap_or_default();
        let target = prose[at + 2..].split([')', ' ']).next().unwrap_or_default();
        links.push((text.to_owned(), target.to_owned()));
    }
    links
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> HashSet<String> {
    let prose: Vec<&str> = page.split("```").step_by(2).collect();
    let headings = prose.iter().flat_map(|part| part.lines()).filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// Whether a Rust file defines a function, type, constant or module of that name.
fn defines(source: &str, name: &str) -> bool {
    let keywords = ["fn", "struct", "enum", "trait", "type", "const", "mod", "macro_rules!"];
    keywords.iter().any(|keyword| {
        let head = format!("{keyword} {name}");
        source.match_indices(&head).any(|(at, _)| {
            let after = source[at + head.len()..].chars().next();
            !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    })
}

/// Why a link leads nowhere, if it does.
fn fault_in_link(page: &Path, text: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { page.to_owned() } else { page.parent()?.join(path) };
    if !path.exists() {
        return Some(format!("no file {target}"));
    }
    let content = std::fs::read_to_string(&path).unwrap_or_default();
    if !anchor.is_empty() && !anchors(&content).contains(anchor) {
        return Some(format!("no heading {target}"));
    }
    let code = text.trim_matches('*').strip_prefix('`')?.split('`').next()?;
    let name = code.rsplit("::").next()?;
    let is_code = path.extension().is_some_and(|extension| extension == "rs");
    let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_code && is_name && !defines(&content, name)).then(|| format!("no `{code}` in {target}"))
}

/// Whether a quote is a path that leads nowhere.
fn is_broken_path(page: &Path, quote: &str) -> bool {
    let path = quote.split("::").next().unwrap_or_default();
    let is_path = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let Some((first, rest)) = path.split_once('/') else { return false };
    let is_floor = FLOORS.contains(&first) && (rest.is_empty() || rest.ends_with(".rs"));
    if !is_path || !(FOLDERS.contains(&first) || is_floor) {
        return false;
    }
    let core = root().join("io-shared-core/src");
    let places = [Some(root()), page.parent(), Some(&core)];
    !places.iter().flatten().any(|place| place.join(path).exists())
}

/// The text of a page without its code blocks.
fn quotes(page: &str) -> Vec<String> {
    let prose: Vec<&str> = page.split("```").step_by(2).collect();
    prose.join("\n").lines().flat_map(crate::quoted).map(str::to_owned).collect()
}

fn pages() -> impl Iterator<Item = (PathBuf, String)> {
    files_with(&["md"]).into_iter().map(|page| {
        let text = std::fs::read_to_string(&page).unwrap();
        (page, text)
    })
}

#[test]
fn every_link_leads_to_a_file_a_heading_or_code_that_is_there() {
    let (mut faults, mut count) = (Vec::new(), 0);
    for (page, text) in pages() {
        for (text, target) in links(&text) {
            count += 1;
            let fault = fault_in_link(&page, &text, &target);
            faults.extend(fault.map(|fault| format!("{}: {fault}", shown(&page))));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 100, "only {count} links");
}

#[test]
fn every_path_in_quotes_is_there() {
    let mut faults = Vec::new();
    for (page, text) in pages() {
        let broken = quotes(&text).into_iter().filter(|quote| is_broken_path(&page, quote));
        faults.extend(broken.map(|quote| format!("{}: `{quote}`", shown(&page))));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_leads_nowhere_is_found_out() {
    let page = root().join("docs/FAULTS.md");
    let fault = |text: &str, target: &str| fault_in_link(&page, text, target);
    assert_eq!(fault("proof", "PROOF.md"), None);
    assert_eq!(fault("crash", "#crash"), None);
    assert_eq!(fault("**`links::defines`**", "../tests/docs/links.rs"), None);
    for (text, target) in [
        ("proof", "NO.md"),
        ("proof", "FAULTS.md#no-such-heading"),
        ("`links::define`", "../tests/docs/links.rs"),
    ] {
        assert!(fault(text, target).is_some(), "{text} {target}");
    }
    assert!(is_broken_path(&page, "tests/no.rs"));
    assert!(is_broken_path(&page, "protocol/no.rs"));
    assert!(!is_broken_path(&page, "protocol/producer.rs"));
    assert!(!is_broken_path(&page, "tests/docs.rs::is_test"));
}
