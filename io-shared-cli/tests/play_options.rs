//! What `play` is asked for: how fast, from where, again and again, and into which channels.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::recording::{Folder, signal, start_recording, stop, wait_until_observed};
use common::{on_a_terminal, printed, run, start};
use io_shared::{Channel, Message, Observer};
use mcap::records::MessageHeader;
use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};
use test_support::TestName;

/// The time between two values.
const PERIOD: Duration = Duration::from_millis(150);
const VALUES: u64 = 8;

/// A recording of eight numbers.
fn recording(folder: &Folder) -> (String, TestName) {
    let (name, file) = (TestName::new("speed"), folder.file("a.mcap"));
    let mut producer = io_shared::producer::<u64>(&*name).unwrap();
    let child = start_recording(&["-o", &file], &[&name]);
    for number in 1..=VALUES {
        producer.put(&number).unwrap();
        std::thread::sleep(PERIOD);
    }
    assert_eq!(stop(child), [(name.to_string(), VALUES, 0)]);
    (file, name)
}

/// An observer that then has all values which are played into the channel.
fn keeping(name: &str) -> Observer<u64> {
    drop(io_shared::producer::<u64>(name).unwrap());
    Channel::<u64>::named(name).history(14).observer().unwrap()
}

/// Plays the recording, and returns the values with the times at which they were put.
fn played(file: &str, from: &str, options: &[&str]) -> Vec<(u64, Duration)> {
    let to = TestName::new("played");
    let mut observer = keeping(&to);
    let remap = format!("--remap={from}={}", &*to);
    printed(&[&["play", file, &remap], options].concat());
    let copies: Vec<_> = observer.since(0).map(|copy| copy.unwrap()).collect();
    let first = copies[0].stamp();
    copies.iter().map(|copy| (**copy, Duration::from_nanos(copy.stamp() - first))).collect()
}

#[test]
fn values_come_at_their_times_or_as_much_faster_as_is_asked() {
    let folder = Folder::new();
    let (file, name) = recording(&folder);
    // As the values were received, which is a few milliseconds after they were put.
    let slack = Duration::from_millis(30);
    for (rate, options) in [(1.0, &[][..]), (0.5, &["--rate", "0.5"]), (4.0, &["--rate", "4"])] {
        let values = played(&file, &name, options);
        let numbers: Vec<u64> = values.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=VALUES).collect::<Vec<_>>());
        for (number, at) in &values {
            let due = PERIOD.mul_f64((*number - 1) as f64 / rate);
            assert!(*at + slack >= due, "{rate}: value {number} after {at:?}");
        }
        // Faster than a machine that is busy would be late.
        let whole = PERIOD.mul_f64((VALUES - 1) as f64);
        let (_, last) = values[values.len() - 1];
        assert!(rate <= 1.0 || last < whole.mul_f64(0.8), "{rate}: {last:?}");
    }
}

#[test]
fn the_first_part_is_left_out() {
    let folder = Folder::new();
    let (file, name) = recording(&folder);
    // Between the fourth value and the fifth.
    let values = played(&file, &name, &["--start", "525ms", "--rate", "10"]);
    let numbers: Vec<u64> = values.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [5, 6, 7, 8]);
    let late = Instant::now();
    let done = run(&["play", &file, "--start", "1h"]);
    assert!(done.code == 0 && done.out.is_empty(), "{} {}", done.out, done.err);
    assert!(late.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_loop_starts_anew_until_it_is_ended() {
    let (folder, to) = (Folder::new(), TestName::new("played"));
    let (file, name) = recording(&folder);
    let remap = format!("--remap={}={}", &*name, &*to);
    let mut child = start(&["play", "--loop", "--rate", "10", &file, &remap]);
    let (mut seen, mut rounds) = (0, 0);
    let deadline = Instant::now() + Duration::from_secs(60);
    while rounds < 3 {
        assert!(Instant::now() < deadline, "it never started anew");
        // What it starts anew is another channel of this name.
        let channel = Channel::<u64>::named(&*to).open_timeout(Duration::ZERO);
        let Ok(mut observer) = channel.observer() else { continue };
        if let Ok(Some(value)) = observer.copy() {
            assert_eq!(*value, value.seq());
            rounds += usize::from(*value < seen);
            seen = *value;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    signal(&child, Signal::SIGINT);
    child.wait().unwrap();
}

#[test]
fn a_terminal_shows_how_far_it_is() {
    let (folder, to) = (Folder::new(), TestName::new("played"));
    let (file, name) = recording(&folder);
    let remap = format!("--remap={}={}", &*name, &*to);
    let shown = on_a_terminal(&["play", "--rate", "0.5", &file, &remap], &[], "");
    assert!(shown.contains("played ") && shown.contains(" values"), "{shown}");
}

#[test]
fn a_recording_does_not_say_which_files_are_written() {
    let folder = Folder::new();
    let (channel, file) = (folder.file("channel"), folder.file("a.mcap"));
    let name = format!("file:{channel}");
    let mut producer = Channel::<u64>::file(&channel).producer().unwrap();
    let child = start_file(&name, &file);
    producer.put(&7).unwrap();
    assert_eq!(stop(child), [(name.clone(), 1, 0)]);
    drop(producer);
    std::fs::remove_file(&channel).unwrap();
    let done = run(&["play", &file]);
    assert!(done.code == 0 && done.err.contains("it names a file: say --remap"), "{}", done.err);
    assert!(!std::fs::exists(&channel).unwrap());
    printed(&["play", &file, &format!("--remap={name}={name}")]);
    let mut observer = Channel::<u64>::file(&channel).observer().unwrap();
    assert_eq!(observer.copy().unwrap().map(|value| *value), Some(7));
}

/// Starts to record a channel in a file, and waits until it is observed.
fn start_file(name: &str, file: &str) -> std::process::Child {
    let child = start(&["record", "--every", "-o", file, name]);
    let (maps, path) = (format!("/proc/{}/maps", child.id()), name.trim_start_matches("file:"));
    common::recording::wait_until(|| {
        std::fs::read_to_string(&maps).unwrap().lines().any(|line| line.ends_with(path))
    });
    child
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
    z: f32,
}

#[test]
fn names_without_a_slash_and_topics_are_those_of_the_channels() {
    for kind in ["none", "cloud"] {
        let (folder, name) = (Folder::new(), TestName::new("point.s"));
        let file = folder.file("a.mcap");
        let (bare, topic) = (name.trim_start_matches('/'), name.replace(['.', '-'], "_"));
        let mut producer = Channel::<[Point]>::named(&*name).elements(4).producer().unwrap();
        let child = start(&["record", "-o", &file, "--as", &format!("{bare}={kind}"), bare]);
        wait_until_observed(&child, &name);
        producer.put(&[Point { x: 1.0, y: 2.0, z: 3.0 }; 4]).unwrap();
        assert_eq!(stop(child), [(name.to_string(), 1, 0)]);
        drop(producer);
        io_shared::remove(&name).unwrap();
        for from in [&*name, bare, &topic, topic.trim_start_matches('/')] {
            let to = TestName::new("played");
            let remap = format!("--remap={from}={}", to.trim_start_matches('/'));
            let said: Json =
                serde_json::from_str(&printed(&["play", &file, "--json", &remap])).unwrap();
            assert_eq!(said, json!({"name": *to, "values": 1}), "{from}");
        }
        let to = TestName::new("played");
        let remap = format!("--remap={bare}={}", &*to);
        let done = run(&["play", &file, "--remap=/other=/x", &remap]);
        let told = "--remap /other: no such channel or topic was recorded; there is";
        assert_eq!((done.code, done.err), (0, format!("{told} {}\n", &*name)));
    }
}

#[test]
fn what_is_said_of_a_channel_that_is_not_recorded_is_told() {
    let (folder, name) = (Folder::new(), TestName::new("said"));
    let file = folder.file("a.mcap");
    let done = run(&["record", "-o", &file, "--duration", "1s", "--as", "/other=cloud", &name]);
    assert!(done.code == 2 && done.err.contains("--as /other: this channel"), "{}", done.err);
    let all = ["record", "-o", &file, "--as", "/other=cloud", "--all", "--duration", "10ms"];
    let done = run(&all);
    assert!(done.code == 0 && done.err.contains("--as /other: there was no"), "{}", done.err);
}

#[test]
fn a_long_wait_for_the_next_value_is_told() {
    let (folder, to) = (Folder::new(), TestName::new("played"));
    let file = folder.file("a.mcap");
    let mut writer = mcap::Writer::new(std::fs::File::create(&file).unwrap()).unwrap();
    let schema = writer.add_schema("p/msg/N", "ros2msg", b"uint32 n\n").unwrap();
    let channel_id = writer.add_channel(schema, "/n", "cdr", &BTreeMap::new()).unwrap();
    for log_time in [0, 7_200_000_000_000] {
        let header = MessageHeader { channel_id, sequence: 1, log_time, publish_time: 0 };
        writer.write_to_known_channel(&header, b"\0\x01\0\0\x07\0\0\0").unwrap();
    }
    writer.finish().unwrap();
    let remap = format!("--remap=/n={}", &*to);
    let mut child = start(&["play", &file, &remap]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while io_shared::inspect::channels().unwrap().iter().all(|entry| entry.name != *to) {
        assert!(Instant::now() < deadline, "nothing is played");
    }
    std::thread::sleep(Duration::from_millis(300));
    child.kill().unwrap();
    let said = child.wait_with_output().unwrap().stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("the next value comes in 119 min: --rate plays faster"), "{said}");
}
