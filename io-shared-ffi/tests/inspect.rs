//! What C learns of the regions that are there.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]

use std::ffi::CString;
use std::ptr::{null, null_mut};

use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;
use serde_json::Value as Json;

mod common;

use common::calls::{last_error, options, put, taken};
use test_support::TestName;

fn info(name: &str) -> Result<Json, ios_status> {
    let (name, mut json) = (CString::new(name).unwrap(), null_mut());
    match unsafe { ios_info(name.as_ptr(), &raw mut json) } {
        IOS_OK => Ok(serde_json::from_str(&taken(json)).unwrap()),
        status => Err(status),
    }
}

#[test]
fn c_lists_what_is_there_and_asks_for_one_of_it() {
    let name = TestName::new("inspected");
    let producer = options(&name, None).with(|o| o.capacity = 100).producer();
    assert_eq!(put(producer, b"abc"), IOS_OK);
    let mut json = null_mut();
    assert_eq!(unsafe { ios_regions(&raw mut json) }, IOS_OK);
    let listed: Vec<Json> = serde_json::from_str(&taken(json)).unwrap();
    let found = listed.iter().find(|found| found["name"] == *name).unwrap();
    let asked = info(&name).unwrap();
    for found in [found, &asked] {
        assert_eq!((&found["state"], &found["kind"]), (&"region".into(), &"channel".into()));
        assert_eq!((&found["seq"], &found["value_bytes"]), (&1.into(), &3.into()));
        assert_eq!(found["producer"]["pid"], std::process::id());
    }
    let keys = |object: &Json| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(found), keys(&asked));
    unsafe { ios_producer_close(producer) };
    assert_eq!(info(&name).unwrap()["producer"]["connected"], false);
}

#[test]
fn what_is_not_there_or_no_name_or_null_is_a_status() {
    assert_eq!(info("/nobody-made-this"), Err(IOS_NOT_FOUND));
    assert!(last_error().contains("/nobody-made-this"), "{}", last_error());
    assert_eq!(info("//"), Err(IOS_BAD_NAME));
    let mut json = null_mut();
    assert_eq!(unsafe { ios_info(null(), &raw mut json) }, IOS_NULL);
    assert_eq!(unsafe { ios_info(c"/a".as_ptr(), null_mut()) }, IOS_NULL);
    assert_eq!(unsafe { ios_regions(null_mut()) }, IOS_NULL);
    assert!(json.is_null());
}
