//! What the forms of `schema_text.rs` and `ros2_text.rs` share: names, comments, scalars, shapes.

use std::fmt::Write as _;

use io_shared::schema::{Scalar, Struct, Type};

use crate::out::plain;

/// The struct's name, with a number if an earlier one has the same.
pub(crate) fn name_of(layout: &Struct, structs: &[&Struct]) -> String {
    let before = structs.iter().take_while(|other| **other != layout);
    match before.filter(|other| other.name == layout.name).count() {
        0 => layout.name.clone(),
        others => format!("{}{}", layout.name, others + 1),
    }
}

/// Each line of a comment, after `sign`.
pub(crate) fn comment(text: &mut String, indent: &str, sign: &str, comment: &str) {
    for line in comment.lines() {
        let _ = writeln!(text, "{}", format!("{indent}{sign} {}", plain(line)).trim_end());
    }
}

/// `u32`, or the same in another language's words.
pub(crate) fn scalar_word(scalar: Scalar, words: [&str; 3], end: &str) -> String {
    if scalar == Scalar::Bool {
        return "bool".to_owned();
    }
    let kind = match scalar.code().chars().nth(1) {
        Some('i') => words[1],
        Some('f') => words[2],
        _ => words[0],
    };
    format!("{kind}{}{end}", 8 * scalar.size())
}

/// What is inside nested arrays, and their counts as a tuple; an empty text for no array.
pub(crate) fn shape(ty: &Type) -> (&Type, String) {
    let (mut inner, mut counts) = (ty, Vec::new());
    while let Type::Array { count, element } = inner {
        counts.push(count.to_string());
        inner = element;
    }
    match &counts[..] {
        [] => (inner, String::new()),
        [one] => (inner, format!("({one},)")),
        counts => (inner, format!("({})", counts.join(", "))),
    }
}
