//! Channels whose capacity grows while others use them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use io_shared::{Channel, Consumer, ErrorKind, Observer, Producer};
use test_support::{TestFile, TestName, eventually};

const SECONDS: Duration = Duration::from_secs(20);

fn growing(name: &TestName) -> Channel<[u64]> {
    Channel::named(&**name).growing(true).reopen(true)
}

fn follower(name: &TestName) -> Channel<[u64]> {
    Channel::named(&**name).reopen(true).open_timeout(SECONDS)
}

/// Puts a value of this many words, each of which is its number.
fn put(producer: &mut Producer<[u64]>, words: usize) -> u64 {
    let sequence = producer.seq() + 1;
    assert_eq!(producer.put(&vec![sequence; words]).unwrap(), sequence);
    sequence
}

fn assert_whole(value: &[u64], sequence: u64) {
    assert!(value.iter().all(|word| *word == sequence), "value {sequence} is torn");
}

/// Gets until the channel is closed by a value of one word that is 0.
fn follow(mut consumer: Consumer<[u64]>, holds: bool) -> u64 {
    let (mut last, mut held, mut count) = (0, None, 0);
    loop {
        let value = consumer.get_timeout(SECONDS).unwrap();
        if *value == [0] {
            return count;
        }
        let sequence = value.seq();
        assert_whole(&value, sequence);
        assert!(sequence > last, "{sequence} after {last}");
        if last > 0 {
            assert_eq!(value.missed(), sequence - last - 1, "{sequence} after {last}");
        }
        last = sequence;
        count += 1;
        if holds && count % 100 == 1 {
            held = Some((sequence, value.into_owned()));
        }
        if let Some((sequence, value)) = &held {
            assert_whole(value, *sequence);
        }
    }
}

fn look_on(mut observer: Observer<[u64]>, done: &AtomicBool) -> u64 {
    let mut last = 0;
    while !done.load(Ordering::Relaxed) {
        match observer.copy() {
            Ok(Some(copy)) if *copy != [0] => {
                assert_whole(&copy, copy.seq());
                assert!(copy.seq() >= last, "{} after {last}", copy.seq());
                last = copy.seq();
            }
            Ok(_) => {}
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Busy { .. }), "{error}"),
        }
    }
    last
}

/// Ends the looks also when a check fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_capacity_that_doubles_ten_times_costs_three_consumers_and_an_observer_nothing() {
    let name = TestName::new("doubles");
    let mut producer = growing(&name).elements(16).producer().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let follows = |holds: bool| {
            let consumer = follower(&name).holds(2).consumer().unwrap();
            scope.spawn(move || follow(consumer, holds))
        };
        let consumers = [follows(false), follows(true), follows(true)];
        let (observer, done) = (follower(&name).observer().unwrap(), &done);
        let looking = scope.spawn(move || look_on(observer, done));
        // If a check fails, this ends the looks; the gets end by their timeout.
        let ends = Ends(done);
        for doubling in 0..10 {
            let words = 16 << doubling;
            for _ in 0..500 {
                put(&mut producer, words);
            }
            put(&mut producer, words + 1);
            assert_eq!(producer.capacity(), (16 * 16) << doubling, "in bytes");
            assert_eq!(producer.wait_taken(SECONDS).unwrap(), 3, "each has had it, or a later one");
        }
        producer.put(&[0]).unwrap();
        for consumer in consumers {
            assert!(consumer.join().unwrap() >= 10);
        }
        drop(ends);
        assert!(looking.join().unwrap() > 0);
    });
    Channel::remove(&name).unwrap();
}

/// How long a sleeping consumer takes to have a value that its channel grew for.
fn time_of_a_growth() -> Duration {
    let name = TestName::new("woken");
    let mut producer = growing(&name).elements(1).producer().unwrap();
    let mut consumer = follower(&name).consumer().unwrap();
    put(&mut producer, 1);
    drop(consumer.get().unwrap());
    std::thread::scope(|scope| {
        let getting = scope.spawn(move || {
            let value = consumer.get_timeout(SECONDS).unwrap();
            (value.len(), value.seq(), value.missed())
        });
        std::thread::sleep(Duration::from_millis(20));
        let started = Instant::now();
        put(&mut producer, 100);
        assert_eq!(getting.join().unwrap(), (100, 2, 0));
        started.elapsed()
    })
}

#[test]
fn a_sleeping_consumer_is_woken_and_has_the_larger_value() {
    // Without a wake each would take the 80 ms that are left of its slice.
    let fastest = (0..8).map(|_| time_of_a_growth()).min().unwrap();
    assert!(fastest < Duration::from_millis(40), "{fastest:?}: by a slice's end");
}

#[test]
fn the_value_before_a_growth_is_received_once_whenever_a_consumer_notices() {
    for idle in [Duration::ZERO, Duration::from_millis(120)] {
        let name = TestName::new("once");
        let mut producer = growing(&name).elements(1).producer().unwrap();
        let mut consumer = follower(&name).consumer().unwrap();
        for _ in 0..3 {
            put(&mut producer, 1);
        }
        drop(producer.loan_len(50).unwrap()); // it grows, and puts nothing
        std::thread::sleep(idle);
        let value = consumer.get_timeout(SECONDS).unwrap();
        assert_eq!((&*value, value.seq(), value.missed()), (&[3][..], 3, 2));
        drop(value);
        std::thread::sleep(Duration::from_millis(120));
        assert!(consumer.try_get().unwrap().is_none(), "and not again");
        put(&mut producer, 50);
        let value = consumer.get_timeout(SECONDS).unwrap();
        assert_eq!((value.len(), value.seq(), value.missed()), (50, 4, 0));
    }
}

/// The slots of the consumers that are connected, and their names.
fn connected(producer: &Producer<[u64]>) -> Vec<(usize, Option<String>)> {
    let holders = producer.connected().unwrap().into_iter();
    holders.map(|holder| (holder.slot.unwrap(), holder.name)).collect()
}

#[test]
fn consumers_keep_their_slots_and_a_restarted_one_goes_on_where_it_stopped() {
    let name = TestName::new("slots");
    let mut producer = growing(&name).elements(1).producer().unwrap();
    let named = || follower(&name).consumer_name("log").consumer().unwrap();
    let mut consumers: Vec<_> = (0..3).map(|_| follower(&name).consumer().unwrap()).collect();
    let mut log = named();
    put(&mut producer, 1);
    drop(log.get().unwrap());
    drop(consumers[0].get().unwrap());
    drop(log);
    let before = [(0, None), (1, None), (2, None)];
    assert_eq!(connected(&producer), before);
    put(&mut producer, 2);
    assert_eq!(connected(&producer), before, "although they are in the old region");
    // The last first, and one that was never there before any of them.
    let mut log = named();
    let value = log.get_timeout(SECONDS).unwrap();
    assert_eq!((value.seq(), value.missed()), (2, 0), "value 1 is received");
    drop(value);
    for consumer in consumers.iter_mut().rev() {
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(consumer.get_timeout(SECONDS).unwrap().seq(), 2);
        assert_eq!(consumer.capacity(), 16);
    }
    let all = [(0, None), (1, None), (2, None), (3, Some("log".into()))];
    assert_eq!(connected(&producer), all);
    drop(consumers);
    eventually("their claims are gone", || connected(&producer) == all[3..]);
}

#[test]
fn a_wait_for_takers_counts_consumers_that_have_not_followed_yet() {
    let name = TestName::new("awaited");
    let mut producer = growing(&name).elements(1).producer().unwrap();
    let mut consumer = follower(&name).consumer().unwrap();
    put(&mut producer, 1);
    drop(consumer.get().unwrap());
    put(&mut producer, 9);
    let error = producer.wait_taken(Duration::from_millis(10)).unwrap_err();
    assert!(error.to_string().contains("value 2 to be taken by: slot 0"), "{error}");
    std::thread::sleep(Duration::from_millis(100));
    drop(consumer.get().unwrap());
    assert_eq!(producer.wait_taken(SECONDS).unwrap(), 1);
    put(&mut producer, 99);
    drop(consumer); // it never follows
    assert_eq!(producer.wait_taken(SECONDS).unwrap(), 0);
}

#[test]
fn a_consumer_that_joins_after_a_growth_is_not_taken_for_one_that_has_yet_to_follow() {
    let name = TestName::new("newcomer");
    let mut producer = growing(&name).elements(1).producer().unwrap();
    let mut old = follower(&name).consumer().unwrap();
    put(&mut producer, 1);
    drop(old.get().unwrap());
    drop(producer.loan_len(9).unwrap()); // it grows, and puts nothing
    let mut new = follower(&name).consumer().unwrap();
    assert_eq!(new.get_timeout(SECONDS).unwrap().seq(), 1, "a newcomer has received nothing yet");
    assert_eq!(connected(&producer), [(0, None), (0, None)]);
    put(&mut producer, 9);
    assert_eq!(new.get_timeout(SECONDS).unwrap().seq(), 2);
    let error = producer.wait_taken(Duration::from_millis(10)).unwrap_err();
    assert!(error.to_string().contains("value 2 to be taken by: slot 0"), "{error}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| producer.wait_taken(SECONDS).unwrap());
        std::thread::sleep(Duration::from_millis(120));
        // It has followed, and has not had the value yet.
        assert!(!waiting.is_finished());
        let value = old.get_timeout(SECONDS).unwrap();
        assert_eq!((value.seq(), value.missed()), (2, 0));
        drop(value);
        assert_eq!(waiting.join().unwrap(), 2);
    });
    assert_eq!(connected(&producer), [(0, None), (1, None)]);
}

#[test]
fn a_channel_that_grows_needs_no_capacity_and_takes_what_it_finds() {
    let name = TestName::new("sizeless");
    let mut producer = growing(&name).producer().unwrap();
    assert_eq!(producer.capacity(), 4096);
    put(&mut producer, 512);
    assert_eq!(producer.capacity(), 4096, "it fits");
    put(&mut producer, 513);
    assert_eq!(producer.capacity(), 8192);
    drop(producer);
    let mut producer = growing(&name).capacity("1M").producer().unwrap();
    assert_eq!((producer.capacity(), producer.seq()), (8192, 2), "no mismatch");
    put(&mut producer, 1 << 17);
    assert_eq!(producer.capacity(), 1 << 20);
    let error = Channel::<[u64]>::named(&*name).capacity("2M").producer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{error}");
}

#[test]
fn a_channel_without_the_option_or_without_a_name_does_not_grow() {
    let name = TestName::new("fixed");
    let mut fixed = Channel::<[u64]>::named(&*name).elements(1).producer().unwrap();
    let error = fixed.put(&[1, 2]).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::TooLarge { needed: 16, capacity: 8 });
    assert!(!error.to_string().contains("grow"), "{error}");
    let mut nameless = Channel::<[u64]>::anonymous().elements(1).growing(true).producer().unwrap();
    let error = nameless.put(&[1, 2]).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::TooLarge { needed: 16, capacity: 8 });
    assert!(error.to_string().contains("it cannot grow (it has no name)"), "{error}");
    assert!(nameless.loan_len(2).is_err());
    assert_eq!(nameless.put(&[1]).unwrap(), 1, "and goes on");
    let impossible = usize::MAX / 8;
    let mut growing = growing(&TestName::new("impossible")).elements(1).producer().unwrap();
    assert!(matches!(
        growing.loan_len(impossible).unwrap_err().kind(),
        ErrorKind::TooLarge { .. } | ErrorKind::NoSpace { .. }
    ));
    assert_eq!(growing.put(&[1]).unwrap(), 1);
}

#[test]
fn the_larger_channel_has_the_mode_the_tags_and_the_ages_of_the_old_one() {
    let name = TestName::new("alike");
    let mut producer = growing(&name).elements(1).mode(0o640).producer().unwrap();
    producer.put_tagged(&[1], 42).unwrap();
    let before = std::fs::metadata(name.path()).unwrap();
    drop(producer.loan_len(1000).unwrap());
    let after = std::fs::metadata(name.path()).unwrap();
    assert_ne!(before.ino(), after.ino());
    assert_eq!(after.permissions().mode() & 0o7777, 0o640);
    assert_eq!((before.uid(), before.gid()), (after.uid(), after.gid()));
    let mut consumer = follower(&name).consumer().unwrap();
    let value = consumer.get().unwrap();
    assert_eq!((&*value, value.seq(), value.tag()), (&[1][..], 1, 42));
    assert!(value.age().unwrap() < SECONDS);
    let directory = std::fs::read_dir("/dev/shm").unwrap().flatten();
    let own = name.trim_start_matches('/');
    let of_this = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().contains(own);
    let hidden = directory.filter(|entry| of_this(entry) && entry.path() != name.path());
    assert_eq!(hidden.count(), 0);
}

#[test]
fn an_ephemeral_channel_that_has_grown_stays_for_consumers_on_their_way() {
    let name = TestName::new("ephemeral");
    let mut producer = growing(&name).elements(1).ephemeral(true).producer().unwrap();
    let mut consumer = follower(&name).consumer().unwrap();
    put(&mut producer, 1);
    drop(consumer.get().unwrap());
    put(&mut producer, 2);
    drop(producer);
    std::thread::sleep(Duration::from_millis(100));
    let value = consumer.get_timeout(SECONDS).unwrap();
    assert_eq!((value.seq(), value.missed()), (2, 0));
    drop(value);
    drop(consumer);
    assert!(!name.path().exists(), "and goes with the last of them");
}

#[test]
fn a_file_that_has_grown_keeps_its_value_over_a_restart() {
    let file = TestFile::new("grown");
    let open = || Channel::<[u64]>::file(&*file).growing(true).reopen(true);
    let mut producer = open().elements(1).producer().unwrap();
    let mut consumer = open().consumer().unwrap();
    put(&mut producer, 1);
    put(&mut producer, 20);
    producer.sync().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(consumer.get_timeout(SECONDS).unwrap().seq(), 2);
    drop((producer, consumer));
    let mut producer = open().producer().unwrap();
    assert_eq!((producer.seq(), producer.capacity()), (2, 256));
    assert_eq!(open().consumer().unwrap().last_seen(), 2, "the only consumer resumes");
    assert_eq!(put(&mut producer, 20), 3);
}

#[test]
fn a_channel_that_was_removed_while_it_would_grow_is_opened_anew() {
    let name = TestName::new("removed");
    let mut producer = growing(&name).elements(1).producer().unwrap();
    put(&mut producer, 1);
    Channel::remove(&name).unwrap();
    assert_eq!(producer.put(&[1; 30]).unwrap(), 1, "the first in a new channel");
    assert_eq!(&*follower(&name).consumer().unwrap().get().unwrap(), [1; 30]);
    let mut stays = Channel::<[u64]>::named(&*name).growing(true);
    drop(producer);
    stays = stays.reopen(false);
    let mut producer = stays.producer().unwrap();
    Channel::remove(&name).unwrap();
    assert_eq!(*producer.put(&[1; 300]).unwrap_err().kind(), ErrorKind::Replaced);
    assert!(!name.path().exists(), "nobody gives the name back");
}
