//! Why something cannot be turned into another format.

use std::fmt;

/// Why a message cannot be written as CDR, or why CDR is not a message.
///
/// ```
/// use io_shared_core::Message;
/// use io_shared_formats::{CdrError, from_cdr};
///
/// let error = from_cdr(&u64::schema(), &[0, 1, 0, 0, 1, 2]).unwrap_err();
/// assert_eq!(error, CdrError::Short { needed: 12, found: 6 });
/// assert_eq!(error.to_string(), "the message ends after 6 bytes, at least 12 are needed");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CdrError {
    /// No message of the schema has as many bytes.
    Length {
        /// The bytes that there are.
        found: usize,
    },
    /// The CDR is not encoded as plain CDR: its first two bytes, big-endian.
    Encapsulation(u16),
    /// The CDR ends too early.
    Short {
        /// How many bytes it needs at least.
        needed: usize,
        /// The bytes that there are.
        found: usize,
    },
    /// There are bytes after the message.
    Long {
        /// How many bytes are the message.
        used: usize,
        /// The bytes that there are.
        found: usize,
    },
    /// A text does not fit its field.
    Text {
        /// The bytes that the field has.
        room: usize,
        /// The bytes of the text.
        found: usize,
    },
    /// A list or slice does not have the elements that its shape says, or not within its message.
    List,
    /// The message would be larger than what its CDR can stand for.
    TooLarge {
        /// The bytes of the message.
        bytes: usize,
    },
    /// This version cannot convert a type in it.
    Unsupported {
        /// The type.
        what: String,
    },
}

impl fmt::Display for CdrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CdrError::Length { found } => {
                write!(f, "no message of the schema has {found} bytes")
            }
            CdrError::Encapsulation(kind) => {
                let name = match kind {
                    0x0002 | 0x0003 => "a parameter list (PL_CDR)",
                    0x0006 | 0x0007 => "XCDR2 (CDR2)",
                    0x0008 | 0x0009 => "XCDR2 (D_CDR2)",
                    0x000a | 0x000b => "XCDR2 (PL_CDR2)",
                    _ => "unknown",
                };
                write!(
                    f,
                    "its encoding {kind:#06x} is {name}: only plain CDR (0x0000, 0x0001) is read"
                )
            }
            CdrError::Short { needed, found } => {
                write!(f, "the message ends after {found} bytes, at least {needed} are needed")
            }
            CdrError::Long { used, found } => {
                write!(f, "there are {found} bytes, of which the message is {used}")
            }
            CdrError::Text { room, found } => {
                write!(f, "a text of {found} bytes does not fit its field of {room}")
            }
            CdrError::List => f.write_str("a list does not have the elements that its shape says"),
            CdrError::TooLarge { bytes } => {
                write!(f, "its schema asks for {bytes} bytes, far more than these bytes stand for")
            }
            CdrError::Unsupported { what } => write!(f, "{what} cannot be converted"),
        }
    }
}

/// The same text as `Display`, for `unwrap()` and for a `main` that returns the error.
impl fmt::Debug for CdrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for CdrError {}

/// Why a text is not the definition of a message: which line, and what is wrong with it.
///
/// ```
/// use io_shared_formats::Foreign;
///
/// let error = Foreign::parse("pkg/msg/A", "uint8 a\nb\n").unwrap_err();
/// assert_eq!(error.to_string(), "`b`: expected a type and a name");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DefinitionError {
    /// The line, or the name of a type that is missing.
    pub at: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.at.escape_debug(), self.what)
    }
}

/// The same text as `Display`, for `unwrap()` and for a `main` that returns the error.
impl fmt::Debug for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for DefinitionError {}
