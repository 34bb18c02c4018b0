//! Arguments from C: what each pointer must be, and how it becomes a value that Rust may use.
//!
//! C passes bare pointers. Each kind of pointer has a type here that says what the header asks of
//! it: [`In`] points to an object, [`Out`] to memory for an answer, [`Slice`] to elements,
//! [`CText`] to text that ends in a zero. Reading one ([`Argument::read`]) checks all that can be
//! checked: that the pointer is not NULL where one is needed, that it is aligned, that no slice is
//! longer than memory can be, that texts are UTF-8. What cannot be checked (that the pointer leads
//! to live memory of that type) is the contract of its `read`, and the header's "Safety" section
//! passes that contract on to the C program.
//!
//! Each entry point reads its arguments in one go:
//!
//! ```text
//! call(|arguments| {
//!     // SAFETY: (why this function's "Safety" section is what these readers ask for)
//!     let (handle, out) =
//!         unsafe { arguments.read((In(producer, "producer"), Out(seq, "seq"))) }?;
//!     ...
//! ```
//!
//! What must stay true: references that come from C live no longer than the call that they were
//! passed to. [`Arguments`] ties them to it.

use std::ffi::{CStr, OsStr, c_char};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;

use crate::status::{Failure, Outcome, ios_status};

/// The arguments of one call from C. References read from them end with the call.
#[derive(Debug)]
pub(crate) struct Arguments(());

impl Arguments {
    /// For [`call`](crate::call::call) alone, which lends this to one call.
    pub(crate) fn of_one_call() -> Self {
        Self(())
    }

    /// Checks arguments, and returns them as Rust uses them.
    ///
    /// # Safety
    /// Each one keeps the contract of its [`Argument::read`] until the call returns.
    #[inline]
    pub(crate) unsafe fn read<'call, A: Argument<'call>>(
        &'call self,
        arguments: A,
    ) -> Outcome<A::Value> {
        // SAFETY: it is the same contract: `'call` is a borrow of what the call owns, and so ends
        // before the call returns.
        unsafe { arguments.read() }
    }
}

/// An argument as C passed it, with its name for errors.
pub(crate) trait Argument<'call> {
    /// What Rust uses instead.
    type Value;

    /// # Safety
    /// The argument is what the documentation of its type asks for, during `'call`.
    unsafe fn read(self) -> Outcome<Self::Value>;
}

/// A pointer to an object: a handle or a struct.
///
/// Contract: it is NULL or not aligned, which is refused, or it points to a live `T` that nobody
/// changes meanwhile, except through interior mutability.
pub(crate) struct In<T>(pub(crate) *const T, pub(crate) &'static str);

impl<'call, T: 'call> Argument<'call> for In<T> {
    type Value = &'call T;

    #[inline]
    unsafe fn read(self) -> Outcome<&'call T> {
        check(self.0, self.1)?;
        // SAFETY: it is neither NULL nor misaligned (checked), and points to a live `T` that is not
        // changed during `'call` (the contract).
        Ok(unsafe { &*self.0 })
    }
}

/// As [`In`], for an object that the call changes.
///
/// Contract: as for [`In`], and nobody else uses the object meanwhile.
pub(crate) struct InMut<T>(pub(crate) *mut T, pub(crate) &'static str);

impl<'call, T: 'call> Argument<'call> for InMut<T> {
    type Value = &'call mut T;

    #[inline]
    unsafe fn read(self) -> Outcome<&'call mut T> {
        check(self.0, self.1)?;
        // SAFETY: it is neither NULL nor misaligned (checked), and points to a live `T` that nobody
        // else uses during `'call` (the contract).
        Ok(unsafe { &mut *self.0 })
    }
}

/// An object that C hands back for good.
///
/// Contract: it is NULL, which is refused, or came from [`into_c`](crate::memory::into_c) and is
/// handed back for the first time, while nobody uses it.
pub(crate) struct Taken<T>(pub(crate) *mut T, pub(crate) &'static str);

impl<T> Argument<'_> for Taken<T> {
    type Value = Box<T>;

    #[inline]
    unsafe fn read(self) -> Outcome<Box<T>> {
        check(self.0, self.1)?;
        // SAFETY: it came out of a `Box` by `into_c`, and nobody else has it (the contract).
        Ok(unsafe { Box::from_raw(self.0) })
    }
}

/// Memory for an answer, which need not be initialised. It is read before the function acts, so
/// that no answer is lost for want of a location.
///
/// Contract: it is NULL or not aligned, which is refused, or a `T` may be written there.
pub(crate) struct Out<T>(pub(crate) *mut T, pub(crate) &'static str);

impl<'call, T: 'call> Argument<'call> for Out<T> {
    type Value = Answer<'call, T>;

    #[inline]
    unsafe fn read(self) -> Outcome<Answer<'call, T>> {
        check(self.0, self.1)?;
        Ok(Answer(NonNull::new(self.0), PhantomData))
    }
}

/// As [`Out`], for an answer that C may do without.
///
/// Contract: it is NULL; or not aligned, which is refused; or a `T` may be written there.
pub(crate) struct OptionalOut<T>(pub(crate) *mut T, pub(crate) &'static str);

impl<'call, T: 'call> Argument<'call> for OptionalOut<T> {
    type Value = Answer<'call, T>;

    #[inline]
    unsafe fn read(self) -> Outcome<Answer<'call, T>> {
        if !self.0.is_null() {
            check(self.0, self.1)?;
        }
        Ok(Answer(NonNull::new(self.0), PhantomData))
    }
}

/// Where an answer goes, if C wants it. It is made by reading [`Out`] and [`OptionalOut`] alone.
pub(crate) struct Answer<'call, T>(Option<NonNull<T>>, PhantomData<&'call mut T>);

impl<T> Answer<'_, T> {
    #[inline]
    pub(crate) fn set(self, value: T) {
        if let Some(location) = self.0 {
            // SAFETY: whoever read the argument stated that a `T` may be written there during
            // `'call`, and its alignment was checked. What was there is C's, and is not dropped.
            unsafe { location.write(value) };
        }
    }
}

/// Elements: a pointer and how many there are.
///
/// Contract: the pointer is NULL or not aligned, which is refused if there are elements, or it
/// points to `1` elements that nobody changes meanwhile.
pub(crate) struct Slice<T>(pub(crate) *const T, pub(crate) usize, pub(crate) &'static str);

impl<'call, T: 'call> Argument<'call> for Slice<T> {
    type Value = &'call [T];

    #[inline]
    unsafe fn read(self) -> Outcome<&'call [T]> {
        let Self(start, length, name) = self;
        if length == 0 {
            return Ok(&[]);
        }
        check_length::<T>(length)?;
        check(start, name)?;
        // SAFETY: the pointer is neither NULL nor misaligned, and the length is at most isize::MAX
        // bytes (checked); there are that many live elements, which nobody changes (the contract).
        Ok(unsafe { std::slice::from_raw_parts(start, length) })
    }
}

/// Memory for elements, which need not be initialised.
///
/// Contract: the pointer is NULL or not aligned, which is refused if there are elements, or `1`
/// elements may be written there, which nobody else uses meanwhile.
pub(crate) struct OutSlice<T>(pub(crate) *mut T, pub(crate) usize, pub(crate) &'static str);

impl<'call, T: 'call> Argument<'call> for OutSlice<T> {
    type Value = &'call mut [MaybeUninit<T>];

    #[inline]
    unsafe fn read(self) -> Outcome<&'call mut [MaybeUninit<T>]> {
        let Self(start, length, name) = self;
        if length == 0 {
            return Ok(&mut []);
        }
        check_length::<T>(length)?;
        check(start, name)?;
        // SAFETY: the pointer is neither NULL nor misaligned, and the length is at most isize::MAX
        // bytes (checked); the memory is this call's alone (the contract). `MaybeUninit` may be
        // uninitialised.
        Ok(unsafe { std::slice::from_raw_parts_mut(start.cast(), length) })
    }
}

/// A text, in UTF-8.
///
/// Contract: it is NULL, which is refused, or points to bytes that end in a zero and that nobody
/// changes meanwhile.
pub(crate) struct CText(pub(crate) *const c_char, pub(crate) &'static str);

impl<'call> Argument<'call> for CText {
    type Value = &'call str;

    unsafe fn read(self) -> Outcome<&'call str> {
        // SAFETY: it is the same contract.
        let text = unsafe { OptionalText(self.0, self.1).read() }?;
        text.ok_or_else(|| null(self.1))
    }
}

/// As [`CText`], for a text that C may do without.
///
/// Contract: as for [`CText`]; NULL is no text.
pub(crate) struct OptionalText(pub(crate) *const c_char, pub(crate) &'static str);

impl<'call> Argument<'call> for OptionalText {
    type Value = Option<&'call str>;

    unsafe fn read(self) -> Outcome<Option<&'call str>> {
        // SAFETY: it is the same contract.
        let Some(bytes) = (unsafe { OptionalBytes(self.0).read() })? else { return Ok(None) };
        let text = bytes.to_str().map_err(|_| {
            Failure::Said(ios_status::IOS_BAD_OPTION, format!("`{}` is not UTF-8", self.1))
        })?;
        Ok(Some(text))
    }
}

/// A path that C may do without: bytes of any kind.
///
/// Contract: as for [`OptionalText`].
pub(crate) struct OptionalPath(pub(crate) *const c_char);

impl<'call> Argument<'call> for OptionalPath {
    type Value = Option<&'call Path>;

    unsafe fn read(self) -> Outcome<Option<&'call Path>> {
        // SAFETY: it is the same contract.
        let bytes = unsafe { OptionalBytes(self.0).read() }?;
        Ok(bytes.map(|bytes| Path::new(OsStr::from_bytes(bytes.to_bytes()))))
    }
}

/// Bytes that end in a zero.
///
/// Contract: as for [`OptionalText`].
struct OptionalBytes(*const c_char);

impl<'call> Argument<'call> for OptionalBytes {
    type Value = Option<&'call CStr>;

    unsafe fn read(self) -> Outcome<Option<&'call CStr>> {
        if self.0.is_null() {
            return Ok(None);
        }
        // SAFETY: it is not NULL (checked), and points to bytes that end in a zero and do not
        // change during `'call` (the contract).
        Ok(Some(unsafe { CStr::from_ptr(self.0) }))
    }
}

/// Arguments that are read together, in order; the first that is refused is the error.
macro_rules! arguments {
    ($($($A:ident)+;)*) => {$(
        impl<'call, $($A: Argument<'call>),+> Argument<'call> for ($($A,)+) {
            type Value = ($($A::Value,)+);

            #[inline]
            #[allow(non_snake_case, reason = "the names are those of the types")]
            unsafe fn read(self) -> Outcome<Self::Value> {
                let ($($A,)+) = self;
                // SAFETY: each argument keeps its own contract, which is what this one's is.
                $(let $A = unsafe { $A.read() }?;)+
                Ok(($($A,)+))
            }
        }
    )*};
}
arguments! {
    A B;
    A B C;
    A B C D;
}

/// Refuses a pointer that cannot point to a `T`.
#[inline]
fn check<T>(pointer: *const T, name: &str) -> Outcome {
    if pointer.is_null() {
        return Err(null(name));
    }
    if !pointer.is_aligned() {
        return Err(misaligned(name, align_of::<T>()));
    }
    Ok(())
}

/// Refuses more elements than memory can have.
#[inline]
fn check_length<T>(length: usize) -> Outcome {
    match length.checked_mul(size_of::<T>()) {
        Some(..=MOST_BYTES) => Ok(()),
        _ => Err(too_long(length)),
    }
}

const MOST_BYTES: usize = isize::MAX as usize;

#[cold]
fn null(name: &str) -> Failure {
    Failure::Said(ios_status::IOS_NULL, format!("`{name}` must not be NULL"))
}

#[cold]
fn misaligned(name: &str, align: usize) -> Failure {
    Failure::Said(ios_status::IOS_NULL, format!("`{name}` must be aligned to {align} bytes"))
}

#[cold]
fn too_long(length: usize) -> Failure {
    let text = format!("a length of {length} is more than memory can have");
    Failure::Said(ios_status::IOS_TOO_LARGE, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::call;
    use crate::status::ios_status::*;

    /// The status of reading `argument`.
    fn status<A>(argument: A) -> ios_status
    where
        A: for<'call> Argument<'call>,
    {
        // SAFETY: each test passes what the argument's contract allows.
        call(|arguments| unsafe { arguments.read(argument) }.map(drop))
    }

    #[test]
    fn what_cannot_point_to_such_an_object_is_refused() {
        let mut word = 7_u64;
        let odd = (&raw mut word).wrapping_byte_add(1);
        assert_eq!(status(In(&raw const word, "word")), IOS_OK);
        for wrong in [std::ptr::null_mut(), odd] {
            assert_eq!(status(In(wrong.cast_const(), "word")), IOS_NULL);
            assert_eq!(status(InMut(wrong, "word")), IOS_NULL);
            assert_eq!(status(Out(wrong, "word")), IOS_NULL);
            assert_eq!(status(Slice(wrong.cast_const(), 1, "words")), IOS_NULL);
            assert_eq!(status(OutSlice(wrong, 1, "words")), IOS_NULL);
            assert_eq!(status(Slice(wrong.cast_const(), 0, "words")), IOS_OK);
            assert_eq!(status(OutSlice(wrong, 0, "words")), IOS_OK);
        }
        assert_eq!(status(OptionalOut(odd, "word")), IOS_NULL);
        assert_eq!(status(OptionalOut(std::ptr::null_mut::<u64>(), "word")), IOS_OK);
        assert_eq!(status(CText(std::ptr::null(), "name")), IOS_NULL);
        assert_eq!(status(OptionalText(std::ptr::null(), "name")), IOS_OK);
        assert_eq!(status(CText(c"\xff".as_ptr(), "name")), IOS_BAD_OPTION);
    }

    #[test]
    fn no_slice_is_longer_than_memory() {
        let mut word = 7_u64;
        for length in [usize::MAX, usize::MAX / 8, isize::MAX as usize / 8 + 1] {
            assert_eq!(status(Slice(&raw const word, length, "words")), IOS_TOO_LARGE);
            assert_eq!(status(OutSlice(&raw mut word, length, "words")), IOS_TOO_LARGE);
        }
    }

    #[test]
    fn an_answer_is_written_where_it_is_wanted() {
        let mut word = 7_u64;
        let wanted = call(|arguments| {
            // SAFETY: a number may be written there.
            let answer = unsafe { arguments.read(Out(&raw mut word, "word")) }?;
            answer.set(8);
            let none = OptionalOut(std::ptr::null_mut(), "word");
            // SAFETY: NULL is allowed.
            unsafe { arguments.read(none) }?.set(9_u64);
            Ok(())
        });
        assert_eq!((wanted, word), (IOS_OK, 8));
    }
}
