//! The C compiler, for tests.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "it is for tests")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with a test's own pointers")]

pub(crate) mod calls;
pub(crate) mod cpp;
pub(crate) mod structs;

use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    C99,
    C11,
    Gnu11,
    Cpp17,
}

impl Language {
    pub(crate) fn extension(self) -> &'static str {
        if self == Self::Cpp17 { "cpp" } else { "c" }
    }

    fn command(self) -> Command {
        let (compiler, variable, standard) = match self {
            Self::C99 => ("cc", "CC", "-std=c99"),
            Self::C11 => ("cc", "CC", "-std=c11"),
            Self::Gnu11 => ("cc", "CC", "-std=gnu11"),
            Self::Cpp17 => ("c++", "CXX", "-std=c++17"),
        };
        let mut command = Command::new(std::env::var(variable).unwrap_or(compiler.into()));
        command.args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror"]);
        command
    }
}

pub(crate) fn include() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include")
}

/// Compiles `sources` to `output`.
#[track_caller]
pub(crate) fn compile(language: Language, options: &[&str], sources: &[&Path], output: &Path) {
    if let Err(said) = try_compile(language, options, sources, output) {
        panic!("{said}");
    }
}

/// As [`compile`]; returns the compiler's text of an error.
#[track_caller]
pub(crate) fn try_compile(
    language: Language,
    options: &[&str],
    sources: &[&Path],
    output: &Path,
) -> Result<(), String> {
    let mut command = language.command();
    command.arg("-I").arg(include()).args(sources).arg("-o").arg(output).args(options);
    let done = command.output().unwrap_or_else(|error| {
        panic!("these tests need a C and a C++ compiler (CC, CXX; cc, c++): {command:?}: {error}")
    });
    let said = String::from_utf8_lossy(&done.stderr);
    if done.status.success() { Ok(()) } else { Err(format!("{command:?}:\n{said}")) }
}

/// How a program gets the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linked {
    Shared,
    Static,
}

/// Where cargo put the libraries: next to this test. Programs look for the shared one by its
/// soname, which is a link to it, as in an installation.
pub(crate) fn libraries() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().expect("it lies in a folder");
    let soname = format!("libio_shared_ffi.so.{}", io_shared_ffi::IOS_ABI_VERSION);
    match std::os::unix::fs::symlink("libio_shared_ffi.so", folder.join(soname)) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => panic!("{error}"),
        _ => folder.to_owned(),
    }
}

/// Compiles a program, and returns its path.
#[track_caller]
pub(crate) fn compile_program(
    language: Language,
    source: &Path,
    folder: &Path,
    linked: Linked,
) -> PathBuf {
    let program = folder.join(source.file_stem().expect("a source has a name"));
    let libraries = libraries();
    let text = libraries.to_str().expect("the target folder is UTF-8");
    let search = format!("-L{text}");
    let rpath = format!("-Wl,-rpath,{text}");
    let archive = format!("{text}/libio_shared_ffi.a");
    let options: &[&str] = match linked {
        Linked::Shared => &[&search, "-lio_shared_ffi", &rpath],
        Linked::Static => &[&archive, "-lpthread", "-ldl", "-lm"],
    };
    compile(language, options, &[source], &program);
    program
}
