//! Options and arguments of the C ABI: their defaults, their limits, and NULL.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::ffi::CString;
use std::ptr::{null, null_mut};
use std::time::Duration;

use io_shared::{Channel, ErrorKind};
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{bytes_of, get, last_error, nothing, options, put};
use test_support::TestName;

#[test]
fn null_is_told_where_it_is_needed_and_left_alone_where_it_is_closed() {
    let (mut value, mut seq, mut other) = (nothing(), 0, null_mut());
    let name = TestName::new("null");
    let producer = options(&name, None).with(|o| o.capacity = 8).producer();
    unsafe {
        assert_eq!(ios_producer_open(null(), null_mut()), IOS_NULL);
        assert_eq!(ios_producer_open(null(), &raw mut other), IOS_NULL);
        assert_eq!(ios_consumer_get(null_mut(), 0, &raw mut value), IOS_NULL);
        assert!(last_error().starts_with("`consumer` must not be NULL"), "{}", last_error());
        assert_eq!(ios_observer_copy(null_mut(), &raw mut value), IOS_NULL);
        assert_eq!(ios_producer_seq(null(), &raw mut seq), IOS_NULL);
        assert_eq!(ios_producer_seq(producer, null_mut()), IOS_NULL);
        assert_eq!(ios_producer_put(producer, null(), 1, null_mut()), IOS_NULL);
        assert_eq!(ios_producer_put(producer, null(), 0, null_mut()), IOS_OK);
        assert_eq!(
            ios_producer_put(producer, [0u8; 8].as_ptr().cast(), usize::MAX, null_mut()),
            IOS_TOO_LARGE
        );
        assert_eq!(ios_copy(null_mut(), [0u8; 8].as_ptr().cast(), 8), IOS_NULL);
        assert_eq!(ios_copy(null_mut(), null(), 0), IOS_OK);
        assert_eq!(ios_loan_put(null_mut(), 0, null_mut()), IOS_NULL);
        assert_eq!(ios_channel_remove(null()), IOS_NULL);
        ios_producer_close(null_mut());
        ios_consumer_close(null_mut());
        ios_observer_close(null_mut());
        ios_loan_drop(null_mut());
        ios_guard_drop(null_mut());
        ios_text_free(null_mut());
        ios_options_init(null_mut(), 80);
        ios_producer_close(producer);
    }
}

#[test]
fn options_of_older_and_newer_programs_are_understood_and_nonsense_is_refused() {
    let name = TestName::new("options");
    let bad = |set: &dyn Fn(&mut ios_options)| {
        let status = options(&name, None).with(|o| o.capacity = 8).with(|o| set(o)).refused();
        (status, last_error())
    };
    assert_eq!(bad(&|o| o.struct_size = 0).0, IOS_BAD_OPTION, "not set by ios_options_init");
    assert_eq!(bad(&|o| o.flags = 1 << 31).0, IOS_BAD_OPTION);
    assert_eq!(bad(&|o| o.flags = IOS_ANONYMOUS).0, IOS_BAD_OPTION, "and a name");
    assert_eq!(bad(&|o| o.fd = 1_000_000).0, IOS_BAD_OPTION, "and a name");
    assert_eq!(bad(&|o| o.name = null()).0, IOS_BAD_OPTION, "no place at all");
    assert_eq!(bad(&|o| o.flags = IOS_EXTEND).0, IOS_BAD_OPTION, "for mmaps");
    assert_eq!(bad(&|o| o.consumer_name = c"x".as_ptr()).0, IOS_BAD_OPTION, "of a producer");
    assert_eq!(bad(&|o| o.name = c"\xff".as_ptr()).0, IOS_BAD_OPTION, "not UTF-8");
    assert_eq!(bad(&|o| o.name = c"a//b".as_ptr()).0, IOS_BAD_NAME);
    assert_eq!(bad(&|o| o.mode = 0o1777).0, IOS_BAD_OPTION);
    let (status, text) = bad(&|o| (o.name, o.fd) = (null(), 1_000_000));
    assert_eq!(status, IOS_BAD_OPTION);
    assert!(text.contains("descriptor 1000000 cannot be used: Bad file descriptor"), "{text}");

    // Those of a newer program are longer.
    #[repr(C)]
    struct Newer(ios_options, [u64; 4]);
    let mut newer = unsafe { std::mem::zeroed::<Newer>() };
    newer.1 = [7; 4];
    let pointer = (&raw mut newer).cast::<ios_options>();
    unsafe { ios_options_init(pointer, size_of::<Newer>()) };
    assert_eq!((newer.0.struct_size, newer.1, newer.0.fd), (size_of::<Newer>(), [0; 4], -1));
    let text = CString::new(&*name).unwrap();
    (newer.0.name, newer.0.capacity) = (text.as_ptr(), 8);
    let mut producer = null_mut();
    assert_eq!(unsafe { ios_producer_open((&raw const newer).cast(), &raw mut producer) }, IOS_OK);
    unsafe { ios_producer_close(producer) };

    let mut bytes = 0;
    assert_eq!(unsafe { ios_size(c"5M".as_ptr(), &raw mut bytes) }, IOS_OK);
    assert_eq!(bytes, 5 << 20);
    assert_eq!(unsafe { ios_size(c"5MB".as_ptr(), &raw mut bytes) }, IOS_BAD_SIZE);
}

#[test]
fn the_other_places_and_options_reach_the_channel() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = CString::new(folder.path().join("kept").to_str().unwrap()).unwrap();
    let in_file = || options("", None).with(|o| (o.name, o.file) = (null(), path.as_ptr()));
    let producer = in_file().with(|o| o.capacity = 8).producer();
    put(producer, b"kept");
    unsafe { ios_producer_close(producer) };
    let consumer = in_file().with(|o| o.consumer_name = c"log".as_ptr()).consumer();
    let value = get(consumer, 0).unwrap();
    assert_eq!(bytes_of(&value), b"kept");
    unsafe { ios_guard_drop(value.guard) };
    unsafe { ios_consumer_close(consumer) };
    let consumer = in_file().with(|o| o.consumer_name = c"log".as_ptr()).consumer();
    assert_eq!(get(consumer, 0).unwrap_err(), IOS_EMPTY, "a named one goes on where it stopped");
    unsafe { ios_consumer_close(consumer) };

    let flags = IOS_ANONYMOUS | IOS_NO_STAMPS | IOS_PREFAULT;
    let nowhere = options("", None);
    let nowhere = nowhere.with(|o| (o.name, o.flags, o.capacity) = (null(), flags, 8));
    let producer = nowhere.producer();
    let mut fd = -1;
    assert_eq!(unsafe { ios_producer_fd(producer, &raw mut fd) }, IOS_OK);
    let consumer = options("", None).with(|o| (o.name, o.fd) = (null(), fd)).consumer();
    put(producer, b"passed");
    let value = get(consumer, 0).unwrap();
    let mut age = 0;
    assert_eq!(unsafe { ios_guard_age(value.guard, &raw mut age) }, IOS_OK);
    assert_eq!((bytes_of(&value), value.stamp, age), (&b"passed"[..], 0, -1));
    unsafe {
        ios_guard_drop(value.guard);
        ios_producer_close(producer);
        ios_consumer_close(consumer);
    }

    let name = TestName::new("ephemeral");
    let last = options(&name, None).with(|o| (o.capacity, o.flags) = (8, IOS_EPHEMERAL)).producer();
    unsafe { ios_producer_close(last) };
    let gone = Channel::<[u8]>::named(&*name).open_timeout(Duration::ZERO).consumer().unwrap_err();
    assert_eq!(*gone.kind(), ErrorKind::NotFound);
    let named = CString::new(&*name).unwrap();
    assert_eq!(unsafe { ios_channel_remove(named.as_ptr()) }, IOS_NOT_FOUND);
}
