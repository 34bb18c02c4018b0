//! Programs of two C libraries on one channel. Fault 68.

#![allow(clippy::unwrap_used)]

mod stage;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use io_shared_core::crash_point::CrashPoint;
use nix::sys::signal::Signal;
use stage::{Stage, dies_at, falls_asleep};
use torture::actor::HANG;

const TARGET: &str = "x86_64-unknown-linux-musl";

/// The `torture` program for musl, built in this test's profile; `None` without the target.
fn built_for_musl() -> Option<PathBuf> {
    let rustc =
        Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    let libraries = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    if !libraries.is_ok_and(|libraries| Path::new(&libraries).is_dir()) {
        // Not by eprintln!, which is captured when a test passes.
        let why = format!("NOT RUN: the target is not there: rustup target add {TARGET}");
        let _ = writeln!(std::io::stderr(), "{why}");
        return None;
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--package", "torture", "--target", TARGET]);
    let (optimised, profile) =
        if cfg!(debug_assertions) { (None, "debug") } else { (Some("--release"), "release") };
    let built = cargo.args(optimised).arg("--target-dir").arg(directory).status().unwrap();
    assert!(built.success(), "torture does not build for {TARGET}");
    Some(directory.join(TARGET).join(profile).join("torture"))
}

fn is_dynamic(program: &Path) -> bool {
    let loader = b"ld-linux-x86-64.so";
    std::fs::read(program).unwrap().windows(loader.len()).any(|window| window == loader)
}

#[test]
fn programs_of_glibc_and_of_musl_put_get_wake_and_bury_each_other() {
    let Some(musl) = built_for_musl() else { return };
    let glibc = PathBuf::from(env!("CARGO_BIN_EXE_torture"));
    assert!(is_dynamic(&glibc) && !is_dynamic(&musl), "one program of each library");
    for [one, other] in
        [[&glibc, &musl], [&musl, &glibc]].map(|both| both.map(|p| p.to_str().unwrap()))
    {
        let stage = Stage::new(2);
        let (mut producer, mut consumer) = (stage.actor_of(one), stage.actor_of(other));
        assert_eq!(producer.ask("produce"), "ok 0");
        assert_eq!(consumer.ask("consume viewer"), "ok");
        let mut second = stage.actor_of(other);
        let refused = second.ask("produce");
        assert!(
            refused.starts_with(&format!(
                "RoleTaken {{ holder: Holder {{ slot: None, name: None, pid: Some({}), command: ",
                producer.pid()
            )) && refused.contains(", is_here: false } }"),
            "{refused}"
        );
        // The consumer is awake, and then asleep.
        assert_eq!(producer.ask("put 10"), "10");
        assert_eq!(consumer.ask("get"), "10 9");
        falls_asleep(&stage, &mut consumer);
        assert_eq!(producer.ask("put"), "11");
        assert_eq!(consumer.answer(HANG).unwrap(), "11 0");
        assert_eq!(second.ask("observe"), "ok");
        assert_eq!(second.ask("copy"), "11");
        // A dead consumer's hold costs nothing, and a new one with its name goes on where it
        // stopped.
        assert_eq!(producer.ask("put"), "12");
        dies_at(&mut consumer, CrashPoint::GetSeen, "get");
        assert_eq!(producer.ask("put 50"), "62");
        let mut consumer = stage.actor_after(&["consume viewer"]);
        assert_eq!(consumer.ask("get"), "62 49");
        // The other library takes over a dead producer's role.
        dies_at(&mut producer, CrashPoint::PutSealed, "put");
        assert_eq!(second.ask("produce"), "ok 62");
        assert_eq!(second.ask("put"), "63");
        assert_eq!(consumer.ask("get"), "63 0");
        second.signal(Signal::SIGKILL);
        assert_eq!(stage.actor_of(one).ask("remove"), "ok");
    }
}
