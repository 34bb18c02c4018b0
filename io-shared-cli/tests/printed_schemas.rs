//! What `info --schema c` and `cpp` print is pasted into a program as it stands.

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
    tracks: List<[Text<32>; 2]>,
    turn: [[f64; 3]; 3],
    deep: [[[[f32; 2]; 1]; 3]; 2],
    labels: [Text<8>; 2],
    modes: [Mode; 2],
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

/// What is printed of a channel has these lines, and compiles with `end` after it.
#[track_caller]
fn compiles(form: &str, name: &str, says: &[&str], end: &str) {
    let printed = common::run(&["info", name, "--schema", form]);
    assert_eq!(printed.code, 0, "{}", printed.err);
    for line in says {
        assert!(printed.out.contains(line), "{line}\n{}", printed.out);
    }
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("printed").with_extension(form);
    std::fs::write(&source, printed.out.clone() + end).unwrap();
    let headers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../io-shared-ffi/include");
    let (compiler, standard) =
        if form == "c" { ("gcc", "-std=c11") } else { ("g++", "-std=c++17") };
    let compiling = &mut Command::new(compiler);
    compiling.args([standard, "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]);
    let done = compiling.arg("-I").arg(headers).arg(source).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}\n{}", printed.out);
}

#[test]
fn a_schema_for_c_and_cpp_compiles_as_it_is_printed() {
    let (lists, tail) = (TestName::new("printed-lists"), TestName::new("printed-tail"));
    let _lists = Channel::<Detections>::named(&*lists).growing(true).producer().unwrap();
    let says = ["IO_SHARED_DATA(Detections, rest);", "(Detections, stamp_ns, \"ns stamp\")"];
    compiles("cpp", &lists, &says, "");
    // C aligns the struct for what is in its lists only if it is told so, and checks nothing of it.
    let says = ["_Alignas(16) uint64_t stamp_ns;", "IOS_LIST(Detections, Text32x2, tracks)"];
    let shape = Detections::schema().root().shape();
    let end = format!(
        "_Static_assert(offsetof(Detections, valid) + sizeof(bool) == {}, \"the size\");
         _Static_assert(_Alignof(Detections) == {}, \"the alignment\");
         int main(void) {{ return ios_type_Detections.count == 0; }}",
        shape.size, shape.align
    );
    compiles("c", &lists, &says, &end);

    let _tail = Channel::<Cloud>::named(&*tail).growing(true).producer().unwrap();
    let says = ["struct alignas(16) Box3 {", "IO_SHARED_TAIL(Cloud, points, Box3);"];
    compiles("cpp", &tail, &says, "");
    let says = ["_Alignas(16) float corner[3];", "IOS_TAIL(Cloud, Box3, points)"];
    compiles("c", &tail, &says, "int main(void) { return ios_type_Cloud.count == 0; }");
}
