//! Observing a part of a value, by its path.

use std::ffi::c_char;

use crate::call::call;
use crate::memory::text_into_c;
use crate::observer::ios_observer;
use crate::pointer::{CText, In, Out};
use crate::status::{Failure, ios_status};

/// A part of a value.
#[derive(Debug)]
#[repr(C)]
pub struct ios_field {
    /// The part as JSON: `1.5`, `"front"`, `[1,2]`. A number that JSON does not have (NaN, an
    /// infinity) is `null`. Free it with `ios_text_free`.
    pub json: *mut c_char,
    /// The part as a number. Of a truth value it is 0 or 1, of an enum the variant's number, and
    /// NaN of what is no number.
    pub number: f64,
    /// The sequence number of the value.
    pub seq: u64,
    /// CLOCK_MONOTONIC at the put, as in `ios_value`.
    pub stamp: u64,
    /// The tag that its producer put it with; 0 if it has none.
    pub tag: u64,
}

/// A part of the newest value by its path, such as `frame`, `points[3].x` or `points[0:5]`;
/// `IOS_EMPTY` if nothing was ever put. No more than the bytes of the part are copied. The empty
/// path is the whole value.
///
/// `IOS_BAD_OPTION`: it is no path, or leads nowhere in the newest value.
///
/// # Safety
/// `observer` is NULL or open; `path` is NULL or a text; `field` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_observer_field(
    observer: *mut ios_observer,
    path: *const c_char,
    field: *mut ios_field,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open observer is a live handle, which is used through `&` alone; the text is
        // valid during the call; a struct may be written to `field`.
        let (handle, path, field) = unsafe {
            arguments.read((In(observer, "observer"), CText(path, "path"), Out(field, "field")))
        }?;
        let mut observer = handle.0.enter()?;
        let part = observer.field(path)?.ok_or(Failure::Empty)?;
        let value = part.value();
        field.set(ios_field {
            json: text_into_c(value.json().to_string()),
            number: value.as_f64().unwrap_or(f64::NAN),
            seq: part.seq(),
            stamp: part.stamp(),
            tag: part.tag(),
        });
        Ok(())
    })
}
