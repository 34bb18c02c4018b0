//! What a recording costs: the recorder's time, and that of those whose values it records.
//!
//! These tests need a quiet machine and some minutes:
//! `cargo test --release --locked -p io-shared-cli --test recording_cost -- --ignored --nocapture
//! --test-threads=1`

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::print_stdout, reason = "these tests print what they measured")]

mod common;

use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::recording::{Folder, stop, wait_until_observed};
use common::start;
use io_shared::{Channel, Producer};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use test_support::TestName;

/// The time of the processor that a living process has taken.
fn cpu(child: &Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // USER_HZ, in which the kernel tells it, is 100 on every Linux.
    Duration::from_millis(10 * ticks)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Compares rounds with a recorder and without, in pairs whose order alternates. Returns the median
/// of their ratios.
fn paired(what: &str, pairs: usize, mut round: impl FnMut(bool) -> f64) -> f64 {
    let mut ratios = Vec::new();
    for pair in 0..pairs {
        let (first, second) = (round(pair % 2 == 0), round(pair % 2 != 0));
        let (with, without) = if pair % 2 == 0 { (first, second) } else { (second, first) };
        ratios.push(with / without);
        println!("{what}: {with:.2} us with a recorder, {without:.2} us without");
    }
    let (least, most) = ratios.iter().fold((f64::MAX, 0.0_f64), |(l, m), r| (l.min(*r), m.max(*r)));
    let median = median(ratios);
    println!("{what}: the median of {pairs} ratios is {median:.3} ({least:.3} to {most:.3})");
    median
}

/// A recorder of these channels, which writes to a tmpfs.
fn record(folder: &Folder, options: &[&str], names: &[&str]) -> Child {
    let file = folder.file(&format!("{:?}.mcap", Instant::now()));
    let child = start(&[&["record", "-o", &file], options, names].concat());
    names.iter().for_each(|name| wait_until_observed(&child, name));
    child
}

/// Has this thread, and what it starts, run on this processor alone. Where the kernel moves a
/// producer between two, its caches are cold, and a put of 64 bytes takes twice as long.
fn pin(processor: usize) {
    let mut set = CpuSet::new();
    set.set(processor).unwrap();
    sched_setaffinity(Pid::from_raw(0), &set).unwrap();
}

/// Calls `put` at this rate for a time.
fn at_rate(period: Duration, time: Duration, mut put: impl FnMut()) {
    let (start, mut next) = (Instant::now(), Instant::now());
    while start.elapsed() < time {
        put();
        next += period;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// The bytes of a camera's picture.
const PICTURE: usize = 5 << 20;

/// Four cameras of 10 Hz, each with a consumer that reads every byte. Returns the median time in
/// microseconds from put to read, and how many pictures each camera has put.
fn cameras(names: &[&str], time: Duration) -> (f64, u64) {
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut consumers = Vec::new();
        for name in names {
            let is_done = &is_done;
            consumers.push(scope.spawn(move || {
                let mut consumer = Channel::<[u8]>::named(*name).consumer().unwrap();
                let mut ages = Vec::new();
                while !is_done.load(Ordering::Relaxed) {
                    let Ok(picture) = consumer.get_timeout(Duration::from_millis(200)) else {
                        continue;
                    };
                    let sum: u64 = picture.chunks(64).map(|line| u64::from(line[0])).sum();
                    assert!(sum > 0);
                    ages.push(now_ns().saturating_sub(picture.stamp()) as f64 / 1000.0);
                }
                ages
            }));
        }
        let producers = names.iter().map(|name| {
            scope.spawn(move || {
                let channel = Channel::<[u8]>::named(*name).elements(PICTURE);
                let mut camera = channel.producer().unwrap();
                let picture = vec![7_u8; PICTURE];
                let mut pictures = 0;
                at_rate(Duration::from_millis(100), time, || {
                    camera.put(&picture).unwrap();
                    pictures += 1;
                });
                pictures
            })
        });
        let producers: Vec<_> = producers.collect();
        let pictures: Vec<u64> = producers.into_iter().map(|p| p.join().unwrap()).collect();
        is_done.store(true, Ordering::Relaxed);
        let ages = consumers.into_iter().flat_map(|c| c.join().unwrap()).collect();
        (median(ages), pictures.into_iter().min().unwrap())
    })
}

fn now_ns() -> u64 {
    let now = nix::time::ClockId::CLOCK_MONOTONIC.now().unwrap();
    Duration::from(now).as_nanos() as u64
}

/// Channels that are there before anybody puts.
fn made(bytes: usize, count: usize) -> Vec<TestName> {
    let names: Vec<TestName> = (0..count).map(|_| TestName::new("cost")).collect();
    for name in &names {
        drop(Channel::<[u8]>::named(&**name).elements(bytes).producer().unwrap());
    }
    names
}

/// A folder in memory.
fn tmpfs() -> Folder {
    Folder::within("/dev/shm")
}

#[test]
#[ignore = "some minutes, on a quiet machine"]
fn four_cameras_cost_the_recorder_less_than_half_a_core_and_the_pipeline_under_5_percent() {
    let ratio = paired("put to read of 5 MiB", 15, |is_recorded| {
        let (folder, names) = (tmpfs(), made(PICTURE, 4));
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let child = is_recorded.then(|| record(&folder, &[], &names));
        let (before, started) = (child.as_ref().map(cpu), Instant::now());
        let (p50, pictures) = cameras(&names, Duration::from_secs(4));
        if let (Some(child), Some(before)) = (child, before) {
            let cores = (cpu(&child) - before).as_secs_f64() / started.elapsed().as_secs_f64();
            println!("the recorder takes {cores:.2} of a core");
            assert!(cores < 0.5, "{cores:.2} of a core");
            for (name, values, missed) in stop(child) {
                assert!(missed == 0 && values >= pictures, "{name}: {values}, {missed} missed");
            }
        }
        p50
    });
    assert!(ratio <= 1.05, "{ratio:.3}");
}

/// Puts 64 bytes at 1 kHz. Returns how many, and the median time of a put in microseconds.
fn imu(producer: &mut Producer<[u8]>, time: Duration) -> (u64, f64) {
    let (mut values, mut times) = (0, Vec::new());
    at_rate(Duration::from_millis(1), time, || {
        let started = Instant::now();
        values = producer.put(&[7; 64]).unwrap();
        times.push(started.elapsed().as_nanos() as f64 / 1000.0);
    });
    (values, median(times))
}

#[test]
#[ignore = "three minutes, on a quiet machine"]
fn every_value_of_1_khz_is_recorded_or_counted_as_missed() {
    let missed: Vec<u64> = (0..3)
        .map(|_| {
            let (folder, names) = (tmpfs(), made(64, 1));
            let mut producer = Channel::<[u8]>::named(&*names[0]).elements(64).producer().unwrap();
            let child = record(&folder, &["--every"], &[&names[0]]);
            let (put, _) = imu(&mut producer, Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(100));
            let (name, values, missed) = stop(child).remove(0);
            println!("{name}: {put} put, {values} recorded, {missed} missed");
            assert_eq!(missed, put - values);
            missed
        })
        .collect();
    assert!(missed.contains(&0), "{missed:?}");
}

#[test]
#[ignore = "two minutes, on a quiet machine"]
fn a_put_takes_at_most_5_percent_longer_under_a_recorder() {
    for (what, bytes, period) in [("put of 64 B", 64, 1), ("put of 5 MiB", PICTURE, 20)] {
        let ratio = paired(what, 15, |is_recorded| {
            let (folder, names) = (tmpfs(), made(bytes, 1));
            let channel = Channel::<[u8]>::named(&*names[0]).elements(bytes);
            // The history is asked for in both, since its buffers are memory that a put writes to.
            let mut producer = channel.history(14).producer().unwrap();
            pin(1);
            let child = is_recorded.then(|| record(&folder, &["--every"], &[&names[0]]));
            pin(0);
            let (content, mut times) = (vec![7_u8; bytes], Vec::new());
            at_rate(Duration::from_millis(period), Duration::from_secs(2), || {
                let started = Instant::now();
                producer.put(&content).unwrap();
                times.push(started.elapsed().as_nanos() as f64 / 1000.0);
            });
            if let Some(child) = child {
                stop(child);
            }
            median(times)
        });
        assert!(ratio <= 1.05, "{what}: {ratio:.3}");
    }
}
