//! The description of a message's layout, as a channel stores it for others to read.
//!
//! A [`Schema`] is a tree of [`Type`]s that the derive builds from a struct's definition. Programs
//! compare schemas when they open a channel ([`hash`](Schema::hash) first, then
//! [`differences`](Schema::differences) for the error), and tools that never saw the Rust type
//! (Python, the command line) decode values by it. Its stored form is canonical JSON ([`json`]).
//!
//! What must stay true: a schema that [`Schema::from_json`] returns has passed every check listed
//! there, so code that walks it indexes no further than [`Type::shape`] says.

mod diff;
mod error;
mod hash;
pub mod json;
mod shown;

use std::fmt;

pub use error::SchemaError;
pub(crate) use shown::Shown;

use crate::message::Shape;
use crate::message::shape::Bytes;

/// The layout of a message: what its bytes mean, by name, type and offset.
///
/// ```
/// use io_shared_core::{Message, Schema};
/// use io_shared_derive::Message;
///
/// #[derive(Message)]
/// #[repr(C)]
/// struct Labels {
///     frame: u64,
///     labels: [u32],
/// }
///
/// let schema = Labels::schema();
/// assert_eq!(schema.name(), "Labels");
/// assert_eq!(Schema::from_json(&schema.to_json()), Ok(schema));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    root: Type,
}

impl Schema {
    /// The schema of a message laid out like `root`.
    ///
    /// `root` is taken at its word: it comes from [`Message::layout`](crate::Message::layout).
    /// Text from elsewhere goes through [`from_json`](Self::from_json), which checks it.
    ///
    /// ```
    /// use io_shared_core::schema::{Scalar, Schema, Type};
    ///
    /// assert_eq!(Schema::new(Type::Scalar(Scalar::F32)).to_json(), r#""<f4""#);
    /// ```
    pub fn new(root: Type) -> Schema {
        Schema { root }
    }

    /// The type of the whole message.
    ///
    /// ```
    /// use io_shared_core::Message;
    /// use io_shared_core::schema::Type;
    ///
    /// assert_eq!(<[u8; 3]>::schema().root(), &<[u8; 3]>::layout());
    /// ```
    pub fn root(&self) -> &Type {
        &self.root
    }

    /// The struct's name; for a message that is no struct its kind: the code of a number, or
    /// `text`, `array`, `slice`.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert_eq!(f32::schema().name(), "<f4");
    /// assert_eq!(<[f32]>::schema().name(), "slice");
    /// ```
    pub fn name(&self) -> &str {
        match &self.root {
            Type::Scalar(scalar) => scalar.code(),
            Type::Text(_) => "text",
            Type::Array { .. } => "array",
            Type::Slice { .. } => "slice",
            Type::Struct(layout) => &layout.name,
        }
    }

    /// A number that is equal for two schemas when their messages have the same field names, types
    /// and offsets; struct names, docs and units do not count.
    ///
    /// It is 64-bit FNV-1a over the shape text, without allocating:
    ///
    /// ```text
    /// shape  = code                                            a number or text: <f4, |u1, |S64
    ///        | "[" count "]" shape                             an array
    ///        | "[]" shape                                      a slice
    ///        | "{" fields "}" size "%" align                   a struct
    /// fields = [ name ":" shape "@" offset *( ";" name ":" shape "@" offset ) ]
    /// ```
    ///
    /// FNV is no defence against somebody who looks for collisions; equal hashes of schemas from
    /// a program that is not trusted want [`differences`](Self::differences) to be empty too.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert_ne!(f32::schema().hash(), u32::schema().hash());
    /// assert_eq!(f32::schema().hash(), 0x701c_0618_3020_2169); // FNV-1a of "<f4"
    /// ```
    pub fn hash(&self) -> u64 {
        hash::of(&self.root)
    }

    /// The canonical JSON of this schema, byte for byte the same for equal schemas; the grammar
    /// is in [`json`].
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert_eq!(<[f32; 3]>::schema().to_json(), r#"{"array":3,"of":"<f4"}"#);
    /// ```
    pub fn to_json(&self) -> String {
        json::write(&self.root)
    }

    /// The schema that `text` describes, with every bound checked; the grammar is in [`json`].
    ///
    /// Keys that are not known are passed over, so that later versions can add some. Text of a
    /// hostile origin costs time and memory in proportion to its length and nothing more.
    ///
    /// ```
    /// use io_shared_core::Schema;
    ///
    /// let error = Schema::from_json(r#""<f3""#).unwrap_err();
    /// assert_eq!(error.to_string(), "the message: `<f3` is not the code of a type");
    /// ```
    ///
    /// # Errors
    ///
    /// [`SchemaError`] says where and what: text that is too long or too deep, no JSON, keys
    /// missing or of another kind, unknown codes, names that are empty or not plain, names twice,
    /// offsets that leave gaps or overlap, sizes and alignments that disagree with the fields,
    /// slices that are not last, messages larger than memory.
    pub fn from_json(text: &str) -> Result<Schema, SchemaError> {
        json::read(text).map(Schema::new)
    }

    /// One line per field in which the messages of this program differ from those of `channel`,
    /// for the error at open; empty where they agree, which is where [`hash`](Self::hash) agrees.
    ///
    /// Fields are matched by name. Offsets within a nested struct count from its start, the
    /// elements of arrays and slices are written `points[]`.
    ///
    /// ```
    /// use io_shared_core::Schema;
    ///
    /// let field = |code, size| {
    ///     let fields = format!(r#"[{{"name":"x","offset":0,"type":"{code}"}}]"#);
    ///     let text = format!(r#"{{"struct":"P","size":{size},"align":{size},"fields":{fields}}}"#);
    ///     Schema::from_json(&text).unwrap()
    /// };
    /// let (program, channel) = (field("<u2", 2), field("<f4", 4));
    /// assert_eq!(
    ///     program.differences(&channel),
    ///     ["field `x`: channel has <f4 at 0, this program <u2 at 0"],
    /// );
    /// ```
    pub fn differences(&self, channel: &Schema) -> Vec<String> {
        diff::lines(&self.root, &channel.root)
    }
}

/// The layout of one value.
///
/// Its `Display` form is short, for messages: `<f4`, `[<f4; 3]`, `struct Point of 16 bytes`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// A number.
    Scalar(Scalar),
    /// UTF-8 text in so many bytes, padded with zeros: [`Text<N>`](crate::Text), NumPy's `|S64`.
    Text(usize),
    /// A fixed number of elements.
    Array {
        /// How many.
        count: usize,
        /// What each of them is.
        element: Box<Type>,
    },
    /// Any number of elements; only as the whole message or as its last field.
    Slice {
        /// What each of them is.
        element: Box<Type>,
    },
    /// Named fields.
    Struct(Struct),
}

impl Type {
    /// Bytes, alignment and the size of a tail element.
    ///
    /// Sizes beyond `usize` are clamped; a checked schema has none.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert_eq!(<[f32; 3]>::layout().shape(), <[f32; 3]>::SHAPE);
    /// assert_eq!(<[f32]>::layout().shape(), <[f32]>::SHAPE);
    /// ```
    pub fn shape(&self) -> Shape {
        let sized = |size, align| Shape { size, align, element: None };
        match self {
            Type::Scalar(scalar) => sized(scalar.size(), scalar.size()),
            Type::Text(bytes) => sized(*bytes, 1),
            Type::Array { count, element } => {
                let element = element.shape();
                sized(element.size.saturating_mul(*count), element.align)
            }
            Type::Slice { element } => {
                let element = element.shape();
                Shape { size: 0, align: element.align, element: Some(element.size) }
            }
            Type::Struct(layout) => layout.shape,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Scalar(scalar) => f.write_str(scalar.code()),
            Type::Text(bytes) => write!(f, "|S{bytes}"),
            Type::Array { count, element } => write!(f, "[{element}; {count}]"),
            Type::Slice { element } => write!(f, "[{element}]"),
            Type::Struct(layout) => {
                write!(f, "struct {} of {}", layout.name, Bytes(layout.shape.size as u64))
            }
        }
    }
}

macro_rules! scalars {
    ($($name:ident $code:literal $size:literal $what:literal;)*) => {
        /// A number, by its NumPy code.
        ///
        /// ```
        /// use io_shared_core::schema::Scalar;
        ///
        /// assert_eq!(Scalar::from_code("<u2"), Some(Scalar::U16));
        /// assert_eq!(Scalar::U16.code(), "<u2");
        /// assert_eq!(Scalar::U16.size(), 2);
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Scalar {
            $(#[doc = $what] $name,)*
        }

        impl Scalar {
            /// All of them, for tables and tests.
            ///
            /// ```
            /// # use io_shared_core::schema::Scalar;
            /// assert!(Scalar::ALL.iter().all(|s| Scalar::from_code(s.code()) == Some(*s)));
            /// ```
            pub const ALL: &'static [Scalar] = &[$(Scalar::$name),*];

            /// The NumPy code: byte order (`<`, or `|` for single bytes), kind, size in bytes.
            ///
            /// ```
            /// # use io_shared_core::schema::Scalar;
            /// assert_eq!(Scalar::F32.code(), "<f4");
            /// ```
            pub const fn code(self) -> &'static str {
                match self {
                    $(Scalar::$name => $code,)*
                }
            }

            /// The number with this code.
            ///
            /// ```
            /// # use io_shared_core::schema::Scalar;
            /// assert_eq!(Scalar::from_code(">f4"), None); // big-endian
            /// ```
            pub fn from_code(code: &str) -> Option<Scalar> {
                match code {
                    $($code => Some(Scalar::$name),)*
                    _ => None,
                }
            }

            /// Size in bytes, which is the alignment too.
            ///
            /// ```
            /// # use io_shared_core::schema::Scalar;
            /// assert_eq!(Scalar::F64.size(), 8);
            /// ```
            pub const fn size(self) -> usize {
                match self {
                    $(Scalar::$name => $size,)*
                }
            }
        }
    };
}

scalars! {
    U8 "|u1" 1 "`u8`";
    U16 "<u2" 2 "`u16`";
    U32 "<u4" 4 "`u32`";
    U64 "<u8" 8 "`u64`";
    I8 "|i1" 1 "`i8`";
    I16 "<i2" 2 "`i16`";
    I32 "<i4" 4 "`i32`";
    I64 "<i8" 8 "`i64`";
    F32 "<f4" 4 "`f32`";
    F64 "<f8" 8 "`f64`";
}

/// The layout of a struct.
///
/// ```
/// use io_shared_core::Message;
/// use io_shared_core::message::Shape;
/// use io_shared_core::schema::{Field, Struct, Type};
///
/// let point = Struct::new("Point", Shape { size: 8, align: 4, element: None })
///     .doc("A place on the ground.")
///     .field(Field::new("x", 0, f32::layout()).unit("m"))
///     .field(Field::new("y", 4, f32::layout()).unit("m"));
/// assert_eq!(Type::from(point).to_string(), "struct Point of 8 bytes");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Struct {
    /// The name, shown and never compared.
    pub name: String,
    /// What it is, shown and never compared; empty if nothing is said.
    pub doc: String,
    /// Size of the fixed part, alignment, and the size of a tail element.
    pub shape: Shape,
    /// The fields in the order of their offsets.
    pub fields: Vec<Field>,
}

impl Struct {
    /// A struct without fields yet.
    pub fn new(name: &str, shape: Shape) -> Struct {
        Struct { name: name.to_owned(), doc: String::new(), shape, fields: Vec::new() }
    }

    /// Says what it is.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Struct {
        doc.clone_into(&mut self.doc);
        self
    }

    /// Adds the next field.
    #[must_use]
    pub fn field(mut self, field: Field) -> Struct {
        self.fields.push(field);
        self
    }
}

impl From<Struct> for Type {
    fn from(layout: Struct) -> Type {
        Type::Struct(layout)
    }
}

/// A field of a [`Struct`], which has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name; the index for a field of a tuple struct.
    pub name: String,
    /// Bytes from the start of the struct.
    pub offset: usize,
    /// What it is.
    pub ty: Type,
    /// The unit of its numbers, shown and never compared; empty if nothing is said.
    pub unit: String,
    /// What it means, shown and never compared; empty if nothing is said.
    pub doc: String,
}

impl Field {
    /// A field without unit and docs.
    pub fn new(name: &str, offset: usize, ty: Type) -> Field {
        Field { name: name.to_owned(), offset, ty, unit: String::new(), doc: String::new() }
    }

    /// Says the unit of its numbers.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Field {
        unit.clone_into(&mut self.unit);
        self
    }

    /// Says what it means.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Field {
        doc.clone_into(&mut self.doc);
        self
    }
}
