//! An opening waits for whoever has the role to leave.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]

use std::ptr::null_mut;
use std::thread;
use std::time::{Duration, Instant};

use io_shared::Channel;
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{last_error, options, put};
use test_support::TestName;

const MILLISECOND: i64 = 1_000_000;

/// Opens a producer that waits for `wait` nanoseconds. Returns the status and how long it took.
fn open(name: &TestName, wait: i64) -> (ios_status, *mut ios_producer, Duration) {
    let options = options(name, None).with(|o| (o.capacity, o.wait_for_role) = (100, wait));
    let (mut producer, started) = (null_mut(), Instant::now());
    let status = unsafe { ios_producer_open(&raw const options.raw, &raw mut producer) };
    (status, producer, started.elapsed())
}

#[test]
fn an_opening_waits_for_the_role_as_long_as_it_is_told_to() {
    let name = TestName::new("role");
    let old = options(&name, None).with(|o| o.capacity = 100).producer();
    assert_eq!(put(old, b"1"), IOS_OK);
    for wait in [0, 150 * MILLISECOND] {
        let (status, _, took) = open(&name, wait);
        assert_eq!(status, IOS_ROLE_TAKEN);
        let here = format!("(producer, held by this process, {})", std::process::id());
        assert!(last_error().contains(&here), "{}", last_error());
        let least = Duration::from_nanos(wait as u64);
        assert!(took >= least && took < least + Duration::from_secs(2), "{took:?}");
    }
    // A negative time is without a limit.
    let mut last = old;
    for wait in [-1, 10_000 * MILLISECOND] {
        let (old, started) = (last.expose_provenance(), Instant::now());
        let closer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            unsafe { ios_producer_close(std::ptr::with_exposed_provenance_mut(old)) };
        });
        let (status, new, _) = open(&name, wait);
        let took = started.elapsed();
        assert_eq!(status, IOS_OK);
        assert!((100..8000).contains(&took.as_millis()), "{took:?}");
        closer.join().unwrap();
        last = new;
    }
    assert_eq!(put(last, b"2"), IOS_OK);
    let mut consumer = Channel::<[u8]>::named(&*name).consumer().unwrap();
    assert_eq!(consumer.get().unwrap().seq(), 2, "the sequence numbers go on");
    unsafe { ios_producer_close(last) };
}
