//! Error texts for C programs: in C's words, with what to write instead.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]

use std::ffi::CStr;

use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{last_error, options, put};
use test_support::TestName;

/// The text of the error when a producer is opened with that schema.
fn refused(schema: &str) -> String {
    let name = TestName::new("refused");
    // Without a capacity it fails at once, unless it may wait, even for no time.
    let status = options(&name, Some(schema)).with(|o| o.open_timeout = -1).refused();
    assert!(status == IOS_BAD_SCHEMA || status == IOS_BAD_OPTION, "{status:?}");
    last_error()
}

#[test]
fn options_are_called_as_the_struct_has_them() {
    let name = TestName::new("fields");
    let producer = options(&name, None).with(|o| o.capacity = 64).producer();
    assert_eq!(put(producer, &[0; 65]), IOS_TOO_LARGE);
    assert!(last_error().ends_with("create it with options.capacity = 65 or more"));
    let python = unsafe { CStr::from_ptr(ios_last_error_in(2)) }.to_str().unwrap().to_owned();
    assert!(python.ends_with("create it with size=65 or more"), "{python}");
    assert!(last_error().contains("options.capacity"), "both stay until the next failure");
    unsafe { ios_producer_close(producer) };
    let said = refused("{\"slice\":\"|u1\"}");
    assert!(said.contains("options.capacity is not given"), "{said}");
    assert!(said.contains("options.capacity = 5242880"), "{said}");
    assert!(!said.contains(".elements") && !said.contains(".capacity("), "{said}");
}

#[test]
fn options_that_do_not_belong_to_a_call_are_named_as_the_struct_has_them() {
    let name = TestName::new("not-here");
    let producer = options(&name, None).with(|o| o.consumer_name = c"viewer".as_ptr());
    assert_eq!(producer.refused(), IOS_BAD_OPTION);
    let expected = "options.consumer_name cannot be used here: it is for consumers only";
    assert_eq!(last_error(), expected);
    let text = options(&name, None).with(|o| o.name = c"\xff".as_ptr());
    assert_eq!(text.refused(), IOS_BAD_OPTION);
    assert_eq!(last_error(), "`options.name` is not UTF-8");
    let untyped = "options.schema cannot be used here: these bytes have no type: it is for \
                   IOS_MMAP_STATE";
    for (wrong, expected) in [
        (
            options(&name, None).with(|o| o.holds = 2),
            "options.holds cannot be used here: it is for channels only",
        ),
        (options(&name, Some("\"|u1\"")), untyped),
    ] {
        let mut mmap = std::ptr::null_mut();
        let wrong = &raw const wrong.raw;
        assert_eq!(unsafe { ios_mmap_open(wrong, 2, &raw mut mmap) }, IOS_BAD_OPTION);
        assert_eq!(last_error(), expected);
    }
}

#[test]
fn a_schema_that_disagrees_with_the_struct_is_told_the_padding_to_add() {
    // struct { uint8_t id; double at; } as the compiler lays it out, and as no compiler does.
    let fields = |offset| {
        format!(
            r#"[{{"name":"id","offset":0,"type":"|u1"}},
                {{"name":"at","offset":{offset},"type":"<f8"}}]"#
        )
    };
    let schema = |offset, size| {
        format!(r#"{{"struct":"S","size":{size},"align":8,"fields":{}}}"#, fields(offset))
    };
    for said in [refused(&schema(8, 16)), refused(&schema(1, 9))] {
        assert!(said.contains("`at`") && said.contains("uint8_t _pad1[7]"), "{said}");
        assert!(said.contains(r#"{"name":"_pad1","offset":1,"type":{"array":7,"of":"|u1"}}"#));
    }
    let tail = r#"{"struct":"S","size":16,"align":8,"fields":[{"name":"at","offset":0,"type":"<f8"},
        {"name":"id","offset":8,"type":"|u1"}]}"#;
    let said = refused(tail);
    assert!(said.contains("uint8_t _pad9[7]") && said.contains("at its end"), "{said}");

    // A struct with padding that is not in the schema.
    let name = TestName::new("padded");
    let packed = r#"{"struct":"S","size":12,"align":4,"fields":[
        {"name":"a","offset":0,"type":{"array":3,"of":"<f4"}}]}"#;
    let producer = options(&name, Some(packed)).producer();
    assert_eq!(put(producer, &[0; 16]), IOS_BAD_LENGTH);
    assert!(last_error().contains("has 4 bytes of padding"), "{}", last_error());
    unsafe { ios_producer_close(producer) };
}
