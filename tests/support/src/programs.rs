//! Programs of the workspace, built in the running test's profile.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds a program of the workspace and returns its path.
pub fn build(package: &str) -> PathBuf {
    cargo_build(&["--package", package]).join(package)
}

/// Builds an example of the facade and returns its path.
pub fn build_example(example: &str) -> PathBuf {
    cargo_build(&["--package", "io-shared", "--example", example]).join("examples").join(example)
}

fn cargo_build(what: &[&str]) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet"]).args(what);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
    assert!(status.success(), "{what:?} does not build");
    profile()
}

/// The folder of the running test's profile in the target directory.
pub(crate) fn profile() -> PathBuf {
    // .../target/PROFILE/deps/TEST
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.parent().and_then(Path::parent).expect("a test lies in deps");
    profile.to_owned()
}
