//! Programs in C++, with all that the headers offer: compiled by g++ and clang++, as C++17 and
//! C++20, and run under the sanitizers of addresses and of undefined behaviour.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::path::{Path, PathBuf};
use std::process::Command;

mod common;

use common::cpp::{CLANG_17, CLANG_20, Cpp, GCC_17, GCC_20};
use test_support::TestName;

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cpp").join(name)
}

/// Compiles and runs a program of `tests/cpp`, which checks itself.
#[track_caller]
fn holds(name: &str, compilers: &[Cpp], options: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for compiler in compilers {
        let program = compiler.program(&source(name), folder.path(), options);
        let prefix = TestName::new("cpp");
        let done = Command::new(program).arg(format!("{}-", &*prefix)).output().unwrap();
        assert!(done.status.success(), "{compiler:?}: {done:?}");
        assert_eq!(String::from_utf8(done.stdout).unwrap(), "all of it holds\n");
        assert_eq!(String::from_utf8(done.stderr).unwrap(), "", "{compiler:?}");
    }
}

#[test]
fn channels_hold_with_gcc_what_their_comments_say() {
    holds("channels.cpp", &[GCC_17, GCC_20], &[]);
}

#[test]
fn channels_hold_with_clang_what_their_comments_say() {
    holds("channels.cpp", &[CLANG_17, CLANG_20], &[]);
}

#[test]
fn locks_hold_what_their_comments_say_and_an_exception_under_one_leaves_its_mark() {
    holds("locks.cpp", &[GCC_17, CLANG_20], &[]);
}

#[test]
fn services_and_states_hold_what_their_comments_say() {
    holds("services.cpp", &[GCC_17, CLANG_20], &[]);
}

#[test]
fn programs_without_exceptions_have_results() {
    holds("results.cpp", &[GCC_17, CLANG_20], &["-fno-exceptions"]);
}

#[test]
fn programs_with_exceptions_may_ask_for_results() {
    holds("results.cpp", &[GCC_20.plain()], &["-DIO_SHARED_RESULTS"]);
}
