//! What bounds a recording: the memory between its threads, the ring, the size of a file; and what
//! it says meanwhile.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::fs::DirEntry;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::recording::{Folder, counts, signal, start_recording, stop, wait_until};
use common::{SetAtEnd, end, on_a_terminal, printed, start};
use io_shared::Channel;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use test_support::TestName;

/// The memory that only this process has, in MiB, without what it maps of channels.
fn own_memory(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

/// Waits until the recorder has copied a value, which costs it `more` MiB; or, where it has as much
/// as it may, as long as that takes.
fn wait_for_growth(child: &Child, before: u64, more: u64, most: u64) {
    let deadline = Instant::now() + Duration::from_secs(if before < most { 5 } else { 0 });
    while Instant::now() < deadline && own_memory(child) < before + more {
        std::thread::sleep(Duration::from_millis(1));
    }
    if before >= most {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Holds the thread that writes, as a disk does that takes nothing more. The thread gives itself
/// its name, so it may be without it for a moment.
fn hold_the_writer(child: &Child) -> Pid {
    let tasks = format!("/proc/{}/task", child.id());
    let is_writer =
        |task: &DirEntry| std::fs::read(task.path().join("comm")).is_ok_and(|it| it == b"writer\n");
    let mut writer = None;
    wait_until(|| {
        writer = std::fs::read_dir(&tasks).unwrap().flatten().find(is_writer);
        writer.is_some()
    });
    let writer = writer.unwrap().file_name().to_str().unwrap().parse().unwrap();
    let writer = Pid::from_raw(writer);
    ptrace::attach(writer).unwrap();
    waitpid(writer, Some(WaitPidFlag::__WALL)).unwrap();
    writer
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "copies of 256 MB take too long: ci/test.sh runs it optimised"
)]
fn a_disk_that_is_too_slow_costs_256_mb_and_the_oldest_values_which_are_counted() {
    const BYTES: usize = 4 << 20;
    const VALUES: u64 = 90;
    const LIMIT: u64 = 256;
    let (name, folder) = (TestName::new("slow"), Folder::new());
    let file = folder.file("a.mcap");
    let mut producer = Channel::<[u8]>::named(&*name).elements(BYTES).producer().unwrap();
    let child = start_recording(&["-o", &file], &[&name]);
    let writer = hold_the_writer(&child);
    let mut peak = 0;
    for number in 0..VALUES {
        let before = own_memory(&child);
        producer.put(&vec![number as u8; BYTES]).unwrap();
        wait_for_growth(&child, before, 3, LIMIT - 8);
        peak = peak.max(own_memory(&child));
    }
    ptrace::detach(writer, None).unwrap();
    signal(&child, Signal::SIGINT);
    let done = end(child);
    assert_eq!(done.code, 0, "{}", done.err);
    let (_, values, missed) = counts(&done.out).remove(0);
    assert_eq!(values + missed, VALUES);
    assert!((230..LIMIT + 40).contains(&peak), "{peak} MiB at most");
    assert!(missed > 0 && values >= 50, "{values} and {missed}");
    // The oldest went, and the newest are there.
    let bytes = std::fs::read(&file).unwrap();
    let messages = mcap::MessageStream::new(&bytes).unwrap();
    let numbers: Vec<u32> = messages.map(|message| message.unwrap().sequence).collect();
    assert!(numbers[0] > 5 && numbers.last() == Some(&(VALUES as u32)), "{numbers:?}");
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}

/// As with large images on a busy robot: the next value is there before this one is copied.
#[test]
#[cfg_attr(debug_assertions, ignore = "copies take too long: ci/test.sh runs it optimised")]
fn values_that_come_faster_than_they_are_copied_delay_neither_the_end_nor_other_channels() {
    const BYTES: usize = 4 << 20;
    let (large, small, folder) =
        (TestName::new("endless"), TestName::new("starved"), Folder::new());
    let file = folder.file("a.mcap");
    let mut frames = Channel::<[u8]>::named(&*large).elements(BYTES).producer().unwrap();
    let mut poses = io_shared::producer::<u64>(&*small).unwrap();
    let is_done = AtomicBool::new(false);
    let done = std::thread::scope(|scope| {
        let _end = SetAtEnd(&is_done);
        scope.spawn(|| {
            let value = vec![7; BYTES];
            while !is_done.load(Ordering::Relaxed) {
                frames.put(&value).unwrap();
            }
        });
        scope.spawn(|| {
            for number in 0.. {
                poses.put(&number).unwrap();
                std::thread::sleep(Duration::from_millis(5));
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let line = ["record", "--every", "-o", &file, "--duration", "1s", &large, &small];
        let mut child = start(&line);
        let deadline = Instant::now() + Duration::from_secs(20);
        while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        // One that has ended is not there to be killed any more.
        child.kill().unwrap();
        end(child)
    });
    assert_eq!(done.code, 0, "{}", done.err);
    let counts = counts(&done.out);
    assert!(counts[0].1 >= 3 && counts[0].2 > 0, "{}", done.out);
    // Of the 200 that were put, also on a busy machine.
    assert!(counts[1].1 >= 10 && counts[1].1 + counts[1].2 >= 50, "{}", done.out);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "copies take too long: ci/test.sh runs it optimised")]
fn a_ring_stays_within_its_memory_however_long_it_goes_on() {
    const BYTES: usize = 1 << 20;
    let (name, folder) = (TestName::new("ring"), Folder::new());
    let file = folder.file("a.mcap");
    let options = ["-o", &file, "--last", "1h", "--memory", "32M"];
    let mut producer = Channel::<[u8]>::named(&*name).elements(BYTES).producer().unwrap();
    let child = start_recording(&options, &[&name]);
    let mut peak = 0;
    for number in 0..100 {
        let before = own_memory(&child);
        producer.put(&vec![number as u8; BYTES]).unwrap();
        wait_for_growth(&child, before, 1, 30);
        peak = peak.max(own_memory(&child));
        if number == 60 {
            signal(&child, Signal::SIGUSR1);
        }
    }
    // The ring, what the queue has for a moment, and a chunk.
    assert!((30..100).contains(&peak), "{peak} MiB");
    stop(child);
    for number in 0..2 {
        let file = folder.file(&format!("a_{number}.mcap"));
        let length = std::fs::metadata(&file).unwrap().len() >> 20;
        assert!((28..=32).contains(&length), "{file} has {length} MiB");
        assert!(printed(&["record", "--repair", &file]).contains(" is whole"));
    }
    assert!(!std::fs::exists(folder.file("a_2.mcap")).unwrap());
}

#[test]
fn a_recording_is_split_by_time() {
    let (name, folder) = (TestName::new("split"), Folder::new());
    let file = folder.file("a.mcap");
    let files = [0, 1, 2].map(|number| folder.file(&format!("a_{number}.mcap")));
    let mut producer = io_shared::producer::<u64>(&*name).unwrap();
    let started = Instant::now();
    let child = start_recording(&["-o", &file, "--split", "400ms"], &[&name]);
    wait_until(|| {
        producer.put(&1).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        std::fs::exists(&files[2]).unwrap()
    });
    assert!(started.elapsed() >= Duration::from_millis(800));
    let said = stop(child);
    let messages = |file: &String| -> u64 {
        let bytes = std::fs::read(file).unwrap();
        mcap::Summary::read(&bytes).unwrap().unwrap().stats.unwrap().message_count
    };
    let found: Vec<u64> = files.iter().map(messages).collect();
    assert_eq!(found.iter().sum::<u64>(), said[0].1);
    // 400 ms of a value each 20 ms, on a machine that may be busy.
    assert!(found[..2].iter().all(|count| (2..=40).contains(count)), "{found:?}");
}

#[test]
fn a_terminal_shows_how_far_it_is_and_what_room_is_left() {
    let (name, folder) = (TestName::new("progress"), Folder::new());
    let file = folder.file("a.mcap");
    let is_done = AtomicBool::new(false);
    let shown = std::thread::scope(|scope| {
        scope.spawn(|| {
            let channel = Channel::<[u8]>::named(&*name).elements(100_000);
            let mut producer = channel.producer().unwrap();
            while !is_done.load(Ordering::Relaxed) {
                producer.put(&[7; 100_000]).unwrap();
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let options = ["record", "--every", "-o", &file, "--duration", "3500ms", &name];
        let shown = on_a_terminal(&options, &[], "");
        is_done.store(true, Ordering::Relaxed);
        shown
    });
    let last = shown.split("recorded ").last().unwrap();
    let words: Vec<&str> = last.split([':', ',']).collect();
    let number = |text: &str| -> f64 { text.split_whitespace().next().unwrap().parse().unwrap() };
    // 3.0 s: 250 values, 25 MB, 0 missed, 30 GB left on the disk
    assert!(number(words[0]) >= 2.0 && words[0].ends_with(" s"), "{last}");
    assert!(number(words[1]) >= 20.0 && words[1].ends_with(" values"), "{last}");
    assert!(number(words[2]) >= 2.0 && words[2].ends_with(" MB"), "{last}");
    assert!(words[3].ends_with(" missed"), "{last}");
    assert!(number(words[4]) > 0.0 && words[4].contains(" left on the disk"), "{last}");
}
