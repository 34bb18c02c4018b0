//! A producer of C gives its channel a larger capacity, and consumers of C and of Rust follow.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]

use std::ptr::null_mut;
use std::time::Duration;

use io_shared::Channel;
use io_shared_ffi::ios_mmap_kind::*;
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{bytes_of, get, last_error, options, put};
use test_support::TestName;

const SECOND: i64 = 1_000_000_000;

#[test]
fn a_put_or_loan_that_does_not_fit_makes_the_channel_larger_for_consumers_of_c_and_rust() {
    let name = TestName::new("growing");
    let growing = || options(&name, None).with(|o| o.flags = IOS_GROWING);
    let producer = growing().producer();
    let mut capacity = 0;
    assert_eq!(unsafe { ios_producer_capacity(producer, &raw mut capacity) }, IOS_OK);
    assert_eq!(capacity, 4096, "without options.capacity");
    let in_c = growing().consumer();
    let mut in_rust = Channel::<[u8]>::named(&*name).consumer().unwrap();
    let mut held = Vec::new();
    for doubling in 0..5_u8 {
        let value = vec![doubling; (4096 << doubling) + 1];
        if doubling % 2 == 0 {
            assert_eq!(put(producer, &value), IOS_OK, "{}", last_error());
        } else {
            let (mut loan, mut data) = (null_mut(), null_mut());
            let lent =
                unsafe { ios_producer_loan(producer, value.len(), &raw mut loan, &raw mut data) };
            assert_eq!(lent, IOS_OK, "{}", last_error());
            unsafe { data.cast::<u8>().copy_from(value.as_ptr(), value.len()) };
            assert_eq!(unsafe { ios_loan_put(loan, value.len(), null_mut()) }, IOS_OK);
        }
        let got = get(in_c, SECOND).unwrap();
        assert_eq!((got.seq, got.missed), (u64::from(doubling) + 1, 0));
        assert_eq!(bytes_of(&got), value);
        held.push(got);
        let got = in_rust.get_timeout(Duration::from_secs(1)).unwrap();
        assert_eq!((&*got, got.missed()), (&*value, 0));
    }
    for (value, doubling) in held.iter().zip(0..) {
        assert!(bytes_of(value).iter().all(|byte| *byte == doubling), "it did not change");
        unsafe { ios_guard_drop(value.guard) };
    }
    assert_eq!(unsafe { ios_producer_capacity(producer, &raw mut capacity) }, IOS_OK);
    assert_eq!(capacity, 1 << 17);
    unsafe { ios_consumer_close(in_c) };
    unsafe { ios_producer_close(producer) };
}

#[test]
fn without_the_flag_it_is_too_large_and_locks_refuse_the_flag() {
    let name = TestName::new("fixed");
    let producer = options(&name, None).with(|o| o.capacity = 8).producer();
    assert_eq!(put(producer, &[0; 9]), IOS_TOO_LARGE);
    assert!(last_error().contains("options.capacity = 9 or more"), "{}", last_error());
    unsafe { ios_producer_close(producer) };
    let lock = options(&name, None).with(|o| (o.capacity, o.flags) = (8, IOS_GROWING));
    let mut mmap = null_mut();
    let opened = unsafe { ios_mmap_open(&raw const lock.raw, IOS_MMAP_RW as u32, &raw mut mmap) };
    assert_eq!(opened, IOS_BAD_OPTION);
    assert!(last_error().contains("IOS_GROWING cannot be used here"), "{}", last_error());
}
