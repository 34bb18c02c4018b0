//! Recording as a user does, and ending it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{end, start};

/// A file in a folder that goes with it.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The same in this folder.
    pub(crate) fn within(folder: &str) -> Self {
        Self(tempfile::tempdir_in(folder).unwrap())
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

/// Waits until `is_so`, within a minute.
#[track_caller]
pub(crate) fn wait_until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Starts to record, and waits until the channels keep values for the recorder.
pub(crate) fn start_recording(arguments: &[&str], names: &[&str]) -> Child {
    let child = start(&[&["record", "--every"], arguments, names].concat());
    for name in names {
        wait_until_observed(&child, name);
        wait_until_kept(name);
    }
    child
}

/// Waits until the channel that has this name now keeps values before the newest. It is mapped
/// before it does, and then holds no more than two or three.
pub(crate) fn wait_until_kept(name: &str) {
    const HISTORY: u64 = 0x210; // as docs/ARCHITECTURE.md says
    wait_until(|| {
        let mut word = [0; 8];
        let read = File::open(region(name)).and_then(|file| file.read_exact_at(&mut word, HISTORY));
        read.is_ok() && u64::from_le_bytes(word) & 0xff != 0
    });
}

/// The file of the channel that has this name.
fn region(name: &str) -> PathBuf {
    Path::new("/dev/shm").join(name.trim_start_matches('/').replace('/', "%"))
}

/// Waits until a recorder observes the channel that has this name now.
pub(crate) fn wait_until_observed(child: &Child, name: &str) {
    let path = region(name);
    // It maps the channel when it observes it.
    let maps = format!("/proc/{}/maps", child.id());
    wait_until(|| {
        let maps = std::fs::read_to_string(&maps).unwrap();
        maps.lines().any(|line| line.ends_with(path.to_str().unwrap()))
    });
}

/// Ends a recording as Ctrl-C does, and returns what it said: name, values, missed.
pub(crate) fn stop(child: Child) -> Vec<(String, u64, u64)> {
    signal(&child, Signal::SIGINT);
    let done = end(child);
    assert_eq!(done.code, 0, "{}", done.err);
    counts(&done.out)
}

pub(crate) fn counts(out: &str) -> Vec<(String, u64, u64)> {
    let rows = out.lines().map(|line| {
        let cells: Vec<_> = line.split('\t').collect();
        (cells[0].to_owned(), cells[1].parse().unwrap(), cells[2].parse().unwrap())
    });
    rows.collect()
}
