//! `io-shared legacy`, with a peer that follows the conventions of the original package.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::time::{Duration, Instant};

use common::recording::{signal, wait_until};
use common::{Done, end, run, start};
use io_shared::{Array, Channel, Consumer, Producer};
use nix::sys::signal::Signal;
use serde_json::Value as Json;
use test_support::TestName;
use test_support::original::{self, Name};

const LONG: Duration = Duration::from_secs(20);
const SIZE: u64 = 1 << 20;

fn npy(value: u8, length: usize) -> Vec<u8> {
    Array::to_bytes("|u1", &[length], &vec![value; length]).unwrap()
}

fn consumer(channel: &str) -> Consumer<Array> {
    Channel::named(channel).open_timeout(LONG).consumer().unwrap()
}

fn producer(channel: &str) -> Producer<Array> {
    Channel::named(channel).growing(true).producer().unwrap()
}

fn put(producer: &mut Producer<Array>, npy: &[u8]) {
    let mut loan = producer.loan_len(npy.len()).unwrap();
    loan.npy.copy_from_slice(npy);
    loan.put().unwrap();
}

/// Ends the command by a signal, which it takes at once where the machine has nothing else to do.
#[track_caller]
fn ended(child: Child, by: Signal) -> Done {
    let began = Instant::now();
    signal(&child, by);
    let done = end(child);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    done
}

#[test]
fn what_the_original_puts_is_in_the_channel() {
    let (share, channel) = (Name::new("legacy-to"), TestName::new("legacy-to"));
    let bridge = start(&["legacy", "--to", &channel, &share]);
    let (theirs, mut viewer) = (original::Share::open(&share, SIZE), consumer(&channel));
    for (value, length) in [(1, 10), (2, 500_000), (3, 0)] {
        theirs.put(&npy(value, length));
        let array = viewer.get_timeout(LONG).unwrap();
        let npy = array.npy().unwrap();
        assert_eq!((&*npy.dtype, &npy.shape[..]), ("|u1", &[length][..]));
        assert!(npy.data.iter().all(|byte| *byte == value));
    }
    // The original's other order, and a version of the format that only it writes.
    theirs.put(&Array::to_bytes(">f8", &[2], &[7; 16]).unwrap());
    assert_eq!(viewer.get_timeout(LONG).unwrap().npy().unwrap().dtype, ">f8");
    let done = ended(bridge, Signal::SIGINT);
    assert_eq!((done.code, &*done.out), (0, "4 arrays\n"), "{}", done.err);
}

#[test]
fn what_is_put_into_the_channel_is_the_originals() {
    let (share, channel) = (Name::new("legacy-from"), TestName::new("legacy-from"));
    let bridge = start(&["legacy", "--from", &channel, &share, "--size", "1M", "--json"]);
    let (theirs, mut lidar) = (original::Share::open(&share, SIZE), producer(&channel));
    for (value, length) in [(1, 10), (2, 500_000)] {
        put(&mut lidar, &npy(value, length));
        assert_eq!(theirs.get(128 + length), npy(value, length));
    }
    // One that does not fit is said, and the next one passes.
    put(&mut lidar, &npy(3, 2 << 20));
    lidar.wait_taken(LONG).unwrap();
    put(&mut lidar, &npy(4, 10));
    assert_eq!(theirs.get(138), npy(4, 10));
    let done = ended(bridge, Signal::SIGTERM);
    assert!(done.err.starts_with("warning: ") && done.err.contains("larger"), "{}", done.err);
    let told: Json = serde_json::from_str(&done.out).unwrap();
    assert_eq!((done.code, &told["arrays"], &told["channel"]), (0, &3.into(), &(&*channel).into()));
}

#[test]
fn a_stuck_lock_is_said_and_the_bridge_goes_on_when_a_person_has_freed_it() {
    let (share, channel) = (Name::new("legacy-stuck"), TestName::new("legacy-stuck"));
    let theirs = original::Share::open(&share, SIZE);
    theirs.put(&npy(1, 10));
    theirs.lock.take(); // and dies
    let mut bridge = start(&["legacy", "--to", &channel, &share, "--lock-timeout", "100ms"]);
    let mut said = BufReader::new(bridge.stderr.take().unwrap()).lines();
    let warning = said.next().unwrap().unwrap();
    let (_, advice) = warning.split_once("run `").unwrap();
    let (command, _) = advice.split_once('`').unwrap();
    assert!(warning.starts_with("warning: ") && command.starts_with("rm /dev/shm/"), "{warning}");
    assert!(std::process::Command::new("sh").args(["-c", command]).status().unwrap().success());
    original::Share::open(&share, SIZE).put(&npy(2, 10));
    let mut viewer = consumer(&channel);
    let array = viewer.get_timeout(LONG).unwrap();
    assert_eq!(array.npy().unwrap().data, [2; 10]);
    drop(array);
    assert_eq!(ended(bridge, Signal::SIGINT).code, 0);
}

#[test]
fn ctrl_c_ends_it_in_every_wait_and_never_while_it_has_the_lock() {
    let (share, channel) = (Name::new("legacy-end"), TestName::new("legacy-end"));
    let (to, from) = (["--to", &*channel], ["--from", &*channel]);
    let bridge =
        |way: [&str; 2], more: &[&str]| start(&[&["legacy"], &way[..], &[&*share], more].concat());
    let says = |child: &mut Child, what: &str| {
        let line = BufReader::new(child.stderr.as_mut().unwrap()).lines().next().unwrap().unwrap();
        assert!(line.starts_with("waiting: ") && line.contains(what), "{line}");
    };
    // For the peer, for a channel, for the lock.
    let mut waits = bridge(to, &[]);
    says(&mut waits, "another program to create /dev/shm/");
    assert_eq!(ended(waits, Signal::SIGINT).code, 0);
    io_shared::remove(&channel).unwrap();
    let mut waits = bridge(from, &["--size", "1M"]);
    says(&mut waits, "there is no channel");
    assert_eq!(ended(waits, Signal::SIGINT).code, 0);
    let (theirs, mut lidar) = (original::Share::open(&share, SIZE), producer(&channel));
    put(&mut lidar, &npy(1, 10));
    theirs.lock.take();
    let mut waits = bridge(from, &["--size", "1M"]);
    says(&mut waits, "the lock");
    assert_eq!(ended(waits, Signal::SIGINT).code, 0);
    theirs.lock.give();
    // In the midst of puts and gets.
    let other = TestName::new("legacy-end-other");
    for (signal, wait) in
        [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().cycle().zip(0..12)
    {
        let (from, to) = (bridge(from, &["--size", "1M"]), bridge(["--to", &other], &[]));
        let (until, mut puts) = (Instant::now() + Duration::from_millis(60 + 7 * wait), 0);
        while Instant::now() < until {
            puts += 1;
            put(&mut lidar, &npy(puts, 400_000));
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!((ended(from, signal).code, ended(to, signal).code), (0, 0));
        assert_eq!(theirs.lock.value(), 1);
    }
    wait_until(|| theirs.lock.value() == 1);
}

#[test]
fn which_way_is_said_exactly_once_and_a_size_where_it_creates() {
    for arguments in [
        &["legacy", "/x"][..],
        &["legacy", "/x", "--to", "/a", "--from", "/b", "--size", "1M"],
        &["legacy", "/x", "--from", "/a"],
        &["legacy", "/x", "--to", "/a", "--size", "1M"],
        &["legacy", "/x", "--from", "/a", "--size", "5MB"],
        &["legacy", "/x/y", "--from", "/a", "--size", "5M"],
        &["legacy", "--to", "/a"],
    ] {
        let done = run(arguments);
        assert_eq!((done.code, &*done.out), (2, ""), "{arguments:?}: {}", done.err);
    }
    assert!(!std::path::Path::new("/dev/shm/x").exists());
}

#[test]
fn the_commands_of_the_page_pass_arrays_on_and_remove_what_is_left() {
    let page = include_str!("../../docs/guide/migrating.md");
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let names = ["page-clouds", "page-labels"].map(Name::new);
    let channels = ["page-clouds", "page-labels"].map(TestName::new);
    let replaced = |line: &str| {
        let line = line.split(" #").next().unwrap().trim_end();
        let line = line.replace("/cloud_share", &names[0]).replace("/label_share", &names[1]);
        let line = line.replace("cloud_share", &names[0][1..]);
        line.replace("/clouds", &channels[0]).replace("/labels", &channels[1])
    };
    let commands: Vec<String> = blocks.flat_map(str::lines).map(replaced).collect();
    let [to, from, remove] = &commands[..] else { panic!("{commands:?}") };
    let bridge = |line: &str| start(&line.split(' ').skip(1).collect::<Vec<_>>());
    let (to, from) = (bridge(to), bridge(from));
    let theirs = [0, 1].map(|at| original::Share::open(&names[at], 5 << 20));
    theirs[0].put(&npy(1, 10));
    assert_eq!(consumer(&channels[0]).get_timeout(LONG).unwrap().npy().unwrap().data, [1; 10]);
    put(&mut producer(&channels[1]), &npy(2, 20));
    assert_eq!(theirs[1].get(148), npy(2, 20));
    assert_eq!((ended(to, Signal::SIGINT).code, ended(from, Signal::SIGINT).code), (0, 0));
    assert!(std::process::Command::new("sh").args(["-c", remove]).status().unwrap().success());
    let left = std::fs::read_dir("/dev/shm").unwrap().map(|it| it.unwrap().file_name());
    let is_theirs = |name: &std::ffi::OsString| name.to_string_lossy().contains(&names[0][1..]);
    assert_eq!(left.filter(is_theirs).count(), 0);
}
