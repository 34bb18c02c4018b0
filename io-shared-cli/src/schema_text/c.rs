//! A schema as structs and enums of C11, described as messages for `io_shared.h`.

use std::fmt::Write as _;

use io_shared::schema::{Enum, Field, Scalar, Struct, Type};

use super::{comment, name_of, names, scalar_word};
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
        Type::Struct(layout) => [short(&name_of(layout, structs)), String::new()],
        Type::Enum(of) => [short(&of.name), String::new()],
        other => [other.to_string(), String::new()],
    }
}

/// The longest name that says what an array is; deeper ones have a number.
const LONGEST: usize = 32;

struct Writer<'t> {
    structs: &'t [&'t Struct],
    /// Texts and arrays that have a name already.
    named: Vec<String>,
    text: String,
}

/// What is written of a field.
struct Member {
    /// The member of the struct, if the field is one.
    declared: Option<String>,
    /// The macros that describe it.
    described: Vec<String>,
}

impl Writer<'_> {
    fn write_enum(&mut self, of: &Enum) {
        let Enum { scalar, variants, doc, .. } = of;
        let name = short(&of.name);
        self.text.push('\n');
        comment(&mut self.text, "", "///", doc);
        let [number, _] = declared(&Type::Scalar(*scalar), &[]);
        // The size of an enum is the compiler's choice, so a member is the number.
        let _ = writeln!(self.text, "typedef {number} {name};\nenum {{");
        for variant in variants {
            let constant = names::in_c(&format!("{name}_{}", variant.name));
            let _ = writeln!(self.text, "    {constant} = {},", variant.number);
        }
        self.text.push_str("};\n");
        let [kind, _] = self.kind(&Type::Scalar(*scalar));
        let macros = variants.iter().map(|it| format!("IOS_VARIANT({}, {})", it.name, it.number));
        self.invoke("IOS_ENUM", [name, kind].into_iter().chain(macros));
    }

    fn write_struct(&mut self, layout: &Struct) {
        let name = short(&name_of(layout, self.structs));
        let members: Vec<Member> =
            layout.fields.iter().map(|field| self.member(&name, field, layout)).collect();
        self.text.push('\n');
        comment(&mut self.text, "", "///", &layout.doc);
        if members.iter().all(|member| member.declared.is_none()) {
            let _ = writeln!(self.text, "// C has no struct without members: {name} is none");
            return;
        }
        self.text.push_str("typedef struct {\n");
        let natural = layout.fields.iter().map(|field| field.ty.shape().align).max();
        let mut align = match layout.shape.align {
            align if Some(align) > natural => format!("_Alignas({align}) "),
            _ => String::new(),
        };
        for (field, member) in layout.fields.iter().zip(&members) {
            let Some(declared) = &member.declared else { continue };
            comment(&mut self.text, "    ", "///", &field.doc);
            let _ = writeln!(self.text, "    {}{declared};", std::mem::take(&mut align));
        }
        let _ = writeln!(self.text, "}} {name};");
        let described = members.into_iter().flat_map(|member| member.described);
        self.invoke("IOS_MESSAGE", std::iter::once(name).chain(described));
    }

    /// A member of the struct `of`. The types of its elements are given names first.
    fn member(&mut self, of: &str, field: &Field, layout: &Struct) -> Member {
        let name = names::member(&field.name, layout);
        let mut with = |what: &str, element: &Type, bounds: &str| {
            let [kind, ty] = self.kind(element);
            (Some(format!("{ty} {name}{bounds}")), format!("{what}({of}, {kind}, {name})"))
        };
        let list = |axes: usize| match axes {
            1 => Some(format!("ios_list {name}")),
            axes => Some(format!("IOS_ND_LIST_OF({axes}) {name}")),
        };
        let (declared, described) = match &field.ty {
            Type::Text(bytes) => {
                (Some(format!("char {name}[{bytes}]")), format!("IOS_TEXT_FIELD({of}, {name})"))
            }
            Type::ListData => (None, format!("IOS_DATA({})", field.name)),
            Type::Slice { element } => with("IOS_TAIL", element, "[]"),
            Type::List { axes: 1, element } => (list(1), with("IOS_LIST", element, "").1),
            Type::List { axes, element } => (list(*axes), with("IOS_ND_LIST", element, "").1),
            array @ Type::Array { .. } => {
                let (element, bounds) = bounded(array);
                let what = ["IOS_ARRAY", "IOS_ARRAY2", "IOS_ARRAY3"];
                with(what[bounds.matches('[').count() - 1], element, &bounds)
            }
            other => with("IOS_FIELD", other, ""),
        };
        let mut described = vec![described];
        if name != field.name && field.ty != Type::ListData {
            described.push(format!("IOS_NAMED(\"{}\")", field.name));
        }
        if !field.unit.is_empty() {
            described.push(format!("IOS_UNIT({:?})", plain(&field.unit)));
        }
        Member { declared, described }
    }

    /// The name by which the macros know a type, and its type in C. A text or an array is given a
    /// name for both.
    fn kind(&mut self, ty: &Type) -> [String; 2] {
        let (name, definition) = match ty {
            Type::Scalar(scalar) => {
                let [ty, _] = declared(ty, self.structs);
                return [scalar_word(*scalar, ["u", "i", "f"], ""), ty];
            }
            Type::Text(bytes) => {
                let name = format!("Text{bytes}");
                let definition =
                    format!("typedef char {name}[{bytes}];\nIOS_TEXT({name}, {bytes});");
                (name, definition)
            }
            Type::Array { count, element } => {
                let [kind, ty] = self.kind(element);
                let name = match format!("{kind}x{count}") {
                    name if name.len() < LONGEST => name,
                    _ => format!("Array{}", self.named.len()),
                };
                let definition = format!(
                    "typedef {ty} {name}[{count}];\nIOS_ARRAY_TYPE({name}, {kind}, {count});"
                );
                (name, definition)
            }
            other => {
                let name = declared(other, self.structs).concat();
                return [name.clone(), name];
            }
        };
        if !self.named.contains(&name) {
            let _ = writeln!(self.text, "\n{definition}");
            self.named.push(name.clone());
        }
        [name.clone(), name]
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

/// The name of a struct or an enum, which stands next to each member. Nobody needs a longer one.
fn short(name: &str) -> String {
    names::in_c(&name.chars().take(200).collect::<String>())
}
