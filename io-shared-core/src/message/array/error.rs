//! The error for bytes that are not the array asked for.

use std::fmt;

use crate::message::shape::Bytes;

pub(super) type Result<T> = std::result::Result<T, NpyError>;

/// Why a message is not the array that was asked for, or why an array cannot be a message.
///
/// ```
/// use io_shared_core::array::NpyError;
/// use io_shared_core::{Array, Message};
///
/// let error = Array::len_of("|O", false, &[3]).unwrap_err();
/// assert_eq!(error, NpyError::Object { dtype: "|O".into() });
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NpyError {
    /// The message does not begin as a `.npy` file does.
    NotNpy,
    /// A version of the format other than 1.0, 2.0 and 3.0.
    Version {
        /// The version found.
        found: [u8; 2],
    },
    /// The header is not the text that the format requires.
    Header {
        /// What was expected.
        expected: &'static str,
        /// The position, in bytes from the start of the text.
        at: usize,
    },
    /// The header's text is longer than the limit.
    HeaderTooLong {
        /// The text's length in bytes.
        found: usize,
        /// The longest text that is read, in bytes.
        longest: usize,
    },
    /// An array, or a field of it, has more axes than NumPy allows.
    TooManyAxes {
        /// The number of axes; there may be more.
        found: usize,
        /// The largest number of axes.
        most: usize,
    },
    /// The elements are Python objects, which are meaningful in one process only.
    Object {
        /// The dtype, or the part of it that says so.
        dtype: String,
    },
    /// The code is not that of a NumPy type.
    Unknown {
        /// The dtype, or the part of it that is unknown.
        dtype: String,
    },
    /// The elements have another type or byte order.
    Dtype {
        /// The dtype asked for.
        expected: &'static str,
        /// The dtype of the message.
        found: String,
    },
    /// The array is larger than memory can be.
    TooLarge {
        /// The dtype.
        dtype: String,
        /// The shape.
        shape: Vec<usize>,
    },
    /// The message is shorter than its header and elements.
    TooShort {
        /// The bytes of header and elements.
        expected: usize,
        /// The bytes that there are.
        found: usize,
    },
    /// The elements do not start at a multiple of their alignment.
    Misaligned {
        /// The alignment in bytes.
        expected: usize,
    },
    /// A truth value that is neither 0 nor 1.
    NotBool,
}

impl fmt::Display for NpyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NpyError::NotNpy => write!(f, "the message is not an array in NumPy's .npy format"),
            NpyError::Version { found: [major, minor] } => {
                write!(f, "the array has .npy version {major}.{minor}: 1.0, 2.0 and 3.0 are known")
            }
            NpyError::Header { expected, at } => {
                write!(f, "the array's .npy header is damaged: expected {expected} at {at}")
            }
            NpyError::HeaderTooLong { found, longest } => {
                write!(
                    f,
                    "the array's .npy header has {found} bytes, and at most {longest} are read"
                )
            }
            NpyError::TooManyAxes { found, most } => {
                write!(f, "{found} axes or more: an array has at most {most}")
            }
            NpyError::Object { dtype } => write!(
                f,
                "the dtype {} means Python objects, which cannot cross a process boundary: use \
                 numbers or fixed-length text",
                Shown(dtype)
            ),
            NpyError::Unknown { dtype } => {
                write!(f, "`{}` is not the code of a dtype", Shown(dtype))
            }
            NpyError::Dtype { expected, found } => {
                write!(f, "channel has {}, this program {expected}", Shown(found))?;
                match found.strip_prefix('>') {
                    Some(code) if expected.ends_with(code) => write!(
                        f,
                        ": it is big-endian, and can be read in place only after its bytes were \
                         swapped, best by its producer"
                    ),
                    _ => Ok(()),
                }
            }
            NpyError::TooLarge { dtype, shape } => {
                let dtype = Shown(dtype);
                write!(f, "an array of {dtype} and shape {shape:?} is larger than memory")
            }
            NpyError::TooShort { expected, found } => {
                write!(f, "the array needs {}, found {found}", Bytes(*expected as u64))
            }
            NpyError::Misaligned { expected } => write!(
                f,
                "the elements do not start at a multiple of {expected} bytes: their producer must \
                 pad the .npy header to 64 bytes, as NumPy does"
            ),
            NpyError::NotBool => write!(f, "the array of |b1 has a byte that is neither 0 nor 1"),
        }
    }
}

/// The same text as `Display`, for `unwrap()` and for a `main` that returns the error.
impl fmt::Debug for NpyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A dtype as an error shows it: without control characters, and cut if it is long.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 200;
        let end = self.0.char_indices().nth(MOST).map_or(self.0.len(), |(end, _)| end);
        let (shown, rest) = self.0.split_at(end);
        write!(f, "{}{}", shown.escape_debug(), if rest.is_empty() { "" } else { ".." })
    }
}

impl std::error::Error for NpyError {}
