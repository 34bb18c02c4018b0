//! What `record` says of channels that are made anew, cannot be copied, or meet in one topic.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use common::recording::{Folder, counts, signal, start_recording, stop, wait_until_observed};
use common::{end, printed, start};
use io_shared::{Channel, Message, Producer};
use nix::sys::signal::Signal;
use test_support::{TestName, readers};

#[test]
fn a_channel_that_is_made_anew_and_comes_as_far_is_recorded_from_its_start() {
    for values in [3, 20] {
        let (name, folder) = (TestName::new("anew"), Folder::new());
        let file = folder.file("a.mcap");
        let mut first: Producer<u64> = io_shared::producer(&*name).unwrap();
        let child = start_recording(&["-o", &file], &[&name]);
        (1..=3).for_each(|number| first.put(&number).map(drop).unwrap());
        io_shared::remove(&name).unwrap();
        let mut second: Producer<u64> = io_shared::producer(&*name).unwrap();
        (1..=values).for_each(|number| second.put(&number).map(drop).unwrap());
        wait_until_observed(&child, &name);
        let (_, recorded, missed) = stop(child).remove(0);
        // The newest value of each is there at the least.
        assert!(recorded > 3, "{recorded} of {values}");
        assert_eq!(recorded + missed, 3 + values, "{recorded} and {missed} of {values}");
    }
}

#[derive(Clone, Copy, Message)]
#[repr(C, align(128))]
struct Wide {
    numbers: [u64; 16],
}

#[test]
fn a_channel_that_is_aligned_to_more_than_an_observer_copies_is_recorded() {
    let (name, folder) = (TestName::new("wide"), Folder::new());
    let mut producer: Producer<Wide> = io_shared::producer(&*name).unwrap();
    let child = start_recording(&["-o", &folder.file("a.mcap")], &[&name]);
    for number in 1..=3 {
        producer.put(&Wide { numbers: [number; 16] }).unwrap();
        std::thread::sleep(Duration::from_millis(30));
    }
    signal(&child, Signal::SIGINT);
    let done = end(child);
    assert_eq!((&*done.err, counts(&done.out)), ("", vec![(name.to_string(), 3, 0)]));
}

/// Writes a number that no `bool` has into the value of `bools` that consists of `true` alone.
fn damage(name: &TestName) {
    let file = std::fs::OpenOptions::new().write(true).open(name.path()).unwrap();
    let bytes = std::fs::read(name.path()).unwrap();
    let at = bytes.windows(100).position(|window| window == [1; 100]).unwrap();
    file.write_all_at(&[7], at as u64).unwrap();
}

#[test]
fn a_value_that_is_none_of_its_type_is_missed_and_told_once() {
    let (name, folder) = (TestName::new("bad"), Folder::new());
    let mut producer = Channel::<[bool; 100]>::named(&*name).producer().unwrap();
    producer.put(&[true; 100]).unwrap();
    damage(&name);
    let child = start_recording(&["-o", &folder.file("a.mcap")], &[&name]);
    // Some looks later the value is no longer in the way.
    std::thread::sleep(Duration::from_millis(100));
    producer.put(&[false; 100]).unwrap();
    signal(&child, Signal::SIGINT);
    let done = end(child);
    assert_eq!((done.code, counts(&done.out)), (0, vec![(name.to_string(), 1, 1)]), "{}", done.err);
    let told = format!("not recorded: {}: ", &*name);
    assert!(done.err.starts_with(&told) && done.err.lines().count() == 1, "{}", done.err);
}

#[test]
fn of_all_channels_those_that_meet_in_a_topic_are_recorded_too() {
    let (first, folder) = (TestName::new("meet"), Folder::new());
    let (file, second) = (folder.file("a.mcap"), first.replace('-', "_"));
    let mut one: Producer<u64> = io_shared::producer(&*first).unwrap();
    one.put(&1).unwrap();
    let mut two: Producer<u64> = io_shared::producer(&*second).unwrap();
    two.put(&2).unwrap();
    let child = start(&["record", "--all", "-o", &file]);
    wait_until_observed(&child, &first);
    wait_until_observed(&child, &second);
    signal(&child, Signal::SIGINT);
    let done = end(child);
    io_shared::remove(&second).unwrap();
    let said = format!("is the topic {second}_2, because ");
    assert!(done.code == 0 && done.err.contains(&said), "{}", done.err);
    let counts = counts(&done.out);
    let own = counts.iter().filter(|(name, ..)| *name == *first || *name == second);
    assert!(own.map(|(_, values, _)| *values).eq([1, 1]), "{counts:?}");
    let lines = readers::read(std::path::Path::new(&file));
    for topic in [&second, &format!("{second}_2")] {
        assert!(lines.iter().any(|line| line["topic"] == **topic), "{topic}");
    }
}

#[test]
fn a_name_that_turns_the_text_around_it_is_shown_in_plain_letters() {
    let (name, folder) = (TestName::new("turn\u{202e}ed"), Folder::new());
    let file = folder.file("a.mcap");
    let mut producer: Producer<u64> = io_shared::producer(&*name).unwrap();
    let child = start_recording(&["-o", &file], &[&name]);
    producer.put(&1).unwrap();
    let recorded = stop(child).remove(0).0;
    drop(producer);
    let played = printed(&["play", &file]);
    for shown in [&recorded, &played] {
        assert!(shown.contains("turn\\u{202e}ed"), "{shown:?}");
    }
}
