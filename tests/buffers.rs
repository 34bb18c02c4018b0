//! Where values are stored: small ones inline, next to `latest`; others in buffers that are reused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::os::unix::fs::FileExt;
use std::time::Duration;

use io_shared::{Channel, Message};
use test_support::TestName;

/// Too large to be stored inline.
type Large = [u64; 6];

/// The offset of `latest`, whose top byte names a buffer.
const LATEST: u64 = 0x80;
/// The offset of the mark in the same line. The stamp, the tag and the inline message follow it.
const MARK: u64 = 0x88;
/// The offset of the first consumer's held entries.
const HELD: u64 = 0x380;

#[test]
fn a_small_value_is_stored_inline_and_holds_nothing() {
    let name = TestName::new("inline");
    let mut producer = io_shared::producer::<[u16; 3]>(&name).unwrap();
    let mut consumer = io_shared::consumer::<[u16; 3]>(&name).unwrap();
    let region = std::fs::File::open(name.path()).unwrap();
    let mut kept = Vec::new();
    for value in 1..=100 {
        producer.put(&[value, 2, 3]).unwrap();
        let guard = consumer.get().unwrap();
        assert_eq!((guard.seq(), guard.missed()), (u64::from(value), 0));
        assert!(guard.age().unwrap() < Duration::from_secs(60));
        assert_eq!(*guard.to_copy().unwrap(), [value, 2, 3]);
        kept.push(guard.into_owned());
        let mut held = [1];
        region.read_exact_at(&mut held, HELD).unwrap();
        assert_eq!(held, [0], "nothing is held");
    }
    for (guard, value) in kept.iter().zip(1..) {
        assert_eq!(**guard, [value, 2, 3]);
    }
    assert_eq!(*consumer.latest().unwrap().unwrap(), [100, 2, 3]);
}

#[test]
fn a_small_value_that_is_not_wholly_inline_is_taken_from_its_buffer() {
    let name = TestName::new("not-inline");
    let mut producer = io_shared::producer::<[u64; 4]>(&name).unwrap();
    let mut consumer = io_shared::consumer::<[u64; 4]>(&name).unwrap();
    producer.put(&[1, 2, 3, 4]).unwrap();
    // This is what a producer leaves behind that is killed at its next put.
    let region = std::fs::File::options().write(true).open(name.path()).unwrap();
    region.write_all_at(&[0; 32], MARK).unwrap();
    let guard = consumer.get().unwrap();
    assert_eq!((*guard, guard.seq()), ([1, 2, 3, 4], 1));
    assert!(guard.age().is_some());
    let mut held = [1];
    std::fs::File::open(name.path()).unwrap().read_exact_at(&mut held, HELD).unwrap();
    assert_eq!(held, [0], "it is a copy, and nothing is held");
    drop(guard);
    producer.put(&[6; 4]).unwrap();
    assert_eq!(*consumer.get().unwrap(), [6; 4]);
}

#[test]
fn any_number_of_small_values_is_kept_also_where_they_were_not_wholly_inline() {
    fn check<T: Message + Copy + PartialEq + std::fmt::Debug>(value: impl Fn(u8) -> T) {
        let name = TestName::new("kept");
        let mut producer = io_shared::producer::<T>(&name).unwrap();
        let mut consumer = io_shared::consumer::<T>(&name).unwrap();
        let region = std::fs::File::options().write(true).open(name.path()).unwrap();
        let mut kept = Vec::new();
        for n in 1..=20 {
            producer.put(&value(n)).unwrap();
            // This is what a producer leaves behind that is killed at its next put, or is still in
            // it.
            region.write_all_at(&[0; 56], MARK).unwrap();
            kept.push(consumer.get().unwrap().into_owned());
            kept.push(consumer.latest().unwrap().unwrap().into_owned());
            assert_eq!(*consumer.latest().unwrap().unwrap().to_copy().unwrap(), value(n));
        }
        for (i, guard) in kept.iter().enumerate() {
            let n = i / 2 + 1;
            assert_eq!((**guard, guard.seq()), (value(n as u8), n as u64));
        }
    }
    check(|n| [n; 32]);
    check(|n| n);
    check(|n| u64::from(n) << 50);
    check(|_| [0u8; 0]);
}

#[test]
fn a_consumer_that_leaves_gives_its_buffer_back() {
    let name = TestName::new("leaving");
    let mut producer = io_shared::producer::<Large>(&name).unwrap();
    let region = std::fs::File::open(name.path()).unwrap();
    let held = || {
        let mut held = [0; 4];
        region.read_exact_at(&mut held, HELD).unwrap();
        held
    };
    for owned in [false, true] {
        let mut consumer = io_shared::consumer::<Large>(&name).unwrap();
        producer.put(&[1; 6]).unwrap();
        let guard = consumer.get().unwrap();
        let guard = owned.then(|| guard.into_owned());
        assert_ne!(held(), [0; 4], "an entry for its next get, or the guard's");
        drop(consumer);
        assert_eq!(held() != [0; 4], owned);
        drop(guard);
        assert_eq!(held(), [0; 4]);
    }
}

/// How many buffers 30 puts use, when each value is got before the consumer waits for the next.
fn buffers_used(name: &TestName, words: usize, hold_first: bool) -> usize {
    let mut producer = Channel::<[u64]>::named(&**name).elements(words).producer().unwrap();
    let mut consumer = Channel::<[u64]>::named(&**name).consumer().unwrap();
    if hold_first {
        producer.put(&vec![0; words]).unwrap();
        let held = consumer.get().unwrap();
        for value in 1..9 {
            producer.put(&vec![value; words]).unwrap();
            assert!(held.iter().all(|&word| word == 0), "a held value never changes");
        }
    }
    let region = std::fs::File::open(name.path()).unwrap();
    let mut buffers = std::collections::BTreeSet::new();
    for value in 0..30 {
        let (mut announced, mut latest) = ([0], [0; 8]);
        region.read_exact_at(&mut announced, HELD).unwrap();
        producer.put(&vec![value; words]).unwrap();
        region.read_exact_at(&mut latest, LATEST).unwrap();
        let buffer = u64::from_le_bytes(latest) >> 56;
        buffers.insert(buffer);
        if value > 9 {
            assert_eq!(u64::from(announced[0]), buffer + 1, "the waiting consumer announced it");
        }
        assert_eq!(consumer.get().unwrap()[words - 1], value);
        assert!(consumer.try_get().unwrap().is_none(), "it has announced the next");
    }
    buffers.len()
}

#[test]
fn of_large_buffers_two_take_turns_and_of_others_all() {
    for (words, used) in [(4 << 10, 2), (100, 3)] {
        for hold_first in [false, true] {
            let name = TestName::new("turns");
            assert_eq!(buffers_used(&name, words, hold_first), used, "{words} words");
        }
    }
}
