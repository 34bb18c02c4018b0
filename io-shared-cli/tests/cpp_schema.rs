//! What `info --schema cpp` prints is pasted into a program as it stands.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::path::Path;
use std::process::Command;

use io_shared::{Channel, List, ListData, Message, NdList, Text};
use test_support::TestName;

/// What the robot does.
#[derive(Clone, Copy, Message)]
#[repr(i8)]
enum Mode {
    Idle,
    Driving = 3,
    Broken = -1,
}

#[derive(Clone, Copy, Message)]
#[repr(C, align(16))]
struct Box3 {
    corner: [f32; 3],
    size: f32,
}

#[derive(Message)]
#[repr(C)]
struct Detections {
    /// When it was seen.
    #[message(unit = "ns", stamp)]
    stamp_ns: u64,
    boxes: List<Box3>,
    names: List<Text<32>>,
    image: NdList<u8, 3>,
    turn: [[f64; 3]; 3],
    mode: Mode,
    valid: bool,
    rest: ListData,
}

#[derive(Message)]
#[repr(C)]
struct Cloud {
    frame: Text<16>,
    #[message(frame = "lidar")]
    points: [Box3],
}

#[track_caller]
fn compiles(name: &str, says: &[&str]) {
    let printed = common::run(&["info", name, "--schema", "cpp"]);
    assert_eq!(printed.code, 0, "{}", printed.err);
    for line in says {
        assert!(printed.out.contains(line), "{line}\n{}", printed.out);
    }
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("printed.cpp");
    std::fs::write(&source, printed.out).unwrap();
    let headers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../io-shared-ffi/include");
    let compiling = &mut Command::new("g++");
    compiling.args(["-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]);
    let done = compiling.arg("-I").arg(headers).arg(source).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_schema_for_cpp_compiles_as_it_is_printed() {
    let (lists, tail) = (TestName::new("cpp-lists"), TestName::new("cpp-tail"));
    let _lists = Channel::<Detections>::named(&*lists).growing(true).producer().unwrap();
    compiles(
        &lists,
        &["IO_SHARED_DATA(Detections, rest);", "(Detections, stamp_ns, \"ns stamp\")"],
    );
    let _tail = Channel::<Cloud>::named(&*tail).growing(true).producer().unwrap();
    compiles(&tail, &["struct alignas(16) Box3 {", "IO_SHARED_TAIL(Cloud, points, Box3);"]);
}
