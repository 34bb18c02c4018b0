//! C reads the committed regions like Rust (`tests/golden.rs`) and Python
//! (`python/tests/test_golden.py`).

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::path::Path;
use std::process::Command;

mod common;

use common::{Language, Linked, compile_program};

#[test]
fn the_golden_regions_are_read_by_a_c_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let program =
        compile_program(Language::C11, &root.join("tests/golden.c"), folder.path(), Linked::Shared);
    // Copies, since a consumer records what it has seen.
    let copies = ["array.region", "cloud.region", "detections.region"].map(|file| {
        let copy = folder.path().join(file);
        std::fs::copy(root.join("../tests/golden").join(file), &copy).unwrap();
        copy
    });
    let done = Command::new(program).args(copies).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
