//! What `#[derive(Message)]` accepts, and the text of every error for what it does not accept.
//!
//! The texts are those of the compiler in `rust-toolchain.toml`. After a change of the derive or of
//! the compiler, run `TRYBUILD=overwrite cargo test --test ui` and read the difference.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

#[test]
fn the_derive_takes_messages_and_says_what_to_do_about_the_rest() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}

#[test]
fn what_the_errors_advise_compiles_when_it_is_followed() {
    let cases = trybuild::TestCases::new();
    for (case, before) in [("padding", "type Seconds = f64;"), ("generic_padding", "")] {
        let shown = stderr(case).split("give those bytes names").skip(1).map(shown).collect();
        cases.pass(followed(case, before, shown));
    }
    for case in ["types", "lists", "once", "all_at_once"] {
        cases.pass(followed(
            case,
            "use io_shared::{List, ListData, Text};",
            with_types_of(&stderr(case)),
        ));
    }
}

fn stderr(case: &str) -> String {
    fs::read_to_string(format!("tests/ui/fail/{case}.stderr")).unwrap()
}

/// A program with the derive on all of `structs`.
fn followed(case: &str, before: &str, structs: Vec<String>) -> String {
    assert!(!structs.is_empty(), "{case} advises nothing");
    let structs = structs.iter().map(|shown| format!("#[derive(io_shared::Message)]\n{shown}\n"));
    let structs: String = structs.collect();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("followed_{case}.rs"));
    fs::write(
        &path,
        format!("#![allow(dead_code, unused_imports)]\n{before}\n{structs}\nfn main() {{}}\n"),
    )
    .unwrap();
    path.display().to_string()
}

/// The struct that an error shows: what follows the colon, up to the error's location.
fn shown(said: &str) -> String {
    let (_, text) = said.split_once(":\n").unwrap();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("-->"));
    lines.collect::<Vec<_>>().join("\n")
}

/// For each type that an error advises, a struct with a field of that type.
fn with_types_of(stderr: &str) -> Vec<String> {
    let refused = stderr.lines().filter_map(|line| line.strip_prefix("error: `"));
    let advised = refused.filter_map(|line| line.split_once(": ")?.1.split_once('`'));
    let types = advised.flat_map(|(_, advice)| advice.split('`').step_by(2));
    let types = types.filter(|ty| !ty.starts_with('#') && *ty != "data: ListData");
    let data = |ty: &str| if ty.starts_with("List<") { ", data: ListData" } else { "" };
    let structs = types.enumerate();
    structs.map(|(i, ty)| format!("#[repr(C)]\nstruct S{i} {{ x: {ty}{} }}", data(ty))).collect()
}
