//! Channels of typed messages through the C ABI: schemas, lengths and alignment.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::ptr::null_mut;

use io_shared::{Channel, Message};
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{bytes_of, get, last_error, nothing, options, put, taken};
use test_support::TestName;
use test_support::messages::FrameLabels;

#[test]
fn a_schema_makes_a_typed_channel_and_its_lengths_are_the_only_ones() {
    let name = TestName::new("schema");
    let schema = FrameLabels::schema().to_json();
    let producer = options(&name, Some(&schema)).with(|o| o.capacity = 1024).producer();
    let mut typed = Channel::<FrameLabels>::named(&*name).consumer().unwrap();
    let mut message = 7u64.to_le_bytes().to_vec();
    message.extend([1u32, 2, 3].iter().flat_map(|label| label.to_le_bytes()));
    assert_eq!(put(producer, &message), IOS_OK);
    let labels = typed.get().unwrap();
    assert_eq!((labels.frame, &labels.labels), (7, &[1u32, 2, 3][..]));
    drop(labels);

    for wrong in [0, 7, 9, 13] {
        assert_eq!(put(producer, &vec![0; wrong]), IOS_BAD_LENGTH, "{wrong}");
    }
    let expected = "a message of this channel has 8 bytes and a whole number of elements of 4 \
                    bytes, found 13";
    assert!(last_error().ends_with(expected), "{}", last_error());
    assert_eq!(put(producer, &[0; 1028]), IOS_TOO_LARGE);
    let (mut loan, mut data) = (null_mut(), null_mut());
    unsafe {
        assert_eq!(ios_producer_loan(producer, 9, &raw mut loan, &raw mut data), IOS_BAD_LENGTH);
        assert_eq!(ios_producer_loan(producer, 12, &raw mut loan, &raw mut data), IOS_OK);
        assert_eq!(ios_loan_put(loan, 11, null_mut()), IOS_BAD_LENGTH);
    }
    assert!(typed.try_get().unwrap().is_none(), "nothing of all that was put");
    unsafe { ios_producer_close(producer) };
    drop(typed);

    // The other side: without a schema it accepts the channel; with another schema it does not.
    let mut rust = Channel::<FrameLabels>::named(&*name).capacity("1K").producer().unwrap();
    let consumer = options(&name, None).consumer();
    let mut text = null_mut();
    assert_eq!(unsafe { ios_consumer_schema(consumer, &raw mut text) }, IOS_OK);
    assert_eq!(taken(text), schema);
    assert_eq!(unsafe { ios_consumer_name(consumer, &raw mut text) }, IOS_OK);
    assert_eq!(taken(text), *name);
    rust.loan_len(2).unwrap().put().unwrap();
    let value = get(consumer, 0).unwrap();
    assert_eq!(value.length, 16);
    assert!(value.data.cast::<u64>().is_aligned());
    unsafe { ios_guard_drop(value.guard) };
    unsafe { ios_consumer_close(consumer) };

    let mut other = null_mut();
    let floats = options(&name, Some(r#"{"slice":"<f4"}"#));
    assert_eq!(unsafe { ios_consumer_open(&raw const floats.raw, &raw mut other) }, IOS_MISMATCH);
    assert_eq!(options(&name, Some("{}")).refused(), IOS_BAD_SCHEMA);
}

#[test]
fn a_message_of_a_fixed_size_needs_no_capacity_and_is_as_aligned_as_it_says() {
    let name = TestName::new("aligned");
    let schema = r#"{"struct":"Wide","size":64,"align":64,"fields":[
        {"name":"x","offset":0,"type":{"array":16,"of":"<f4"}}]}"#;
    let producer = options(&name, Some(schema)).producer();
    let consumer = options(&name, None).consumer();
    let mut observer = null_mut();
    let looking = options(&name, None);
    assert_eq!(unsafe { ios_observer_open(&raw const looking.raw, &raw mut observer) }, IOS_OK);
    let mut copy = nothing();
    assert_eq!(unsafe { ios_observer_copy(observer, &raw mut copy) }, IOS_EMPTY);
    for i in 1..10 {
        let (mut loan, mut data) = (null_mut(), null_mut());
        let status = unsafe { ios_producer_loan(producer, 64, &raw mut loan, &raw mut data) };
        assert_eq!(status, IOS_OK);
        assert_eq!(data.addr() % 64, 0);
        unsafe { data.cast::<[u8; 64]>().write([i; 64]) };
        assert_eq!(unsafe { ios_loan_put(loan, 64, null_mut()) }, IOS_OK);
        let value = get(consumer, 0).unwrap();
        assert_eq!((value.data.addr() % 64, bytes_of(&value)), (0, &[i; 64][..]));
        unsafe { ios_guard_drop(value.guard) };
    }
    assert_eq!(unsafe { ios_observer_copy(observer, &raw mut copy) }, IOS_OK);
    unsafe { ios_observer_close(observer) };
    put(producer, &[99; 64]);
    assert_eq!((copy.data.addr() % 64, copy.seq, bytes_of(&copy)), (0, 9, &[9; 64][..]));
    unsafe {
        ios_guard_drop(copy.guard);
        ios_producer_close(producer);
        ios_consumer_close(consumer);
    }
}

#[test]
fn a_length_that_the_type_does_not_have_is_corrupt_to_a_reader_of_bytes() {
    let name = TestName::new("wrong-length");
    let mut rust = Channel::<FrameLabels>::named(&*name).capacity("1K").producer().unwrap();
    rust.loan_len(201).unwrap().put().unwrap();
    let consumer = options(&name, None).consumer();
    let mut observer = null_mut();
    let looking = options(&name, None);
    assert_eq!(unsafe { ios_observer_open(&raw const looking.raw, &raw mut observer) }, IOS_OK);

    // Next to `latest`, for consumers, and in the buffer, which begins with the value's sequence
    // number and length.
    let path = std::path::Path::new("/dev/shm").join(name.trim_start_matches('/'));
    let header = [1u64, 8 + 201 * 4].map(u64::to_le_bytes).concat();
    let content = std::fs::read(&path).unwrap();
    let at = content.windows(16).position(|bytes| bytes == header).expect("it was put");
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let length = 8 + 201 * 4 - 1u64;
    for at in [0xa0, at as u64 + 8] {
        std::os::unix::fs::FileExt::write_all_at(&file, &length.to_le_bytes(), at).unwrap();
    }

    let mut value = nothing();
    assert_eq!(get(consumer, 0).unwrap_err(), IOS_CORRUPT);
    assert!(last_error().contains("a value of 811 bytes"), "{}", last_error());
    assert_eq!(unsafe { ios_observer_copy(observer, &raw mut value) }, IOS_CORRUPT);
    unsafe {
        ios_observer_close(observer);
        ios_consumer_close(consumer);
    }
}

/// A message as an older program has it.
#[derive(Message)]
#[repr(C)]
struct Pose {
    x: f64,
    frame: u64,
}

mod later {
    use super::Message;

    #[derive(Message)]
    #[repr(C)]
    pub(super) struct Pose {
        pub(super) x: f64,
        pub(super) frame: u64,
        pub(super) covariance: [f64; 9],
    }
}

#[test]
fn a_consumer_and_an_observer_of_the_first_fields_get_these_alone() {
    let name = TestName::new("part");
    let mut producer = io_shared::producer::<later::Pose>(&name).unwrap();
    producer.put(&later::Pose { x: 2.5, frame: 7, covariance: [1.0; 9] }).unwrap();
    let schema = Pose::schema().to_json();
    let options = options(&name, Some(&schema));
    let expected = [2.5f64.to_le_bytes(), 7u64.to_le_bytes()].concat();

    let consumer = options.consumer();
    let value = get(consumer, 0).unwrap();
    assert_eq!(bytes_of(&value), expected);
    unsafe { ios_guard_drop(value.guard) };
    let mut text = null_mut();
    assert_eq!(unsafe { ios_consumer_schema(consumer, &raw mut text) }, IOS_OK);
    assert_eq!(taken(text), schema, "the messages as this consumer gets them");

    producer.put(&later::Pose { x: 2.5, frame: 7, covariance: [1.0; 9] }).unwrap();
    let (mut data, mut value) = ([0_u8; 16], nothing());
    let gets = ios_gets {
        consumer,
        timeout_ns: 0,
        header: std::ptr::null(),
        header_length: 0,
        data: data.as_mut_ptr().cast(),
        length: 16,
        value: &raw mut value,
    };
    assert_eq!(unsafe { ios_consumer_get_like(&raw const gets) }, IOS_OK);
    assert!(value.guard.is_null(), "it was copied");
    assert_eq!(data, expected[..]);
    unsafe { ios_consumer_close(consumer) };

    let mut observer = null_mut();
    let status = unsafe { ios_observer_open(&raw const options.raw, &raw mut observer) };
    assert_eq!(status, IOS_OK, "{}", last_error());
    let mut value = nothing();
    assert_eq!(unsafe { ios_observer_copy(observer, &raw mut value) }, IOS_OK);
    assert_eq!(bytes_of(&value), expected);
    unsafe { ios_guard_drop(value.guard) };
    unsafe { ios_observer_close(observer) };
}

#[test]
fn a_running_consumer_goes_on_when_a_producer_with_more_fields_starts() {
    let name = TestName::new("grows");
    let schema = Pose::schema().to_json();
    let consumer = options(&name, Some(&schema)).consumer();
    let expected = |x: f64, frame: u64| [x.to_le_bytes(), frame.to_le_bytes()].concat();
    let mut old = io_shared::producer::<Pose>(&name).unwrap();
    old.put(&Pose { x: 0.5, frame: 1 }).unwrap();
    let value = get(consumer, 5_000_000_000).unwrap();
    assert_eq!((bytes_of(&value), value.seq), (&expected(0.5, 1)[..], 1));
    unsafe { ios_guard_drop(value.guard) };
    drop(old);
    // A producer in C of the new type.
    let schema = later::Pose::schema().to_json();
    let producer = options(&name, Some(&schema)).producer();
    let message = [&expected(2.5, 2)[..], &[1; 72]].concat();
    assert_eq!(put(producer, &message), IOS_OK);
    let value = get(consumer, 5_000_000_000).unwrap();
    assert_eq!((bytes_of(&value), value.seq, value.missed), (&expected(2.5, 2)[..], 2, 0));
    unsafe {
        ios_guard_drop(value.guard);
        ios_consumer_close(consumer);
        ios_producer_close(producer);
    }
}
