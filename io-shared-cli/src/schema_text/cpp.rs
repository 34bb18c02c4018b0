//! A schema as structs and enums of C++, described as messages for `io_shared.hpp`.

use std::fmt::Write as _;

use io_shared::schema::{Enum, Field, Scalar, Struct, Type};

use super::{comment, name_of, names, scalar_word};
use crate::out::plain;

/// All of them, the innermost first.
pub(super) fn write(enums: &[&Enum], structs: &[&Struct]) -> String {
    let mut text = String::from("#include <io_shared.hpp>\n");
    enums.iter().for_each(|of| write_enum(of, &mut text));
    structs.iter().for_each(|layout| write_struct(layout, structs, &mut text));
    text
}

/// The type of a member.
pub(super) fn type_of(ty: &Type, structs: &[&Struct]) -> String {
    match ty {
        Type::Scalar(Scalar::F16) => "io_shared::f16".to_owned(),
        Type::Scalar(Scalar::F32) => "float".to_owned(),
        Type::Scalar(Scalar::F64) => "double".to_owned(),
        Type::Scalar(scalar) => scalar_word(*scalar, ["std::uint", "std::int", ""], "_t"),
        Type::Text(bytes) => format!("io_shared::text<{bytes}>"),
        Type::Array { count, element } => {
            format!("std::array<{}, {count}>", type_of(element, structs))
        }
        Type::Slice { element } => format!("io_shared::slice<{}>", type_of(element, structs)),
        Type::Struct(layout) => names::in_c(&name_of(layout, structs)),
        Type::Enum(of) => names::in_c(&of.name),
        Type::List { axes: 1, element } => {
            format!("io_shared::list<{}>", type_of(element, structs))
        }
        Type::List { axes, element } => {
            format!("io_shared::nd_list<{}, {axes}>", type_of(element, structs))
        }
        other => other.to_string(),
    }
}

fn write_enum(of: &Enum, text: &mut String) {
    text.push('\n');
    comment(text, "", "///", &of.doc);
    let number = type_of(&Type::Scalar(of.scalar), &[]);
    let name = names::in_c(&of.name);
    let _ = writeln!(text, "enum class {name} : {number} {{");
    let others = of.variants.iter().map(|variant| &*variant.name);
    let in_cpp = |of: &str| names::apart(names::in_c(of), of, others.clone());
    let variants: Vec<String> = others.clone().map(in_cpp).collect();
    for (variant, in_cpp) in of.variants.iter().zip(&variants) {
        let _ = writeln!(text, "    {in_cpp} = {},", variant.number);
    }
    let _ = writeln!(text, "}};\nIO_SHARED_ENUM({name}, {});", variants.join(", "));
    for (variant, in_cpp) in of.variants.iter().zip(&variants) {
        rename(text, &name, in_cpp, &variant.name);
    }
}

/// Says the name in the schema, if it is another one.
fn rename(text: &mut String, of: &str, in_cpp: &str, name: &str) {
    if in_cpp != name {
        let _ = writeln!(text, "IO_SHARED_NAME({of}, {in_cpp}, \"{name}\");");
    }
}

fn write_struct(layout: &Struct, structs: &[&Struct], text: &mut String) {
    text.push('\n');
    comment(text, "", "///", &layout.doc);
    let name = names::in_c(&name_of(layout, structs));
    let member = |field: &Field| names::member(&field.name, layout);
    let natural = layout.fields.iter().map(alignment).max().unwrap_or(1);
    let align = match layout.shape.align > natural {
        true => format!("alignas({}) ", layout.shape.align),
        false => String::new(),
    };
    let _ = writeln!(text, "struct {align}{name} {{");
    let is_member = |field: &&Field| !matches!(field.ty, Type::Slice { .. } | Type::ListData);
    for field in layout.fields.iter().filter(is_member) {
        comment(text, "    ", "///", &field.doc);
        let _ = writeln!(text, "    {} {};", type_of(&field.ty, structs), member(field));
    }
    text.push_str("};\n");
    let members: Vec<String> = layout.fields.iter().filter(is_member).map(member).collect();
    if members.is_empty() {
        text.push_str("// C++ has no struct without members: it cannot be a message\n");
        return;
    }
    let _ = writeln!(text, "IO_SHARED_MESSAGE({name}, {});", members.join(", "));
    for field in &layout.fields {
        let member = member(field);
        let _ = match &field.ty {
            Type::Slice { element } => {
                comment(text, "", "///", &field.doc);
                let element = type_of(element, structs);
                writeln!(text, "IO_SHARED_TAIL({name}, {member}, {element});")
            }
            Type::ListData if field.name != "data" => {
                writeln!(text, "IO_SHARED_DATA({name}, {});", field.name)
            }
            _ => Ok(()),
        };
        if !field.unit.is_empty() {
            let unit = plain(&field.unit);
            let _ = writeln!(text, "IO_SHARED_UNIT({name}, {member}, {unit:?});");
        }
        if field.ty != Type::ListData {
            rename(text, &name, &member, &field.name);
        }
    }
}

/// The alignment that the compiler, or the header, gives to the struct for a field.
fn alignment(field: &Field) -> usize {
    match &field.ty {
        Type::List { element, .. } => field.ty.shape().align.max(element.shape().align),
        ty => ty.shape().align,
    }
}
