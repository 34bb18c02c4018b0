//! Channels through the C ABI, called as C calls it.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::ffi::{CStr, CString, c_void};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};

use io_shared::Channel;
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{bytes_of, get, last_error, nothing, options, put};
use test_support::TestName;

#[test]
fn what_is_put_is_got_with_its_number_and_age() {
    let name = TestName::new("put-get");
    let producer = options(&name, None).with(|o| o.capacity = 100).producer();
    let consumer = options(&name, None).consumer();
    assert_eq!(get(consumer, 0).unwrap_err(), IOS_EMPTY);
    let mut value = nothing();
    assert_eq!(unsafe { ios_consumer_latest(consumer, &raw mut value) }, IOS_EMPTY);

    for message in [&b"one"[..], b"two", b"three"] {
        assert_eq!(put(producer, message), IOS_OK);
    }
    let value = get(consumer, -1).unwrap();
    assert_eq!((bytes_of(&value), value.seq, value.missed), (&b"three"[..], 3, 2));
    let mut age = -2;
    assert_eq!(unsafe { ios_guard_age(value.guard, &raw mut age) }, IOS_OK);
    assert!((0..10_000_000_000).contains(&age), "{age}");
    unsafe { ios_guard_drop(value.guard) };

    let before = Instant::now();
    assert_eq!(get(consumer, 20_000_000).unwrap_err(), IOS_TIMEOUT);
    assert!(before.elapsed() >= Duration::from_millis(20));
    assert!(
        last_error().contains("timed out after 20 ms waiting for a new value"),
        "{}",
        last_error()
    );

    let mut value = nothing();
    assert_eq!(unsafe { ios_consumer_latest(consumer, &raw mut value) }, IOS_OK);
    assert_eq!((bytes_of(&value), value.seq, value.missed), (&b"three"[..], 3, 0));
    unsafe { ios_guard_drop(value.guard) };

    let (mut seq, mut seen, mut capacity, mut had, mut living) = (0, 0, 0, 9, false);
    unsafe {
        assert_eq!(ios_producer_seq(producer, &raw mut seq), IOS_OK);
        assert_eq!(ios_consumer_last_seen(consumer, &raw mut seen), IOS_OK);
        assert_eq!(ios_consumer_capacity(consumer, &raw mut capacity), IOS_OK);
        assert_eq!(ios_producer_wait_taken(producer, 0, &raw mut had), IOS_OK);
        assert_eq!(ios_consumer_has_producer(consumer, &raw mut living), IOS_OK);
    }
    assert_eq!((seq, seen, capacity, had, living), (3, 3, 100, 1, true));
    unsafe { ios_producer_close(producer) };
    unsafe { ios_consumer_has_producer(consumer, &raw mut living) };
    assert!(!living);
    unsafe { ios_consumer_close(consumer) };
}

#[test]
fn a_loan_is_filled_in_place_and_there_is_one_at_a_time() {
    let name = TestName::new("loan");
    let producer = options(&name, None).with(|o| o.capacity = 100).producer();
    let consumer = options(&name, None).consumer();
    let loan = || {
        let (mut loan, mut data): (*mut ios_loan, *mut c_void) = (null_mut(), null_mut());
        let status = unsafe { ios_producer_loan(producer, 8, &raw mut loan, &raw mut data) };
        (status, loan, data.cast::<[u8; 8]>())
    };
    let (status, first, data) = loan();
    assert_eq!(status, IOS_OK);
    unsafe { data.write(*b"lent lie") };
    assert_eq!(loan().0, IOS_ALREADY_LOANED);
    assert_eq!(put(producer, b"x"), IOS_ALREADY_LOANED);
    assert!(last_error().contains("put or drop that loan first"), "{}", last_error());
    let mut seq = 0;
    assert_eq!(unsafe { ios_loan_put(first, 4, &raw mut seq) }, IOS_OK);
    let value = get(consumer, 0).unwrap();
    assert_eq!((bytes_of(&value), value.seq, seq), (&b"lent"[..], 1, 1));
    unsafe { ios_guard_drop(value.guard) };

    let (status, dropped, _) = loan();
    assert_eq!(status, IOS_OK, "a put loan is over");
    unsafe { ios_loan_drop(dropped) };
    assert_eq!(get(consumer, 0).unwrap_err(), IOS_EMPTY, "a dropped one publishes nothing");

    let (_, long, _) = loan();
    assert_eq!(unsafe { ios_loan_put(long, 9, null_mut()) }, IOS_OUT_OF_BOUNDS);
    assert_eq!(put(producer, b"after it"), IOS_OK, "a loan is over whatever the status is");

    // The loan keeps the role, and gives it back when it ends.
    let (status, last, data) = loan();
    assert_eq!(status, IOS_OK);
    unsafe { ios_producer_close(producer) };
    assert_eq!(options(&name, None).with(|o| o.capacity = 100).refused(), IOS_ROLE_TAKEN);
    unsafe { data.write(*b"at last!") };
    assert_eq!(unsafe { ios_loan_put(last, 8, &raw mut seq) }, IOS_OK);
    assert_eq!(seq, 3);
    let value = get(consumer, 0).unwrap();
    assert_eq!(bytes_of(&value), b"at last!");
    let producer = options(&name, None).with(|o| o.capacity = 100).producer();
    unsafe {
        ios_guard_drop(value.guard);
        ios_producer_close(producer);
        ios_consumer_close(consumer);
    }
}

#[test]
fn a_loan_of_a_channel_that_was_replaced_is_put_into_the_new_one_unless_it_was_asked_not_to() {
    for (flags, expected) in [(0, IOS_OK), (IOS_NO_REOPEN, IOS_REPLACED)] {
        let name = TestName::new("loan-replaced");
        let producer =
            options(&name, None).with(|o| (o.capacity, o.flags) = (100, flags)).producer();
        let (mut loan, mut data): (*mut ios_loan, *mut c_void) = (null_mut(), null_mut());
        let status = unsafe { ios_producer_loan(producer, 9, &raw mut loan, &raw mut data) };
        assert_eq!(status, IOS_OK);
        Channel::remove(&name).unwrap();
        // The bytes stay where they are until the put.
        assert_eq!(unsafe { ios_loan_tag(loan, 42) }, IOS_OK);
        assert_eq!(unsafe { ios_loan_number(loan, 7, 77) }, IOS_OK);
        unsafe { data.cast::<[u8; 8]>().write(*b"in time.") };
        let mut seq = 0;
        assert_eq!(unsafe { ios_loan_put(loan, 7, &raw mut seq) }, expected);
        assert_eq!(Path::new(&format!("/dev/shm{}", &*name)).exists(), expected == IOS_OK);
        if expected == IOS_OK {
            let mut consumer = Channel::<[u8]>::named(&*name).consumer().unwrap();
            let value = consumer.get().unwrap();
            assert_eq!((&*value, value.seq(), seq), (&b"in time"[..], 7, 7));
            assert_eq!((value.tag(), value.stamp()), (42, 77));
        }
        assert_eq!(put(producer, b"new"), expected, "the loan is over whatever the status is");
        unsafe { ios_producer_close(producer) };
    }
}

#[test]
fn of_a_channel_that_another_has_taken_the_name_of_no_value_is_given() {
    type Get = unsafe fn(*mut ios_consumer) -> Result<ios_value, ios_status>;
    let gets: [Get; 3] = [
        |consumer| get(consumer, 0),
        |consumer| get(consumer, -1),
        |consumer| {
            let (mut value, mut ready) = (nothing(), false);
            let consumers = [consumer.cast_const()];
            let waited = unsafe { ios_wait_any(consumers.as_ptr(), 1, -1, &raw mut ready) };
            assert_eq!((waited, ready), (IOS_OK, true));
            match unsafe { ios_consumer_latest(consumer, &raw mut value) } {
                IOS_OK => Ok(value),
                status => Err(status),
            }
        },
    ];
    for flags in [0, IOS_NO_REOPEN] {
        for get in gets {
            let name = TestName::new("left-behind");
            let open = || options(&name, None).with(|o| (o.capacity, o.flags) = (100, flags));
            let (old, consumer) = (open().producer(), open().consumer());
            assert_eq!(put(old, b"old"), IOS_OK);
            std::fs::remove_file(format!("/dev/shm{}", &*name)).unwrap();
            let new = open().producer();
            assert_eq!(put(new, b"new"), IOS_OK);
            // Longer than a consumer's interval of checking what its name refers to.
            std::thread::sleep(Duration::from_millis(120));
            match unsafe { get(consumer) } {
                Ok(value) => {
                    assert_eq!((bytes_of(&value), flags), (&b"new"[..], 0));
                    unsafe { ios_guard_drop(value.guard) };
                }
                Err(status) => assert_eq!((status, flags), (IOS_REPLACED, IOS_NO_REOPEN)),
            }
            unsafe { ios_producer_close(old) };
            unsafe { ios_producer_close(new) };
            unsafe { ios_consumer_close(consumer) };
        }
    }
}

#[test]
fn the_last_value_of_a_channel_that_is_gone_is_given_once_and_the_wait_goes_on() {
    for flags in [0, IOS_NO_REOPEN] {
        let name = TestName::new("gone");
        let named = CString::new(&*name).unwrap();
        let open = || options(&name, None).with(|o| (o.capacity, o.flags) = (100, flags));
        let (old, consumer) = (open().producer(), open().consumer());
        assert_eq!(put(old, b"last"), IOS_OK);
        assert_eq!(unsafe { ios_channel_remove(named.as_ptr()) }, IOS_OK);
        let value = get(consumer, 0).unwrap();
        assert_eq!(bytes_of(&value), b"last");
        unsafe { ios_guard_drop(value.guard) };
        let gone = if flags == 0 { (IOS_TIMEOUT, IOS_OK) } else { (IOS_REPLACED, IOS_REPLACED) };
        assert_eq!(get(consumer, 20_000_000).unwrap_err(), gone.0);
        assert_eq!(put(old, b"new"), gone.1);
        if flags == 0 {
            let value = get(consumer, 5_000_000_000).unwrap();
            assert_eq!((bytes_of(&value), value.seq), (&b"new"[..], 1));
            unsafe { ios_guard_drop(value.guard) };
        }
        unsafe { ios_producer_close(old) };
        unsafe { ios_consumer_close(consumer) };
    }
}

unsafe extern "C" {
    fn dup2(old: i32, new: i32) -> i32;
}

#[test]
fn a_consumer_whose_slot_is_anothers_is_told() {
    let name = TestName::new("lost");
    let producer = options(&name, None).with(|o| o.capacity = 100).producer();
    let old = options(&name, None).consumer();
    assert_eq!(put(producer, b"one"), IOS_OK);
    let held = get(old, 0).unwrap();
    // As if other code closed the descriptor, among all that are open on the channel. The producer
    // is not used again.
    let inode = |path: &Path| std::fs::metadata(path).ok().map(|metadata| metadata.ino());
    let its = inode(&Path::new("/dev/shm").join(name.trim_start_matches('/')));
    for entry in std::fs::read_dir("/proc/self/fd").unwrap().flatten() {
        if inode(&entry.path()) == its {
            // The number stays in use, so that the handle closes no other descriptor.
            let null = std::fs::File::open("/dev/null").unwrap();
            let number = entry.file_name().to_str().unwrap().parse().unwrap();
            assert_eq!(unsafe { dup2(null.as_raw_fd(), number) }, number);
        }
    }
    let new = options(&name, None).consumer();
    assert_eq!(put(producer, b"two"), IOS_OK);
    let kept = get(new, 0).unwrap();
    unsafe { ios_guard_drop(held.guard) };
    for timeout in [0, -1] {
        assert_eq!(get(old, timeout).unwrap_err(), IOS_ROLE_LOST);
        assert!(last_error().contains("open a new consumer"), "{}", last_error());
    }
    let mut value = nothing();
    assert_eq!(unsafe { ios_consumer_latest(old, &raw mut value) }, IOS_ROLE_LOST);
    let (consumers, mut ready) = ([old.cast_const()], false);
    assert_eq!(unsafe { ios_wait_any(consumers.as_ptr(), 1, -1, &raw mut ready) }, IOS_OK);
    assert!(ready, "its get says so");
    unsafe { ios_consumer_close(old) };
    for _ in 0..10 {
        assert_eq!(put(producer, b"three"), IOS_OK);
        assert_eq!(bytes_of(&kept), b"two");
    }
    unsafe {
        ios_guard_drop(kept.guard);
        ios_consumer_close(new);
        ios_producer_close(producer);
    }
}

#[test]
fn values_outlive_their_consumer_and_more_than_there_are_holds_are_refused() {
    let name = TestName::new("holds");
    let producer = options(&name, None).with(|o| o.capacity = 100).producer();
    let consumer = options(&name, None).with(|o| o.holds = 2).consumer();
    let mut kept = Vec::new();
    for i in 1..=2 {
        assert_eq!(put(producer, &[i; 50]), IOS_OK);
        kept.push(get(consumer, 0).unwrap());
    }
    put(producer, &[3; 50]);
    assert_eq!(get(consumer, 0).unwrap_err(), IOS_ALREADY_HELD);
    assert!(last_error().contains("options.holds = 3"), "{}", last_error());
    unsafe { ios_consumer_close(consumer) };
    for i in 4..100 {
        assert_eq!(put(producer, &[i; 50]), IOS_OK);
    }
    // They keep their consumer's claim, whichever thread drops them.
    let nobody = ios_holder { slot: 9, pid: 9, name: [9; IOS_NAME_LENGTH] };
    assert_eq!(ask(producer, &mut [nobody]), 1);
    for (i, value) in kept.into_iter().enumerate() {
        assert_eq!(bytes_of(&value), [i as u8 + 1; 50], "it did not change under its reader");
        let guard = value.guard.addr();
        let drop = move || unsafe { ios_guard_drop(std::ptr::with_exposed_provenance_mut(guard)) };
        value.guard.expose_provenance();
        std::thread::spawn(drop).join().unwrap();
    }
    assert_eq!(ask(producer, &mut [nobody]), 0);
    unsafe { ios_producer_close(producer) };
}

#[test]
fn a_producer_knows_who_its_consumers_are() {
    let name = TestName::new("holders");
    let longest = "x".repeat(IOS_NAME_LENGTH - 1);
    let producer = options(&name, None).with(|o| o.capacity = 16).producer();
    let nobody = ios_holder { slot: 9, pid: 9, name: [9; IOS_NAME_LENGTH] };
    let mut holders = [nobody; 3];
    assert_eq!(ask(producer, &mut holders), 0);

    let viewer = options(&name, None).with(|o| o.consumer_name = c"viewer".as_ptr()).consumer();
    let _nameless = Channel::<[u8]>::named(&*name).consumer().unwrap();
    let long = Channel::<[u8]>::named(&*name).consumer_name(&*longest).consumer().unwrap();
    assert_eq!(ask(producer, &mut holders[..2]), 3);
    assert_eq!((holders[2].slot, holders[2].pid), (9, 9), "there was room for two");
    assert_eq!((ask(producer, &mut holders), holders[2].slot), (3, 2));
    let named = |holder: &ios_holder| unsafe { CStr::from_ptr(holder.name.as_ptr()) }.to_owned();
    let names = holders.each_ref().map(named);
    assert_eq!(names.each_ref().map(|name| name.to_str().unwrap()), ["viewer", "", &longest]);
    assert!(holders.iter().all(|holder| holder.pid == std::process::id()));

    drop(long);
    unsafe { ios_consumer_close(viewer) };
    assert_eq!((ask(producer, &mut holders), holders[0].slot), (1, 1));
    let mut count = 9;
    let just_counting = unsafe { ios_producer_holders(producer, null_mut(), 0, &raw mut count) };
    assert_eq!((just_counting, count), (IOS_OK, 1));
    let nowhere = unsafe { ios_producer_holders(producer, null_mut(), 1, &raw mut count) };
    assert_eq!(nowhere, IOS_NULL);
    let uncounted = unsafe { ios_producer_holders(producer, null_mut(), 0, null_mut()) };
    assert_eq!(uncounted, IOS_NULL);
    unsafe { ios_producer_close(producer) };
}

fn ask(producer: *const ios_producer, holders: &mut [ios_holder]) -> usize {
    let mut count = 0;
    let (start, room) = (holders.as_mut_ptr(), holders.len());
    assert_eq!(unsafe { ios_producer_holders(producer, start, room, &raw mut count) }, IOS_OK);
    count
}

#[test]
fn wait_any_says_which_consumers_have_something() {
    let names = [TestName::new("any-0"), TestName::new("any-1"), TestName::new("any-2")];
    let open = |name: &TestName| options(name, None).with(|o| o.capacity = 8).producer();
    let producers: Vec<_> = names.iter().map(open).collect();
    let consumers: Vec<_> = names.iter().map(|name| options(name, None).consumer()).collect();
    let list: Vec<_> = consumers.iter().map(|consumer| consumer.cast_const()).collect();
    let wait = |list: &[*const ios_consumer], timeout| {
        let mut ready = [true; 3];
        let (list, count, out) = (list.as_ptr(), list.len(), ready.as_mut_ptr());
        (unsafe { ios_wait_any(list, count, timeout, out) }, ready)
    };
    for timeout in [0, 1_000_000] {
        assert_eq!(wait(&list, timeout), (IOS_TIMEOUT, [true; 3]), "nothing is written");
    }
    put(producers[1], b"x");
    assert_eq!(wait(&list, -1), (IOS_OK, [false, true, false]));
    assert_eq!(wait(&[], -1).0, IOS_BAD_OPTION);
    assert_eq!(wait(&[list[0], list[0]], 0).0, IOS_TIMEOUT, "one consumer twice");
    assert_eq!(wait(&[list[1], list[0], list[1]], -1), (IOS_OK, [true, false, true]));
    assert_eq!(wait(&[list[0], null()], 0).0, IOS_NULL);
    for (producer, consumer) in producers.into_iter().zip(consumers) {
        unsafe {
            ios_producer_close(producer);
            ios_consumer_close(consumer);
        }
    }
}

#[test]
fn a_handle_that_another_thread_uses_is_in_use() {
    let name = TestName::new("in-use");
    let producer = options(&name, None).with(|o| o.capacity = 8).producer();
    let consumer = options(&name, None).consumer();
    let address = consumer.expose_provenance();
    let waiting = std::thread::spawn(move || {
        let consumer = std::ptr::with_exposed_provenance_mut(address);
        loop {
            match get(consumer, 10_000_000_000) {
                Err(IOS_IN_USE) => {} // because of the other thread's call
                got => return got.map(|value| unsafe { ios_guard_drop(value.guard) }),
            }
        }
    });
    let started = Instant::now();
    while get(consumer, 0).unwrap_err() != IOS_IN_USE {
        assert!(started.elapsed() < Duration::from_secs(5), "the thread never waits");
    }
    assert!(last_error().contains("another thread is using this handle"), "{}", last_error());
    put(producer, b"x");
    waiting.join().unwrap().unwrap();
    assert_eq!(get(consumer, 0).unwrap_err(), IOS_EMPTY);
    unsafe { ios_producer_close(producer) };
    unsafe { ios_consumer_close(consumer) };
}

#[test]
fn after_a_reboot_a_value_that_was_synced_is_given_without_an_age_and_one_put_since_is_not() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let [here, copy] = ["kept", "copy"].map(|name| folder.path().join(name));
    let in_file = |path: &Path| {
        let path = CString::new(path.to_str().unwrap()).unwrap().into_raw().cast_const();
        options("", None).with(|o| (o.name, o.file, o.capacity) = (null(), path, 8))
    };
    let producer = in_file(&here).producer();
    let after_a_reboot = || {
        let mut bytes = std::fs::read(&here).unwrap();
        bytes[0x188] ^= 0x55; // the boot ID
        std::fs::write(&copy, bytes).unwrap();
        in_file(&copy).consumer()
    };
    put(producer, b"synced");
    assert_eq!(unsafe { ios_producer_sync(producer) }, IOS_OK);
    let consumer = after_a_reboot();
    let value = get(consumer, 0).unwrap();
    let mut age = 0;
    assert_eq!(unsafe { ios_guard_age(value.guard, &raw mut age) }, IOS_OK);
    assert_eq!((bytes_of(&value), value.seq, value.stamp, age), (&b"synced"[..], 1, 0, -1));
    unsafe { ios_guard_drop(value.guard) };
    unsafe { ios_consumer_close(consumer) };
    put(producer, b"not");
    let consumer = after_a_reboot();
    assert_eq!(get(consumer, 0).unwrap_err(), IOS_EMPTY);
    unsafe { ios_consumer_close(consumer) };
    unsafe { ios_producer_close(producer) };
    assert_eq!(unsafe { ios_producer_sync(null_mut()) }, IOS_NULL);
}
