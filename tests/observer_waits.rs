//! Observers that wait: they look again and again, as seldom as the producer's period allows.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::time::{Duration, Instant};

use io_shared::{Channel, ErrorKind, Observer, Producer};
use nix::sys::resource::{UsageWho, getrusage};
use test_support::TestName;

const LONG: Duration = Duration::from_secs(60);

fn both(name: &str) -> (Producer<u64>, Observer<u64>) {
    let producer = io_shared::producer(name).unwrap();
    (producer, Channel::named(name).observer().unwrap())
}

/// The processor time that this thread has used.
fn used() -> Duration {
    let used = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    [used.user_time(), used.system_time()]
        .map(|time| Duration::from_micros(time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64))
        .iter()
        .sum()
}

#[test]
fn an_observer_that_waits_sees_the_values_of_a_100_hz_producer_and_is_idle_between_them() {
    const COUNT: u64 = 200;
    let name = TestName::new("observes-all");
    let (mut producer, mut observer) = both(&name);
    let putting = std::thread::spawn(move || {
        let started = Instant::now();
        for i in 1..=COUNT {
            producer.put(&i).unwrap();
            let next = started + Duration::from_millis(10) * i as u32;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    });
    let (before, mut seen) = (used(), 0);
    loop {
        let copy = observer.wait(LONG).unwrap();
        assert_eq!(*copy, copy.seq());
        seen += 1;
        if *copy == COUNT {
            break;
        }
    }
    let (used, whole) = (used() - before, Duration::from_millis(10 * COUNT));
    putting.join().unwrap();
    // These bounds leave room for a machine that has much else to do.
    assert!(seen >= COUNT * 9 / 10, "{seen} of {COUNT}");
    assert!(used < whole / 30, "{used:?} of {whole:?}");
}

#[test]
fn a_wait_returns_each_value_once_and_the_newest_first() {
    let name = TestName::new("observes-once");
    let (mut producer, mut observer) = both(&name);
    assert_eq!(observer.seq().unwrap(), 0);
    for i in 1..=3 {
        producer.put(&i).unwrap();
    }
    assert_eq!(observer.seq().unwrap(), 3);
    assert_eq!(*observer.wait(Duration::ZERO).unwrap(), 3);
    let started = Instant::now();
    let error = observer.wait(Duration::from_millis(50)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
    assert_eq!(error.name(), &*name);
    assert!((Duration::from_millis(50)..Duration::from_secs(2)).contains(&started.elapsed()));
    producer.put(&4).unwrap();
    // What was copied is not waited for.
    assert_eq!(observer.copy().unwrap().as_deref(), Some(&4));
    assert!(observer.wait(Duration::ZERO).is_err());
}

#[test]
fn a_wait_takes_no_slot_and_leaves_nothing_in_the_channel() {
    let name = TestName::new("observes-lightly");
    let (mut producer, mut observer) = both(&name);
    producer.put(&1).unwrap();
    let before = std::fs::read(name.path()).unwrap();
    assert!(observer.wait(LONG).is_ok());
    assert!(observer.wait(Duration::from_millis(30)).is_err());
    assert!(std::fs::read(name.path()).unwrap() == before, "not a byte has changed");
    assert_eq!(producer.connected().unwrap(), []);
}

#[test]
fn a_wait_goes_on_in_a_new_channel_or_says_that_the_old_one_is_gone() {
    let name = TestName::new("observes-on");
    let (mut producer, _) = both(&name);
    let open = |reopen| Channel::<u64>::named(&*name).reopen(reopen).observer().unwrap();
    let (mut follower, mut faithful) = (open(true), open(false));
    producer.put(&1).unwrap();
    assert_eq!(*follower.wait(LONG).unwrap(), 1);
    assert_eq!(*faithful.wait(LONG).unwrap(), 1);
    io_shared::remove(&name).unwrap();
    drop(producer);
    assert_eq!(*faithful.wait(LONG).unwrap_err().kind(), ErrorKind::Replaced);
    assert!(follower.wait(Duration::from_millis(20)).is_err());
    assert_eq!(follower.seq().unwrap(), 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            // The same number as in the old channel, and another value.
            io_shared::producer::<u64>(&name).unwrap().put(&2).unwrap();
        });
        assert_eq!(*follower.wait(LONG).unwrap(), 2);
    });
}

#[test]
fn a_wait_returns_no_value_twice_across_a_growth() {
    let name = TestName::new("observes-growth");
    let channel = Channel::<[u8]>::named(&*name);
    let mut producer = channel.clone().growing(true).capacity(100).producer().unwrap();
    let mut observer = channel.observer().unwrap();
    let mut length = 100;
    for seq in 1..=8 {
        producer.put(&vec![seq as u8; length]).unwrap();
        let copy = observer.wait(LONG).unwrap();
        assert_eq!((copy.seq(), copy.len()), (seq, length));
        // The region of the value that was just copied is replaced, and the value goes along.
        length *= 3;
        let loan = producer.loan_len(length).unwrap();
        let error = observer.wait(Duration::from_millis(150)).map(|copy| copy.seq()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{seq}: {error}");
        assert_eq!(observer.seq().unwrap(), seq, "it is there");
        drop(loan);
    }
}
