//! What the tests of the facade share: names that clean up after themselves, and programs of the
//! workspace.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use io_shared::Channel;

/// A channel name of this test alone; the channel goes with it.
pub(crate) struct TestName(String);

impl TestName {
    pub(crate) fn new(what: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(format!("/test-{what}-{}-{count}", std::process::id()))
    }

    pub(crate) fn path(&self) -> PathBuf {
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

/// Locks `length` bytes at `first` of a channel's claims, as another handle's claim does, until the
/// file is dropped.
#[track_caller]
pub(crate) fn claim(name: &TestName, first: i64, length: i64) -> std::fs::File {
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc::{F_WRLCK, SEEK_SET, flock};
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(name.path())
        .expect("the channel is there");
    let lock = flock {
        l_type: F_WRLCK as i16,
        l_whence: SEEK_SET as i16,
        l_start: (1 << 62) + first,
        l_len: length,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).expect("nobody has these claims");
    file
}

/// How many descriptors of a channel this process has open.
pub(crate) fn descriptors_of(name: &TestName) -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("/proc is mounted");
    descriptors
        .flatten()
        .filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|to| to == name.path()))
        .count()
}

/// Builds a program of the workspace in this test's profile, and says where it is.
pub(crate) fn build(package: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", package]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
    assert!(status.success(), "{package} does not build");
    // .../target/PROFILE/deps/TEST
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.parent().and_then(Path::parent).expect("a test lies in deps");
    profile.join(package)
}

/// Waits until `condition` holds, for at most two seconds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(2), "not within 2 s: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
