//! A message as `Debug` shows it: decoded by its schema, and never longer than a screen.
//!
//! A guard's `Debug` cannot require `T: Debug`: `unwrap_err()` and `expect_err()` need `Debug` of
//! the guard, and would then refuse messages without it. A schema exists for every message. Decoded
//! by it, a message looks like what `#[derive(Debug)]` prints, and a cloud of a million points is
//! cut after the first few.

use std::any::TypeId;
use std::cell::Cell;
use std::fmt;

use crate::message::Message;
use crate::message::array::Array;
use crate::message::placed::{Room, WORD, word};
use crate::message::schema::{Scalar, Struct, Type, half};

/// Elements shown of each array or slice.
const ELEMENTS: usize = 16;
/// Numbers and texts shown of the whole message.
const LEAVES: usize = 256;
/// Characters shown of each text.
const CHARACTERS: usize = 64;

/// The message, to be shown by its schema.
pub(crate) struct Shown<'a, T: Message + ?Sized>(pub(crate) &'a T);

impl<T: Message + ?Sized> fmt::Debug for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.as_bytes();
        if TypeId::of::<T>() == TypeId::of::<Array>() {
            return Array::fmt_bytes(bytes, f);
        }
        let left = Cell::new(LEAVES);
        Part { ty: &T::layout(), bytes, message: bytes, left: &left }.fmt(f)
    }
}

/// A part of a message: its type, its bytes, and how much may still be shown.
struct Part<'a> {
    ty: &'a Type,
    bytes: &'a [u8],
    /// The whole message, in which the elements of lists lie.
    message: &'a [u8],
    left: &'a Cell<usize>,
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ty {
            Type::Scalar(scalar) => {
                self.left.set(self.left.get().saturating_sub(1));
                number(*scalar, self.bytes, f)
            }
            Type::Text(_) => {
                self.left.set(self.left.get().saturating_sub(1));
                text(self.bytes, f)
            }
            Type::Enum(of) => {
                self.left.set(self.left.get().saturating_sub(1));
                match of.scalar.whole(self.bytes) {
                    Some(number) => match of.name_of(number) {
                        Some(name) => f.write_str(name),
                        None => write!(f, "{number}"),
                    },
                    None => f.write_str("?"),
                }
            }
            Type::Array { count, element } => self.list(element, *count, f),
            Type::Slice { element } => {
                let count = self.bytes.len().checked_div(element.shape().size);
                self.list(element, count.unwrap_or(0), f)
            }
            Type::List { axes, element } => {
                let axes = (*axes).min(self.bytes.len() / WORD);
                let shape: Vec<u64> =
                    (1..=axes).map(|axis| word(self.bytes, WORD * axis)).collect();
                self.elements_of_list(element, element.shape().size, &shape, f)
            }
            Type::ListData => f.write_str(".."),
            Type::Struct(layout) => self.fields(layout, f),
        }
    }
}

impl<'a> Part<'a> {
    /// The bytes of a part. A `Message` implemented by hand may have a schema that is longer than
    /// its values. Then there are fewer bytes, and the missing ones are not shown.
    fn part(&self, ty: &'a Type, at: usize) -> Part<'a> {
        let bytes = self.bytes.get(at..).unwrap_or_default();
        let shape = ty.shape();
        let bytes = match shape.element {
            None => bytes.get(..shape.size).unwrap_or(bytes),
            Some(_) => bytes,
        };
        Part { ty, bytes, ..*self }
    }

    fn list(&self, element: &'a Type, count: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        let size = element.shape().size;
        let mut shown = 0;
        while shown < count.min(ELEMENTS) && self.left.get() > 0 {
            list.entry(&self.part(element, shown.saturating_mul(size)));
            shown += 1;
        }
        if shown < count {
            list.entry(&format_args!("and {} more", count - shown));
        }
        list.finish()
    }

    /// The elements of a list of this shape. Those of several axes are shown one after the other.
    fn elements_of_list(
        &self,
        element: &'a Type,
        size: usize,
        shape: &[u64],
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let room = Room { start: 0, end: self.message.len() };
        let Ok(range) = room.range(word(self.bytes, 0), shape, size, 1) else {
            return f.write_str("?");
        };
        let bytes = self.message.get(range).unwrap_or_default();
        let count = bytes.len().checked_div(size).unwrap_or(0);
        Part { bytes, ..*self }.list(element, count, f)?;
        match shape {
            [_] => Ok(()),
            shape => write!(f, " of shape {shape:?}"),
        }
    }

    fn fields(&self, layout: &'a Struct, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The data of lists is shown with each list.
        let fields = layout.fields.iter().filter(|field| field.ty != Type::ListData);
        let mut shown = fields.take_while(|_| self.left.get() > 0);
        let numbered = layout.fields.first().is_some_and(|field| field.name == "0");
        if numbered {
            let mut tuple = f.debug_tuple(&layout.name);
            for field in shown.by_ref() {
                tuple.field(&self.part(&field.ty, field.offset));
            }
            return match self.left.get() {
                0 => tuple.finish_non_exhaustive(),
                _ => tuple.finish(),
            };
        }
        let mut fields = f.debug_struct(&layout.name);
        for field in shown.by_ref() {
            fields.field(&field.name, &self.part(&field.ty, field.offset));
        }
        match self.left.get() {
            0 => fields.finish_non_exhaustive(),
            _ => fields.finish(),
        }
    }
}

fn number(scalar: Scalar, bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    macro_rules! show {
        ($($variant:ident $ty:ty),*) => {
            match scalar {
                $(Scalar::$variant => match bytes.first_chunk() {
                    Some(bytes) => fmt::Debug::fmt(&<$ty>::from_le_bytes(*bytes), f),
                    None => f.write_str("?"),
                },)*
                Scalar::F16 => match bytes.first_chunk() {
                    Some(bytes) => {
                        fmt::Debug::fmt(&half::from_bits(u16::from_le_bytes(*bytes)), f)
                    }
                    None => f.write_str("?"),
                },
                Scalar::Bool => match bytes.first() {
                    Some(byte @ 0..=1) => fmt::Debug::fmt(&(*byte == 1), f),
                    Some(byte) => fmt::Debug::fmt(byte, f),
                    None => f.write_str("?"),
                },
            }
        };
    }
    show!(U8 u8, U16 u16, U32 u32, U64 u64, I8 i8, I16 i16, I32 i32, I64 i64, F32 f32, F64 f64)
}

fn text(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(bytes.get(..end.min(4 * CHARACTERS)).unwrap_or_default());
    match text.char_indices().nth(CHARACTERS) {
        Some((cut, _)) => write!(f, "{:?}..", text.get(..cut).unwrap_or_default()),
        None => write!(f, "{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::schema::Field;
    use crate::message::text::Text;

    #[test]
    fn numbers_texts_and_arrays_read_as_rust_prints_them() {
        assert_eq!(format!("{:?}", Shown(&13.0_f64)), "13.0");
        assert_eq!(format!("{:?}", Shown(&[-1_i16, 2])), "[-1, 2]");
        assert_eq!(format!("{:?}", Shown(&[[1_u8; 2]; 2][..])), "[[1, 1], [1, 1]]");
        assert_eq!(format!("{:?}", Shown(&Text::<8>::truncated("km/h"))), "\"km/h\"");
        assert_eq!(format!("{:.2?}", Shown(&1.0_f32)), "1.00");
        assert_eq!(format!("{:?}", Shown::<[u32]>(&[])), "[]");
    }

    #[test]
    fn long_ones_show_the_first_few_and_count_the_rest() {
        let many: Vec<u32> = (0..1000).collect();
        let shown = format!("{:?}", Shown(&many[..]));
        assert!(shown.starts_with("[0, 1, 2"), "{shown}");
        assert!(shown.ends_with(", 15, and 984 more]"), "{shown}");
        let shown = format!("{:?}", Shown(&[[[7_u8; 100]; 100]; 100]));
        assert!(shown.len() < 2000, "{} characters", shown.len());
        let shown = format!("{:?}", Shown(&Text::<1000>::truncated(&"ä".repeat(500))));
        assert_eq!(shown, format!("\"{}\"..", "ä".repeat(CHARACTERS)));
    }

    #[test]
    fn a_schema_that_is_longer_than_the_message_shows_what_there_is() {
        let shape = crate::message::Shape { size: 1 << 40, align: 1, element: None };
        let layout = Struct::new("Liar", shape)
            .field(Field::new("x", 0, u16::layout()))
            .field(Field::new("y", 1 << 39, u16::layout()));
        let (ty, left) = (Type::from(layout), Cell::new(LEAVES));
        let bytes = &[1, 0, 9];
        let part = Part { ty: &ty, bytes, message: bytes, left: &left };
        assert_eq!(format!("{part:?}"), "Liar { x: 1, y: ? }");
    }
}
