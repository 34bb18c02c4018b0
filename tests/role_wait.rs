//! Waiting for a role that somebody else has: restarts without a gap.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::thread;
use std::time::{Duration, Instant};

use io_shared::{Channel, Error, ErrorKind};
use test_support::TestName;
use test_support::peer::{Peer, arguments, tell};
use test_support::timing::usually_within;

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(150);
/// A look every 5 ms finds a free claim; the rest is what a loaded machine takes.
const PROMPTLY: Duration = Duration::from_millis(90);

/// Runs `open`, which waits, and `leave` once it certainly does. Returns what was opened, and how
/// long that took after the leaving.
fn after<T: Send>(open: impl FnOnce() -> T + Send, leave: impl FnOnce()) -> (T, Duration) {
    thread::scope(|scope| {
        let opening = scope.spawn(move || (open(), Instant::now()));
        thread::sleep(SHORT);
        assert!(!opening.is_finished(), "it waits");
        leave();
        let left = Instant::now();
        let (opened, at) = opening.join().unwrap();
        (opened, at.saturating_duration_since(left))
    })
}

#[test]
fn each_role_is_taken_over_soon_after_its_predecessor_has_left() {
    let name = TestName::new("left");
    let channel = || Channel::<u64>::named(&*name).wait_for_role(LONG);
    let mut value = 0;
    usually_within(PROMPTLY, || {
        let mut old = channel().producer().unwrap();
        value += 1;
        old.put(&value).unwrap();
        let (new, took) = after(|| channel().producer().unwrap(), || drop(old));
        assert_eq!(new.seq(), value);
        took
    });
    usually_within(PROMPTLY, || {
        let named = || channel().consumer_name("viewer");
        let mut old = named().consumer().unwrap();
        let _ = old.try_get().unwrap();
        let (mut new, took) = after(|| named().consumer().unwrap(), || drop(old));
        assert_eq!(new.last_seen(), value, "it goes on where the other stopped");
        assert!(new.try_get().unwrap().is_none());
        took
    });
    let mut all: Vec<_> = (0..64).map(|_| channel().consumer().unwrap()).collect();
    usually_within(PROMPTLY, || {
        let last = all.pop().unwrap();
        let (new, took) = after(|| channel().consumer().unwrap(), || drop(last));
        all.push(new);
        took
    });
}

#[test]
fn holder() {
    let Some(arguments) = arguments() else { return };
    let mut producer = io_shared::producer::<u64>(&arguments[0]).unwrap();
    producer.put(&1).unwrap();
    tell("there");
    thread::sleep(LONG);
}

#[test]
fn the_role_of_a_killed_process_is_taken_over_as_soon() {
    let name = TestName::new("killed");
    usually_within(PROMPTLY, || {
        let mut holder = Peer::start("holder", &[&name]);
        holder.expect("there");
        let channel = Channel::<u64>::named(&*name).wait_for_role(LONG);
        let (new, took) = after(|| channel.producer().unwrap(), || holder.kill());
        assert!(new.seq() >= 1);
        took
    });
}

/// Opens a channel that nobody leaves, and returns the error and how long it took.
fn in_vain<T>(open: impl FnOnce() -> Result<T, Error>) -> (Error, Duration) {
    let started = Instant::now();
    let error = open().map(drop).unwrap_err();
    (error, started.elapsed())
}

#[test]
fn the_wait_ends_at_its_deadline_with_the_holder_named() {
    let name = TestName::new("deadline");
    let channel = || Channel::<u64>::named(&*name);
    let mut holder = Peer::start("holder", &[&name]);
    holder.expect("there");
    let _viewer = channel().consumer_name("viewer").consumer().unwrap();
    let _others: Vec<_> = (0..63).map(|_| channel().consumer().unwrap()).collect();
    let here = format!("held by this process, {}", std::process::id());
    for wait in [Duration::ZERO, SHORT] {
        let waiting = || channel().wait_for_role(wait);
        let there = format!(" ({}))", holder.id());
        for (error, told) in [
            (in_vain(|| waiting().producer()), &there),
            (in_vain(|| waiting().consumer_name("viewer").consumer()), &here),
            (in_vain(|| waiting().consumer()), &here),
        ] {
            let (error, took) = error;
            assert!(error.to_string().contains(told.as_str()), "{error}");
            assert!(took >= wait && took < wait + LONG / 4, "{took:?}");
        }
    }
    let (error, _) = in_vain(|| channel().producer());
    assert!(error.to_string().contains("wait until it ends (.wait_for_role())"), "{error}");
}

#[test]
fn a_wait_goes_on_in_the_channel_that_has_the_name_by_then() {
    usually_within(2 * PROMPTLY, || {
        let name = TestName::new("moved");
        let channel = || Channel::<u64>::named(&*name).wait_for_role(LONG);
        // The holder stays, but in a region without a name.
        let mut old = channel().reopen(false).producer().unwrap();
        let remove = || Channel::remove(&name).unwrap();
        let (_new, took) = after(|| channel().producer().unwrap(), remove);
        assert_eq!(*old.put(&1).unwrap_err().kind(), ErrorKind::Replaced);
        took
    });
    // And an ephemeral one goes with its last user.
    let name = TestName::new("moved-ephemeral");
    let channel = || Channel::<u64>::named(&*name).ephemeral(true).wait_for_role(LONG);
    let old = channel().producer().unwrap();
    let (mut new, _) = after(|| channel().producer().unwrap(), || drop(old));
    assert_eq!(new.put(&1).unwrap(), 1);
    assert!(name.path().exists());
}

#[test]
fn a_producer_of_another_type_waits_for_its_predecessor_but_not_for_consumers() {
    let name = TestName::new("types");
    let other = || Channel::<[f32; 2]>::named(&*name).wait_for_role(LONG);
    let old = io_shared::producer::<u64>(&name).unwrap();
    let (new, _) = after(|| other().producer().unwrap(), || drop(old));
    drop(new);
    Channel::remove(&name).unwrap();
    let old = io_shared::producer::<u64>(&name).unwrap();
    let _consumer = io_shared::consumer::<u64>(&name).unwrap();
    let (refused, took) = after(|| other().producer().unwrap_err(), || drop(old));
    assert!(matches!(refused.kind(), ErrorKind::Mismatch { .. }), "{refused}");
    assert!(took < LONG / 2, "{took:?}");
    let (refused, took) = in_vain(|| other().producer());
    assert!(matches!(refused.kind(), ErrorKind::Mismatch { .. }), "{refused}");
    assert!(took < LONG / 2, "{took:?}");
}

#[test]
fn no_value_is_lost_while_ten_producers_take_turns() {
    const EACH: u64 = 100;
    let name = TestName::new("rolling");
    let channel = || Channel::<u64>::named(&*name).wait_for_role(LONG);
    let mut consumer = channel().consumer().unwrap();
    let first = channel().producer().unwrap();
    thread::scope(|scope| {
        for _ in 0..9 {
            scope.spawn(|| put_some(channel().producer().unwrap()));
        }
        scope.spawn(move || put_some(first));
        for value in 1..=10 * EACH {
            let got = consumer.get_timeout(LONG).unwrap();
            assert_eq!((*got, got.seq(), got.missed()), (value, value, 0));
        }
    });
    fn put_some(mut producer: io_shared::Producer<u64>) {
        for _ in 0..EACH {
            producer.put(&(producer.seq() + 1)).unwrap();
            assert_eq!(producer.wait_taken(LONG).unwrap(), 1);
        }
    }
}

#[test]
fn a_put_that_opens_a_new_channel_waits_for_nobody() {
    let name = TestName::new("put");
    let mut old = Channel::<u64>::named(&*name).wait_for_role(LONG).producer().unwrap();
    Channel::remove(&name).unwrap();
    let _new = io_shared::producer::<u64>(&name).unwrap();
    let started = Instant::now();
    let taken = old.put(&1).unwrap_err();
    assert!(matches!(taken.kind(), ErrorKind::RoleTaken { .. }), "{taken}");
    assert!(started.elapsed() < LONG / 4);
}
