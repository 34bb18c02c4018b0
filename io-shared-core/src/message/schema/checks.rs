//! What must be looked at in bytes before they are read as a message: by the schema, for programs
//! that do not have the type.
//!
//! A list of [`Check`]s is made once for each region. It names the bools and enums by their
//! offsets, so that everything else in a message costs nothing.

use std::fmt;

use super::error::At;
use super::types::{Field, Scalar, Type};
use crate::message::invalid::Invalid;
use crate::message::placed::{self, ListAt, WORD};

/// The checks of a message; none if every bit pattern is valid.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<Check>);

/// A part of a message that must be checked.
#[derive(Debug)]
struct Check {
    /// Its offset.
    at: usize,
    /// How many of them lie one after the other: `None` for as many as there are bytes.
    count: Option<usize>,
    /// The distance from each to the next, in bytes.
    stride: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    Bool,
    /// A number that must be one of these, which are in ascending order.
    Enum(Scalar, Vec<i64>),
    Struct(Checks),
    /// The lists of a message whose data starts at `stride`.
    Lists(Vec<ListAt>),
}

impl Checks {
    /// What must be checked in messages of this type.
    pub(crate) fn of(ty: &Type) -> Self {
        let mut checks = Vec::new();
        collect(&mut checks, ty, 0);
        Checks(checks)
    }

    /// Whether every bit pattern is valid.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the elements of a tail must be checked.
    pub(crate) fn has_tail(&self) -> bool {
        let is_tail =
            |check: &Check| check.count.is_none() && !matches!(check.what, What::Lists(_));
        self.0.iter().any(is_tail)
    }

    /// Checks a message. Bytes that are missing are not checked.
    pub(crate) fn check(&self, bytes: &[u8]) -> Result<(), Invalid> {
        self.0.iter().try_for_each(|check| check.check(bytes))
    }
}

/// Adds the checks of a type that lies at this offset.
fn collect(checks: &mut Vec<Check>, ty: &Type, at: usize) {
    let one = |what, size| Check { at, count: Some(1), stride: size, what };
    match ty {
        Type::Scalar(Scalar::Bool) => checks.push(one(What::Bool, 1)),
        Type::Enum(of) => {
            let numbers = of.variants.iter().map(|variant| variant.number).collect();
            checks.push(one(What::Enum(of.scalar, numbers), of.scalar.size()));
        }
        Type::Struct(layout) => {
            for field in &layout.fields {
                collect(checks, &field.ty, at.saturating_add(field.offset));
            }
            let lists: Vec<ListAt> = layout.fields.iter().filter_map(list_at).collect();
            if !lists.is_empty() {
                // Lists are in whole messages only, which start at 0.
                let stride = layout.shape.size;
                checks.push(Check { at, count: None, stride, what: What::Lists(lists) });
            }
        }
        Type::Array { count, element } => repeat(checks, element, at, Some(*count)),
        Type::Slice { element } => repeat(checks, element, at, None),
        Type::Scalar(_) | Type::Text(_) | Type::List { .. } | Type::ListData => {}
    }
}

/// The position of a list, if the field is one.
fn list_at(field: &Field) -> Option<ListAt> {
    let Type::List { axes, element } = &field.ty else { return None };
    let shape = element.shape();
    Some(ListAt { at: field.offset, axes: *axes, size: shape.size, align: shape.align })
}

/// Adds the check of `count` elements that lie at this offset.
fn repeat(checks: &mut Vec<Check>, element: &Type, at: usize, count: Option<usize>) {
    let mut inner = Checks::of(element);
    let stride = element.shape().size;
    if inner.is_empty() || count == Some(0) {
        return;
    }
    let is_leaf = matches!(element, Type::Scalar(_) | Type::Enum(_));
    let what = match inner.0.pop() {
        Some(only) if is_leaf => only.what,
        last => {
            inner.0.extend(last);
            What::Struct(inner)
        }
    };
    checks.push(Check { at, count, stride, what });
}

impl Check {
    fn check(&self, bytes: &[u8]) -> Result<(), Invalid> {
        let bytes = bytes.get(self.at..).unwrap_or_default();
        let length = self.count.map_or(bytes.len(), |count| count.saturating_mul(self.stride));
        let bytes = bytes.get(..length).unwrap_or(bytes);
        let parts = || bytes.chunks_exact(self.stride.max(1));
        let invalid = |i: usize, found| Invalid { at: self.at + i * self.stride, found };
        match &self.what {
            What::Lists(lists) => placed::check(bytes, self.stride, lists),
            What::Bool => match bytes.iter().position(|byte| *byte > 1) {
                Some(i) => Err(invalid(i, bytes[i].into())),
                None => Ok(()),
            },
            What::Enum(scalar, numbers) => parts().enumerate().try_for_each(|(i, bytes)| {
                let found = scalar.whole(bytes).unwrap_or(0);
                match numbers.binary_search(&found) {
                    Ok(_) => Ok(()),
                    Err(_) => Err(invalid(i, found)),
                }
            }),
            What::Struct(checks) => parts().enumerate().try_for_each(|(i, bytes)| {
                let at = self.at + i * self.stride;
                checks.check(bytes).map_err(|invalid| invalid.after(at))
            }),
        }
    }
}

/// Bytes that are no value of their type, in words.
pub(crate) struct Described {
    /// The path of the field.
    pub(crate) field: String,
    /// Which numbers would be right.
    pub(crate) expected: String,
    /// Whether it is a list that is not within its message.
    pub(crate) is_list: bool,
}

/// Says what lies at an offset, and which numbers would be right there.
#[cold]
pub(crate) fn described(ty: &Type, invalid: Invalid) -> Described {
    let mut path = String::new();
    let (mut ty, mut at) = (ty, invalid.at);
    loop {
        ty = match ty {
            Type::Array { element, .. } | Type::Slice { element } => {
                let size = element.shape().size.max(1);
                path.push_str(&format!("[{}]", at / size));
                at %= size;
                element
            }
            Type::Struct(layout) => {
                // The last one that starts there: those before it have no bytes.
                let field = layout.fields.iter().rev().find(|field| field.offset <= at);
                let Some(field) = field else { break };
                path.push_str(if path.is_empty() { "" } else { "." });
                path.push_str(&field.name);
                at -= field.offset;
                &field.ty
            }
            _ => break,
        }
    }
    let expected = match ty {
        Type::Enum(of) => of.numbers_in_words(),
        Type::List { .. } if at < WORD => "the start of elements that lie within the message's \
             data, apart from those of other lists"
            .to_owned(),
        Type::List { .. } => "a number of elements that has room in the message".to_owned(),
        _ => "0 or 1".to_owned(),
    };
    if let Type::List { axes, .. } = ty {
        path.push_str(&match at / WORD {
            0 => ".offset".to_owned(),
            _ if *axes == 1 => ".count".to_owned(),
            axis => format!(".shape[{}]", axis - 1),
        });
    }
    Described { field: path, expected, is_list: matches!(ty, Type::List { .. }) }
}

/// Writes what was found, and what would be right.
pub(crate) fn write_bad_value(
    f: &mut fmt::Formatter<'_>,
    field: &str,
    found: i64,
    expected: &str,
) -> fmt::Result {
    write!(f, "{} is {found}, expected {expected}", At(field))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::schema::{Enum, Struct};
    use crate::message::shape::Shape;

    /// What the checks should find, by a walk over the whole type.
    fn first_invalid(ty: &Type, bytes: &[u8], at: usize) -> Option<Invalid> {
        let elements = |element: &Type, count: usize| {
            let size = element.shape().size;
            (0..count).find_map(|i| first_invalid(element, bytes, at + i * size))
        };
        match ty {
            Type::Scalar(Scalar::Bool) => {
                (bytes[at] > 1).then(|| Invalid { at, found: bytes[at].into() })
            }
            Type::Enum(of) => {
                let found = of.scalar.whole(&bytes[at..]).unwrap();
                of.name_of(found).is_none().then_some(Invalid { at, found })
            }
            Type::Array { count, element } => elements(element, *count),
            Type::Slice { element } => elements(element, (bytes.len() - at) / element.shape().size),
            Type::Struct(layout) => {
                let mut fields = layout.fields.iter();
                fields.find_map(|field| first_invalid(&field.ty, bytes, at + field.offset))
            }
            _ => None,
        }
    }

    fn types() -> impl Strategy<Value = Type> {
        let leaf = prop_oneof![
            Just(Type::Scalar(Scalar::Bool)),
            Just(Type::Scalar(Scalar::U8)),
            Just(Enum::new("E", Scalar::U8).variant(0, "A").variant(2, "B").into()),
            Just(Enum::new("W", Scalar::I8).variant(0, "A").variant(-1, "B").into()),
        ];
        leaf.prop_recursive(4, 30, 4, |inner| {
            prop_oneof![
                (0..4usize, inner.clone())
                    .prop_map(|(count, ty)| Type::Array { count, element: Box::new(ty) }),
                proptest::collection::vec(inner, 0..4).prop_map(|types| structure(types).into()),
            ]
        })
    }

    /// A struct of these types, all of which are aligned to 1.
    fn structure(types: Vec<Type>) -> Struct {
        let empty = Struct::new("S", Shape { size: 0, align: 1, element: None });
        types.into_iter().enumerate().fold(empty, |mut layout, (i, ty)| {
            let offset = layout.shape.size;
            layout.shape.size += ty.shape().size;
            layout.field(Field::new(&format!("f{i}"), offset, ty))
        })
    }

    proptest! {
        #[test]
        fn the_checks_find_what_a_walk_over_the_type_finds(
            fixed in types(), element in types(), bytes in proptest::collection::vec(0..4_u8, 400),
        ) {
            let mut layout = structure(vec![fixed]);
            let mut length = layout.shape.size;
            if element.shape().size > 0 {
                length += 3 * element.shape().size;
                let tail = Type::Slice { element: Box::new(element) };
                let offset = layout.shape.size;
                layout = layout.field(Field::new("tail", offset, tail));
            }
            prop_assume!(length <= bytes.len());
            let (ty, bytes) = (Type::from(layout), &bytes[..length]);
            let found = Checks::of(&ty).check(bytes).err();
            prop_assert_eq!(found, first_invalid(&ty, bytes, 0));
            if let Some(invalid) = found {
                let field = described(&ty, invalid).field;
                prop_assert!(field.starts_with("f0") || field.starts_with("tail["), "{}", field);
            }
        }
    }

    #[test]
    fn bytes_that_are_missing_are_not_looked_at() {
        let ty = Type::Slice { element: Box::new(Type::Scalar(Scalar::Bool)) };
        assert_eq!(Checks::of(&ty).check(&[]), Ok(()));
        let array = Type::Array { count: usize::MAX, element: Box::new(ty) };
        assert_eq!(Checks::of(&array).check(&[1, 1]), Ok(()));
    }
}
