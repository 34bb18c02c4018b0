//! The C programs in the README compile and run.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::path::Path;
use std::process::Command;

mod common;

use common::{Language, Linked, compile_program};

/// Runs each C program of a page, and returns what they print.
#[track_caller]
fn outputs_of(page: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = std::fs::read_to_string(page).unwrap();
    let programs = text.split("```c\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let run = |program: &str| {
        let source = folder.path().join("program.c");
        std::fs::write(&source, program).unwrap();
        let program = compile_program(Language::C11, &source, folder.path(), Linked::Shared);
        let done = Command::new(program).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    programs.map(run).collect()
}

#[test]
fn the_c_programs_of_the_readme_do_what_they_say() {
    assert_eq!(outputs_of("README.md"), ["1.5 2.5\n", "1: pedestrian\n", "", "1.5 2.0\n"]);
}
