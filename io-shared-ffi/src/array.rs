//! What an array message says of itself.

use std::ffi::{c_char, c_void};

use io_shared_core::array::describe;

use crate::pointer::{Out, bytes, give_text};
use crate::status::{Failure, call, ios_status};

/// What the header of the array message (a `.npy` file) of `length` bytes at `data` says, as JSON:
/// `{"descr":"<f4","fortran_order":false,"shape":[2, 3],"start":128,"bytes":24}`. The elements begin
/// at `start`, and their `bytes` are known to be there. A structured dtype is a list of its fields:
/// `[title or null, name, descr, shape or null]`. The text is the caller's, to be freed by
/// `ios_text_free`.
///
/// `IOS_CORRUPT` says what is wrong with it. However hostile the header is, that takes little time.
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
    call(|| {
        // SAFETY: as the caller promises.
        let message = unsafe { bytes(data.cast(), length) }?;
        // SAFETY: as the caller promises.
        let json = unsafe { Out::needed(json, "json") }?;
        let described = describe(message)
            .map_err(|error| Failure::Said(ios_status::IOS_CORRUPT, error.to_string()))?;
        json.set(give_text(described));
        Ok(())
    })
}
