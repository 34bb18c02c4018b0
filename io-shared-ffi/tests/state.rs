//! Typed state through the C ABI, called as C calls it.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::ffi::{CStr, CString, c_void};
use std::ptr::null_mut;

use io_shared::{Message, Shared};
use io_shared_ffi::ios_mmap_kind::*;
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;
use test_support::TestName;

#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
struct Robot {
    x: f64,
    parked: bool,
    _pad: [u8; 7],
}

static HOME: Robot = Robot { x: 0.5, parked: true, _pad: [0; 7] };
const SHORT: i64 = 100_000_000;
const HANG: i64 = 20_000_000_000;

fn last_error() -> String {
    unsafe { CStr::from_ptr(ios_last_error()) }.to_str().unwrap().to_owned()
}

/// Opens a state of that type and name, with the options that `set` sets.
fn try_open(
    name: &str,
    schema: &str,
    set: impl FnOnce(&mut ios_options),
) -> Result<*mut ios_mmap, ios_status> {
    let (name, schema) = (CString::new(name).unwrap(), CString::new(schema).unwrap());
    let mut options = unsafe { std::mem::zeroed::<ios_options>() };
    unsafe { ios_options_init(&raw mut options, size_of::<ios_options>()) };
    (options.name, options.schema) = (name.as_ptr(), schema.as_ptr());
    set(&mut options);
    let mut state = null_mut();
    match unsafe { ios_mmap_open(&raw const options, IOS_MMAP_STATE as u32, &raw mut state) } {
        IOS_OK => Ok(state),
        status => Err(status),
    }
}

#[track_caller]
fn open(name: &str, initial: Option<&Robot>) -> *mut ios_mmap {
    let opened = try_open(name, &Robot::schema().to_json(), |options| {
        if let Some(initial) = initial {
            options.initial = (&raw const *initial).cast();
            options.initial_length = size_of::<Robot>();
        }
    });
    opened.unwrap_or_else(|status| panic!("{status:?}: {}", last_error()))
}

fn ask(
    state: *mut ios_mmap,
    question: unsafe extern "C" fn(*mut ios_mmap, *mut bool) -> ios_status,
) -> bool {
    let mut answer = false;
    assert_eq!(unsafe { question(state, &raw mut answer) }, IOS_OK, "{}", last_error());
    answer
}

fn created(state: *mut ios_mmap) -> bool {
    let mut answer = false;
    assert_eq!(unsafe { ios_mmap_created(state, &raw mut answer) }, IOS_OK, "{}", last_error());
    answer
}

fn set(state: *mut ios_mmap, value: &[u8], timeout: i64) -> ios_status {
    unsafe { ios_mmap_set(state, value.as_ptr().cast(), value.len(), timeout) }
}

/// Locks the state to read, and returns what is there.
fn get(state: *mut ios_mmap) -> Result<Vec<u8>, ios_status> {
    let (mut guard, mut data) = (null_mut(), std::ptr::null::<c_void>());
    match unsafe { ios_mmap_lock_read(state, HANG, &raw mut guard, &raw mut data) } {
        IOS_OK => {}
        status => {
            unsafe { ios_mmap_guard_drop(guard) };
            return Err(status);
        }
    }
    let value = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size_of::<Robot>()) };
    let value = value.to_vec();
    unsafe { ios_mmap_guard_drop(guard) };
    Ok(value)
}

#[test]
fn a_state_is_one_for_c_and_rust_and_each_is_told_of_the_others_writes() {
    let name = TestName::new("state");
    let state = open(&name, Some(&HOME));
    assert!(created(state) && !ask(state, ios_mmap_changed));
    let mut rust = Shared::<Robot>::open(&*name).unwrap();
    assert_eq!((rust.created(), rust.get().unwrap()), (false, HOME));
    assert_eq!(unsafe { ios_mmap_wait_changed(state, SHORT) }, IOS_TIMEOUT);
    assert!(last_error().contains("a write by another handle"), "{}", last_error());

    rust.update(|robot| robot.x = 1.5).unwrap();
    assert_eq!(unsafe { ios_mmap_wait_changed(state, HANG) }, IOS_OK);
    assert!(ask(state, ios_mmap_changed));
    let moved = Robot { x: 1.5, ..HOME };
    assert_eq!(get(state).unwrap(), moved.as_bytes());
    assert!(!ask(state, ios_mmap_changed));

    let (mut guard, mut data) = (null_mut(), null_mut::<c_void>());
    unsafe {
        assert_eq!(ios_mmap_lock(state, HANG, &raw mut guard, &raw mut data), IOS_OK);
        data.cast::<f64>().write(2.5);
        ios_mmap_guard_drop(guard);
    }
    rust.wait_changed(std::time::Duration::from_secs(20)).unwrap();
    assert_eq!(rust.get().unwrap(), Robot { x: 2.5, ..HOME });
    assert_eq!(set(state, HOME.as_bytes(), -1), IOS_OK);
    assert_eq!(rust.get().unwrap(), HOME);
    unsafe { ios_mmap_close(state) };
}

#[test]
fn what_is_no_value_of_the_type_is_refused_and_a_whole_value_mends_what_is_there() {
    let name = TestName::new("checked");
    let state = open(&name, None);
    assert!(created(state));
    assert_eq!(set(state, &[0; 15], -1), IOS_BAD_OPTION);
    assert!(last_error().contains("16 bytes"), "{}", last_error());
    let mut wrong = [0; 16];
    wrong[8] = 2;
    assert_eq!(set(state, &wrong, -1), IOS_BAD_VALUE);
    assert!(last_error().contains("parked"), "{}", last_error());
    let (mut guard, mut data) = (null_mut(), null_mut::<c_void>());
    unsafe {
        assert_eq!(ios_mmap_lock(state, 0, &raw mut guard, &raw mut data), IOS_OK);
        assert_eq!(set(state, HOME.as_bytes(), 0), IOS_WOULD_DEADLOCK);
        data.cast::<u8>().add(8).write(2);
        assert_eq!(ios_mmap_mark_dirty(guard), IOS_OK);
        ios_mmap_guard_drop(guard);
    }
    assert_eq!(get(state).unwrap_err(), IOS_BAD_VALUE);
    assert_eq!(set(state, HOME.as_bytes(), -1), IOS_OK);
    assert_eq!(get(state).unwrap(), HOME.as_bytes());
    unsafe { ios_mmap_close(state) };
}

#[test]
fn options_that_a_state_does_not_have_and_acts_of_states_on_bytes_are_refused() {
    let name = TestName::new("refused");
    let schema = Robot::schema().to_json();
    let refused = |schema: &str, set: &dyn Fn(&mut ios_options)| {
        (try_open(&name, schema, |options| set(options)).unwrap_err(), last_error())
    };
    let without = refused(&schema, &|options| options.schema = std::ptr::null());
    assert_eq!(without.0, IOS_BAD_OPTION);
    assert!(without.1.contains("options.schema"), "{}", without.1);
    assert_eq!(refused(&schema, &|options| options.capacity = 16).0, IOS_BAD_OPTION);
    let short = refused(&schema, &|options| {
        (options.initial, options.initial_length) = ((&raw const HOME).cast(), 15);
    });
    assert_eq!(short.0, IOS_BAD_OPTION);
    assert!(short.1.contains("initial"), "{}", short.1);
    let growing = refused(&<[u8]>::schema().to_json(), &|_| {});
    assert_eq!(growing.0, IOS_BAD_OPTION);
    assert!(growing.1.contains("fixed size"), "{}", growing.1);

    let named = CString::new(&*name).unwrap();
    let mut options = unsafe { std::mem::zeroed::<ios_options>() };
    unsafe { ios_options_init(&raw mut options, size_of::<ios_options>()) };
    (options.name, options.capacity) = (named.as_ptr(), 16);
    let mut bytes = null_mut();
    let open_bytes = |options: &ios_options, bytes: *mut *mut ios_mmap| unsafe {
        ios_mmap_open(&raw const *options, IOS_MMAP_RW as u32, bytes)
    };
    let with_value = ios_options { initial: (&raw const HOME).cast(), ..options };
    assert_eq!(open_bytes(&with_value, &raw mut bytes), IOS_BAD_OPTION);
    assert_eq!(open_bytes(&options, &raw mut bytes), IOS_OK);
    let mut answer = false;
    unsafe {
        assert_eq!(ios_mmap_changed(bytes, &raw mut answer), IOS_UNSUPPORTED);
        assert_eq!(ios_mmap_created(bytes, &raw mut answer), IOS_UNSUPPORTED);
        assert_eq!(ios_mmap_wait_changed(bytes, 0), IOS_UNSUPPORTED);
        assert_eq!(set(bytes, HOME.as_bytes(), 0), IOS_UNSUPPORTED);
        assert_eq!(ios_mmap_changed(null_mut(), &raw mut answer), IOS_NULL);
        ios_mmap_close(bytes);
    }
}

#[test]
fn a_removed_state_is_created_anew_by_the_next_lock() {
    let name = TestName::new("removed");
    let (state, other) = (open(&name, Some(&HOME)), open(&name, Some(&HOME)));
    let moved = Robot { x: 3.5, ..HOME };
    assert_eq!(set(state, moved.as_bytes(), -1), IOS_OK);
    assert_eq!(get(other).unwrap(), moved.as_bytes());
    let named = CString::new(&*name).unwrap();
    assert_eq!(unsafe { ios_mmap_remove(named.as_ptr(), IOS_MMAP_STATE as u32) }, IOS_OK);
    assert_eq!(unsafe { ios_mmap_wait_changed(other, SHORT) }, IOS_TIMEOUT);
    assert_eq!(get(state).unwrap(), HOME.as_bytes());
    assert!(created(state) && !created(other));
    assert_eq!(unsafe { ios_mmap_wait_changed(other, HANG) }, IOS_OK);
    assert_eq!(get(other).unwrap(), HOME.as_bytes());
    unsafe {
        ios_mmap_close(state);
        ios_mmap_close(other);
    }
}
