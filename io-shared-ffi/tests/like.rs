//! Puts of a header and data that are apart in memory, and gets that expect the header. A struct
//! has the arguments that many calls have in common.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::time::Duration;

use io_shared::Channel;
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{bytes_of, nothing, options, put};
use test_support::TestName;

/// Puts of messages that are `header` and `length` bytes after it.
fn puts(producer: *mut ios_producer, header: &[u8], length: usize, seq: &mut u64) -> ios_puts {
    let (header, header_length) = (header.as_ptr().cast(), header.len());
    ios_puts { producer, header, header_length, length, seq, tag: 0, number: 0, stamp: 0 }
}

/// Gets of such messages into `data`.
fn gets(
    consumer: *mut ios_consumer,
    header: &[u8],
    data: &mut [u8],
    value: &mut ios_value,
) -> ios_gets {
    let (header, header_length) = (header.as_ptr().cast(), header.len());
    let (data, length) = (data.as_mut_ptr().cast(), data.len());
    ios_gets { consumer, timeout_ns: 0, header, header_length, data, length, value }
}

fn put_like(puts: &ios_puts, data: &[u8]) -> ios_status {
    unsafe { ios_producer_put_like(puts, data.as_ptr().cast()) }
}

#[test]
fn a_header_and_its_data_are_put_as_one_message_and_a_get_that_expects_it_copies_the_data() {
    let name = TestName::new("like");
    let producer = options(&name, None).with(|o| o.capacity = 11).producer();
    let consumer = options(&name, None).consumer();
    let (mut seq, mut own, mut value) = (0, [0; 4], nothing());
    let put = puts(producer, b"head: ", 4, &mut seq);
    let get = gets(consumer, b"head: ", &mut own, &mut value);
    let get = || unsafe { ios_consumer_get_like(&raw const get) };
    assert_eq!(get(), IOS_EMPTY);
    assert_eq!(put_like(&put, b"tale"), IOS_OK);
    assert_eq!(put_like(&put, b"tail"), IOS_OK);
    assert_eq!((get(), seq, &own), (IOS_OK, 2, b"tail"));
    assert!(value.guard.is_null(), "nothing is held");
    assert_eq!((value.data, value.length), (own.as_ptr().cast(), 4));
    assert_eq!((value.seq, value.missed), (2, 1));
    assert_ne!(value.stamp, 0);
    assert_eq!(get(), IOS_EMPTY, "it has been seen");

    // Any other message is held in place. The consumer has one hold, so it must be dropped first.
    for other in [&b"head: tai"[..], b"head: tail!", b"read: tail", b"head:", b""] {
        assert_eq!(self::put(producer, other), IOS_OK);
        assert_eq!(get(), IOS_OK);
        assert!(!value.guard.is_null());
        assert_eq!(bytes_of(&value), other);
        assert_eq!(&own, b"tail", "it is left alone");
        assert_eq!(put_like(&put, b"next"), IOS_OK);
        assert_eq!(get(), IOS_ALREADY_HELD);
        unsafe { ios_guard_drop(value.guard) };
    }
    assert_eq!((get(), &own), (IOS_OK, b"next"));

    unsafe { ios_producer_close(producer) };
    unsafe { ios_consumer_close(consumer) };
}

#[test]
fn a_message_may_lack_a_header_or_data_and_a_buffer_on_loan_is_not_put() {
    let name = TestName::new("like-less");
    let producer = options(&name, None).with(|o| o.capacity = 11).producer();
    let consumer = options(&name, None).consumer();
    let (mut seq, mut value) = (0, nothing());
    let put = puts(producer, b"head: ", 4, &mut seq);
    let mut all = [0; 10];
    let whole = gets(consumer, b"", &mut all, &mut value);
    assert_eq!(put_like(&put, b"last"), IOS_OK);
    assert_eq!(unsafe { ios_consumer_get_like(&raw const whole) }, IOS_OK);
    assert_eq!(&all, b"head: last");
    let empty = ios_puts { header: null(), header_length: 0, length: 0, seq: null_mut(), ..put };
    assert_eq!(unsafe { ios_producer_put_like(&raw const empty, null()) }, IOS_OK);
    let empty = ios_gets {
        header: null(),
        header_length: 0,
        data: null_mut(),
        length: 0,
        timeout_ns: -1,
        ..whole
    };
    assert_eq!(unsafe { ios_consumer_get_like(&raw const empty) }, IOS_OK);
    assert_eq!((value.guard.is_null(), value.length), (true, 0));

    // The buffer is on loan.
    let (mut loan, mut data): (*mut ios_loan, *mut c_void) = (null_mut(), null_mut());
    let status = unsafe { ios_producer_loan(producer, 4, &raw mut loan, &raw mut data) };
    assert_eq!((status, put_like(&put, b"busy")), (IOS_OK, IOS_ALREADY_LOANED));
    unsafe { ios_loan_drop(loan) };

    unsafe { ios_producer_close(producer) };
    unsafe { ios_consumer_close(consumer) };
}

#[test]
fn what_is_missing_or_longer_than_memory_is_refused() {
    let name = TestName::new("like-wrong");
    let producer = options(&name, None).with(|o| o.capacity = 11).producer();
    let consumer = options(&name, None).consumer();
    let (mut seq, mut own, mut value) = (0, [0; 10], nothing());
    let put = puts(producer, b"head: ", 4, &mut seq);
    let whole = gets(consumer, b"", &mut own, &mut value);
    let longest = isize::MAX as usize;
    for bad in [
        ios_puts { producer: null_mut(), ..put },
        ios_puts { header: null(), ..put },
        ios_puts { header_length: usize::MAX, ..put },
        ios_puts { length: usize::MAX, ..put },
    ] {
        let wanted = if bad.header_length.max(bad.length) > 11 { IOS_TOO_LARGE } else { IOS_NULL };
        assert_eq!(put_like(&bad, b"data"), wanted);
    }
    let both = ios_puts { header_length: longest, length: longest, ..put };
    assert_eq!(put_like(&both, b"data"), IOS_TOO_LARGE, "their sum does not overflow");
    assert_eq!(unsafe { ios_producer_put_like(null(), null()) }, IOS_NULL);
    assert_eq!(unsafe { ios_producer_put_like(&raw const put, null()) }, IOS_NULL);
    for bad in [
        ios_gets { consumer: null_mut(), ..whole },
        ios_gets { header: null(), header_length: 1, ..whole },
        ios_gets { data: null_mut(), ..whole },
        ios_gets { value: null_mut(), ..whole },
    ] {
        assert_eq!(unsafe { ios_consumer_get_like(&raw const bad) }, IOS_NULL);
    }
    assert_eq!(unsafe { ios_consumer_get_like(null()) }, IOS_NULL);
    unsafe { ios_producer_close(producer) };
    unsafe { ios_consumer_close(consumer) };
}

#[test]
fn a_put_of_a_header_and_data_goes_on_in_a_new_channel_unless_it_was_asked_not_to() {
    let name = TestName::new("like-reopen");
    for (flags, status) in [(IOS_NO_REOPEN, IOS_REPLACED), (0, IOS_OK)] {
        let producer =
            options(&name, None).with(|o| (o.capacity, o.flags) = (100, flags)).producer();
        let mut seq = 0;
        let put = puts(producer, b"head: ", 4, &mut seq);
        assert_eq!(put_like(&put, b"tail"), IOS_OK);
        // The region is not marked as removed, so only a put that looks for it finds out.
        std::fs::remove_file(format!("/dev/shm{}", &*name)).unwrap();
        std::thread::sleep(Duration::from_millis(150));
        assert_eq!(put_like(&put, b"anew"), status);
        if status == IOS_OK {
            let mut consumer = Channel::<[u8]>::named(&*name).consumer().unwrap();
            assert_eq!(*consumer.get().unwrap(), *b"head: anew");
        }
        unsafe { ios_producer_close(producer) };
    }
}

#[test]
fn a_copy_of_any_length_is_whole() {
    let from: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
    for length in [0, 1, 4095, 100_000] {
        let mut to = vec![255; 100_000];
        let status = unsafe { ios_copy(to.as_mut_ptr().cast(), from.as_ptr().cast(), length) };
        assert_eq!(status, IOS_OK);
        assert_eq!(to[..length], from[..length]);
        assert!(to[length..].iter().all(|&byte| byte == 255));
    }
}

#[test]
fn what_is_copied_out_while_it_is_copied_in_is_whole_and_as_good_as_the_rest() {
    const LENGTH: usize = 1_000_001;
    let name = TestName::new("like-ahead");
    let (header, capacity) = (b"header", 6 + LENGTH as u64);
    let producer = options(&name, None).with(|o| o.capacity = capacity).producer();
    let consumer = options(&name, None).consumer();
    let putting = std::thread::spawn({
        let producer = producer.expose_provenance();
        move || {
            let producer = std::ptr::with_exposed_provenance_mut(producer);
            let mut data = vec![0; LENGTH];
            for number in 1..=300_u64 {
                let mut seq = 0;
                data.fill(number as u8);
                // By then the consumer waits for it again: it spins, or has fallen asleep.
                unsafe { ios_producer_wait_taken(producer, 10_000_000_000, null_mut()) };
                std::thread::sleep(Duration::from_micros(100 * (1 + number % 10)));
                // Sometimes another message, which is held.
                let length = if number.is_multiple_of(7) { LENGTH - 1 } else { LENGTH };
                let put = puts(producer, header, length, &mut seq);
                assert_eq!((put_like(&put, &data), seq), (IOS_OK, number));
            }
            unsafe { ios_producer_close(producer) };
        }
    });
    let (mut own, mut value) = (vec![0; LENGTH], nothing());
    while value.seq < 300 {
        let mut get = gets(consumer, header, &mut own, &mut value);
        get.timeout_ns = -1;
        assert_eq!(unsafe { ios_consumer_get_like(&raw const get) }, IOS_OK);
        let whole = vec![value.seq as u8; LENGTH];
        if value.guard.is_null() {
            assert!(own == whole, "value {} is torn", value.seq);
        } else {
            assert!(bytes_of(&value)[6..] == whole[1..]);
            unsafe { ios_guard_drop(value.guard) };
        }
    }
    putting.join().unwrap();
    unsafe { ios_consumer_close(consumer) };
}
