//! The side that looks on.

use std::ffi::c_char;

use io_shared_channel::Observer;

use crate::guard::{copied, ios_value};
use crate::handle::Handle;
use crate::options::{Options, ios_options};
use crate::pointer::{Out, borrow, give, give_text, take};
use crate::status::{Failure, Outcome, call, ios_status};

/// Reads a channel without taking part in it.
#[derive(Debug)]
pub struct ios_observer(Handle<Observer<[u8]>>);

/// Opens a channel to look on: takes no slot, wakes nobody, needs read permission only. Waits for
/// the channel to be there.
///
/// # Safety
/// `options` is NULL or set by `ios_options_init`, with texts that are texts; `observer` is NULL or
/// may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_open(
    options: *const ios_options,
    observer: *mut *mut ios_observer,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::needed(observer, "observer") }?;
        // SAFETY: as the caller promises.
        let options = unsafe { Options::read(options) }?;
        let observer = options.channel(true)?.observer()?;
        let name = observer.name().to_owned();
        out.set(give(ios_observer(Handle::new(observer, &name))));
        Ok(())
    })
}

/// Closes an observer. Its copies stay. NULL is left alone.
///
/// # Safety
/// `observer` is NULL, or came from `ios_observer_open` and is closed for the first time, while no
/// other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_close(observer: *mut ios_observer) {
    call(|| {
        // SAFETY: as the caller promises.
        drop(unsafe { take(observer) });
        Ok(())
    });
}

/// A copy of the latest value, whole and checked; `IOS_EMPTY` if nothing was ever put.
///
/// # Safety
/// `observer` is NULL or open; `value` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_copy(
    observer: *mut ios_observer,
    value: *mut ios_value,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let handle = &unsafe { borrow(observer, "observer") }?.0;
        // SAFETY: as the caller promises.
        let value = unsafe { Out::needed(value, "value") }?;
        value.set(copied(handle.enter()?.copy()?.ok_or(Failure::Empty)?));
        Ok(())
    })
}

/// The channel's name or place. The text is the caller's, to be freed by `ios_text_free`.
///
/// # Safety
/// `observer` is NULL or open; `name` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_name(
    observer: *const ios_observer,
    name: *mut *mut c_char,
) -> ios_status {
    // SAFETY: as the caller promises.
    unsafe { ask(observer, name, |observer| Ok(give_text(observer.name()))) }
}

/// What the messages are, as JSON. The text is the caller's, to be freed by `ios_text_free`.
///
/// # Safety
/// `observer` is NULL or open; `schema` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_schema(
    observer: *const ios_observer,
    schema: *mut *mut c_char,
) -> ios_status {
    // SAFETY: as the caller promises.
    unsafe { ask(observer, schema, |observer| Ok(give_text(observer.schema().to_json()))) }
}

/// # Safety
/// `observer` is NULL or open; `out` is NULL or may be written to.
unsafe fn ask<A>(
    observer: *const ios_observer,
    out: *mut A,
    answer: impl FnOnce(&Observer<[u8]>) -> Outcome<A>,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let handle = &unsafe { borrow(observer, "observer") }?.0;
        // SAFETY: as the caller promises.
        let out = unsafe { Out::needed(out, "the place for the answer") }?;
        out.set(answer(&*handle.enter()?)?);
        Ok(())
    })
}
