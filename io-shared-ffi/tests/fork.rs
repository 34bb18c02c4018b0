//! Handles of C after a fork.

use std::path::Path;
use std::process::Command;

mod common;

use common::{Language, Linked, TestName, compile_program};

#[test]
fn a_child_is_told_that_a_handle_is_its_parents_and_harms_nothing() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fork.c");
    let folder = tempfile::tempdir().unwrap();
    // fork is POSIX's.
    let program = compile_program(Language::Gnu11, &source, folder.path(), Linked::Shared);
    let names = [TestName::new("fork-channel"), TestName::new("fork-lock")];
    let done = Command::new(program).args(names.iter().map(|name| &**name)).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}: {said}", done.status);
    for name in &names {
        let path = Path::new("/dev/shm").join(name.trim_start_matches('/'));
        assert!(!path.exists(), "it went with its last user, and no child was that");
    }
}
