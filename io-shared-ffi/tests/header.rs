//! The header: it matches the crate, and C and C++ compile it.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::path::{Path, PathBuf};

mod common;

use common::{Language, compile};

fn header() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include/io_shared.h")
}

/// `IO_SHARED_HEADER=overwrite cargo test -p io-shared-ffi --test header` writes it anew.
#[test]
fn the_committed_header_is_what_cbindgen_makes_of_the_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::generate_with_config(root, config).unwrap();
    let mut made = Vec::new();
    bindings.write(&mut made);
    let made = String::from_utf8(made).unwrap();
    if std::env::var("IO_SHARED_HEADER").is_ok_and(|value| value == "overwrite") {
        std::fs::write(header(), &made).unwrap();
    }
    let committed = std::fs::read_to_string(header()).unwrap_or_default();
    assert!(made == committed, "the header is out of date: IO_SHARED_HEADER=overwrite writes it");
}

#[test]
fn the_header_compiles_without_a_warning_as_c99_c11_and_cpp17() {
    let folder = tempfile::tempdir().unwrap();
    for language in [Language::C99, Language::C11, Language::Cpp17] {
        let source = folder.path().join(format!("header.{}", language.extension()));
        std::fs::write(
            &source,
            "#include \"io_shared.h\"\n#include \"io_shared.h\"\n\
             ios_status use(void);\n\
             ios_status use(void) {\n\
               ios_options o; ios_options_init(&o, sizeof o); return IOS_OK;\n\
             }\n",
        )
        .unwrap();
        compile(language, &["-c"], &[&source], &folder.path().join("header.o"));
    }
}
