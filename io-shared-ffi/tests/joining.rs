//! Consumers of C and of Rust join a channel at any time, each with holds of its own.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::ptr::null_mut;

use io_shared::Channel;
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{bytes_of, get, last_error, options, put};
use test_support::TestName;

/// With its header it takes whole pages.
const SIZE: u64 = STRIDE - 64;
const STRIDE: u64 = 65536;

/// The bytes of memory that the channel has.
fn reserved(name: &str) -> u64 {
    let path = Path::new("/dev/shm").join(name.trim_start_matches('/'));
    std::fs::metadata(path).unwrap().blocks() * 512
}

/// As [`common::calls::Options::consumer`], for one that is refused.
fn refused(options: &common::calls::Options) -> ios_status {
    let mut consumer = null_mut();
    unsafe { ios_consumer_open(&raw const options.raw, &raw mut consumer) }
}

#[test]
fn consumers_of_c_and_rust_join_a_producer_that_was_there_before_and_the_65th_is_refused() {
    let name = TestName::new("joining");
    let producer = options(&name, None).with(|o| o.capacity = SIZE).producer();
    let empty = reserved(&name);
    let (mut in_c, mut in_rust) = (Vec::new(), Vec::new());
    for number in 0..64_u8 {
        assert_eq!(put(producer, &[number; 1000]), IOS_OK);
        match number % 2 {
            0 => in_c.push(options(&name, None).consumer()),
            _ => in_rust.push(Channel::<[u8]>::named(&*name).consumer().unwrap()),
        }
        assert_eq!(reserved(&name), empty + u64::from(number) * STRIDE, "each takes one buffer");
    }
    assert_eq!(put(producer, &[64; 1000]), IOS_OK);
    for consumer in &mut in_rust {
        assert_eq!(*consumer.get().unwrap(), [64; 1000]);
    }
    for consumer in &in_c {
        let value = get(*consumer, 0).unwrap();
        assert_eq!(bytes_of(&value), [64; 1000]);
        unsafe { ios_guard_drop(value.guard) };
    }
    assert_eq!(refused(&options(&name, None)), IOS_NO_SLOT);
    let said = last_error();
    assert!(
        said.contains("ios_observer_open") && said.contains("options.consumers = 65"),
        "{said}"
    );
    // One that leaves makes room.
    drop(in_rust.pop());
    in_c.push(options(&name, None).consumer());
    for consumer in in_c {
        unsafe { ios_consumer_close(consumer) };
    }
    unsafe { ios_producer_close(producer) };
}

#[test]
fn a_producer_reserves_ahead_of_time_and_each_consumer_says_what_it_holds() {
    let name = TestName::new("reserving");
    let producer = options(&name, None).with(|o| (o.capacity, o.consumers) = (SIZE, 9)).producer();
    let empty = reserved(&name);
    let few = options(&name, None).consumer();
    let many = options(&name, None).with(|o| o.holds = 8).consumer();
    assert_eq!(reserved(&name), empty, "what they hold was reserved");
    let mut kept = Vec::new();
    for number in 0..8_u8 {
        assert_eq!(put(producer, &[number; 1000]), IOS_OK);
        kept.push(get(many, 0).unwrap());
        if number == 0 {
            kept.push(get(few, 0).unwrap());
        } else {
            assert_eq!(get(few, 0).unwrap_err(), IOS_ALREADY_HELD);
        }
    }
    assert!(last_error().contains("options.holds = 2"), "{}", last_error());
    assert_eq!(put(producer, &[8; 1000]), IOS_OK);
    assert_eq!(get(many, 0).unwrap_err(), IOS_ALREADY_HELD);
    for (value, number) in kept.iter().zip([0, 0, 1, 2, 3, 4, 5, 6, 7]) {
        assert_eq!(bytes_of(value), [number; 1000], "it did not change");
    }
    for value in kept {
        unsafe { ios_guard_drop(value.guard) };
    }
    let more = options(&name, None).with(|o| o.holds = 9);
    assert_eq!(refused(&more), IOS_BAD_OPTION);
    let said = last_error();
    assert!(said.contains("options.holds = 9 is not valid") && said.contains("1 to 8"), "{said}");
    for consumer in [few, many] {
        unsafe { ios_consumer_close(consumer) };
    }
    unsafe { ios_producer_close(producer) };
}
