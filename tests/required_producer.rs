//! Who the producer is, and being told when there is none any more.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::time::{Duration, Instant, SystemTime};

use io_shared::{Channel, Consumer, Error, ErrorKind, Result};
use nix::sys::signal::Signal;
use test_support::TestName;
use test_support::peer::{Peer, arguments, hear, tell};

const LONG: Duration = Duration::from_secs(60);

fn requiring(name: &str) -> Consumer<u64> {
    Channel::named(name).requires_producer(true).consumer().unwrap()
}

#[track_caller]
fn assert_no_producer(error: &Error) {
    assert!(matches!(error.kind(), ErrorKind::NoProducer { .. }), "{error}");
}

#[test]
fn puts_and_lives() {
    let Some(arguments) = arguments() else { return };
    let mut producer = io_shared::producer::<u64>(&arguments[0]).unwrap();
    producer.put(&1).unwrap();
    tell("put");
    hear();
}

fn producing(name: &str) -> Peer {
    let mut peer = Peer::start("puts_and_lives", &[name]);
    peer.expect("put");
    peer
}

#[test]
fn consumers_and_observers_know_who_the_living_producer_is() {
    let name = TestName::new("who");
    let before = SystemTime::now();
    let consumer = io_shared::consumer::<u64>(&name).unwrap();
    let observer = Channel::<u64>::named(&*name).observer().unwrap();
    assert_eq!((consumer.producer().unwrap(), observer.producer().unwrap()), (None, None));
    let peer = producing(&name);
    let own = std::fs::read_to_string("/proc/self/comm").unwrap();
    for found in [consumer.producer().unwrap(), observer.producer().unwrap()] {
        let who = found.expect("it is alive");
        assert_eq!((who.pid, who.slot, who.is_here), (Some(peer.id()), None, false));
        let command = who.command.expect("it has one");
        assert!(!command.is_empty() && command.len() <= 15, "{command}");
        // The peer is this program; each thread of a test is called as its test.
        assert!("puts_and_lives".starts_with(&command) || own.starts_with(&command), "{command}");
        let since = who.since.expect("it is known");
        assert!(before <= since && since <= SystemTime::now());
    }
    peer.kill();
    assert_eq!((consumer.producer().unwrap(), observer.producer().unwrap()), (None, None));
    // A pid proves nothing: the block still names it.
    let own = io_shared::producer::<u64>(&name).unwrap();
    let who = consumer.producer().unwrap().unwrap();
    assert_eq!((who.pid, who.is_here), (Some(std::process::id()), true));
    drop(own);
}

#[test]
fn an_observer_that_may_only_read_knows_the_producer() {
    let name = TestName::new("read-only");
    let producer = io_shared::producer::<u64>(&name).unwrap();
    // Root may do anything, so a descriptor that cannot write stands for its absence.
    let file = std::fs::File::open(name.path()).unwrap();
    let observer = Channel::<u64>::from_fd(file).observer().unwrap();
    assert_eq!(observer.producer().unwrap().unwrap().pid, Some(std::process::id()));
    drop(producer);
    assert_eq!(observer.producer().unwrap(), None);
}

/// A way to wait for a value, which ends with an error.
type Wait = fn(&mut Consumer<u64>) -> Result<()>;

const WAITS: [(&str, Wait); 3] = [
    ("get", |consumer| consumer.get().map(drop)),
    ("get_timeout", |consumer| consumer.get_timeout(LONG).map(drop)),
    ("wait_any", |consumer| {
        let ready = io_shared::wait_any(&[consumer], LONG)?;
        assert!(ready.contains(0));
        assert!(consumer.try_get()?.is_none(), "there is no value");
        panic!("a consumer without its producer is ready for its error alone");
    }),
];

/// Asserts that `wait`, which begins while a producer lives, ends soon after it was killed.
#[track_caller]
fn assert_told_soon(what: &str, mut wait: impl FnMut(&str) -> (Error, Instant)) {
    let mut soonest = Duration::MAX;
    for _ in 0..3 {
        let name = TestName::new("told");
        let peer = producing(&name);
        let killed = std::thread::scope(|scope| {
            let killer = scope.spawn(|| {
                // The wait has begun, and sleeps: a spin takes less than a millisecond.
                std::thread::sleep(Duration::from_millis(30));
                let before = Instant::now();
                peer.signal(Signal::SIGKILL);
                before
            });
            let (error, told) = wait(&name);
            assert_no_producer(&error);
            assert_eq!(error.name(), &*name);
            told - killer.join().unwrap()
        });
        soonest = soonest.min(killed);
        if soonest < Duration::from_millis(200) {
            return;
        }
    }
    panic!("{what}: told after {soonest:?} at the soonest");
}

#[test]
fn every_wait_ends_within_200_ms_of_the_producers_death() {
    for (what, wait) in WAITS {
        assert_told_soon(what, |name| {
            let mut consumer = requiring(name);
            assert_eq!(*consumer.get().unwrap(), 1);
            let error = wait(&mut consumer).unwrap_err();
            (error, Instant::now())
        });
    }
    assert_told_soon("an awaited get", |name| {
        let mut consumer = requiring(name).into_async();
        pollster::block_on(async {
            assert_eq!(*consumer.get().await.unwrap(), 1);
            let error = consumer.get().await.unwrap_err();
            (error, Instant::now())
        })
    });
}

#[test]
fn what_was_not_seen_comes_first_and_a_new_producer_ends_the_refusals() {
    let name = TestName::new("first");
    let mut consumer = requiring(&name);
    // Nobody was seen yet, so this waits.
    let error = consumer.get_timeout(Duration::from_millis(150)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
    assert!(consumer.try_get().unwrap().is_none());
    // One that came and went between two gets left a value.
    io_shared::producer::<u64>(&name).unwrap().put(&7).unwrap();
    assert_eq!(*consumer.get().unwrap(), 7);
    for _ in 0..2 {
        let error = consumer.get().unwrap_err();
        assert_no_producer(&error);
        let pid = format!("(process {}, ", std::process::id());
        assert!(error.to_string().contains(&pid), "{error}");
        assert_no_producer(&consumer.get_timeout(Duration::ZERO).unwrap_err());
        assert_no_producer(&consumer.try_get().unwrap_err());
        assert!(io_shared::wait_any(&[&consumer], Duration::ZERO).unwrap().contains(0));
        assert_eq!(consumer.latest().unwrap().as_deref(), Some(&7));
    }
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    assert!(consumer.try_get().unwrap().is_none());
    let error = consumer.get_timeout(Duration::ZERO).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
    producer.put(&8).unwrap();
    assert_eq!(*consumer.get().unwrap(), 8);
    drop(producer);
    assert_no_producer(&consumer.get().unwrap_err());
    // Others wait for the next producer.
    let mut patient = io_shared::consumer::<u64>(&name).unwrap();
    assert_eq!(*patient.get().unwrap(), 8);
    let error = patient.get_timeout(Duration::from_millis(150)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
}

#[test]
fn a_producer_that_goes_on_in_a_new_channel_is_not_taken_for_dead() {
    let name = TestName::new("goes-on");
    let mut producer = Channel::<u64>::named(&*name).reopen(true).producer().unwrap();
    let channel = Channel::<u64>::named(&*name).requires_producer(true).reopen(true);
    let mut consumer = channel.consumer().unwrap();
    for round in 1..=20 {
        producer.put(&round).unwrap();
        assert_eq!(*consumer.get().unwrap(), round);
        io_shared::remove(&name).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(5));
                producer.put(&(100 * round)).unwrap();
            });
            assert_eq!(*consumer.get_timeout(LONG).unwrap(), 100 * round);
        });
    }
    drop(producer);
    io_shared::remove(&name).unwrap();
    assert_no_producer(&consumer.get().unwrap_err());
}

/// With `rm`, which sets no flag. The consumer looks at the name every 90 ms, and learns of the
/// claim sooner.
#[test]
fn a_producer_that_goes_on_after_its_file_was_deleted_is_not_taken_for_dead() {
    let name = TestName::new("deleted");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let mut consumer = requiring(&name);
    for round in 1..=10 {
        producer.put(&round).unwrap();
        // Both looks are due. The consumer's comes before the file is deleted.
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(*consumer.get_timeout(LONG).unwrap(), round);
        std::fs::remove_file(name.path()).unwrap();
        producer.put(&(100 * round)).unwrap();
        assert!(name.path().exists(), "the producer has created the channel again");
        let tried = match round % 3 {
            0 => consumer.try_get().unwrap().map(|value| *value),
            1 => io_shared::wait_any(&[&consumer], LONG).map(|_| None).unwrap(),
            _ => None,
        };
        let got = tried.unwrap_or_else(|| *consumer.get_timeout(LONG).unwrap());
        assert_eq!(got, 100 * round);
    }
    drop(producer);
    assert_no_producer(&consumer.get().unwrap_err());
}

#[test]
fn a_channel_that_never_had_a_producer_is_waited_in() {
    let name = TestName::new("never");
    let mut consumer = requiring(&name);
    let error = consumer.get_timeout(Duration::from_millis(400)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
}

#[test]
fn another_channel_that_never_had_a_producer_is_waited_in() {
    let name = TestName::new("another");
    io_shared::producer::<u64>(&name).unwrap().put(&1).unwrap();
    let mut consumer = requiring(&name);
    assert_eq!(*consumer.get().unwrap(), 1);
    io_shared::remove(&name).unwrap();
    // A consumer creates it.
    let _other = io_shared::consumer::<u64>(&name).unwrap();
    for _ in 0..2 {
        let error = consumer.get_timeout(Duration::from_millis(120)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
    }
    // One value, as in the channel before.
    io_shared::producer::<u64>(&name).unwrap().put(&2).unwrap();
    assert_eq!(*consumer.get().unwrap(), 2);
    assert_no_producer(&consumer.get().unwrap_err());
}
