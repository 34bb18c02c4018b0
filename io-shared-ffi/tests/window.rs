//! Windows: loans at an address that stays mapped.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::ffi::c_void;
use std::ptr::null_mut;

use io_shared::Channel;
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{bytes_of, get, last_error, options, put};
use test_support::TestName;

struct Lent {
    loan: *mut ios_loan,
    window: *mut ios_window,
    data: *mut c_void,
}

fn lend(producer: *mut ios_producer, length: usize) -> Lent {
    let (mut loan, mut window, mut data) = (null_mut(), null_mut(), null_mut());
    let status = unsafe {
        ios_producer_loan_window(producer, length, &raw mut loan, &raw mut window, &raw mut data)
    };
    assert_eq!(status, IOS_OK, "{}", last_error());
    Lent { loan, window, data }
}

fn latest(consumer: *mut ios_consumer) -> Vec<u8> {
    let value = get(consumer, 0).unwrap();
    let bytes = bytes_of(&value).to_vec();
    unsafe { ios_guard_drop(value.guard) };
    bytes
}

#[test]
fn what_is_written_to_a_window_is_put_until_the_window_is_severed() {
    let name = TestName::new("window");
    let producer = options(&name, None).with(|o| o.capacity = 5).producer();
    let consumer = options(&name, None).consumer();
    for turn in 0..5_u8 {
        let lent = lend(producer, 5);
        unsafe { lent.data.cast::<u8>().write_bytes(turn, 5) };
        let (mut loan, mut window, mut data) = (null_mut(), null_mut(), null_mut());
        let (to_loan, to_window) = (&raw mut loan, &raw mut window);
        let again =
            unsafe { ios_producer_loan_window(producer, 5, to_loan, to_window, &raw mut data) };
        assert_eq!(again, IOS_ALREADY_LOANED);
        assert_eq!(unsafe { ios_loan_put(lent.loan, 5, null_mut()) }, IOS_OK);
        assert_eq!(latest(consumer), [turn; 5]);

        let given_up = lend(producer, 5);
        unsafe { given_up.data.cast::<u8>().write_bytes(77, 5) };
        assert_eq!(unsafe { ios_window_sever(given_up.window) }, IOS_OK);
        unsafe { ios_loan_drop(given_up.loan) };
        assert_eq!(put(producer, &[50 + turn; 5]), IOS_OK);
        assert_eq!(unsafe { *given_up.data.cast::<u8>() }, 77, "it keeps its content");
        unsafe { given_up.data.cast::<u8>().write_bytes(99, 5) };
        assert_eq!(latest(consumer), [50 + turn; 5]);
        unsafe { ios_window_drop(lent.window) };
        unsafe { ios_window_drop(given_up.window) };
    }
    assert_eq!(unsafe { ios_window_sever(null_mut()) }, IOS_NULL);
    unsafe { ios_window_drop(null_mut()) };
    unsafe { ios_producer_close(producer) };
    unsafe { ios_consumer_close(consumer) };
}

#[test]
fn a_window_is_mapped_after_its_producer_opened_another_channel_and_was_closed() {
    let name = TestName::new("window-kept");
    let producer = options(&name, None).with(|o| o.capacity = 1 << 20).producer();
    let lent = lend(producer, 1 << 20);
    unsafe { lent.data.cast::<u8>().write_bytes(7, 1 << 20) };
    assert_eq!(unsafe { ios_loan_put(lent.loan, 1 << 20, null_mut()) }, IOS_OK);
    Channel::remove(&name).unwrap();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    // Nobody gets what is put before the producer checks what its name refers to.
    while !std::path::Path::new(&format!("/dev/shm{}", &*name)).exists() {
        assert!(std::time::Instant::now() < end);
        assert_eq!(put(producer, b"another"), IOS_OK);
    }
    unsafe { ios_producer_close(producer) };
    let bytes = unsafe { std::slice::from_raw_parts(lent.data.cast::<u8>(), 1 << 20) };
    assert!(bytes.iter().all(|byte| *byte == 7));
    unsafe { ios_window_drop(lent.window) };
}
