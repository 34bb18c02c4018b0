//! Tags and numbers that a value is put with, and that are found with it.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::ffi::CStr;
use std::ptr::{null, null_mut};

use io_shared::Channel;
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{bytes_of, get, nothing, options, put};
use test_support::TestName;

/// The tag and the bytes of the next value of `consumer`.
fn next(consumer: *mut ios_consumer) -> (u64, Vec<u8>) {
    let value = get(consumer, 0).unwrap();
    let found = (value.tag, bytes_of(&value).to_vec());
    unsafe { ios_guard_drop(value.guard) };
    found
}

#[test]
fn a_value_has_the_tag_that_it_was_put_with_and_0_without_one() {
    let name = TestName::new("tags");
    let producer = options(&name, None).with(|o| o.capacity = 100).producer();
    let consumer = options(&name, None).consumer();
    let mut rust = Channel::<[u8]>::named(&*name).consumer().unwrap();
    let (mut observer, mut seq, mut value) = (null_mut(), 0, nothing());
    let looking = options(&name, None);
    assert_eq!(unsafe { ios_observer_open(&raw const looking.raw, &raw mut observer) }, IOS_OK);
    for (number, length) in [(1, 4), (2, 100)] {
        let (bytes, tag) = (vec![number; length], u64::MAX - u64::from(number));
        let data = bytes.as_ptr().cast();
        let mut tagged =
            || unsafe { ios_producer_put_tagged(producer, data, length, tag, &raw mut seq) };
        assert_eq!(tagged(), IOS_OK);
        assert_eq!(rust.get().unwrap().tag(), tag);
        assert_eq!(next(consumer), (tag, bytes.clone()));
        assert_eq!(unsafe { ios_consumer_latest(consumer, &raw mut value) }, IOS_OK);
        assert_eq!((value.tag, value.seq), (tag, seq));
        unsafe { ios_guard_drop(value.guard) };
        assert_eq!(unsafe { ios_observer_copy(observer, &raw mut value) }, IOS_OK);
        assert_eq!((value.tag, value.seq), (tag, seq));
        unsafe { ios_guard_drop(value.guard) };
        assert_eq!(put(producer, &bytes), IOS_OK);
        assert_eq!(next(consumer), (0, bytes));
    }
    unsafe {
        ios_observer_close(observer);
        ios_consumer_close(consumer);
        ios_producer_close(producer);
    }
    let mut rust = Channel::<[u8]>::named(&*name).producer().unwrap();
    rust.put_tagged(&[7; 3], 9).unwrap();
    let consumer = options(&name, None).consumer();
    assert_eq!(next(consumer), (9, vec![7; 3]));
    unsafe { ios_consumer_close(consumer) };
}

#[test]
fn a_loan_has_the_tag_that_it_was_given_last() {
    let name = TestName::new("loan-tags");
    let producer = options(&name, None).with(|o| o.capacity = 100).producer();
    let consumer = options(&name, None).consumer();
    for tags in [&[][..], &[5], &[6, 7]] {
        let (mut loan, mut data) = (null_mut(), null_mut());
        let lent = unsafe { ios_producer_loan(producer, 2, &raw mut loan, &raw mut data) };
        assert_eq!(lent, IOS_OK);
        unsafe { data.cast::<[u8; 2]>().write([1, 2]) };
        for tag in tags {
            assert_eq!(unsafe { ios_loan_tag(loan, *tag) }, IOS_OK);
        }
        assert_eq!(unsafe { ios_loan_put(loan, 2, null_mut()) }, IOS_OK);
        assert_eq!(next(consumer), (tags.last().copied().unwrap_or(0), vec![1, 2]));
    }
    assert_eq!(unsafe { ios_loan_tag(null_mut(), 1) }, IOS_NULL);
    unsafe { ios_consumer_close(consumer) };
    unsafe { ios_producer_close(producer) };
}

#[test]
fn puts_and_gets_of_a_header_and_data_have_tags_too() {
    let name = TestName::new("like-tags");
    let producer = options(&name, None).with(|o| o.capacity = 100).producer();
    let consumer = options(&name, None).consumer();
    let (header, header_length, length) = (null(), 0, 4);
    let (mut own, mut value) = ([0_u8; 4], nothing());
    let (data, into) = (own.as_mut_ptr().cast(), &raw mut value);
    let gets =
        ios_gets { consumer, timeout_ns: 0, header, header_length, data, length, value: into };
    for tag in [0, 3, u64::MAX] {
        let puts = ios_puts {
            producer,
            header,
            header_length,
            length,
            seq: null_mut(),
            tag,
            number: 0,
            stamp: 0,
        };
        let put = unsafe { ios_producer_put_like(&raw const puts, b"data".as_ptr().cast()) };
        assert_eq!(put, IOS_OK);
        assert_eq!(unsafe { ios_consumer_get_like(&raw const gets) }, IOS_OK);
        assert_eq!(unsafe { (*into).tag }, tag);
        assert!(unsafe { (*into).guard }.is_null(), "it was copied");
    }
    unsafe { ios_consumer_close(consumer) };
    unsafe { ios_producer_close(producer) };
}

/// The number, what was missed, tag, stamp and bytes of the next value.
fn received(consumer: *mut ios_consumer) -> (u64, u64, u64, u64, Vec<u8>) {
    let value = get(consumer, 0).unwrap();
    let bytes = bytes_of(&value).to_vec();
    unsafe { ios_guard_drop(value.guard) };
    (value.seq, value.missed, value.tag, value.stamp, bytes)
}

#[test]
fn a_value_has_the_number_and_stamp_that_it_was_put_with() {
    let name = TestName::new("numbers");
    let producer = options(&name, None).with(|o| o.capacity = 100).producer();
    let consumer = options(&name, None).consumer();
    let data = b"data".as_ptr();
    let put_as = |number, stamp| unsafe {
        ios_producer_put_numbered(producer, data.cast(), 4, number, stamp, 5)
    };
    assert_eq!(put_as(40, IOS_NOW), IOS_OK);
    let (seq, missed, tag, now, _) = received(consumer);
    assert_eq!((seq, missed, tag), (40, 39, 5));
    assert!(now > 0);
    let stamp = now - 1;
    for (number, given, stamp) in [(50, stamp, stamp), (1 << 40, 0, 0)] {
        assert_eq!(put_as(number, given), IOS_OK);
        let (seq, _, _, found, bytes) = received(consumer);
        assert_eq!((seq, found, &*bytes), (number, stamp, &b"data"[..]));
    }
    for wrong in [0, 50, 1 << 40, 1 << 52, u64::MAX] {
        assert_eq!(put_as(wrong, IOS_NOW), IOS_BAD_SEQ, "{wrong}");
        let text = unsafe { CStr::from_ptr(ios_last_error()) }.to_str().unwrap();
        assert!(text.contains(&*name) && text.contains(&wrong.to_string()), "{text}");
    }
    let (mut loan, mut data, mut seq) = (null_mut(), null_mut(), 0);
    let lent = unsafe { ios_producer_loan(producer, 2, &raw mut loan, &raw mut data) };
    assert_eq!(lent, IOS_OK);
    unsafe { data.cast::<[u8; 2]>().write([1, 2]) };
    assert_eq!(unsafe { ios_loan_number(loan, 3, 0) }, IOS_BAD_SEQ);
    assert_eq!(unsafe { ios_loan_number(loan, 1 << 41, 0) }, IOS_OK);
    assert_eq!(unsafe { ios_loan_tag(loan, 8) }, IOS_OK);
    assert_eq!(unsafe { ios_loan_put(loan, 2, &raw mut seq) }, IOS_OK);
    assert_eq!(seq, 1 << 41);
    assert_eq!(received(consumer), (1 << 41, (1 << 40) - 1, 8, 0, vec![1, 2]));
    assert_eq!(unsafe { ios_loan_number(null_mut(), 1, 0) }, IOS_NULL);
    let (header, header_length) = (b"he".as_ptr().cast(), 2);
    let (length, seq, tag, number, stamp) = (4, &raw mut seq, 0, 1 << 42, IOS_NOW);
    let puts = ios_puts { producer, header, header_length, length, seq, tag, number, stamp };
    let data = b"data".as_ptr().cast();
    assert_eq!(unsafe { ios_producer_put_like(&raw const puts, data) }, IOS_OK);
    assert_eq!(unsafe { ios_producer_put_like(&raw const puts, data) }, IOS_BAD_SEQ);
    let (seq, .., bytes) = received(consumer);
    assert_eq!((seq, &*bytes), (1 << 42, &b"hedata"[..]));
    unsafe { ios_consumer_close(consumer) };
    unsafe { ios_producer_close(producer) };
}

#[test]
fn the_values_before_the_newest_are_copied_oldest_first_and_found_by_their_tags() {
    let name = TestName::new("history");
    let producer = options(&name, None).with(|o| o.capacity = 100).producer();
    let consumer = options(&name, None).with(|o| o.history = 5).consumer();
    let (looking, mut observer) = (options(&name, None).with(|o| o.history = 3), null_mut());
    assert_eq!(unsafe { ios_observer_open(&raw const looking.raw, &raw mut observer) }, IOS_OK);
    for number in 1..=20_u8 {
        let (data, tag) = ([number; 4], 100 + u64::from(number));
        let put =
            unsafe { ios_producer_put_tagged(producer, data.as_ptr().cast(), 4, tag, null_mut()) };
        assert_eq!(put, IOS_OK);
    }
    let mut value = nothing();
    for by_consumer in [true, false] {
        let next = |seq, value: *mut ios_value| match by_consumer {
            true => unsafe { ios_consumer_since(consumer, seq, value) },
            false => unsafe { ios_observer_since(observer, seq, value) },
        };
        let mut seq = 10;
        while next(seq, &raw mut value) == IOS_OK {
            assert_eq!(value.missed, value.seq - seq - 1);
            assert_eq!((value.tag, bytes_of(&value)), (100 + value.seq, &[value.seq as u8; 4][..]));
            assert!(value.seq > 12, "there are eight buffers");
            seq = value.seq;
            unsafe { ios_guard_drop(value.guard) };
        }
        assert_eq!((seq, next(seq, &raw mut value)), (20, IOS_EMPTY));
    }
    assert_eq!(unsafe { ios_observer_tagged(observer, 116, &raw mut value) }, IOS_OK);
    assert_eq!(value.seq, 16);
    unsafe { ios_guard_drop(value.guard) };
    let tagged = |tag, timeout, value: *mut ios_value| unsafe {
        ios_consumer_tagged(consumer, tag, timeout, value)
    };
    for timeout in [0, 1_000_000, -1] {
        assert_eq!(tagged(117, timeout, &raw mut value), IOS_OK);
        assert_eq!((value.seq, value.tag), (17, 117));
        unsafe { ios_guard_drop(value.guard) };
    }
    assert_eq!(tagged(7, 0, &raw mut value), IOS_EMPTY);
    assert_eq!(unsafe { ios_observer_tagged(observer, 7, &raw mut value) }, IOS_EMPTY);
    assert_eq!(tagged(7, 1_000_000, &raw mut value), IOS_TIMEOUT);
    assert_eq!(tagged(7, 0, null_mut()), IOS_NULL);
    unsafe {
        ios_observer_close(observer);
        ios_consumer_close(consumer);
        ios_producer_close(producer);
    }
}
