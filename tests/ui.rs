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
    let shown = stderr("several_fields").split("this is the struct").skip(1).map(shown).collect();
    cases.pass(followed("several_fields", USED, shown));
    for case in ["types", "lists", "once", "all_at_once"] {
        cases.pass(followed(case, USED, with_types_of(&stderr(case))));
    }
    cases.pass(converted(&stderr("once")));
}

/// A program with the conversions of times that the errors advise, in a `main` as in the guide.
fn converted(stderr: &str) -> String {
    let mut body = String::new();
    for (advised, before) in [
        ("DurationNs", "let duration = std::time::Duration::from_secs(1);"),
        ("SystemTimeNs", "let time = std::time::SystemTime::now();"),
    ] {
        let note = format!("use `{advised}`: ");
        let (_, advice) = stderr.split_once(&note).unwrap();
        let code: Vec<&str> =
            advice.lines().next().unwrap().split('`').skip(1).step_by(2).collect();
        let [there @ .., back] = &code[..] else { panic!("{advice}") };
        body += &format!("    {before}\n");
        for one in there {
            body += &format!("    let ns: io_shared::{advised} = {one};\n");
        }
        body += &format!("    drop({{ use std::time::*; {back} }});\n");
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("converted.rs");
    let main = format!("fn main() -> io_shared::Result<()> {{\n{body}    Ok(())\n}}\n");
    fs::write(&path, format!("#![allow(unused, dropping_copy_types)]\n{USED}\n{main}")).unwrap();
    path.display().to_string()
}

/// What the advised types are imported from.
const USED: &str = "use io_shared::{DurationNs, List, ListData, SystemTimeNs, Text};";

#[test]
fn definitions_of_ros_become_messages_by_the_edits_that_the_errors_tell_each_told_once() {
    let (naive, typed) = (case("fail/ros"), case("fail/ros_padding"));
    let told = stderr("ros");
    let told: Vec<&str> = told.split("\nerror").collect();
    let advice_for = |line: &str| {
        let at = naive.lines().position(|it| it == line).unwrap();
        let at = format!("tests/ui/fail/ros.rs:{}:", at + 1);
        let about: Vec<_> = told.iter().filter(|error| error.contains(&at)).collect();
        assert_eq!(about.len(), 1, "told once: {line}");
        about[0].lines().next().unwrap().to_owned()
    };
    let fields = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with("    ") && line.ends_with(','));
        lines.map(str::to_owned).collect()
    };
    let (before, after) = (fields(&naive), fields(&typed));
    let mut changed = 0;
    for line in before.iter().filter(|line| !after.contains(line)) {
        let name = line.split_once(':').unwrap().0;
        let now = after.iter().find(|it| it.split_once(':').unwrap().0 == name).unwrap();
        let ty = now.split_once(": ").unwrap().1.trim_end_matches(',');
        let advice = advice_for(line);
        assert!(advice.contains(&format!("`{ty}`")), "{now} is not what was told: {advice}");
        changed += 1;
    }
    let structs = naive.matches("\nstruct ").count();
    let said = told.iter().filter(|error| error.contains("add `#[repr(C)]` above"));
    assert_eq!((changed, said.count()), (10, structs));
    // Where the second build shows a struct, that is the struct. Everything else stays.
    let told = stderr("ros_padding");
    let shown: Vec<_> = told.split("give those bytes names").skip(1).map(shown).collect();
    assert!(!shown.is_empty());
    let done = case("pass/ros");
    for shown in &shown {
        let shown = shown.replacen("#[repr(C)]\n", "", 1);
        let flat = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
        assert!(flat(&done).contains(&flat(&shown)), "this is not in pass/ros.rs: {shown}");
    }
    let padding = |line: &&String| !line.contains("_pad");
    let (after, done) = (fields(&typed), fields(&done));
    assert_eq!(after, done.iter().filter(padding).cloned().collect::<Vec<_>>());
}

fn case(path: &str) -> String {
    fs::read_to_string(format!("tests/ui/{path}.rs")).unwrap()
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
