//! Of the tests themselves: none of them waits for ever, and what they need is looked for first.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not beside them")]

mod common;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::TestName;

const SIGALRM: i32 = nix::sys::signal::Signal::SIGALRM as i32;

#[test]
fn a_test_that_waits_for_ever_is_ended() {
    let this = std::env::current_exe().unwrap();
    let mut hangs = Command::new(this)
        .args(["--ignored", "--exact", "waits_for_ever"])
        .env("IO_SHARED_TEST_PATIENCE", "1")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut ended = None;
    common::eventually("it is ended", || {
        ended = hangs.try_wait().unwrap();
        ended.is_some()
    });
    assert_eq!(ended.unwrap().signal(), Some(SIGALRM));
}

#[test]
#[ignore = "a test above runs it, and it does not end"]
fn waits_for_ever() {
    let name = TestName::new("patience");
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    // Its parent is killed before this, if it is not ended.
    let _ = consumer.get_timeout(Duration::from_secs(60));
}

/// With a cargo that builds nothing, which is not asked to.
#[test]
fn the_test_command_says_what_is_missing_before_it_builds_or_runs_anything() {
    let folder = tempfile::tempdir().unwrap();
    let (cargo, built) = (folder.path().join("cargo"), folder.path().join("built"));
    let mut stub = std::fs::File::create(&cargo).unwrap();
    write!(stub, "#!/bin/sh\n[ \"$2\" = --version ] || echo $* >> {}\n", built.display()).unwrap();
    stub.set_permissions(PermissionsExt::from_mode(0o755)).unwrap();
    drop(stub);
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    for (variable, says) in [("PYTHON2", "2.7"), ("PYTHON3", "3.9 or later")] {
        let refused = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/test.sh"))
            .env("PATH", &path)
            .env("CARGO_TARGET_DIR", folder.path().join("target"))
            .env(variable, "/nowhere/python")
            .output()
            .unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success());
        assert!(said.contains(&format!("NO PYTHON {says} WAS FOUND")), "{said}");
        assert!(said.contains(&format!("name it by {variable}")), "{said}");
        assert!(!built.exists(), "{}", std::fs::read_to_string(&built).unwrap());
    }
}
