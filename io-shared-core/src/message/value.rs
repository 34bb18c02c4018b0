//! A message decoded by its schema, with no Rust type needed.
//!
//! [`Value::decode`] takes a schema and bytes. Numbers and texts are read at once; a [`List`] or a
//! [`Record`] decodes its parts when they are asked for, so a cloud of a million points costs
//! nothing until somebody looks at it. A [`Path`] leads to a part. [`Value::yaml`],
//! [`json`](Value::json) and [`csv`](Value::csv) show a value.
//!
//! The files: `path` (the text of a path), `layout` (where the parts lie), `dtype` (NumPy's types),
//! `parts` (lists and records), `select` (following a path), `shown` (the styles `yaml`, `json` and
//! `csv`, which write to an `output`), `extent` (which bytes a part needs). `encode` goes the other
//! way.
//!
//! What must stay true: nothing here panics, whatever schema and bytes are. What a message does not
//! have is [`Value::Missing`]. Showing a value takes time in proportion to its bytes: parts without
//! bytes, of which a hostile schema may have any number, are counted and cut.

mod csv;
mod dtype;
mod encode;
mod extent;
mod json;
mod layout;
mod output;
mod parts;
mod path;
mod select;
mod shown;
#[cfg(test)]
mod tests;
mod yaml;

use std::borrow::Cow;
use std::fmt;

pub use encode::{EncodeError, encode};
pub(crate) use extent::{extent, head};
pub use parts::{List, Record};
pub use path::{Path, PathError};
pub use shown::Formatted;

use crate::message::array::NpyError;
use crate::message::schema::Schema;
use layout::Place;
use shown::Style;

/// A message, or a part of one, decoded by its schema.
///
/// # Examples
/// ```
/// use io_shared_core::{Message, Value};
/// use io_shared_derive::Message;
///
/// #[derive(Message)]
/// #[repr(C)]
/// struct Pose {
///     frame: u64,
///     position: [f32; 2],
/// }
///
/// let (schema, pose) = (Pose::schema(), Pose { frame: 7, position: [1.5, 2.0] });
/// let value = Value::decode(&schema, pose.as_bytes())?;
/// assert_eq!(value.json().to_string(), r#"{"frame":7,"position":[1.5,2.0]}"#);
/// assert_eq!(value.yaml().to_string(), "frame: 7\nposition: [1.5, 2.0]");
/// let x = value.at(&"position[0]".parse()?)?;
/// assert_eq!(x.as_f64(), Some(1.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// The newest value of any channel, whatever its type is:
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let name = &format!("/doc-value-{}", std::process::id());
/// # io_shared::producer::<[f64; 2]>(name)?.put(&[13.9, 0.5])?;
/// use io_shared::{Channel, Value};
///
/// let mut observer = Channel::<[u8]>::named(name).any_schema().observer()?;
/// if let Some(bytes) = observer.copy()? {
///     let schema = observer.schema();
///     println!("{}", Value::decode(schema, &bytes)?.yaml()); // [13.9, 0.5]
/// #   assert_eq!(Value::decode(schema, &bytes)?.yaml().to_string(), "[13.9, 0.5]");
/// }
/// # io_shared::remove(name)?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Nothing: the message does not have these bytes, or they stand for no value.
    Missing,
    /// A truth value.
    Bool(bool),
    /// A whole number with a sign.
    Int(i64),
    /// A whole number without a sign.
    UInt(u64),
    /// A number of 32 bits.
    F32(f32),
    /// A number of 64 bits.
    F64(f64),
    /// A text. U+FFFD stands for bytes that are not UTF-8.
    Text(Cow<'a, str>),
    /// A variant of an enum. A number that is that of no variant is an `Int`.
    Variant {
        /// The number that stands for it.
        number: i64,
        /// The name.
        name: &'a str,
    },
    /// Elements: an array, a slice, or a part of one.
    List(List<'a>),
    /// Named fields.
    Record(Record<'a>),
}

impl<'a> Value<'a> {
    /// The message with these bytes, which are exactly the message: its wire length of them.
    ///
    /// An [`Array`](crate::Array) becomes a record of its `dtype`, its `shape` and its `data`. The
    /// data is a list of lists, one level for each axis.
    ///
    /// # Errors
    /// - [`ValueError::Length`]: no message of this schema has as many bytes.
    /// - [`ValueError::Npy`]: the message is an `Array` whose bytes are not that of one.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Message, Value};
    ///
    /// let schema = <[u16; 2]>::schema();
    /// assert!(Value::decode(&schema, &[1, 0, 2, 0]).is_ok());
    /// let error = Value::decode(&schema, &[1, 0, 2]).unwrap_err();
    /// assert_eq!(error.to_string(), "the message has 4 bytes by its schema, found 3");
    /// ```
    pub fn decode(schema: &'a Schema, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let shape = schema.root().shape();
        if shape.elements_in(bytes.len() as u64).is_none() {
            let found = bytes.len();
            let (fixed, element) = (shape.size, shape.element);
            return Err(ValueError::Length { fixed, element, found });
        }
        Ok(Place::of_message(schema, bytes).map_err(ValueError::Npy)?.value())
    }

    /// The part that `path` leads to. A path with a slice leads to a list.
    ///
    /// # Errors
    /// [`PathError`]: there is no such field or element.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Message, Value};
    ///
    /// let schema = <[[u8; 2]; 3]>::schema();
    /// let value = Value::decode(&schema, &[1, 2, 3, 4, 5, 6])?;
    /// assert_eq!(value.at(&"[0:2][1]".parse()?)?.json().to_string(), "[2,4]");
    /// assert_eq!(value.at(&"-1".parse()?)?.json().to_string(), "[5,6]");
    /// let error = value.at(&"[3]".parse()?).unwrap_err();
    /// assert_eq!(error.to_string(), "the message has 3 elements, so there is no [3]");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn at(&self, path: &Path) -> Result<Value<'a>, PathError> {
        select::follow(self, path)
    }

    /// The number, if it is one: a boolean is 0 or 1, and a variant has its number.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::Value;
    /// assert_eq!(Value::Int(-3).as_f64(), Some(-3.0));
    /// assert_eq!(Value::Missing.as_f64(), None);
    /// ```
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
            Value::Int(number) | Value::Variant { number, .. } => Some(*number as f64),
            Value::UInt(number) => Some(*number as f64),
            Value::F32(number) => Some((*number).into()),
            Value::F64(number) => Some(*number),
            _ => None,
        }
    }

    /// The whole number, if it is one: exact also for times in nanoseconds, which an `f64` rounds.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::Value;
    /// assert_eq!(Value::UInt(u64::MAX).as_integer(), Some(u64::MAX.into()));
    /// assert_eq!(Value::F64(1.0).as_integer(), None);
    /// ```
    pub fn as_integer(&self) -> Option<i128> {
        match self {
            Value::Bool(truth) => Some((*truth).into()),
            Value::Int(number) | Value::Variant { number, .. } => Some((*number).into()),
            Value::UInt(number) => Some((*number).into()),
            _ => None,
        }
    }

    /// The value as YAML, with units as comments, without a line break at its end.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Message, Value};
    ///
    /// let schema = <[u8; 3]>::schema();
    /// let value = Value::decode(&schema, &[1, 2, 3])?;
    /// assert_eq!(value.yaml().to_string(), "[1, 2, 3]");
    /// assert_eq!(value.yaml().most(1).to_string(), "[1]  # and 2 more");
    /// # Ok::<(), io_shared_core::value::ValueError>(())
    /// ```
    pub fn yaml(&self) -> Formatted<'_, 'a> {
        Formatted::new(self, Style::Yaml)
    }

    /// The value as JSON, on one line. Numbers that JSON does not have (NaN, infinities) are
    /// `null`.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Message, Value};
    ///
    /// let schema = <[f32; 2]>::schema();
    /// let value = Value::decode(&schema, [1.0_f32, f32::NAN].as_bytes())?;
    /// assert_eq!(value.json().to_string(), "[1.0,null]");
    /// # Ok::<(), io_shared_core::value::ValueError>(())
    /// ```
    pub fn json(&self) -> Formatted<'_, 'a> {
        Formatted::new(self, Style::Json)
    }

    /// The value as a row of CSV: its numbers and texts in order, without a line break at its end.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Message, Text, Value};
    ///
    /// let schema = <[Text<8>; 2]>::schema();
    /// let texts = [Text::<8>::truncated("a,b"), Text::truncated("c")];
    /// let value = Value::decode(&schema, texts.as_bytes())?;
    /// assert_eq!(value.csv().to_string(), "\"a,b\",c");
    /// # Ok::<(), io_shared_core::value::ValueError>(())
    /// ```
    pub fn csv(&self) -> Formatted<'_, 'a> {
        Formatted::new(self, Style::Csv)
    }
}

/// The value as JSON, cut after 16 elements of each list.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.json().most(16), f)
    }
}

/// Why bytes are not a message of a schema.
///
/// ```
/// use io_shared_core::{Array, Message, Value};
///
/// let schema = Array::schema();
/// let error = Value::decode(&schema, b"PK").unwrap_err();
/// assert!(error.to_string().starts_with("the message is not an array: "));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueError {
    /// No message of the schema has this length.
    Length {
        /// The bytes of the fixed part.
        fixed: usize,
        /// The bytes of an element, for a message that ends in a slice.
        element: Option<usize>,
        /// The bytes that there are.
        found: usize,
    },
    /// The message is an [`Array`](crate::Array), and its bytes are not a `.npy` file.
    Npy(NpyError),
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueError::Length { fixed, element: None, found } => {
                write!(f, "the message has {fixed} bytes by its schema, found {found}")
            }
            ValueError::Length { fixed, element: Some(element), found } => write!(
                f,
                "the message has {fixed} bytes and any number of elements of {element} bytes by \
                 its schema, found {found} bytes"
            ),
            ValueError::Npy(error) => write!(f, "the message is not an array: {error}"),
        }
    }
}

/// The same text as `Display`, for `unwrap()` and for a `main` that returns the error.
impl fmt::Debug for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ValueError {}
