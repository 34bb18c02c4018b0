//! Channels and locked bytes that go with their last user.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use io_shared::{Channel, ErrorKind, Message, RwSharedMmap, Shared, SharedMmap};
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

/// A channel that grows, and goes with its last user.
fn growing(name: &TestName) -> Channel<[u64]> {
    Channel::<[u64]>::named(&**name).elements(1).growing(true).ephemeral(true)
}

/// The number that all regions of a channel share, as the file at `path` says.
fn line(path: &Path) -> Option<[u8; 8]> {
    let mut line = [0; 8];
    File::open(path).and_then(|file| file.read_exact_at(&mut line, 24)).ok()?;
    Some(line)
}

/// How many regions there are of a line, under whatever names.
fn regions(of: [u8; 8]) -> usize {
    let entries = std::fs::read_dir("/dev/shm").unwrap().flatten();
    entries.filter(|entry| line(&entry.path()) == Some(of)).count()
}

#[test]
fn a_channel_that_grew_goes_with_its_last_user_whether_or_not_that_has_followed() {
    for (users, growths) in [(1, 1), (3, 1), (2, 3)] {
        for producer_leaves_first in [true, false] {
            let name = TestName::new("ephemeral-grew");
            let mut producer = growing(&name).producer().unwrap();
            let of = line(&name.path()).unwrap();
            let mut idle = Vec::new();
            for growth in 0..growths {
                // Some are in each of the regions that the channel has had.
                idle.extend((0..users).map(|_| growing(&name).consumer().unwrap()));
                producer.put(&vec![1; 2 << growth]).unwrap();
            }
            let mut producer = Some(producer);
            if producer_leaves_first {
                producer = None;
            }
            while let Some(consumer) = idle.pop() {
                assert!(name.path().exists(), "somebody uses it");
                drop(consumer);
            }
            assert_eq!(name.path().exists(), !producer_leaves_first);
            drop(producer);
            assert!(!name.path().exists(), "{users} in each of {growths}");
            assert_eq!(regions(of), 0, "{users} in each of {growths}");
        }
    }
}

#[test]
fn a_channel_that_grew_goes_on_for_a_user_that_has_not_followed_whoever_comes_and_goes() {
    let name = TestName::new("ephemeral-goes-on");
    let mut producer = growing(&name).producer().unwrap();
    let of = line(&name.path()).unwrap();
    let mut idle = growing(&name).consumer().unwrap();
    producer.put(&[1]).unwrap();
    assert_eq!(idle.get_timeout(SECONDS).unwrap().seq(), 1);
    producer.put(&[2; 2]).unwrap();
    drop(producer);
    // Nobody has a role in the larger region now.
    assert_eq!(growing(&name).consumer().unwrap().get_timeout(SECONDS).unwrap().seq(), 2);
    let mut producer = growing(&name).producer().unwrap();
    assert_eq!(producer.put(&[3; 5]).unwrap(), 3, "numbers go on");
    drop(producer);
    std::thread::sleep(Duration::from_millis(120));
    let value = idle.get_timeout(SECONDS).unwrap();
    assert_eq!((value.seq(), value.len(), value.missed()), (3, 5, 1));
    drop(value);
    drop(idle);
    assert!(!name.path().exists());
    assert_eq!(regions(of), 0);
}

#[test]
fn a_user_that_does_not_follow_keeps_the_channel_for_as_long_as_it_lives() {
    let name = TestName::new("ephemeral-stays");
    let mut producer = growing(&name).producer().unwrap();
    let of = line(&name.path()).unwrap();
    let mut stays = growing(&name).reopen(false).consumer().unwrap();
    producer.put(&[1; 2]).unwrap();
    std::thread::sleep(Duration::from_millis(120));
    assert_eq!(*stays.try_get().unwrap_err().kind(), ErrorKind::Replaced);
    drop(producer);
    assert!(name.path().exists());
    drop(stays);
    assert!(!name.path().exists());
    assert_eq!(regions(of), 0);
}

/// What a message has at first.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
struct Pose {
    x: f64,
}

mod later {
    use super::Message;

    #[derive(Debug, Clone, Copy, Message)]
    #[repr(C)]
    pub(super) struct Pose {
        pub(super) x: f64,
        pub(super) y: f64,
    }
}

#[test]
fn a_channel_whose_messages_got_more_fields_goes_with_its_last_user_too() {
    for follows in [true, false] {
        let name = TestName::new("ephemeral-fields");
        let mut consumer = Channel::<Pose>::named(&*name).ephemeral(true).consumer().unwrap();
        let of = line(&name.path()).unwrap();
        let mut producer = io_shared::producer::<later::Pose>(&name).unwrap();
        producer.put(&later::Pose { x: 1.0, y: 2.0 }).unwrap();
        drop(producer);
        if follows {
            assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), Pose { x: 1.0 });
        }
        drop(consumer);
        assert!(!name.path().exists(), "follows: {follows}");
        assert_eq!(regions(of), 0, "follows: {follows}");
    }
}
