//! A C program that puts and gets lists, under the address sanitizer and under valgrind.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

mod common;

use common::{Language, compile, compile_program, libraries};
use test_support::TestName;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lists.c")
}

#[track_caller]
fn is_silent(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| {
        panic!("{command:?} does not run ({error}): `apt-get install valgrind`, or ci/tools.sh")
    });
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn valgrind_finds_no_error_in_a_program_with_lists() {
    let folder = tempfile::tempdir().unwrap();
    let name = TestName::new("valgrind");
    let program = compile_program(Language::C11, &source(), folder.path(), common::Linked::Shared);
    let flags = ["--quiet", "--error-exitcode=9", "--leak-check=full"];
    is_silent(Command::new("valgrind").args(flags).arg(program).arg(&*name));
}

#[test]
fn the_address_sanitizer_finds_no_error_in_a_program_with_lists() {
    let folder = tempfile::tempdir().unwrap();
    let name = TestName::new("asan");
    let program = folder.path().join("lists");
    let libraries = libraries();
    let libraries = libraries.to_str().unwrap();
    let (search, rpath) = (format!("-L{libraries}"), format!("-Wl,-rpath,{libraries}"));
    let options = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let linked = [&*search, "-lio_shared_ffi", &*rpath];
    compile(Language::C11, &[&options[..], &linked[..]].concat(), &[&source()], &program);
    is_silent(Command::new(program).arg(&*name));
}
