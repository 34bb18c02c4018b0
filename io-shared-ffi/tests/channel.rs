//! Channels through the C ABI, called as C does.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::ffi::{CStr, CString, c_void};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};

use io_shared::{Channel, ErrorKind, Message};
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{bytes_of, get, last_error, nothing, options, put, taken};
use test_support::TestName;

/// Header fields, then any number of numbers: not every length is a message.
#[derive(Message)]
#[repr(C)]
struct Labels {
    frame: u64,
    labels: [u32],
}

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
    assert!(last_error().contains("timed out after 20 ms waiting for a value"), "{}", last_error());

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

    // The role is kept by the loan, and given back with it.
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
fn a_loan_of_a_channel_that_was_replaced_is_told_so_and_the_next_goes_to_the_new_one() {
    let name = TestName::new("loan-replaced");
    let reopening =
        options(&name, None).with(|o| (o.capacity, o.flags) = (100, IOS_REOPEN)).producer();
    let (mut loan, mut data): (*mut ios_loan, *mut c_void) = (null_mut(), null_mut());
    let status = unsafe { ios_producer_loan(reopening, 8, &raw mut loan, &raw mut data) };
    assert_eq!(status, IOS_OK);
    Channel::remove(&name).unwrap();
    unsafe { data.cast::<[u8; 8]>().write(*b"too late") };
    assert_eq!(unsafe { ios_loan_put(loan, 8, null_mut()) }, IOS_REPLACED);
    assert_eq!(put(reopening, b"new"), IOS_OK);
    let mut consumer = Channel::<[u8]>::named(&*name).consumer().unwrap();
    assert_eq!(*consumer.get().unwrap(), *b"new");
    unsafe { ios_producer_close(reopening) };
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
    for flags in [0, IOS_REOPEN] {
        for get in gets {
            let name = TestName::new("left-behind");
            let open = || options(&name, None).with(|o| (o.capacity, o.flags) = (100, flags));
            let (old, consumer) = (open().producer(), open().consumer());
            assert_eq!(put(old, b"old"), IOS_OK);
            std::fs::remove_file(format!("/dev/shm{}", &*name)).unwrap();
            let new = open().producer();
            assert_eq!(put(new, b"new"), IOS_OK);
            // Longer than a consumer goes without looking where its name leads.
            std::thread::sleep(Duration::from_millis(120));
            match unsafe { get(consumer) } {
                Ok(value) => {
                    assert_eq!((bytes_of(&value), flags), (&b"new"[..], IOS_REOPEN));
                    unsafe { ios_guard_drop(value.guard) };
                }
                Err(status) => assert_eq!((status, flags), (IOS_REPLACED, 0)),
            }
            unsafe { ios_producer_close(old) };
            unsafe { ios_producer_close(new) };
            unsafe { ios_consumer_close(consumer) };
        }
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
    // As if other code had closed it, of all that is open of the channel; the producer is not asked again.
    let inode = |path: &Path| std::fs::metadata(path).ok().map(|metadata| metadata.ino());
    let its = inode(&Path::new("/dev/shm").join(name.trim_start_matches('/')));
    for entry in std::fs::read_dir("/proc/self/fd").unwrap().flatten() {
        if inode(&entry.path()) == its {
            // The number stays taken, so that nobody else's is closed with the handle.
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
    let producer = options(&name, None).with(|o| (o.capacity, o.holds) = (100, 2)).producer();
    let consumer = options(&name, None).consumer();
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
    // Their consumer's claim is still theirs, from whichever thread they are dropped.
    let error = Channel::<[u8]>::named(&*name).consumer().unwrap_err();
    assert!(error.to_string().starts_with(&no_slot(&name)), "{error}");
    for (i, value) in kept.into_iter().enumerate() {
        assert_eq!(bytes_of(&value), [i as u8 + 1; 50], "it did not change under its reader");
        let guard = value.guard.addr();
        let drop = move || unsafe { ios_guard_drop(std::ptr::with_exposed_provenance_mut(guard)) };
        value.guard.expose_provenance();
        std::thread::spawn(drop).join().unwrap();
    }
    Channel::<[u8]>::named(&*name).consumer().unwrap();
    unsafe { ios_producer_close(producer) };
}

#[test]
fn a_producer_knows_who_its_consumers_are() {
    let name = TestName::new("holders");
    let longest = "x".repeat(IOS_NAME_LENGTH - 1);
    let producer = options(&name, None).with(|o| (o.capacity, o.consumers) = (16, 3)).producer();
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

/// What the only consumer's slot being taken by this process reads like.
fn no_slot(name: &str) -> String {
    let pid = std::process::id();
    let end = "drop a handle of this process, watch without a slot (.observer()), or create it \
               with .consumers(2)";
    format!("{name}: the only slot is taken (slot 0, held by this process, {pid}): {end}")
}

#[test]
fn a_schema_makes_a_typed_channel_and_its_lengths_are_the_only_ones() {
    let name = TestName::new("schema");
    let schema = Labels::schema().to_json();
    let producer = options(&name, Some(&schema)).with(|o| o.capacity = 1024).producer();
    let mut typed = Channel::<Labels>::named(&*name).consumer().unwrap();
    let mut message = 7u64.to_le_bytes().to_vec();
    message.extend([1u32, 2, 3].iter().flat_map(|label| label.to_le_bytes()));
    assert_eq!(put(producer, &message), IOS_OK);
    let labels = typed.get().unwrap();
    assert_eq!((labels.frame, &labels.labels), (7, &[1u32, 2, 3][..]));
    drop(labels);

    for wrong in [0, 7, 9, 13] {
        assert_eq!(put(producer, &vec![0; wrong]), IOS_BAD_LENGTH, "{wrong}");
    }
    let expected = "a message of this channel has 8 bytes and a whole number of elements of 4 \
                    bytes, found 13";
    assert!(last_error().ends_with(expected), "{}", last_error());
    assert_eq!(put(producer, &[0; 1028]), IOS_TOO_LARGE);
    let (mut loan, mut data) = (null_mut(), null_mut());
    unsafe {
        assert_eq!(ios_producer_loan(producer, 9, &raw mut loan, &raw mut data), IOS_BAD_LENGTH);
        assert_eq!(ios_producer_loan(producer, 12, &raw mut loan, &raw mut data), IOS_OK);
        assert_eq!(ios_loan_put(loan, 11, null_mut()), IOS_BAD_LENGTH);
    }
    assert!(typed.try_get().unwrap().is_none(), "nothing of all that was put");
    unsafe { ios_producer_close(producer) };
    drop(typed);

    // The other side: who states nothing takes what is there; who states another type does not.
    let mut rust = Channel::<Labels>::named(&*name).capacity("1K").producer().unwrap();
    let consumer = options(&name, None).consumer();
    let mut text = null_mut();
    assert_eq!(unsafe { ios_consumer_schema(consumer, &raw mut text) }, IOS_OK);
    assert_eq!(taken(text), schema);
    assert_eq!(unsafe { ios_consumer_name(consumer, &raw mut text) }, IOS_OK);
    assert_eq!(taken(text), *name);
    rust.loan_len(2).unwrap().put().unwrap();
    let value = get(consumer, 0).unwrap();
    assert_eq!(value.length, 16);
    assert!(value.data.cast::<u64>().is_aligned());
    unsafe { ios_guard_drop(value.guard) };
    unsafe { ios_consumer_close(consumer) };

    let mut other = null_mut();
    let floats = options(&name, Some(r#"{"slice":"<f4"}"#));
    assert_eq!(unsafe { ios_consumer_open(&raw const floats.raw, &raw mut other) }, IOS_MISMATCH);
    assert_eq!(options(&name, Some("{}")).refused(), IOS_BAD_SCHEMA);
}

#[test]
fn a_message_of_a_fixed_size_needs_no_capacity_and_is_as_aligned_as_it_says() {
    let name = TestName::new("aligned");
    let schema = r#"{"struct":"Wide","size":64,"align":64,"fields":[{"name":"x","offset":0,"type":{"array":16,"of":"<f4"}}]}"#;
    let producer = options(&name, Some(schema)).producer();
    let consumer = options(&name, None).consumer();
    let mut observer = null_mut();
    let looking = options(&name, None);
    assert_eq!(unsafe { ios_observer_open(&raw const looking.raw, &raw mut observer) }, IOS_OK);
    let mut copy = nothing();
    assert_eq!(unsafe { ios_observer_copy(observer, &raw mut copy) }, IOS_EMPTY);
    for i in 1..10 {
        let (mut loan, mut data) = (null_mut(), null_mut());
        let status = unsafe { ios_producer_loan(producer, 64, &raw mut loan, &raw mut data) };
        assert_eq!(status, IOS_OK);
        assert_eq!(data.addr() % 64, 0);
        unsafe { data.cast::<[u8; 64]>().write([i; 64]) };
        assert_eq!(unsafe { ios_loan_put(loan, 64, null_mut()) }, IOS_OK);
        let value = get(consumer, 0).unwrap();
        assert_eq!((value.data.addr() % 64, bytes_of(&value)), (0, &[i; 64][..]));
        unsafe { ios_guard_drop(value.guard) };
    }
    assert_eq!(unsafe { ios_observer_copy(observer, &raw mut copy) }, IOS_OK);
    unsafe { ios_observer_close(observer) };
    put(producer, &[99; 64]);
    assert_eq!((copy.data.addr() % 64, copy.seq, bytes_of(&copy)), (0, 9, &[9; 64][..]));
    unsafe {
        ios_guard_drop(copy.guard);
        ios_producer_close(producer);
        ios_consumer_close(consumer);
    }
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
    assert_eq!(wait(&list, 0).0, IOS_TIMEOUT);
    assert_eq!(wait(&list, 1_000_000).0, IOS_TIMEOUT);
    put(producers[1], b"x");
    assert_eq!(wait(&list, -1), (IOS_OK, [false, true, false]));
    assert_eq!(wait(&[], -1).0, IOS_BAD_OPTION);
    assert_eq!(wait(&[list[0], list[0]], 0).0, IOS_IN_USE, "one consumer twice");
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
                Err(IOS_IN_USE) => {} // by the other's tries
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
    assert_eq!(bad(&|o| o.name = c"a/b".as_ptr()).0, IOS_BAD_NAME);
    assert_eq!(bad(&|o| o.mode = 0o1777).0, IOS_BAD_OPTION);
    let (status, text) = bad(&|o| (o.name, o.fd) = (null(), 1_000_000));
    assert_eq!(status, IOS_BAD_OPTION);
    assert!(text.contains("descriptor 1000000 cannot be used: Bad file descriptor"), "{text}");

    // A newer program's are longer.
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
        bytes[0x188] ^= 0x55; // the boot's id
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

#[test]
fn a_length_that_the_type_does_not_have_is_corrupt_to_who_reads_bytes() {
    let name = TestName::new("wrong-length");
    let mut rust = Channel::<Labels>::named(&*name).capacity("1K").producer().unwrap();
    rust.loan_len(201).unwrap().put().unwrap();
    let consumer = options(&name, None).consumer();
    let mut observer = null_mut();
    let looking = options(&name, None);
    assert_eq!(unsafe { ios_observer_open(&raw const looking.raw, &raw mut observer) }, IOS_OK);

    // Beside `latest`, for consumers, and in the buffer, which begins with the value's number and length.
    let path = std::path::Path::new("/dev/shm").join(name.trim_start_matches('/'));
    let header = [1u64, 8 + 201 * 4].map(u64::to_le_bytes).concat();
    let content = std::fs::read(&path).unwrap();
    let at = content.windows(16).position(|bytes| bytes == header).expect("it was put");
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let length = 8 + 201 * 4 - 1u64;
    for at in [0x98, at as u64 + 8] {
        std::os::unix::fs::FileExt::write_all_at(&file, &length.to_le_bytes(), at).unwrap();
    }

    let mut value = nothing();
    assert_eq!(get(consumer, 0).unwrap_err(), IOS_CORRUPT);
    assert!(last_error().contains("a value of 811 bytes"), "{}", last_error());
    assert_eq!(unsafe { ios_observer_copy(observer, &raw mut value) }, IOS_CORRUPT);
    unsafe {
        ios_observer_close(observer);
        ios_consumer_close(consumer);
    }
}
