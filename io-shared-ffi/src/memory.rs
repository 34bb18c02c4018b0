//! Memory that crosses to C: objects and texts that C hands back, and copies.

use std::ffi::{CString, c_char, c_void};

use io_shared_core::copy;

use crate::call::call;
use crate::pointer::{OutSlice, Slice, Taken};
use crate::status::ios_status;

/// Hands an object to C, which hands it back as [`Taken`], or to [`drop_from_c`].
#[inline]
pub(crate) fn into_c<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// Drops what [`into_c`] handed out. NULL is left alone.
///
/// # Safety
/// Unless it is NULL, `pointer` came from [`into_c`] and is handed back for the first time, while
/// nobody uses it.
pub(crate) unsafe fn drop_from_c<T>(pointer: *mut T) {
    if pointer.is_null() {
        return;
    }
    call(|arguments| {
        // SAFETY: it is the same contract.
        drop(unsafe { arguments.read(Taken(pointer, "handle")) }?);
        Ok(())
    });
}

/// Copies as `memcpy` does. Large copies are up to twice as fast where the processor is known to
/// allow it. For filling loans, and for copying values out.
///
/// # Safety
/// `to` and `from` point to `length` bytes (or are NULL, if `length` is 0) that do not overlap.
/// Nobody changes the bytes of `from` or looks at those of `to` during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_copy(
    to: *mut c_void,
    from: *const c_void,
    length: usize,
) -> ios_status {
    call(|arguments| {
        // SAFETY: both point to `length` bytes; those of `from` do not change, and those of `to`
        // are used by this call alone, also not as a part of `from`.
        let (from, to) = unsafe {
            let from = Slice(from.cast::<u8>(), length, "from");
            arguments.read((from, OutSlice(to.cast::<u8>(), length, "to")))
        }?;
        copy::slice_uninit(from, to);
        Ok(())
    })
}

/// Hands a text to C, which hands it back to [`ios_text_free`].
pub(crate) fn text_into_c(text: impl Into<Vec<u8>>) -> *mut c_char {
    let mut text = text.into();
    text.retain(|byte| *byte != 0);
    CString::new(text).unwrap_or_default().into_raw()
}

/// Frees a text that a function returned to the caller to keep. NULL is left alone.
///
/// # Safety
/// `text` is NULL, or was returned by a function of this library as the caller's, and is freed for
/// the first time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_text_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: every text that is the caller's came from `text_into_c`, by `CString::into_raw`;
        // it is freed for the first time, so it is still allocated and nobody else's.
        drop(unsafe { CString::from_raw(text) });
    }
}
