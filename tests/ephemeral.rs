//! Channels and locked bytes that go with their last user.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::io::Write;
use std::time::Duration;

use io_shared::{Channel, ErrorKind, RwSharedMmap, Shared, SharedMmap};
use nix::sys::signal::Signal;
use test_support::peer::{Peer, arguments, hear, tell};
use test_support::{TestFile, TestName};

const SECONDS: Duration = Duration::from_secs(2);

#[test]
fn peer() {
    let Some(arguments) = arguments() else { return };
    let [name] = arguments.as_slice() else { panic!("{arguments:?}") };
    let mut producer = Channel::<u64>::named(name).ephemeral(true).producer().unwrap();
    producer.put(&7).unwrap();
    let mut bytes = SharedMmap::named(format!("{name}-m")).size(8).ephemeral(true).open().unwrap();
    bytes.lock().unwrap().write_all(b"x").unwrap();
    tell("there");
    hear();
}

#[test]
fn an_ephemeral_channel_goes_with_its_last_user() {
    let name = TestName::new("ephemeral");
    let mut producer = Channel::<u64>::named(&*name).ephemeral(true).producer().unwrap();
    let mut consumer = Channel::<u64>::named(&*name).consumer().unwrap();
    let observer = Channel::<u64>::named(&*name).observer().unwrap(); // not a user
    producer.put(&1).unwrap();
    drop(producer);
    assert_eq!(*consumer.get().unwrap(), 1);
    assert!(name.path().exists());
    drop(consumer);
    assert!(!name.path().exists());
    drop(observer);
    let path = TestFile::new("ephemeral");
    drop(Channel::<u64>::file(&*path).ephemeral(true).producer().unwrap());
    assert!(!path.exists());
    drop(RwSharedMmap::file(&*path).size(1).ephemeral(true).open().unwrap());
    assert!(!path.exists());
    drop(Shared::<u64>::named(&*name).ephemeral(true).open().unwrap());
    assert!(!name.path().exists());
    // A creator that fails leaves nothing behind, and removes nothing of others.
    let other = Channel::<u64>::named(&*name).producer().unwrap();
    assert!(Channel::<u64>::named(&*name).ephemeral(true).producer().is_err());
    drop(other);
    assert!(name.path().exists());
}

#[test]
fn what_an_ephemeral_channels_killed_last_user_left_is_removed_at_the_next_opening() {
    let name = TestName::new("ephemeral-killed");
    let bytes = format!("{}-m", &*name);
    let mut peer = Peer::start("peer", &[&name]);
    peer.expect("there");
    let mut consumer = Channel::<u64>::named(&*name).consumer().unwrap();
    assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), 7);
    drop(consumer);
    assert!(name.path().exists()); // the peer lives
    peer.kill();
    assert!(name.path().exists());
    let mut consumer = Channel::<u64>::named(&*name).consumer().unwrap();
    assert!(consumer.try_get().unwrap().is_none()); // it is a new channel
    let error = SharedMmap::named(&bytes).open().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound); // it was removed
}

#[test]
fn of_users_that_leave_and_come_at_once_none_is_left_without_a_name_or_with_a_leftover() {
    let name = TestName::new("ephemeral-race");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let mut shared =
                        Shared::<[u64; 2]>::named(&*name).ephemeral(true).open().unwrap();
                    // A user has the region under the name, or is told that it was replaced.
                    match shared.update(|pair| *pair = [pair[0] + 1, pair[1] + 1]) {
                        Ok(()) => {}
                        Err(error) => assert_eq!(*error.kind(), ErrorKind::Replaced),
                    }
                }
            });
        }
    });
    assert!(!name.path().exists());
}

#[test]
fn a_user_that_leaves_while_it_is_stopped_by_nobody_keeps_the_others_going() {
    let name = TestName::new("ephemeral-stop");
    let mut peer = Peer::start("peer", &[&name]);
    peer.expect("there");
    peer.stop();
    drop(Channel::<u64>::named(&*name).consumer().unwrap());
    assert!(name.path().exists()); // a stopped user still counts
    peer.signal(Signal::SIGCONT);
    peer.tell("end");
    peer.end();
    assert!(!name.path().exists());
}
