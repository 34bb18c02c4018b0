//! The hot path does not grow: the instructions of each act, counted by callgrind, against those
//! written down in `instructions.txt`. Unlike times they are the same on a busy machine. Under
//! callgrind all is so slow that each stamp is a reading of the clock: what a put without stamps
//! takes is what most puts take.
//!
//! Comments after the second line of the file name what was added on purpose. A renewal keeps them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![allow(clippy::print_stdout, reason = "it has figures to show")]

use std::fmt::Write;
use std::fs;
use std::process::Command;

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");
/// How much an act may grow.
const GROWTH: f64 = 1.05;
const RENEW: &str =
    "UPDATE_INSTRUCTIONS=1 cargo test --release -p io-shared-bench --test instructions";

/// The acts, and the function that is counted.
const ACTS: [(&str, &str); 8] = [
    ("put", "*act_put*"),
    ("put, no stamps", "*act_put*"),
    ("get", "*act_get*"),
    ("try_get of nothing", "*act_try_get*"),
    ("put, bytes", "*act_bytes_put*"),
    ("get, bytes", "*act_bytes_get*"),
    ("write", "*act_write*"),
    ("read", "*act_read*"),
];

#[test]
#[cfg_attr(debug_assertions, ignore = "it counts optimised code: cargo test --release")]
fn no_act_takes_5_percent_more_instructions_than_written_down() {
    let found: Vec<_> = ACTS.iter().map(|(act, function)| (*act, count(act, function))).collect();
    let rustc = rustc();
    if std::env::var_os("UPDATE_INSTRUCTIONS").is_some() {
        let mut text = format!("# Instructions of one act: tests/instructions.rs\n# {rustc}\n");
        let old = fs::read_to_string(BASELINE).unwrap_or_default();
        let notes = old.lines().skip(2).filter(|line| line.starts_with('#'));
        notes.for_each(|note| writeln!(text, "{note}").unwrap());
        for (act, found) in &found {
            writeln!(text, "{act}: {found:.1}").unwrap();
        }
        fs::write(BASELINE, text).unwrap();
        return;
    }
    let baseline = fs::read_to_string(BASELINE).unwrap();
    for (act, found) in &found {
        println!("{act}: {found:.1}");
    }
    let grown = grown(&baseline, &found);
    let compiler = if baseline.contains(&rustc) { String::new() } else { other(&baseline, &rustc) };
    assert!(grown.is_empty(), "{grown}{compiler}If that is right: {RENEW}");
}

fn other(baseline: &str, rustc: &str) -> String {
    let written = baseline.lines().nth(1).unwrap_or_default().trim_start_matches("# ");
    format!("They were written down with {written}, and this is {rustc}.\n")
}

#[test]
fn growth_by_more_than_5_percent_and_an_act_that_is_not_written_down_are_found() {
    let baseline = "# a comment\nput: 100.0\nget: 80.0\n";
    assert_eq!(grown(baseline, &[("put", 105.0), ("get", 10.0)]), "");
    let text = grown(baseline, &[("put", 105.1), ("get", 84.0)]);
    assert_eq!(text, "`put` takes 105.1 instructions, 100.0 are written down\n");
    assert!(grown(baseline, &[("peek", 1.0)]).contains("`peek`"));
}

/// A line for each act that has grown too much.
fn grown(baseline: &str, found: &[(&str, f64)]) -> String {
    let mut text = String::new();
    for (act, found) in found {
        let written = baseline.lines().find_map(|line| line.strip_prefix(act)?.strip_prefix(": "));
        match written.map(|number| number.parse::<f64>().unwrap()) {
            Some(written) if *found <= written * GROWTH => {}
            Some(written) => writeln!(
                text,
                "`{act}` takes {found:.1} instructions, {written:.1} are written down"
            )
            .unwrap(),
            None => writeln!(text, "`{act}` is not written down").unwrap(),
        }
    }
    text
}

/// Instructions of one act: what a thousand more of them take, so that first times do not count.
fn count(act: &str, function: &str) -> f64 {
    let [few, many] = [100, 1100].map(|repeats| collected(act, function, repeats));
    assert!(few > 0 && many > few, "callgrind has not seen {function}");
    (many - few) as f64 / 1000.0
}

fn collected(act: &str, function: &str, repeats: u64) -> u64 {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={function}"))
        .args(program(act))
        .arg(repeats.to_string())
        .output();
    let run = run.unwrap_or_else(|error| {
        panic!("valgrind does not run ({error}): `apt-get install valgrind`, or ci/tools.sh")
    });
    let text = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{act}: {text}");
    let counted = text.lines().find_map(|line| line.split_once("Collected : "));
    counted.unwrap_or_else(|| panic!("callgrind has counted nothing: {text}")).1.parse().unwrap()
}

/// The program that repeats an act, and its arguments before the number.
fn program(act: &str) -> Vec<&str> {
    match act.ends_with("bytes") {
        true => vec![env!("CARGO_BIN_EXE_instructions_of_bytes")],
        false => vec![env!("CARGO_BIN_EXE_instructions"), act],
    }
}

fn rustc() -> String {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
