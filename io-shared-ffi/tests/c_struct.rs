//! Schemas as C declarations, which are compiled and compared with Rust's layout.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::ffi::CStr;
use std::path::PathBuf;

use io_shared::message::Shape;
use io_shared::schema::{Field, Struct, Type};
use io_shared::{Message, Schema, Text};
use io_shared_ffi::ios_status::*;
use io_shared_ffi::{c_struct, ios_schema_to_c, ios_text_free};

mod common;

use common::{Language, compile, try_compile};

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Pose {
    /// Of the robot, in the map.
    #[message(unit = "m")]
    position: [f64; 3],
    #[message(unit = "rad")]
    heading: f64,
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Corner(f32, [u8; 4]);

/// Everything that a message may have.
#[derive(Message)]
#[repr(C)]
struct Everything {
    bytes: [i8; 2],
    short: u16,
    int: i32,
    long: i64,
    poses: [[Pose; 2]; 3],
    id: Text<12>,
    nothing: [u8; 0],
    label: u32,
    corners: [Corner],
}

/// What the robot does.
#[derive(Clone, Copy, Message)]
#[repr(u32)]
enum Mode {
    Idle,
    Driving = 7,
    Never = u32::MAX,
}

#[derive(Clone, Copy, Message)]
#[repr(i8)]
enum Side {
    Left = -1,
    Middle,
    Right,
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Robot {
    mode: Mode,
    modes: [Mode; 2],
    sides: [Side; 2],
    brakes: [bool; 2],
}

#[derive(Message)]
#[repr(C, align(64))]
struct Line {
    words: [u64; 8],
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn source(&self, text: &str, language: Language) -> (PathBuf, PathBuf) {
        let source = self.0.path().join(format!("declared.{}", language.extension()));
        std::fs::write(&source, text).unwrap();
        (source, self.0.path().join("declared.o"))
    }

    #[track_caller]
    fn compiles(&self, text: &str, language: Language) {
        let (source, output) = self.source(text, language);
        compile(language, &["-c"], &[&source], &output);
    }
}

#[test]
fn every_type_is_declared_where_rust_has_it() {
    let folder = Folder::new();
    let everything = c_struct(&Everything::schema());
    let asserts = format!(
        "{everything}
static_assert(offsetof(Everything, long_) == {}, \"\");
static_assert(offsetof(Everything, poses[2][1].heading) == {}, \"\");
static_assert(sizeof(((Everything *)0)->id) == 12, \"\");
static_assert(offsetof(Everything, label) == {}, \"\");
static_assert(offsetof(Everything, corners[1].field1) == {}, \"\");
",
        std::mem::offset_of!(Everything, long),
        std::mem::offset_of!(Everything, poses) + 6 * 32 - 8,
        std::mem::offset_of!(Everything, label),
        Everything::SHAPE.size + 8 + 4,
    );
    folder.compiles(&asserts, Language::C11);
    assert!(everything.contains("  // Of the robot, in the map.\n  double position[3]; // [m]\n"));
    assert!(everything.contains("// Everything that a message may have.\ntypedef struct"));

    for sized in [Pose::schema(), Corner::schema(), Line::schema(), <[Pose; 4]>::schema()] {
        folder.compiles(&c_struct(&sized), Language::C11);
        folder.compiles(&c_struct(&sized), Language::Cpp17);
    }
    let line = c_struct(&Line::schema());
    let aligned = "static_assert(alignof(Line) == 64 && sizeof(Line) == 64, \"\");\n";
    folder.compiles(&format!("{line}{aligned}"), Language::C11);

    for (schema, message) in [
        (f64::schema(), "double message"),
        (<[[u16; 2]]>::schema(), "uint16_t message[][2]"),
        (<[Corner]>::schema(), "Corner message[]"),
    ] {
        let declared = c_struct(&schema);
        assert!(declared.ends_with(&format!("\n// A message is: {message}\n")), "{declared}");
        folder.compiles(&declared, Language::C11);
    }
}

#[test]
fn enums_are_numbers_with_constants_and_bools_are_bools() {
    let folder = Folder::new();
    let declared = c_struct(&Robot::schema());
    assert!(declared.contains("// What the robot does.\ntypedef uint32_t Mode;\n"), "{declared}");
    assert_eq!(declared.matches("typedef uint32_t Mode;").count(), 1, "{declared}");
    let uses = "
static const Robot robot = { Mode_Driving, { Mode_Never, Mode_Idle },
                             { Side_Left, Side_Right }, { true, false } };
static_assert(Mode_Driving == 7 && Mode_Never == 4294967295u && Side_Left == -1, \"\");
static_assert(sizeof(robot.sides) == 2 && sizeof(robot.brakes) == 2, \"\");
int main(void) { return (int)robot.mode; }
";
    for language in [Language::C11, Language::Cpp17] {
        folder.compiles(&format!("{declared}{uses}"), language);
    }
    let alone = c_struct(&Side::schema());
    assert!(alone.ends_with("\n// A message is: Side message\n"), "{alone}");
    folder.compiles(&alone, Language::C11);
}

#[test]
fn a_compiler_that_lays_it_out_otherwise_says_so() {
    let folder = Folder::new();
    let declared = c_struct(&Pose::schema());
    for (right, wrong) in [
        ("offsetof(Pose, heading) == 24", "offsetof(Pose, heading) == 16"),
        ("sizeof(Pose) == 32", "sizeof(Pose) == 40"),
    ] {
        assert!(declared.contains(right), "{declared}");
        let (source, output) = folder.source(&declared.replace(right, wrong), Language::C11);
        let said = try_compile(Language::C11, &["-c"], &[&source], &output).unwrap_err();
        assert!(said.contains("static assertion failed"), "{said}");
    }
}

#[test]
fn names_and_remarks_of_a_stranger_stay_names_and_remarks() {
    let sized = |size, align| Shape { size, align, element: None };
    let byte = |name: &str, at| Field::new(name, at, u8::layout());
    let names = [
        "int",
        "int_",
        "class",
        "0",
        "field0",
        "_Bool",
        "__x",
        "linux",
        "größe",
        "uint8_t",
        "errno_t",
        "NULL",
        "INT8_MAX",
        "offsetof",
        "alignas",
        "assert",
        "static_assert",
        "union",
        "x",
        "x_u00f6",
        "xö",
        "true",
        "nothing",
        "unix",
        "char",
        "message",
        "Twice",
    ];
    let remark = "ends in a backslash \\\nor in ??/\n*/ int broken; /*\r\u{202e}\u{2028}\u{0} \\ ";
    let mut inner = Struct::new("Twice", sized(names.len(), 1)).doc(remark);
    for (at, name) in names.iter().enumerate() {
        inner = inner.field(byte(name, at).unit(remark).doc(remark));
    }
    // Another struct of the same name, and one whose name is a keyword of C.
    let other = Struct::new("Twice", sized(1, 1)).field(byte("only", 0));
    let empty = Struct::new("struct", sized(0, 1));
    let size = names.len() + 2;
    let all = Struct::new("Twice", sized(size, 1))
        .field(Field::new("a", 0, inner.clone().into()))
        .field(Field::new("b", names.len(), other.clone().into()))
        .field(Field::new("c", names.len() + 1, empty.into()))
        .field(Field::new("d", names.len() + 1, other.into()));
    let declared = c_struct(&Schema::new(Type::Struct(all)));
    for language in [Language::C11, Language::Gnu11, Language::Cpp17] {
        Folder::new().compiles(&declared, language);
    }
    assert!(declared.contains("} Twice_3;"), "{declared}");
    assert!(!declared.contains(['\u{202e}', '\r', '\0', '\u{2028}']));

    let tail = Struct::new("Tail", Shape { size: 0, align: 1, element: Some(1) })
        .field(Field::new("bytes", 0, <[u8]>::layout()));
    Folder::new().compiles(&c_struct(&Schema::new(tail.into())), Language::C11);
}

#[test]
fn c_gets_the_same_text_and_a_schema_that_is_none_is_told() {
    let mut text = std::ptr::null_mut();
    let json = std::ffi::CString::new(Pose::schema().to_json()).unwrap();
    // SAFETY: the schema is a text, and there is a place for another.
    assert_eq!(unsafe { ios_schema_to_c(json.as_ptr(), &raw mut text) }, IOS_OK);
    // SAFETY: it was given out as a text.
    assert_eq!(unsafe { CStr::from_ptr(text) }.to_str().unwrap(), c_struct(&Pose::schema()));
    // SAFETY: it was given out as the caller's.
    unsafe { ios_text_free(text) };
    // SAFETY: as above.
    assert_eq!(unsafe { ios_schema_to_c(c"{}".as_ptr(), &raw mut text) }, IOS_BAD_SCHEMA);
}
