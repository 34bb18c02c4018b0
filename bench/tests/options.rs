//! What the benchmarks say about a wrong command line, before they measure anything.

#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn a_value_that_will_not_do_is_refused_at_the_start_with_the_name_of_its_option() {
    for [option, value] in [
        ["--only", "everything"],
        ["--core", "first"],
        ["--json", "/nowhere/figures.json"],
        ["--svg", "/"],
    ] {
        let bench = env!("CARGO_BIN_EXE_io-shared-bench");
        let refused = Command::new(bench).args([option, value]).output().unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success(), "{said}");
        assert!(said.contains(option) && said.contains(value), "{said}");
    }
}
