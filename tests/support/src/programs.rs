//! Programs of the workspace, built in the running test's profile.
//!
//! If `IO_SHARED_BUILT` is set, they are built already: ci/test.sh builds all at once, since cargo
//! builds what they share anew for each selection of packages.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;

/// Builds a program of the workspace and returns its path.
pub fn build(package: &str) -> PathBuf {
    cargo_build(&["--package", package]).join(package)
}

/// Builds an example of the facade and returns its path.
pub fn build_example(example: &str) -> PathBuf {
    cargo_build(&["--package", "io-shared", "--example", example]).join("examples").join(example)
}

/// Builds an example of the facade as its page says, optimised, and returns its path.
pub fn release_example(example: &str) -> PathBuf {
    if are_built() {
        return profile().with_file_name("release").join("examples").join(example);
    }
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--example", example]);
    cargo.args(["--message-format", "json", "--manifest-path", manifest]).stderr(Stdio::inherit());
    let build = cargo.output().expect("cargo runs");
    assert!(build.status.success(), "{example} does not build");
    let said = String::from_utf8(build.stdout).expect("JSON is text");
    let messages = said.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    let mut of_it = messages.filter(|message| message["target"]["name"] == example);
    let executable = of_it.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.expect("cargo names the executable")
}

fn are_built() -> bool {
    std::env::var_os("IO_SHARED_BUILT").is_some()
}

fn cargo_build(what: &[&str]) -> PathBuf {
    if are_built() {
        return profile();
    }
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
