//! The C++ compilers, for tests: g++ and clang++, for C++17 and C++20.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{include, libraries};

/// A compiler with its options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpp {
    compiler: &'static str,
    standard: &'static str,
    more: &'static [&'static str],
}

/// Finds what is read or written where it should not be, and undefined behaviour. Clang's runtime
/// for this is a package of its own on some systems, which ci/tools.sh installs.
const SANITIZED: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1"];

pub(crate) const GCC_17: Cpp = Cpp { compiler: "g++", standard: "-std=c++17", more: SANITIZED };
pub(crate) const GCC_20: Cpp = Cpp { standard: "-std=c++20", ..GCC_17 };
pub(crate) const CLANG_17: Cpp = Cpp { compiler: "clang++", ..GCC_17 };
pub(crate) const CLANG_20: Cpp = Cpp { standard: "-std=c++20", ..CLANG_17 };

impl Cpp {
    /// Without the sanitizers.
    pub(crate) fn plain(self) -> Self {
        Self { more: &[], ..self }
    }

    pub(crate) fn is_clang(self) -> bool {
        self.compiler == "clang++"
    }

    /// Compiles with these options, and returns the compiler's text of an error.
    #[track_caller]
    pub(crate) fn try_compile(self, options: &[&str], source: &Path) -> Result<(), String> {
        let mut command = Command::new(self.compiler);
        command.args([self.standard, "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion"]);
        command.arg("-Werror").args(self.more).arg("-I").arg(include());
        command.arg(source).args(options).env("LC_ALL", "C");
        let done = command.output().unwrap_or_else(|error| {
            panic!("these tests need g++ and clang++ (ci/tools.sh): {command:?}: {error}")
        });
        let said = String::from_utf8_lossy(&done.stderr);
        if done.status.success() { Ok(()) } else { Err(format!("{command:?}:\n{said}")) }
    }

    /// Compiles a program that uses the shared library, and returns its path.
    #[track_caller]
    pub(crate) fn program(self, source: &Path, folder: &Path, options: &[&str]) -> PathBuf {
        let stem = source.file_stem().unwrap().to_str().unwrap();
        let program = folder.join(format!("{stem}-{}{}", self.compiler, self.standard));
        let (libraries, output) = (libraries(), program.to_str().unwrap());
        let search = format!("-L{}", libraries.display());
        let rpath = format!("-Wl,-rpath,{}", libraries.display());
        let link = ["-o", output, &search, "-lio_shared_ffi", &rpath, "-pthread"];
        if let Err(said) = self.try_compile(&[options, &link].concat(), source) {
            panic!("{said}");
        }
        program
    }
}
