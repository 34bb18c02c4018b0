//! The original package's objects through the C ABI, called as C calls it.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::ffi::{CStr, CString, c_void};
use std::ptr::{null, null_mut};

use io_shared::Array;
use io_shared_ffi::ios_legacy_kind::*;
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;
use test_support::{TestName, original};

const SHORT: i64 = 100_000_000;
const LONG: i64 = 10_000_000_000;

fn last_error() -> String {
    unsafe { CStr::from_ptr(ios_last_error()) }.to_str().unwrap().to_owned()
}

fn try_open(name: &str, kind: u32, size: u64, readers: u32) -> Result<*mut ios_legacy, ios_status> {
    let (name, mut legacy) = (CString::new(name).unwrap(), null_mut());
    match unsafe { ios_legacy_open(name.as_ptr(), kind, size, readers, SHORT, &raw mut legacy) } {
        IOS_OK => Ok(legacy),
        status => Err(status),
    }
}

fn open(name: &str, kind: ios_legacy_kind) -> *mut ios_legacy {
    try_open(name, kind as u32, 4096, 3).unwrap()
}

fn put(legacy: *mut ios_legacy, npy: &[u8]) -> ios_status {
    let (header, data) = npy.split_at(npy.len().min(128));
    let (header_start, data_start) = (header.as_ptr().cast(), data.as_ptr().cast());
    unsafe { ios_legacy_put(legacy, header_start, header.len(), data_start, data.len(), -1) }
}

fn get(legacy: *mut ios_legacy, timeout: i64) -> Result<Vec<u8>, ios_status> {
    let (mut npy, mut length) = (null::<c_void>(), 0);
    match unsafe { ios_legacy_get(legacy, timeout, &raw mut npy, &raw mut length) } {
        IOS_OK => Ok(unsafe { std::slice::from_raw_parts(npy.cast(), length) }.to_vec()),
        status => Err(status),
    }
}

#[test]
fn each_kind_of_handle_does_its_own_and_a_stuck_lock_has_its_status() {
    let name = TestName::new("c-legacy");
    let (putter, getter) = (open(&name, IOS_LEGACY_PUT), open(&name, IOS_LEGACY_GET));
    let theirs = original::Share::open(&name, 4096);
    let npy = Array::to_bytes("<u2", &[2], &[1, 0, 2, 0]).unwrap();
    assert_eq!(get(getter, 0), Err(IOS_TIMEOUT));
    assert_eq!(put(putter, &npy), IOS_OK);
    assert_eq!(theirs.get(npy.len()), npy);
    theirs.put(&npy);
    assert_eq!(get(getter, LONG), Ok(npy.clone()));
    assert_eq!(
        put(putter, &Array::to_bytes("|u1", &[4096], &[0; 4096]).unwrap()),
        IOS_OUT_OF_BOUNDS
    );
    assert_eq!(put(putter, b"no array"), IOS_OTHER);
    theirs.put(&npy);
    theirs.lock.take();
    assert_eq!(put(putter, &npy), IOS_LEGACY_LOCK_STUCK);
    assert_eq!(get(getter, -1), Err(IOS_LEGACY_LOCK_STUCK));
    assert!(last_error().contains("within 100 ms"), "{}", last_error());
    let stuck = unsafe { CStr::from_ptr(ios_status_name(IOS_LEGACY_LOCK_STUCK as i32)) };
    assert_eq!(stuck, c"IOS_LEGACY_LOCK_STUCK");
    assert_eq!(get(getter, SHORT / 10), Err(IOS_TIMEOUT), "its time was over before");
    theirs.lock.give();
    assert_eq!(get(getter, LONG), Ok(npy.clone()));
    assert_eq!(put(getter, &npy), IOS_UNSUPPORTED);
    assert_eq!(get(putter, 0), Err(IOS_UNSUPPORTED));
    assert_eq!(unsafe { ios_legacy_lock(putter, 1, 0) }, IOS_UNSUPPORTED);
    assert!(last_error().contains("IOS_LEGACY_LOCKED or IOS_LEGACY_RW"), "{}", last_error());
    for legacy in [putter, getter] {
        unsafe { ios_legacy_close(legacy) };
    }
    unsafe { ios_legacy_close(null_mut()) };
    theirs.exit();
}

#[test]
fn bytes_are_locked_read_and_written() {
    let name = TestName::new("c-legacy-bytes");
    for (kind, semaphore) in [(IOS_LEGACY_LOCKED, ""), (IOS_LEGACY_RW, "_write")] {
        let (bytes, other) = (open(&name, kind), open(&name, kind));
        let mut size = 0;
        assert_eq!(unsafe { ios_legacy_size(bytes, &raw mut size) }, IOS_OK);
        assert_eq!(size, 4096);
        assert_eq!(unsafe { ios_legacy_lock(bytes, 1, LONG) }, IOS_OK);
        assert_eq!(unsafe { ios_legacy_lock(bytes, 1, LONG) }, IOS_WOULD_DEADLOCK);
        assert_eq!(unsafe { ios_legacy_lock(other, 0, -1) }, IOS_LEGACY_LOCK_STUCK);
        assert_eq!(unsafe { ios_legacy_lock(other, 0, 0) }, IOS_TIMEOUT);
        let mut read = [0_u8; 5];
        let written = unsafe { ios_legacy_write(bytes, 4091, b"hello".as_ptr().cast(), 5) };
        let done = unsafe { ios_legacy_read(bytes, 4091, read.as_mut_ptr().cast(), 5) };
        assert_eq!((written, done, &read), (IOS_OK, IOS_OK, b"hello"));
        let written = unsafe { ios_legacy_write(bytes, 4092, b"hello".as_ptr().cast(), 5) };
        let done = unsafe { ios_legacy_read(bytes, u64::MAX, read.as_mut_ptr().cast(), 5) };
        assert_eq!((written, done), (IOS_OUT_OF_BOUNDS, IOS_OUT_OF_BOUNDS));
        assert_eq!(unsafe { ios_legacy_unlock(bytes) }, IOS_OK);
        assert_eq!(unsafe { ios_legacy_unlock(bytes) }, IOS_OK, "it has none to give back");
        assert_eq!(unsafe { ios_legacy_lock(other, 0, LONG) }, IOS_OK);
        unsafe { ios_legacy_close(other) }; // gives it back
        unsafe { ios_legacy_close(bytes) };
        let added = format!("{}{semaphore}", &*name);
        assert_eq!(original::Semaphore::open(&added, 9).value(), 1);
    }
    for file in ["", "_write", "_read"] {
        std::fs::remove_file(format!("/dev/shm/sem.{}{file}", &name[1..])).unwrap();
    }
}

#[test]
fn what_cannot_be_opened_says_why() {
    let name = TestName::new("c-legacy-open");
    assert_eq!(try_open("/a/b", 0, 10, 0), Err(IOS_BAD_NAME));
    assert_eq!(try_open(&name, 0, 0, 0), Err(IOS_BAD_OPTION));
    assert_eq!(try_open(&name, 3, 10, 0), Err(IOS_BAD_OPTION));
    assert_eq!(try_open(&name, 4, 10, 0), Err(IOS_BAD_OPTION));
    assert!(last_error().contains("4 is not an ios_legacy_kind"), "{}", last_error());
    assert_eq!(unsafe { ios_legacy_open(null(), 0, 1, 0, -1, null_mut()) }, IOS_NULL);
    assert_eq!(get(null_mut(), 0), Err(IOS_NULL));
    assert!(!name.path().exists());
}
