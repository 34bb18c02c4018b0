//! The types that a schema is a tree of: numbers, texts, enums, arrays, slices, lists and structs.

use std::fmt;
use std::ops::RangeInclusive;

use crate::message::placed::WORD;
use crate::message::shape::{Bytes, Shape};

/// The largest alignment that Rust supports.
pub(super) const MAX_ALIGN: usize = 1 << 29;

/// The layout of one value.
///
/// Its `Display` form is short, for errors: `<f4`, `[<f4; 3]`, `struct Point of 16 bytes`.
///
/// ```
/// use io_shared_core::Message;
/// use io_shared_core::schema::{Scalar, Type};
///
/// let ty = <[f32; 3]>::layout();
/// assert_eq!(ty, Type::Array { count: 3, element: Box::new(Type::Scalar(Scalar::F32)) });
/// assert_eq!(ty.to_string(), "[<f4; 3]");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// A number.
    Scalar(Scalar),
    /// UTF-8 text in this many bytes, padded with zeros: [`Text<N>`](crate::Text), NumPy's `|S64`.
    Text(usize),
    /// A number with a name for each of its values.
    Enum(Enum),
    /// A fixed number of elements.
    Array {
        /// How many elements.
        count: usize,
        /// The type of each element.
        element: Box<Type>,
    },
    /// Any number of elements; only as the whole message or as its last field.
    Slice {
        /// The type of each element.
        element: Box<Type>,
    },
    /// An offset and a number of elements for each axis, as a field of a message that ends in
    /// [`ListData`](Self::ListData).
    List {
        /// How many axes: 1 for [`List<T>`](crate::message::List).
        axes: usize,
        /// The type of each element.
        element: Box<Type>,
    },
    /// The bytes in which the elements of lists lie, as the last field of the whole message.
    ListData,
    /// Named fields.
    Struct(Struct),
}

impl Type {
    /// The size, the alignment, and the size of a tail element.
    ///
    /// Sizes beyond `usize` are clamped. A checked schema has none.
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
            Type::Enum(of) => sized(of.scalar.size(), of.scalar.size()),
            Type::Array { count, element } => {
                let element = element.shape();
                sized(element.size.saturating_mul(*count), element.align)
            }
            Type::Slice { element } => {
                let element = element.shape();
                Shape { size: 0, align: element.align, element: Some(element.size) }
            }
            Type::List { axes, .. } => {
                sized(axes.saturating_add(1).saturating_mul(WORD), align_of::<u64>())
            }
            Type::ListData => Shape { size: 0, align: 1, element: Some(1) },
            Type::Struct(layout) => layout.shape,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Scalar(scalar) => f.write_str(scalar.code()),
            Type::Text(bytes) => write!(f, "|S{bytes}"),
            Type::Enum(of) => write!(f, "enum {} as {}", of.name, of.scalar.code()),
            Type::Array { count, element } => write!(f, "[{element}; {count}]"),
            Type::Slice { element } => write!(f, "[{element}]"),
            Type::List { axes: 1, element } => write!(f, "list of {element}"),
            Type::List { axes, element } => write!(f, "list of {element} with {axes} axes"),
            Type::ListData => f.write_str("the data of lists"),
            Type::Struct(layout) => {
                write!(f, "struct {} of {}", layout.name, Bytes(layout.shape.size as u64))
            }
        }
    }
}

macro_rules! scalars {
    ($($name:ident $code:literal $size:literal $what:literal;)*) => {
        /// A number or a bool, by its NumPy code.
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
            /// All numbers, for tables and tests.
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

            /// The size in bytes, which is also the alignment.
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
    F16 "<f2" 2 "`f16` of the crate half";
    F32 "<f4" 4 "`f32`";
    F64 "<f8" 8 "`f64`";
    Bool "|b1" 1 "`bool`: 0 or 1";
}

impl Scalar {
    /// The whole number in these bytes; `None` if they are too few, or this is no whole number.
    pub(crate) fn whole(self, bytes: &[u8]) -> Option<i64> {
        Some(match self {
            Scalar::Bool | Scalar::U8 => i64::from(*bytes.first()?),
            Scalar::I8 => i64::from(i8::from_le_bytes(*bytes.first_chunk()?)),
            Scalar::U16 => i64::from(u16::from_le_bytes(*bytes.first_chunk()?)),
            Scalar::I16 => i64::from(i16::from_le_bytes(*bytes.first_chunk()?)),
            Scalar::U32 => i64::from(u32::from_le_bytes(*bytes.first_chunk()?)),
            Scalar::I32 => i64::from(i32::from_le_bytes(*bytes.first_chunk()?)),
            Scalar::I64 => i64::from_le_bytes(*bytes.first_chunk()?),
            Scalar::U64 | Scalar::F16 | Scalar::F32 | Scalar::F64 => return None,
        })
    }

    /// The numbers that an enum stored as this scalar may have; `None` if it stores no enum.
    pub(super) fn enum_range(self) -> Option<RangeInclusive<i64>> {
        Some(match self {
            Scalar::U8 => 0..=u8::MAX.into(),
            Scalar::U16 => 0..=u16::MAX.into(),
            Scalar::U32 => 0..=u32::MAX.into(),
            Scalar::I8 => i8::MIN.into()..=i8::MAX.into(),
            Scalar::I16 => i16::MIN.into()..=i16::MAX.into(),
            Scalar::I32 => i32::MIN.into()..=i32::MAX.into(),
            _ => return None,
        })
    }
}

/// A number with a name for each of its values: an enum without fields.
///
/// ```
/// use io_shared_core::schema::{Enum, Scalar, Type};
///
/// let mode = Enum::new("Mode", Scalar::U8).variant(0, "Idle").variant(2, "Driving");
/// assert_eq!(mode.name_of(2), Some("Driving"));
/// assert_eq!(Type::from(mode).to_string(), "enum Mode as |u1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enum {
    /// The name, which is shown and never compared.
    pub name: String,
    /// The documentation, which is shown and never compared; empty if there is none.
    pub doc: String,
    /// The number that a value is stored as: `U8`, `U16`, `U32`, `I8`, `I16` or `I32`.
    pub scalar: Scalar,
    /// The variants in the order of their numbers.
    pub variants: Vec<Variant>,
}

/// A variant of an [`Enum`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// The number that stands for it.
    pub number: i64,
    /// The name.
    pub name: String,
}

impl Enum {
    /// An enum that has no variants yet. [`Enum`] has an example.
    pub fn new(name: &str, scalar: Scalar) -> Enum {
        Enum { name: name.to_owned(), doc: String::new(), scalar, variants: Vec::new() }
    }

    /// Sets the documentation.
    ///
    /// ```
    /// use io_shared_core::schema::{Enum, Scalar};
    ///
    /// assert_eq!(Enum::new("Mode", Scalar::U8).doc("What it does.").doc, "What it does.");
    /// ```
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Enum {
        doc.clone_into(&mut self.doc);
        self
    }

    /// Adds a variant. [`Enum`] has an example.
    #[must_use]
    pub fn variant(mut self, number: i64, name: &str) -> Enum {
        let at = self.variants.partition_point(|other| other.number < number);
        self.variants.insert(at, Variant { number, name: name.to_owned() });
        self
    }

    /// The name of the variant with this number. [`Enum`] has an example.
    pub fn name_of(&self, number: i64) -> Option<&str> {
        let at = self.variants.binary_search_by_key(&number, |variant| variant.number).ok()?;
        Some(&self.variants[at].name)
    }

    /// The numbers and names of the first few variants, for an error.
    pub(crate) fn numbers_in_words(&self) -> String {
        const FEW: usize = 8;
        let mut words = String::new();
        for (i, variant) in self.variants.iter().take(FEW).enumerate() {
            let is_last = i + 1 == self.variants.len();
            words.push_str(match i {
                0 => "",
                _ if is_last => " or ",
                _ => ", ",
            });
            words.push_str(&format!("{} ({})", variant.number, variant.name));
        }
        match self.variants.len().saturating_sub(FEW) {
            0 => words,
            more => format!("{words}, or one of {more} more"),
        }
    }
}

impl From<Enum> for Type {
    fn from(of: Enum) -> Type {
        Type::Enum(of)
    }
}

/// The layout of a struct.
///
/// ```
/// use io_shared_core::Message;
/// use io_shared_core::message::Shape;
/// use io_shared_core::schema::{Field, Struct, Type};
///
/// let point = Struct::new("Point", Shape { size: 8, align: 4, element: None })
///     .doc("A position on the ground.")
///     .field(Field::new("x", 0, f32::layout()).unit("m"))
///     .field(Field::new("y", 4, f32::layout()).unit("m"));
/// assert_eq!(Type::from(point).to_string(), "struct Point of 8 bytes");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Struct {
    /// The name, which is shown and never compared.
    pub name: String,
    /// The documentation, which is shown and never compared; empty if there is none.
    pub doc: String,
    /// The size of the fixed part, the alignment, and the size of a tail element.
    pub shape: Shape,
    /// The fields in the order of their offsets.
    pub fields: Vec<Field>,
}

impl Struct {
    /// A struct that has no fields yet. [`Struct`] has an example.
    pub fn new(name: &str, shape: Shape) -> Struct {
        Struct { name: name.to_owned(), doc: String::new(), shape, fields: Vec::new() }
    }

    /// Sets the documentation. [`Struct`] has an example.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Struct {
        doc.clone_into(&mut self.doc);
        self
    }

    /// Adds the next field. [`Struct`] has an example.
    #[must_use]
    pub fn field(mut self, field: Field) -> Struct {
        self.fields.push(field);
        self
    }
}

impl Struct {
    /// Whether it is a message with lists.
    pub(crate) fn has_lists(&self) -> bool {
        self.fields.last().is_some_and(|last| last.ty == Type::ListData)
    }
}

impl From<Struct> for Type {
    fn from(layout: Struct) -> Type {
        Type::Struct(layout)
    }
}

/// A field of a [`Struct`].
///
/// ```
/// use io_shared_core::Message;
/// use io_shared_core::schema::Field;
///
/// let x = Field::new("x", 0, f32::layout()).unit("m").doc("Forward.");
/// assert_eq!((&*x.name, x.offset, &*x.unit, &*x.doc), ("x", 0, "m", "Forward."));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name; for a field of a tuple struct, its index.
    pub name: String,
    /// The offset from the start of the struct, in bytes.
    pub offset: usize,
    /// The field's type.
    pub ty: Type,
    /// The unit of the field's numbers, which is shown and never compared; empty if there is none.
    pub unit: String,
    /// The documentation, which is shown and never compared; empty if there is none.
    pub doc: String,
}

impl Field {
    /// A field without unit and documentation. [`Field`] has an example.
    pub fn new(name: &str, offset: usize, ty: Type) -> Field {
        Field { name: name.to_owned(), offset, ty, unit: String::new(), doc: String::new() }
    }

    /// Sets the unit of the field's numbers. [`Field`] has an example.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Field {
        unit.clone_into(&mut self.unit);
        self
    }

    /// Sets the documentation. [`Field`] has an example.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Field {
        doc.clone_into(&mut self.doc);
        self
    }
}
