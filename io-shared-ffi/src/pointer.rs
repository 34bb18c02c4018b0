//! Pointers from C, and what becomes of them: references, texts, places to write to, boxes.
//!
//! Each function here is unsafe for one reason: C's pointer is taken at its word.

use std::ffi::{CStr, CString, OsStr, c_char, c_void};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;

use io_shared_core::copy;

use crate::status::{Failure, Outcome, call, ios_status};

fn null(what: &str) -> Failure {
    Failure::Said(ios_status::IOS_NULL, format!("`{what}` is NULL, and must not be"))
}

/// What `pointer` points to.
///
/// # Safety
/// `pointer` is NULL, or points to a `T` that lives for `'a`, and that nobody changes meanwhile
/// except through interior mutability.
#[inline]
pub(crate) unsafe fn borrow<'a, T>(pointer: *const T, what: &str) -> Outcome<&'a T> {
    // SAFETY: as the caller promises.
    let borrowed = unsafe { pointer.as_ref() };
    borrowed.ok_or_else(|| null(what))
}

/// As [`borrow`], to change it.
///
/// # Safety
/// As for [`borrow`], and nobody else looks at it for `'a`.
#[inline]
pub(crate) unsafe fn borrow_mut<'a, T>(pointer: *mut T, what: &str) -> Outcome<&'a mut T> {
    // SAFETY: as the caller promises.
    let borrowed = unsafe { pointer.as_mut() };
    borrowed.ok_or_else(|| null(what))
}

/// Takes back what [`give`] gave out; `None` of NULL.
///
/// # Safety
/// `pointer` is NULL, or came from [`give`] and is taken back for the first time.
#[inline]
pub(crate) unsafe fn take<T>(pointer: *mut T) -> Option<Box<T>> {
    // SAFETY: as the caller promises.
    (!pointer.is_null()).then(|| unsafe { Box::from_raw(pointer) })
}

/// As [`take`], where it is needed.
///
/// # Safety
/// As for [`take`].
#[inline]
pub(crate) unsafe fn take_needed<T>(pointer: *mut T, what: &str) -> Outcome<Box<T>> {
    // SAFETY: as the caller promises.
    let taken = unsafe { take(pointer) };
    taken.ok_or_else(|| null(what))
}

/// Gives a value to C, which hands it back to [`take`].
#[inline]
pub(crate) fn give<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// A place in C's memory for what a function gives out. Asked for before the function acts, so that
/// nothing is lost for want of it.
pub(crate) struct Out<T>(Option<NonNull<T>>);

impl<T> Out<T> {
    /// # Safety
    /// `pointer` is NULL, or a `T` may be written there as long as this lives.
    #[inline]
    pub(crate) unsafe fn needed(pointer: *mut T, what: &str) -> Outcome<Self> {
        NonNull::new(pointer).map(|location| Self(Some(location))).ok_or_else(|| null(what))
    }

    /// One that the caller may do without.
    ///
    /// # Safety
    /// As for [`needed`](Self::needed).
    #[inline]
    pub(crate) unsafe fn optional(pointer: *mut T) -> Self {
        Self(NonNull::new(pointer))
    }

    #[inline]
    pub(crate) fn set(self, value: T) {
        if let Some(location) = self.0 {
            // SAFETY: whoever made this has promised that a T may be written there; what was there
            // is C's and is not dropped.
            unsafe { location.write(value) };
        }
    }
}

/// Where a value's bytes lie.
pub(crate) fn bytes_of<T>(value: &mut T) -> *mut u8 {
    std::ptr::from_mut(value).cast()
}

/// The bytes at `data`.
///
/// # Safety
/// `data` is NULL, or points to `length` bytes that nobody changes for `'a`.
#[inline]
pub(crate) unsafe fn bytes<'a>(data: *const u8, length: usize) -> Outcome<&'a [u8]> {
    match check_bytes(data, length)? {
        false => Ok(&[]),
        // SAFETY: as the caller promises; the length is at most isize::MAX.
        true => Ok(unsafe { std::slice::from_raw_parts(data, length) }),
    }
}

/// Place for bytes at `data`, which may never have been written to.
///
/// # Safety
/// `data` is NULL, or points to `length` bytes that nobody else uses for `'a`.
#[inline]
pub(crate) unsafe fn location<'a>(
    data: *mut u8,
    length: usize,
) -> Outcome<&'a mut [MaybeUninit<u8>]> {
    match check_bytes(data, length)? {
        false => Ok(&mut []),
        // SAFETY: as the caller promises; the length is at most isize::MAX, and what was never
        // written to is no bytes yet.
        true => Ok(unsafe { std::slice::from_raw_parts_mut(data.cast(), length) }),
    }
}

/// Whether there are any bytes at `data`.
#[inline]
fn check_bytes(data: *const u8, length: usize) -> Outcome<bool> {
    match (data.is_null(), length) {
        (_, 0) => Ok(false),
        (true, _) => Err(null("data")),
        (false, length) if length > isize::MAX as usize => {
            let text = format!("{length} bytes are more than memory has");
            Err(Failure::Said(ios_status::IOS_TOO_LARGE, text))
        }
        (false, _) => Ok(true),
    }
}

/// The `length` pointers at `list`.
///
/// # Safety
/// `list` is NULL, or points to `length` pointers that nobody changes for `'a`.
pub(crate) unsafe fn list<'a, T>(list: *const *const T, length: usize) -> Outcome<&'a [*const T]> {
    match (list.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(null("list")),
        // SAFETY: as the caller promises; so many pointers lie in memory.
        (false, length) => Ok(unsafe { std::slice::from_raw_parts(list, length) }),
    }
}

/// A text that the caller may do without.
///
/// # Safety
/// `text` is NULL, or points to bytes that end in a zero and that nobody changes for `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char, what: &str) -> Outcome<Option<&'a str>> {
    // SAFETY: as the caller promises.
    let Some(text) = (unsafe { c_text(text) }) else { return Ok(None) };
    let text = text
        .to_str()
        .map_err(|_| Failure::Said(ios_status::IOS_BAD_OPTION, format!("`{what}` is not UTF-8")))?;
    Ok(Some(text))
}

/// As [`text`], where it is needed.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn needed_text<'a>(pointer: *const c_char, what: &str) -> Outcome<&'a str> {
    // SAFETY: as the caller promises.
    let text = unsafe { text(pointer, what) }?;
    text.ok_or_else(|| null(what))
}

/// A path: bytes of any kind.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn path<'a>(path: *const c_char) -> Option<&'a Path> {
    // SAFETY: as the caller promises.
    let path = unsafe { c_text(path) }?;
    Some(Path::new(OsStr::from_bytes(path.to_bytes())))
}

/// # Safety
/// As for [`text`].
unsafe fn c_text<'a>(text: *const c_char) -> Option<&'a CStr> {
    // SAFETY: as the caller promises.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

/// Copies as `memcpy` does, and for large messages up to twice as fast where the processor is known to
/// be able to: for filling loans, and for what is got.
///
/// # Safety
/// `to` and `from` point to `length` bytes (or are NULL, if they are 0) that do not overlap; nobody
/// changes those of `from`, nor looks at those of `to`, during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_copy(
    to: *mut c_void,
    from: *const c_void,
    length: usize,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let from = unsafe { bytes(from.cast(), length) }?;
        // SAFETY: as the caller promises.
        copy::slice_uninit(from, unsafe { location(to.cast(), length) }?);
        Ok(())
    })
}

/// Gives a text to C, which hands it back to [`ios_text_free`].
pub(crate) fn give_text(text: impl Into<Vec<u8>>) -> *mut c_char {
    let mut text = text.into();
    text.retain(|byte| *byte != 0);
    CString::new(text).unwrap_or_default().into_raw()
}

/// Frees a text that a function gave out. NULL is left alone.
///
/// # Safety
/// `text` is NULL, or was given out by a function of this library as the caller's, and is freed for
/// the first time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_text_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: as the caller promises: it came from `give_text`.
        drop(unsafe { CString::from_raw(text) });
    }
}
