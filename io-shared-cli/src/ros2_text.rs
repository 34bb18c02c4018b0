//! A schema as a message definition for ROS 2.
//!
//! Names are turned into those that ROS takes: types in `CamelCase`, fields in `snake_case`.

use std::collections::HashMap;
use std::fmt::Write as _;

use io_shared::schema::{Struct, Type};

use crate::out::plain;
use crate::schema_words::{comment, name_of, scalar_word, shape};

/// A message definition, with the messages that it contains after it.
pub(crate) fn write(root: &Type, structs: &[&Struct], text: &mut String) {
    let Some((outer, inner)) = structs.split_last().filter(|_| matches!(root, Type::Struct(_)))
    else {
        let _ = writeln!(text, "{} value", ros2_type(root, structs));
        return structs.iter().for_each(|layout| ros2_part(layout, structs, text));
    };
    ros2_fields(outer, structs, text);
    inner.iter().for_each(|layout| ros2_part(layout, structs, text));
}

fn ros2_part(layout: &Struct, structs: &[&Struct], text: &mut String) {
    let _ = writeln!(text, "{}\nMSG: io_shared_msgs/{}", "=".repeat(80), camel(layout, structs));
    ros2_fields(layout, structs, text);
}

fn ros2_fields(layout: &Struct, structs: &[&Struct], text: &mut String) {
    comment(text, "", "#", &layout.doc);
    let (mut taken, mut paddings) = (HashMap::<String, usize>::new(), 0);
    for field in &layout.fields {
        if matches!(shape(&field.ty), (_, ref counts) if counts.contains("(0,")) {
            continue; // ROS has no arrays without elements
        }
        let name = match field.name.starts_with('_') {
            true => {
                paddings += 1;
                format!("pad{paddings}")
            }
            false => snake(&field.name),
        };
        let name = distinct(name, &mut taken);
        let unit = if field.unit.is_empty() {
            String::new()
        } else {
            format!("  # {}", plain(&field.unit))
        };
        if let Type::Enum(of) = &field.ty {
            for variant in &of.variants {
                let constant = snake(&format!("{name}_{}", variant.name)).to_uppercase();
                let ty = ros2_type(&field.ty, structs);
                let _ = writeln!(text, "{ty} {constant}={}", variant.number);
            }
        }
        let _ = writeln!(text, "{} {name}{unit}", ros2_type(&field.ty, structs));
    }
    if layout.fields.is_empty() {
        text.push_str("uint8 structure_needs_at_least_one_member\n");
    }
}

/// The name, with a number if an earlier field has the same. `taken` counts those of each name.
fn distinct(name: String, taken: &mut HashMap<String, usize>) -> String {
    let mut distinct = name.clone();
    loop {
        let count = taken.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            distinct = format!("{name}_{count}");
        }
        if distinct == name || !taken.contains_key(&distinct) {
            taken.entry(distinct.clone()).or_insert(1);
            return distinct;
        }
    }
}

fn ros2_type(ty: &Type, structs: &[&Struct]) -> String {
    match ty {
        Type::Scalar(scalar) => scalar_word(*scalar, ["uint", "int", "float"], ""),
        Type::Text(_) => "string".to_owned(),
        Type::Array { .. } => {
            // Arrays of arrays become one.
            let (mut inner, mut count) = (ty, 1usize);
            while let Type::Array { count: n, element } = inner {
                count = count.saturating_mul(*n);
                inner = element;
            }
            format!("{}[{count}]", ros2_type(inner, structs))
        }
        Type::Slice { element } => match ros2_type(element, structs) {
            array if array.ends_with(']') => {
                array.split('[').next().unwrap_or("").to_owned() + "[]"
            }
            ty => format!("{ty}[]"),
        },
        Type::Struct(layout) => format!("io_shared_msgs/{}", camel(layout, structs)),
        Type::Enum(of) => ros2_type(&Type::Scalar(of.scalar), structs),
        other => other.to_string(),
    }
}

/// A type's name as ROS has them: `CamelCase` of ASCII letters and digits.
fn camel(layout: &Struct, structs: &[&Struct]) -> String {
    let name = name_of(layout, structs);
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let upper = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    match words.map(upper).collect::<String>() {
        name if name.starts_with(|c: char| c.is_ascii_uppercase()) => name,
        name => format!("M{name}"),
    }
}

/// A field's name as ROS has them: `snake_case` of ASCII letters and digits.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    let mut before = '_';
    for c in name.chars() {
        let c = if c.is_ascii_alphanumeric() { c } else { '_' };
        if c.is_ascii_uppercase() && before != '_' && !before.is_ascii_uppercase() {
            snake.push('_');
        }
        if !(c == '_' && before == '_') {
            snake.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    let snake = snake.trim_end_matches('_');
    match snake.chars().next() {
        Some(c) if c.is_ascii_lowercase() => snake.to_owned(),
        _ => format!("f{snake}"),
    }
}
