//! Waits of over a second are reported to C programs that ask for it.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::Mutex;

use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::options;
use test_support::TestName;

const SECOND: i64 = 1_000_000_000;

unsafe extern "C" fn note(text: *const c_char, context: *mut c_void) {
    let told = unsafe { &*context.cast::<Mutex<Vec<String>>>() };
    told.lock().unwrap().push(unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned());
}

#[test]
fn a_wait_of_over_a_second_is_told_once_with_its_name_and_whether_there_is_a_producer() {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let context = (&raw const TOLD).cast_mut().cast();
    assert_eq!(unsafe { ios_on_warning(Some(note), context) }, IOS_OK);
    let missing = TestName::new("mistyped");
    let status = options(&missing, None).with(|o| o.open_timeout = SECOND * 14 / 10).refused();
    assert_eq!(status, IOS_NOT_FOUND);
    let name = TestName::new("nobody-puts");
    let consumer = options(&name, Some("\"<u8\"")).with(|o| o.capacity = 8).consumer();
    let mut value = unsafe { std::mem::zeroed() };
    for _ in 0..2 {
        let status = unsafe { ios_consumer_get(consumer, SECOND * 14 / 10, &raw mut value) };
        assert_eq!(status, IOS_TIMEOUT);
        // After the second call nobody is told.
        let told: Vec<String> = TOLD.lock().unwrap().clone();
        assert_eq!(told.len(), 2, "{told:#?}");
        assert!(told[0].contains(&*missing) && told[0].contains("not there"), "{told:#?}");
        assert!(told[1].contains(&*name) && told[1].contains("no producer"), "{told:#?}");
        assert_eq!(unsafe { ios_on_warning(None, ptr::null_mut()) }, IOS_OK);
    }
    unsafe { ios_consumer_close(consumer) };
}
