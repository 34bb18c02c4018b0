//! C's handles after a fork.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::path::Path;
use std::process::Command;

mod common;

use common::{Language, Linked, compile_program};
use test_support::TestName;

/// Runs a program that forks by `how`; `false` if this machine has no such fork.
fn harms_nothing_in_a_child_by(how: &str) -> bool {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fork.c");
    let folder = tempfile::tempdir().unwrap();
    // POSIX has fork.
    let program = compile_program(Language::Gnu11, &source, folder.path(), Linked::Shared);
    let names = ["channel", "lock", "own"].map(|it| TestName::new(&format!("{how}-{it}")));
    let arguments = names.iter().map(|name| &**name).chain([how]);
    let done = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    if done.status.code() == Some(77) {
        eprintln!("NOT RUN: this libc has no {how}");
        return false;
    }
    assert!(done.status.success(), "{how}: {}: {said}", done.status);
    for name in &names {
        let path = Path::new("/dev/shm").join(name.trim_start_matches('/'));
        assert!(!path.exists(), "it went with its last user, and no child was that");
    }
    true
}

#[test]
fn a_child_is_told_that_a_handle_is_its_parents_and_harms_nothing() {
    assert!(harms_nothing_in_a_child_by("fork"));
}

/// `_Fork` and the system call run no fork handlers.
#[test]
fn a_child_forked_without_handlers_is_told_the_same_and_harms_nothing() {
    harms_nothing_in_a_child_by("_Fork");
    assert!(harms_nothing_in_a_child_by("clone"));
}
