//! A schema as Python that declares the same messages: what `io_shared.producer` takes.
//!
//! A message of lists is pairs in the package's own way, any other one a dtype of NumPy. A tail is
//! an argument of its own, because a dtype has a fixed size.

use io_shared::schema::{Enum, Field, Scalar, Struct, Type};

/// Words of Python that cannot name an argument.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// The statements that declare the messages, and the call that takes them.
pub(super) fn write(root: &Type, enums: &[&Enum], structs: &[&Struct]) -> String {
    let mut text = String::new();
    if !enums.is_empty() {
        text.push_str("import io_shared\n\n");
    }
    if is_array(root) {
        return "# arrays of any dtype and shape: io_shared.producer(name)\n".to_owned();
    }
    for layout in structs.iter().filter(|layout| layout.shape.align > natural(layout)) {
        let (name, align) = (super::plain(&layout.name), layout.shape.align);
        text += &format!("# Python cannot declare that {name} is aligned to {align} bytes\n");
    }
    let (declared, tail) = match root {
        Type::Slice { element } => ("None".to_owned(), Some(dtype(element))),
        Type::Struct(layout) => match layout.fields.split_last() {
            Some((Field { name, ty: Type::Slice { element }, .. }, header)) => {
                let before = if header.is_empty() { "None".to_owned() } else { fields(header) };
                (before, Some(format!("({}, {})", quoted(name), dtype(element))))
            }
            Some((Field { ty: Type::ListData, .. }, header)) => (fields(header), None),
            _ => (dtype(root), None),
        },
        other => (dtype(other), None),
    };
    text += &format!("dtype = {declared}\n");
    if let Some(tail) = tail {
        text += &format!("tail = {tail}\n# io_shared.producer(name, dtype, tail, capacity='1M')\n");
    } else {
        text += "# io_shared.producer(name, dtype)\n";
    }
    text
}

/// Whether the messages are `.npy` files.
fn is_array(root: &Type) -> bool {
    let Type::Struct(layout) = root else { return false };
    matches!(&layout.fields[..], [Field { name, ty: Type::Slice { element }, .. }]
        if name == "npy" && layout.shape.align == 64 && **element == Type::Scalar(Scalar::U8))
}

/// The alignment that the fields of a struct need.
fn natural(layout: &Struct) -> usize {
    let align_of = |field: &Field| match &field.ty {
        Type::List { element, .. } => field.ty.shape().align.max(element.shape().align),
        ty => ty.shape().align,
    };
    layout.fields.iter().map(align_of).max().unwrap_or(1)
}

/// What is inside nested arrays, and their counts as a tuple; an empty text for no array.
fn shape(ty: &Type) -> (&Type, String) {
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

fn fields(fields: &[Field]) -> String {
    let written = fields.iter().map(|field| {
        let (name, (element, shape)) = (quoted(&field.name), shape(&field.ty));
        match &*shape {
            "" => format!("({name}, {})", dtype(element)),
            shape => format!("({name}, {}, {shape})", dtype(element)),
        }
    });
    format!("[{}]", written.collect::<Vec<_>>().join(", "))
}

fn dtype(ty: &Type) -> String {
    match ty {
        Type::Array { .. } => {
            let (element, shape) = shape(ty);
            format!("({}, {shape})", dtype(element))
        }
        Type::Struct(layout) => fields(&layout.fields),
        Type::Enum(of) => enum_of(of),
        Type::List { axes: 1, element } => format!("[{}]", dtype(element)),
        Type::List { axes, element } => {
            format!("({}, ({}))", dtype(element), vec!["None"; *axes].join(", "))
        }
        other => format!("'{other}'"),
    }
}

fn enum_of(of: &Enum) -> String {
    let mut sorted: Vec<_> = of.variants.iter().collect();
    sorted.sort_by_key(|variant| variant.number); // as in the schema of such a dtype
    let variants = sorted.iter().map(|variant| match &*variant.name {
        keyword if KEYWORDS.contains(&keyword) => format!("**{{'{keyword}': {}}}", variant.number),
        name => format!("{name}={}", variant.number),
    });
    let variants = variants.collect::<Vec<_>>().join(", ");
    format!("io_shared.enum({}, '{}', {variants})", quoted(&of.name), of.scalar.code())
}

/// A text of Python.
fn quoted(text: &str) -> String {
    format!("'{}'", super::plain(text).replace('\\', "\\\\").replace('\'', "\\'"))
}
