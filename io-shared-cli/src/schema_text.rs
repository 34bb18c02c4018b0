//! A schema as code to paste: for Rust, C, C++, NumPy, ROS 2, or as JSON.
//!
//! Structs come before those that contain them. Two structs of one name that differ get different
//! names.

mod c;
mod cpp;
mod names;
mod numpy;

use std::fmt::Write as _;

use clap::ValueEnum;
use io_shared::Schema;
use io_shared::schema::{Enum, Scalar, Struct, Type};
use io_shared_formats::Definition;

use crate::out::plain;

/// A name with which `--schema` asks for a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaForm {
    /// A struct with `#[derive(Message)]`.
    Rust,
    /// A struct for C, described as a message for `io_shared.h`.
    C,
    /// A struct for C++, described as a message for `io_shared.hpp`.
    Cpp,
    /// What `io_shared.producer` takes in Python.
    Numpy,
    /// A message definition for ROS 2.
    Ros2msg,
    /// A package for ROS 2, with the types of recordings too.
    Ros2pkg,
    /// The schema as the channel has it.
    Json,
}

/// The schema in that form, or why it has none.
pub(crate) fn write(schema: &Schema, form: SchemaForm) -> Result<String, String> {
    match form {
        SchemaForm::Json => return Ok(schema.to_json()),
        SchemaForm::Ros2msg | SchemaForm::Ros2pkg => return Ok(Definition::of(schema).text),
        SchemaForm::Rust | SchemaForm::C | SchemaForm::Cpp | SchemaForm::Numpy => {}
    }
    let (mut structs, mut enums) = (Vec::new(), Vec::new());
    collect(schema.root(), &mut structs, &mut enums);
    if form == SchemaForm::Numpy {
        return Ok(numpy::write(schema.root(), &enums, &structs));
    }
    let mut text = String::new();
    match form {
        SchemaForm::Rust => {
            enums.iter().for_each(|of| rust_enum(of, &mut text));
            structs.iter().for_each(|layout| rust(layout, &structs, &mut text));
        }
        SchemaForm::Cpp => text = cpp::write(&enums, &structs),
        _ => text = c::write(&enums, &structs),
    }
    if structs.is_empty() {
        let ty = match form {
            SchemaForm::Rust => rust_type(schema.root(), &structs),
            SchemaForm::Cpp => cpp::type_of(schema.root(), &structs),
            _ => c::declared(schema.root(), &structs).join(" "),
        };
        return Ok(format!("{ty}\n"));
    }
    Ok(text)
}

/// All structs and enums, the innermost first, each once.
fn collect<'t>(ty: &'t Type, structs: &mut Vec<&'t Struct>, enums: &mut Vec<&'t Enum>) {
    match ty {
        Type::Array { element, .. } | Type::Slice { element } | Type::List { element, .. } => {
            collect(element, structs, enums);
        }
        Type::Enum(of) if !enums.contains(&of) => enums.push(of),
        Type::Struct(layout) => {
            layout.fields.iter().for_each(|field| collect(&field.ty, structs, enums));
            if !structs.contains(&layout) {
                structs.push(layout);
            }
        }
        _ => {}
    }
}

/// The struct's name, with a number if an earlier one has the same.
fn name_of(layout: &Struct, structs: &[&Struct]) -> String {
    let before = structs.iter().take_while(|other| **other != layout);
    match before.filter(|other| other.name == layout.name).count() {
        0 => layout.name.clone(),
        others => format!("{}{}", layout.name, others + 1),
    }
}

/// Each line of a comment, after `sign`.
fn comment(text: &mut String, indent: &str, sign: &str, comment: &str) {
    for line in comment.lines() {
        let _ = writeln!(text, "{}", format!("{indent}{sign} {}", plain(line)).trim_end());
    }
}

/// `u32`, or the same in another language's words.
fn scalar_word(scalar: Scalar, words: [&str; 3], end: &str) -> String {
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

fn rust_enum(of: &Enum, text: &mut String) {
    text.push_str(if text.is_empty() { "" } else { "\n" });
    comment(text, "", "///", &of.doc);
    let number = scalar_word(of.scalar, ["u", "i", "f"], "");
    let _ = writeln!(text, "#[derive(Clone, Copy, Message)]\n#[repr({number})]");
    let _ = writeln!(text, "enum {} {{", names::in_rust(&of.name));
    for variant in &of.variants {
        let others = of.variants.iter().map(|it| &*it.name);
        let (name, renamed) = rust_name(&variant.name, others);
        let _ = writeln!(text, "    {name} = {},{renamed}", variant.number);
    }
    text.push_str("}\n");
}

fn rust(layout: &Struct, structs: &[&Struct], text: &mut String) {
    let separator = if text.is_empty() { "" } else { "\n" };
    text.push_str(separator);
    comment(text, "", "///", &layout.doc);
    // The derive aligns a message for the elements of its lists.
    let align_of = |ty: &Type| match ty {
        Type::List { element, .. } => ty.shape().align.max(element.shape().align),
        ty => ty.shape().align,
    };
    let natural = layout.fields.iter().map(|field| align_of(&field.ty)).max().unwrap_or(1);
    let align = match layout.shape.align {
        align if align == natural => String::new(),
        align => format!(", align({align})"),
    };
    let _ = writeln!(text, "#[derive(Message)]\n#[repr(C{align})]");
    let is_tuple = layout.fields.first().is_some_and(|field| field.name == "0");
    let name = names::in_rust(&name_of(layout, structs));
    if is_tuple {
        let types = layout.fields.iter().map(|field| rust_type(&field.ty, structs));
        let _ = writeln!(text, "struct {name}({});", types.collect::<Vec<_>>().join(", "));
        return;
    }
    let _ = writeln!(text, "struct {name} {{");
    for field in &layout.fields {
        comment(text, "    ", "///", &field.doc);
        if !field.unit.is_empty() {
            let _ = writeln!(text, "    #[message({})]", attributes(&plain(&field.unit)));
        }
        let others = layout.fields.iter().map(|it| &*it.name);
        let (name, renamed) = rust_name(&field.name, others);
        let ty = rust_type(&field.ty, structs);
        let _ = writeln!(text, "    {name}: {ty},{renamed}");
    }
    text.push_str("}\n");
}

/// A name in Rust, and a remark if it is another one.
fn rust_name<'t>(name: &str, others: impl Iterator<Item = &'t str> + Clone) -> (String, String) {
    let named = names::apart(names::in_rust(name), name, others);
    let renamed = match named.strip_prefix("r#").unwrap_or(&named) == name {
        true => String::new(),
        false => format!(" // Rust cannot have its name: {name}"),
    };
    (named, renamed)
}

/// The words of a unit as the derive takes them: `unit = "ns", stamp`.
fn attributes(unit: &str) -> String {
    let (mut units, mut others) = (Vec::new(), Vec::new());
    for word in unit.split(' ') {
        match word.strip_prefix("frame:") {
            Some(frame) => others.push(format!("frame = {frame:?}")),
            None if word == "stamp" => others.push(word.to_owned()),
            None => units.push(word),
        }
    }
    if !units.is_empty() {
        others.insert(0, format!("unit = {:?}", units.join(" ")));
    }
    others.join(", ")
}

fn rust_type(ty: &Type, structs: &[&Struct]) -> String {
    match ty {
        Type::Scalar(Scalar::F16) => "half::f16".to_owned(),
        Type::Scalar(scalar) => scalar_word(*scalar, ["u", "i", "f"], ""),
        Type::Text(bytes) => format!("Text<{bytes}>"),
        Type::Array { count, element } => format!("[{}; {count}]", rust_type(element, structs)),
        Type::Slice { element } => format!("[{}]", rust_type(element, structs)),
        Type::List { axes: 1, element } => format!("List<{}>", rust_type(element, structs)),
        Type::List { axes, element } => format!("NdList<{}, {axes}>", rust_type(element, structs)),
        Type::ListData => "ListData".to_owned(),
        Type::Struct(layout) => names::in_rust(&name_of(layout, structs)),
        Type::Enum(of) => names::in_rust(&of.name),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        Schema::from_json(
            r#"{"struct":"Cloud","doc":"A scan.","size":64,"align":8,"fields":[
            {"name":"stampNs","offset":0,"type":"<u8","unit":"ns","doc":"When."},
            {"name":"frame","offset":8,"type":"|S16"},
            {"name":"pose","offset":24,"type":{"array":2,"of":{"array":2,"of":"<f8"}}},
            {"name":"_pad","offset":56,"type":{"array":8,"of":"|u1"}},
            {"name":"points","offset":64,"type":{"slice":{"struct":"Point","size":8,"align":4,
            "fields":[{"name":"x","offset":0,"type":"<f4","unit":"m"},
            {"name":"2d","offset":4,"type":"<i4"}]}}}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_schema_is_a_struct_in_every_language() {
        let form = |form| write(&schema(), form).unwrap();
        assert_eq!(
            form(SchemaForm::Rust),
            r#"#[derive(Message)]
#[repr(C)]
struct Point {
    #[message(unit = "m")]
    x: f32,
    f2d: i32, // Rust cannot have its name: 2d
}

/// A scan.
#[derive(Message)]
#[repr(C)]
struct Cloud {
    /// When.
    #[message(unit = "ns")]
    stampNs: u64,
    frame: Text<16>,
    pose: [[f64; 2]; 2],
    _pad: [u8; 8],
    points: [Point],
}
"#
        );
        assert_eq!(
            form(SchemaForm::C),
            r#"#include <io_shared.h>

typedef struct {
    float x;
    int32_t f2d;
} Point;
IOS_MESSAGE(Point, IOS_FIELD(Point, f32, x), IOS_UNIT("m"), IOS_FIELD(Point, i32, f2d),
            IOS_NAMED("2d"));

/// A scan.
typedef struct {
    /// When.
    uint64_t stampNs;
    char frame[16];
    double pose[2][2];
    uint8_t _pad[8];
    Point points[];
} Cloud;
IOS_MESSAGE(Cloud, IOS_FIELD(Cloud, u64, stampNs), IOS_UNIT("ns"), IOS_TEXT_FIELD(Cloud, frame),
            IOS_ARRAY2(Cloud, f64, pose), IOS_ARRAY(Cloud, u8, _pad),
            IOS_TAIL(Cloud, Point, points));
"#
        );
        assert_eq!(
            form(SchemaForm::Numpy),
            "dtype = [('stampNs', '<u8'), ('frame', '|S16'), ('pose', '<f8', (2, 2)), \
             ('_pad', '|u1', (8,))]\n\
             tail = ('points', [('x', '<f4'), ('2d', '<i4')])\n\
             # io_shared.producer(name, dtype, tail, capacity='1M')\n"
        );
        assert_eq!(
            form(SchemaForm::Ros2msg),
            format!(
                "# A scan.\n# When.\nuint64 stamp_ns  # ns\nstring frame\nfloat64[4] pose\n\
                 uint8[8] pad1\nio_shared_msgs/Point56b8790a[] points\n{}\n\
                 MSG: io_shared_msgs/Point56b8790a\nfloat32 x  # m\nint32 f2d\n",
                "=".repeat(80)
            )
        );
        assert_eq!(Schema::from_json(&form(SchemaForm::Json)), Ok(schema()));
    }

    #[test]
    fn the_words_of_a_unit_are_the_attributes_that_the_derive_takes() {
        for (unit, expected) in [
            ("m", r#"unit = "m""#),
            ("km per h", r#"unit = "km per h""#),
            ("ns stamp", r#"unit = "ns", stamp"#),
            ("stamp frame:map", r#"stamp, frame = "map""#),
        ] {
            assert_eq!(attributes(unit), expected);
        }
    }

    #[test]
    fn a_schema_for_cpp_is_described_as_a_message() {
        assert_eq!(
            write(&schema(), SchemaForm::Cpp).unwrap(),
            "#include <io_shared.hpp>

struct Point {
    float x;
    std::int32_t f2d;
};
IO_SHARED_MESSAGE(Point, x, f2d);
IO_SHARED_UNIT(Point, x, \"m\");
IO_SHARED_NAME(Point, f2d, \"2d\");

/// A scan.
struct Cloud {
    /// When.
    std::uint64_t stampNs;
    io_shared::text<16> frame;
    std::array<std::array<double, 2>, 2> pose;
    std::array<std::uint8_t, 8> _pad;
};
IO_SHARED_MESSAGE(Cloud, stampNs, frame, pose, _pad);
IO_SHARED_UNIT(Cloud, stampNs, \"ns\");
IO_SHARED_TAIL(Cloud, points, Point);
"
        );
    }

    #[test]
    fn enums_and_truth_values_are_what_each_language_has_for_them() {
        let mode = Enum::new("Mode", Scalar::U8).variant(0, "Idle").variant(2, "DriveOn");
        let json = format!(
            r#"{{"struct":"S","size":2,"align":1,"fields":[
                {{"name":"mode","offset":0,"type":{}}},{{"name":"ok","offset":1,"type":"|b1"}}]}}"#,
            Schema::new(Type::from(mode)).to_json()
        );
        let schema = Schema::from_json(&json).unwrap();
        let form = |form| write(&schema, form).unwrap();
        let rust = "#[derive(Clone, Copy, Message)]\n#[repr(u8)]\nenum Mode {\n    Idle = 0,\n    \
                    DriveOn = 2,\n}\n\n#[derive(Message)]\n#[repr(C)]\nstruct S {\n    mode: \
                    Mode,\n    ok: bool,\n}\n";
        assert_eq!(form(SchemaForm::Rust), rust);
        let c = form(SchemaForm::C);
        let names =
            "typedef uint8_t Mode;\nenum {\n    Mode_Idle = 0,\n    Mode_DriveOn = 2,\n};\n";
        assert!(c.contains(names) && c.contains("    Mode mode;\n    bool ok;\n"), "{c}");
        let cpp = form(SchemaForm::Cpp);
        assert!(cpp.contains("enum class Mode : std::uint8_t {\n    Idle = 0,\n"), "{cpp}");
        assert!(cpp.contains("};\nIO_SHARED_ENUM(Mode, Idle, DriveOn);\n"), "{cpp}");
        let numpy = "import io_shared\n\ndtype = [('mode', io_shared.enum('Mode', '|u1', Idle=0, \
                     DriveOn=2)), ('ok', '|b1')]\n# io_shared.producer(name, dtype)\n";
        assert_eq!(form(SchemaForm::Numpy), numpy);
        let ros = "uint8 MODE_IDLE=0\nuint8 MODE_DRIVE_ON=2\nuint8 mode\nbool ok\n";
        assert_eq!(form(SchemaForm::Ros2msg), ros);
    }

    #[test]
    fn lists_are_what_each_language_has_for_them() {
        let schema = Schema::from_json(
            r#"{"struct":"Found","size":48,"align":16,"fields":[
            {"name":"boxes","offset":0,"type":{"list":{"struct":"Box","size":16,"align":16,
            "fields":[{"name":"x","offset":0,"type":{"array":4,"of":"<f4"}}]},"axes":1}},
            {"name":"image","offset":16,"type":{"list":"|u1","axes":3}},
            {"name":"data","offset":48,"type":"lists"}]}"#,
        )
        .unwrap();
        let form = |form| write(&schema, form).unwrap();
        let rust = form(SchemaForm::Rust);
        let fields = "    boxes: List<Box>,\n    image: NdList<u8, 3>,\n    data: ListData,\n}\n";
        assert!(rust.contains("#[repr(C)]\nstruct Found {") && rust.ends_with(fields), "{rust}");
        let c = form(SchemaForm::C);
        let lists = "    _Alignas(16) ios_list boxes;\n    IOS_ND_LIST_OF(3) image;\n} Found;\n";
        assert!(c.contains(lists) && c.contains("IOS_ND_LIST(Found, u8, image),"), "{c}");
        let cpp = form(SchemaForm::Cpp);
        let lists =
            "    io_shared::list<Box> boxes;\n    io_shared::nd_list<std::uint8_t, 3> image;\n};\n";
        assert!(cpp.contains(lists) && cpp.contains("struct alignas(16) Box {\n"), "{cpp}");
        let numpy = "# Python cannot declare that Box is aligned to 16 bytes\n\
                     dtype = [('boxes', [[('x', '<f4', (4,))]]), ('image', ('|u1', (None, None, \
                     None)))]\n# io_shared.producer(name, dtype)\n";
        assert_eq!(form(SchemaForm::Numpy), numpy);
    }

    #[test]
    fn a_message_that_is_no_struct_is_a_type() {
        let matrix = Schema::from_json(r#"{"array":3,"of":"<f4"}"#).unwrap();
        assert_eq!(write(&matrix, SchemaForm::Rust).unwrap(), "[f32; 3]\n");
        assert_eq!(write(&matrix, SchemaForm::C).unwrap(), "float [3]\n");
        let numpy = "dtype = ('<f4', (3,))\n# io_shared.producer(name, dtype)\n";
        assert_eq!(write(&matrix, SchemaForm::Numpy).unwrap(), numpy);
        let arrays = r#"{"struct":"Array","size":0,"align":64,"fields":[
            {"name":"npy","offset":0,"type":{"slice":"|u1"}}]}"#;
        let arrays = write(&Schema::from_json(arrays).unwrap(), SchemaForm::Numpy).unwrap();
        assert_eq!(arrays, "# arrays of any dtype and shape: io_shared.producer(name)\n");
        let slice = Schema::from_json(r#"{"slice":"<f4"}"#).unwrap();
        let tail = "dtype = None\ntail = '<f4'\n\
                    # io_shared.producer(name, dtype, tail, capacity='1M')\n";
        assert_eq!(write(&slice, SchemaForm::Numpy).unwrap(), tail);
        assert_eq!(write(&matrix, SchemaForm::Ros2msg).unwrap(), "float32[3] value\n");
    }
}
