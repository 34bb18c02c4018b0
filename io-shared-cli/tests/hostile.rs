//! What lies in shared memory may be anything, and so may what users type: each subcommand ends
//! with a clear line, and neither crashes nor waits.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

#[path = "common/attempts.rs"]
mod attempts;
mod common;

use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use attempts::{COMMANDS, ends};
use common::viewer::View;
use common::{end, on_a_terminal, run, start};
use io_shared::{Channel, Shared};
use test_support::TestName;
use test_support::hostile::Hostile;

/// A struct with a name that no line has room for, in structs whose names make long paths.
fn endless_names() -> String {
    let long = |of: &str| of.repeat(12_000);
    let leaves = |count: usize| {
        let leaf = |i: usize| format!(r#"{{"name":"f{i}","offset":{i},"type":"|u1"}}"#);
        (0..count).map(leaf).collect::<Vec<_>>().join(",")
    };
    let count = 5_000;
    let mut inner = format!(
        r#"{{"struct":"{}","size":{count},"align":1,"fields":[{}]}}"#,
        "S".repeat(70_000),
        leaves(count)
    );
    for _ in 0..20 {
        let field = format!(r#"{{"name":"{}","offset":0,"type":{inner}}}"#, long("n"));
        inner = format!(r#"{{"struct":"T","size":{count},"align":1,"fields":[{field}]}}"#);
    }
    inner
}

/// Many fields whose names differ, and are one name in ROS.
fn one_name() -> String {
    let count = 12_000;
    let name = |i: usize| {
        let pair = |bit: usize| if i >> bit & 1 == 1 { "a__" } else { "a_" };
        (0..14).map(pair).collect::<String>() + "a"
    };
    let field = |i: usize| format!(r#"{{"name":"{}","offset":{i},"type":"|u1"}}"#, name(i));
    let fields: Vec<String> = (0..count).map(field).collect();
    format!(r#"{{"struct":"S","size":{count},"align":1,"fields":[{}]}}"#, fields.join(","))
}

/// Elements without bytes, of which there can be any number.
fn endless_nothing(count: u64) -> String {
    let axis =
        |name: &str| format!(r#"{{"name":"{name}","offset":0,"type":{{"array":0,"of":"<f4"}}}}"#);
    let fields = ["x", "y", "z"].map(axis).join(",");
    format!(r#"{{"array":{count},"of":{{"struct":"P","size":0,"align":4,"fields":[{fields}]}}}}"#)
}

/// Points after a text that no memory has room for.
fn endless_head(bytes: u64) -> String {
    let axis = |(name, at)| format!(r#"{{"name":"{name}","offset":{at},"type":"<f4"}}"#);
    let axes = [("x", 0), ("y", 4), ("z", 8)].map(axis).join(",");
    let point = format!(r#"{{"struct":"P","size":12,"align":4,"fields":[{axes}]}}"#);
    let text = format!(r#"{{"name":"text","offset":0,"type":"|S{bytes}"}}"#);
    let slice = format!(r#"{{"name":"points","offset":{bytes},"type":{{"slice":{point}}}}}"#);
    format!(r#"{{"struct":"S","size":{bytes},"align":4,"fields":[{text},{slice}]}}"#)
}

/// Regions: what each is, and of its value the number, the number in `latest`, and the length.
fn regions() -> [(&'static str, Hostile, [u64; 3]); 9] {
    [
        ("names", Hostile::new(&endless_names(), 5_000), [1, 1, 5_000]),
        ("one-name", Hostile::new(&one_name(), 12_000), [1, 1, 12_000]),
        ("nothing", Hostile::new(&endless_nothing(1 << 60), 0), [1, 1, 0]),
        // More than any program can map.
        ("huge", Hostile::new(r#"{"slice":"|u1"}"#, 1 << 47), [1, 1, 1 << 47]),
        ("long", Hostile::new(r#"{"slice":"|u1"}"#, 100), [1, 1, u64::MAX]),
        ("torn", Hostile::new(r#"{"slice":"|u1"}"#, 100), [1, 2, 3]),
        ("last", Hostile::new(r#"{"slice":"|u1"}"#, 100), [(1 << 52) - 1, (1 << 52) - 1, 3]),
        ("text", Hostile::new(r#""|S4611686018427387904""#, 8), [1, 1, 8]),
        ("head", Hostile::new(&endless_head(1 << 47), 1 << 47), [1, 1, 1 << 47]),
    ]
}

#[test]
fn every_subcommand_ends_whatever_a_region_says() {
    let regions = regions();
    for (what, region, [seq, named, length]) in regions {
        let name = TestName::new(what);
        for command in COMMANDS {
            let file = region.write(&name.path());
            region.put(&file, seq, named, length, &[7; 100]);
            ends(command, &name);
        }
        assert!(!name.path().exists(), "{what}: it was removed");
        region.put(&region.write(&name.path()), seq, named, length, &[7; 100]);
        for command in ["list", "info", "top"] {
            let shown = on_a_terminal(&[command, &name], &[("NO_COLOR", "1")], "q");
            assert!(shown.contains(&*name) && !shown.contains("panicked"), "{what}");
        }
    }
}

#[test]
fn the_server_of_a_page_goes_on_whatever_the_regions_say_that_it_shows() {
    let sound = TestName::new("sound");
    let mut producer = io_shared::producer::<u64>(&sound).unwrap();
    let mut names = Vec::new();
    for (what, region, [seq, named, length]) in regions() {
        let name = TestName::new(what);
        region.put(&region.write(&name.path()), seq, named, length, &[7; 100]);
        names.push(name);
    }
    let view = View::start(&names.iter().chain([&sound]).map(|name| &**name).collect::<Vec<_>>());
    let mut viewer = view.connect();
    let list = viewer.subscribe("/io_shared/channels");
    let (_, rows) = viewer.data(list);
    let rows: serde_json::Value = serde_json::from_slice(&rows).unwrap();
    assert_eq!(rows["channels"].as_array().unwrap().len(), names.len() + 1);
    let topics: Vec<String> = viewer.topics.keys().cloned().collect();
    for topic in topics {
        viewer.subscribe(&topic);
    }
    // It has looked at all of them when it has looked again.
    viewer.data(list);
    producer.put(&7).unwrap();
    let mut other = view.connect();
    let data = other.subscribe(&io_shared_formats::topic(&sound));
    assert_eq!(other.data(data).1.last_chunk(), Some(&7_u64.to_le_bytes()));
    viewer.data(list);
}

#[test]
fn a_region_that_lies_is_told_as_damaged_by_every_subcommand_that_reads_values() {
    let torn = Hostile::new(r#"{"slice":"|u1"}"#, 100);
    let huge = Hostile::new(r#"{"slice":"|u1"}"#, 1 << 47);
    for (region, named, length, error) in [
        (&torn, 2, 3, "is damaged: `latest` names a value that is not in its buffer"),
        (&torn, 1, 101, "is damaged: a message is longer than the capacity"),
        (&huge, 1, 1 << 47, "there is no memory for a copy"),
    ] {
        let name = TestName::new("lies");
        region.put(&region.write(&name.path()), 1, named, length, b"abc");
        let mut commands = vec!["echo NAME", "delay NAME --field x", "snapshot NAME -o /dev/null"];
        if named != 1 || length == 101 {
            commands.extend(["hz NAME", "bw NAME", "wait NAME", "delay NAME NAME"]);
        }
        for command in commands {
            let done = ends(command, &name);
            assert_eq!(done.code, 1, "{command}: {}", done.err);
            assert!(done.err.contains(error) && done.err.contains(&*name), "{}", done.err);
        }
    }
}

#[test]
fn every_subcommand_ends_on_what_is_no_region_or_half_of_one() {
    let name = TestName::new("foreign");
    let sound = TestName::new("half");
    io_shared::producer::<[u64; 40]>(&sound).unwrap().put(&[1; 40]).unwrap();
    let bytes = std::fs::read(sound.path()).unwrap();
    let mut old = bytes.clone();
    old[8] = 2;
    let mut headless = bytes.clone();
    headless[..8].fill(0);
    let contents = [
        b"hello".to_vec(),
        Vec::new(),
        vec![0; 8192],
        bytes[..8].to_vec(),
        bytes[..50].to_vec(),
        bytes[..1000].to_vec(),
        bytes[..bytes.len() - 1].to_vec(),
        old,
        headless,
    ];
    for content in &contents {
        for command in COMMANDS {
            std::fs::write(name.path(), content).unwrap();
            ends(command, &name);
        }
        std::fs::remove_file(name.path()).ok();
    }
    for command in COMMANDS {
        std::fs::create_dir(name.path()).unwrap();
        assert_ne!(ends(&command.replace("doctor", "doctor --json"), &name).out, "panicked");
        std::fs::remove_dir(name.path()).unwrap();
        nix::unistd::mkfifo(&name.path(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        ends(command, &name);
        std::fs::remove_file(name.path()).unwrap();
        std::os::unix::fs::symlink(sound.path(), name.path()).unwrap();
        ends(command, &name);
        std::fs::remove_file(name.path()).ok();
        drop(Shared::<u64>::open(&*name).unwrap());
        ends(command, &name);
        std::fs::remove_file(name.path()).ok();
    }
    assert!(sound.path().exists(), "no link was followed");
}

#[test]
fn a_region_that_was_cut_is_damaged_and_rm_and_clean_can_remove_it() {
    for length in [128, 1000, 9000] {
        let name = TestName::new("cut");
        io_shared::producer::<[u64; 40]>(&name).unwrap().put(&[1; 40]).unwrap();
        std::fs::File::options().write(true).open(name.path()).unwrap().set_len(length).unwrap();
        assert!(ends("list NAME", &name).out.contains("\tdamaged\t"), "{length}");
        let done = ends("rm --force NAME", &name);
        assert_eq!((done.code, name.path().exists()), (0, false), "{length}: {}", done.err);
    }
    // Shorter than a header it is told as not ours, as it is by those that open it.
    let name = TestName::new("short");
    std::fs::write(name.path(), b"ioshared, and not much more").unwrap();
    assert_eq!(run(&["list", &name]).out.split('\t').nth(1), Some("not a region"));
    let done = ends("rm --force NAME", &name);
    assert!(done.code == 1 && done.err.contains("delete it if nobody needs it"), "{}", done.err);
}

#[test]
fn a_region_that_is_cut_or_removed_while_it_is_followed_ends_the_command_or_is_followed_on() {
    for command in ["echo", "hz", "bw", "wait", "delay"] {
        let name = TestName::new("dying");
        let mut producer = Channel::<[u64]>::named(&*name).elements(2000).producer().unwrap();
        let mut arguments = vec![command, &name];
        arguments.extend(match command {
            "wait" => vec!["--max-age", "0s"],
            "delay" => vec!["--field", "0"],
            _ => vec![],
        });
        producer.put(&[1; 2000]).unwrap();
        let child = start(&arguments);
        drop(producer);
        let file = std::fs::File::options().write(true).open(name.path()).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        file.set_len(1000).unwrap();
        let done = end(child);
        assert_eq!(done.code, 1, "{command}: {}", done.err);
        assert!(done.err.contains("is damaged: it was cut"), "{command}: {}", done.err);
    }
    let name = TestName::new("removed");
    let mut child = start(&["echo", &name, "-n", "1"]);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    drop(io_shared::producer::<u64>(&name).unwrap());
    let line = said.next().unwrap().unwrap();
    assert!(line.starts_with("waiting: "), "{line}");
    io_shared::remove(&name).unwrap();
    io_shared::producer::<u64>(&name).unwrap().put(&5).unwrap();
    assert_eq!(end(child).out, "# value 1\n5\n---\n");
}

#[test]
fn names_paths_counts_and_durations_that_cannot_be_are_exit_code_2_and_never_a_crash() {
    let long = format!("/{}", "x".repeat(300));
    let deep = format!("file:/tmp/{}", "d/".repeat(3000));
    let turned = "/a\u{202e}b".to_owned();
    let names = ["", "/", "//", "a%b", "a\nb", "/..", "file:", "file:/", "file:/dev/null"];
    for name in names.map(str::to_owned).iter().chain([&long, &deep, &turned]) {
        for command in COMMANDS {
            let done = ends(command, name);
            let is_there = name.starts_with("file:/");
            assert!(done.code > 0 || is_there, "{command} {name:?}: {}", done.out);
            assert!(!done.err.contains('\u{202e}'), "{}", done.err);
        }
    }
    let name = TestName::new("arguments");
    let mut producer = Channel::<[u64]>::named(&*name).elements(9).producer().unwrap();
    producer.put(&[1, 2, 3]).unwrap();
    let field = format!("echo NAME --once --field {}", "[0]".repeat(2_000));
    let index = "echo NAME --once --field [9223372036854775807]";
    let before = "echo NAME --once --field [-9223372036854775808:]";
    for (command, code) in [
        (&*field, 2),
        // As many elements as there could be, and more: this value has fewer.
        (index, 0),
        (before, 0),
        ("echo NAME --once --field 99999999999999999999", 2),
        ("echo NAME --once --truncate 99999999999999999999", 2),
        ("echo NAME --once --truncate 18446744073709551615", 0),
        ("echo NAME -n 0", 0),
        ("echo NAME -n -1", 2),
        ("hz NAME -n 0 --window 0", 0),
        ("hz NAME --window -1", 2),
        ("bw NAME -n 0 --window 18446744073709551615", 0),
        ("delay NAME NAME NAME", 2),
        ("snapshot NAME -o /dev/null --size 0", 2),
        ("snapshot NAME -o /dev/null --size 4294967295", 2),
        ("snapshot NAME -o /no/such/folder/x.png", 1),
        ("put NAME [1] --tag 18446744073709551616", 2),
        ("put NAME [18446744073709551616]", 2),
        // Times that no clock reaches.
        ("echo NAME --once --timeout 15000000000000000000", 0),
        ("wait NAME --timeout 15000000000000000000", 0),
        ("wait NAME --max-age 15000000000000000000", 0),
        ("snapshot NAME -o /dev/null --timeout 15000000000000000000", 1),
        ("hz NAME -n 0 --timeout 15000000000000000000", 0),
        ("echo NAME --timeout 1e400", 2),
        ("echo NAME --timeout -1", 2),
        ("clean --older 15000000000000000000", 0),
        ("list --domain a/b", 2),
        ("completions tcsh", 2),
        ("man /dev/null", 1),
    ] {
        let done = ends(command, &name);
        assert_eq!(done.code, code, "{command}: {}{}", done.out, done.err);
    }
    let nested = "[".repeat(100_000);
    for json in [&*nested, "", "{", "nul", "\"\u{1}\"", "[1e999]"] {
        let done = run(&["put", &name, json]);
        assert_eq!(done.code, 2, "{}", done.err);
    }
    let shown = on_a_terminal(&["top", "--every", "15000000000000000000"], &[], "q");
    assert!(!shown.contains("panicked"), "{shown}");
}
