//! Files that are cut off, damaged or made to do harm: `play` and `record --repair` end in time, in
//! words, and within their memory.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::collections::BTreeMap;
use std::process::Command;

use common::recording::{Folder, start_recording, stop, wait_until};
use common::{printed, run};
use io_shared::{Channel, Value};
use mcap::Compression;
use mcap::records::MessageHeader;
use test_support::TestName;

/// Plays and repairs a file. The commands have 1 GiB of addresses and 20 seconds. Returns what each
/// said.
#[track_caller]
fn try_both(folder: &Folder, what: &str, bytes: &[u8], remaps: &[&str]) -> [String; 2] {
    let file = folder.file(&format!("{:?}.mcap", std::thread::current().id()));
    std::fs::write(&file, bytes).unwrap();
    let play = [&["play", &file, "--rate", "1e18"], remaps].concat();
    [&play[..], &["record", "--repair", &file]].map(|arguments| {
        let mut command = Command::new("bash");
        let script = "ulimit -v 1048576; exec timeout --kill-after=1 20 \"$0\" \"$@\"";
        command.args(["-c", script, env!("CARGO_BIN_EXE_io-shared")]).args(arguments);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 1)), "{what}: {arguments:?}: {code:?} {said}");
        assert!(!said.contains("panicked"), "{what}: {said}");
        assert!(code == Some(0) || said.starts_with("error: "), "{what}: {said}");
        said
    })
}

/// A channel in a file: topic, schema's name and text, metadata, messages.
type Written<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)], &'a [&'a [u8]]);

/// Writes an MCAP file.
fn mcap(compression: Option<Compression>, channels: &[Written<'_>]) -> Vec<u8> {
    let options = mcap::WriteOptions::new().compression(compression).profile("ros2");
    let mut writer = options.create(std::io::Cursor::new(Vec::new())).unwrap();
    for (topic, name, text, metadata, messages) in channels {
        let schema = writer.add_schema(name, "ros2msg", text.as_bytes()).unwrap();
        let pairs = metadata.iter().map(|(key, value)| ((*key).into(), (*value).into()));
        let metadata: BTreeMap<String, String> = pairs.collect();
        let channel_id = writer.add_channel(schema, topic, "cdr", &metadata).unwrap();
        for message in *messages {
            let header = MessageHeader { channel_id, sequence: 1, log_time: 1, publish_time: 1 };
            writer.write_to_known_channel(&header, message).unwrap();
        }
    }
    writer.finish().unwrap();
    writer.into_inner().into_inner()
}

/// A small recording, and the name of its channel.
fn recording(folder: &Folder) -> (Vec<u8>, TestName) {
    let (name, file) = (TestName::new("hostile"), folder.file("a.mcap"));
    let mut producer = io_shared::producer::<[u16; 2]>(&*name).unwrap();
    let child = start_recording(&["-o", &file], &[&name]);
    for number in 1..=2 {
        producer.put(&[number; 2]).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_millis(50));
    stop(child);
    (std::fs::read(file).unwrap(), name)
}

/// Calls `try_one` with each number below `count`, on all cores.
fn each(count: usize, try_one: impl Fn(usize) + Sync) {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        let try_one = &try_one;
        for core in 0..cores {
            scope.spawn(move || (core..count).step_by(cores).for_each(try_one));
        }
    });
}

#[test]
fn a_recording_that_is_cut_off_at_any_byte_plays_what_is_whole() {
    let folder = Folder::new();
    let (whole, name) = recording(&folder);
    assert!(whole.len() < 4000, "{}", whole.len());
    let played = TestName::new("played");
    let remaps: Vec<TestName> = (0..64).map(|_| TestName::new("played")).collect();
    drop(played);
    each(whole.len(), |at| {
        let remap = format!("--remap={}={}", &*name, &*remaps[at % remaps.len()]);
        try_both(&folder, &format!("cut at {at}"), &whole[..at], &[&remap]);
    });
}

#[test]
fn lengths_that_are_not_true_end_in_words() {
    let folder = Folder::new();
    let (whole, name) = recording(&folder);
    let remap = format!("--remap={}={}", &*name, &*TestName::new("played"));
    // Every place in which a length may stand is one of these.
    let places: Vec<usize> = (8..whole.len() - 8).step_by(3).collect();
    let lengths = [u64::MAX, u64::MAX - 8, 1 << 63, 1 << 40, u64::from(u32::MAX), 1 << 20];
    each(places.len(), |number| {
        let (at, length) = (places[number], lengths[number % lengths.len()]);
        let mut bytes = whole.clone();
        bytes[at..at + 8].copy_from_slice(&length.to_le_bytes());
        try_both(&folder, &format!("{length:#x} at {at}"), &bytes, &[&remap]);
    });
}

#[test]
fn records_and_chunks_that_lie_about_their_size_end_in_words() {
    let folder = Folder::new();
    let values: &[&[u8]] = &[b"\0\x01\0\0\x07\0\0\0", b"\0\x01\0\0\x08\0\0\0"];
    for compression in [None, Some(Compression::Lz4), Some(Compression::Zstd)] {
        let whole = mcap(compression, &[("/n", "p/msg/N", "uint32 n\n", &[], values)]);
        let chunk = whole.windows(9).position(|w| w[0] == 6 && w[8] == 0).unwrap();
        // The chunk's own length, its uncompressed size, its checksum, its compressed size.
        for (at, size) in [(1, 8), (9 + 16, 8), (9 + 24, 4), (9 + 28, 4), (9 + 32, 8), (9 + 36, 8)]
        {
            for number in [0, 1, 1 << 30, 1 << 40, u64::MAX] {
                let mut bytes = whole.clone();
                let place = &mut bytes[chunk + at..chunk + at + size];
                place.copy_from_slice(&number.to_le_bytes()[..size]);
                let remap = format!("--remap=/n={}", &*TestName::new("n"));
                let what = format!("{compression:?} {at} {number:#x}");
                try_both(&folder, &what, &bytes, &[&remap]);
            }
        }
    }
    // More than there is memory for, of as many bytes as might stand for it.
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(60_000).collect();
    for (compression, says, told) in [
        (Compression::Zstd, 2_u64 << 30, "there is no memory for a chunk"),
        (Compression::Lz4, 500 << 20, "bytes says 524288000"),
    ] {
        let mut bytes = mcap(Some(compression), &[("/n", "p/msg/N", "uint32 n\n", &[], &[&noise])]);
        let chunk = bytes.windows(9).position(|w| w[0] == 6 && w[6..] == [0; 3]).unwrap();
        bytes[chunk + 9 + 16..][..8].copy_from_slice(&says.to_le_bytes());
        let [said, _] = try_both(&folder, "a vast chunk", &bytes, &[]);
        assert!(said.contains(told), "{compression:?}: {said}");
    }
    // A record in a chunk that says it is longer than the chunk.
    let whole = mcap(None, &[("/n", "p/msg/N", "uint32 n\n", &[], values)]);
    let message = whole.windows(9).position(|w| w == b"\x05\x1e\0\0\0\0\0\0\0").unwrap();
    for length in [31, 100, 1 << 20, u64::MAX] {
        let mut bytes = whole.clone();
        bytes[message + 1..message + 9].copy_from_slice(&length.to_le_bytes());
        try_both(&folder, "a long message", &bytes, &[]);
    }
}

#[test]
fn a_bad_checksum_is_noticed_and_the_other_chunks_are_kept() {
    let (name, played, folder) = (TestName::new("crc"), TestName::new("played"), Folder::new());
    let file = folder.file("a.mcap");
    let mut producer = Channel::<[u8]>::named(&*name).elements(5 << 20).producer().unwrap();
    let child = start_recording(&["-o", &file], &[&name]);
    for number in 1..=3 {
        let length = || std::fs::metadata(&file).unwrap().len();
        let before = length();
        producer.put(&vec![number; 5 << 20]).unwrap();
        // It is written within a second.
        wait_until(|| length() >= before + (5 << 20));
    }
    stop(child);
    // Each of the three values is a chunk of its own. The second one is damaged.
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.chunks(4096).position(|chunk| chunk.iter().all(|byte| *byte == 2)).unwrap();
    let at = 4096 * at;
    bytes[at + 500] = 9;
    std::fs::write(&file, &bytes).unwrap();
    let remap = format!("--remap={}={}", &*name, &*played);
    let play = || {
        let done = run(&["play", &file, "--rate", "1e9", "--json", &remap]);
        let told = format!("{file}: what is damaged is not played (");
        assert!(done.code == 0 && done.err.starts_with(&told), "{}", done.err);
        assert!(done.err.lines().count() == 1 && done.out.contains("\"values\":2"), "{done:?}");
    };
    play();
    let said = printed(&["record", "--repair", &file]);
    assert!(said.contains("2 messages; 0 B") && said.contains("1 damaged part"), "{said}");
    play();
    // Nothing was moved, and others find what is whole.
    let repaired = std::fs::read(&file).unwrap();
    assert_eq!(repaired[..bytes.len() - 2000], bytes[..bytes.len() - 2000]);
    let lines = test_support::readers::read(std::path::Path::new(&file));
    let numbers: Vec<(&str, i64)> = lines
        .iter()
        .map(|line| (line["reader"].as_str().unwrap(), line["value"]["io_seq"].as_i64().unwrap()))
        .collect();
    assert_eq!(numbers, [("mcap", 1), ("mcap", 3), ("rosbags", 1), ("rosbags", 3)]);
}

#[test]
fn a_damaged_end_is_written_anew() {
    let folder = Folder::new();
    let (whole, _) = recording(&folder);
    let file = folder.file("damaged.mcap");
    // In the statistics, and where the footer says that the summary starts.
    for at in [whole.len() - 150, whole.len() - 28] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&file, &bytes).unwrap();
        let said = printed(&["record", "--repair", &file]);
        assert!(said.contains("2 messages"), "{at}: {said}");
        assert!(printed(&["record", "--repair", &file]).contains(" is whole"), "{at}");
        assert_eq!(test_support::readers::read(std::path::Path::new(&file)).len(), 4, "{at}");
    }
}

#[test]
fn a_whole_file_with_one_wrong_length_is_not_cut_there() {
    let folder = Folder::new();
    let (whole, _) = recording(&folder);
    let file = folder.file("damaged.mcap");
    let chunk = whole.windows(9).position(|w| w[0] == 6 && w[6..] == [0; 3]).unwrap();
    for length in [u64::MAX, 1 << 40] {
        let mut bytes = whole.clone();
        bytes[chunk + 1..chunk + 9].copy_from_slice(&length.to_le_bytes());
        std::fs::write(&file, &bytes).unwrap();
        let done = run(&["record", "--repair", &file]);
        let told = format!("the record at byte {chunk} says a wrong length");
        assert!(done.code == 1 && done.err.contains(&told), "{}", done.err);
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
    }
}

#[test]
fn values_that_are_left_out_are_told_once_for_each_topic() {
    let folder = Folder::new();
    let file = folder.file("left.mcap");
    let (whole, newer) = (&b"\0\x01\0\0\x07\0\0\0"[..], &b"\0\x07\0\0\x07\0\0\0"[..]);
    let short = [&whole[..5], &whole[..6], whole];
    let channels: [Written<'_>; 2] = [
        ("/short", "p/msg/N", "uint32 n\n", &[], &short),
        ("/newer", "p/msg/N", "uint32 n\n", &[], &[newer, newer]),
    ];
    std::fs::write(&file, mcap(None, &channels)).unwrap();
    let names = [TestName::new("left"), TestName::new("left")];
    let remaps = [format!("/short={}", &*names[0]), format!("/newer={}", &*names[1])];
    let done = run(&["play", &file, "--json", "--remap", &remaps[0], "--remap", &remaps[1]]);
    let said: Vec<&str> = done.err.lines().collect();
    assert!(said.len() == 2 && done.out.contains("\"values\":1"), "{done:?}");
    assert!(said[0].starts_with("/short: value 1 is damaged: "), "{done:?}");
    assert!(said[1].starts_with("/newer: value 1 cannot be played: "), "{done:?}");
}

#[test]
fn hostile_definitions_end_in_words() {
    let folder = Folder::new();
    let deep: String = (0..5000).map(|n| format!("===\nMSG: p/D{n}\np/D{} a\n", n + 1)).collect();
    let wide = "uint8 a\n".repeat(200_000);
    let doubling: String =
        (0..40).map(|n| format!("===\nMSG: p/T{n}\np/T{m} a\np/T{m} b\n", m = n + 1)).collect();
    let texts = [
        "p/A a\n===\nMSG: p/A\np/A a\n",
        "A a\n",
        "uint8[18446744073709551615] a\n",
        "uint8[9223372036854775807] a\nuint8[9223372036854775807] b\n",
        "float64[4294967296] a\n",
        "float64[2305843009213693953] a\n",
        "string<=18446744073709551615 a\n",
        "string<=4294967296[4294967296] a\n",
        "wstring a\n",
        "p/Empty[1000000000] a\n===\nMSG: p/Empty\n",
        "p/Empty[] a\n===\nMSG: p/Empty\n",
        "===\n===\n===\nMSG:\nMSG: \n",
        "\u{0}\u{1}\n",
        &format!("p/D0 a\n{deep}"),
        &format!("p/T0 a\n{doubling}"),
        &wide,
        &"=".repeat(1 << 20),
        &"x ".repeat(1 << 19),
    ];
    let numbers = [0xff; 64];
    let messages: &[&[u8]] = &[b"", b"\0\x01", b"\0\x01\0\0", &[0; 4096], &numbers];
    let cdr = [&b"\0\x01\0\0"[..], &numbers].concat();
    let messages = [messages, &[&cdr]].concat();
    each(texts.len(), |number| {
        let text = texts[number];
        let bytes = mcap(None, &[("/t", "p/msg/A", text, &[], &messages)]);
        let what: String = text.chars().take(60).collect();
        let remap = format!("--remap=/t={}", &*TestName::new("text"));
        try_both(&folder, &what, &bytes, &[&remap]);
    });
}

#[test]
fn hostile_metadata_ends_in_words_and_names_no_files() {
    let folder = Folder::new();
    let secret = folder.file("secret");
    let arrays = format!("{}\"|u1\"{}", "{\"array\":1,\"of\":".repeat(20_000), "}".repeat(20_000));
    let vast = r#"{"array":70368744177664,"of":"|S1"}"#;
    let file = format!("file:{secret}");
    let long = format!("/{}", "n".repeat(10_000));
    let names = [&*file, "", "/", "/../x", "/a%b", "/a//b", "/\u{0}", &long];
    let schemas = ["", "{}", "\"<u4\"", vast, &arrays, r#"{"struct":"#];
    let parts = ["whole", "head", "data", "other", ""];
    let cdr = [&b"\0\x01\0\0"[..], &[7; 60]].concat();
    each(names.len() * schemas.len() * parts.len(), |number| {
        let (name, rest) = (names[number % names.len()], number / names.len());
        let (schema, part) = (schemas[rest % schemas.len()], parts[rest / schemas.len()]);
        let metadata =
            [("io_shared.name", name), ("io_shared.schema", schema), ("io_shared.part", part)];
        let bytes = mcap(None, &[("/t", "p/msg/A", "uint8 a\n", &metadata, &[&cdr])]);
        try_both(&folder, &format!("{part} of {name:.20}: {schema:.40}"), &bytes, &[]);
    });
    assert!(!std::fs::exists(&secret).unwrap());
    let bytes = mcap(None, &[(&file, "p/msg/A", "uint8 a\n", &[], &[b"\0\x01\0\0\x07"])]);
    let [said, _] = try_both(&folder, "a topic that is a file", &bytes, &[]);
    assert!(said.contains("it names a file") && !std::fs::exists(&secret).unwrap(), "{said}");
}

#[test]
fn big_endian_messages_of_others_are_played() {
    let (folder, name) = (Folder::new(), TestName::new("big"));
    let text = "uint16 a\nfloat64 b\nstring c\nint32[] d\n";
    let cdr = [
        &[0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0][..],
        &0.5_f64.to_be_bytes(),
        &3_u32.to_be_bytes(),
        b"hi\0\0",
        &2_u32.to_be_bytes(),
        &(-1_i32).to_be_bytes(),
        &7_i32.to_be_bytes(),
    ]
    .concat();
    let bytes = mcap(Some(Compression::Zstd), &[("/big", "p/msg/B", text, &[], &[&cdr])]);
    let file = folder.file("big.mcap");
    std::fs::write(&file, bytes).unwrap();
    let done = run(&["play", &file, &format!("--remap=/big={}", &*name)]);
    assert_eq!(done.code, 0, "{}", done.err);
    let mut observer = Channel::<[u8]>::named(&*name).any_schema().observer().unwrap();
    let schema = observer.schema().clone();
    let message = observer.copy().unwrap().unwrap();
    let shown = Value::decode(&schema, &message).unwrap().json().to_string();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["a"], &shown["b"]), (&0x0102.into(), &0.5.into()));
    assert_eq!((&shown["c"], &shown["d"]), (&"hi".into(), &serde_json::json!([-1, 7])));
}

#[test]
fn a_value_that_compresses_well_is_longer_than_its_file_and_is_played() {
    let (name, played, folder) = (TestName::new("zeros"), TestName::new("played"), Folder::new());
    let mut producer = Channel::<[u8]>::named(&*name).elements(4 << 20).producer().unwrap();
    // The second recording begins with the value of the first.
    for (how, values) in [("lz4", 1), ("zstd", 2)] {
        let file = folder.file(&format!("{how}.mcap"));
        let child = start_recording(&["-o", &file, "--compress", how], &[&name]);
        producer.put(&vec![0; 4 << 20]).unwrap();
        stop(child);
        assert!(std::fs::metadata(&file).unwrap().len() < 1 << 20);
        let remap = format!("--remap={}={}", &*name, &*played);
        let done = run(&["play", &file, "--json", "--rate", "1e6", &remap]);
        assert!(done.code == 0 && done.err.is_empty(), "{how}: {}", done.err);
        assert!(done.out.contains(&format!("\"values\":{values}")), "{how}: {}", done.out);
        assert!(printed(&["record", "--repair", &file]).contains(" is whole"), "{how}");
    }
}
