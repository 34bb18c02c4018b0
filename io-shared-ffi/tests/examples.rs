//! The C examples, with each other and with a Rust program that has the same struct.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::fmt::Write;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use io_shared::{Channel, Message, Schema};

mod common;

use common::{Language, Linked, compile_program};
use test_support::TestName;
use test_support::messages::{Cloud, Point};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn program(folder: &Path, name: &str, linked: Linked) -> PathBuf {
    compile_program(Language::C11, &examples().join(name).with_extension("c"), folder, linked)
}

fn run(program: &Path, arguments: &[&str]) -> Child {
    Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
fn output(mut child: Child) -> String {
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert!(child.wait().unwrap().success(), "{output}");
    output
}

/// What get_clouds prints for that many clouds.
fn got(clouds: u64, points: u64) -> String {
    (0..clouds).fold(String::new(), |mut text, frame| {
        let sum = points * (points - 1) / 2 + points * frame;
        let seq = frame + 1;
        let stamp = frame * 1000;
        writeln!(
            text,
            "cloud {frame} of {stamp} ns: {points} points, sum {sum}, value {seq}, missed 0"
        )
        .unwrap();
        text
    })
}

/// A text as the lines of a macro: strings in C of at most 90 characters, which end after a comma.
fn in_lines(text: &str) -> String {
    let mut lines = vec![String::new()];
    for piece in text.split_inclusive(',') {
        let piece = piece.replace('"', "\\\"");
        let last = lines.last_mut().unwrap();
        if last.len() + piece.len() > 90 && !last.is_empty() {
            lines.push(piece);
        } else {
            last.push_str(&piece);
        }
    }
    lines.iter().map(|line| format!("  \"{line}\"")).collect::<Vec<_>>().join(" \\\n")
}

/// `IO_SHARED_HEADER=overwrite` writes it again.
#[test]
fn the_header_of_the_examples_is_made_from_their_schema() {
    let json = std::fs::read_to_string(examples().join("cloud.json")).unwrap();
    let schema = Schema::from_json(&json).unwrap();
    assert_eq!(json.trim_end(), schema.to_json(), "it is canonical");
    assert_eq!(schema.hash(), Cloud::schema().hash(), "it is that of the Rust struct");
    let lines = in_lines(&schema.to_json());
    let made = format!(
        "// Made by ios_schema_to_c from cloud.json; tests/examples.rs writes it again.\n\n\
         #ifndef CLOUD_H\n#define CLOUD_H\n\n{}\n#define CLOUD_SCHEMA \\\n{lines}\n\n#endif\n",
        io_shared_ffi::c_struct(&schema)
    );
    let header = examples().join("cloud.h");
    if std::env::var("IO_SHARED_HEADER").is_ok_and(|value| value == "overwrite") {
        std::fs::write(&header, &made).unwrap();
    }
    assert!(made == std::fs::read_to_string(&header).unwrap_or_default(), "{}", header.display());
}

#[test]
fn a_c_program_puts_clouds_that_another_gets_linked_statically_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let name = TestName::new("c-to-c");
    let put = program(folder.path(), "put_clouds", Linked::Shared);
    let get = program(folder.path(), "get_clouds", Linked::Static);
    let getting = run(&get, &[&name, "20"]);
    let putting = run(&put, &[&name, "20", "1000"]);
    assert_eq!(output(getting), got(20, 1000));
    assert!(output(putting).ends_with("put 19 as value 20\n"));
}

#[test]
fn a_rust_program_gets_what_a_c_program_puts() {
    let folder = tempfile::tempdir().unwrap();
    let name = TestName::new("c-to-rust");
    let put = program(folder.path(), "put_clouds", Linked::Shared);
    let putting = run(&put, &[&name, "20", "120000"]);
    let mut clouds = Channel::<Cloud>::named(&*name).consumer().unwrap();
    for frame in 0..20 {
        let cloud = clouds.get_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!((cloud.frame, cloud.stamp_ns), (frame, frame * 1000));
        assert_eq!(cloud.points.len(), 120_000);
        for (i, point) in cloud.points.iter().enumerate() {
            let found = [point.x, point.y, point.z, point.intensity];
            assert_eq!(found, [i as f32, frame as f32, 0.5, 1.0]);
        }
    }
    output(putting);
}

#[test]
fn a_c_program_gets_what_a_rust_program_puts() {
    let folder = tempfile::tempdir().unwrap();
    let name = TestName::new("rust-to-c");
    let get = program(folder.path(), "get_clouds", Linked::Shared);
    let mut getting = run(&get, &[&name, "20"]);
    let mut clouds = Channel::<Cloud>::named(&*name).capacity("1M").producer().unwrap();
    for frame in 0..20 {
        let mut cloud = clouds.loan_len(1000).unwrap();
        cloud.frame = frame;
        cloud.stamp_ns = frame * 1000;
        for (i, point) in cloud.points.iter_mut().enumerate() {
            *point = Point { x: i as f32, y: frame as f32, z: 0.5, intensity: 1.0 };
        }
        cloud.put().unwrap();
        // It ends after the last one, and may be gone before it is seen to have received it.
        let mut lives = || getting.try_wait().unwrap().is_none();
        while clouds.wait_taken(Duration::from_secs(10)).unwrap() == 0 && lives() {
            std::thread::yield_now();
        }
    }
    assert_eq!(output(getting), got(20, 1000));
}

#[test]
fn a_message_with_lists_goes_around_two_c_programs_and_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second, third] = [1, 2, 3].map(|i| TestName::new(&format!("c-relay-{i}")));
    let relay = program(folder.path(), "relay", Linked::Shared);
    let mut starts = Command::new(test_support::programs::build_example("relay"));
    let starts = starts.args([&*first, &*third, "40"]).stdout(Stdio::piped()).spawn().unwrap();
    let relays = [run(&relay, &[&first, &second, "40"]), run(&relay, &[&second, &third, "40"])];
    let said = "40 messages came back by 2 others, with every value in its place\n";
    assert_eq!(output(starts), said);
    relays.into_iter().for_each(|relay| drop(output(relay)));
}

#[test]
fn what_is_no_number_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let [get, put] =
        ["get_clouds", "put_clouds"].map(|name| program(folder.path(), name, Linked::Shared));
    for (program, arguments, what) in [
        (&get, &["/no-number", "abc"][..], "CLOUDS"),
        (&get, &["/no-number", "-1"], "CLOUDS"),
        (&put, &["/no-number", "10", "1e3"], "POINTS"),
        (&put, &["/no-number", "99999999999999999999", "1"], "CLOUDS"),
    ] {
        let refused = Command::new(program).args(arguments).output().unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("{what} is a whole number")), "{said}");
    }
}

#[test]
fn a_c_program_is_told_which_field_differs() {
    #[derive(Message)]
    #[repr(C)]
    struct Other {
        frame: u64,
        stamp_ns: f64,
        points: [Point],
    }
    let folder = tempfile::tempdir().unwrap();
    let name = TestName::new("c-mismatch");
    let _living = Channel::<Other>::named(&*name).capacity("1M").producer().unwrap();
    let get = program(folder.path(), "get_clouds", Linked::Shared);
    let refused = Command::new(get).args([&*name, "1"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.starts_with("get_clouds: IOS_MISMATCH: "), "{said}");
    assert!(
        said.contains("field `stamp_ns`: channel has <f8 at 8, this program <u8 at 8"),
        "{said}"
    );
}

#[test]
fn a_c_program_watches_many_channels_in_one_epoll_loop() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..3).map(|i| TestName::new(&format!("c-watch-{i}"))).collect();
    let watch = compile_program(
        Language::Gnu11,
        &examples().join("watch_clouds.c"),
        folder.path(),
        Linked::Shared,
    );
    let mut producers: Vec<_> = names
        .iter()
        .map(|name| Channel::<Cloud>::named(&**name).elements(1000).producer().unwrap())
        .collect();
    let mut watching = run(&watch, &["30", &names[0], &names[1], &names[2]]);
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    for frame in 0..10 {
        for (name, producer) in names.iter().zip(&mut producers) {
            let mut cloud = producer.loan_len(100 + frame as usize).unwrap();
            cloud.frame = frame;
            cloud.put().unwrap();
            // One at a time, so that none is missed.
            let expected = format!("{}: cloud {frame}, {} points, missed 0", &**name, 100 + frame);
            assert_eq!(lines.next().unwrap().unwrap(), expected);
        }
    }
    assert!(watching.wait().unwrap().success());
}

#[test]
fn a_c_program_prints_the_poses_that_another_puts() {
    let folder = tempfile::tempdir().unwrap();
    // Names of their own: both take fixed ones.
    let domain = format!("c-examples-{}", std::process::id());
    let start = |name| {
        let mut command = Command::new(program(folder.path(), name, Linked::Shared));
        command.env("IO_SHARED_DOMAIN", &domain).stdout(Stdio::piped()).spawn().unwrap()
    };
    let (mut getting, mut putting) = (start("get"), start("put"));
    let said = BufReader::new(getting.stdout.take().unwrap());
    let lines: Vec<String> = said.lines().take(2).map(Result::unwrap).collect();
    for program in [&mut getting, &mut putting] {
        program.kill().unwrap();
        program.wait().unwrap();
    }
    std::fs::remove_file(format!("/dev/shm/{domain}%%pose")).unwrap();
    assert!(lines[0].contains(": x 1.00 m, y ") && lines[0].ends_with("missed 0"), "{lines:?}");
    assert_ne!(lines[0], lines[1]);
}

/// What an example without arguments prints. It ends with its channel removed.
fn output_of(name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let running = run(&program(folder.path(), name, Linked::Shared), &[]);
    let channel = format!("/dev/shm/{name}-{}", running.id());
    let said = output(running);
    assert!(!Path::new(&channel).exists(), "{channel} is still there");
    said
}

#[test]
fn many_viewers_in_c_join_and_get_or_miss_each_frame() {
    let said = output_of("many_viewers");
    let mut firsts = Vec::new();
    for (number, line) in said.lines().enumerate() {
        let words: Vec<u64> = line
            .split(|letter: char| !letter.is_ascii_digit())
            .filter_map(|word| word.parse().ok())
            .collect();
        let [viewer, first, got, missed] = words[..] else { panic!("{line}") };
        assert_eq!(viewer, number as u64, "{said}");
        assert_eq!(first + got + missed, 401, "each frame was got or missed: {said}");
        firsts.push(first);
    }
    assert_eq!(firsts.len(), 5, "{said}");
    assert!(firsts[4] > 1, "the last one joined while values flowed: {said}");
}

#[test]
fn detections_in_c_go_into_one_message_with_their_image() {
    let found = "front at 7000000 ns, an image of 480 x 640 x 3
pedestrian at (10, 2, 0) m, score 0.75
car at (30, -4, 0) m, score 0.5
";
    assert_eq!(output_of("detections"), found);
}
