//! A schema as structs and enums of C11, described as messages for `io_shared.h`.

use std::fmt::Write as _;

use io_shared::schema::{Enum, Field, Scalar, Struct, Type};

use super::{comment, name_of, scalar_word};
use crate::out::plain;

/// All of them, the innermost first.
pub(super) fn write(enums: &[&Enum], structs: &[&Struct]) -> String {
    let mut out = Writer { structs, named: Vec::new(), text: String::new() };
    out.text.push_str("#include <io_shared.h>\n");
    enums.iter().for_each(|of| out.write_enum(of));
    structs.iter().for_each(|layout| out.write_struct(layout));
    out.text
}

/// A type of C and the bounds after the name that it declares.
pub(super) fn declared(ty: &Type, structs: &[&Struct]) -> [String; 2] {
    match ty {
        // C has no type for it: its bits.
        Type::Scalar(Scalar::F16) => ["uint16_t".to_owned(), String::new()],
        Type::Scalar(Scalar::F32) => ["float".to_owned(), String::new()],
        Type::Scalar(Scalar::F64) => ["double".to_owned(), String::new()],
        Type::Scalar(scalar) => [scalar_word(*scalar, ["uint", "int", ""], "_t"), String::new()],
        Type::Text(bytes) => ["char".to_owned(), format!("[{bytes}]")],
        Type::Array { count, element } => {
            let [ty, bounds] = declared(element, structs);
            [ty, format!("[{count}]{bounds}")]
        }
        Type::Slice { element } => {
            let [ty, bounds] = declared(element, structs);
            [ty, format!("[]{bounds}")]
        }
        Type::List { axes: 1, .. } => ["ios_list".to_owned(), String::new()],
        Type::List { axes, .. } => [format!("IOS_ND_LIST_OF({axes})"), String::new()],
        Type::Struct(layout) => [name_of(layout, structs), String::new()],
        Type::Enum(of) => [of.name.clone(), String::new()],
        other => [other.to_string(), String::new()],
    }
}

struct Writer<'t> {
    structs: &'t [&'t Struct],
    /// Texts and arrays that have a name already.
    named: Vec<String>,
    text: String,
}

impl Writer<'_> {
    fn write_enum(&mut self, of: &Enum) {
        let Enum { name, scalar, variants, doc } = of;
        self.text.push('\n');
        comment(&mut self.text, "", "///", doc);
        let [number, _] = declared(&Type::Scalar(*scalar), &[]);
        // The size of an enum is the compiler's choice, so a member is the number.
        let _ = writeln!(self.text, "typedef {number} {name};\nenum {{");
        for variant in variants {
            let _ = writeln!(self.text, "    {name}_{} = {},", variant.name, variant.number);
        }
        self.text.push_str("};\n");
        let kind = kind_of(&Type::Scalar(*scalar), &[]);
        let macros = variants.iter().map(|it| format!("IOS_VARIANT({}, {})", it.name, it.number));
        self.invoke("IOS_ENUM", [name.clone(), kind].into_iter().chain(macros));
    }

    fn write_struct(&mut self, layout: &Struct) {
        let name = name_of(layout, self.structs);
        let members: Vec<String> =
            layout.fields.iter().flat_map(|field| self.described(&name, field)).collect();
        self.text.push('\n');
        comment(&mut self.text, "", "///", &layout.doc);
        let is_member = |field: &&Field| !matches!(field.ty, Type::ListData);
        if layout.fields.iter().filter(is_member).count() == 0 {
            let _ = writeln!(self.text, "// C has no struct without members: {name} is none");
            return;
        }
        self.text.push_str("typedef struct {\n");
        let natural = layout.fields.iter().map(|field| field.ty.shape().align).max();
        let mut align = match layout.shape.align {
            align if Some(align) > natural => format!("_Alignas({align}) "),
            _ => String::new(),
        };
        for field in layout.fields.iter().filter(is_member) {
            comment(&mut self.text, "    ", "///", &field.doc);
            let [ty, bounds] = self.member_type(&field.ty);
            let align = std::mem::take(&mut align);
            let _ = writeln!(self.text, "    {align}{ty} {}{bounds};", member(field));
        }
        let _ = writeln!(self.text, "}} {name};");
        self.invoke("IOS_MESSAGE", std::iter::once(name).chain(members));
    }

    /// The member's type; where the macros need a name for its elements, by that name.
    fn member_type(&self, ty: &Type) -> [String; 2] {
        let (element, bounds) = match ty {
            Type::Slice { element } => (&**element, "[]".to_owned()),
            Type::Array { .. } => bounded(ty),
            _ => return declared(ty, self.structs),
        };
        match element {
            Type::Text(_) | Type::Array { .. } => [kind_of(element, self.structs), bounds],
            _ => {
                let [ty, _] = declared(element, self.structs);
                [ty, bounds]
            }
        }
    }

    /// The macros that describe a member, after those that name the type of its elements.
    fn described(&mut self, of: &str, field: &Field) -> Vec<String> {
        let name = member(field);
        let mut with_kind = |what: &str, element: &Type| {
            self.name(element);
            format!("{what}({of}, {}, {name})", kind_of(element, self.structs))
        };
        let described = match &field.ty {
            Type::Text(_) => format!("IOS_TEXT_FIELD({of}, {name})"),
            Type::ListData => format!("IOS_DATA({name})"),
            Type::Slice { element } => with_kind("IOS_TAIL", element),
            Type::List { axes: 1, element } => with_kind("IOS_LIST", element),
            Type::List { element, .. } => with_kind("IOS_ND_LIST", element),
            array @ Type::Array { .. } => {
                let (element, bounds) = bounded(array);
                let what = ["IOS_ARRAY", "IOS_ARRAY2", "IOS_ARRAY3"];
                with_kind(what[bounds.matches('[').count() - 1], element)
            }
            other => with_kind("IOS_FIELD", other),
        };
        match &*plain(&field.unit) {
            "" => vec![described],
            unit => vec![described, format!("IOS_UNIT({unit:?})")],
        }
    }

    /// Gives a text or an array a name, if it has none.
    fn name(&mut self, ty: &Type) {
        let name = kind_of(ty, self.structs);
        let (macro_name, element) = match ty {
            Type::Text(bytes) => (format!("IOS_TEXT({name}, {bytes});"), None),
            Type::Array { count, element } => {
                let kind = kind_of(element, self.structs);
                (format!("IOS_ARRAY_TYPE({name}, {kind}, {count});"), Some(element))
            }
            _ => return,
        };
        if self.named.contains(&name) {
            return;
        }
        if let Some(element) = element {
            self.name(element);
        }
        let [ty, bounds] = declared(ty, self.structs);
        let _ = write!(self.text, "\ntypedef {ty} {name}{bounds};\n{macro_name}\n");
        self.named.push(name);
    }

    /// Calls a macro, with as many arguments on a line as fit.
    fn invoke(&mut self, name: &str, arguments: impl Iterator<Item = String>) {
        let (mut line, indent) = (format!("{name}("), " ".repeat(name.len() + 1));
        let arguments: Vec<String> = arguments.collect();
        for (at, argument) in arguments.iter().enumerate() {
            let end = if at + 1 == arguments.len() { ");" } else { "," };
            if line.len() + argument.len() > 96 && !line.trim().is_empty() {
                let _ = writeln!(self.text, "{}", line.trim_end());
                line.clone_from(&indent);
            }
            let _ = write!(line, "{argument}{end} ");
        }
        let _ = writeln!(self.text, "{}", line.trim_end());
    }
}

/// The element of an array, and its bounds. The macros know three; what has more is an array of
/// arrays with a name.
fn bounded(array: &Type) -> (&Type, String) {
    let (mut element, mut bounds) = (array, String::new());
    while let Type::Array { count, element: inner } = element
        && bounds.matches('[').count() < 3
    {
        let _ = write!(bounds, "[{count}]");
        element = inner;
    }
    (element, bounds)
}

/// The name by which the macros know a type.
fn kind_of(ty: &Type, structs: &[&Struct]) -> String {
    match ty {
        Type::Scalar(scalar) => scalar_word(*scalar, ["u", "i", "f"], ""),
        Type::Text(bytes) => format!("Text{bytes}"),
        Type::Array { count, element } => format!("{}x{count}", kind_of(element, structs)),
        other => declared(other, structs).concat(),
    }
}

/// The name of a member: a field of a tuple has a number.
fn member(field: &Field) -> String {
    match field.name.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("f{}", field.name),
        false => field.name.clone(),
    }
}
