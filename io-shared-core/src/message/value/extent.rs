//! Which bytes of a message a part of it needs, for those that copy no more than these.
//!
//! What must stay true: the bytes may be anything, also those of a message that is being written. A
//! range may be larger than it has to be, but never smaller.

use std::ops::Range;

use super::layout::{Fields, Head, Layout, Place};
use super::path::Path;
use super::select;
use crate::message::array::Array;
use crate::message::schema::{Schema, Type};

/// How much of an array is read to learn its dtype and its shape. Longer headers are rare; such an
/// array is copied as a whole.
const NPY_HEAD: usize = 4096;

/// How many bytes at the start of a message say where its parts lie.
pub(crate) fn head(schema: &Schema) -> usize {
    match schema.root() {
        _ if Array::is_of(schema) => NPY_HEAD,
        root if is_in_place(root) => 0,
        root => root.shape().size,
    }
}

/// The bytes of the part that `path` leads to, in a message whose [`head`] is in `bytes`. None are
/// needed if it leads nowhere. `None`: it may need any.
pub(crate) fn extent(schema: &Schema, bytes: &[u8], path: &Path) -> Option<Range<usize>> {
    let message = Place::of_message(schema, bytes).ok()?;
    if path.steps.is_empty() {
        return None;
    }
    match select::select(message, &path.steps, 0) {
        Ok(part) => of(&part),
        Err(_) => Some(0..0),
    }
}

fn of(part: &Place<'_>) -> Option<Range<usize>> {
    let sized = |size: usize| Some(part.at..part.at.saturating_add(size));
    match (part.head(), &part.layout) {
        (Head::List(elements), _) if elements.len == 0 => Some(0..0),
        (Head::List(elements), _) => {
            let first = of(&select::element(part, &elements, 0))?;
            let further = elements.stride.saturating_mul(elements.len - 1);
            Some(first.start..first.end.saturating_add(further))
        }
        (Head::Record(Fields::Npy(_)), _) => None,
        // The whole of an array of numbers is in its header.
        (_, Layout::Shape(_) | Layout::Text(_)) => Some(0..0),
        (_, Layout::Dtype(dtype)) => sized(dtype.size()),
        (Head::Leaf(_), Layout::Type(ty)) => sized(ty.shape().size),
        (Head::Record(_), Layout::Type(ty)) if is_in_place(ty) => match ty.shape().element {
            None => sized(ty.shape().size),
            Some(_) => Some(part.at..usize::MAX),
        },
        _ => None,
    }
}

/// Whether all of a type lies where it is, at offsets that its layout tells.
fn is_in_place(ty: &Type) -> bool {
    match ty {
        Type::Scalar(_) | Type::Text(_) | Type::Enum(_) => true,
        Type::Array { element, .. } | Type::Slice { element } => is_in_place(element),
        Type::Struct(layout) => layout.fields.iter().all(|field| is_in_place(&field.ty)),
        Type::List { .. } | Type::ListData => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::message::value::Value;

    /// A cloud of three points, and an array of 2 by 3 numbers.
    const CLOUD: &str = r#"{"struct":"Cloud","size":16,"align":8,"fields":[
        {"name":"frame","offset":0,"type":"<u8"},
        {"name":"pose","offset":8,"type":{"array":2,"of":"<f4"}},
        {"name":"points","offset":16,"type":{"slice":{"struct":"Point","size":8,"align":4,"fields":[
        {"name":"x","offset":0,"type":"<f4"},{"name":"y","offset":4,"type":"<f4"}]}}}]}"#;

    fn extent_of(schema: &Schema, bytes: &[u8], path: &str) -> Option<Range<usize>> {
        extent(schema, bytes, &path.parse().unwrap())
    }

    #[test]
    fn a_part_needs_its_own_bytes_and_those_between_the_elements_of_a_range() {
        let schema = Schema::from_json(CLOUD).unwrap();
        let bytes = [0; 16 + 3 * 8];
        assert_eq!(head(&schema), 0);
        for (path, range) in [
            ("frame", 0..8),
            ("pose", 8..16),
            ("pose[1]", 12..16),
            ("points", 16..40),
            ("points[1]", 24..32),
            ("points[-1].y", 36..40),
            ("points[1:3].x", 24..36),
            ("points[2:2]", 0..0),
            ("points[3]", 0..0),
            ("nothing", 0..0),
        ] {
            assert_eq!(extent_of(&schema, &bytes, path), Some(range), "{path}");
        }
        assert_eq!(extent_of(&schema, &bytes, ""), None);
    }

    #[test]
    fn parts_of_an_array_lie_where_its_header_says() {
        let schema = Array::schema();
        for fortran in [false, true] {
            let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
            let order = if fortran { "True" } else { "False" };
            bytes.extend(
                format!("{{'descr': '<i4', 'fortran_order': {order}, 'shape': (2, 3), }}").bytes(),
            );
            bytes.resize(127, b' ');
            bytes.push(b'\n');
            bytes.extend((0..6_i32).flat_map(i32::to_le_bytes));
            let whole = Value::decode(&schema, &bytes).unwrap();
            for path in ["[1][2]", "[0]", "[:, 1]", "shape", "shape[1]", "dtype", "data[1]"] {
                let range = extent_of(&schema, &bytes[..], path).unwrap();
                let mut part = bytes.clone();
                for (at, byte) in part.iter_mut().enumerate().skip(128) {
                    *byte = if range.contains(&at) { *byte } else { 0xff };
                }
                let path = path.parse().unwrap();
                let of_part = Value::decode(&schema, &part).unwrap().at(&path).unwrap();
                let of_whole = whole.at(&path).unwrap();
                assert_eq!(of_part.json().to_string(), of_whole.json().to_string(), "{path}");
            }
            assert_eq!(extent_of(&schema, &bytes, "[1][2]"), Some(148..152));
        }
        assert_eq!(extent_of(&schema, &[0; 5000], "[0]"), None, "no header");
    }
}
