//! The 64-bit hash of a schema: FNV-1a over its shape text.
//!
//! The grammar of the shape text is in the docs of `Schema::hash`, because other languages compute
//! the same number. No name in a checked schema contains one of its delimiters.

use std::fmt::{self, Write};

use super::types::Type;

pub(super) fn of(ty: &Type) -> u64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    // Fnv never fails, so neither does this.
    let _ = write_shape(&mut hash, ty);
    hash.0
}

struct Fnv(u64);

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}

pub(super) fn write_shape(out: &mut impl Write, ty: &Type) -> fmt::Result {
    match ty {
        Type::Scalar(scalar) => out.write_str(scalar.code()),
        Type::Text(bytes) => write!(out, "|S{bytes}"),
        Type::Enum(of) => write!(out, "enum{}", of.scalar.code()),
        Type::Array { count, element } => {
            write!(out, "[{count}]")?;
            write_shape(out, element)
        }
        Type::Slice { element } => {
            out.write_str("[]")?;
            write_shape(out, element)
        }
        Type::List { axes, element } => {
            write!(out, "list[{axes}]")?;
            write_shape(out, element)
        }
        Type::ListData => out.write_str("lists"),
        Type::Struct(layout) => {
            for (i, field) in layout.fields.iter().enumerate() {
                write!(out, "{}{}:", if i == 0 { '{' } else { ';' }, field.name)?;
                write_shape(out, &field.ty)?;
                write!(out, "@{}", field.offset)?;
            }
            let open = if layout.fields.is_empty() { "{" } else { "" };
            write!(out, "{open}}}{}%{}", layout.shape.size, layout.shape.align)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::schema::types::{Field, Scalar, Struct};
    use crate::message::shape::Shape;

    fn text(ty: &Type) -> String {
        let mut text = String::new();
        write_shape(&mut text, ty).unwrap();
        text
    }

    fn cloud(name: &str, doc: &str, unit: &str) -> Type {
        let point = Struct::new("Point", Shape { size: 8, align: 4, element: None })
            .field(Field::new("x", 0, Type::Scalar(Scalar::F32)).unit(unit))
            .field(Field::new("y", 4, Type::Scalar(Scalar::F32)));
        Struct::new(name, Shape { size: 8, align: 8, element: Some(8) })
            .doc(doc)
            .field(Field::new("frame", 0, Type::Scalar(Scalar::U64)).doc(doc))
            .field(Field::new("points", 8, Type::Slice { element: Box::new(point.into()) }))
            .into()
    }

    #[test]
    fn the_shape_text_is_as_documented() {
        assert_eq!(
            text(&cloud("Cloud", "", "")),
            "{frame:<u8@0;points:[]{x:<f4@0;y:<f4@4}8%4@8}8%8"
        );
        let empty = Struct::new("Tick", Shape { size: 0, align: 1, element: None });
        assert_eq!(text(&empty.into()), "{}0%1");
        let texts = Type::Array { count: 3, element: Box::new(Type::Text(64)) };
        assert_eq!(text(&texts), "[3]|S64");
    }

    #[test]
    fn the_hash_is_fnv_1a_with_its_published_values() {
        let of_text = |text: &str| {
            let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
            hash.write_str(text).unwrap();
            hash.0
        };
        assert_eq!(of_text(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(of_text("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(of_text("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn struct_names_docs_and_units_do_not_count() {
        assert_eq!(of(&cloud("Cloud", "", "")), of(&cloud("Scan", "a scan", "m")));
    }
}
