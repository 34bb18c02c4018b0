//! What `info --schema c`, `cpp` and `numpy` print is pasted into a program as it stands.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;
#[path = "languages/programs.rs"]
#[allow(dead_code, reason = "only the library that Python loads is needed")]
mod programs;

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

#[derive(Clone, Copy, Message)]
#[repr(u8)]
#[allow(non_camel_case_types, reason = "words of other languages")]
enum union {
    default,
    r#true,
    Plain,
}

#[derive(Message)]
#[repr(C)]
struct r#virtual {
    class: f64,
    r#static: [u8; 4],
    register: Text<3>,
    r#final: union,
    auto: List<u8>,
    auto_: NdList<u8, 3>,
    r#return: ListData,
}

#[derive(Message)]
#[repr(C)]
struct Tuple(u32, u32);

#[derive(Message)]
#[repr(C)]
struct Tail {
    r#type: u64,
    this: [Tuple],
}

#[test]
fn a_schema_whose_names_are_words_of_the_language_compiles_as_it_is_printed() {
    let (lists, tail) = (TestName::new("printed-words"), TestName::new("printed-word"));
    let _lists = Channel::<r#virtual>::named(&*lists).growing(true).producer().unwrap();
    let _tail = Channel::<Tail>::named(&*tail).growing(true).producer().unwrap();
    let says = [
        "IO_SHARED_NAME(union_, default_, \"default\");",
        "IO_SHARED_NAME(virtual_, auto__, \"auto\");",
        "IO_SHARED_DATA(virtual_, return);",
    ];
    compiles("cpp", &lists, &says, "int use() { return io_shared::schema<virtual_>().empty(); }");
    let says = ["IOS_NAMED(\"class\")", "IOS_VARIANT(default, 0)", "IOS_DATA(return)"];
    compiles("c", &lists, &says, "int main(void) { return ios_type_virtual_.count == 0; }");

    let says = ["IO_SHARED_TAIL(Tail, this_, Tuple);", "IO_SHARED_NAME(Tuple, f0, \"0\");"];
    compiles("cpp", &tail, &says, "int use() { return io_shared::schema<Tail>().empty(); }");
    let says = ["IOS_NAMED(\"this\")", "IOS_NAMED(\"0\")"];
    compiles("c", &tail, &says, "int main(void) { return ios_type_Tail.count == 0; }");

    let printed = common::run(&["info", &lists, "--schema", "rust"]).out;
    for line in ["enum union {", "    r#true = 1,", "struct r#virtual {", "    r#static: [u8; 4],"]
    {
        assert!(printed.lines().any(|found| found == line), "{line}\n{printed}");
    }
}

#[derive(Message)]
#[repr(C)]
struct Found {
    stamp_ns: u64,
    boxes: List<[f32; 4]>,
    names: List<Text<32>>,
    image: NdList<u8, 3>,
    tracks: NdList<Track, 2>,
    turn: [[f64; 3]; 3],
    modes: [Mode; 2],
    mode: Mode,
    valid: bool,
    _pad: [u8; 4],
    data: ListData,
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Track {
    name: Text<8>,
    at: [f32; 2],
}

#[derive(Message)]
#[repr(C)]
struct Tracks {
    frame: u64,
    mode: Mode,
    _pad: [u8; 7],
    tracks: [Track],
}

#[test]
fn a_schema_for_numpy_makes_a_producer_of_the_same_messages() {
    let library = programs::c_library();
    let names = [(); 5].map(|()| TestName::new("printed-numpy"));
    let _found = Channel::<Found>::named(&*names[0]).growing(true).producer().unwrap();
    let _tracks = Channel::<Tracks>::named(&*names[1]).growing(true).producer().unwrap();
    let _track = Channel::<Track>::named(&*names[2]).producer().unwrap();
    let _points = Channel::<[f32]>::named(&*names[3]).capacity(99).producer().unwrap();
    let _pose = Channel::<[[f64; 3]; 2]>::named(&*names[4]).producer().unwrap();
    for name in &names {
        let printed = common::run(&["info", name, "--schema", "numpy"]);
        assert_eq!(printed.code, 0, "{}", printed.err);
        let again = TestName::new("printed-again");
        // A consumer of another type does not open the channel.
        let program = format!(
            "{}\nimport io_shared\ntail = globals().get('tail')\n\
             io_shared.consumer('{}', dtype, tail).close()\n\
             io_shared.producer('{}', dtype, tail, capacity=9999).close()\n",
            printed.out, &**name, &*again
        );
        let python = &mut Command::new(test_support::readers::python());
        python.args(["-B", "-c", &program]).env("IO_SHARED_LIBRARY", &library);
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/src");
        let done = python.env("PYTHONPATH", package).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{said}\n{program}");
        let found = common::run(&["info", &again, "--schema", "numpy"]);
        assert_eq!(found.out, printed.out);
    }
}
