//! The short examples, run as the README says. `perception_pipeline` has tests of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

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
fn robot_state_is_shown_by_the_display_that_lives_and_kept_from_none() {
    let output = output_of("robot_state");
    let expected = "display 1: waits for the robot, which is at (0.0, 0.0), battery 100 %
display 2: waits for the robot, which is at (0.0, 0.0), battery 100 %
display 1 is killed
display 2: the robot has parked at (5.0, 2.0), battery 80 %
";
    assert_eq!(output, expected);
    assert_eq!(left_of("robot_state-"), [""; 0]);
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
    for example in ["arrays", "npy_in_shm", "pass_descriptor", "robot_state", "shared_struct"] {
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

#[test]
fn get_prints_the_poses_that_put_puts() {
    let [put, get] = ["put", "get"].map(test_support::programs::build_example);
    // Names of their own: both take fixed ones.
    let domain = format!("examples-{}", std::process::id());
    let start = |program| {
        let mut program = Command::new(program);
        program.env("IO_SHARED_DOMAIN", &domain).stdout(Stdio::piped()).spawn().unwrap()
    };
    let (mut getting, mut putting) = (start(get), start(put));
    let said = BufReader::new(getting.stdout.take().unwrap());
    let lines: Vec<String> = said.lines().take(3).map(Result::unwrap).collect();
    for program in [&mut getting, &mut putting] {
        program.kill().unwrap();
        program.wait().unwrap();
    }
    std::fs::remove_file(format!("/dev/shm/{domain}%%pose")).unwrap();
    let number = |line: &str| line.split(':').next().unwrap().parse::<u64>().unwrap();
    assert!(lines.windows(2).all(|two| number(&two[0]) < number(&two[1])), "{lines:?}");
    assert!(lines[0].contains(": x 1.00 m, y ") && lines[0].ends_with("missed 0"), "{lines:?}");
}

#[test]
fn many_viewers_join_and_get_or_miss_each_frame() {
    let output = output_of("many_viewers");
    let starts: Vec<&str> = output.lines().map(|line| &line[..9]).collect();
    assert_eq!(starts, ["viewer 0:", "viewer 1:", "viewer 2:", "viewer 3:", "viewer 4:"]);
    assert_eq!(left_of("many_viewers-"), [""; 0]);
}

#[test]
fn detections_go_into_one_message_with_their_image() {
    let found = "frame 7, an image of [480, 640, 3]
pedestrian of [64.0, 128.0] px at [10.0, 20.0]
car of [90.0, 50.0] px at [300.0, 40.0]
";
    assert_eq!(output_of("detections"), found);
    assert_eq!(left_of("detections-"), [""; 0]);
}

#[test]
fn segmentation_service_goes_on_when_a_client_and_the_server_are_killed() {
    let story = "the server is ready
first client: 25 of 100 points are objects
first client: 50 of 200 points are objects
the first client was killed
second client: 25 of 100 points are objects
second client: 50 of 200 points are objects
second client: 75 of 300 points are objects
the server was killed
nobody answers
a new server: the label is 1
";
    assert_eq!(output_of("segmentation_service"), story);
    assert_eq!(left_of("segmentation_service-"), [""; 0]);
}
