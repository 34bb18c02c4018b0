//! Values that were got: held where they lie, or copied.

use std::ffi::c_void;
use std::time::Duration;

use io_shared_channel::{Copied, OwnedGuard};

use crate::pointer::{Out, borrow, give, take};
use crate::status::{call, ios_status};

/// A value that is held, or a copy of one. It keeps its bytes, and a consumer's its role too, by
/// itself.
#[derive(Debug)]
pub struct ios_guard(Got);

#[derive(Debug)]
enum Got {
    Held(OwnedGuard<[u8]>),
    Copied(Copied<[u8]>),
}

/// A value that was got. Its bytes stay as they are until `ios_guard_drop`.
#[derive(Debug)]
#[repr(C)]
pub struct ios_value {
    /// What keeps the bytes: to be dropped, once.
    pub guard: *mut ios_guard,
    /// The message, aligned for the channel's type; to be read only.
    pub data: *const c_void,
    /// Its bytes.
    pub length: usize,
    /// Its number: 1 for the first of the channel, never given again.
    pub seq: u64,
    /// Values put since the one this consumer had before this, and never had by it. (0 for a copy.)
    pub missed: u64,
    /// CLOCK_MONOTONIC at the put in nanoseconds, to two microseconds; 0 if it was not stamped, or by the
    /// clock of another boot or time namespace.
    pub stamp: u64,
}

// They are read and dropped by whatever threads.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Got>();
};

pub(crate) fn held(guard: OwnedGuard<[u8]>) -> ios_value {
    let (data, length) = (guard.as_ptr().cast(), guard.len());
    let (seq, missed, stamp) = (guard.seq(), guard.missed(), guard.stamp());
    let guard = give(ios_guard(Got::Held(guard)));
    ios_value { guard, data, length, seq, missed, stamp }
}

pub(crate) fn copied(copy: Copied<[u8]>) -> ios_value {
    // The copy is on the heap, and does not move when this does.
    let (data, length) = (copy.as_ptr().cast(), copy.len());
    let (seq, missed, stamp) = (copy.seq(), 0, copy.stamp());
    let guard = give(ios_guard(Got::Copied(copy)));
    ios_value { guard, data, length, seq, missed, stamp }
}

/// Lets go of a value: the producer may use its buffer again. From any thread; NULL is left alone.
///
/// # Safety
/// `guard` is NULL, or came with an `ios_value` and is dropped for the first time; nobody reads its
/// bytes any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_guard_drop(guard: *mut ios_guard) {
    call(|| {
        // SAFETY: as the caller promises.
        drop(unsafe { take(guard) });
        Ok(())
    });
}

/// Nanoseconds since the put; -1 if it was not stamped, or by another clock: before this boot, in another
/// time namespace, or later than now.
///
/// # Safety
/// `guard` is NULL or was not dropped; `age_ns` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_guard_age(guard: *const ios_guard, age_ns: *mut i64) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let guard = unsafe { borrow(guard, "guard") }?;
        // SAFETY: as the caller promises.
        let out = unsafe { Out::needed(age_ns, "age_ns") }?;
        let age = match &guard.0 {
            Got::Held(guard) => guard.age(),
            Got::Copied(copy) => copy.age(),
        };
        let nanos = |age: Duration| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
        out.set(age.map_or(-1, nanos));
        Ok(())
    })
}
