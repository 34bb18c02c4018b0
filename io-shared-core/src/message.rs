//! What may cross a process boundary as it lies in memory.
//!
//! [`Message`] is the promise that a type's bytes mean the same to every process. [`Shape`] is the
//! arithmetic between the bytes of a message and the elements in its tail. The derive implements
//! the trait, and slots and channels rely on it: these promises make it sound to hand out a `&T` to
//! memory that another program has written.
//!
//! The other files build on each other from the bottom up: `shape` and `invalid`, `placed` (where
//! the elements of lists lie), `schema` (the description of a type), this trait, `checked`
//! (messages of which not every bit pattern is valid), `list` (several tails of one message),
//! `text` and `array` (two messages of our own), `shown` (any message in `Debug`), `value` (any
//! message decoded by its schema), `private` (what the derive's output needs).

/// The methods of a message of fixed size: pointers to it are casts, and it has no elements.
macro_rules! fixed_size {
    () => {
        #[inline]
        fn from_raw_parts(start: *const u8, _elements: usize) -> *const Self {
            start.cast()
        }

        #[inline]
        fn from_raw_parts_mut(start: *mut u8, _elements: usize) -> *mut Self {
            start.cast()
        }

        #[inline]
        fn elements(&self) -> usize {
            0
        }
    };
}

pub mod array;
mod bytes_error;
mod checked;
pub(crate) mod invalid;
pub(crate) mod list;
pub(crate) mod placed;
#[doc(hidden)]
pub mod private;
pub mod schema;
pub(crate) mod shape;
pub(crate) mod shown;
pub mod text;
mod time;
pub mod value;

pub use bytes_error::BytesError;
pub use invalid::Invalid;
pub use list::{List, ListCapacity, ListData, NdList, NdSlice, NdSliceMut};
pub use shape::Shape;
pub use time::{DurationNs, SystemTimeNs, TimeError};

#[cfg(feature = "half")]
use half::f16;

use crate::message::schema::{Scalar, Schema, Type};

/// A type that can be read by another process as it lies in memory: its layout is fixed, it has no
/// padding and no pointers, and whether bytes are one of its values can be checked.
///
/// It is implemented for `bool`, `u8` to `u64`, `i8` to `i64`, `f32`, `f64`, `half::f16` (feature
/// `half`), [`Text<N>`](crate::Text), [`DurationNs`], [`SystemTimeNs`], [`Array`](crate::Array),
/// and arrays and slices of messages.
/// `#[derive(Message)]` implements it for `#[repr(C)]` structs of messages, which may end in a
/// slice, and for enums without fields that have a `#[repr(u8)]` (or `u16`, `u32`, `i8`, `i16`,
/// `i32`). For each field that cannot cross a process boundary, the derive says what to use
/// instead.
///
/// Most types are valid whatever their bytes are. A `bool` and an enum are not, nor is what
/// contains them, nor a message with [lists](crate::message::List): such a type is
/// [checked](Self::CHECKED) each time its bytes are read.
///
/// ```
/// use io_shared_core::Message;
/// use io_shared_derive::Message;
///
/// #[derive(Message)]
/// #[repr(C)]
/// struct Labels {
///     frame: u64,
///     labels: [u32],
/// }
///
/// assert_eq!(Labels::SHAPE.size, 8);
/// assert_eq!(Labels::SHAPE.element, Some(4));
/// ```
///
/// # Safety
///
/// An implementation by hand promises, for as long as the program runs:
///
/// 1. **Layout.** The layout is the same in every program that compiles the same definition
///    (`repr(C)`, `repr(transparent)`, primitives). [`SHAPE`](Self::SHAPE) is true: for a sized
///    type its size and alignment; for a type that ends in a slice the offset of the slice, the
///    alignment of the whole, and the size of an element, which is not 0. A message with lists is
///    one that ends in a slice of bytes, and its alignment may be a multiple of the type's.
/// 2. **No padding.** Every byte of a sized type belongs to a primitive. In a type that ends in a
///    slice, so does every byte of the fixed part and of each element. After the last element of a
///    slice there may be padding.
/// 3. **Every bit pattern is valid, or is refused**: if [`CHECKED`](Self::CHECKED) is `false`,
///    every bit pattern is valid; otherwise those for which [`check`](Self::check) returns `Ok`,
///    and all zeros. If [`CHECKED_TAIL`](Self::CHECKED_TAIL) is `false`, every bit pattern of the
///    tail is valid. There are no pointers, no references and no handles whose meaning is confined
///    to one process.
/// 4. **No interior mutability**: nothing in the value changes through `&Self`.
/// 5. **No drop glue**: the value's bytes may be copied, overwritten and forgotten.
/// 6. [`from_raw_parts`](Self::from_raw_parts) and [`from_raw_parts_mut`](Self::from_raw_parts_mut)
///    return `start` itself, its address and provenance, with `elements` as the length of the tail
///    and nothing else; [`elements`](Self::elements) is the length of the tail.
/// 7. The provided methods are not overridden, except [`check`](Self::check).
///
/// The proof of 1 and 2 may be an assertion that runs when `SHAPE` is evaluated, as it is for
/// generic types. Code that relies on the promise must therefore use `Self::SHAPE` before it
/// touches bytes. The methods here do so.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross a process boundary",
    label = "is not a `Message`",
    note = "a message is a `bool`, a number (`u8` to `u64`, `i8` to `i64`, `f32`, `f64`), \
        `Text<N>`, an array of messages, or a `#[repr(C)]` struct or `#[repr(u8)]` enum with \
        `#[derive(Message)]`; a slice of messages may come last",
    note = "for a type of another crate, store the numbers it consists of, or see \
        `#[message(foreign = ..)]`; for a `Duration` or a `SystemTime`, use `DurationNs` or \
        `SystemTimeNs`",
    note = "collections, pointers, atomics and cells are meaningful in one process only: store the \
        values themselves"
)]
pub unsafe trait Message: Send + Sync + 'static {
    /// The message's size, its alignment, and the size of its tail's elements.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert_eq!((<[f32; 3]>::SHAPE.size, <[f32; 3]>::SHAPE.element), (12, None));
    /// assert_eq!((<[f32]>::SHAPE.size, <[f32]>::SHAPE.element), (0, Some(4)));
    /// ```
    const SHAPE: Shape;

    /// Whether bytes must be checked before they are read as this type, because some are no value
    /// of it: it is a `bool` or an enum, or contains one, or it has lists.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert!(<[bool; 3]>::CHECKED && !<[u8; 3]>::CHECKED);
    /// ```
    const CHECKED: bool = false;

    /// Whether the elements of the tail must be checked; `false` for a sized message.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert!(<[bool]>::CHECKED_TAIL && !<[bool; 3]>::CHECKED_TAIL);
    /// ```
    const CHECKED_TAIL: bool = false;

    /// Whether the message has [lists](crate::message::List), which it checks as well.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert!(!<[u8]>::HAS_LISTS); // it is a slice
    /// ```
    const HAS_LISTS: bool = false;

    /// Whether the `length` bytes at `start`, a wire length of this type, are a value of it.
    ///
    /// This looks at single bytes, and makes no reference to a value that may be invalid. A type
    /// that is not [`CHECKED`](Self::CHECKED) is not looked at.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// let flags = [1, 0, 2_u8];
    /// // SAFETY: these are 3 bytes, the length of three bools.
    /// let invalid = unsafe { <[bool; 3]>::check(flags.as_ptr(), 3) }.unwrap_err();
    /// assert_eq!((invalid.at, invalid.found), (2, 2));
    /// ```
    ///
    /// # Safety
    /// `length` bytes at `start` can be read, and it is a wire length of this type. No alignment is
    /// needed.
    ///
    /// # Errors
    /// [`Invalid`]: where the first part lies that is no value of its type, and the number found
    /// there.
    #[inline]
    unsafe fn check(start: *const u8, length: usize) -> Result<(), Invalid> {
        let _ = (start, length);
        Ok(())
    }

    /// The description of the type's layout: names, types, offsets, units, docs.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert_eq!(<[f32; 3]>::layout().to_string(), "[<f4; 3]");
    /// ```
    fn layout() -> Type;

    /// The pointer to a message with `elements` tail elements that starts at `start`.
    ///
    /// A sized message ignores `elements`. Nothing is checked or read: the pointer is as valid as
    /// `start` is.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// let bytes = [0u8; 12];
    /// let slice: *const [u8] = Message::from_raw_parts(bytes.as_ptr(), 12);
    /// assert_eq!(slice.len(), 12);
    /// ```
    fn from_raw_parts(start: *const u8, elements: usize) -> *const Self;

    /// The mutable pointer to a message with `elements` tail elements that starts at `start`.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// let mut bytes = [0u8; 12];
    /// let slice: *mut [u8] = Message::from_raw_parts_mut(bytes.as_mut_ptr(), 12);
    /// assert_eq!(slice.len(), 12);
    /// ```
    fn from_raw_parts_mut(start: *mut u8, elements: usize) -> *mut Self;

    /// The number of elements in the tail; 0 for a sized message.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert_eq!([1u32, 2, 3][..].elements(), 3);
    /// assert_eq!([1u32, 2, 3].elements(), 0); // an array is sized
    /// ```
    fn elements(&self) -> usize;

    /// The description of the type's layout as a channel stores it.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert_eq!(f32::schema().to_json(), r#""<f4""#);
    /// ```
    fn schema() -> Schema {
        Schema::new(Self::layout())
    }

    /// How many bytes of this message are meant for readers: the fixed part and the elements,
    /// without the padding that may follow the last element.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert_eq!([1u32, 2, 3][..].wire_len(), 12);
    /// ```
    fn wire_len(&self) -> usize {
        match Self::SHAPE.element {
            None => Self::SHAPE.size,
            // A reference to these elements exists, so their bytes fit in an isize.
            Some(element) => Self::SHAPE.size + element * self.elements(),
        }
    }

    /// The message as bytes, [`wire_len`](Self::wire_len) of them.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert_eq!([1u16, 2].as_bytes(), [1, 0, 2, 0]);
    /// ```
    fn as_bytes(&self) -> &[u8] {
        let start = std::ptr::from_ref(self).cast::<u8>();
        // SAFETY: `start` is valid for reads of `wire_len` bytes while `self` is borrowed, as the
        // wire length is at most `size_of_val(self)`, which is at most isize::MAX; u8 needs no
        // alignment; every one of these bytes is initialised, because a message has no padding
        // before its wire length (2); and none changes through `&self` (4).
        unsafe { std::slice::from_raw_parts(start, self.wire_len()) }
    }

    /// Reads `bytes` as a message, where they lie. This is the inverse of
    /// [`as_bytes`](Self::as_bytes) for messages that need no padding at the end.
    ///
    /// All of `bytes` becomes the message. A sized message needs exactly its size; a message that
    /// ends in a slice takes as many elements as there are.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// let words = [1u64, 2];
    /// let bytes = words.as_bytes();
    /// assert_eq!(<[u64]>::from_bytes(bytes), Ok(&words[..]));
    /// assert!(<[u64]>::from_bytes(&bytes[..15]).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`from_prefix`](Self::from_prefix) with `wire_len` = `bytes.len()`. A message
    /// with padding at its end (3 labels of 4 bytes after a `u64`) is therefore `TooShort`, because
    /// a Rust reference to it covers the padding too. Pass the longer buffer to `from_prefix`.
    fn from_bytes(bytes: &[u8]) -> Result<&Self, BytesError> {
        Self::from_prefix(bytes, bytes.len())
    }

    /// Reads the first `wire_len` bytes of `bytes` as a message, where they lie. The rest of
    /// `bytes` is ignored.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// let words = [1u32, 2, 3, 4];
    /// assert_eq!(<[u32]>::from_prefix(words.as_bytes(), 8), Ok(&[1, 2][..]));
    /// ```
    ///
    /// # Errors
    ///
    /// - [`BytesError::Length`]: no message of this type has `wire_len` bytes.
    /// - [`BytesError::TooShort`]: `bytes` is shorter than `wire_len` rounded up to the alignment.
    /// - [`BytesError::Misaligned`]: `bytes` does not start at a multiple of the alignment.
    /// - [`BytesError::BadValue`]: a `bool` is neither 0 nor 1, or an enum has no such variant, or
    ///   the elements of a list are not there.
    fn from_prefix(bytes: &[u8], wire_len: usize) -> Result<&Self, BytesError> {
        let shape = Self::SHAPE;
        let Some(elements) = shape.elements_in(wire_len as u64) else {
            return Err(BytesError::Length { expected: shape, found: wire_len });
        };
        // elements_in has computed this length already, so it exists.
        let padded = shape.padded_len_of(elements).unwrap_or(usize::MAX);
        if bytes.len() < padded {
            return Err(BytesError::TooShort { expected: padded, found: bytes.len() });
        }
        let past = bytes.as_ptr().addr() % shape.align;
        if past != 0 {
            return Err(BytesError::Misaligned { expected: shape.align, found: past });
        }
        if Self::CHECKED {
            // SAFETY: the wire length of `elements` is at most `padded`, which lies within `bytes`.
            let checked = unsafe { Self::check(bytes.as_ptr(), wire_len) };
            checked.map_err(|invalid| BytesError::bad_value(&Self::layout(), invalid))?;
        }
        let message = Self::from_raw_parts(bytes.as_ptr(), elements);
        // SAFETY: the pointer is that of `bytes` with `elements` as its length (6), so it is not
        // null, aligned (just checked), and `size_of_val` of the message is at most `padded` (1),
        // which lies within `bytes` (just checked); the bytes are initialised, and valid as this
        // type whatever they are, or checked (3); they are borrowed shared for as long as the
        // result is, and the type has no interior mutability (4).
        Ok(unsafe { &*message })
    }
}

macro_rules! numbers {
    ($($number:ident => $scalar:ident),* $(,)?) => {$(
        // SAFETY: a primitive number of at most 64 bits, and `half::f16`, which is a
        // repr(transparent) u16, has one layout on the 64-bit targets this
        // crate compiles for (its alignment is its size) (1), no padding (2), every bit pattern
        // (3), no interior mutability (4) and no drop glue (5); the pointers are casts (6); no
        // provided method is overridden (7).
        unsafe impl Message for $number {
            const SHAPE: Shape = {
                assert!(align_of::<$number>() == size_of::<$number>());
                Shape { size: size_of::<$number>(), align: align_of::<$number>(), element: None }
            };

            fn layout() -> Type {
                Type::Scalar(Scalar::$scalar)
            }

    fixed_size!();
        }
    )*};
}

numbers! {
    u8 => U8, u16 => U16, u32 => U32, u64 => U64,
    i8 => I8, i16 => I16, i32 => I32, i64 => I64,
    f32 => F32, f64 => F64,
}

#[cfg(feature = "half")]
numbers! { f16 => F16 }

// SAFETY: an array is its elements one after the other, without anything between or after them, so
// all promises of `T` hold for it (1 to 5), with each element checked, and `T`'s proof runs in
// SHAPE; the pointers are casts (6); no other provided method is overridden (7).
unsafe impl<T: Message, const N: usize> Message for [T; N] {
    const SHAPE: Shape = Shape { size: T::SHAPE.size * N, align: T::SHAPE.align, element: None };
    const CHECKED: bool = T::CHECKED && N > 0;

    #[inline]
    unsafe fn check(start: *const u8, _length: usize) -> Result<(), Invalid> {
        // SAFETY: the bytes at `start` are N elements.
        unsafe { checked::check_each::<T>(start, N) }
    }

    fn layout() -> Type {
        Type::Array { count: N, element: Box::new(T::layout()) }
    }

    fixed_size!();
}

// SAFETY: a slice is its elements one after the other, so all promises of `T` hold for it (1 to 5):
// its tail starts at 0, its alignment is that of `T`, an element is `size_of::<T>()` bytes, which
// is asserted not to be 0, and `T`'s proof runs in SHAPE; each element is checked; the pointers
// keep address and provenance and get `elements` as their length (6); no other provided method is
// overridden (7).
unsafe impl<T: Message> Message for [T] {
    const SHAPE: Shape = {
        assert!(T::SHAPE.size > 0, "the elements of a slice must have at least one byte");
        Shape { size: 0, align: T::SHAPE.align, element: Some(T::SHAPE.size) }
    };
    const CHECKED: bool = T::CHECKED;
    const CHECKED_TAIL: bool = T::CHECKED;

    #[inline]
    unsafe fn check(start: *const u8, length: usize) -> Result<(), Invalid> {
        // SAFETY: `length` bytes are this many elements.
        unsafe { checked::check_each::<T>(start, length / T::SHAPE.size) }
    }

    fn layout() -> Type {
        Type::Slice { element: Box::new(T::layout()) }
    }

    #[inline]
    fn from_raw_parts(start: *const u8, elements: usize) -> *const Self {
        std::ptr::slice_from_raw_parts(start.cast(), elements)
    }

    #[inline]
    fn from_raw_parts_mut(start: *mut u8, elements: usize) -> *mut Self {
        std::ptr::slice_from_raw_parts_mut(start.cast(), elements)
    }

    #[inline]
    fn elements(&self) -> usize {
        self.len()
    }
}
