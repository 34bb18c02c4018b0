//! Who the producer is, being told of its end, and observers that wait, as C calls it.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::ffi::CStr;
use std::time::{SystemTime, UNIX_EPOCH};

use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::options;
use test_support::TestName;

fn text(chars: &[std::ffi::c_char]) -> String {
    unsafe { CStr::from_ptr(chars.as_ptr()) }.to_str().unwrap().to_owned()
}

#[test]
fn consumers_and_observers_know_the_producer_and_a_get_says_when_it_has_gone() {
    let name = TestName::new("ffi-who");
    let number = || options(&name, Some(r#""<u8""#));
    let producer = number().producer();
    let consumer = number().with(|o| o.flags = IOS_REQUIRES_PRODUCER).consumer();
    let observer = number().observer();
    let mut who = unsafe { std::mem::zeroed::<ios_process>() };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    for from_observer in [false, true] {
        let status = match from_observer {
            false => unsafe { ios_consumer_producer(consumer, &raw mut who) },
            true => unsafe { ios_observer_producer(observer, &raw mut who) },
        };
        assert_eq!((status, who.pid), (IOS_OK, std::process::id()));
        assert!(!text(&who.command).is_empty());
        assert!(who.since <= now && now - who.since < 60_000_000_000, "{who:?}");
    }
    let put = |value: u64| unsafe {
        ios_producer_put(producer, (&raw const value).cast(), 8, std::ptr::null_mut())
    };
    let mut value = unsafe { std::mem::zeroed::<ios_value>() };
    let mut seq = 9;
    unsafe {
        assert_eq!(ios_observer_wait(observer, 0, &raw mut value), IOS_EMPTY);
        assert_eq!(ios_observer_wait(observer, 1_000_000, &raw mut value), IOS_TIMEOUT);
        assert_eq!((ios_observer_seq(observer, &raw mut seq), seq), (IOS_OK, 0));
        assert_eq!(put(7), IOS_OK);
        assert_eq!((ios_observer_seq(observer, &raw mut seq), seq), (IOS_OK, 1));
        assert_eq!(ios_observer_wait(observer, -1, &raw mut value), IOS_OK);
        assert_eq!((*value.data.cast::<u64>(), value.seq), (7, 1));
        ios_guard_drop(value.guard);
        ios_producer_close(producer);
        assert_eq!(ios_consumer_get(consumer, -1, &raw mut value), IOS_OK, "it was not seen");
        ios_guard_drop(value.guard);
        for timeout in [-1, 0, 60_000_000_000] {
            assert_eq!(ios_consumer_get(consumer, timeout, &raw mut value), IOS_NO_PRODUCER);
        }
        let said = CStr::from_ptr(ios_last_error()).to_str().unwrap().to_owned();
        assert!(said.ends_with("or wait for one (IOS_REQUIRES_PRODUCER)"), "{said}");
        assert_eq!(ios_consumer_producer(consumer, &raw mut who), IOS_EMPTY);
        assert_eq!(ios_observer_producer(observer, &raw mut who), IOS_EMPTY);
        ios_consumer_close(consumer);
        ios_observer_close(observer);
    }
}

#[test]
fn an_observer_reads_a_part_of_a_value_by_its_path() {
    let name = TestName::new("ffi-field");
    let three = || options(&name, Some(r#"{"array":3,"of":"<f8"}"#));
    let (producer, observer) = (three().producer(), options(&name, None).observer());
    let mut found = unsafe { std::mem::zeroed::<ios_field>() };
    let mut field = |path: &CStr| unsafe {
        let status = ios_observer_field(observer, path.as_ptr(), &raw mut found);
        let json = match status {
            IOS_OK => CStr::from_ptr(found.json).to_str().unwrap().to_owned(),
            _ => CStr::from_ptr(ios_last_error()).to_str().unwrap().to_owned(),
        };
        if status == IOS_OK {
            ios_text_free(found.json);
        }
        (status, json, found.number, found.seq)
    };
    assert_eq!(field(c"[0]").0, IOS_EMPTY);
    let value = [1.5, f64::NAN, f64::INFINITY];
    let put =
        unsafe { ios_producer_put(producer, value.as_ptr().cast(), 24, std::ptr::null_mut()) };
    assert_eq!(put, IOS_OK);
    assert_eq!(field(c"[0]"), (IOS_OK, "1.5".into(), 1.5, 1));
    assert_eq!(field(c"[2]"), (IOS_OK, "null".into(), f64::INFINITY, 1));
    let (status, json, number, _) = field(c"[0:2]");
    assert!(number.is_nan());
    assert_eq!((status, json.as_str()), (IOS_OK, "[1.5,null]"));
    let (status, said, ..) = field(c"[3]");
    assert_eq!(status, IOS_BAD_OPTION);
    assert!(said.contains("the message has 3 elements, so there is no [3]"), "{said}");
    assert_eq!(field(c"[").0, IOS_BAD_OPTION);
    unsafe {
        let path = c"".as_ptr();
        assert_eq!(ios_observer_field(std::ptr::null_mut(), path, &raw mut found), IOS_NULL);
        assert_eq!(ios_observer_field(observer, std::ptr::null(), &raw mut found), IOS_NULL);
        assert_eq!(ios_observer_field(observer, path, std::ptr::null_mut()), IOS_NULL);
        ios_producer_close(producer);
        ios_observer_close(observer);
    }
}
