//! Waits that another thread ends. torture/tests/signals.rs has those that a signal handler ends.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends")]
#![allow(clippy::print_stdout, reason = "it has figures to show")]

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;
use std::time::{Duration, Instant};

use io_shared::{AnyConsumer, Channel, Consumer, ErrorKind, Interrupter, wait_any};
use test_support::timing::{once_within, usually_within};
use test_support::{TestName, eventually};

const LONG: Duration = Duration::from_secs(60);
/// Less than a slice, at whose end a waiter looks anyway.
const SOON: Duration = Duration::from_millis(80);

fn consumers(names: &[TestName]) -> Vec<Consumer<u64>> {
    names.iter().map(|name| io_shared::consumer(name).unwrap()).collect()
}

fn list(consumers: &[Consumer<u64>]) -> Vec<&dyn AnyConsumer> {
    consumers.iter().map(|consumer| consumer as &dyn AnyConsumer).collect()
}

#[track_caller]
fn is_interrupted<T>(result: io_shared::Result<T>, name: &str) {
    let error = result.err().expect("it was interrupted");
    assert_eq!(*error.kind(), ErrorKind::Interrupted, "{error}");
    assert_eq!(error.name(), name);
    assert!(error.to_string().contains("this program interrupted the wait"), "{error}");
}

/// Whether any consumer of the channel is marked as asleep.
fn is_awaited(name: &TestName) -> bool {
    std::fs::read(name.path()).unwrap()[0x108..0x128].iter().any(|byte| *byte != 0)
}

/// Interrupts again and again while `wait` sleeps in another thread, and returns how long the
/// median wait took to end.
fn median_end(name: &TestName, stop: &Interrupter, mut wait: impl FnMut() + Send) -> Duration {
    const ROUNDS: usize = 21;
    let mut ends: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            thread::scope(|scope| {
                let waiter = scope.spawn(|| {
                    wait();
                    Instant::now()
                });
                eventually("it sleeps", || is_awaited(name));
                // Whether it sleeps in the kernel by now does not matter.
                let interrupted = Instant::now();
                stop.interrupt();
                waiter.join().unwrap() - interrupted
            })
        })
        .collect();
    ends.sort_unstable();
    println!("ended after {:?}, at most {:?}", ends[ROUNDS / 2], ends[ROUNDS - 1]);
    ends[ROUNDS / 2]
}

#[test]
fn an_interrupt_ends_a_get_at_once() {
    let name = TestName::new("get");
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    let stop = consumer.interrupter();
    let end = median_end(&name, &stop, || is_interrupted(consumer.get(), &name));
    assert!(end < Duration::from_millis(10), "{end:?}");
}

#[test]
fn an_interrupt_counts_until_one_wait_has_ended_by_it_and_a_value_goes_first() {
    let name = TestName::new("sticky");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    let stop = consumer.interrupter();
    stop.interrupt();
    stop.clone().interrupt(); // the same, once more
    producer.put(&1).unwrap();
    assert_eq!(*consumer.get().unwrap(), 1);
    assert!(consumer.try_get().unwrap().is_none(), "it does not wait");
    assert!(consumer.latest().unwrap().is_some());
    is_interrupted(consumer.get(), &name);
    let error = consumer.get_timeout(Duration::from_millis(5)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
    // It outlives its consumer, and then does nothing.
    drop(consumer);
    stop.interrupt();
    assert!(io_shared::consumer::<u64>(&name).unwrap().get_timeout(Duration::ZERO).is_err());
}

/// The descriptors and mappings that this process has of a channel.
fn mappings(name: &TestName) -> (usize, usize) {
    let path = name.path();
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    let leads = |entry: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_link(entry.unwrap().path()).is_ok_and(|target| target == path)
    };
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let path = path.to_str().unwrap();
    (descriptors.filter_map(|entry| leads(entry).then_some(())).count(), maps.matches(path).count())
}

#[test]
fn ten_thousand_interrupts_at_random_moments_lose_no_value_and_leave_nothing_behind() {
    const INTERRUPTS: u64 = 10_000;
    let name = TestName::new("many");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    let stop = consumer.interrupter();
    let before = mappings(&name);
    let (done, ended) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = fastrand::Rng::with_seed(5);
            for _ in 0..INTERRUPTS {
                stop.interrupt();
                let until = Instant::now() + Duration::from_micros(random.u64(0..60));
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
            }
            done.store(true, SeqCst);
        });
        let putter = scope.spawn(|| {
            let mut random = fastrand::Rng::with_seed(6);
            while !done.load(SeqCst) {
                let seq = producer.put(&random.u64(..)).unwrap();
                if producer.wait_taken(LONG).is_err() {
                    panic!("value {seq} was lost");
                }
                thread::sleep(Duration::from_micros(random.u64(0..200)));
            }
            producer.seq()
        });
        let mut last = 0;
        while !putter.is_finished() {
            match consumer.get_timeout(Duration::from_millis(20)) {
                Ok(value) => {
                    assert_eq!((value.seq(), value.missed()), (last + 1, 0));
                    last += 1;
                }
                Err(error) if *error.kind() == ErrorKind::Interrupted => {
                    ended.fetch_add(1, SeqCst);
                }
                Err(error) => assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}"),
            }
        }
        assert_eq!(putter.join().unwrap(), last);
        println!("{} of {INTERRUPTS} interrupts ended a wait, {last} values", ended.load(SeqCst));
    });
    let ended = ended.load(SeqCst);
    assert!(ended <= INTERRUPTS && ended > INTERRUPTS / 100, "{ended}");
    let _ = consumer.get_timeout(Duration::from_millis(1)); // the last interrupt may be left
    let error = consumer.get_timeout(Duration::from_millis(1)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
    assert!(!is_awaited(&name));
    assert_eq!(mappings(&name), before);
}

#[test]
fn an_interrupt_of_the_first_or_the_last_of_many_ends_their_wait_and_is_named() {
    for count in [1, 2, 127, 128, 300] {
        let names: Vec<_> = (0..count).map(|_| TestName::new("any")).collect();
        let consumers = consumers(&names);
        for place in [count - 1, 0] {
            let stop = consumers[place].interrupter();
            let end = median_end(&names[0], &stop, || {
                is_interrupted(wait_any(&list(&consumers), LONG), &names[place]);
            });
            assert!(end < Duration::from_millis(20), "{place} of {count}: {end:?}");
        }
    }
}

#[test]
fn more_interrupters_than_one_sleep_takes_all_end_the_wait() {
    let names: Vec<_> = (0..100).map(|_| TestName::new("all")).collect();
    let mut consumers = consumers(&names);
    let stops: Vec<_> = consumers.iter().map(Consumer::interrupter).collect();
    for place in [0, 62, 63, 99] {
        let interrupted = || {
            thread::scope(|scope| {
                let waiter = scope.spawn(|| wait_any(&list(&consumers), LONG));
                eventually("it sleeps", || is_awaited(&names[0]));
                let interrupted = Instant::now();
                stops[place].interrupt();
                is_interrupted(waiter.join().unwrap(), &names[place]);
                interrupted.elapsed()
            })
        };
        once_within(Duration::from_millis(400), interrupted);
    }
    // With that many words, values still wake at once.
    let mut producer = io_shared::producer::<u64>(&names[99]).unwrap();
    usually_within(SOON, || {
        thread::scope(|scope| {
            let waiter = scope.spawn(|| wait_any(&list(&consumers), LONG).unwrap());
            eventually("it sleeps", || is_awaited(&names[0]));
            producer.put(&1).unwrap();
            assert!(waiter.join().unwrap().contains(99));
        });
        consumers[99].try_get().unwrap().unwrap().age().unwrap()
    });
}

#[test]
fn an_interrupt_ends_the_wait_for_consumers_to_take_a_value() {
    let name = TestName::new("taken");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let _consumer = io_shared::consumer::<u64>(&name).unwrap();
    producer.put(&1).unwrap();
    let stop = producer.interrupter();
    usually_within(SOON, || {
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                is_interrupted(producer.wait_taken(LONG), &name);
                Instant::now()
            });
            thread::sleep(Duration::from_millis(20)); // so that it sleeps; it does not matter here
            let interrupted = Instant::now();
            stop.interrupt();
            waiting.join().unwrap() - interrupted
        })
    });
    let error = producer.wait_taken(Duration::ZERO).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
}

#[test]
fn a_get_that_waits_for_a_new_channel_is_interrupted_too() {
    let name = TestName::new("gone");
    let producer = io_shared::producer::<u64>(&name).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    let stop = consumer.interrupter();
    Channel::remove(&name).unwrap();
    drop(producer);
    let waiting = thread::spawn(move || {
        let own = consumer.name().to_owned();
        is_interrupted(consumer.get(), &own);
        (Instant::now(), consumer)
    });
    thread::sleep(Duration::from_millis(30));
    let interrupted = Instant::now();
    stop.interrupt();
    let (ended, mut consumer) = waiting.join().unwrap();
    assert!(ended - interrupted < Duration::from_millis(300));
    // It belongs to the handle, not to the channel.
    io_shared::producer::<u64>(&name).unwrap().put(&7).unwrap();
    assert_eq!(*consumer.get_timeout(LONG).unwrap(), 7);
    stop.interrupt();
    is_interrupted(consumer.get(), &name);
}
