//! Why bytes are not the array asked for.

use std::fmt;

use crate::message::shape::Bytes;

pub(super) type Result<T> = std::result::Result<T, NpyError>;

/// Why a message is not the array that was asked for, or an array cannot be a message.
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
    /// The header is not the text that the format asks for.
    Header {
        /// What was expected.
        expected: &'static str,
        /// Where, in bytes from the start of the text.
        at: usize,
    },
    /// The header's text is longer than any of ours, in whatever version of the format.
    HeaderTooLong {
        /// Bytes of the text.
        found: usize,
        /// Bytes that it may have.
        longest: usize,
    },
    /// An array, or a field of it, has more axes than NumPy knows.
    TooManyAxes {
        /// At least so many axes.
        found: usize,
        /// Axes that it may have.
        most: usize,
    },
    /// The elements are Python objects, which mean something to one process only.
    Object {
        /// The dtype, or the part of it.
        dtype: String,
    },
    /// The code is that of no NumPy type.
    Unknown {
        /// The dtype, or the part of it.
        dtype: String,
    },
    /// The elements have another type or byte order.
    Dtype {
        /// The dtype asked for.
        expected: &'static str,
        /// The dtype of the message.
        found: String,
    },
    /// So many elements are more than memory can hold.
    TooLarge {
        /// The dtype.
        dtype: String,
        /// The shape.
        shape: Vec<usize>,
    },
    /// The message is shorter than header and elements.
    TooShort {
        /// Bytes of header and elements.
        expected: usize,
        /// Bytes that there are.
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
                        ": it is big-endian, and read in place only after its bytes are swapped, \
                         best by whoever puts it"
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
                "the elements do not start at a multiple of {expected} bytes: whoever puts them is \
                 to pad the .npy header to 64 bytes, as NumPy does"
            ),
            NpyError::NotBool => write!(f, "the array of |b1 has a byte that is neither 0 nor 1"),
        }
    }
}

/// The text of `Display`, for `unwrap()` and for a `main` that returns it.
impl fmt::Debug for NpyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A dtype as an error shows it: without control characters, and not all of a long one.
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
