//! A schema as a ROS 2 message definition.
//!
//! Names please the strictest reader. A type is the CamelCase of the struct's name and eight hex
//! digits of its schema's hash, so two structs of one name are two types. Fields are in snake_case,
//! paddings are `pad1`, `pad2` .., arrays of arrays are flat, arrays without elements are left out,
//! enums are numbers with constants, and a message that is no struct has one field, `value`.

use std::fmt::Write as _;

use io_shared_core::Schema;
use io_shared_core::schema::{Enum, Field, Scalar, Struct, Type};

use crate::names::{Taken, camel, snake};
use crate::value::{flat, is_empty, is_left_out};

/// The package of all types.
pub(crate) const PACKAGE: &str = "io_shared_msgs";

/// A message's type in ROS 2: its name, and its definition with the types in it.
///
/// # Examples
/// ```
/// use io_shared::Message;
/// use io_shared_formats::Definition;
///
/// #[derive(Clone, Copy, Message)]
/// #[repr(u8)]
/// enum Mode {
///     Idle = 0,
///     DriveOn = 2,
/// }
///
/// #[derive(Message)]
/// #[repr(C)]
/// struct Rover {
///     mode: Mode,
///     matrix: [[u8; 2]; 2],
/// }
///
/// let definition = Definition::of(&Rover::schema());
/// assert_eq!(
///     definition.text,
///     "uint8 MODE_IDLE=0\nuint8 MODE_DRIVE_ON=2\nuint8 mode\nuint8[4] matrix\n",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The name: `io_shared_msgs/msg/Rover` and eight digits.
    pub name: String,
    /// The definition in the language of `.msg` files. The types in it follow, each after a line of
    /// `=` and one with its name.
    pub text: String,
}

impl Definition {
    /// The definition of a schema's messages. [`Definition`] has an example.
    pub fn of(schema: &Schema) -> Definition {
        Definition::after(schema, &[], "", |_| true)
    }

    /// The same, with fields of numbers before its own, and only the fields that are `kept`.
    pub(crate) fn after(
        schema: &Schema,
        before: &[(&str, Scalar)],
        suffix: &str,
        kept: impl Fn(&Field) -> bool,
    ) -> Definition {
        let mut names = Names::default();
        let mut taken = Taken::default();
        let mut text = String::new();
        for (name, scalar) in before {
            let _ = writeln!(text, "{} {name}", word(*scalar));
            taken.take((*name).to_owned());
        }
        let root = schema.root();
        match root {
            Type::Struct(layout) => {
                comment(&mut text, &layout.doc);
                let kept = layout.fields.iter().filter(|field| kept(field));
                let count = fields(&mut text, kept, &mut names, &mut taken);
                if count == 0 && before.is_empty() {
                    text.push_str(EMPTY);
                }
            }
            _ => {
                let value = Field::new("value", 0, root.clone());
                let fields_kept = Some(&value).filter(|field| kept(field) && !is_left_out(root));
                let count = fields(&mut text, fields_kept, &mut names, &mut taken);
                if count == 0 && before.is_empty() {
                    text.push_str(EMPTY);
                }
            }
        }
        // The types in it, which may bring further ones.
        let mut done = 0;
        while let Some((name, layout)) = names.found.get(done).cloned() {
            let _ = writeln!(text, "{}\nMSG: {PACKAGE}/{name}", "=".repeat(80));
            inner(&mut text, &layout, &mut names);
            done += 1;
        }
        let name = type_name(schema.name(), root, suffix);
        Definition { name: format!("{PACKAGE}/msg/{name}"), text }
    }
}

impl Definition {
    /// The definition as `.msg` files, one for each type: their names, and what is in them.
    ///
    /// ```
    /// # use io_shared::Message;
    /// use io_shared_formats::Definition;
    ///
    /// let files = Definition::of(&<[u16; 3]>::schema()).files();
    /// assert!(files[0].0.starts_with("Value") && files[0].0.ends_with(".msg"));
    /// assert_eq!(files[0].1, "uint16[3] value\n");
    /// ```
    pub fn files(&self) -> Vec<(String, String)> {
        let separator = format!("{}\nMSG: ", "=".repeat(80));
        let mut sections = self.text.split(&separator);
        let own = (&*self.name, sections.next().unwrap_or_default());
        let inner = sections.filter_map(|section| section.split_once('\n'));
        let file = |(name, text): (&str, &str)| {
            let bare = name.rsplit('/').next().unwrap_or(name);
            (format!("{bare}.msg"), text.to_owned())
        };
        std::iter::once(own).chain(inner).map(file).collect()
    }
}

/// The field of a struct without fields.
const EMPTY: &str = "uint8 structure_needs_at_least_one_member\n";

/// The structs that were met, each with its name.
#[derive(Default)]
struct Names {
    found: Vec<(String, Struct)>,
}

impl Names {
    fn of(&mut self, layout: &Struct) -> String {
        let name = type_name(&layout.name, &Type::Struct(layout.clone()), "");
        if self.found.iter().all(|(known, _)| *known != name) {
            self.found.push((name.clone(), layout.clone()));
        }
        name
    }
}

fn type_name(name: &str, ty: &Type, suffix: &str) -> String {
    let hash = Schema::new(ty.clone()).hash() >> 32;
    let name = match ty {
        Type::Struct(_) | Type::Enum(_) => camel(name),
        _ => "Value".to_owned(),
    };
    format!("{name}{suffix}{hash:08x}")
}

fn inner(text: &mut String, layout: &Struct, names: &mut Names) {
    comment(text, &layout.doc);
    fields(text, &layout.fields, names, &mut Taken::default());
    if is_empty(layout) {
        text.push_str(EMPTY);
    }
}

/// Writes fields, and returns how many.
fn fields<'f>(
    text: &mut String,
    fields: impl IntoIterator<Item = &'f Field>,
    names: &mut Names,
    taken: &mut Taken,
) -> usize {
    let (mut paddings, mut count) = (0, 0);
    let mut constants = Taken::default();
    for field in fields.into_iter().filter(|field| !is_left_out(&field.ty)) {
        count += 1;
        let name = match field.name.starts_with('_') {
            true => {
                paddings += 1;
                format!("pad{paddings}")
            }
            false => snake(&field.name),
        };
        let name = taken.take(name);
        let ty = type_of(&field.ty, names);
        if let Some(of) = enum_in(&field.ty) {
            for variant in &of.variants {
                let constant = snake(&format!("{name}_{}", variant.name)).to_uppercase();
                let constant = constants.take(constant);
                let _ = writeln!(text, "{} {constant}={}", word(of.scalar), variant.number);
            }
        }
        if let Type::List { axes, .. } = &field.ty
            && *axes > 1
        {
            let shape = taken.take(format!("{name}_shape"));
            let _ = writeln!(text, "uint64[{axes}] {shape}");
        }
        comment(text, &field.doc);
        let unit = match &*field.unit {
            "" => String::new(),
            unit => format!("  # {}", plain(unit)),
        };
        let _ = writeln!(text, "{ty} {name}{unit}");
    }
    count
}

/// The enum that a field is, or that its elements are.
fn enum_in(ty: &Type) -> Option<&Enum> {
    match ty {
        Type::Enum(of) => Some(of),
        Type::Array { element, .. } | Type::Slice { element } => enum_in(element),
        _ => None,
    }
}

fn type_of(ty: &Type, names: &mut Names) -> String {
    match ty {
        Type::Scalar(scalar) => word(*scalar),
        Type::Enum(of) => word(of.scalar),
        Type::Text(_) => "string".to_owned(),
        Type::Struct(layout) => format!("{PACKAGE}/{}", names.of(layout)),
        Type::Array { .. } => {
            let (inner, count) = flat(ty);
            format!("{}[{count}]", type_of(inner, names))
        }
        Type::Slice { element } | Type::List { element, .. } => {
            format!("{}[]", type_of(flat(element).0, names))
        }
        // What `to_cdr` refuses too.
        other => other.to_string(),
    }
}

/// A number's name in ROS.
fn word(scalar: Scalar) -> String {
    let kind = match scalar.code().as_bytes().get(1) {
        Some(b'b') => return "bool".to_owned(),
        Some(b'i') => "int",
        // Of 16 bits there is none in ROS: its bits.
        Some(b'f') if scalar.size() > 2 => "float",
        _ => "uint",
    };
    format!("{kind}{}", 8 * scalar.size())
}

/// Each line of a comment.
fn comment(text: &mut String, comment: &str) {
    for line in comment.lines() {
        let _ = writeln!(text, "{}", format!("# {}", plain(line)).trim_end());
    }
}

/// A text without characters that end a line.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .collect()
}
