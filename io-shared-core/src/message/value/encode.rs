//! The bytes of a message from JSON, by its schema.
//!
//! What must stay true: what is encoded decodes to the same value. Nothing is rounded to fit but
//! the digits of floats, and nothing is left out but padding.

use std::fmt;

use serde_json::Value as Json;

use crate::message::array::Array;
use crate::message::placed::WORD;
use crate::message::schema::{Enum, Field, Scalar, Schema, Struct, Type, half};
use crate::message::shape::Shape;

/// Why a text is not a message of a schema: what is wrong, and `at` which part (empty for the whole
/// message).
///
/// ```
/// use io_shared_core::{Message, value};
///
/// let error = value::encode(&<[u8; 2]>::schema(), "[1, 256]").unwrap_err();
/// assert_eq!(error.to_string(), "`[1]`: 256 does not fit |u1");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct EncodeError {
    /// Where.
    pub at: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.at {
            "" => f.write_str(&self.what),
            at => write!(f, "`{at}`: {}", self.what),
        }
    }
}

/// The same text as `Display`, for `unwrap()` and for a `main` that returns the error.
impl fmt::Debug for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for EncodeError {}

type Result<T> = std::result::Result<T, EncodeError>;

/// The message of `schema` that `json` describes, in the form that [`Value::json`] writes.
///
/// Every field has to be there, except those whose names start with `_`, which are zero then. An
/// [`Array`] is `{"dtype": "<f4", "data": [[1, 2], [3, 4]]}`, with numbers or truth values in it.
///
/// # Errors
/// [`EncodeError`]: the text is not JSON; a field is missing or not known; a value is of another
/// kind or does not fit; there are too many elements or too few; there is no memory for it.
///
/// # Examples
/// ```
/// use io_shared_core::{Message, Value, value};
///
/// let schema = <[f32; 2]>::schema();
/// let bytes = value::encode(&schema, "[1.5, 2]")?;
/// assert_eq!(Value::decode(&schema, &bytes)?.json().to_string(), "[1.5,2.0]");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`Value::json`]: super::Value::json
pub fn encode(schema: &Schema, json: &str) -> Result<Vec<u8>> {
    let json: Json = serde_json::from_str(json)
        .map_err(|error| wrong("", format!("the text is not JSON: {error}")))?;
    if Array::is_of(schema) {
        return array(&json);
    }
    let mut bytes = Vec::new();
    write(&mut bytes, schema.root(), &json, "")?;
    lists(&mut bytes, schema.root(), &json)?;
    Ok(bytes)
}

/// Writes the elements of lists after the fields, one list after the other.
fn lists(bytes: &mut Vec<u8>, root: &Type, json: &Json) -> Result<()> {
    let Type::Struct(layout) = root else { return Ok(()) };
    for Field { name, offset, ty, .. } in &layout.fields {
        let (Type::List { axes, element }, Some(json)) = (ty, json.get(name)) else { continue };
        let Shape { size, align, .. } = element.shape();
        bytes.resize(bytes.len().next_multiple_of(align), 0);
        let (mut shape, mut inner) = (vec![bytes.len()], json);
        for axis in 0..*axes {
            if axis > 0 && inner.is_null() {
                shape.push(0); // the axis before has no elements
                continue;
            }
            let list = list(inner, name)?;
            shape.push(list.len());
            inner = list.first().unwrap_or(&Json::Null);
        }
        let start = bytes.len();
        items(bytes, element, json, shape.get(1..).unwrap_or_default(), name)?;
        debug_assert!((bytes.len() - start).is_multiple_of(size.max(1)));
        for (word, number) in shape.iter().enumerate() {
            let at = offset + WORD * word;
            if let Some(to) = bytes.get_mut(at..at + WORD) {
                to.copy_from_slice(&(*number as u64).to_le_bytes());
            }
        }
    }
    Ok(())
}

/// The elements of a list of this shape.
fn items(bytes: &mut Vec<u8>, ty: &Type, json: &Json, shape: &[usize], at: &str) -> Result<()> {
    let Some((length, inner)) = shape.split_first() else { return write(bytes, ty, json, at) };
    let list = list(json, at)?;
    if list.len() != *length {
        let what = format!("it has {} elements, others have {length}", list.len());
        return Err(wrong(at, what));
    }
    let mut numbered = list.iter().enumerate();
    numbered.try_for_each(|(i, json)| items(bytes, ty, json, inner, &format!("{at}[{i}]")))
}

fn wrong(at: &str, what: impl Into<String>) -> EncodeError {
    EncodeError { at: at.to_owned(), what: what.into() }
}

/// What a value is, for errors.
fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

fn write(bytes: &mut Vec<u8>, ty: &Type, json: &Json, at: &str) -> Result<()> {
    match ty {
        Type::Scalar(scalar) => number_of(bytes, *scalar, json, at),
        Type::Text(size) => text(bytes, *size, json, at),
        Type::Enum(of) => variant(bytes, of, json, at),
        Type::Array { count, element } => {
            let list = list(json, at)?;
            if list.len() != *count {
                let what = format!("it has {count} elements, not {}", list.len());
                return Err(wrong(at, what));
            }
            elements(bytes, element, list, at)
        }
        Type::Slice { element } => elements(bytes, element, list(json, at)?, at),
        // The words, which `lists` writes once the elements have a place.
        Type::List { .. } => {
            bytes.resize(bytes.len() + ty.shape().size, 0);
            Ok(())
        }
        Type::ListData => Ok(()),
        Type::Struct(layout) => fields(bytes, layout, json, at),
    }
}

fn list<'j>(json: &'j Json, at: &str) -> Result<&'j Vec<Json>> {
    json.as_array().ok_or_else(|| wrong(at, format!("expected a list, found {}", kind(json))))
}

fn elements(bytes: &mut Vec<u8>, ty: &Type, list: &[Json], at: &str) -> Result<()> {
    list.iter().enumerate().try_for_each(|(i, json)| write(bytes, ty, json, &format!("{at}[{i}]")))
}

fn fields(bytes: &mut Vec<u8>, layout: &Struct, json: &Json, at: &str) -> Result<()> {
    let Some(object) = json.as_object() else {
        let what = format!("expected an object with fields, found {}", kind(json));
        return Err(wrong(at, what));
    };
    let names = || layout.fields.iter().map(|field| &*field.name).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = object.keys().find(|key| layout.fields.iter().all(|f| f.name != **key)) {
        let what = format!("there is no field `{}`: it has {}", unknown.escape_debug(), names());
        return Err(wrong(at, what));
    }
    for Field { name, ty, .. } in &layout.fields {
        let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match object.get(name) {
            Some(json) => write(bytes, ty, json, &at)?,
            None if *ty == Type::ListData => {}
            None if name.starts_with('_') => zeros(bytes, ty.shape().size, &at)?,
            None => return Err(wrong(&at, "the field is missing")),
        }
    }
    Ok(())
}

fn text(bytes: &mut Vec<u8>, size: usize, json: &Json, at: &str) -> Result<()> {
    let Some(text) = json.as_str() else {
        return Err(wrong(at, format!("expected a text, found {}", kind(json))));
    };
    if text.len() > size || text.contains('\0') {
        let what = format!("a text of {} bytes does not fit |S{size}", text.len());
        return Err(wrong(at, what));
    }
    bytes.extend(text.as_bytes());
    zeros(bytes, size - text.len(), at)
}

/// Appends zeros. A hostile schema may ask for more than there is memory.
fn zeros(bytes: &mut Vec<u8>, count: usize, at: &str) -> Result<()> {
    let reserved = bytes.try_reserve(count);
    reserved.map_err(|_| wrong(at, format!("there is no memory for its {count} bytes")))?;
    bytes.resize(bytes.len() + count, 0);
    Ok(())
}

/// A variant by its name or its number.
fn variant(bytes: &mut Vec<u8>, of: &Enum, json: &Json, at: &str) -> Result<()> {
    let named = json.as_str().and_then(|name| of.variants.iter().find(|v| v.name == name));
    let number = named.map(|variant| variant.number).or_else(|| json.as_i64());
    match number.filter(|number| of.name_of(*number).is_some()) {
        Some(found) => number_of(bytes, of.scalar, &Json::from(found), at),
        None => {
            let names: Vec<&str> = of.variants.iter().map(|v| &*v.name).take(20).collect();
            Err(wrong(at, format!("{json} is not one of {}", names.join(", "))))
        }
    }
}

fn number_of(bytes: &mut Vec<u8>, scalar: Scalar, json: &Json, at: &str) -> Result<()> {
    let misfit = || match json {
        Json::Number(number) => wrong(at, format!("{number} does not fit {}", scalar.code())),
        other => wrong(at, format!("expected a number, found {}", kind(other))),
    };
    macro_rules! whole {
        ($ty:ty) => {{
            let number = json.as_u64().map(i128::from).or_else(|| json.as_i64().map(i128::from));
            let number = number.and_then(|number| <$ty>::try_from(number).ok());
            bytes.extend(number.ok_or_else(misfit)?.to_le_bytes())
        }};
    }
    // `Value` shows what is no number as null.
    let float = if json.is_null() { Some(f64::NAN) } else { json.as_f64() };
    match scalar {
        Scalar::Bool => match json {
            Json::Bool(truth) => bytes.push((*truth).into()),
            other => {
                return Err(wrong(at, format!("expected true or false, found {}", kind(other))));
            }
        },
        Scalar::U8 => whole!(u8),
        Scalar::U16 => whole!(u16),
        Scalar::U32 => whole!(u32),
        Scalar::U64 => whole!(u64),
        Scalar::I8 => whole!(i8),
        Scalar::I16 => whole!(i16),
        Scalar::I32 => whole!(i32),
        Scalar::I64 => whole!(i64),
        Scalar::F16 => {
            let half = half::to_bits(float.ok_or_else(misfit)? as f32);
            if half::from_bits(half).is_infinite() {
                return Err(misfit());
            }
            bytes.extend(half.to_le_bytes());
        }
        Scalar::F32 => {
            let float = float.ok_or_else(misfit)?;
            let narrow = float as f32;
            if narrow.is_infinite() {
                return Err(misfit());
            }
            bytes.extend(narrow.to_le_bytes());
        }
        Scalar::F64 => bytes.extend(float.ok_or_else(misfit)?.to_le_bytes()),
    }
    Ok(())
}

/// An array of numbers or truth values.
fn array(json: &Json) -> Result<Vec<u8>> {
    let (Some(dtype), Some(data)) = (json.get("dtype").and_then(Json::as_str), json.get("data"))
    else {
        let what = r#"an array is written {"dtype": "<f4", "data": [[1, 2], [3, 4]]}"#;
        return Err(wrong("", what));
    };
    let Some(scalar) = Scalar::from_code(dtype) else {
        let what = format!("`{}` is not the dtype of a number, such as <f4", dtype.escape_debug());
        return Err(wrong("dtype", what));
    };
    let (mut shape, mut inner) = (Vec::new(), data);
    while let Json::Array(list) = inner {
        shape.push(list.len());
        inner = list.first().unwrap_or(&Json::Null);
    }
    let mut elements = Vec::new();
    axis(&mut elements, scalar, data, &shape, "data")?;
    Array::to_bytes(dtype, &shape, &elements).map_err(|error| wrong("", error.to_string()))
}

fn axis(bytes: &mut Vec<u8>, scalar: Scalar, json: &Json, shape: &[usize], at: &str) -> Result<()> {
    let Some((length, inner)) = shape.split_first() else {
        return number_of(bytes, scalar, json, at);
    };
    let list = list(json, at)?;
    if list.len() != *length {
        let what = format!("it has {} elements, others have {length}", list.len());
        return Err(wrong(at, what));
    }
    let mut numbered = list.iter().enumerate();
    numbered.try_for_each(|(i, json)| axis(bytes, scalar, json, inner, &format!("{at}[{i}]")))
}
