//! Descriptions of array messages, as JSON.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]

use std::ffi::CStr;
use std::ptr::{null, null_mut};

use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

/// The status, and the JSON or the text of the error.
fn describe(message: &[u8]) -> (ios_status, String) {
    let mut json = null_mut();
    let status =
        unsafe { ios_array_describe(message.as_ptr().cast(), message.len(), &raw mut json) };
    let text = if status == IOS_OK { json.cast_const() } else { ios_last_error() };
    let text = unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned();
    unsafe { ios_text_free(json) };
    (status, text)
}

#[test]
fn a_header_is_described_wherever_it_lies_and_a_damaged_one_says_why_not() {
    let mut message = b"?\x93NUMPY\x01\0\x40\0".to_vec();
    message.extend(b"{'descr': [('\\x00', '<f4')], 'fortran_order': True, 'shape': (1,)}");
    message.extend([0; 4]);
    message[9] = (message.len() - 15) as u8;
    let (status, json) = describe(&message[1..]);
    let fields = r#"{"descr":[[null,"\u0000","<f4",null]],"fortran_order":true,"#;
    let rest = r#""shape":[1],"start":76,"bytes":4}"#;
    assert_eq!((status, json), (IOS_OK, format!("{fields}{rest}")));
    let (status, text) = describe(&message);
    assert_eq!(status, IOS_CORRUPT);
    assert!(text.contains("not an array"), "{text}");
    let (status, text) = describe(&message[1..message.len() - 1]);
    assert_eq!(status, IOS_CORRUPT);
    assert!(text.contains("needs 80 bytes, found 79"), "{text}");
    let mut json = null_mut();
    assert_eq!(unsafe { ios_array_describe(null(), 8, &raw mut json) }, IOS_NULL);
    assert_eq!(unsafe { ios_array_describe(null(), 0, null_mut()) }, IOS_NULL);
}
