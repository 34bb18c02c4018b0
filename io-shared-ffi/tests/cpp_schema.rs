//! Schemas of structs in C++ are those that the derive makes in Rust, and what cannot be a message
//! does not compile.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::path::{Path, PathBuf};
use std::process::Command;

use io_shared::{DurationNs, List, ListData, Message, Schema, SystemTimeNs, Text};

mod common;

use common::cpp::{CLANG_20, GCC_17};
use common::structs::{Detections, Level, Nested, Numbers, Point, halves};

#[derive(Clone, Copy, Message)]
#[repr(u8)]
enum Gear {
    Neutral,
    Forward,
    Reverse = 7,
}

#[derive(Message)]
#[repr(C)]
struct Renamed {
    values: List<f32>,
    rest: ListData,
}

#[derive(Message)]
#[repr(C)]
struct Cloud {
    frame: u64,
    #[message(unit = "ns", stamp)]
    stamp_ns: u64,
    #[message(frame = "lidar")]
    points: [Point],
}

#[derive(Message)]
#[repr(C)]
struct Wide {
    a: u32,
    b: u32,
    numbers: [[f64; 2]],
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Times {
    #[message(unit = "ns")]
    exposure: DurationNs,
    #[message(unit = "ns", stamp)]
    stamp: SystemTimeNs,
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Track {
    position: [f32; 3],
    path: [[f32; 3]; 2],
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Drive {
    speed: f32,
    gear: Gear,
    brakes: [bool; 3],
}

#[derive(Clone, Copy, Message)]
#[repr(u8)]
#[allow(non_camel_case_types, reason = "words of C++")]
enum Sort {
    default,
    new,
}

#[derive(Message)]
#[repr(C)]
struct Words {
    #[message(unit = "1")]
    class: u32,
    delete: Sort,
    plain: [u8; 3],
    this: [Point],
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cpp").join(name)
}

#[test]
fn a_struct_in_cpp_has_the_schema_that_the_derive_makes_of_the_same_struct_in_rust() {
    let expected = [
        Numbers::schema(),
        Nested::schema(),
        Detections::schema(),
        Renamed::schema(),
        Cloud::schema(),
        Wide::schema(),
        Times::schema(),
        halves(),
        Track::schema(),
        Drive::schema(),
        Words::schema(),
        f32::schema(),
        Level::schema(),
        <[f32; 4]>::schema(),
        Text::<12>::schema(),
        <[Point]>::schema(),
    ];
    let folder = tempfile::tempdir().unwrap();
    for compiler in [GCC_17, CLANG_20] {
        let program = compiler.program(&source("schemas.cpp"), folder.path(), &[]);
        let done = Command::new(program).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        let found = String::from_utf8(done.stdout).unwrap();
        assert_eq!(found.lines().count(), expected.len(), "{found}");
        for (found, expected) in found.lines().zip(&expected) {
            assert_eq!(found, expected.to_json(), "{compiler:?}");
            assert_eq!(Schema::from_json(found).unwrap().hash(), expected.hash());
        }
    }
}

#[test]
fn what_cannot_be_a_message_does_not_compile_and_the_error_says_what_to_write() {
    let text = std::fs::read_to_string(source("wrong.cpp")).unwrap();
    let expected: Vec<&str> =
        text.lines().filter_map(|line| line.trim().strip_prefix("//: ")).collect();
    assert!(expected.len() >= 20, "{expected:?}");
    for compiler in [GCC_17.plain(), CLANG_20.plain()] {
        let options = ["-fsyntax-only", "-ferror-limit=0"];
        let options = if compiler.is_clang() { &options[..] } else { &options[..1] };
        let said = compiler.try_compile(options, &source("wrong.cpp")).unwrap_err();
        // A compiler breaks no line of a message.
        let missing: Vec<_> = expected.iter().filter(|text| !said.contains(**text)).collect();
        assert!(missing.is_empty(), "{compiler:?}: {missing:#?}\n{said}");
    }
}
