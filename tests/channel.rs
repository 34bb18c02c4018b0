//! What a user of one channel sees: put, get, loans, guards, several consumers.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use io_shared::{Channel, ErrorKind, Message, OwnedGuard};
use test_support::messages::{Cloud, FrameLabels, Point};
use test_support::timing::once_within;
use test_support::{PATIENCE, TestName, eventually};

fn point(x: f32) -> Point {
    Point { x, y: 1.0, z: 2.0, intensity: 0.5 }
}

#[test]
fn a_cloud_is_filled_in_place_and_read_in_place() {
    let name = TestName::new("cloud");
    let mut clouds = Channel::<Cloud>::named(&*name).capacity("1M").producer().unwrap();
    let mut viewer = Channel::<Cloud>::named(&*name).consumer().unwrap();
    let mut cloud = clouds.loan_len(1000).unwrap();
    cloud.frame = 7;
    for (i, p) in cloud.points.iter_mut().enumerate() {
        *p = point(i as f32);
    }
    cloud.truncate(900);
    assert_eq!(cloud.put().unwrap(), 1);
    let seen = viewer.get().unwrap();
    assert_eq!((seen.frame, seen.points.len(), seen.points[899]), (7, 900, point(899.0)));
    assert!(seen.age().unwrap() < Duration::from_secs(5));
}

#[test]
fn a_tail_that_ends_within_the_alignment_keeps_its_length() {
    let name = TestName::new("labels");
    let mut labels = Channel::<FrameLabels>::named(&*name).elements(3).producer().unwrap();
    let mut consumer = Channel::<FrameLabels>::named(&*name).consumer().unwrap();
    assert_eq!(labels.capacity(), 8 + 12);
    for length in 0..=3 {
        let mut loan = labels.loan_len(length).unwrap();
        loan.labels.fill(9);
        loan.put().unwrap();
        assert_eq!(consumer.get().unwrap().labels.len(), length);
    }
    let error = labels.loan_len(4).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::TooLarge { needed: 24, capacity: 20 });
    let huge = labels.loan_len(usize::MAX).unwrap_err();
    assert!(matches!(huge.kind(), ErrorKind::TooLarge { .. }), "{huge}");
}

#[test]
fn the_newest_value_wins_and_the_others_are_counted_as_missed() {
    let name = TestName::new("newest");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    for value in 1..=10 {
        producer.put(&value).unwrap();
    }
    let value = consumer.get().unwrap();
    assert_eq!((*value, value.seq(), value.missed()), (10, 10, 9));
    drop(value);
    assert!(consumer.try_get().unwrap().is_none());
    let again = consumer.latest().unwrap().unwrap();
    assert_eq!((*again, again.missed()), (10, 0));
}

#[test]
fn a_held_value_never_changes_under_its_reader() {
    let name = TestName::new("held");
    let mut producer = io_shared::producer::<[u64; 64]>(&name).unwrap();
    let mut consumer = io_shared::consumer::<[u64; 64]>(&name).unwrap();
    producer.put(&[1; 64]).unwrap();
    let held = consumer.get().unwrap();
    for value in 2..10_000 {
        producer.put(&[value; 64]).unwrap();
        assert_eq!(*held, [1; 64]);
    }
}

#[test]
#[expect(clippy::forget_non_drop, reason = "it may have a destructor one day")]
fn a_loan_dropped_publishes_nothing_and_a_forgotten_one_is_used_again() {
    let name = TestName::new("dropped");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    for _ in 0..1000 {
        *producer.loan().unwrap() = 5;
        let mut loan = producer.loan().unwrap();
        *loan = 6;
        std::mem::forget(loan);
    }
    assert!(consumer.try_get().unwrap().is_none());
    assert_eq!(*producer.loan_zeroed().unwrap(), 0);
    producer.put(&7).unwrap();
    assert_eq!(*consumer.get().unwrap(), 7);
}

#[test]
fn every_consumer_gets_every_newest_value() {
    let name = TestName::new("many");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let open = || Channel::<u64>::named(&*name).consumer();
    let mut consumers = [open().unwrap(), open().unwrap(), open().unwrap()];
    assert_eq!(producer.connected().unwrap().len(), 3);
    producer.put(&1).unwrap();
    for consumer in &mut consumers {
        assert_eq!(*consumer.get().unwrap(), 1);
    }
}

#[test]
fn a_named_consumer_goes_on_where_it_stopped_and_another_starts_with_the_current_value() {
    let name = TestName::new("named");
    let open = |who: &str| Channel::<u64>::named(&*name).consumer_name(who).consumer().unwrap();
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let (mut a, mut b) = (open("a"), open("b"));
    producer.put(&1).unwrap();
    assert_eq!(*a.get().unwrap(), 1);
    drop((a, b));
    producer.put(&2).unwrap();
    producer.put(&3).unwrap();
    // In the other order.
    b = open("b");
    a = open("a");
    assert_eq!((a.last_seen(), b.last_seen()), (1, 0));
    assert_eq!(b.get().unwrap().missed(), 2);
    assert_eq!(a.get().unwrap().missed(), 1);
    drop(b);
    let mut c = open("c");
    let value = c.get().unwrap();
    assert_eq!((value.seq(), value.missed()), (3, 0));
    let taken = Channel::<u64>::named(&*name).consumer_name("c").consumer().unwrap_err();
    assert!(matches!(taken.kind(), ErrorKind::RoleTaken { .. }), "{taken}");
    assert!(taken.to_string().contains("(c)"), "{taken}");
}

#[test]
fn the_only_consumer_of_a_channel_goes_on_where_it_stopped_even_without_a_name() {
    let name = TestName::new("only");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    producer.put(&1).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    assert_eq!(*consumer.get().unwrap(), 1);
    drop(consumer);
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    assert!(consumer.try_get().unwrap().is_none(), "it got value 1 before it ended");
    producer.put(&2).unwrap();
    assert_eq!(*consumer.get().unwrap(), 2);
}

#[test]
fn a_consumer_without_a_name_starts_anew_where_others_are_expected() {
    let name = TestName::new("one-of-two");
    let mut producer = Channel::<u64>::named(&*name).consumers(2).producer().unwrap();
    producer.put(&1).unwrap();
    for _ in 0..2 {
        let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
        assert_eq!(*consumer.try_get().unwrap().expect("it has seen nothing yet"), 1);
    }
}

#[test]
fn a_consumer_without_a_name_does_not_go_on_where_one_with_a_name_stopped() {
    let name = TestName::new("left-by-a-name");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    producer.put(&1).unwrap();
    let mut viewer = Channel::<u64>::named(&*name).consumer_name("viewer").consumer().unwrap();
    assert_eq!(*viewer.get().unwrap(), 1);
    drop(viewer);
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    let value = consumer.try_get().unwrap().expect("it has seen nothing yet");
    assert_eq!((*value, value.missed()), (1, 0));
    // It has taken another slot, and so the one with the name goes on.
    drop(consumer);
    let mut viewer = Channel::<u64>::named(&*name).consumer_name("viewer").consumer().unwrap();
    assert!(viewer.try_get().unwrap().is_none());
}

#[test]
fn a_dead_sleeper_is_found_out_however_many_wakes_were_needless() {
    let name = TestName::new("needless");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let consumer = io_shared::consumer::<u64>(&name).unwrap();
    let file = std::fs::File::options().read(true).write(true).open(name.path()).unwrap();
    let asleep = 0x108;
    // It looks asleep, but is always awake already when it is woken.
    file.write_all_at(&[1], asleep).unwrap();
    let mut put = |times: u64| {
        for value in 0..times {
            producer.put(&value).unwrap();
        }
    };
    // The producer checks for a dead sleeper after 16 wakes, then after twice as many each time.
    put((4..=10).map(|bit| 1 << bit).sum());
    drop(consumer);
    // The last check comes after 1024.
    put(1024);
    let mut byte = [0];
    file.read_exact_at(&mut byte, asleep).unwrap();
    assert_eq!(byte, [0], "nobody is there to be woken");
}

/// Too large to be stored inline.
type Large = [u64; 6];

#[test]
fn owned_guards_live_as_long_as_they_like_up_to_the_consumers_holds() {
    let name = TestName::new("owned");
    let mut producer = io_shared::producer::<Large>(&name).unwrap();
    let mut consumer = Channel::<Large>::named(&*name).holds(2).consumer().unwrap();
    let mut kept: Vec<OwnedGuard<Large>> = Vec::new();
    for value in 1..=2 {
        producer.put(&[value; 6]).unwrap();
        kept.push(consumer.get().unwrap().into_owned());
    }
    producer.put(&[3; 6]).unwrap();
    let error = consumer.get().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::AlreadyHeld { holds: 2 });
    for value in 4..1000 {
        producer.put(&[value; 6]).unwrap();
        assert_eq!((*kept[0], *kept[1]), ([1; 6], [2; 6]));
    }
    let first = kept.remove(0);
    std::thread::spawn(move || assert_eq!(*first, [1; 6])).join().unwrap();
    assert_eq!(*consumer.get().unwrap(), [999; 6]);
    // The claim lasts as long as the last guard.
    drop(consumer);
    assert_eq!(producer.connected().unwrap().len(), 1);
    drop(kept);
    assert!(producer.connected().unwrap().is_empty());
}

#[test]
fn a_forgotten_guard_costs_its_own_hold_and_nobody_elses() {
    let name = TestName::new("forgotten");
    let mut producer = io_shared::producer::<Large>(&name).unwrap();
    let mut careless = io_shared::consumer::<Large>(&name).unwrap();
    let mut careful = io_shared::consumer::<Large>(&name).unwrap();
    producer.put(&[1; 6]).unwrap();
    std::mem::forget(careless.get().unwrap().into_owned());
    producer.put(&[2; 6]).unwrap();
    assert_eq!(*careless.get().unwrap_err().kind(), ErrorKind::AlreadyHeld { holds: 1 });
    for value in 3..100 {
        producer.put(&[value; 6]).unwrap();
        assert_eq!(*careful.get().unwrap(), [value; 6]);
    }
}

#[test]
fn a_get_wakes_up_when_a_value_is_put() {
    let name = TestName::new("wakes");
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    let producing = name.to_string();
    let thread = std::thread::spawn(move || {
        let mut producer = io_shared::producer::<u64>(&producing).unwrap();
        for value in 1..=20 {
            // Long enough for the consumer to fall asleep.
            std::thread::sleep(Duration::from_millis(10));
            producer.put(&value).unwrap();
            producer.wait_taken(PATIENCE).unwrap();
        }
    });
    let mut ages = Vec::new();
    for value in 1..=20 {
        let got = consumer.get_timeout(PATIENCE).unwrap();
        assert_eq!(*got, value);
        ages.push(got.age().unwrap());
    }
    thread.join().unwrap();
    ages.sort_unstable();
    assert!(ages[10] < Duration::from_millis(80), "found only when a slice ended: {ages:?}");
}

#[test]
fn timeouts_are_kept_and_extreme_ones_do_not_overflow() {
    let name = TestName::new("timeout");
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    for millis in [0, 1, 50, 250] {
        once_within(Duration::from_millis(millis + 100), || {
            let started = Instant::now();
            let error = consumer.get_timeout(Duration::from_millis(millis)).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
            let took = started.elapsed();
            assert!(took >= Duration::from_millis(millis), "{took:?}");
            took
        });
    }
    let open = || Channel::<u64>::named(&*name).open_timeout(Duration::MAX);
    let mut producer = open().producer().unwrap();
    producer.put(&1).unwrap();
    assert_eq!(*consumer.get_timeout(Duration::MAX).unwrap(), 1);
    assert_eq!(producer.wait_taken(Duration::MAX).unwrap(), 1);
    assert_eq!(producer.wait_taken(Duration::ZERO).unwrap(), 1);
    producer.put(&2).unwrap();
    let error = producer.wait_taken(Duration::ZERO).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
}

#[test]
fn values_without_stamps_have_no_age() {
    let name = TestName::new("stamps");
    let mut producer = Channel::<u64>::named(&*name).stamps(false).producer().unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    producer.put(&1).unwrap();
    assert_eq!(consumer.get().unwrap().age(), None);
}

#[test]
fn wait_taken_waits_for_every_consumer_and_names_those_it_misses() {
    let name = TestName::new("taken");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let open = |who: &str| Channel::<u64>::named(&*name).consumer_name(who).consumer().unwrap();
    let (mut quick, mut slow) = (open("quick"), open("slow"));
    producer.put(&1).unwrap();
    drop(quick.get().unwrap());
    let error = producer.wait_taken(Duration::from_millis(20)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("(slow)") && !text.contains("(quick)"), "{text}");
    drop(slow.get().unwrap());
    assert_eq!(producer.wait_taken(Duration::from_millis(20)).unwrap(), 2);
    // It does not wait for a consumer that ends.
    producer.put(&2).unwrap();
    drop(quick.get().unwrap());
    let ending = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        drop(slow);
    });
    assert_eq!(producer.wait_taken(Duration::from_secs(5)).unwrap(), 1);
    ending.join().unwrap();
}

#[test]
fn an_observer_copies_without_taking_part() {
    let name = TestName::new("observer");
    let mut producer = Channel::<Cloud>::named(&*name).capacity("64K").producer().unwrap();
    let mut observer = Channel::<Cloud>::named(&*name).observer().unwrap();
    assert!(observer.copy().unwrap().is_none());
    assert!(producer.connected().unwrap().is_empty());
    let mut loan = producer.loan_len(3).unwrap();
    loan.frame = 4;
    loan.points.fill(point(1.0));
    loan.put().unwrap();
    let copy = observer.copy().unwrap().unwrap();
    assert_eq!((copy.seq(), copy.frame, &copy.points[..]), (1, 4, &[point(1.0); 3][..]));
    // Cloud is not Clone, but its copy is.
    let again = copy.clone();
    assert_eq!((again.seq(), again.stamp(), again.frame), (1, copy.stamp(), 4));
    assert!(copy.stamp() > 0);
    assert_eq!(observer.schema().name(), "Cloud");
    assert_eq!(producer.wait_taken(Duration::ZERO).unwrap(), 0);
}

#[test]
fn an_observer_never_accepts_a_torn_copy() {
    let name = TestName::new("torn");
    let mut producer = io_shared::producer::<[u64; 512]>(&name).unwrap();
    let mut observer = Channel::<[u64; 512]>::named(&*name).observer().unwrap();
    let deadline = Instant::now() + Duration::from_millis(500);
    let writer = std::thread::spawn(move || {
        let mut value = 0;
        while Instant::now() < deadline {
            value += 1;
            producer.put(&[value; 512]).unwrap();
            if value % 16 == 0 {
                std::thread::sleep(Duration::from_micros(20)); // so that some copies succeed
            }
        }
    });
    let mut copies = 0;
    while Instant::now() < deadline {
        match observer.copy() {
            Ok(Some(copy)) => {
                assert!(copy.iter().all(|word| *word == copy.seq()), "torn at {}", copy.seq());
                copies += 1;
            }
            Ok(None) => {}
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Busy { .. }), "{error}"),
        }
    }
    writer.join().unwrap();
    assert!(copies > 100, "{copies} copies");
}

#[test]
fn zero_sized_and_empty_messages_are_handed_over_like_others() {
    let name = TestName::new("empty");
    let mut producer = io_shared::producer::<[u32; 0]>(&name).unwrap();
    let mut consumer = io_shared::consumer::<[u32; 0]>(&name).unwrap();
    producer.put(&[]).unwrap();
    assert_eq!(consumer.get().unwrap().seq(), 1);

    let name = TestName::new("slice");
    let mut producer = Channel::<[u16]>::named(&*name).capacity(0).producer().unwrap();
    let mut consumer = Channel::<[u16]>::named(&*name).consumer().unwrap();
    producer.put(&[]).unwrap();
    assert!(consumer.get().unwrap().is_empty());
    assert!(producer.put(&[1]).is_err());
}

#[test]
fn has_producer_follows_the_producer() {
    let name = TestName::new("has-producer");
    let consumer = io_shared::consumer::<u64>(&name).unwrap();
    assert!(!consumer.has_producer().unwrap());
    let producer = io_shared::producer::<u64>(&name).unwrap();
    assert!(consumer.has_producer().unwrap());
    drop(producer);
    eventually("the claim is free", || !consumer.has_producer().unwrap());
}

#[test]
fn an_over_aligned_message_lies_aligned() {
    #[derive(Clone, Copy, Message)]
    #[repr(C, align(256))]
    struct Wide {
        lanes: [f32; 64],
    }
    let name = TestName::new("aligned");
    let mut producer = io_shared::producer::<Wide>(&name).unwrap();
    let mut consumer = io_shared::consumer::<Wide>(&name).unwrap();
    for _ in 0..5 {
        let loan = producer.loan_zeroed().unwrap();
        assert_eq!((&raw const *loan).addr() % 256, 0);
        loan.put().unwrap();
        let guard = consumer.get().unwrap();
        assert_eq!((&raw const *guard).addr() % 256, 0);
        assert_eq!(guard.lanes[63], 0.0);
    }
}

#[test]
fn a_private_copy_stays_as_it_was_taken_whatever_a_writer_does_to_the_buffer() {
    use std::os::unix::fs::FileExt;

    let name = TestName::new("copied");
    let mut clouds = Channel::<Cloud>::named(&*name).capacity("1K").producer().unwrap();
    let mut consumer = Channel::<Cloud>::named(&*name).consumer().unwrap();
    let mut loan = clouds.loan_len(3).unwrap();
    (loan.frame, loan.stamp_ns) = (7, 0x1122_3344_5566_7788);
    loan.points.fill(point(3.0));
    loan.put().unwrap();

    let copy = consumer.get().unwrap().to_copy().unwrap();
    // A writer that follows no rule overwrites the value in its buffer.
    let path = std::path::Path::new("/dev/shm").join(name.trim_start_matches('/'));
    let file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let stamp = 0x1122_3344_5566_7788_u64.to_le_bytes();
    let at = bytes.windows(8).position(|window| window == stamp).unwrap();
    file.write_all_at(&[0xff; 40], at as u64).unwrap();

    assert_eq!((copy.seq(), copy.frame, copy.stamp_ns), (1, 7, 0x1122_3344_5566_7788));
    assert_eq!(copy.points, [point(3.0); 3]);
    let guard = consumer.latest().unwrap().unwrap(); // the copy held nothing
    assert_eq!(guard.stamp_ns, u64::MAX, "the writer did reach the buffer");
}
