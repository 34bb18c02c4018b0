//! The readers of MCAP files that others wrote, which `ci/python.sh --prepare` installs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::programs;

/// A Python that has pip's mcap, mcap-ros2-support and rosbags.
///
/// # Panics
/// If there is none.
pub fn python() -> PathBuf {
    let target = programs::profile();
    let python = target.parent().expect("a profile lies in target").join("python/3/bin/python");
    assert!(python.exists(), "there is no {}: run ci/python.sh --prepare", python.display());
    python
}

/// What each reader reads in an MCAP file: an object for each message and reader.
///
/// # Panics
/// If a reader fails.
pub fn read(file: &Path) -> Vec<Json> {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../io-shared-formats/tests/readers.py");
    let output = Command::new(python()).arg(script).arg(file).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", file.display());
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
