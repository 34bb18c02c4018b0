//! The tests themselves: none of them waits for ever, and what they need is looked for first.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use test_support::TestName;

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
    test_support::eventually("it is ended", || {
        ended = hangs.try_wait().unwrap();
        ended.is_some()
    });
    assert_eq!(ended.unwrap().signal(), Some(SIGALRM));
}

#[test]
#[ignore = "the test above runs it, and it does not end"]
fn waits_for_ever() {
    let name = TestName::new("patience");
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    // If SIGALRM does not end this, the parent fails long before.
    let _ = consumer.get_timeout(Duration::from_secs(60));
}

/// What `ci/test.sh` says, and whether it succeeds, with a cargo that only answers for its version.
fn test_command(variables: &[(&str, &str)], arguments: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let (cargo, built) = (folder.path().join("cargo"), folder.path().join("built"));
    let mut stub = std::fs::File::create(&cargo).unwrap();
    write!(stub, "#!/bin/sh\n[ \"$2\" = --version ] || echo $* >> {}\n", built.display()).unwrap();
    stub.set_permissions(PermissionsExt::from_mode(0o755)).unwrap();
    drop(stub);
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let ran = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/test.sh"))
        .args(arguments)
        .env("PATH", &path)
        .env("CARGO_TARGET_DIR", folder.path().join("target"))
        .env_remove("CI")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(!built.exists(), "{}", std::fs::read_to_string(&built).unwrap());
    (ran.status.success(), String::from_utf8(ran.stderr).unwrap())
}

#[test]
fn the_test_command_says_what_is_missing_before_it_builds_or_runs_anything() {
    for (variable, version) in [("PYTHON2", "2.7"), ("PYTHON3", "3.9 or later")] {
        let (succeeded, said) = test_command(&[(variable, "/nowhere/python")], &[]);
        assert!(!succeeded);
        let why = format!("{variable}=/nowhere/python is no Python {version} that runs");
        assert!(said.contains(&why), "{said}");
    }
}

#[test]
fn without_python_2_7_or_pypy_the_test_command_says_so_twice_and_goes_on_but_in_ci() {
    let none = [("PYTHON2", "none"), ("PYPY3", "none")];
    let (succeeded, said) = test_command(&none, &["--look"]);
    assert!(succeeded, "{said}");
    for missing in ["NOT TESTED: Python 2.7", "NOT TESTED: PyPy"] {
        assert_eq!(said.matches(missing).count(), 2, "{said}");
    }
    for left_out in none {
        let (succeeded, said) = test_command(&[("CI", "true"), left_out], &[]);
        assert!(!succeeded && said.contains("NOT TESTED: Py"), "{said}");
    }
}
