//! Observers that wait: they look again and again, as seldom as the producer's period allows.
//! `IO_SHARED_SLOW=1` runs the long versions of the measurements, with the bounds that a release
//! build keeps on a quiet machine:
//! `IO_SHARED_SLOW=1 cargo test --release --test observer_waits -- --nocapture --test-threads 1`.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::print_stdout, reason = "it has figures to show")]

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use io_shared::{Channel, ErrorKind, Observer, Producer};
use nix::sys::resource::{UsageWho, getrusage};
use test_support::TestName;

const LONG: Duration = Duration::from_secs(60);

/// The time from one put to the next.
const PERIOD: Duration = Duration::from_millis(10);

fn is_slow() -> bool {
    std::env::var_os("IO_SHARED_SLOW").is_some()
}

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
    let slow = is_slow();
    let count = if slow { 3000 } else { 200 };
    let name = TestName::new("observes-all");
    let (mut producer, mut observer) = both(&name);
    let putting = std::thread::spawn(move || {
        for i in 1..=count {
            producer.put(&i).unwrap();
            std::thread::sleep(PERIOD); // and no bursts after a pause of the machine
        }
    });
    let (before, mut seen) = (used(), 0);
    loop {
        let copy = observer.wait(LONG).unwrap();
        assert_eq!(*copy, copy.seq());
        seen += 1;
        if *copy == count {
            break;
        }
    }
    let (used, whole) = (used() - before, PERIOD * count as u32);
    putting.join().unwrap();
    println!("{seen} of {count} values, {used:?} of {whole:?}");
    // The other bounds leave room for a machine that has much else to do.
    let (missed, share) = if slow { (count / 1000, 100) } else { (count / 10, 30) };
    assert!(seen >= count - missed, "{seen} of {count}");
    assert!(used < whole / share, "{used:?} of {whole:?}");
}

/// How long a put takes, as the median of a round at 100 Hz.
fn median_put(producer: &mut Producer<u64>, puts: u32) -> Duration {
    let started = Instant::now();
    let mut took: Vec<Duration> = (1..=puts)
        .map(|i| {
            let due = started + PERIOD * i;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let before = Instant::now();
            producer.put(&i.into()).unwrap();
            before.elapsed()
        })
        .collect();
    took.sort_unstable();
    took[took.len() / 2]
}

#[test]
fn a_put_takes_no_longer_while_an_observer_waits() {
    let (pairs, puts, most) = if is_slow() { (15, 200, 1.02) } else { (3, 30, 3.0) };
    let name = TestName::new("observes-free");
    let (mut producer, mut observer) = both(&name);
    let (waits, done) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                match waits.load(Relaxed) {
                    true => drop(observer.wait(PERIOD * 2)),
                    false => std::thread::sleep(PERIOD),
                }
            }
        });
        let mut ratios: Vec<f64> = (0..pairs)
            .map(|pair| {
                let mut round = |with: bool| {
                    waits.store(with, Relaxed);
                    median_put(&mut producer, puts).as_nanos() as f64
                };
                // By turns, so that what goes on meanwhile befalls both.
                let first = round(pair % 2 == 0);
                let second = round(pair % 2 != 0);
                if pair % 2 == 0 { first / second } else { second / first }
            })
            .collect();
        done.store(true, Relaxed);
        ratios.sort_unstable_by(f64::total_cmp);
        println!("a put takes {:.3} of what it takes without: {ratios:.3?}", ratios[pairs / 2]);
        assert!(ratios[pairs / 2] < most, "{ratios:.3?}");
    });
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
