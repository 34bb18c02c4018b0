//! Where the parts of a message lie, and what their bytes mean.
//!
//! A [`Place`] is an offset in a message's bytes with the layout of what lies there. The layout
//! comes from the schema, from the dtype of an array, or from a path that takes the same part of
//! each element.

use std::borrow::Cow;
use std::sync::Arc;

use super::Value;
use super::dtype::{self, Dtype, DtypeField};
use crate::message::array::{self, Array, NpyError};
use crate::message::placed;
use crate::message::schema::{Enum, Scalar, Schema, Struct, Type, half};

/// A part of a message: where it lies, and what it is.
#[derive(Clone)]
pub(super) struct Place<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) layout: Layout<'a>,
}

/// What the bytes of a part mean.
#[derive(Clone)]
pub(super) enum Layout<'a> {
    Type(&'a Type),
    Dtype(Arc<Dtype>),
    Elements(Arc<Elements<'a>>),
    Record(Fields<'a>),
    /// The shape of an array, which does not lie in its bytes as numbers.
    Shape(Arc<[usize]>),
    /// The dtype of an array, as its header has it.
    Text(Arc<str>),
}

/// Elements at equal distances.
#[derive(Clone)]
pub(super) struct Elements<'a> {
    pub(super) len: usize,
    /// Bytes from one element to the next.
    pub(super) stride: usize,
    /// Bytes from the start of the place to the first element.
    pub(super) start: usize,
    pub(super) element: Layout<'a>,
}

/// An [`Array`].
pub(super) struct Npy<'a> {
    pub(super) dtype: Arc<str>,
    pub(super) shape: Arc<[usize]>,
    /// Where the elements start.
    pub(super) start: usize,
    pub(super) data: Layout<'a>,
}

/// The fields of an [`Array`] as it is shown.
pub(super) const NPY_FIELDS: [&str; 3] = ["dtype", "shape", "data"];

/// A field of a struct: its name, its unit, its offset, and what it is.
pub(super) struct Part<'s, 'a> {
    pub(super) name: &'s str,
    pub(super) unit: &'s str,
    pub(super) offset: usize,
    pub(super) layout: Layout<'a>,
}

/// The fields of a struct, from wherever its layout comes.
#[derive(Clone)]
pub(super) enum Fields<'a> {
    Struct(&'a Struct),
    Dtype(Arc<[DtypeField]>),
    Npy(Arc<Npy<'a>>),
}

/// A part by its kind.
pub(super) enum Head<'a> {
    Leaf(Value<'a>),
    List(Elements<'a>),
    Record(Fields<'a>),
}

impl<'a> Place<'a> {
    /// The whole message, whose length the caller has checked.
    pub(super) fn of_message(schema: &'a Schema, bytes: &'a [u8]) -> Result<Self, NpyError> {
        let layout = match Array::is_of(schema) {
            true => Layout::Record(Fields::Npy(Arc::new(Npy::read(bytes)?))),
            false => Layout::Type(schema.root()),
        };
        Ok(Self { bytes, at: 0, layout })
    }

    pub(super) fn head(&self) -> Head<'a> {
        match &self.layout {
            Layout::Type(ty) => self.head_of_type(ty),
            Layout::Dtype(dtype) => match &**dtype {
                Dtype::Leaf { kind, big, size } => Head::Leaf(self.numpy(*kind, *big, *size)),
                Dtype::Struct { fields, .. } => Head::Record(Fields::Dtype(fields.clone())),
                Dtype::Array { len, element } => Head::List(Elements {
                    len: *len,
                    stride: element.size(),
                    start: 0,
                    element: Layout::Dtype(element.clone()),
                }),
            },
            Layout::Elements(elements) => Head::List((**elements).clone()),
            Layout::Record(fields) => Head::Record(fields.clone()),
            // The place of an element is its number.
            Layout::Shape(shape) => {
                Head::Leaf(shape.get(self.at).map_or(Value::Missing, |n| Value::UInt(*n as u64)))
            }
            Layout::Text(text) => Head::Leaf(Value::Text(Cow::Owned(text.to_string()))),
        }
    }

    fn head_of_type(&self, ty: &'a Type) -> Head<'a> {
        match ty {
            Type::Scalar(scalar) => Head::Leaf(self.number(*scalar)),
            Type::Text(size) => Head::Leaf(self.text(*size)),
            Type::Enum(of) => Head::Leaf(self.variant(of)),
            Type::Array { count, element } => Head::List(Elements {
                len: *count,
                stride: element.shape().size,
                start: 0,
                element: Layout::Type(element),
            }),
            Type::Slice { element } => {
                let stride = element.shape().size;
                let left = self.bytes.len().saturating_sub(self.at);
                let len = left.checked_div(stride).unwrap_or(0);
                Head::List(Elements { len, stride, start: 0, element: Layout::Type(element) })
            }
            Type::List { axes, element } => self.list(*axes, element),
            Type::ListData => Head::Leaf(Value::Missing),
            Type::Struct(layout) => Head::Record(Fields::Struct(layout)),
        }
    }

    /// A list, of which the words lie here: lists of lists, one level for each axis.
    fn list(&self, axes: usize, element: &'a Type) -> Head<'a> {
        let size = element.shape().size;
        let Some((start, shape)) = placed::read(self.bytes, self.at, axes, size) else {
            return Head::Leaf(Value::Missing);
        };
        let start = start.checked_sub(self.at);
        let (mut stride, mut layout) = (size, Layout::Type(element));
        let mut elements = None;
        for (axis, len) in shape.iter().enumerate().rev() {
            let len = *len as usize;
            // Elements that lie before the list are none that a program has put.
            let start = if axis == 0 { start.unwrap_or(usize::MAX) } else { 0 };
            if let Some(inner) = elements.take() {
                layout = Layout::Elements(Arc::new(inner));
            }
            elements = Some(Elements { len, stride, start, element: layout.clone() });
            stride = stride.saturating_mul(len);
        }
        elements.map_or(Head::Leaf(Value::Missing), Head::List)
    }

    fn read<const N: usize>(&self) -> Option<[u8; N]> {
        self.bytes.get(self.at..)?.first_chunk().copied()
    }

    fn piece(&self, size: usize) -> Option<&'a [u8]> {
        self.bytes.get(self.at..self.at.checked_add(size)?)
    }

    /// The variant of an enum; the number, if it is that of none.
    fn variant(&self, of: &'a Enum) -> Value<'a> {
        let bytes = self.bytes.get(self.at..).unwrap_or_default();
        match of.scalar.whole(bytes) {
            Some(number) => match of.name_of(number) {
                Some(name) => Value::Variant { number, name },
                None => Value::Int(number),
            },
            None => Value::Missing,
        }
    }

    fn number(&self, scalar: Scalar) -> Value<'a> {
        let (kind, size) = match scalar {
            Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 => ('u', scalar.size()),
            Scalar::I8 | Scalar::I16 | Scalar::I32 | Scalar::I64 => ('i', scalar.size()),
            Scalar::F16 | Scalar::F32 | Scalar::F64 => ('f', scalar.size()),
            Scalar::Bool => ('b', 1),
        };
        self.numpy(kind, false, size)
    }

    /// A number or a text by NumPy's letter for its kind.
    fn numpy(&self, kind: char, big: bool, size: usize) -> Value<'a> {
        macro_rules! number {
            ($ty:ty as $variant:ident) => {
                self.read().map(|mut bytes| {
                    if big {
                        bytes.reverse();
                    }
                    Value::$variant(<$ty>::from_le_bytes(bytes).into())
                })
            };
        }
        let value = match (kind, size) {
            ('b', 1) => self.read().map(|[byte]| Value::Bool(byte != 0)),
            ('u', 1) => number!(u8 as UInt),
            ('u', 2) => number!(u16 as UInt),
            ('u', 4) => number!(u32 as UInt),
            ('u', 8) => number!(u64 as UInt),
            ('i', 1) => number!(i8 as Int),
            ('i', 2) => number!(i16 as Int),
            ('i', 4) => number!(i32 as Int),
            ('i' | 'm' | 'M', 8) => number!(i64 as Int),
            ('f', 2) => self.read().map(|bytes: [u8; 2]| {
                let bits = if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
                Value::F32(half::from_bits(bits))
            }),
            ('f', 4) => number!(f32 as F32),
            ('f', 8) => number!(f64 as F64),
            ('S', _) => return self.text(size),
            ('U', _) => self.piece(size).map(|bytes| Value::Text(characters(bytes, big).into())),
            // Plain bytes, and numbers that Rust does not have.
            _ => self.piece(size).map(|bytes| Value::Text(hex(bytes).into())),
        };
        value.unwrap_or(Value::Missing)
    }

    fn text(&self, size: usize) -> Value<'a> {
        let Some(bytes) = self.piece(size) else { return Value::Missing };
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(size);
        Value::Text(String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()))
    }
}

impl Npy<'_> {
    fn read(bytes: &[u8]) -> Result<Self, NpyError> {
        let npy = array::Npy::read(bytes)?;
        let (dtype, shape) = (Arc::new(dtype::read(bytes)?), npy.shape);
        let start = npy.data.as_ptr().addr() - bytes.as_ptr().addr();
        let mut stride = if npy.data.is_empty() { 0 } else { dtype.size() };
        let mut data = Layout::Dtype(dtype);
        // The last axis is the innermost list. Its elements are next to each other, unless the
        // first axis varies fastest.
        let mut strides = Vec::with_capacity(shape.len());
        let lengths: &mut dyn Iterator<Item = &usize> =
            if npy.fortran_order { &mut shape.iter() } else { &mut shape.iter().rev() };
        for len in lengths {
            strides.push(stride);
            stride = stride.saturating_mul(*len);
        }
        if npy.fortran_order {
            strides.reverse();
        }
        for (len, stride) in shape.iter().rev().zip(strides) {
            let (len, start, element) = (*len, 0, data);
            data = Layout::Elements(Arc::new(Elements { len, stride, start, element }));
        }
        Ok(Self { dtype: (*npy.dtype).into(), shape: shape.into(), start, data })
    }
}

impl<'a> Fields<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            // The data of lists is shown with each list.
            Fields::Struct(layout) => layout.fields.len() - usize::from(layout.has_lists()),
            Fields::Dtype(fields) => fields.len(),
            Fields::Npy(_) => NPY_FIELDS.len(),
        }
    }

    pub(super) fn is_named(&self, number: usize, name: &str) -> bool {
        self.get(number).is_some_and(|part| part.name == name)
    }

    pub(super) fn get(&self, number: usize) -> Option<Part<'_, 'a>> {
        match self {
            Fields::Struct(layout) => layout.fields.get(number).map(|field| Part {
                name: &field.name,
                unit: &field.unit,
                offset: field.offset,
                layout: Layout::Type(&field.ty),
            }),
            Fields::Dtype(fields) => fields.get(number).map(|field| Part {
                name: &field.name,
                unit: "",
                offset: field.offset,
                layout: Layout::Dtype(field.dtype.clone()),
            }),
            Fields::Npy(npy) => {
                let (offset, layout) = match number {
                    0 => (0, Layout::Text(npy.dtype.clone())),
                    1 => (0, npy.shape_as_list()),
                    _ => (npy.start, npy.data.clone()),
                };
                let name = NPY_FIELDS.get(number)?;
                Some(Part { name, unit: "", offset, layout })
            }
        }
    }
}

impl<'a> Npy<'a> {
    fn shape_as_list(&self) -> Layout<'a> {
        let (shape, len) = (self.shape.clone(), self.shape.len());
        let element = Layout::Shape(shape);
        Layout::Elements(Arc::new(Elements { len, stride: 1, start: 0, element }))
    }
}

/// The text of characters of 32 bits each, without the zeros after it.
fn characters(bytes: &[u8], big: bool) -> String {
    let words = bytes.chunks_exact(4).map(|word| {
        let word = <[u8; 4]>::try_from(word).unwrap_or_default();
        if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    });
    let text: String =
        words.map(|word| char::from_u32(word).unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    text.trim_end_matches('\0').to_owned()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // to a String, which does not fail
        text
    })
}
