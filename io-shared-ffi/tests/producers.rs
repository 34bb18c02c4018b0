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
