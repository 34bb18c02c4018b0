//! Breaches of the rules of style, and the list of those that are allowed.

use std::collections::BTreeSet;

use crate::tree::root;

/// A breach of a rule: the rule, the file, what breaks it within the file, and where that is.
pub(crate) struct Breach {
    pub(crate) rule: &'static str,
    pub(crate) path: String,
    pub(crate) item: String,
    pub(crate) line: usize,
}

/// The list of exceptions, as (rule, path, item).
fn exceptions() -> BTreeSet<[String; 3]> {
    let list = std::fs::read_to_string(root().join("tests/tidy/exceptions.txt")).unwrap();
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let entries = lines.map(|line| {
        let (what, why) = line.split_once(" # ").unwrap_or((line, ""));
        assert!(!why.trim().is_empty(), "an exception needs a reason: {line}");
        let words: Vec<&str> = what.split_whitespace().collect();
        let [rule, path, item] = words[..] else { panic!("rule, path and item: {line}") };
        [rule, path, item].map(str::to_owned)
    });
    entries.collect()
}

/// Fails if there is a breach without an exception, or an exception without a breach.
pub(crate) fn judge(rules: &[&str], breaches: &[Breach]) {
    let mut unused: BTreeSet<_> = exceptions();
    unused.retain(|[rule, _, _]| rules.contains(&rule.as_str()));
    let allowed = unused.clone();
    let mut faults = Vec::new();
    for Breach { rule, path, item, line } in breaches {
        let entry = [(*rule).to_owned(), path.clone(), item.clone()];
        unused.remove(&entry);
        if !allowed.contains(&entry) {
            faults.push(format!("{path}:{line}: {rule} {path} {item}"));
        }
    }
    let unused = unused.iter().map(|entry| format!("no longer needed: {}", entry.join(" ")));
    faults.extend(unused);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
