//! Schemas that the header's macros make of C structs are those that the derive makes in Rust.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::path::{Path, PathBuf};
use std::process::Command;

use io_shared::{List, ListData, Message, Schema};
use io_shared_ffi::c_struct;

mod common;

use common::structs::{Detections, Nested, Numbers, Point, halves};
use common::{Language, Linked, compile, compile_program, try_compile};

#[derive(Message)]
#[repr(C)]
struct Cloud {
    frame: u64,
    points: [Point],
}

#[derive(Clone, Copy, Message)]
#[repr(u8)]
#[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "words of C")]
enum Sort {
    default,
    ROWS,
}

#[derive(Message)]
#[repr(C)]
struct Words {
    #[message(unit = "1")]
    class: u32,
    r#static: Sort,
    plain: [u8; 3],
    #[message(unit = "m")]
    r#return: List<Point>,
    data: ListData,
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c_schema.c")
}

fn lines(program: &Path, arguments: &[&str]) -> Vec<String> {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_c_struct_has_the_schema_that_the_derive_makes_of_the_same_struct_in_rust() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = vec![
        Numbers::schema(),
        Nested::schema(),
        Detections::schema(),
        f32::schema(),
        <[f32; 4]>::schema(),
        halves(),
        Words::schema(),
        Cloud::schema(),
    ];
    for language in [Language::C99, Language::C11, Language::Cpp17] {
        let program = match language {
            Language::Cpp17 => {
                // C++ has no flexible arrays.
                expected.pop();
                let copy = folder.path().join("c_schema.cpp");
                std::fs::copy(source(), &copy).unwrap();
                compile_program(language, &copy, folder.path(), Linked::Static)
            }
            _ => compile_program(language, &source(), folder.path(), Linked::Shared),
        };
        let found = lines(&program, &[]);
        assert_eq!(found.len(), expected.len(), "{language:?}");
        for (found, expected) in found.iter().zip(&expected) {
            let found = Schema::from_json(found).expect(found);
            assert_eq!(found.differences(expected), Vec::<String>::new(), "{language:?}");
            assert_eq!(found.hash(), expected.hash(), "{language:?}");
            assert_eq!(found, *expected, "also the names");
        }
    }
}

#[test]
fn a_c_struct_that_cannot_be_a_message_is_told_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile_program(Language::C11, &source(), folder.path(), Linked::Shared);
    let said = lines(&program, &["wrong"]);
    for (said, expected) in said.iter().zip([
        "struct Gap: there is padding before `b`: add a member `uint8_t pad1[3]` there",
        "struct End: there is padding at the end, or a member is left out: add a member `uint8_t \
         pad5[3]`",
        "struct Array: member `a` has 8 bytes, and what the macro says of it 4: is it an array",
        "no variant",
        "`flags`",
        "struct Unlisted: the last 8 bytes are in no member that the macro lists: list the member \
         before IOS_DATA",
        "struct First: the unit `m` stands before all members",
        "struct Unnamed: the name `class` stands before all members",
        "`type` must not be NULL",
    ]) {
        assert!(said.contains(expected), "{said}\n{expected}");
    }
    assert_eq!(said.len(), 9, "{said:?}");
}

#[test]
fn a_kind_that_is_not_that_of_the_member_does_not_compile() {
    let folder = tempfile::tempdir().unwrap();
    let members = "uint32_t a; int16_t b[2]; ios_list c;";
    for (right, wrong) in [
        ("IOS_FIELD(T, u32, a)", "IOS_FIELD(T, f32, a)"),
        ("IOS_ARRAY(T, i16, b)", "IOS_ARRAY(T, u16, b)"),
        ("IOS_LIST(T, u8, c)", "IOS_FIELD(T, u64, c)"),
    ] {
        let all = "IOS_FIELD(T, u32, a), IOS_ARRAY(T, i16, b), IOS_LIST(T, u8, c), IOS_DATA(data)";
        for language in [Language::C99, Language::C11, Language::Cpp17] {
            declare(language, folder.path(), members, all).unwrap();
            let said = declare(language, folder.path(), members, &all.replace(right, wrong));
            complains(&said.unwrap_err());
        }
    }
}

#[test]
fn a_pointer_where_a_text_or_an_array_should_be_does_not_compile() {
    let folder = tempfile::tempdir().unwrap();
    for (array, pointer, macros) in [
        ("char a[8];", "char *a;", "IOS_TEXT_FIELD(T, a)"),
        ("double a[3];", "double *a;", "IOS_ARRAY(T, f64, a)"),
        ("double a[3][4];", "double *a[3];", "IOS_ARRAY2(T, f64, a)"),
        ("double a[3][4];", "double (*a)[4];", "IOS_ARRAY2(T, f64, a)"),
        ("uint8_t a[2][1][4];", "uint8_t *a[2][1];", "IOS_ARRAY3(T, u8, a)"),
        ("uint8_t a[2][1][4];", "uint8_t (*a)[1][4];", "IOS_ARRAY3(T, u8, a)"),
        ("IOS_ND_LIST_OF(2) a;", "struct { uint64_t offset, *shape; } a;", "IOS_ND_LIST(T, u8, a)"),
        ("uint64_t n; float a[];", "uint64_t n; float *a;", "IOS_TAIL(T, f32, a)"),
    ] {
        for language in [Language::C99, Language::C11, Language::Cpp17] {
            // C++ has no flexible arrays.
            if language == Language::Cpp17 && array.contains("[]") {
                continue;
            }
            declare(language, folder.path(), array, macros).unwrap();
            complains(&declare(language, folder.path(), pointer, macros).unwrap_err());
        }
    }
}

/// Compiles a struct of these members, with these macros.
fn declare(language: Language, folder: &Path, members: &str, macros: &str) -> Result<(), String> {
    let file = folder.join(format!("declared.{}", language.extension()));
    let text = format!(
        "#include \"io_shared.h\"\ntypedef struct {{ {members} }} T;\nIOS_MESSAGE(T, {macros});\n\
         const ios_type *use(void);\nconst ios_type *use(void) {{ return &ios_type_T; }}\n"
    );
    std::fs::write(&file, text).unwrap();
    try_compile(language, &["-c"], &[&file], &folder.join("declared.o"))
}

/// Whether the compilers say that types differ, or that a pointer's size is not an array's.
#[track_caller]
fn complains(said: &str) {
    let texts =
        ["pointer type mismatch", "pointer types", "incompatible operand types", "pointer-div"];
    assert!(texts.iter().any(|text| said.contains(text)), "{said}");
}

#[test]
fn lists_are_declared_with_the_accessor_of_each_and_compile() {
    let folder = tempfile::tempdir().unwrap();
    let declared = c_struct(&Detections::schema());
    for line in [
        "#include \"io_shared.h\"",
        "  ios_list boxes;",
        "  IOS_ND_LIST_OF(3) image;",
        "// Detections.boxes has elements float[4]: ios_guard_list(value.guard, \
         offsetof(Detections, boxes), sizeof(float[4]), &elements, shape, 1)",
        "// Detections.points has elements Point: ios_guard_list(value.guard, \
         offsetof(Detections, points), sizeof(Point), &elements, shape, 1)",
    ] {
        assert!(declared.lines().any(|found| found == line), "{line}\n{declared}");
    }
    // What is printed is used as it stands.
    let calls: String = declared
        .lines()
        .filter_map(|line| line.split_once(": ios_guard_list(").filter(|_| line.starts_with("//")))
        .map(|(_, call)| format!("  ios_guard_list({call};\n"))
        .collect();
    assert_eq!(calls.lines().count(), 4, "{calls}");
    let uses = format!(
        "void use(ios_value value, const void *elements, size_t *shape);\n\
         void use(ios_value value, const void *elements, size_t *shape) {{\n{calls}}}\n\
         static_assert(offsetof(Detections, image.shape) == {}, \"\");\n",
        std::mem::offset_of!(Detections, image) + 8
    );
    for language in [Language::C11, Language::Cpp17] {
        let file = folder.path().join(format!("declared.{}", language.extension()));
        std::fs::write(&file, format!("{declared}{uses}")).unwrap();
        compile(language, &["-c"], &[&file], &folder.path().join("declared.o"));
    }
}
