//! Why bytes are not a message of the type asked for.

use std::fmt;

use crate::message::invalid::Invalid;
use crate::message::schema::{Described, Type, described, write_bad_value};
use crate::message::shape::{Bytes, Shape};

/// Why bytes are not a message of the type asked for.
///
/// ```
/// use io_shared_core::Message;
/// use io_shared_core::message::BytesError;
///
/// let error = u32::from_bytes(&[0; 3]).unwrap_err();
/// assert_eq!(error.to_string(), "the message has 4 bytes, found 3");
/// let error = <[bool; 2]>::from_bytes(&[1, 7]).unwrap_err();
/// assert_eq!(error.to_string(), "field `[1]` is 7, expected 0 or 1");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BytesError {
    /// No message of this type has this length: it is not the size of a sized message, or it is
    /// less than the fixed part, or the rest is not a whole number of elements.
    Length {
        /// The shape of the type asked for.
        expected: Shape,
        /// The wire length given, in bytes.
        found: usize,
    },
    /// There are fewer bytes than the message has, including the padding at its end.
    TooShort {
        /// The bytes that the message needs.
        expected: usize,
        /// The bytes that there are.
        found: usize,
    },
    /// The bytes do not start at a multiple of the alignment.
    Misaligned {
        /// The alignment in bytes.
        expected: usize,
        /// By how many bytes the start exceeds a multiple of it.
        found: usize,
    },
    /// A field has a number that its type does not have: a `bool` that is neither 0 nor 1, or an
    /// enum without that variant; or a list is not within the message.
    BadValue {
        /// The field, as in `boxes[3].valid`; empty for the whole message.
        field: String,
        /// The number found.
        found: i64,
        /// What would be right.
        expected: String,
    },
}

impl BytesError {
    #[cold]
    pub(super) fn bad_value(ty: &Type, invalid: Invalid) -> Self {
        let Described { field, expected, .. } = described(ty, invalid);
        BytesError::BadValue { field, found: invalid.found, expected }
    }
}

impl fmt::Display for BytesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BytesError::Length { expected: Shape { size, element: None, .. }, found } => {
                write!(f, "the message has {}, found {found}", Bytes(*size as u64))
            }
            BytesError::Length { expected: Shape { size, element: Some(element), .. }, found } => {
                write!(
                    f,
                    "the message has {} and a whole number of elements of {}, found {found}",
                    Bytes(*size as u64),
                    Bytes(*element as u64)
                )
            }
            BytesError::TooShort { expected, found } => {
                write!(
                    f,
                    "the message needs {}, including the padding at its end, found {found}",
                    Bytes(*expected as u64)
                )
            }
            BytesError::Misaligned { expected, found } => {
                write!(
                    f,
                    "the message must start at a multiple of {expected} bytes, found a start \
                     {found} past one"
                )
            }
            BytesError::BadValue { field, found, expected } => {
                write_bad_value(f, field, *found, expected)
            }
        }
    }
}

/// The same text as `Display`, for `unwrap()` and for a `main` that returns the error.
impl fmt::Debug for BytesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for BytesError {}
