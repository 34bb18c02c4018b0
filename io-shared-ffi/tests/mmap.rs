//! Shared bytes through the C ABI, called as C calls it.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::ffi::{CStr, CString, c_void};
use std::io::Write;
use std::ptr::{null, null_mut};

use io_shared::mmap::Bytes;
use io_shared::{LockError, RwSharedMmap, SharedMmap, UnsafeSharedMmap};
use io_shared_ffi::ios_mmap_kind::*;
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use test_support::TestName;

fn last_error() -> String {
    unsafe { CStr::from_ptr(ios_last_error()) }.to_str().unwrap().to_owned()
}

/// Opens the bytes of that name, with a size (0: none) and flags.
fn try_open(
    name: &str,
    kind: ios_mmap_kind,
    size: u64,
    flags: u32,
) -> Result<*mut ios_mmap, ios_status> {
    let name = CString::new(name).unwrap();
    let mut options = unsafe { std::mem::zeroed::<ios_options>() };
    unsafe { ios_options_init(&raw mut options, size_of::<ios_options>()) };
    (options.name, options.capacity, options.flags) = (name.as_ptr(), size, flags);
    let mut mmap = null_mut();
    match unsafe { ios_mmap_open(&raw const options, kind as u32, &raw mut mmap) } {
        IOS_OK => Ok(mmap),
        status => Err(status),
    }
}

#[track_caller]
fn open(name: &str, kind: ios_mmap_kind, size: u64) -> *mut ios_mmap {
    match try_open(name, kind, size, 0) {
        Ok(mmap) => mmap,
        Err(status) => panic!("{status:?}: {}", last_error()),
    }
}

fn lock(mmap: *mut ios_mmap, timeout: i64) -> (ios_status, *mut ios_mmap_guard, *mut u8) {
    let (mut guard, mut data) = (null_mut(), null_mut::<c_void>());
    let status = unsafe { ios_mmap_lock(mmap, timeout, &raw mut guard, &raw mut data) };
    (status, guard, data.cast())
}

fn lock_read(mmap: *mut ios_mmap, timeout: i64) -> (ios_status, *mut ios_mmap_guard, *const u8) {
    let (mut guard, mut data) = (null_mut(), null::<c_void>());
    let status = unsafe { ios_mmap_lock_read(mmap, timeout, &raw mut guard, &raw mut data) };
    (status, guard, data.cast())
}

fn is_dirty(guard: *mut ios_mmap_guard) -> bool {
    let mut dirty = false;
    assert_eq!(unsafe { ios_mmap_is_dirty(guard, &raw mut dirty) }, IOS_OK);
    dirty
}

#[test]
fn bytes_without_a_lock_are_those_that_others_map() {
    let name = TestName::new("unsafe");
    let mmap = open(&name, IOS_MMAP_UNSAFE, 10);
    let (mut data, mut size, mut fd) = (null_mut(), 0, -1);
    unsafe {
        assert_eq!(ios_mmap_data(mmap, &raw mut data), IOS_OK);
        assert_eq!(ios_mmap_size(mmap, &raw mut size), IOS_OK);
        assert_eq!(ios_mmap_fd(mmap, &raw mut fd), IOS_OK);
    }
    assert_eq!(size, 10);
    assert!(fd >= 0);
    unsafe { data.cast::<[u8; 4]>().write_volatile(*b"here") };
    let there = UnsafeSharedMmap::named(&*name).open().unwrap();
    assert_eq!(there.to_vec(..), b"here\0\0\0\0\0\0");
    assert_eq!(unsafe { ios_mmap_flush(mmap) }, IOS_OK);
    assert_eq!(lock(mmap, 0).0, IOS_UNSUPPORTED);
    assert_eq!(lock_read(mmap, 0).0, IOS_UNSUPPORTED);
    assert_eq!(try_open(&name, IOS_MMAP_UNSAFE, 11, 0).unwrap_err(), IOS_TOO_SHORT);
    let longer = try_open(&name, IOS_MMAP_UNSAFE, 11, IOS_EXTEND).unwrap();
    unsafe {
        assert_eq!(ios_mmap_size(longer, &raw mut size), IOS_OK);
        assert_eq!(size, 11);
        ios_mmap_close(longer);
        ios_mmap_close(mmap);
    }
    let named = CString::new(&*name).unwrap();
    assert_eq!(unsafe { ios_mmap_remove(named.as_ptr(), IOS_MMAP_UNSAFE as u32) }, IOS_OK);
    assert_eq!(try_open(&name, IOS_MMAP_UNSAFE, 0, 0).unwrap_err(), IOS_NOT_FOUND);
}

#[test]
fn a_lock_is_one_for_c_and_rust_and_outlives_its_handle() {
    let name = TestName::new("locked");
    let mmap = open(&name, IOS_MMAP_LOCKED, 16);
    let mut rust = SharedMmap::named(&*name).open().unwrap();
    let (status, guard, data) = lock(mmap, -1);
    assert_eq!(status, IOS_OK);
    assert!(rust.try_lock().is_err());
    assert_eq!(lock(mmap, 0).0, IOS_WOULD_DEADLOCK);
    assert!(last_error().contains("has the lock already"), "{}", last_error());
    unsafe { data.cast::<[u8; 4]>().write(*b"from") };
    assert_eq!(unsafe { ios_mmap_guard_flush(guard) }, IOS_OK);
    unsafe { ios_mmap_close(mmap) };
    assert!(rust.try_lock().is_err(), "the guard keeps the lock");
    unsafe { ios_mmap_guard_drop(guard) };
    let locked = rust.try_lock().unwrap();
    assert_eq!(&locked.as_bytes()[..5], b"from\0");

    let mmap = open(&name, IOS_MMAP_LOCKED, 0);
    assert_eq!(lock(mmap, 0).0, IOS_WOULD_BLOCK);
    assert_eq!(lock(mmap, 10_000_000).0, IOS_TIMEOUT);
    assert_eq!(lock_read(mmap, 0).0, IOS_UNSUPPORTED, "there is one lock");
    drop(locked);
    let (status, guard, _) = lock(mmap, 10_000_000);
    assert_eq!(status, IOS_OK, "what was refused left nothing behind");
    let mut data = null_mut();
    assert_eq!(unsafe { ios_mmap_data(mmap, &raw mut data) }, IOS_WOULD_DEADLOCK);
    unsafe { ios_mmap_guard_drop(guard) };
    assert_eq!(unsafe { ios_mmap_data(mmap, &raw mut data) }, IOS_UNSUPPORTED);
    assert_eq!(unsafe { ios_mmap_flush(mmap) }, IOS_UNSUPPORTED);
    unsafe { ios_mmap_close(mmap) };
}

#[test]
fn readers_read_together_and_keep_writers_away() {
    let name = TestName::new("rw");
    let (first, second) = (open(&name, IOS_MMAP_RW, 16), open(&name, IOS_MMAP_RW, 0));
    let mut rust = RwSharedMmap::named(&*name).open().unwrap();
    rust.write().unwrap().write_all(b"together").unwrap();
    let (status, one, data) = lock_read(first, -1);
    assert_eq!((status, unsafe { data.cast::<[u8; 8]>().read() }), (IOS_OK, *b"together"));
    let (status, two, _) = lock_read(second, 0);
    assert_eq!(status, IOS_OK);
    assert!(rust.try_write().is_err());
    assert_eq!(lock(first, 0).0, IOS_WOULD_DEADLOCK);
    assert_eq!(unsafe { ios_mmap_mark_consistent(one) }, IOS_UNSUPPORTED);
    assert_eq!(unsafe { ios_mmap_guard_flush(one) }, IOS_UNSUPPORTED);
    unsafe { ios_mmap_guard_drop(one) };
    assert_eq!(lock(first, 0).0, IOS_WOULD_BLOCK);
    unsafe { ios_mmap_guard_drop(two) };
    let (status, writer, _) = lock(first, 0);
    assert_eq!((status, is_dirty(writer)), (IOS_OK, false));
    assert_eq!(lock_read(second, 0).0, IOS_WOULD_BLOCK);
    unsafe {
        ios_mmap_guard_drop(writer);
        ios_mmap_close(first);
        ios_mmap_close(second);
    }
}

#[test]
fn a_dead_owner_is_told_with_the_lock_until_the_content_is_mended() {
    let name = TestName::new("owner-died");
    let mmap = open(&name, IOS_MMAP_RW, 16);
    // As if its program was killed.
    let mut dying = RwSharedMmap::named(&*name).open().unwrap();
    std::mem::forget(dying.write().unwrap());
    drop(dying);

    let (status, guard, data) = lock_read(mmap, -1);
    assert_eq!((status, is_dirty(guard), data.is_null()), (IOS_OWNER_DIED, true, false));
    assert!(last_error().contains("a writer died while writing"), "{}", last_error());
    unsafe { ios_mmap_guard_drop(guard) };
    let (status, guard, data) = lock(mmap, 0);
    assert_eq!((status, is_dirty(guard)), (IOS_OWNER_DIED, true));
    unsafe { data.cast::<[u8; 6]>().write(*b"mended") };
    assert_eq!(unsafe { ios_mmap_mark_consistent(guard) }, IOS_OK);
    assert!(!is_dirty(guard));
    unsafe { ios_mmap_guard_drop(guard) };
    let (status, guard, _) = lock(mmap, 0);
    assert_eq!((status, is_dirty(guard)), (IOS_OK, false));
    unsafe { ios_mmap_guard_drop(guard) };
    unsafe { ios_mmap_close(mmap) };
}

#[test]
fn a_writer_that_gives_up_in_the_middle_is_told_of_as_a_dead_one_is() {
    let name = TestName::new("gives-up");
    let mmap = open(&name, IOS_MMAP_RW, 16);
    let (status, guard, _) = lock(mmap, 0);
    assert_eq!(status, IOS_OK);
    assert_eq!(unsafe { ios_mmap_mark_dirty(guard) }, IOS_OK);
    assert!(is_dirty(guard));
    unsafe { ios_mmap_guard_drop(guard) };
    let mut rust = RwSharedMmap::named(&*name).open().unwrap();
    let Err(LockError::OwnerDied(mended)) = rust.write() else { panic!("it is dirty") };
    mended.mark_consistent();
    drop(mended);
    rust.write().unwrap().mark_dirty();
    let (status, guard, _) = lock_read(mmap, 0);
    assert_eq!(status, IOS_OWNER_DIED);
    unsafe { ios_mmap_guard_drop(guard) };
    assert_eq!(unsafe { ios_mmap_mark_dirty(null_mut()) }, IOS_NULL);
    unsafe { ios_mmap_close(mmap) };
}

#[test]
fn a_lock_that_another_thread_waits_for_is_in_use_and_one_that_was_removed_says_so() {
    let name = TestName::new("lock-in-use");
    let mmap = open(&name, IOS_MMAP_LOCKED, 16);
    let mut rust = SharedMmap::named(&*name).open().unwrap();
    let held = rust.lock().unwrap();
    let address = mmap.expose_provenance();
    let waiting = std::thread::spawn(move || {
        loop {
            match lock(std::ptr::with_exposed_provenance_mut(address), -1) {
                (IOS_IN_USE, ..) => {} // because of the other thread's call
                (status, guard, _) => {
                    assert_eq!(status, IOS_OK);
                    return unsafe { ios_mmap_guard_drop(guard) };
                }
            }
        }
    });
    let started = std::time::Instant::now();
    while lock(mmap, 0).0 != IOS_IN_USE {
        assert!(started.elapsed().as_secs() < 5, "the thread never waits");
    }
    drop(held);
    waiting.join().unwrap();
    let named = CString::new(&*name).unwrap();
    unsafe {
        assert_eq!(ios_mmap_remove(named.as_ptr(), IOS_MMAP_RW as u32), IOS_MISMATCH);
        assert_eq!(ios_mmap_remove(named.as_ptr(), IOS_MMAP_LOCKED as u32), IOS_OK);
    }
    assert_eq!(lock(mmap, -1).0, IOS_REPLACED);
    unsafe { ios_mmap_close(mmap) };
}

#[test]
fn nonsense_is_refused() {
    let name = TestName::new("mmap-nonsense");
    assert_eq!(try_open(&name, IOS_MMAP_RW, 8, IOS_NO_REOPEN).unwrap_err(), IOS_BAD_OPTION);
    assert_eq!(try_open(&name, IOS_MMAP_RW, 8, IOS_EXTEND).unwrap_err(), IOS_BAD_OPTION);
    assert_eq!(try_open(&name, IOS_MMAP_UNSAFE, 8, IOS_EPHEMERAL).unwrap_err(), IOS_BAD_OPTION);
    assert_eq!(try_open(&name, IOS_MMAP_RW, 0, 0).unwrap_err(), IOS_NOT_FOUND);
    let (mut guard, mut data, mut mmap) = (null_mut(), null_mut(), null_mut());
    unsafe {
        assert_eq!(ios_mmap_open(null(), 0, &raw mut mmap), IOS_NULL);
        assert_eq!(ios_mmap_lock(null_mut(), 0, &raw mut guard, &raw mut data), IOS_NULL);
        assert_eq!(ios_mmap_mark_consistent(null_mut()), IOS_NULL);
        assert_eq!(ios_mmap_remove(c"/x".as_ptr(), 5), IOS_BAD_OPTION);
        ios_mmap_close(null_mut());
        ios_mmap_guard_drop(null_mut());
    }
}

#[test]
fn bytes_that_are_locked_elsewhere_have_a_regions_name() {
    let name = format!("/test/ffi/elsewhere-{}", std::process::id());
    let path = format!("/dev/shm/test%ffi%elsewhere-{}", std::process::id());
    assert_eq!(try_open(&name, IOS_MMAP_UNSAFE, 8, 0).unwrap_err(), IOS_BAD_NAME);
    let mmap = open(&name, IOS_MMAP_LOCKED_ELSEWHERE, 8);
    assert_eq!(std::fs::read(&path).unwrap(), [0; 8], "no header");
    let mut data = null_mut();
    assert_eq!(unsafe { ios_mmap_data(mmap, &raw mut data) }, IOS_OK);
    assert!(!data.is_null());
    unsafe { ios_mmap_close(mmap) };
    let stored = CString::new(path.rsplit('/').next().unwrap()).unwrap();
    let text = CString::new(&*name).unwrap();
    let remove = |name: &CStr, kind| unsafe { ios_mmap_remove(name.as_ptr(), kind as u32) };
    assert_eq!(remove(&stored, IOS_MMAP_LOCKED_ELSEWHERE), IOS_BAD_NAME);
    assert_eq!(remove(&text, IOS_MMAP_LOCKED_ELSEWHERE), IOS_OK);
    assert_eq!(remove(&text, IOS_MMAP_LOCKED_ELSEWHERE), IOS_NOT_FOUND);
    let error = last_error();
    assert!(error.starts_with(&format!("{name} does not exist")), "{error}");
    // Locked bytes are regions, whose names have parts as well.
    unsafe { ios_mmap_close(open(&name, IOS_MMAP_RW, 8)) };
    assert!(std::path::Path::new(&path).exists());
    assert_eq!(remove(&text, IOS_MMAP_RW), IOS_OK);
}
