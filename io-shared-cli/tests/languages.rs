//! The command next to a producer that is written in C. python/tests/test_inspect.py has Python's.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::printed;
use io_shared::Channel;
use serde_json::Value as Json;
use test_support::TestName;

/// The C library. It is built into a folder of its own: next to the tests it would take the place
/// of the one that its own documentation tests are compiled against.
fn c_library() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c-library");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--package", "io-shared-ffi", "--target-dir"]);
    cargo.arg(&target).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(cargo.status().unwrap().success(), "{cargo:?}");
    target.join("debug")
}

/// The C example that puts clouds, linked with the C library.
fn put_clouds(folder: &Path) -> PathBuf {
    let library = c_library();
    let ffi = Path::new(env!("CARGO_MANIFEST_DIR")).join("../io-shared-ffi");
    // The name by which the program looks for it, as in an installation.
    let header = std::fs::read_to_string(ffi.join("include/io_shared.h")).unwrap();
    let version = header.lines().find_map(|line| line.strip_prefix("#define IOS_ABI_VERSION "));
    let soname = folder.join(format!("libio_shared_ffi.so.{}", version.unwrap().trim()));
    std::os::unix::fs::symlink(library.join("libio_shared_ffi.so"), soname).unwrap();
    let program = folder.join("put_clouds");
    let mut compiler = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
    compiler.arg("-std=c11").arg("-I").arg(ffi.join("include")).arg("-o").arg(&program);
    compiler.arg(ffi.join("examples/put_clouds.c")).arg("-L").arg(library);
    compiler.args(["-lio_shared_ffi", &format!("-Wl,-rpath,{}", folder.display())]);
    assert!(compiler.status().unwrap().success(), "{compiler:?}");
    program
}

#[test]
fn a_producer_in_c_is_seen_as_one_in_rust_is() {
    let folder = tempfile::tempdir().unwrap();
    let program = put_clouds(folder.path());
    let name = TestName::new("from-c");
    let json = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../io-shared-ffi/examples/cloud.json"),
    )
    .unwrap();
    let schema = io_shared::Schema::from_json(json.trim()).unwrap();
    // It waits until its first cloud is taken.
    let channel = Channel::<[u8]>::named(&*name).schema(schema).capacity("5M");
    let mut consumer = channel.consumer().unwrap();
    let mut child = Command::new(program).args([&*name, "2", "5"]).spawn().unwrap();
    assert_eq!(printed(&["wait", &name, "--timeout", "60s"]), "");
    let row = printed(&["list", &name]);
    assert!(row.contains(&format!("\tput_clouds ({})\t", child.id())), "{row}");
    let told = printed(&["echo", &name, "--once", "--field", "points.3"]);
    let yaml = "# value 1\nx: 3.0  # m\ny: 0.0  # m\nz: 0.5  # m\nintensity: 1.0\n---\n";
    assert_eq!(told.replace("  # m", ""), yaml.replace("  # m", ""));
    let object: Json = serde_json::from_str(&printed(&["info", "--json", &name])).unwrap();
    assert_eq!((&object["type"], &object["seq"]), (&"Cloud".into(), &1.into()));
    drop(consumer.get().unwrap());
    assert!(child.wait().unwrap().success());
    assert!(printed(&["info", &name]).contains("put_clouds"), "the last producer is named");
}
