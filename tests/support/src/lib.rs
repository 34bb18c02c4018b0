//! What the test crates of the workspace share: names that clean up after themselves, claims that
//! another handle might have, other processes, and the messages that several languages exchange.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "it is for tests"
)]

pub mod claims;
pub mod hostile;
pub mod locks;
pub mod messages;
pub mod original;
pub mod peer;
pub mod pose;
pub mod programs;
pub mod readers;
pub mod service;
pub mod timing;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use io_shared::Channel;

/// Ends this program by SIGALRM unless it calls this again within ten minutes, so that no wait of
/// a test lasts for ever. By then the harness has said which test was running.
pub fn set_patience() {
    let seconds = std::env::var("IO_SHARED_TEST_PATIENCE").map(|text| text.parse());
    nix::unistd::alarm::set(seconds.map_or(600, |seconds| seconds.expect("it is a number")));
}

/// The next number of this process, so that names differ.
fn next() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// A channel name that no other test has. Dropping it removes the channel.
#[derive(Debug)]
pub struct TestName(String);

impl TestName {
    /// A name that contains `what`.
    pub fn new(what: &str) -> Self {
        set_patience();
        Self(format!("/test-{what}-{}-{}", std::process::id(), next()))
    }

    /// Where the channel's shared memory is.
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

/// A file that no other test has, on the disk that the tests are built on. Dropping it removes the
/// file.
#[derive(Debug)]
pub struct TestFile(PathBuf);

impl TestFile {
    /// A file whose name contains `what`; it does not exist yet.
    pub fn new(what: &str) -> Self {
        let target = programs::profile();
        let folder = target.parent().expect("a profile lies in target").join("tmp");
        std::fs::create_dir_all(&folder).expect("target is ours");
        Self(folder.join(format!("{what}-{}-{}", std::process::id(), next())))
    }
}

impl std::ops::Deref for TestFile {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The longest time that a test waits for what comes at once on an idle machine. Whoever waits for
/// something that never comes waits for all of it, so that a longer one finds as much.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `condition` holds, for at most [`PATIENCE`].
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
