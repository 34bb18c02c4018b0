//! The stored form of a schema: canonical JSON. Reading it trusts nothing.
//!
//! Canonical means: keys in the order below, no white space, numbers in decimal, and `doc` and
//! `unit` only if they are not empty. Strings use `\"`, `\\`, `\n`, `\t` and, for other control
//! characters below U+0020, `\u` with lower-case digits. So equal schemas have equal text, and
//! `to_json(from_json(text))` is `text` for every canonical `text`.
//!
//! ```text
//! schema = type
//! type   = '"' code '"'                                  "<f4", "|b1", "|S64": NumPy's codes
//!        | {"enum": name, "doc": text, "of": code, "variants": [variant, ...]}
//!        | {"array": count, "of": type}
//!        | {"slice": type}
//!        | {"list": type, "axes": count}                  a list of `count` axes
//!        | "lists"                                        the data of lists
//!        | {"struct": name, "doc": text, "size": bytes, "align": bytes, "fields": [field, ...]}
//! field  = {"name": name, "offset": bytes, "type": type, "unit": text, "doc": text}
//! variant = {"name": name, "number": number}
//! ```
//!
//! A text that would be longer than [`MAX_TEXT`] is written without `doc` and `unit`.
//!
//! A reader enforces these rules, and rejects everything else:
//!
//! - The text has at most [`MAX_TEXT`] bytes, and types are nested at most [`MAX_DEPTH`] deep.
//! - A name is not empty. Its ASCII characters are letters, digits and `_`. It has no white space,
//!   no control characters, and no marks that change how the text around it is shown. Each field's
//!   name is unique in its struct.
//! - The first field starts at 0, and each other field where the previous one ends. Each field
//!   starts at a multiple of its alignment. So a message has no padding.
//! - `align` is a power of two, at most 2^29, and at least that of every field.
//! - `size` is where the last field ends, and a multiple of `align`. In a struct that ends in a
//!   slice it is the offset of the slice.
//! - An enum is stored as a whole number of 1, 2 or 4 bytes. The numbers of its variants ascend and
//!   fit, and one of them is 0. Each name is unique in its enum.
//! - A slice is the whole message or its last field, and its elements have at least one byte.
//! - `lists` is the last field of the message. A list is a field of such a message, has 1 to
//!   [`MAX_AXES`] axes, and its elements have at least one byte, contain no `|b1` and no enum, and
//!   are aligned to at most 64 and the message's `align`.
//! - Nothing is larger than `isize::MAX` bytes.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::error::SchemaError;
use super::types::{Enum, Field, MAX_ALIGN, Scalar, Struct, Type, Variant};
use crate::message::placed::MAX_LIST_ALIGN;
use crate::message::shape::Shape;

/// The longest schema text that is read, in bytes.
pub const MAX_TEXT: usize = 1 << 20;

/// How deep types may be nested: a struct of numbers has 2.
pub const MAX_DEPTH: usize = 32;

/// How many axes a list may have, as many as an array of NumPy 1.
pub const MAX_AXES: usize = 32;

/// The data of lists.
const LIST_DATA: &str = "lists";

pub(super) fn write(ty: &Type) -> String {
    let mut out = String::new();
    write_type(&mut out, ty);
    if out.len() > MAX_TEXT {
        // Docs and units are only shown, so they must not keep a schema from being stored.
        out.clear();
        write_type(&mut out, &without_docs(ty));
    }
    out
}

/// The same type without docs and units.
fn without_docs(ty: &Type) -> Type {
    match ty {
        Type::Scalar(_) | Type::Text(_) | Type::ListData => ty.clone(),
        Type::Enum(of) => Type::Enum(of.clone().doc("")),
        Type::Array { count, element } => {
            Type::Array { count: *count, element: Box::new(without_docs(element)) }
        }
        Type::Slice { element } => Type::Slice { element: Box::new(without_docs(element)) },
        Type::List { axes, element } => {
            Type::List { axes: *axes, element: Box::new(without_docs(element)) }
        }
        Type::Struct(layout) => {
            let bare = Struct::new(&layout.name, layout.shape);
            let fields = layout.fields.iter();
            let fields = fields.map(|f| Field::new(&f.name, f.offset, without_docs(&f.ty)));
            Type::Struct(fields.fold(bare, Struct::field))
        }
    }
}

fn write_type(out: &mut String, ty: &Type) {
    match ty {
        Type::Scalar(scalar) => write_text(out, scalar.code()),
        Type::Text(bytes) => write_text(out, &format!("|S{bytes}")),
        Type::Enum(of) => write_enum(out, of),
        Type::Array { count, element } => {
            write_number(out, "{\"array\":", *count);
            out.push_str(",\"of\":");
            write_type(out, element);
            out.push('}');
        }
        Type::Slice { element } => {
            out.push_str("{\"slice\":");
            write_type(out, element);
            out.push('}');
        }
        Type::List { axes, element } => {
            out.push_str("{\"list\":");
            write_type(out, element);
            write_number(out, ",\"axes\":", *axes);
            out.push('}');
        }
        Type::ListData => write_text(out, LIST_DATA),
        Type::Struct(layout) => write_struct(out, layout),
    }
}

fn write_enum(out: &mut String, of: &Enum) {
    out.push_str("{\"enum\":");
    write_text(out, &of.name);
    write_remark(out, ",\"doc\":", &of.doc);
    out.push_str(",\"of\":");
    write_text(out, of.scalar.code());
    out.push_str(",\"variants\":[");
    for (i, variant) in of.variants.iter().enumerate() {
        out.push_str(if i == 0 { "{\"name\":" } else { ",{\"name\":" });
        write_text(out, &variant.name);
        // Writing to a String never fails.
        let _ = write!(out, ",\"number\":{}}}", variant.number);
    }
    out.push_str("]}");
}

fn write_struct(out: &mut String, layout: &Struct) {
    out.push_str("{\"struct\":");
    write_text(out, &layout.name);
    write_remark(out, ",\"doc\":", &layout.doc);
    write_number(out, ",\"size\":", layout.shape.size);
    write_number(out, ",\"align\":", layout.shape.align);
    out.push_str(",\"fields\":[");
    for (i, field) in layout.fields.iter().enumerate() {
        out.push_str(if i == 0 { "{\"name\":" } else { ",{\"name\":" });
        write_text(out, &field.name);
        write_number(out, ",\"offset\":", field.offset);
        out.push_str(",\"type\":");
        write_type(out, &field.ty);
        write_remark(out, ",\"unit\":", &field.unit);
        write_remark(out, ",\"doc\":", &field.doc);
        out.push('}');
    }
    out.push_str("]}");
}

fn write_remark(out: &mut String, key: &str, text: &str) {
    if !text.is_empty() {
        out.push_str(key);
        write_text(out, text);
    }
}

fn write_number(out: &mut String, key: &str, number: usize) {
    // Writing to a String never fails.
    let _ = write!(out, "{key}{number}");
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

pub(super) fn read(text: &str) -> Result<Type, SchemaError> {
    if text.len() > MAX_TEXT {
        return Err(SchemaError::TooLong { limit: MAX_TEXT, found: text.len() });
    }
    // serde_json refuses nesting beyond 128, which is more than MAX_DEPTH types need.
    let value: Value =
        serde_json::from_str(text).map_err(|error| SchemaError::Json(error.to_string()))?;
    read_type(&value, Position { depth: 1, last: true, path: Path::Root })
}

/// The position of a type in the schema. It becomes text only in an error, so that a hostile
/// schema's long names cost its reader nothing.
#[derive(Clone, Copy)]
struct Position<'a> {
    depth: usize,
    /// Whether a slice is allowed here.
    last: bool,
    path: Path<'a>,
}

#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Element(&'a Position<'a>),
    Field(&'a Position<'a>, &'a str),
}

impl<'a> Position<'a> {
    fn element(&'a self) -> Position<'a> {
        Position { depth: self.depth + 1, last: false, path: Path::Element(self) }
    }

    fn field(&'a self, name: &'a str, last: bool) -> Position<'a> {
        // At depth 1 only: a struct in a struct has a fixed size.
        let last = last && self.depth == 1;
        Position { depth: self.depth + 1, last, path: Path::Field(self, name) }
    }

    fn at(&self) -> String {
        match self.path {
            Path::Root => String::new(),
            Path::Element(parent) => parent.at() + "[]",
            Path::Field(parent, name) => {
                let mut path = parent.at();
                if !path.is_empty() {
                    path.push('.');
                }
                path + name
            }
        }
    }
}

fn read_type(value: &Value, position: Position<'_>) -> Result<Type, SchemaError> {
    if position.depth > MAX_DEPTH {
        return Err(SchemaError::TooDeep { at: position.at(), limit: MAX_DEPTH });
    }
    let ty = match value {
        Value::String(code) if code == LIST_DATA => match position.last && position.depth == 2 {
            true => Type::ListData,
            false => return Err(SchemaError::List { at: position.at() }),
        },
        Value::String(code) => read_code(code, position)?,
        Value::Object(keys) if keys.contains_key("struct") => {
            Type::Struct(read_struct(keys, position)?)
        }
        Value::Object(keys) if keys.contains_key("enum") => Type::Enum(read_enum(keys, position)?),
        Value::Object(keys) if keys.contains_key("array") => {
            let count = number(keys, "array", position)?;
            let element = read_type(key(keys, "of", position)?, position.element())?;
            if element.shape().size.checked_mul(count).is_none_or(too_large) {
                return Err(SchemaError::TooLarge { at: position.at() });
            }
            Type::Array { count, element: Box::new(element) }
        }
        Value::Object(keys) if keys.contains_key("slice") => {
            let element = read_type(key(keys, "slice", position)?, position.element())?;
            if !position.last || element.shape().size == 0 {
                return Err(SchemaError::Slice { at: position.at() });
            }
            Type::Slice { element: Box::new(element) }
        }
        Value::Object(keys) if keys.contains_key("list") => {
            let axes = number(keys, "axes", position)?;
            let element = read_type(key(keys, "list", position)?, position.element())?;
            let shape = element.shape();
            let is_plain =
                shape.size > 0 && shape.align <= MAX_LIST_ALIGN && is_unchecked(&element);
            if position.depth != 2 || !is_plain || !(1..=MAX_AXES).contains(&axes) {
                return Err(SchemaError::List { at: position.at() });
            }
            Type::List { axes, element: Box::new(element) }
        }
        _ => return Err(SchemaError::Kind { at: position.at() }),
    };
    Ok(ty)
}

/// Whether every bit pattern is one of the type's values.
fn is_unchecked(ty: &Type) -> bool {
    match ty {
        Type::Scalar(scalar) => *scalar != Scalar::Bool,
        Type::Text(_) => true,
        Type::Array { element, .. } => is_unchecked(element),
        Type::Struct(layout) => layout.fields.iter().all(|field| is_unchecked(&field.ty)),
        Type::Enum(_) | Type::Slice { .. } | Type::List { .. } | Type::ListData => false,
    }
}

fn read_code(code: &str, position: Position<'_>) -> Result<Type, SchemaError> {
    if let Some(scalar) = Scalar::from_code(code) {
        return Ok(Type::Scalar(scalar));
    }
    let unknown = || SchemaError::Code { at: position.at(), found: code.to_owned() };
    let digits = code.strip_prefix("|S").ok_or_else(unknown)?;
    // One spelling for one size: no sign, no leading zero, not 0.
    if !digits.starts_with(|c: char| ('1'..='9').contains(&c)) {
        return Err(unknown());
    }
    let bytes: usize = digits.parse().map_err(|_| unknown())?;
    if too_large(bytes) {
        return Err(SchemaError::TooLarge { at: position.at() });
    }
    Ok(Type::Text(bytes))
}

fn read_enum(keys: &Map<String, Value>, position: Position<'_>) -> Result<Enum, SchemaError> {
    let name = name(keys, "enum", position)?;
    let code = keys.get("of").and_then(Value::as_str);
    let code = code.ok_or_else(|| wrong(position, "of", "the code of a whole number"))?;
    let stored = Scalar::from_code(code).and_then(|scalar| Some((scalar, scalar.enum_range()?)));
    let Some((scalar, range)) = stored else {
        return Err(SchemaError::Code { at: position.at(), found: code.to_owned() });
    };
    let values = keys.get("variants").and_then(Value::as_array);
    let values = values.ok_or_else(|| wrong(position, "variants", "a list of objects"))?;

    let mut of = Enum::new(name, scalar).doc(remark(keys, "doc"));
    let mut names = BTreeSet::new();
    for value in values {
        let keys = value.as_object();
        let keys = keys.ok_or_else(|| wrong(position, "variants", "a list of objects"))?;
        let name = self::name(keys, "name", position)?;
        let number = keys.get("number").and_then(Value::as_i64);
        let number = number.ok_or_else(|| wrong(position, "number", "a whole number"))?;
        let ascends = of.variants.last().is_none_or(|last| last.number < number);
        if !ascends || !range.contains(&number) || !names.insert(name) {
            return Err(SchemaError::Variant { at: position.at(), found: name.to_owned() });
        }
        // At the end: Enum::variant would look for the place.
        of.variants.push(Variant { number, name: name.to_owned() });
    }
    match of.name_of(0) {
        Some(_) => Ok(of),
        None => Err(SchemaError::NoZero { at: position.at() }),
    }
}

fn read_struct(keys: &Map<String, Value>, position: Position<'_>) -> Result<Struct, SchemaError> {
    let name = name(keys, "struct", position)?;
    let size = number(keys, "size", position)?;
    let align = number(keys, "align", position)?;
    let values = keys.get("fields").and_then(Value::as_array);
    let values = values.ok_or_else(|| wrong(position, "fields", "a list of objects"))?;

    let mut layout =
        Struct::new(name, Shape { size, align, element: None }).doc(remark(keys, "doc"));
    let mut names = BTreeSet::new();
    let mut end = 0;
    let mut widest = 1;
    for (i, value) in values.iter().enumerate() {
        let keys =
            value.as_object().ok_or_else(|| wrong(position, "fields", "a list of objects"))?;
        let name = self::name(keys, "name", position)?;
        let position = position.field(name, i + 1 == values.len());
        if !names.insert(name) {
            return Err(SchemaError::DuplicateName { at: position.at() });
        }
        let offset = number(keys, "offset", position)?;
        let ty = read_type(key(keys, "type", position)?, position)?;
        let shape = ty.shape();
        if offset != end {
            return Err(SchemaError::Offset { at: position.at(), expected: end, found: offset });
        }
        if offset % shape.align != 0 {
            let found = shape.align;
            return Err(SchemaError::Align { at: position.at(), found, needed: found, end });
        }
        // Both are at most isize::MAX.
        end = offset + shape.size;
        if too_large(end) {
            return Err(SchemaError::TooLarge { at: position.at() });
        }
        let of_elements = match &ty {
            Type::List { element, .. } => element.shape().align,
            _ => 1,
        };
        widest = widest.max(shape.align).max(of_elements);
        layout.shape.element = shape.element;
        let field = Field::new(name, offset, ty);
        layout.fields.push(field.unit(remark(keys, "unit")).doc(remark(keys, "doc")));
    }
    let is_list = |field: &Field| matches!(field.ty, Type::List { .. });
    if let Some(list) = layout.fields.iter().find(|f| is_list(f)).filter(|_| !layout.has_lists()) {
        return Err(SchemaError::List { at: position.field(&list.name, false).at() });
    }
    if size != end {
        return Err(SchemaError::Size { at: position.at(), expected: end, found: size });
    }
    let divides = align.is_power_of_two() && (layout.shape.element.is_some() || size % align == 0);
    if !divides || align < widest || align > MAX_ALIGN {
        return Err(SchemaError::Align { at: position.at(), found: align, needed: widest, end });
    }
    Ok(layout)
}

fn too_large(bytes: usize) -> bool {
    bytes > isize::MAX as usize
}

fn wrong(position: Position<'_>, key: &'static str, expected: &'static str) -> SchemaError {
    SchemaError::Key { at: position.at(), key, expected }
}

fn key<'a>(
    keys: &'a Map<String, Value>,
    key: &'static str,
    position: Position<'_>,
) -> Result<&'a Value, SchemaError> {
    keys.get(key).ok_or_else(|| wrong(position, key, "a type"))
}

fn number(
    keys: &Map<String, Value>,
    key: &'static str,
    position: Position<'_>,
) -> Result<usize, SchemaError> {
    let number = keys.get(key).and_then(Value::as_u64);
    let number = number.ok_or_else(|| wrong(position, key, "a whole number"))?;
    usize::try_from(number)
        .ok()
        .filter(|number| !too_large(*number))
        .ok_or_else(|| SchemaError::TooLarge { at: position.at() })
}

fn name<'a>(
    keys: &'a Map<String, Value>,
    key: &'static str,
    position: Position<'_>,
) -> Result<&'a str, SchemaError> {
    let name = keys.get(key).and_then(Value::as_str);
    let name = name.ok_or_else(|| wrong(position, key, "a name"))?;
    if name.is_empty() || !name.chars().all(plain) {
        return Err(SchemaError::Name { at: position.at(), found: name.to_owned() });
    }
    Ok(name)
}

/// Whether a character may be in a name, which errors and terminals show unchanged.
fn plain(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    let changes_the_view = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}'
            | '\u{e0000}'..='\u{10ffff}'
    );
    !c.is_control() && !c.is_whitespace() && !changes_the_view
}

/// A text that is only shown. A value that is not a text counts as empty.
fn remark<'a>(keys: &'a Map<String, Value>, key: &str) -> &'a str {
    keys.get(key).and_then(Value::as_str).unwrap_or("")
}
