//! Messages of ROS by the C interface.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "each is a call with pointers of this test"
)]

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};

use io_shared::{Array, Message};
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

const STRING: &CStr = c"string data\n";

fn error() -> String {
    // SAFETY: it ends in a zero, and is valid until this thread's next failure.
    unsafe { CStr::from_ptr(ios_last_error()) }.to_str().unwrap().to_owned()
}

/// What a text from the library says.
fn text(status: ios_status, text: *mut c_char) -> String {
    assert_eq!(status, IOS_OK, "{}", error());
    // SAFETY: it ends in a zero.
    let said = unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned();
    // SAFETY: it is the caller's.
    unsafe { ios_text_free(text) };
    said
}

fn bytes(data: *const c_void, length: usize) -> Vec<u8> {
    if length == 0 {
        return Vec::new();
    }
    // SAFETY: there are as many bytes.
    unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) }.to_vec()
}

fn whole(message: &ios_ros_message) -> Vec<u8> {
    let head = bytes(message.head, message.head_length);
    let data = bytes(message.data, message.data_length);
    [head, data, bytes(message.tail, message.tail_length)].concat()
}

fn nothing() -> ios_ros_message {
    // SAFETY: it is made of numbers and pointers.
    unsafe { std::mem::zeroed() }
}

fn from_ros(ros: u32, ty: &CStr, definition: &CStr) -> *mut ios_from_ros {
    let mut from = null_mut();
    // SAFETY: the texts end in zeros, and `from` may be written to.
    let status = unsafe {
        ios_from_ros_open(ros, ty.as_ptr(), definition.as_ptr(), null(), 0, &raw mut from)
    };
    assert_eq!(status, IOS_OK, "{}", error());
    from
}

fn converted(from: *mut ios_from_ros, bytes: &[u8]) -> (ios_status, ios_ros_message) {
    let mut message = nothing();
    // SAFETY: it is open, and the bytes live longer than the message is used.
    let status =
        unsafe { ios_from_ros_convert(from, bytes.as_ptr().cast(), bytes.len(), &raw mut message) };
    (status, message)
}

#[test]
fn a_message_of_ros_becomes_one_of_a_channel_and_goes_back() {
    let from = from_ros(1, c"std_msgs/String", STRING);
    let mut json = null_mut();
    // SAFETY: it is open, and `json` may be written to.
    assert_eq!(unsafe { ios_from_ros_schema(from, &raw mut json) }, IOS_EMPTY);
    let (status, message) = converted(from, b"\x05\0\0\0hello");
    assert_eq!(status, IOS_OK, "{}", error());
    assert_eq!((message.version, message.capacity, message.data_length), (1, 0, 64));
    assert!(message.frame_id.is_null() && whole(&message).starts_with(b"hello\0"));
    // SAFETY: as before.
    let json = text(unsafe { ios_from_ros_schema(from, &raw mut json) }, json);
    assert!(json.contains("std_msgs/String"), "{json}");

    let (schema, mut to) = (CString::new(json).unwrap(), null_mut());
    // SAFETY: the texts end in zeros, and `to` may be written to.
    let status =
        unsafe { ios_to_ros_open(1, schema.as_ptr(), null(), null(), null(), &raw mut to) };
    assert_eq!(status, IOS_OK, "{}", error());
    let (put, mut back) = (whole(&message), nothing());
    // SAFETY: it is open, the bytes live longer than `back` is used, and there is no frame.
    let status = unsafe {
        ios_to_ros_convert(to, put.as_ptr().cast(), put.len(), 0, null(), 0, &raw mut back)
    };
    assert_eq!((status, whole(&back)), (IOS_OK, b"\x05\0\0\0hello".to_vec()));
    let mut said = null_mut();
    // SAFETY: it is open, and `said` may be written to; the same below.
    assert_eq!(text(unsafe { ios_to_ros_type(to, &raw mut said) }, said), "std_msgs/String");
    // SAFETY: as above.
    let summed = text(unsafe { ios_to_ros_summed(to, &raw mut said) }, said);
    assert_eq!(summed, "std_msgs/String\nstring data\n\n");
    // SAFETY: as above.
    assert_eq!(text(unsafe { ios_to_ros_definition(to, &raw mut said) }, said), "string data\n");
    // SAFETY: as above.
    assert_eq!(unsafe { ios_to_ros_frame(to, &raw mut said) }, IOS_EMPTY);
    // SAFETY: both are open, and closed once.
    unsafe {
        ios_to_ros_close(to);
        ios_from_ros_close(from);
    }
}

#[test]
fn a_cloud_is_where_it_was_in_both_directions() {
    let array = Array::to_bytes("<f4", &[2, 4], &[7; 32]).unwrap();
    let (schema, mut to) = (CString::new(Array::schema().to_json()).unwrap(), null_mut());
    // SAFETY: the texts end in zeros, and `to` may be written to.
    let status = unsafe {
        ios_to_ros_open(2, schema.as_ptr(), c"cloud".as_ptr(), null(), null(), &raw mut to)
    };
    assert_eq!(status, IOS_OK, "{}", error());
    let mut cloud = nothing();
    let convert = |cloud| {
        let (data, length) = (array.as_ptr().cast(), array.len());
        // SAFETY: it is open, and the bytes live longer than the message is used.
        unsafe { ios_to_ros_convert(to, data, length, 5, c"lidar".as_ptr(), 0, cloud) }
    };
    assert_eq!(convert(&raw mut cloud), IOS_OK, "{}", error());
    assert!(array.as_ptr_range().contains(&cloud.data.cast()), "it was copied");

    let from = from_ros(2, c"sensor_msgs/msg/PointCloud2", &definition(to));
    let cdr = whole(&cloud);
    let (status, message) = converted(from, &cdr);
    assert_eq!(status, IOS_OK, "{}", error());
    assert!(cdr.as_ptr_range().contains(&message.data.cast()), "it was copied");
    assert_eq!((whole(&message), message.stamp_ns), (array.clone(), 5));
    assert_eq!(message.capacity, 2 * array.len() as u64);
    // SAFETY: it ends in a zero.
    assert_eq!(unsafe { CStr::from_ptr(message.frame_id) }, c"lidar");
    // SAFETY: both are open, and closed once.
    unsafe {
        ios_to_ros_close(to);
        ios_from_ros_close(from);
    }
}

fn definition(to: *mut ios_to_ros) -> CString {
    let mut said = null_mut();
    // SAFETY: it is open, and `said` may be written to.
    CString::new(text(unsafe { ios_to_ros_definition(to, &raw mut said) }, said)).unwrap()
}

#[test]
fn what_is_wrong_is_said_and_the_next_message_is_converted() {
    let mut from = null_mut();
    let mut open = |ros, ty: *const c_char, definition: &CStr, flags| {
        // SAFETY: the texts end in zeros or are NULL, and `from` may be written to.
        unsafe { ios_from_ros_open(ros, ty, definition.as_ptr(), null(), flags, &raw mut from) }
    };
    let ty = c"p/msg/A".as_ptr();
    assert_eq!(open(2, ty, c"uint8", 0), IOS_BAD_SCHEMA);
    assert!(error().contains("p/msg/A") && error().contains("a type and a name"), "{}", error());
    assert_eq!(open(2, ty, c"p/B b\n", 0), IOS_BAD_SCHEMA);
    assert_eq!(open(3, ty, STRING, 0), IOS_BAD_OPTION);
    assert_eq!(open(2, ty, STRING, 8), IOS_BAD_OPTION);
    assert_eq!(open(2, null(), STRING, 0), IOS_NULL);
    assert!(from.is_null());

    let from = from_ros(2, c"p/msg/A", c"uint8 a\nstring b\n");
    assert_eq!(converted(from, b"\0\x01\0\0\x07").0, IOS_CORRUPT);
    assert!(error().contains("p/msg/A") && error().contains("ends after 5"), "{}", error());
    assert_eq!(converted(from, b"").0, IOS_CORRUPT);
    // SAFETY: it is open; NULL is refused.
    assert_eq!(unsafe { ios_from_ros_convert(from, null(), 8, &mut nothing()) }, IOS_NULL);
    let (status, message) = converted(from, b"\0\x01\0\0\x07\0\0\0\x02\0\0\0b\0");
    assert_eq!((status, message.version), (IOS_OK, 1));
    // SAFETY: it is open, and closed once; NULL is left alone.
    unsafe {
        ios_from_ros_close(from);
        ios_from_ros_close(null_mut());
        ios_to_ros_close(null_mut());
    }
    let (schema, mut to) = (CString::new(u8::schema().to_json()).unwrap(), null_mut());
    let mut open = |kind: *const c_char| {
        // SAFETY: the texts end in zeros or are NULL, and `to` may be written to.
        unsafe { ios_to_ros_open(2, schema.as_ptr(), kind, null(), null(), &raw mut to) }
    };
    assert_eq!(open(c"picture".as_ptr()), IOS_BAD_OPTION);
    assert_eq!(open(null()), IOS_OK);
    let mut said = null_mut();
    // SAFETY: it is open, and both may be written to; two bytes are there.
    let (asked, wrong) = unsafe {
        let asked = ios_to_ros_type(to, &raw mut said);
        let data = [1_u8, 2].as_ptr().cast();
        (asked, ios_to_ros_convert(to, data, 2, 0, null(), 0, &mut nothing()))
    };
    assert_eq!((asked, wrong), (IOS_EMPTY, IOS_CORRUPT));
    // SAFETY: it is open, and closed once.
    unsafe { ios_to_ros_close(to) };
}
