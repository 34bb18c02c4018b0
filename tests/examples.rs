//! The short examples, run as the README says. `perception_pipeline` has tests of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::process::Command;

/// What an example prints.
fn output_of(example: &str) -> String {
    let output = Command::new(test_support::programs::build_example(example)).output().unwrap();
    assert!(output.status.success(), "{example}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names that an example leaves in shared memory and in the directory for temporary files.
fn left_of(what: &str) -> Vec<String> {
    let directories = [std::path::PathBuf::from("/dev/shm"), std::env::temp_dir()];
    let entries = directories.iter().flat_map(|it| std::fs::read_dir(it).unwrap().flatten());
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(what))
        .collect()
}

#[test]
fn shared_struct_changes_in_one_process_and_is_seen_in_the_other_and_kept_for_a_third() {
    let story = "  first  show        -> Foo { bar: 42, baz: 98 }
  second show        -> Foo { bar: 42, baz: 98 }
  second bar = 31337 -> Foo { bar: 31337, baz: 98 }
  first  show        -> Foo { bar: 31337, baz: 98 }
  third  show        -> Foo { bar: 31337, baz: 98 }
";
    let output = output_of("shared_struct");
    assert_eq!(output, format!("by file:\n{story}by shared memory:\n{story}"));
    assert_eq!(left_of("suchfoo-"), [""; 0]);
    assert_eq!(left_of("such_foo-"), [""; 0]);
}

#[test]
fn npy_in_shm_saves_an_array_that_another_process_loads() {
    let output = output_of("npy_in_shm");
    assert_eq!(output, "saved: 152 bytes\nloaded: [2, 3] [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]\n");
    assert_eq!(left_of("npy_in_shm-"), [""; 0]);
}

#[test]
fn arrays_go_to_another_process_and_masks_come_back() {
    let output = output_of("arrays");
    let (masks, end) = output.split_at(output.find("/arrays-").unwrap());
    // Pi times the square of the radius, except for the rim.
    let discs = [(0, 30, 2809), (1, 60, 11277), (2, 90, 25433)].map(|(image, radius, bright)| {
        format!("image {image}, a disc of radius {radius}: {bright} of 76800 bright\n")
    });
    assert_eq!(masks, discs.concat());
    assert!(end.ends_with("-images: channel has |u1, this program <f4\n"), "{end}");
    assert_eq!(left_of("arrays-"), [""; 0]);
}

#[test]
fn examples_say_how_they_are_called_and_wait_for_nothing_that_they_were_not_told_of() {
    for example in ["arrays", "npy_in_shm", "pass_descriptor", "shared_struct"] {
        for argument in ["--help", "name"] {
            let output =
                Command::new(test_support::programs::build_example(example)).arg(argument).output();
            let output = output.unwrap();
            assert!(!output.status.success());
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains(&format!("usage: {example}")), "{said}");
        }
    }
}

#[test]
fn pass_descriptor_hands_a_channel_to_a_child_and_over_a_socket() {
    let lines =
        |how: &str| format!("{how}: a second producer is refused: true\n{how}: got 31337\n");
    assert_eq!(output_of("pass_descriptor"), lines("inherited") + &lines("received"));
}
