//! Channels removed or replaced under their users: handles notice, and go on in the new one unless
//! they were asked not to.

#![allow(clippy::unwrap_used)]

use std::fmt::Debug;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use io_shared::{AnyConsumer, Channel, Consumer, ErrorKind, Message, wait_any};
use nix::sys::signal::Signal;
use test_support::claims::claim;
use test_support::peer::{Peer, arguments, tell};
use test_support::timing::once_within;
use test_support::{TestName, eventually};

#[test]
fn peers_of_a_removed_channel_say_replaced_at_once() {
    once_within(Duration::from_millis(200), peers_of_a_removed_channel_say_replaced);
}

/// Returns how long it took.
fn peers_of_a_removed_channel_say_replaced() -> Duration {
    let name = TestName::new("removed");
    let channel = || Channel::<u64>::named(&*name).reopen(false);
    let mut producer = channel().producer().unwrap();
    let mut consumer = channel().consumer().unwrap();
    let mut observer = channel().observer().unwrap();
    producer.put(&1).unwrap();
    let took = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            drop(consumer.get().unwrap());
            consumer.get().map(drop)
        });
        std::thread::sleep(Duration::from_millis(20));
        let loan = producer.loan().unwrap();
        Channel::remove(&name).unwrap();
        let removed = Instant::now();
        assert_eq!(*loan.put().unwrap_err().kind(), ErrorKind::Replaced);
        assert_eq!(*waiting.join().unwrap().unwrap_err().kind(), ErrorKind::Replaced);
        removed.elapsed()
    });
    assert_eq!(*producer.put(&2).unwrap_err().kind(), ErrorKind::Replaced);
    assert_eq!(*observer.copy().unwrap_err().kind(), ErrorKind::Replaced);
    assert_eq!(*Channel::remove(&name).unwrap_err().kind(), ErrorKind::NotFound);
    took
}

#[test]
fn peers_notice_a_name_that_was_deleted_or_renamed_over_without_a_word() {
    for rename in [false, true] {
        once_within(Duration::from_millis(250), || peers_notice_a_name_that_was_deleted(rename));
    }
}

/// Returns how long it took.
fn peers_notice_a_name_that_was_deleted(rename: bool) -> Duration {
    let (name, kept) = (TestName::new("deleted"), TestName::new("kept"));
    let channel = || Channel::<u64>::named(&*name).reopen(false);
    let mut producer = channel().producer().unwrap();
    let mut consumer = channel().consumer().unwrap();
    if rename {
        let other = TestName::new("other");
        drop(io_shared::producer::<u64>(&other).unwrap());
        // Another name still leads to the old one, so its link count tells nothing.
        std::fs::hard_link(name.path(), kept.path()).unwrap();
        std::fs::rename(other.path(), name.path()).unwrap();
    } else {
        std::fs::remove_file(name.path()).unwrap();
    }
    let started = Instant::now();
    // Peers that never sleep notice as well.
    eventually("the producer notices", || {
        producer.put(&1).is_err_and(|error| *error.kind() == ErrorKind::Replaced)
    });
    eventually("the consumer notices", || {
        consumer.try_get().is_err_and(|error| *error.kind() == ErrorKind::Replaced)
    });
    let took = started.elapsed();
    // And they do not forget it.
    assert_eq!(*producer.put(&1).unwrap_err().kind(), ErrorKind::Replaced);
    took
}

#[test]
fn handles_go_on_in_the_new_channel_by_default() {
    let name = TestName::new("reopen");
    let mut producer = Channel::<[u8]>::named(&*name).capacity(8).producer().unwrap();
    let mut consumer = Channel::<[u8]>::named(&*name).consumer().unwrap();
    for round in 0..3u8 {
        producer.put(&[round]).unwrap();
        assert_eq!(*consumer.get_timeout(Duration::from_secs(2)).unwrap(), [round]);
        Channel::remove(&name).unwrap();
        // There is no new channel yet, so there is nothing to get, and the deadline is kept.
        assert!(consumer.try_get().unwrap().is_none());
        let started = Instant::now();
        let error = consumer.get_timeout(Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
        assert!(error.to_string().contains("the channel was removed"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(2));
    }
}

#[test]
fn the_latest_value_of_a_removed_channel_is_not_given_for_the_latest() {
    let name = TestName::new("latest");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    let mut faithful = Channel::<u64>::named(&*name).reopen(false).consumer().unwrap();
    producer.put(&1).unwrap();
    assert_eq!(*consumer.latest().unwrap().unwrap(), 1);
    Channel::remove(&name).unwrap();
    assert!(consumer.latest().unwrap().is_none());
    assert_eq!(*faithful.latest().unwrap_err().kind(), ErrorKind::Replaced);

    // Nor is it where nobody announced the removal.
    let name = TestName::new("latest-deleted");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    let mut faithful = Channel::<u64>::named(&*name).reopen(false).consumer().unwrap();
    producer.put(&1).unwrap();
    std::fs::remove_file(name.path()).unwrap();
    eventually("the consumer notices", || consumer.latest().unwrap().is_none());
    eventually("the faithful consumer notices", || {
        faithful.latest().is_err_and(|error| *error.kind() == ErrorKind::Replaced)
    });
}

/// Longer than a consumer goes without checking where its name leads.
const LATER: Duration = Duration::from_millis(120);
const LONG: Duration = Duration::from_secs(5);

/// A consumer that has not seen 1, the last value of a channel that is gone. Meanwhile 2 was put
/// into a new channel of the same name.
fn left_behind<T: Message + Copy>(
    name: &TestName,
    reopens: bool,
    renamed: bool,
    value: impl Fn(u64) -> T,
) -> Consumer<T> {
    let channel = |name: &TestName| Channel::<T>::named(&**name).stamps(!renamed);
    let mut old = channel(name).producer().unwrap();
    let consumer = channel(name).reopen(reopens).consumer().unwrap();
    old.put(&value(1)).unwrap();
    if renamed {
        let other = TestName::new("successor");
        channel(&other).producer().unwrap().put(&value(2)).unwrap();
        std::fs::rename(other.path(), name.path()).unwrap();
    } else {
        std::fs::remove_file(name.path()).unwrap();
        channel(name).producer().unwrap().put(&value(2)).unwrap();
    }
    std::thread::sleep(LATER);
    consumer
}

type Get<T> = fn(&mut Consumer<T>) -> io_shared::Result<Option<T>>;

/// Each kind of get.
fn gets<T: Message + Copy>() -> [(&'static str, Get<T>); 6] {
    [
        ("get", |consumer| consumer.get().map(|value| Some(*value))),
        ("get_timeout", |consumer| consumer.get_timeout(LONG).map(|value| Some(*value))),
        ("to_copy", |consumer| Ok(Some(*consumer.get()?.to_copy()?))),
        ("try_get", |consumer| Ok(consumer.try_get()?.map(|value| *value))),
        ("latest", |consumer| Ok(consumer.latest()?.map(|value| *value))),
        ("wait_any", |consumer| {
            let ready = wait_any(&[consumer as &dyn AnyConsumer], LONG)?;
            assert!(ready.contains(0));
            Ok(consumer.try_get()?.map(|value| *value))
        }),
    ]
}

/// Small values, which are stored inline, and large ones, which are held.
fn inline(value: u64) -> [u64; 3] {
    [value; 3]
}

fn large(value: u64) -> [u64; 100] {
    [value; 100]
}

#[test]
fn of_a_channel_that_another_has_taken_the_name_of_no_value_is_given() {
    fn check<T: Message + Copy + PartialEq + Debug>(value: fn(u64) -> T) {
        for (what, get) in gets() {
            for renamed in [false, true] {
                let name = TestName::new("left-behind");
                let mut consumer = left_behind(&name, true, renamed, value);
                assert_eq!(get(&mut consumer).unwrap(), Some(value(2)), "{what} {renamed}");
                assert_eq!(consumer.last_seen(), 1);
                let name = TestName::new("left-faithful");
                let mut consumer = left_behind(&name, false, renamed, value);
                let told = get(&mut consumer).unwrap_err();
                assert_eq!(*told.kind(), ErrorKind::Replaced, "{what} {renamed}");
            }
        }
    }
    check(inline);
    check(large);
}

#[test]
fn the_last_value_of_a_channel_that_is_gone_is_given_once_where_nothing_has_its_name() {
    fn check<T: Message + Copy + PartialEq + Debug>(
        get: Get<T>,
        reopens: bool,
        deleted: bool,
        value: fn(u64) -> T,
    ) {
        let name = TestName::new("gone");
        let mut old = io_shared::producer::<T>(&name).unwrap();
        let mut consumer = Channel::<T>::named(&*name).reopen(reopens).consumer().unwrap();
        old.put(&value(1)).unwrap();
        if deleted {
            std::fs::remove_file(name.path()).unwrap(); // sets no flag
        } else {
            Channel::remove(&name).unwrap();
        }
        std::thread::sleep(LATER);
        assert_eq!(get(&mut consumer).unwrap(), Some(value(1)));
        // The wait goes on for a consumer that reopens.
        let error = consumer.get_timeout(Duration::from_millis(50)).unwrap_err();
        match error.kind() {
            ErrorKind::Timeout { .. } => assert!(reopens),
            kind => assert!(!reopens && *kind == ErrorKind::Replaced, "{error}"),
        }
        assert_eq!(consumer.try_get().is_err(), !reopens);
        assert!(!consumer.has_producer().unwrap(), "nobody puts into what is gone");
        drop(old);
        let mut new = io_shared::producer::<T>(&name).unwrap();
        new.put(&value(2)).unwrap();
        if reopens {
            assert_eq!(*consumer.get_timeout(LONG).unwrap(), value(2));
        }
    }
    std::thread::scope(|scope| {
        let places = [true, false].map(|reopens| [true, false].map(|deleted| (reopens, deleted)));
        for (reopens, deleted) in places.into_iter().flatten() {
            for (what, get) in gets().into_iter().filter(|(what, _)| *what != "latest") {
                scope.spawn(move || check(get, reopens, deleted, inline));
                let (_, get) = gets().into_iter().find(|(other, _)| *other == what).unwrap();
                scope.spawn(move || check(get, reopens, deleted, large));
            }
        }
    });
}

#[test]
fn a_producer_that_only_lends_goes_on_in_a_new_channel_without_an_error() {
    let name = TestName::new("lends");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    for value in 1..4 {
        std::fs::remove_file(name.path()).unwrap(); // sets no flag
        std::thread::sleep(LATER);
        let mut loan = producer.loan().unwrap();
        *loan = value;
        loan.put().unwrap();
        assert_eq!(*io_shared::consumer::<u64>(&name).unwrap().get().unwrap(), value);
    }
    // A channel of another that took the name is not taken from it.
    let loan = producer.loan().unwrap();
    Channel::remove(&name).unwrap();
    let other = io_shared::producer::<u64>(&name).unwrap();
    assert!(matches!(loan.put().unwrap_err().kind(), ErrorKind::RoleTaken { .. }));
    assert!(matches!(producer.loan().unwrap_err().kind(), ErrorKind::RoleTaken { .. }));
    assert!(matches!(producer.put(&5).unwrap_err().kind(), ErrorKind::RoleTaken { .. }));
    drop(other);
    producer.put(&6).unwrap();
}

#[test]
fn handles_that_live_at_the_end_of_a_test_bring_back_nothing_that_it_removes() {
    let name = TestName::new("test");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    let observer = Channel::<u64>::named(&*name).observer().unwrap();
    producer.put(&1).unwrap();
    assert_eq!(*consumer.get().unwrap(), 1);
    producer.put(&2).unwrap();
    Channel::remove(&name).unwrap();
    assert_eq!(*producer.sync().unwrap_err().kind(), ErrorKind::Replaced);
    assert_eq!(*producer.wait_taken(LONG).unwrap_err().kind(), ErrorKind::Replaced);
    assert_eq!(producer.seq(), 2);
    assert_eq!(*consumer.get().unwrap(), 2);
    assert!(consumer.try_get().unwrap().is_none());
    drop((producer, consumer, observer));
    assert!(!name.path().exists());
}

#[test]
fn a_handle_of_any_type_keeps_the_type_that_it_found() {
    let name = TestName::new("any-type");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let any = || Channel::<[u8]>::named(&*name).any_schema();
    let (mut consumer, mut observer) = (any().consumer().unwrap(), any().observer().unwrap());
    producer.put(&1).unwrap();
    assert_eq!(*consumer.get().unwrap(), 1_u64.to_ne_bytes());
    Channel::remove(&name).unwrap();
    drop(producer);
    let mut other = io_shared::producer::<f64>(&name).unwrap();
    other.put(&2.0).unwrap();
    for error in [consumer.get().unwrap_err(), observer.copy().unwrap_err()] {
        assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{error}");
    }
    assert_eq!(consumer.schema(), &u64::schema());
    // A new channel of its own type.
    drop(other);
    Channel::remove(&name).unwrap();
    io_shared::producer::<u64>(&name).unwrap().put(&3).unwrap();
    assert_eq!(*consumer.get().unwrap(), 3_u64.to_ne_bytes());
    assert_eq!(*observer.copy().unwrap().unwrap(), 3_u64.to_ne_bytes());
}

#[test]
fn sleeper() {
    let Some(arguments) = arguments() else { return };
    let mut consumer = io_shared::consumer::<u64>(&arguments[0]).unwrap();
    tell("open");
    tell(&consumer.get_timeout(LONG).unwrap().to_string());
}

#[test]
fn a_consumer_that_was_stopped_in_its_sleep_gets_nothing_of_a_channel_whose_name_another_took() {
    let name = TestName::new("stopped");
    let mut old = io_shared::producer::<u64>(&name).unwrap();
    let mut sleeper = Peer::start("sleeper", &[&name]);
    sleeper.expect("open");
    let path = name.path();
    eventually("it sleeps", || std::fs::read(&path).unwrap()[0x108] != 0);
    sleeper.stop();
    // Put soon after the consumer's last check of the name, judging by the stamp.
    old.put(&1).unwrap();
    std::fs::remove_file(name.path()).unwrap();
    io_shared::producer::<u64>(&name).unwrap().put(&2).unwrap();
    std::thread::sleep(LATER);
    sleeper.signal(Signal::SIGCONT);
    sleeper.expect("2");
    sleeper.end();
}

#[test]
fn a_stamp_of_the_future_does_not_hide_that_the_name_is_gone() {
    let name = TestName::new("future");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let mut consumer = Channel::<u64>::named(&*name).reopen(false).consumer().unwrap();
    producer.put(&1).unwrap();
    let file = std::fs::File::options().write(true).open(name.path()).unwrap();
    // Next to `latest`, where it is read inline, and in the buffers.
    let mut first = [0; 8];
    std::fs::File::open(name.path()).unwrap().read_exact_at(&mut first, 48).unwrap();
    let first = u64::from_le_bytes(first);
    file.write_all_at(&u64::MAX.to_le_bytes(), 0x90).unwrap();
    for buffer in 0..3 {
        file.write_all_at(&u64::MAX.to_le_bytes(), first + buffer * 128 + 16).unwrap();
    }
    let value = consumer.get().unwrap();
    assert_eq!((value.stamp(), value.age()), (u64::MAX, None));
    drop(value);
    std::fs::remove_file(name.path()).unwrap();
    eventually("the consumer notices", || {
        consumer.try_get().is_err_and(|error| *error.kind() == ErrorKind::Replaced)
    });
}

#[test]
fn an_observer_notices_and_reopens_as_the_others_do() {
    let name = TestName::new("observer");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let mut faithful = Channel::<u64>::named(&*name).reopen(false).observer().unwrap();
    let mut observer = Channel::<u64>::named(&*name).observer().unwrap();
    for value in 1..4 {
        producer.put(&value).unwrap();
        assert_eq!(*observer.copy().unwrap().unwrap(), value);
        Channel::remove(&name).unwrap();
        // There is no new channel yet.
        assert!(observer.copy().unwrap().is_none());
        assert_eq!(*faithful.copy().unwrap_err().kind(), ErrorKind::Replaced);
    }
}

#[test]
fn every_consumer_that_reopens_finds_its_slot_in_the_new_channel() {
    let name = TestName::new("slots");
    let open = || Channel::<u64>::named(&*name);
    let mut producer = open().producer().unwrap();
    let mut consumers = [open().consumer().unwrap(), open().consumer().unwrap()];
    producer.put(&1).unwrap();
    for consumer in &mut consumers {
        assert_eq!(*consumer.get().unwrap(), 1);
    }
    Channel::remove(&name).unwrap();
    std::thread::scope(|scope| {
        let gets = consumers.each_mut().map(|consumer| {
            scope.spawn(|| consumer.get_timeout(Duration::from_secs(2)).map(|value| *value))
        });
        // Each of them checks the name at least once while there is no channel.
        std::thread::sleep(Duration::from_millis(20));
        assert!(!name.path().exists(), "a consumer that reopens creates nothing");
        producer.put(&2).unwrap();
        for get in gets {
            assert_eq!(get.join().unwrap().unwrap(), 2);
        }
    });
}

#[test]
fn a_consumer_that_reopens_waits_past_a_channel_of_another_shape() {
    let name = TestName::new("shapes");
    let producer = Channel::<[u64]>::named(&*name).elements(4).producer().unwrap();
    let mut consumer = Channel::<[u64]>::named(&*name).consumer().unwrap();
    drop(producer);
    Channel::remove(&name).unwrap();
    drop(Channel::<[u32]>::named(&*name).elements(4).producer().unwrap());
    // Nobody is using it, which counts as no channel yet, and deadlines are kept.
    assert!(consumer.try_get().unwrap().is_none());
    let started = Instant::now();
    let error = consumer.get_timeout(Duration::from_millis(50)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    std::thread::scope(|scope| {
        let get = scope.spawn(|| consumer.get_timeout(Duration::from_secs(2)).map(|v| v.len()));
        let mut producer = Channel::<[u64]>::named(&*name).elements(4).producer().unwrap();
        producer.put(&[1, 2]).unwrap();
        assert_eq!(get.join().unwrap().unwrap(), 2);
    });
}

#[test]
fn a_reopening_keeps_its_deadline_while_a_stopped_process_has_the_regions_lock() {
    let name = TestName::new("stuck");
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    Channel::remove(&name).unwrap();
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    producer.put(&1).unwrap();
    let stuck = claim(&name, 0, 1);
    once_within(Duration::from_millis(250), || {
        let started = Instant::now();
        let error = consumer.get_timeout(Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
        started.elapsed()
    });
    once_within(Duration::from_millis(50), || {
        let started = Instant::now();
        assert!(consumer.try_get().unwrap().is_none());
        started.elapsed()
    });
    drop(stuck);
    assert_eq!(*consumer.get_timeout(Duration::from_secs(2)).unwrap(), 1);
}

#[test]
fn a_guard_outlives_the_channel_it_came_from() {
    let name = TestName::new("guards");
    let open = || Channel::<[u64; 100]>::named(&*name).holds(2);
    let (mut producer, mut consumer) = (open().producer().unwrap(), open().consumer().unwrap());
    producer.put(&[1; 100]).unwrap();
    let first = consumer.get().unwrap().into_owned();
    for value in 2..20 {
        Channel::remove(&name).unwrap();
        producer.put(&[value; 100]).unwrap();
        assert_eq!(*consumer.get_timeout(Duration::from_secs(2)).unwrap(), [value; 100]);
        assert_eq!(*first, [1; 100]);
    }
    drop(consumer);
    assert_eq!(*first, [1; 100]);
}

#[test]
fn a_put_does_not_fail_where_the_new_channel_is_removed_as_well() {
    let name = TestName::new("storm");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let deadline = Instant::now() + Duration::from_millis(500);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while Instant::now() < deadline {
                let _ = Channel::remove(&name);
                // A put gives up after several reopenings in a row, so pause between them.
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        while Instant::now() < deadline {
            producer.put(&1).unwrap();
        }
    });
}
