//! The differences between two schemas in words, for the error at opening.

use super::error::At;
use super::types::{Enum, Field, Struct, Type};
use crate::message::shape::Bytes;

/// One line for each field that differs. Empty exactly if the shape texts are equal.
pub(super) fn lines(program: &Type, channel: &Type) -> Vec<String> {
    let mut lines = Vec::new();
    if !same_head(program, channel) {
        lines.push(format!("{}: channel has {channel}, this program {program}", At("")));
    }
    lines.extend(other_struct(program, channel));
    compare_structs(&mut lines, String::new(), program, channel);
    compare_enums(&mut lines, "", program, channel);
    lines
}

/// Says of structs with different names and few fields in common that they are two structs.
fn other_struct(program: &Type, channel: &Type) -> Option<String> {
    let (ours, _) = innermost(program, String::new())?;
    let (theirs, _) = innermost(channel, String::new())?;
    let is_shared = |our: &&Field| {
        theirs.fields.iter().any(|their| their.name == our.name && same_position(our, their))
    };
    let shared = ours.fields.iter().filter(is_shared).count();
    let is_other = !ours.name.is_empty()
        && !theirs.name.is_empty()
        && ours.name != theirs.name
        && 2 * shared < ours.fields.len().max(theirs.fields.len());
    let (ours, theirs) = (&ours.name, &theirs.name);
    is_other.then(|| format!("the channel has struct {theirs}, this program struct {ours}"))
}

/// Whether a message of type `part` is how a message of type `whole` begins: the same fields at the
/// same places, with more after them. Messages that end in a slice have their end elsewhere.
pub(super) fn is_prefix(part: &Type, whole: &Type) -> bool {
    let (Type::Struct(part), Type::Struct(whole)) = (part, whole) else { return false };
    let (part_fields, whole_fields) = match (part.has_lists(), whole.has_lists()) {
        // The offsets of lists count from the message's start, so what lies between its fields and
        // its data does not matter to whoever knows only the first fields.
        (true, true) => (without_data(part), without_data(whole)),
        (false, false) => (&part.fields[..], &whole.fields[..]),
        _ => return false,
    };
    let is_sized =
        part.has_lists() || part.shape.element.is_none() && whole.shape.element.is_none();
    // A struct without fields would begin every message.
    let has_more = !part_fields.is_empty() && part_fields.len() < whole_fields.len();
    let same_field = |(our, their): (&Field, &Field)| {
        our.name == their.name && our.offset == their.offset && lines(&our.ty, &their.ty).is_empty()
    };
    is_sized
        && has_more
        && part.shape.size <= whole.shape.size
        && part.shape.align <= whole.shape.align
        && part_fields.iter().zip(whole_fields).all(same_field)
}

/// The fields before the data of lists.
fn without_data(layout: &Struct) -> &[Field] {
    layout.fields.split_last().map_or(&[], |(_, fields)| fields)
}

/// The enum inside a type's arrays and slices, and the path to it.
fn innermost_enum(ty: &Type, mut path: String) -> Option<(&Enum, String)> {
    match ty {
        Type::Array { element, .. } | Type::Slice { element } | Type::List { element, .. } => {
            path.push_str("[]");
            innermost_enum(element, path)
        }
        Type::Enum(of) => Some((of, path)),
        _ => None,
    }
}

/// One line for each number that has another name in the channel.
fn compare_enums(lines: &mut Vec<String>, path: &str, program: &Type, channel: &Type) {
    let (ours, theirs) =
        (innermost_enum(program, path.to_owned()), innermost_enum(channel, String::new()));
    let Some(((ours, path), (theirs, _))) = ours.zip(theirs) else { return };
    for variant in &theirs.variants {
        if let Some(our) = ours.name_of(variant.number).filter(|our| *our != variant.name) {
            let (number, their) = (variant.number, &variant.name);
            lines.push(format!(
                "{}: {number} is {their} in the channel, {our} in this program",
                At(&path)
            ));
        }
    }
}

/// Whether two types are the same except for the structs they end in.
fn same_head(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Array { count: m, element: a }, Type::Array { count: n, element: b }) => {
            m == n && same_head(a, b)
        }
        (Type::Slice { element: a }, Type::Slice { element: b }) => same_head(a, b),
        (Type::List { axes: m, element: a }, Type::List { axes: n, element: b }) => {
            m == n && same_head(a, b)
        }
        (Type::Struct(_), Type::Struct(_)) => true,
        (Type::Enum(a), Type::Enum(b)) => a.scalar == b.scalar,
        _ => a == b,
    }
}

/// The struct inside a type's arrays and slices, and the path to it.
fn innermost(ty: &Type, mut path: String) -> Option<(&Struct, String)> {
    match ty {
        Type::Array { element, .. } | Type::Slice { element } | Type::List { element, .. } => {
            path.push_str("[]");
            innermost(element, path)
        }
        Type::Struct(layout) => Some((layout, path)),
        Type::Scalar(_) | Type::Text(_) | Type::Enum(_) | Type::ListData => None,
    }
}

fn compare_structs(lines: &mut Vec<String>, path: String, program: &Type, channel: &Type) {
    let Some((ours, path)) = innermost(program, path) else {
        return;
    };
    let Some((theirs, _)) = innermost(channel, String::new()) else {
        return;
    };
    let before = lines.len();
    for our in &ours.fields {
        let at = join(&path, &our.name);
        let their = theirs.fields.iter().find(|their| their.name == our.name);
        if !their.is_some_and(|their| same_position(our, their)) {
            lines.push(format!(
                "{}: channel has {}, this program {}",
                At(&at),
                described(their),
                described(Some(our))
            ));
        }
        if let Some(their) = their {
            compare_enums(lines, &at, &our.ty, &their.ty);
            compare_structs(lines, at, &our.ty, &their.ty);
        }
    }
    for their in &theirs.fields {
        if !ours.fields.iter().any(|our| our.name == their.name) {
            let at = join(&path, &their.name);
            lines.push(format!(
                "{}: channel has {}, this program none",
                At(&at),
                described(Some(their))
            ));
        }
    }
    drop_moved_data(lines, before, &path, (ours, theirs));
    // Sizes and alignments follow from the fields, so they are reported only if no field differs.
    if lines.len() == before {
        let (size, align) = (ours.shape.size, ours.shape.align);
        let (their_size, their_align) = (theirs.shape.size, theirs.shape.align);
        if (size, align) != (their_size, their_align) {
            lines.push(format!(
                "{}: channel has {} aligned to {their_align}, this program {} aligned to {align}",
                At(&path),
                Bytes(their_size as u64),
                Bytes(size as u64)
            ));
        } else if order(ours) != order(theirs) {
            // Only fields without bytes can be swapped and keep their offsets.
            lines.push(format!(
                "{}: channel has the fields in the order {}, this program {}",
                At(&path),
                order(theirs),
                order(ours)
            ));
        }
    }
}

/// Drops the line of the lists' data, of those from number `before` on. Where the data begins
/// follows from the fields before it, so that is reported only if nothing else differs.
fn drop_moved_data(
    lines: &mut Vec<String>,
    before: usize,
    path: &str,
    (ours, theirs): (&Struct, &Struct),
) {
    let (Some(our), Some(their)) = (ours.fields.last(), theirs.fields.last()) else { return };
    if our.ty != Type::ListData || their.ty != Type::ListData || our.name != their.name {
        return;
    }
    let moved = At(&join(path, &our.name)).to_string() + ": ";
    let is_of_data = |line: &String| line.starts_with(&moved);
    let others = lines.iter().skip(before).filter(|line| !is_of_data(line)).count();
    if others > 0 {
        let mut number = 0;
        lines.retain(|line| {
            number += 1;
            number <= before || !is_of_data(line)
        });
    }
}

fn same_position(a: &Field, b: &Field) -> bool {
    a.offset == b.offset && same_head(&a.ty, &b.ty)
}

fn described(field: Option<&Field>) -> String {
    match field {
        Some(Field { ty, offset, .. }) => format!("{ty} at {offset}"),
        None => "none".to_owned(),
    }
}

fn order(layout: &Struct) -> String {
    let names: Vec<&str> = layout.fields.iter().map(|field| field.name.as_str()).collect();
    names.join(", ")
}

fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}
