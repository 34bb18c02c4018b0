//! Bools and enums through the C ABI: bytes that are no value of their type are refused.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::os::unix::fs::FileExt;

use io_shared::Message;
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{bytes_of, get, last_error, nothing, options, put};
use test_support::TestName;

#[derive(Clone, Copy, Message)]
#[repr(u8)]
enum Mode {
    Idle,
    Driving = 3,
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Robot {
    mark: u64,
    modes: [Mode; 4],
    valid: [bool; 4],
}

const MARK: u64 = 0x1122_3344_5566_7788;

/// A value with this byte at a place.
fn robot(at: usize, byte: u8) -> [u8; 16] {
    let modes = [Mode::Idle, Mode::Driving, Mode::Idle, Mode::Idle];
    let robot = Robot { mark: MARK, modes, valid: [true, false, false, false] };
    let mut bytes = [0; 16];
    bytes.copy_from_slice(robot.as_bytes());
    bytes[at] = byte;
    bytes
}

#[test]
fn bytes_that_are_no_value_of_the_schema_are_not_put() {
    let name = TestName::new("checked");
    let schema = Robot::schema().to_json();
    let producer = options(&name, Some(&schema)).with(|o| o.capacity = 16).producer();
    let consumer = options(&name, None).consumer();
    assert_eq!(put(producer, &robot(9, 2)), IOS_BAD_VALUE);
    let said = "field `modes[1]` is 2, expected 0 (Idle) or 3 (Driving): nothing was put";
    assert!(last_error().ends_with(said), "{}", last_error());
    assert_eq!(put(producer, &robot(15, 2)), IOS_BAD_VALUE);
    assert!(last_error().contains("field `valid[3]` is 2, expected 0 or 1"), "{}", last_error());
    assert_eq!(get(consumer, 0).unwrap_err(), IOS_EMPTY);
    assert_eq!(put(producer, &robot(9, 3)), IOS_OK);
    let value = get(consumer, 0).unwrap();
    assert_eq!(bytes_of(&value), robot(9, 3));
    unsafe {
        ios_guard_drop(value.guard);
        ios_consumer_close(consumer);
        ios_producer_close(producer);
    }
}

#[test]
fn bytes_that_a_stranger_made_invalid_are_refused_by_every_get_and_count_as_had() {
    let name = TestName::new("checked-get");
    let schema = Robot::schema().to_json();
    let producer = options(&name, Some(&schema)).with(|o| o.capacity = 16).producer();
    let consumer = options(&name, None).consumer();
    let mut observer = std::ptr::null_mut();
    let observed = options(&name, None);
    assert_eq!(unsafe { ios_observer_open(&raw const observed.raw, &raw mut observer) }, IOS_OK);
    assert_eq!(put(producer, &robot(9, 3)), IOS_OK);
    let file = std::fs::File::options().write(true).open(name.path()).unwrap();
    let bytes = std::fs::read(name.path()).unwrap();
    for at in (0..bytes.len() - 8).filter(|at| bytes[*at..*at + 8] == MARK.to_le_bytes()) {
        file.write_all_at(&[9], at as u64 + 12).unwrap();
    }
    assert_eq!(get(consumer, -1).unwrap_err(), IOS_BAD_VALUE);
    assert!(last_error().contains("field `valid[0]` is 9"), "{}", last_error());
    assert_eq!(get(consumer, 0).unwrap_err(), IOS_EMPTY);
    let mut value = nothing();
    assert_eq!(unsafe { ios_consumer_latest(consumer, &raw mut value) }, IOS_BAD_VALUE);
    assert_eq!(unsafe { ios_observer_copy(observer, &raw mut value) }, IOS_BAD_VALUE);
    unsafe {
        ios_observer_close(observer);
        ios_consumer_close(consumer);
        ios_producer_close(producer);
    }
}
