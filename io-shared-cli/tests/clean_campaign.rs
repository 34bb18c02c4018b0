//! `clean --yes --older 0s` in a loop, while programs create channels, join them and are killed.
//!
//! `IO_SHARED_ROUNDS=10000 cargo test --release -p io-shared-cli --test clean_campaign` is the long
//! version; by default there are 60 rounds.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use common::run;
use io_shared::{Channel, Error, ErrorKind};
use test_support::peer::{self, Peer};

const NAMES: usize = 4;

fn path(name: usize) -> PathBuf {
    Path::new("/dev/shm").join(format!("campaign{name}"))
}

fn identity(name: usize) -> Option<(u64, u64)> {
    let found = std::fs::symlink_metadata(path(name)).ok()?;
    Some((found.dev(), found.ino()))
}

/// Numbers that differ from round to round (an LCG).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % end
    }
}

/// Has roles again and again until it is killed, and writes to a file when a region in which it
/// had one lost its name.
#[test]
fn worker() {
    let Some(arguments) = peer::arguments() else { return };
    let mut random = Random(arguments[0].parse().unwrap());
    peer::tell("there");
    loop {
        let name = random.below(NAMES as u64) as usize;
        let channel = Channel::<u64>::named(format!("/campaign{name}")).reopen(false);
        let held = match random.below(2) == 0 {
            true => channel.producer().and_then(|mut producer| {
                let before = identity(name);
                producer.put(&1)?;
                pause(&mut random);
                producer.put(&2)?;
                Ok((before, identity(name)))
            }),
            false => channel.consumer().and_then(|mut consumer| {
                let before = identity(name);
                pause(&mut random);
                consumer.try_get()?;
                Ok((before, identity(name)))
            }),
        };
        match held {
            Ok((Some(before), Some(after))) if before == after => {}
            Err(error) if is_usual(&error) => {}
            lost => std::fs::write(&arguments[1], format!("{name}: {lost:?}")).unwrap(),
        }
    }
}

/// Whether an error is one of two programs that want the same: not of a region that was removed.
fn is_usual(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::RoleTaken { .. } | ErrorKind::Busy { .. })
}

fn pause(random: &mut Random) {
    std::thread::sleep(std::time::Duration::from_micros(random.below(3_000)));
}

/// In a /dev/shm of its own, in which nobody else's channels can be removed.
#[test]
fn alone() {
    if peer::arguments().is_none() {
        return;
    }
    let rounds = std::env::var("IO_SHARED_ROUNDS").map_or(60, |rounds| rounds.parse().unwrap());
    let mut random = Random(7);
    let folder = tempfile::tempdir().unwrap();
    let lost = folder.path().join("lost");
    let told = || std::fs::read_to_string(&lost).unwrap_or_default();
    let mut next = 0_u64;
    let mut started = || {
        next += 1;
        let mut worker = Peer::start("worker", &[&next.to_string(), lost.to_str().unwrap()]);
        worker.expect("there");
        worker
    };
    let mut workers = [started(), started(), started()];
    let (mut removed, mut kills) = (0, 0);
    for _ in 0..rounds {
        let done = run(&["clean", "--yes", "--older", "0s"]);
        assert_eq!((done.code, &*done.err), (0, ""), "{}", done.out);
        removed += done.out.lines().count();
        if random.below(10) == 0 {
            let number = random.below(3) as usize;
            std::mem::replace(&mut workers[number], started()).kill();
            kills += 1;
        }
    }
    workers.into_iter().for_each(Peer::kill);
    assert_eq!(told(), "", "a region was removed while somebody used it");
    let done = run(&["clean", "--yes", "--older", "0s"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let left: Vec<_> = std::fs::read_dir("/dev/shm").unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(removed > rounds / 10 && kills > 0, "{removed} removed, {kills} kills");
    peer::tell(&format!("{rounds} rounds: {removed} removed, {kills} kills"));
    peer::hear();
}

#[test]
fn clean_removes_no_region_that_anybody_uses_and_all_that_nobody_does() {
    let mount = "mount -t tmpfs tmpfs /dev/shm && exec \"$0\" \"$@\"";
    let prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount];
    let mut peer = Peer::start_under(&prefix, "alone", &["alone"]);
    let told = peer.hear();
    println!("{told}");
    assert!(told.contains(" rounds: "), "{told}");
    peer.tell("end");
}
