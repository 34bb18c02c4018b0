//! The error for a text that is not a schema.

use std::fmt;

use super::types::MAX_ALIGN;
use crate::message::shape::Bytes;

/// Why a text is not a schema: what is wrong, and `at` which value (such as `points[].x`; empty for
/// the whole message).
///
/// ```
/// use io_shared_core::Schema;
///
/// let text = r#"{"struct":"P","size":4,"align":4,"fields":[{"name":"x","type":"<f4"}]}"#;
/// let error = Schema::from_json(text).unwrap_err();
/// assert_eq!(error.to_string(), "field `x`: key `offset` must be there and be a whole number");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaError {
    /// The text is longer than the limit.
    TooLong {
        /// The longest text that is read, in bytes.
        limit: usize,
        /// The text's length in bytes.
        found: usize,
    },
    /// The text is not JSON; the reason, with line and column.
    Json(String),
    /// Types are nested deeper than the limit.
    TooDeep {
        /// Where.
        at: String,
        /// The deepest nesting that is read.
        limit: usize,
    },
    /// A key is missing, or its value has another kind.
    Key {
        /// Where.
        at: String,
        /// The key.
        key: &'static str,
        /// What its value must be.
        expected: &'static str,
    },
    /// A type is neither a code nor an object with one of the keys `struct`, `enum`, `array`,
    /// `slice`, `list`.
    Kind {
        /// Where.
        at: String,
    },
    /// The code is not that of a type.
    Code {
        /// Where.
        at: String,
        /// The code found.
        found: String,
    },
    /// A name is empty or has characters that cannot be in a name.
    Name {
        /// Where.
        at: String,
        /// The name found.
        found: String,
    },
    /// Two fields of one struct have the same name.
    DuplicateName {
        /// Where.
        at: String,
    },
    /// The number of a variant is not greater than the one before, or does not fit; or another
    /// variant of the enum has the same name.
    Variant {
        /// Where.
        at: String,
        /// The variant's name.
        found: String,
    },
    /// No variant of an enum has the number 0, which fresh memory contains.
    NoZero {
        /// Where.
        at: String,
    },
    /// A field does not start where the previous field ends.
    Offset {
        /// Where.
        at: String,
        /// The end of the previous field, in bytes.
        expected: usize,
        /// The offset found, in bytes.
        found: usize,
    },
    /// A struct's size is not that of its fields together.
    Size {
        /// Where.
        at: String,
        /// The size of the fields together, in bytes.
        expected: usize,
        /// The size found, in bytes.
        found: usize,
    },
    /// An alignment is not a power of two, or too small for the fields, or does not divide the size
    /// or an offset.
    Align {
        /// Where.
        at: String,
        /// The alignment found, in bytes.
        found: usize,
        /// The smallest alignment that its fields allow.
        needed: usize,
        /// The end of what comes before it, in bytes.
        end: usize,
    },
    /// A slice is neither the whole message nor its last field, or its elements have no bytes.
    Slice {
        /// Where.
        at: String,
    },
    /// A list is no field of a message that ends in the data of lists, or its elements have no
    /// bytes, contain a bool or an enum, or are aligned to more than 64; or the data of lists is
    /// not the last field of a message.
    List {
        /// Where.
        at: String,
    },
    /// The value is larger than memory can hold.
    TooLarge {
        /// Where.
        at: String,
    },
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaError::TooLong { limit, found } => {
                write!(f, "a schema has at most {limit} bytes of text, found {found}")
            }
            SchemaError::Json(reason) => write!(f, "the text is not JSON: {reason}"),
            SchemaError::TooDeep { at, limit } => {
                write!(f, "{}: types are nested deeper than {limit}", At(at))
            }
            SchemaError::Key { at, key, expected } => {
                write!(f, "{}: key `{key}` must be there and be {expected}", At(at))
            }
            SchemaError::Kind { at } => write!(f, "{}: {KINDS}", At(at)),
            SchemaError::Code { at, found } => {
                write!(f, "{}: `{}` is not the code of a type", At(at), found.escape_debug())
            }
            SchemaError::Name { at, found } => {
                write!(f, "{}: `{}` is not a name", At(at), found.escape_debug())
            }
            SchemaError::DuplicateName { at } => write!(f, "{}: two fields have this name", At(at)),
            SchemaError::Variant { at, found } => write!(f, "{}: {}", At(at), BadVariant(found)),
            SchemaError::NoZero { at } => write!(f, "{}: {NO_ZERO}", At(at)),
            SchemaError::Offset { at, expected, found } => {
                write!(
                    f,
                    "{}: expected at {expected}, where the previous field ends, found at {found}",
                    At(at)
                )?;
                match found.checked_sub(*expected) {
                    Some(padding) => {
                        write!(f, ": add {} before it", Padding { at: *expected, bytes: padding })
                    }
                    None => write!(f, ": it overlaps the previous field; list fields by offset"),
                }
            }
            SchemaError::Size { at, expected, found } => {
                let made = Bytes(*expected as u64);
                write!(f, "{}: its fields make {made}, found a size of {found}", At(at))?;
                match found.checked_sub(*expected) {
                    Some(padding) => {
                        write!(f, ": add {} at its end", Padding { at: *expected, bytes: padding })
                    }
                    None => write!(f, ": write \"size\":{expected}"),
                }
            }
            SchemaError::Align { at, found, needed, end } => {
                write!(f, "{}: an alignment of {found} is not possible here: ", At(at))?;
                if found < needed || !found.is_power_of_two() {
                    return write!(f, "its fields need \"align\":{needed}");
                }
                match end % found {
                    0 => write!(f, "it is at most {MAX_ALIGN}"),
                    over => write!(f, "add {}", Padding { at: *end, bytes: found - over }),
                }
            }
            SchemaError::Slice { at } => {
                write!(
                    f,
                    "{}: a slice is the whole message or its last field, and its elements have \
                     bytes",
                    At(at)
                )
            }
            SchemaError::List { at } => write!(f, "{}: {LIST}", At(at)),
            SchemaError::TooLarge { at } => write!(f, "{}: larger than memory", At(at)),
        }
    }
}

/// The same text as `Display`, for `unwrap()` and for a `main` that returns the error.
impl fmt::Debug for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for SchemaError {}

const KINDS: &str =
    "a type is a code or has one of the keys `struct`, `enum`, `array`, `slice`, `list`";

const LIST: &str = "a list is a field of a message whose last field has the type \"lists\"; it has \
                    1 to 32 axes, and elements of at least one byte without |b1 and enums";

const NO_ZERO: &str =
    "no variant has the number 0, which fresh memory contains: give one of them 0";

/// What is wrong with the variant of this name.
struct BadVariant<'a>(&'a str);

impl fmt::Display for BadVariant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.escape_debug();
        write!(f, "variant `{name}`: numbers ascend and fit the enum's code, and names differ")
    }
}

/// A field that replaces padding, as a schema writes it.
struct Padding {
    at: usize,
    bytes: usize,
}

impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Padding { at, bytes } = self;
        write!(
            f,
            "the {} of padding as a field, {{\"name\":\"_pad{at}\",\"offset\":{at},\
             \"type\":{{\"array\":{bytes},\"of\":\"|u1\"}}}} (in C: uint8_t _pad{at}[{bytes}])",
            Bytes(*bytes as u64)
        )
    }
}

/// A path as errors and differences write it.
pub(crate) struct At<'a>(pub(crate) &'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => f.write_str("the message"),
            path => write!(f, "field `{path}`"),
        }
    }
}
