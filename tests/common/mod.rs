//! What the tests of the facade share: names that clean up after themselves, and programs of the
//! workspace.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use io_shared::Channel;

/// A channel name of this test alone; the channel goes with it.
pub struct TestName(String);

impl TestName {
    pub fn new(what: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(format!("/test-{what}-{}-{count}", std::process::id()))
    }

    pub fn path(&self) -> PathBuf {
        Path::new("/dev/shm").join(self.trim_start_matches('/'))
    }
}

impl std::ops::Deref for TestName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for TestName {
    fn drop(&mut self) {
        if Channel::remove(&self.0).is_err() {
            let _ = std::fs::remove_file(self.path());
        }
    }
}

/// Builds a program of the workspace in this test's profile, and says where it is.
pub fn build(package: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", package]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let status = cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs");
    assert!(status.success(), "{package} does not build");
    // .../target/PROFILE/deps/TEST
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("a test lies in deps");
    profile.join(package)
}

/// Waits until `condition` holds, for at most two seconds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "not within 2 s: {what}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}
