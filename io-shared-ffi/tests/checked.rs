//! Bools and enums through the C ABI: bytes that are no value of their type are refused.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::ffi::c_void;
use std::os::unix::fs::FileExt;
use std::ptr::null_mut;

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

#[derive(Message)]
#[repr(C)]
struct Scan {
    valid: bool,
    mode: Mode,
    ranges: [u8],
}

#[derive(Message)]
#[repr(C)]
struct Fleet {
    mark: u64,
    modes: [Mode],
}

/// The bytes of a loan before they are filled with 7, which is no value of a bool or an enum.
fn lent(
    length: usize,
    lend: impl FnOnce(*mut *mut ios_loan, *mut *mut c_void) -> ios_status,
) -> (*mut ios_loan, Vec<u8>) {
    let (mut loan, mut data) = (null_mut(), null_mut());
    assert_eq!(lend(&raw mut loan, &raw mut data), IOS_OK, "{}", last_error());
    let bytes = unsafe { std::slice::from_raw_parts_mut(data.cast::<u8>(), length) };
    let found = bytes.to_vec();
    bytes.fill(7);
    (loan, found)
}

#[test]
fn a_loan_starts_with_zeros_where_bools_and_enums_are() {
    let bytes = r#"{"slice":"|u1"}"#.to_owned();
    for (schema, expected) in [
        (Robot::schema().to_json(), [0; 16]),
        (Fleet::schema().to_json(), [0; 16]),
        (Scan::schema().to_json(), [0, 0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]),
        (bytes, [7; 16]),
    ] {
        let name = TestName::new("zeros");
        let producer = options(&name, Some(&schema)).with(|o| o.capacity = 64).producer();
        let lend = || lent(16, |loan, data| unsafe { ios_producer_loan(producer, 16, loan, data) });
        unsafe { ios_loan_drop(lend().0) };
        let (loan, found) = lend(); // the same buffer
        assert_eq!(found, expected, "{schema}");
        unsafe { ios_loan_drop(loan) };
        let mut window = null_mut();
        let (loan, found) = lent(16, |loan, data| unsafe {
            ios_producer_loan_window(producer, 16, loan, &raw mut window, data)
        });
        assert_eq!(found, expected, "{schema}");
        unsafe {
            ios_loan_drop(loan);
            ios_window_drop(window);
            ios_producer_close(producer);
        }
    }
}

#[test]
fn what_was_written_to_a_loan_with_bools_and_enums_is_put() {
    let name = TestName::new("filled");
    let schema = Robot::schema().to_json();
    let producer = options(&name, Some(&schema)).producer();
    let consumer = options(&name, None).consumer();
    let (mut loan, mut data) = (null_mut(), null_mut());
    unsafe {
        let status = ios_producer_loan(producer, 16, &raw mut loan, &raw mut data);
        assert_eq!(status, IOS_OK);
        data.cast::<[u8; 16]>().write(robot(9, 3));
        assert_eq!(ios_loan_tag(loan, 5), IOS_OK);
        assert_eq!(ios_loan_number(loan, 9, 1), IOS_OK);
        assert_eq!(ios_loan_put(loan, IOS_WHOLE, null_mut()), IOS_OK, "{}", last_error());
    }
    let value = get(consumer, 0).unwrap();
    assert_eq!((value.seq, value.tag, bytes_of(&value)), (9, 5, &robot(9, 3)[..]));
    unsafe {
        ios_guard_drop(value.guard);
        ios_consumer_close(consumer);
        ios_producer_close(producer);
    }
}

#[test]
fn a_loan_of_a_service_starts_with_zeros_where_bools_and_enums_are() {
    let name = TestName::new("zeros-of-services");
    let schema = std::ffi::CString::new(Robot::schema().to_json()).unwrap();
    let options = options(&name, Some(schema.to_str().unwrap()))
        .with(|o| (o.answer_schema, o.open_timeout) = (schema.as_ptr(), -1));
    let (mut client, mut server) = (null_mut(), null_mut());
    let mut question = ios_question { value: nothing(), reply: null_mut(), client: 0 };
    unsafe {
        assert_eq!(ios_client_open(&raw const options.raw, &raw mut client), IOS_OK);
        assert_eq!(ios_server_open(&raw const options.raw, &raw mut server), IOS_OK);
    }
    let lend = || lent(16, |loan, data| unsafe { ios_client_loan(client, 16, loan, data) });
    unsafe { ios_loan_drop(lend().0) };
    let (loan, found) = lend();
    assert_eq!(found, [0; 16]);
    unsafe { ios_loan_drop(loan) };

    let asked = robot(9, 3);
    let mut answered = Vec::new();
    for _ in 0..3 {
        let (data, mut number) = (asked.as_ptr().cast(), 0);
        let status = unsafe { ios_client_ask(client, data, asked.len(), &raw mut number) };
        assert_eq!(status, IOS_OK, "{}", last_error());
        let second = 1_000_000_000;
        let status = unsafe { ios_server_next(server, second, &raw mut question) };
        assert_eq!(status, IOS_OK, "{}", last_error());
        let (loan, found) =
            lent(16, |loan, data| unsafe { ios_reply_loan(question.reply, 16, loan, data) });
        answered.push(found);
        unsafe {
            ios_loan_drop(loan); // the client asks the next question
            ios_guard_drop(question.value.guard);
        }
    }
    assert_eq!(answered, [[0; 16]; 3]);
    unsafe {
        ios_client_close(client);
        ios_server_close(server);
    }
}
