//! Files on other file systems, and a machine without `/proc`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::fs::File;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use io_shared::{Channel, ErrorKind, Shared, UnsafeSharedMmap};
use test_support::peer::{Peer, arguments};

const SECONDS: Duration = Duration::from_secs(2);

#[test]
fn peer() {
    let Some(arguments) = arguments() else { return };
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["every kind", directory] => every_kind_in(directory),
        ["over a lower layer", directory] => over_a_lower_layer(directory),
        ["without /proc"] => without_proc(),
        other => panic!("{other:?}"),
    }
}

fn is_taken<T>(result: Result<T, io_shared::Error>) -> bool {
    result.is_err_and(|error| matches!(error.kind(), ErrorKind::RoleTaken { .. }))
}

/// Uses every kind of backing file in a directory of some file system.
fn every_kind_in(directory: &str) {
    let path = |what: &str| format!("{directory}/{what}");
    Channel::<u64>::file(path("channel")).producer().unwrap().put(&5).unwrap();
    assert!(is_taken({
        let _first = Channel::<u64>::file(path("channel")).producer().unwrap();
        Channel::<u64>::file(path("channel")).producer()
    }));
    assert_eq!(*Channel::<u64>::file(path("channel")).consumer().unwrap().get().unwrap(), 5);
    let mut state = Shared::<u64>::open_file(path("state")).unwrap();
    let mut other = Shared::<u64>::open_file(path("state")).unwrap();
    state.update(|value| *value = 6).unwrap();
    assert_eq!(other.get().unwrap(), 6);
    let mut raw = UnsafeSharedMmap::file(path("raw")).size(8).open().unwrap();
    raw.store(&7u64).unwrap();
    assert_eq!(UnsafeSharedMmap::file(path("raw")).open().unwrap().load::<u64>().unwrap(), 7);
    let names = std::fs::read_dir(directory).unwrap().count();
    assert_eq!(names, 3, "nothing but the three files");
}

/// Uses a channel that was in the lower layer when the overlay was mounted.
fn over_a_lower_layer(at: &str) {
    Channel::<u64>::file(format!("{at}/low/channel")).producer().unwrap().put(&5).unwrap();
    let layers = format!("lowerdir={at}/low,upperdir={at}/up,workdir={at}/aside");
    let mount = ["-t", "overlay", "overlay", "-o", &layers, &format!("{at}/all")];
    assert!(Command::new("mount").args(mount).status().unwrap().success());
    let open = || Channel::<u64>::file(format!("{at}/all/channel"));
    let mut observer = open().observer().unwrap();
    assert_eq!(observer.copy().unwrap().as_deref(), Some(&5));
    let mut consumer = open().consumer().unwrap();
    assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), 5);
    let mut producer = open().producer().unwrap();
    for value in 6..9 {
        producer.put(&value).unwrap();
        assert_eq!(observer.copy().unwrap().as_deref(), Some(&value));
        assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), value);
    }
    let lower = Channel::<u64>::file(format!("{at}/low/channel")).observer().unwrap().copy();
    assert_eq!(lower.unwrap().as_deref(), Some(&5), "the lower layer is unchanged");
}

fn without_proc() {
    assert!(!std::path::Path::new("/proc/self").exists());
    let name = format!("/test-no-proc-{}", std::process::id());
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    producer.put(&1).unwrap();
    assert!(is_taken(io_shared::producer::<u64>(&name)));
    assert_eq!(*io_shared::consumer::<u64>(&name).unwrap().get().unwrap(), 1);
    Channel::remove(&name).unwrap();
    let mut raw = UnsafeSharedMmap::named(&name).size(8).open().unwrap();
    raw.store(&7u64).unwrap();
    UnsafeSharedMmap::remove(&name).unwrap();
    let unfinished = std::fs::read_dir("/dev/shm")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(".io-shared."));
    assert_eq!(unfinished.count(), 0);
    // A descriptor cannot be reopened, and is not used directly.
    let error = Channel::<u64>::from_fd(File::open("/dev/shm").unwrap()).producer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
}

/// Runs a role in its own mount namespace, after `mounts`. `None` where that is not allowed.
fn unshared(mounts: &str, arguments: &[&str]) -> Option<Peer> {
    let allowed = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", mounts])
        .output()
        .is_ok_and(|output| output.status.success());
    if !allowed {
        // Not by eprintln!, which is captured when a test passes.
        let _ = writeln!(
            std::io::stderr(),
            "NOT RUN: this machine does not let the test mount: {mounts}"
        );
        return None;
    }
    let script = format!("{mounts} && exec \"$0\" \"$@\"");
    let prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &script];
    Some(Peer::start_under(&prefix, "peer", arguments))
}

#[test]
fn a_file_may_lie_on_a_tmpfs_that_is_mounted_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().to_str().unwrap();
    let mounts = format!("mount -t tmpfs none {at}");
    if let Some(peer) = unshared(&mounts, &["every kind", at]) {
        peer.end();
    }
}

#[test]
fn a_file_may_lie_on_an_overlay() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().to_str().unwrap();
    let mounts = format!(
        "mount -t tmpfs none {at} && mkdir {at}/low {at}/up {at}/aside {at}/all && \
         mount -t overlay overlay -o lowerdir={at}/low,upperdir={at}/up,workdir={at}/aside {at}/all"
    );
    if let Some(peer) = unshared(&mounts, &["every kind", &format!("{at}/all")]) {
        peer.end();
    }
}

#[test]
fn an_observer_of_a_file_in_the_lower_layer_of_an_overlay_sees_what_is_put_there() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().to_str().unwrap();
    let mounts = format!("mount -t tmpfs none {at} && mkdir {at}/low {at}/up {at}/aside {at}/all");
    if let Some(peer) = unshared(&mounts, &["over a lower layer", at]) {
        peer.end();
    }
}

#[test]
fn without_proc_named_channels_work_and_descriptors_are_refused() {
    if let Some(peer) = unshared("mount -t tmpfs none /proc", &["without /proc"]) {
        peer.end();
    }
}
