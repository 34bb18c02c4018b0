//! The short examples, run as the README says; `ros_pipeline` has tests of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not beside them"
)]

mod common;

use std::process::Command;

/// What an example prints.
fn output_of(example: &str) -> String {
    let output = Command::new(common::build_example(example)).output().unwrap();
    assert!(output.status.success(), "{example}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What shared memory and the directory for temporary files have of an example.
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
    let (three, four) = ("[[1, 0, 0],\n [0, 1, 0],\n [0, 0, 1]]\n", "[[1, 0, 0, 0],\n");
    assert_eq!(masks.split_at(three.len()).0, three);
    assert!(masks[three.len()..].starts_with(four), "{masks}");
    assert!(end.ends_with("-images: channel has |u1, this program <f4\n"), "{end}");
    assert_eq!(left_of("arrays-"), [""; 0]);
}

#[test]
fn pass_descriptor_hands_a_channel_to_a_child_and_over_a_socket() {
    let lines =
        |how: &str| format!("{how}: a second producer is refused: true\n{how}: got 31337\n");
    assert_eq!(output_of("pass_descriptor"), lines("inherited") + &lines("received"));
}
