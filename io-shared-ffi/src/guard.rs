//! Values that a consumer or an observer got: held in place, or copied.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use io_shared_channel::{Copied, OwnedGuard};

use crate::call::call;
use crate::lists::Lists;
use crate::memory::{drop_from_c, into_c};
use crate::pointer::{In, Out};
use crate::status::ios_status;

/// A value that is held in place, or a copy of one. It keeps the value's bytes alive and, if it
/// holds the value in place, the consumer's role too.
#[derive(Debug)]
pub struct ios_guard(Got, Option<Arc<Lists>>);

#[derive(Debug)]
enum Got {
    InPlace(OwnedGuard<[u8]>),
    Copied(Copied<[u8]>),
}

/// A value. Its bytes do not change until `ios_guard_drop`.
#[derive(Debug)]
#[repr(C)]
pub struct ios_value {
    /// What keeps the bytes alive. Drop it once.
    pub guard: *mut ios_guard,
    /// The message, aligned for the channel's type. Read only.
    pub data: *const c_void,
    /// The length of the message in bytes.
    pub length: usize,
    /// Its sequence number: 1 for the channel's first value. No number is used twice.
    pub seq: u64,
    /// How many values were put between this one and the one that this consumer got before, and
    /// were never seen by it. For a copy of `ios_observer_since` or `ios_consumer_since`, between
    /// the number given there and this value. 0 for any other copy.
    pub missed: u64,
    /// CLOCK_MONOTONIC at the put in nanoseconds, to two microseconds. 0 if the value was not
    /// stamped, or was stamped by the clock of another boot or time namespace.
    pub stamp: u64,
    /// The tag that its producer put it with; 0 if it has none.
    pub tag: u64,
}

// Any thread may read and drop them.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Got>();
};

impl ios_guard {
    /// The message's bytes, with its lists; `None` if it has none.
    pub(crate) fn lists(&self) -> Option<(&Lists, &[u8])> {
        let bytes: &[u8] = match &self.0 {
            Got::InPlace(guard) => guard,
            Got::Copied(copy) => copy,
        };
        Some((self.1.as_deref()?, bytes))
    }
}

/// A value that stays in the channel's buffer, and the lists of its type.
pub(crate) fn in_place(guard: OwnedGuard<[u8]>, lists: &Option<Arc<Lists>>) -> ios_value {
    let (data, length) = (guard.as_ptr().cast(), guard.len());
    let (seq, missed, stamp) = (guard.seq(), guard.missed(), guard.stamp());
    let tag = guard.tag();
    let guard = into_c(ios_guard(Got::InPlace(guard), lists.clone()));
    ios_value { guard, data, length, seq, missed, stamp, tag }
}

/// A copy of a value, and the lists of its type.
pub(crate) fn copied(copy: Copied<[u8]>, lists: &Option<Arc<Lists>>) -> ios_value {
    // The copy is on the heap, and does not move when its owner does.
    let (data, length) = (copy.as_ptr().cast(), copy.len());
    let (seq, missed, stamp) = (copy.seq(), copy.missed(), copy.stamp());
    let tag = copy.tag();
    let guard = into_c(ios_guard(Got::Copied(copy), lists.clone()));
    ios_value { guard, data, length, seq, missed, stamp, tag }
}

/// Lets go of a value, from any thread. The producer may then use its buffer again. NULL is left
/// alone.
///
/// # Safety
/// `guard` is NULL, or came with an `ios_value` and is dropped for the first time; nobody reads its
/// bytes any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_guard_drop(guard: *mut ios_guard) {
    // SAFETY: the guards of values are made by `into_c`, here alone; it is dropped once.
    unsafe { drop_from_c(guard) };
}

/// Nanoseconds since the put. -1 if the value was not stamped, or was stamped by another clock:
/// before this boot, in another time namespace, or later than now.
///
/// # Safety
/// `guard` is NULL or was not dropped; `age_ns` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_guard_age(guard: *const ios_guard, age_ns: *mut i64) -> ios_status {
    call(|arguments| {
        // SAFETY: a guard that was not dropped is live, and is used through `&` alone; a number may
        // be written to `age_ns`.
        let (guard, out) = unsafe { arguments.read((In(guard, "guard"), Out(age_ns, "age_ns"))) }?;
        let age = match &guard.0 {
            Got::InPlace(guard) => guard.age(),
            Got::Copied(copy) => copy.age(),
        };
        let nanos = |age: Duration| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
        out.set(age.map_or(-1, nanos));
        Ok(())
    })
}
