//! Recordings that end badly: by a kill, on a full disk, or damaged afterwards.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::recording::{
    Folder, counts, signal, start_recording, stop, wait_until, wait_until_kept, wait_until_observed,
};
use common::{end, printed, run, start};
use io_shared::{Channel, Producer};
use nix::sys::signal::Signal;
use serde_json::Value as Json;
use test_support::{TestName, readers};

/// The bytes of each value.
const BYTES: usize = 64 << 10;

/// Puts values until `seen` has returned.
fn while_putting<R>(name: &str, period: Duration, seen: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let channel = Channel::<[u64]>::named(name).elements(BYTES / 8);
            let mut producer = channel.producer().unwrap();
            while !done.load(Ordering::Relaxed) {
                let mut loan = producer.loan_len(BYTES / 8).unwrap();
                loan.fill(7);
                loan.put().unwrap();
                std::thread::sleep(period);
            }
        });
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(seen));
        done.store(true, Ordering::Relaxed);
        seen.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn length(file: &str) -> u64 {
    std::fs::metadata(file).map_or(0, |metadata| metadata.len())
}

/// How many values a recording plays.
fn played(file: &str) -> u64 {
    let target = TestName::new("played");
    let name = Path::new(file).file_stem().unwrap().to_str().unwrap();
    let remap = format!("--remap=/{name}={}", &*target);
    let done = run(&["play", file, "--rate", "1e6", "--json", &remap]);
    assert_eq!(done.code, 0, "{}", done.err);
    let values = done.out.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    values.map(|line| line["values"].as_u64().unwrap()).sum()
}

/// The numbers that each reader finds in a recording of numbers.
fn numbers(file: &str) -> Vec<u64> {
    let lines = readers::read(Path::new(file));
    let of = |reader: &str| -> Vec<u64> {
        let lines = lines.iter().filter(|line| line["reader"] == reader);
        lines.map(|line| line["value"]["io_seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(of("mcap"), of("rosbags"));
    of("mcap")
}

#[test]
fn a_recording_that_was_killed_plays_to_its_last_flush_and_is_repaired() {
    let is_slow = std::env::var_os("IO_SHARED_SLOW").is_some();
    let (kills, random) = (if is_slow { 200 } else { 5 }, TestName::new("killed"));
    let mut seed = u64::from(std::process::id()) | 1;
    while_putting(&random, Duration::from_millis(2), || {
        for kill in 0..kills {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let after = Duration::from_micros(seed >> 33).min(Duration::from_micros(seed >> 45));
            let folder = Folder::new();
            let file = folder.file(&format!("{}.mcap", random.trim_start_matches('/')));
            let child = start_recording(&["-o", &file], &[&random]);
            // From its first chunk on.
            wait_until(|| length(&file) > 4 << 20);
            std::thread::sleep(after.min(Duration::from_millis(300)));
            signal(&child, Signal::SIGKILL);
            end_killed(child);
            let (there, values) = (length(&file), played(&file));
            // A chunk of 4 MiB may be lost, with the value that made it full.
            let lost = there.saturating_sub(values * BYTES as u64);
            assert!(lost <= (4 << 20) + 3 * BYTES as u64, "{lost} of {there}");
            let said = printed(&["record", "--repair", &file]);
            assert!(said.contains(" messages; "), "{said}");
            let whole = played(&file);
            assert!(whole <= values && values - whole <= 66, "{whole} of {values}");
            assert!(printed(&["record", "--repair", &file]).contains(" is whole"));
            if kill % 5 == 0 || is_slow {
                let numbers = numbers(&file);
                assert_eq!(numbers.len() as u64, whole);
                assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
            }
        }
    });
}

fn end_killed(mut child: std::process::Child) {
    assert!(!child.wait().unwrap().success());
}

#[test]
fn what_was_recorded_is_in_the_file_a_second_later() {
    let (name, folder) = (TestName::new("flushed"), Folder::new());
    let file = folder.file("a.mcap");
    let mut producer = io_shared::producer::<u64>(&*name).unwrap();
    let child = start_recording(&["-o", &file], &[&name]);
    let before = length(&file);
    let done = run(&["record", "--repair", &file]);
    assert!(done.code == 1 && done.err.contains("a recorder is writing it"), "{}", done.err);
    producer.put(&7).unwrap();
    wait_until(|| length(&file) > before);
    signal(&child, Signal::SIGKILL);
    end_killed(child);
    printed(&["record", "--repair", &file]);
    assert_eq!(numbers(&file), [1]);
}

#[test]
fn a_ring_is_written_at_sigusr1_and_at_the_end_while_the_recording_goes_on() {
    let (name, folder) = (TestName::new("ring"), Folder::new());
    let file = folder.file("a.mcap");
    let (first, second) = (folder.file("a_0.mcap"), folder.file("a_1.mcap"));
    while_putting(&name, Duration::from_millis(5), || {
        let options = ["-o", &file, "--last", "10s", "--memory", "1M"];
        let child = start_recording(&options, &[&name]);
        std::thread::sleep(Duration::from_millis(300));
        signal(&child, Signal::SIGUSR1);
        // Its end is the last thing that is written.
        let is_whole = |bytes: &Vec<u8>| bytes.len() > 1000 && bytes.ends_with(b"\x89MCAP0\r\n");
        wait_until(|| std::fs::read(&first).is_ok_and(|bytes| is_whole(&bytes)));
        std::thread::sleep(Duration::from_millis(200));
        stop(child);
    });
    let (first, second) = (numbers(&first), numbers(&second));
    for numbers in [&first, &second] {
        // A MiB has 15 of them, with what each costs besides.
        assert!((1..=15).contains(&numbers.len()), "{numbers:?}");
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    }
    assert!(first.last() < second.first());
    assert!(!Path::new(&file).exists());
}

#[test]
fn a_recording_is_split_by_size() {
    let (name, folder) = (TestName::new("split"), Folder::new());
    let file = folder.file("a.mcap");
    // A number that another file has is passed over.
    std::fs::write(folder.file("a_1.mcap"), "here already").unwrap();
    let files = [0, 2, 3].map(|number| folder.file(&format!("a_{number}.mcap")));
    while_putting(&name, Duration::from_millis(2), || {
        let child = start_recording(&["-o", &file, "--split", "300K"], &[&name]);
        wait_until(|| length(&files[2]) > 0);
        stop(child);
    });
    assert_eq!(std::fs::read(folder.file("a_1.mcap")).unwrap(), b"here already");
    let numbers: Vec<u64> = files.iter().take(2).flat_map(|file| numbers(file)).collect();
    assert_eq!(numbers.len(), 10);
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}

#[test]
fn a_folder_as_ros2_bag_makes_it_is_read_by_rosbags() {
    let (name, folder) = (TestName::new("bag"), Folder::new());
    let bag = folder.file("drive");
    while_putting(&name, Duration::from_millis(2), || {
        let options = ["-o", &bag, "--rosbag2", "--split", "1M"];
        let child = start_recording(&options, &[&name]);
        wait_until(|| length(&format!("{bag}/drive_1.mcap")) > 0);
        stop(child);
    });
    let lines = readers::read(Path::new(&bag));
    let numbers: Vec<u64> =
        lines.iter().map(|line| line["value"]["io_seq"].as_u64().unwrap()).collect();
    assert!(numbers.len() >= 16 && lines.iter().all(|line| line["reader"] == "rosbags"));
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    let done = run(&["record", "-o", &bag, "--rosbag2", &name]);
    assert!(done.code == 1 && done.err.contains("it exists already"), "{}", done.err);
}

#[test]
fn a_full_disk_ends_the_recording_in_words_and_leaves_a_file_that_is_whole() {
    let unshare = ["unshare", "--user", "--map-root-user", "--mount"];
    let allowed = std::process::Command::new(unshare[0]).args(&unshare[1..]).arg("true").status();
    if !allowed.unwrap().success() {
        eprintln!("NOT TESTED: the kernel refuses user namespaces");
        return;
    }
    let (name, folder) = (TestName::new("full"), Folder::new());
    let (disk, kept) = (folder.file("disk"), folder.file("full.mcap"));
    std::fs::create_dir(&disk).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=6M none {disk} || exit 9\n\
         \"$0\" record --every -o {disk}/a.mcap {}\n\
         code=$?\ncp {disk}/a.mcap {kept}\nexit $code\n",
        &*name
    );
    let done = while_putting(&name, Duration::from_millis(2), || {
        let mut command = std::process::Command::new(unshare[0]);
        command.args(&unshare[1..]).args(["sh", "-c", &script, env!("CARGO_BIN_EXE_io-shared")]);
        command.output().unwrap()
    });
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("recording ended") && said.contains("No space left"), "{said}");
    assert!(said.contains("what came before is in the file, which is whole"), "{said}");
    assert!(printed(&["record", "--repair", &kept]).contains(" is whole"));
    let numbers = numbers(&kept);
    assert!(numbers.len() >= 60, "{}", numbers.len());
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}

/// Starts to record, and has no file grow beyond `most` bytes from when the channel is observed on.
fn start_with_little_room(most: u32, options: &[&str], name: &str) -> Child {
    let script = "trap '' XFSZ; exec \"$0\" record --every \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_io-shared")]).args(options).arg(name);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until_observed(&child, name);
    wait_until_kept(name);
    limit(&child, &most.to_string());
    child
}

/// Limits how large files may become that a process writes.
fn limit(child: &Child, most: &str) {
    let arguments = [&format!("--fsize={most}:"), "--pid", &child.id().to_string()];
    assert!(Command::new("prlimit").args(arguments).status().unwrap().success());
}

/// Puts a hundred values, of which the first 65 make a chunk.
fn put_a_hundred(producer: &mut Producer<[u64]>) {
    for _ in 0..100 {
        let mut loan = producer.loan_len(BYTES / 8).unwrap();
        loan.fill(7);
        loan.put().unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn values_that_a_full_disk_cuts_off_count_as_missed_and_a_folder_gets_its_metadata() {
    for is_bag in [false, true] {
        let (name, folder) = (TestName::new("cut"), Folder::new());
        let channel = Channel::<[u64]>::named(&*name).elements(BYTES / 8);
        let mut producer = channel.producer().unwrap();
        let file = folder.file(if is_bag { "a" } else { "a.mcap" });
        let options: &[&str] = if is_bag { &["--rosbag2", "-o", &file] } else { &["-o", &file] };
        let child = start_with_little_room(5_000_000, options, &name);
        put_a_hundred(&mut producer);
        let done = end(child);
        assert!(done.code == 1 && done.err.contains("File too large"), "{}", done.err);
        let (_, values, missed) = counts(&done.out).remove(0);
        assert_eq!(values + missed, 100);
        match is_bag {
            true => {
                assert_eq!(readers::read(Path::new(&file)).len() as u64, values);
                let yaml = std::fs::read_to_string(format!("{file}/metadata.yaml")).unwrap();
                assert!(yaml.contains(&format!("\n  message_count: {values}\n")), "{yaml}");
            }
            false => assert_eq!(numbers(&file).len() as u64, values),
        }
    }
}

#[test]
fn a_value_that_is_larger_than_the_ring_is_missed_and_told() {
    let (name, folder) = (TestName::new("large"), Folder::new());
    let channel = Channel::<[u8]>::named(&*name).elements(100_000);
    let mut producer = channel.producer().unwrap();
    let (file, first) = (folder.file("a.mcap"), folder.file("a_0.mcap"));
    let options = ["-o", &file, "--last", "1h", "--memory", "50K"];
    let child = start_recording(&options, &[&name]);
    for bytes in [10, 100_000, 100_000, 20] {
        producer.put(&vec![7; bytes]).unwrap();
    }
    signal(&child, Signal::SIGINT);
    let done = end(child);
    assert_eq!((done.code, counts(&done.out)), (0, vec![(name.to_string(), 2, 2)]));
    let told = format!("{}: a value of 100 kB is larger than --memory\n", &*name);
    assert_eq!(done.err, told);
    assert_eq!(numbers(&first), [1, 4]);
}

#[test]
fn a_ring_that_has_no_room_on_the_disk_stays_in_memory() {
    let (name, folder) = (TestName::new("roomless"), Folder::new());
    let channel = Channel::<[u64]>::named(&*name).elements(BYTES / 8);
    let mut producer = channel.producer().unwrap();
    let (file, first) = (folder.file("a.mcap"), folder.file("a_0.mcap"));
    for room in [0, 3_000_000] {
        let mut child = start_with_little_room(room, &["--last", "1h", "-o", &file], &name);
        put_a_hundred(&mut producer);
        signal(&child, Signal::SIGUSR1);
        let mut said = String::new();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        stderr.read_line(&mut said).unwrap();
        let expected = format!("cannot write {first}: File too large");
        assert!(said.starts_with(&expected) && said.contains("send SIGUSR1 again"), "{said}");
        assert!(!std::fs::exists(&first).unwrap());
        limit(&child, "unlimited");
        let (_, values, missed) = stop(child).remove(0);
        assert!(values >= 90 && values + missed >= 100, "{values} and {missed}");
        assert_eq!(numbers(&first).len() as u64, values);
        std::fs::remove_file(&first).unwrap();
    }
}

#[test]
fn a_file_that_is_cut_or_changed_anywhere_is_played_or_refused_in_words() {
    let (name, played, folder) = (TestName::new("damage"), TestName::new("played"), Folder::new());
    let file = folder.file("a.mcap");
    let mut producer = Channel::<[u16; 4]>::named(&*name).producer().unwrap();
    let child = start_recording(&["-o", &file], &[&name]);
    for number in 0..3 {
        producer.put(&[number; 4]).unwrap();
    }
    std::thread::sleep(Duration::from_millis(50));
    stop(child);
    let whole = std::fs::read(&file).unwrap();
    let bad = folder.file("bad.mcap");
    let remap = format!("--remap={}={}", &*name, &*played);
    let tried = (0..whole.len()).step_by(whole.len() / 60);
    for at in tried {
        for damage in ["cut", "0", "255"] {
            let mut bytes = whole.clone();
            match damage.parse::<u8>() {
                Ok(byte) => bytes[at] ^= byte | 1,
                Err(_) => bytes.truncate(at),
            }
            std::fs::write(&bad, &bytes).unwrap();
            for arguments in
                [&["play", &bad, "--rate", "1e9", &remap][..], &["record", "--repair", &bad]]
            {
                let done = run(arguments);
                assert!([0, 1].contains(&done.code), "{at} {damage}: {}", done.err);
                assert!(!done.err.contains("panicked"), "{at} {damage}: {}", done.err);
            }
        }
    }
}

#[test]
fn a_recorder_waits_for_its_duration_only() {
    let (name, folder) = (TestName::new("duration"), Folder::new());
    let file = folder.file("a.mcap");
    let done = end(start(&["record", "-o", &file, "--duration", "50ms", &name]));
    assert_eq!(
        (done.code, &*done.out),
        (0, &*format!("{}\t0\t0\tthere was no such channel\n", &*name))
    );
    assert!(printed(&["record", "--repair", &file]).contains(" is whole"));
}
