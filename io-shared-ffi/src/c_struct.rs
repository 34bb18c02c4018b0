//! A schema as a C declaration.
//!
//! What is generated compiles as C11 and later and, where nothing ends in a flexible array, as C++11
//! and later; each offset and size is asserted, so that a compiler that lays it out otherwise says
//! so. Names and remarks come from whoever made the channel, and so are not trusted: no name is a
//! word of C, and no remark ends its comment.

use std::ffi::c_char;
use std::fmt::Write;

use io_shared_core::Schema;
use io_shared_core::schema::{Scalar, Struct, Type};

use crate::pointer::{Out, give_text, needed_text};
use crate::status::{Failure, call, ios_status};

/// The C declaration of the struct that a message is, with those of the structs in it.
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
    let mut declarations = Declarations { text: String::new(), structs: Vec::new() };
    let (ty, declarator) = declarations.declare(schema.root(), "message");
    let mut text = String::from(
        "#include <assert.h>\n#include <stdalign.h>\n#include <stddef.h>\n#include <stdint.h>\n",
    );
    text.push_str(&declarations.text);
    // Writing to a String never fails.
    let _ = match schema.root() {
        Type::Struct(_) => Ok(()),
        _ => writeln!(text, "\n// A message is: {ty} {declarator}"),
    };
    text
}

/// The C declaration of the struct that the schema (JSON, as `ios_consumer_schema` gives it)
/// describes, with those of the structs in it: offsets asserted, units and docs as comments. The
/// text is the caller's, to be freed by `ios_text_free`.
///
/// # Safety
/// `schema` is NULL or a text; `text` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_schema_to_c(
    schema: *const c_char,
    text: *mut *mut c_char,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let schema = unsafe { needed_text(schema, "schema") }?;
        // SAFETY: as the caller promises.
        let text = unsafe { Out::needed(text, "text") }?;
        let schema = Schema::from_json(schema).map_err(|error| {
            Failure::Said(ios_status::IOS_BAD_SCHEMA, format!("the schema will not do: {error}"))
        })?;
        text.set(give_text(c_struct(&schema)));
        Ok(())
    })
}

struct Declarations<'a> {
    text: String,
    /// Those in `text`, and their names there.
    structs: Vec<(&'a Struct, String)>,
}

impl<'a> Declarations<'a> {
    /// The two parts of a declaration of `name` as a `ty`, which is declared before if it needs that.
    fn declare(&mut self, ty: &'a Type, name: &str) -> (String, String) {
        match ty {
            Type::Scalar(scalar) => (number(*scalar).to_owned(), name.to_owned()),
            Type::Text(bytes) => ("char".to_owned(), format!("{name}[{bytes}]")),
            Type::Array { count, element } => self.declare(element, &format!("{name}[{count}]")),
            Type::Slice { element } => self.declare(element, &format!("{name}[]")),
            Type::Struct(layout) => (self.declare_struct(layout), name.to_owned()),
            // There is none yet that this does not know.
            _ => ("uint8_t".to_owned(), format!("{name}[{}]", ty.shape().size)),
        }
    }

    /// Declares a struct, if that was not done yet, and gives its name.
    fn declare_struct(&mut self, layout: &'a Struct) -> String {
        if let Some((_, name)) = self.structs.iter().find(|(known, _)| *known == layout) {
            return name.clone();
        }
        let fields: Vec<_> = layout.fields.iter().collect();
        let mut members: Vec<(_, String, String)> = Vec::new();
        for field in &fields {
            let taken = |name: &str| members.iter().any(|(_, other, _)| other == name);
            let name = unused(identifier(&field.name), taken);
            let (ty, declarator) = self.declare(&field.ty, &name);
            members.push((*field, name, format!("{ty} {declarator};")));
        }
        // A struct of another module may have the same name.
        let taken = |name: &str| self.structs.iter().any(|(_, other)| other == name);
        let name = unused(identifier(&layout.name), taken);
        let text = &mut self.text;
        text.push('\n');
        remark(text, "", &layout.doc);
        let _ = writeln!(text, "typedef struct {name} {{");
        // C has no members without bytes; and what is aligned more than its fields says so at the
        // first.
        let natural = fields.iter().map(|field| field.ty.shape().align).max().unwrap_or(1);
        let mut align = String::new();
        if layout.shape.align > natural {
            align = format!("alignas({}) ", layout.shape.align);
        }
        let mut asserts = String::new();
        let mut declared = 0;
        for (field, member, declaration) in members {
            let shape = field.ty.shape();
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
        self.structs.push((layout, name.clone()));
        name
    }
}

/// `name`, or with a number behind it.
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
        // There is none yet that this does not know: as many bytes, then.
        other => match other.size() {
            1 => "uint8_t",
            2 => "uint16_t",
            4 => "uint32_t",
            _ => "uint64_t",
        },
    }
}

/// Words of C and C++, names of the headers that are included, and macros that compilers define,
/// where they look like names of fields.
const WORDS: &str = " alignas alignof and and_eq asm assert atomic auto bitand bitor bool break case \
    catch char class co_await co_return co_yield compl concept const const_cast consteval constexpr \
    constinit continue decltype default delete do double dynamic_cast else enum explicit export \
    extern false float for friend fortran goto if import inline int linux long module mutable \
    namespace new noexcept not not_eq nullptr offsetof operator or or_eq private protected public \
    register reinterpret_cast requires restrict return short signed sizeof static static_assert \
    static_cast struct switch template this thread_local throw true try typedef typeid typename \
    typeof typeof_unqual union unix unsigned using virtual void volatile wchar_t while xor xor_eq \
    max_align_t nothing nullptr_t ptrdiff_t size_t NULL NDEBUG ";

/// A name as C takes it.
fn identifier(name: &str) -> String {
    let mut identifier = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            identifier.push(c);
        } else {
            let _ = write!(identifier, "_u{:04x}", c as u32);
        }
    }
    // Fields of tuples are numbers; and C keeps names with two underscores or one and a capital to
    // itself.
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

/// A comment of a line for each line of `said`; nothing if that is empty.
fn remark(text: &mut String, indent: &str, said: &str) {
    for line in said.lines() {
        let line: String = line.chars().filter(|c| is_plain(*c)).collect();
        // A backslash at the end, also written as `??/`, would take in the next line.
        let line = line.replace("??/", "? ?/");
        let line = line.trim_end_matches(|c: char| c == '\\' || c.is_whitespace());
        let _ = writeln!(text, "{indent}{}", format!("// {line}").trim_end());
    }
}

/// Whether a character shows as itself, and does not change how those around it do.
fn is_plain(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !(c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}'))
}
