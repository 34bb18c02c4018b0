//! Producers whose messages have more fields than the channel's, and that die on the way or may not
//! replace it: those who know the first fields go on in the old channel or in the new one.

#![allow(clippy::unwrap_used)]

mod child;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use child::{NOBODY, become_user, in_child, is_root, succeeds};
use io_shared::{Channel, Consumer, ErrorKind, Message, Producer, Result};
use io_shared_core::crash_point::{CrashPoint, kill_self_at};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use test_support::TestName;

const SECONDS: Duration = Duration::from_secs(10);

/// What the consumers know.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
struct Scan {
    frame: u64,
    ranges: [u64; 20],
}

mod later {
    use super::Message;

    #[derive(Debug, Clone, Copy, Message)]
    #[repr(C)]
    pub(super) struct Scan {
        pub(super) frame: u64,
        pub(super) ranges: [u64; 20],
        pub(super) echoes: [u64; 300],
    }
}

fn before(n: u64) -> Scan {
    Scan { frame: n, ranges: [n; 20] }
}

fn now(n: u64) -> later::Scan {
    later::Scan { frame: n, ranges: [n; 20], echoes: [n; 300] }
}

fn consumer(name: &str) -> Consumer<Scan> {
    Channel::<Scan>::named(name).mode(0o666).consumer().unwrap()
}

fn producer(name: &str) -> Result<Producer<later::Scan>> {
    Channel::<later::Scan>::named(name).producer()
}

fn get(consumer: &mut Consumer<Scan>) -> (Scan, u64, u64) {
    let value = consumer.get_timeout(SECONDS).unwrap();
    (*value, value.seq(), value.missed())
}

// 108
#[test]
fn a_producer_dead_at_any_point_of_adding_fields_leaves_the_old_channel_or_the_new_one_whole() {
    use CrashPoint::*;
    let creates = [RegionSized, RegionWritten, RegionClaimed];
    for point in creates.iter().chain(CrashPoint::EXCHANGES).copied() {
        let name = TestName::new("fields-die");
        let mut viewer = consumer(&name);
        let mut old = io_shared::producer::<Scan>(&name).unwrap();
        old.put(&before(1)).unwrap();
        assert_eq!(get(&mut viewer), (before(1), 1, 0));
        drop(old);
        let (mut told, mut tells) = UnixStream::pair().unwrap();
        let sleeper = in_child(|| {
            let mut sleeper = consumer(&name);
            assert_eq!(get(&mut sleeper).0, before(1));
            tells.write_all(&[1]).unwrap();
            assert_eq!(get(&mut sleeper), (before(2), 2, 0));
        });
        told.set_read_timeout(Some(SECONDS)).unwrap();
        told.read_exact(&mut [0]).unwrap();
        let victim = in_child(|| {
            // By then the sleeper sleeps.
            std::thread::sleep(Duration::from_millis(20));
            kill_self_at(point, 0);
            drop(producer(&name));
        });
        let ended = waitpid(victim, None).unwrap();
        assert!(
            matches!(ended, WaitStatus::Signaled(_, Signal::SIGKILL, _)),
            "{point:?} {ended:?}"
        );
        // Whatever it is now, both kinds of producers find it whole.
        if !matches!(point, ExchangeRenamed | ExchangeRetired) {
            let old = io_shared::producer::<Scan>(&name).unwrap();
            assert_eq!(old.seq(), 1, "{point:?}");
        }
        assert!(viewer.try_get().unwrap().is_none(), "{point:?}");
        let mut successor = producer(&name).unwrap();
        assert_eq!(successor.put(&now(2)).unwrap(), 2, "{point:?}");
        assert_eq!(get(&mut viewer), (before(2), 2, 0), "{point:?}");
        succeeds(sleeper);
        let mut later = io_shared::consumer::<later::Scan>(&name).unwrap();
        assert_eq!(later.latest().unwrap().unwrap().echoes, [2; 300], "{point:?}");
    }
}

// 108
#[test]
fn a_producer_that_may_not_replace_the_channel_is_told_so_and_the_channel_goes_on() {
    if !is_root() {
        return;
    }
    let name = TestName::new("fields-owned");
    let mut viewer = consumer(&name);
    succeeds(in_child(|| {
        become_user(NOBODY);
        let error = producer(&name).unwrap_err();
        let ErrorKind::Mismatch { differences, holders, .. } = error.kind() else {
            panic!("{error}")
        };
        assert_eq!(differences.len(), 2, "{error}");
        assert_eq!(holders.len(), 1, "{error}");
    }));
    let mut old = io_shared::producer::<Scan>(&name).unwrap();
    old.put(&before(1)).unwrap();
    assert_eq!(get(&mut viewer), (before(1), 1, 0));
}
