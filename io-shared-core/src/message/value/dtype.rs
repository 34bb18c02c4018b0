//! NumPy's types of elements, which a message that is an array brings along.
//!
//! What must stay true: a [`Dtype`] comes from a header that was read before, so it is nested no
//! deeper than that allows, and its size is that of the elements whose bytes were found there.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::message::array::{NpyError, describe};

/// The type of an array's elements.
#[derive(Debug)]
pub(super) enum Dtype {
    /// A number or a text: kind, whether it is big-endian, and its size in bytes.
    Leaf {
        kind: char,
        big: bool,
        size: usize,
    },
    Struct {
        fields: Arc<[DtypeField]>,
        size: usize,
    },
    Array {
        len: usize,
        element: Arc<Dtype>,
    },
}

#[derive(Debug)]
pub(super) struct DtypeField {
    pub(super) name: String,
    pub(super) offset: usize,
    pub(super) dtype: Arc<Dtype>,
}

impl Dtype {
    pub(super) fn size(&self) -> usize {
        match self {
            Dtype::Leaf { size, .. } | Dtype::Struct { size, .. } => *size,
            Dtype::Array { len, element } => element.size().saturating_mul(*len),
        }
    }
}

/// The type of the elements of `npy`.
pub(super) fn read(npy: &[u8]) -> Result<Dtype, NpyError> {
    let text = describe(npy)?;
    // `describe` has just written this JSON.
    let json: Json = serde_json::from_str(&text).unwrap_or_default();
    Ok(of(json.get("descr").unwrap_or(&Json::Null)))
}

fn number(json: Option<&Json>) -> usize {
    json.and_then(|number| number.as_u64()).unwrap_or(0) as usize
}

/// The type that `describe` describes: a code, or a list of `[title, name, descr, shape]`.
fn of(descr: &Json) -> Dtype {
    let Some(fields) = descr.as_array() else {
        return of_code(descr.as_str().unwrap_or_default());
    };
    let (mut size, mut read) = (0usize, Vec::new());
    for field in fields {
        let mut dtype = Arc::new(of(field.get(2).unwrap_or(&Json::Null)));
        let shape = field.get(3).and_then(|shape| shape.as_array());
        for len in shape.into_iter().flatten().rev() {
            dtype = Arc::new(Dtype::Array { len: number(Some(len)), element: dtype });
        }
        let offset = size;
        size = size.saturating_add(dtype.size());
        match field.get(1).and_then(|name| name.as_str()).unwrap_or_default() {
            "" => {} // padding
            name => read.push(DtypeField { name: name.to_owned(), offset, dtype }),
        }
    }
    Dtype::Struct { fields: read.into(), size }
}

fn of_code(code: &str) -> Dtype {
    let big = code.starts_with('>');
    let plain = code.strip_prefix(['<', '>', '|', '=']).unwrap_or(code);
    let kind = plain.chars().next().unwrap_or('V');
    let digits: String = plain.chars().skip(1).take_while(|c| c.is_ascii_digit()).collect();
    let size: usize = digits.parse().unwrap_or(0);
    match kind {
        'c' => {
            let part = Arc::new(Dtype::Leaf { kind: 'f', big, size: size / 2 });
            let field = |name: &str, offset| DtypeField {
                name: name.to_owned(),
                offset,
                dtype: part.clone(),
            };
            Dtype::Struct { fields: [field("re", 0), field("im", size / 2)].into(), size }
        }
        'U' => Dtype::Leaf { kind, big, size: size.saturating_mul(4) },
        _ => Dtype::Leaf { kind, big, size },
    }
}
