//! NumPy arrays: their headers, and the types of their elements.

use io_shared_core::array::describe;
use serde_json::Value as Json;

/// What the header of an array says.
pub(crate) struct Header {
    pub(crate) elements: Elements,
    pub(crate) is_fortran: bool,
    pub(crate) shape: Vec<usize>,
    /// Where the elements start.
    pub(crate) start: usize,
}

/// What the elements are.
pub(crate) enum Elements {
    /// Numbers, by NumPy's code.
    Numbers(String),
    /// Structs.
    Structs { fields: Vec<DtypeField>, size: usize },
}

/// A field of a structured dtype.
pub(crate) struct DtypeField {
    pub(crate) name: String,
    pub(crate) offset: usize,
    /// NumPy's code; `None` for a struct.
    pub(crate) code: Option<String>,
    /// How many there are.
    pub(crate) count: usize,
}

/// The header of an array. `None`: the message is not one.
pub(crate) fn read(message: &[u8]) -> Option<Header> {
    let json: Json = serde_json::from_str(&describe(message).ok()?).ok()?;
    let number = |key: &str| Some(json.get(key)?.as_u64()? as usize);
    let shape = json.get("shape")?.as_array()?;
    let descr = json.get("descr")?;
    let elements = match descr.as_str() {
        Some(code) => Elements::Numbers(code.to_owned()),
        None => structs(descr)?,
    };
    Some(Header {
        elements,
        is_fortran: json.get("fortran_order")?.as_bool()?,
        shape: shape.iter().map(|axis| Some(axis.as_u64()? as usize)).collect::<Option<_>>()?,
        start: number("start")?,
    })
}

/// The fields of a list of `[title, name, descr, shape]`.
fn structs(descr: &Json) -> Option<Elements> {
    let (mut fields, mut size) = (Vec::new(), 0usize);
    for field in descr.as_array()? {
        let (name, inner) = (field.get(1)?.as_str()?, field.get(2)?);
        let axes = field.get(3)?.as_array().map(Vec::as_slice).unwrap_or_default();
        let count = axes
            .iter()
            .try_fold(1usize, |count, axis| count.checked_mul(axis.as_u64()? as usize))?;
        let code = inner.as_str().map(str::to_owned);
        let bytes = match &code {
            Some(code) => size_of_code(code),
            None => match structs(inner)? {
                Elements::Structs { size, .. } => size,
                Elements::Numbers(_) => return None,
            },
        };
        if !name.is_empty() {
            fields.push(DtypeField { name: name.to_owned(), offset: size, code, count });
        }
        size = size.checked_add(bytes.checked_mul(count)?)?;
    }
    Some(Elements::Structs { fields, size })
}

/// The bytes of an element, by NumPy's code.
pub(crate) fn size_of_code(code: &str) -> usize {
    let plain = code.trim_start_matches(['<', '>', '|', '=']);
    let digits = plain.get(1..).unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let size: usize = digits[..end].parse().unwrap_or(0);
    if plain.starts_with('U') { size.saturating_mul(4) } else { size }
}
