//! A schema as a C declaration.
//!
//! The declaration compiles as C11 and later, and as C++11 and later if it has no flexible array.
//! Each offset and size is asserted, so a compiler that lays the struct out differently reports an
//! error. Names and remarks come from the creator of the channel and are not trusted: no name may
//! be a keyword of C, and no remark may end its comment.

use std::ffi::c_char;
use std::fmt::Write;

use io_shared_core::Schema;
use io_shared_core::schema::{Enum, Field, Scalar, Struct, Type};

use crate::call::call;
use crate::memory::text_into_c;
use crate::options::schema as schema_of_text;
use crate::pointer::{CText, Out};
use crate::status::ios_status;

/// The C declaration of the struct that a message is, and of the structs in it.
///
/// ```
/// use io_shared_core::Schema;
///
/// let text = r#"{"struct":"Point","size":8,"align":4,"fields":[
///     {"name":"x","offset":0,"type":"<f4","unit":"m"},{"name":"y","offset":4,"type":"<f4"}]}"#;
/// let declared = io_shared_ffi::c_struct(&Schema::from_json(text)?);
/// assert!(declared.contains("  float x; // [m]\n  float y;\n} Point;\n"), "{declared}");
/// assert!(declared.contains("static_assert(offsetof(Point, y) == 4,"), "{declared}");
/// # Ok::<(), io_shared_core::schema::SchemaError>(())
/// ```
pub fn c_struct(schema: &Schema) -> String {
    let mut declarations = Declarations::default();
    let (ty, declarator) = declarations.declare(schema.root(), "message");
    let mut text = String::from(
        "#include <assert.h>\n#include <stdalign.h>\n#include <stdbool.h>\n#include <stddef.h>\n\
         #include <stdint.h>\n",
    );
    if matches!(schema.root(), Type::Struct(root) if has_lists(root)) {
        text.push_str("\n#include \"io_shared.h\"\n");
    }
    text.push_str(&declarations.text);
    // Writing to a String never fails.
    let _ = match schema.root() {
        Type::Struct(_) => Ok(()),
        _ => writeln!(text, "\n// A message is: {ty} {declarator}"),
    };
    text
}

/// The C declaration of the struct that a schema describes, and of the structs in it, with offsets
/// asserted, and units and docs as comments. The schema is JSON, as `ios_consumer_schema` returns
/// it. The caller frees the text with `ios_text_free`.
///
/// # Safety
/// `schema` is NULL or a text; `text` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_schema_to_c(
    schema: *const c_char,
    text: *mut *mut c_char,
) -> ios_status {
    call(|arguments| {
        // SAFETY: the schema ends in a zero, and nobody changes it during the call; a pointer may
        // be written to `text`.
        let (schema, text) =
            unsafe { arguments.read((CText(schema, "schema"), Out(text, "text"))) }?;
        text.set(text_into_c(c_struct(&schema_of_text(schema)?)));
        Ok(())
    })
}

fn has_lists(layout: &Struct) -> bool {
    layout.fields.iter().any(|field| matches!(field.ty, Type::List { .. }))
}

#[derive(Default)]
struct Declarations<'a> {
    text: String,
    /// The enums declared in `text`, and their names there.
    enums: Vec<(&'a Enum, String)>,
    /// The names of their constants.
    constants: Vec<String>,
    /// The structs declared in `text`, and their names there.
    structs: Vec<(&'a Struct, String)>,
}

impl<'a> Declarations<'a> {
    /// The two parts of a declaration of `name` as a `ty`. The structs in `ty` are declared first.
    fn declare(&mut self, ty: &'a Type, name: &str) -> (String, String) {
        match ty {
            Type::Scalar(scalar) => (number(*scalar).to_owned(), name.to_owned()),
            Type::Text(bytes) => ("char".to_owned(), format!("{name}[{bytes}]")),
            Type::Enum(of) => (self.declare_enum(of), name.to_owned()),
            Type::Array { count, element } => self.declare(element, &format!("{name}[{count}]")),
            Type::Slice { element } => self.declare(element, &format!("{name}[]")),
            Type::Struct(layout) => (self.declare_struct(layout), name.to_owned()),
            Type::List { axes: 1, .. } => ("ios_list".to_owned(), name.to_owned()),
            Type::List { axes, .. } => (format!("IOS_ND_LIST_OF({axes})"), name.to_owned()),
            // For types that do not exist yet: as many bytes.
            _ => ("uint8_t".to_owned(), format!("{name}[{}]", ty.shape().size)),
        }
    }

    /// Whether a declaration has this name.
    fn is_taken(&self, name: &str) -> bool {
        let mut structs = self.structs.iter().map(|(_, name)| name);
        let mut enums = self.enums.iter().map(|(_, name)| name);
        structs.any(|other| other == name)
            || enums.any(|other| other == name)
            || self.constants.iter().any(|other| other == name)
    }

    /// Declares an enum, unless it is declared already, and returns its name. C's own enums have
    /// the size of an int, so it is a number and a constant for each variant.
    fn declare_enum(&mut self, of: &'a Enum) -> String {
        if let Some((_, name)) = self.enums.iter().find(|(known, _)| *known == of) {
            return name.clone();
        }
        let name = unused(identifier(&of.name), |name| self.is_taken(name));
        self.text.push('\n');
        remark(&mut self.text, "", &of.doc);
        let _ = writeln!(self.text, "typedef {} {name};", number(of.scalar));
        self.enums.push((of, name.clone()));
        for variant in &of.variants {
            let constant = identifier(&format!("{}_{}", of.name, variant.name));
            let constant = unused(constant, |name| self.is_taken(name));
            let number = variant.number;
            let _ = match i32::try_from(number) {
                Ok(number) => writeln!(self.text, "enum {{ {constant} = {number} }};"),
                // More than an int, which is the type of C's constants.
                Err(_) => writeln!(self.text, "#define {constant} {number}u"),
            };
            self.constants.push(constant);
        }
        name
    }

    /// Declares a struct, unless it is declared already, and returns its name.
    fn declare_struct(&mut self, layout: &'a Struct) -> String {
        if let Some((_, name)) = self.structs.iter().find(|(known, _)| *known == layout) {
            return name.clone();
        }
        let members = self.members(layout);
        let lists = self.lists(layout);
        // A struct of another module may have the same name.
        let name = unused(identifier(&layout.name), |name| self.is_taken(name));
        write_struct(&mut self.text, layout, &name, &members);
        write_lists(&mut self.text, &name, &members, &lists);
        self.structs.push((layout, name.clone()));
        name
    }

    /// The type of the elements of each list. The structs among them are declared first.
    fn lists(&mut self, layout: &'a Struct) -> Vec<(&'a str, usize, String)> {
        let mut lists = Vec::new();
        for field in &layout.fields {
            if let Type::List { axes, element } = &field.ty {
                lists.push((&*field.name, *axes, self.element(element)));
            }
        }
        lists
    }

    /// The name of a type.
    fn element(&mut self, ty: &'a Type) -> String {
        let (ty, bounds) = self.declare(ty, "");
        ty + &bounds
    }

    /// The fields of a struct as C declares them. The structs among them are declared first.
    fn members(&mut self, layout: &'a Struct) -> Vec<Member<'a>> {
        let mut members: Vec<Member<'a>> = Vec::new();
        for field in layout.fields.iter() {
            let taken = |name: &str| members.iter().any(|member| member.name == name);
            let name = unused(identifier(&field.name), taken);
            let (ty, declarator) = self.declare(&field.ty, &name);
            members.push(Member { field, name, declaration: format!("{ty} {declarator};") });
        }
        members
    }
}

/// A field of a struct, as C has it.
struct Member<'a> {
    field: &'a Field,
    name: String,
    declaration: String,
}

/// Writes how the elements of the lists are found.
fn write_lists(
    text: &mut String,
    name: &str,
    members: &[Member<'_>],
    lists: &[(&str, usize, String)],
) {
    for (list, axes, element) in lists {
        let Some(member) = members.iter().find(|member| member.field.name == *list) else {
            continue;
        };
        let member = &member.name;
        let _ = writeln!(
            text,
            "// {name}.{member} has elements {element}: ios_guard_list(value.guard, \
             offsetof({name}, {member}), sizeof({element}), &elements, shape, {axes})"
        );
    }
}

/// Writes a struct, and the assertions of its layout.
fn write_struct(text: &mut String, layout: &Struct, name: &str, members: &[Member<'_>]) {
    text.push('\n');
    remark(text, "", &layout.doc);
    let _ = writeln!(text, "typedef struct {name} {{");
    // A struct that is aligned more than its fields says so at the first of them.
    let natural = members.iter().map(|member| member.field.ty.shape().align).max().unwrap_or(1);
    let mut align = String::new();
    if layout.shape.align > natural {
        align = format!("alignas({}) ", layout.shape.align);
    }
    let mut asserts = String::new();
    let mut declared = 0;
    for Member { field, name: member, declaration } in members {
        let shape = field.ty.shape();
        if field.ty == Type::ListData {
            remark(text, "  ", &format!("{member}: the elements of the lists follow"));
            continue;
        }
        // C has no members without bytes, and no flexible array alone.
        if shape.size == 0 && shape.element.is_none() {
            remark(text, "  ", &format!("{member} has no bytes"));
            continue;
        }
        if shape.element.is_some() && declared == 0 {
            remark(text, "  ", &format!("any number of: {declaration}"));
            continue;
        }
        remark(text, "  ", &field.doc);
        let _ = write!(text, "  {align}{declaration}");
        align.clear();
        declared += 1;
        match field.unit.is_empty() {
            true => text.push('\n'),
            false => remark(text, " ", &format!("[{}]", field.unit)),
        }
        let offset = field.offset;
        let _ = writeln!(
            asserts,
            "static_assert(offsetof({name}, {member}) == {offset}, \"{name}.{member}\");"
        );
    }
    if declared == 0 {
        text.push_str("  char nothing; // C has no struct without members\n");
    } else if layout.shape.element.is_none() {
        let size = layout.shape.size;
        let _ = writeln!(asserts, "static_assert(sizeof({name}) == {size}, \"{name}\");");
    }
    let _ = writeln!(text, "}} {name};");
    text.push_str(&asserts);
}

/// `name`, with a number after it if the name is taken.
fn unused(name: String, taken: impl Fn(&str) -> bool) -> String {
    let mut unused = name.clone();
    let mut count = 1;
    while taken(&unused) {
        count += 1;
        unused = format!("{name}_{count}");
    }
    unused
}

fn number(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::U8 => "uint8_t",
        Scalar::U16 => "uint16_t",
        Scalar::U32 => "uint32_t",
        Scalar::U64 => "uint64_t",
        Scalar::I8 => "int8_t",
        Scalar::I16 => "int16_t",
        Scalar::I32 => "int32_t",
        Scalar::I64 => "int64_t",
        Scalar::F32 => "float",
        Scalar::F64 => "double",
        Scalar::Bool => "bool",
        // For types that do not exist yet: as many bytes.
        other => match other.size() {
            1 => "uint8_t",
            2 => "uint16_t",
            4 => "uint32_t",
            _ => "uint64_t",
        },
    }
}

/// Keywords of C and C++, names in the headers that are included, and macros that compilers define,
/// as far as they look like names of fields.
const WORDS: &str = " \
    alignas alignof and and_eq asm assert atomic auto bitand bitor bool break case catch char \
    class co_await co_return co_yield compl concept const const_cast consteval constexpr \
    constinit continue decltype default delete do double dynamic_cast else enum explicit \
    export extern false float for friend fortran goto if import inline int linux long module \
    mutable namespace new noexcept not not_eq nullptr offsetof operator or or_eq private \
    protected public register reinterpret_cast requires restrict return short signed sizeof \
    static static_assert static_cast struct switch template this thread_local throw true try \
    typedef typeid typename typeof typeof_unqual union unix unsigned using virtual void \
    volatile wchar_t while xor xor_eq max_align_t nothing nullptr_t ptrdiff_t size_t NULL \
    NDEBUG ";

/// A name as C accepts it.
fn identifier(name: &str) -> String {
    let mut identifier = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            identifier.push(c);
        } else {
            let _ = write!(identifier, "_u{:04x}", c as u32);
        }
    }
    // Fields of tuples are numbers; and C reserves names that begin with two underscores, or with
    // one and a capital.
    let reserved = identifier.starts_with(|c: char| c.is_ascii_digit() || c == '_');
    if identifier.is_empty() || reserved {
        identifier.insert_str(0, "field");
    }
    let typed = identifier.ends_with("_t") && identifier.contains("int");
    let limit = identifier.ends_with("_MAX") || identifier.ends_with("_MIN");
    let constant = identifier.ends_with("_C") || identifier.ends_with("_WIDTH");
    if typed || limit || constant || WORDS.contains(&format!(" {identifier} ")) {
        identifier.push('_');
    }
    identifier
}

/// A comment line for each line of `said`; nothing if that is empty.
fn remark(text: &mut String, indent: &str, said: &str) {
    for line in said.lines() {
        let line: String = line.chars().filter(|c| is_plain(*c)).collect();
        // A backslash at the end, also written `??/`, would continue the comment on the next line.
        let line = line.replace("??/", "? ?/");
        let line = line.trim_end_matches(|c: char| c == '\\' || c.is_whitespace());
        let _ = writeln!(text, "{indent}{}", format!("// {line}").trim_end());
    }
}

/// Whether a character is shown as itself, and does not change how its neighbours are shown.
fn is_plain(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !(c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}'))
}
