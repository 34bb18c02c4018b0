//! Observers, which read a channel without taking part in it.

use std::ffi::c_char;
use std::sync::Arc;
use std::time::Duration;

use io_shared_channel::{ErrorKind, Observer};

use crate::call::call;
use crate::guard::{copied, ios_value};
use crate::handle::Handle;
use crate::lists::Lists;
use crate::memory::{drop_from_c, into_c, text_into_c};
use crate::options::{Given, ios_options, timeout};
use crate::pointer::{In, Out};
use crate::process::ios_process;
use crate::status::{Failure, Outcome, ios_status};

/// Reads a channel without taking part in it.
#[derive(Debug)]
pub struct ios_observer(pub(crate) Handle<Observer<[u8]>>, Option<Arc<Lists>>);

/// Opens a channel to observe. An observer takes no slot, wakes nobody, and needs read permission
/// only. Waits until the channel exists.
///
/// # Safety
/// `options` is NULL, or was set by `ios_options_init` and its texts are valid; `observer` is NULL
/// or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_open(
    options: *const ios_options,
    observer: *mut *mut ios_observer,
) -> ios_status {
    call(|arguments| {
        // SAFETY: a handle may be written to `observer`; `options` and its texts are valid during
        // the call.
        let (out, options) =
            unsafe { arguments.read((Out(observer, "observer"), Given(options))) }?;
        let observer = options.channel(true)?.observer()?;
        let name = observer.name().to_owned();
        let lists = Lists::of(&name, observer.schema());
        out.set(into_c(ios_observer(Handle::new(observer, &name), lists)));
        Ok(())
    })
}

/// Closes an observer. Copies that it made stay. NULL is left alone.
///
/// # Safety
/// `observer` is NULL, or came from `ios_observer_open` and is closed for the first time, while no
/// other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_close(observer: *mut ios_observer) {
    // SAFETY: it came from `ios_observer_open`, which made it by `into_c`, and is closed once.
    unsafe { drop_from_c(observer) };
}

/// A copy of the latest value, complete and checked; `IOS_EMPTY` if nothing was ever put.
///
/// # Safety
/// `observer` is NULL or open; `value` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_copy(
    observer: *mut ios_observer,
    value: *mut ios_value,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open observer is a live handle, which is used through `&` alone; a struct may
        // be written to `value`.
        let (handle, value) =
            unsafe { arguments.read((In(observer, "observer"), Out(value, "value"))) }?;
        let copy = handle.0.enter()?.copy()?.ok_or(Failure::Empty)?;
        value.set(copied(copy, &handle.1));
        Ok(())
    })
}

/// Waits for a value that this observer has not copied yet, for at most `timeout_ns` (negative: for
/// ever), and copies it. With a timeout of 0 it only looks: `IOS_EMPTY` if there is none.
///
/// It looks when the next value is due, or a quarter of the producer's period apart where that is
/// not known (50 us at least, 10 ms at most). Values that come in shorter intervals may be missed.
/// A signal does not end it.
///
/// # Safety
/// `observer` is NULL or open; `value` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_wait(
    observer: *mut ios_observer,
    timeout_ns: i64,
    value: *mut ios_value,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open observer is a live handle, which is used through `&` alone; a struct may
        // be written to `value`.
        let (handle, value) =
            unsafe { arguments.read((In(observer, "observer"), Out(value, "value"))) }?;
        let timeout = timeout(timeout_ns);
        let copy = match handle.0.enter()?.wait(timeout.unwrap_or(Duration::MAX)) {
            Err(error)
                if timeout == Some(Duration::ZERO)
                    && matches!(error.kind(), ErrorKind::Timeout { .. }) =>
            {
                return Err(Failure::Empty);
            }
            waited => waited?,
        };
        value.set(copied(copy, &handle.1));
        Ok(())
    })
}

/// The sequence number of the newest value, without a copy of it; 0 if nothing was ever put.
///
/// # Safety
/// `observer` is NULL or open; `seq` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_seq(
    observer: *mut ios_observer,
    seq: *mut u64,
) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a number.
    unsafe { ask(observer, Out(seq, "seq"), |observer| Ok(observer.seq()?)) }
}

/// Who the living producer is; `IOS_EMPTY` if there is none.
///
/// # Safety
/// `observer` is NULL or open; `producer` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_producer(
    observer: *const ios_observer,
    producer: *mut ios_process,
) -> ios_status {
    let who = |observer: &mut Observer<[u8]>| {
        observer.producer()?.map(ios_process::from).ok_or(Failure::Empty)
    };
    // SAFETY: it is what `ask` asks for, of a handle and a struct.
    unsafe { ask(observer, Out(producer, "producer"), who) }
}

/// A copy of the oldest value after number `seq` that still lies whole; `IOS_EMPTY` if there is
/// none. Called with the `seq` of the value before, it goes through them all, oldest first;
/// `missed` counts those that do not lie whole any more. Set `options.history` to have more kept
/// than the newest. A number that the channel has not reached is one of another channel, which this
/// one has replaced: then every value counts.
///
/// # Safety
/// As for `ios_observer_copy`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_since(
    observer: *mut ios_observer,
    seq: u64,
    value: *mut ios_value,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open observer is a live handle, which is used through `&` alone; a struct may
        // be written to `value`.
        let (handle, value) =
            unsafe { arguments.read((In(observer, "observer"), Out(value, "value"))) }?;
        let copy = handle.0.enter()?.since(seq).next().ok_or(Failure::Empty)?;
        value.set(copied(copy?, &handle.1));
        Ok(())
    })
}

/// A copy of the newest value with this tag that still lies whole; `IOS_EMPTY` if there is none.
///
/// # Safety
/// As for `ios_observer_copy`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_tagged(
    observer: *mut ios_observer,
    tag: u64,
    value: *mut ios_value,
) -> ios_status {
    call(|arguments| {
        // SAFETY: as in `ios_observer_since`.
        let (handle, value) =
            unsafe { arguments.read((In(observer, "observer"), Out(value, "value"))) }?;
        let copy = handle.0.enter()?.tagged(tag)?.ok_or(Failure::Empty)?;
        value.set(copied(copy, &handle.1));
        Ok(())
    })
}

/// The channel's name or location. The caller frees the text with `ios_text_free`.
///
/// # Safety
/// `observer` is NULL or open; `name` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_name(
    observer: *const ios_observer,
    name: *mut *mut c_char,
) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a pointer.
    unsafe { ask(observer, Out(name, "name"), |observer| Ok(text_into_c(observer.name()))) }
}

/// The type of the messages, as JSON. The caller frees the text with `ios_text_free`.
///
/// # Safety
/// `observer` is NULL or open; `schema` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_schema(
    observer: *const ios_observer,
    schema: *mut *mut c_char,
) -> ios_status {
    let schema_of = |observer: &mut Observer<[u8]>| Ok(text_into_c(observer.schema().to_json()));
    // SAFETY: it is what `ask` asks for, of a handle and a pointer.
    unsafe { ask(observer, Out(schema, "schema"), schema_of) }
}

/// Answers a question about the channel.
///
/// # Safety
/// `observer` is NULL or open; `out` is NULL or may be written to.
unsafe fn ask<A>(
    observer: *const ios_observer,
    out: Out<A>,
    answer: impl FnOnce(&mut Observer<[u8]>) -> Outcome<A>,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open observer is a live handle, which is used through `&` alone; an answer may
        // be written to `out`.
        let (handle, out) = unsafe { arguments.read((In(observer, "observer"), out)) }?;
        out.set(answer(&mut *handle.0.enter()?)?);
        Ok(())
    })
}
