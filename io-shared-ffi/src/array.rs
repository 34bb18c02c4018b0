//! Descriptions of array messages.

use std::ffi::{c_char, c_void};

use io_shared_core::array::describe;

use crate::call::call;
use crate::memory::text_into_c;
use crate::pointer::{Out, Slice};
use crate::status::{Failure, ios_status};

/// Describes the array message (a `.npy` file) of `length` bytes at `data` as JSON:
/// `{"descr":"<f4","fortran_order":false,"shape":[2, 3],"start":128,"bytes":24}`. The elements
/// begin at `start`; it was checked that all their `bytes` are there. A structured dtype is a list
/// of its fields: `[title or null, name, descr, shape or null]`. The caller frees the text with
/// `ios_text_free`.
///
/// `IOS_CORRUPT`: the text says what is wrong with the header. Checking takes little time, even for
/// a hostile header.
///
/// # Safety
/// `data` points to `length` bytes (or is NULL, if they are 0) that nobody changes during the call;
/// `json` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_array_describe(
    data: *const c_void,
    length: usize,
    json: *mut *mut c_char,
) -> ios_status {
    call(|arguments| {
        // SAFETY: nobody changes the `length` bytes during the call; a pointer may be written to
        // `json`.
        let (message, json) = unsafe {
            arguments.read((Slice(data.cast::<u8>(), length, "data"), Out(json, "json")))
        }?;
        let described = describe(message)
            .map_err(|error| Failure::Said(ios_status::IOS_CORRUPT, error.to_string()))?;
        json.set(text_into_c(described));
        Ok(())
    })
}
