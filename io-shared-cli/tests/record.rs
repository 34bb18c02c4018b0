//! `record` and `play`, as processes next to living producers.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(non_snake_case, reason = "awkward names are what is tested")]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::recording::{Folder, signal, start_recording, stop, wait_until_observed};
use common::{end, printed, run, start};
use io_shared::message::{List, ListData, NdList};
use io_shared::schema::Scalar;
use io_shared::{Array, Channel, Message, Observer, Producer, Schema, Text, value};
use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};
use test_support::{TestName, readers};

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
    z: f32,
    ring: u32,
}

#[derive(Message)]
#[repr(C)]
struct Cloud {
    stamp_ns: u64,
    sensor: Text<8>,
    points: [Point],
}

#[derive(Clone, Copy, Message)]
#[repr(i16)]
enum Gear {
    Reverse = -1,
    Neutral = 0,
    First = 1,
}

#[derive(Message)]
#[repr(C)]
struct Drive {
    gears: [Gear; 2],
    frameId: bool,
    _pad: [u8; 3],
    name: Text<12>,
    place: Point,
    ticks: [u16],
}

#[derive(Message)]
#[repr(C)]
struct Detections {
    frame: u64,
    boxes: List<[u16; 4]>,
    names: List<Text<6>>,
    image: NdList<u16, 2>,
    data: ListData,
}

/// A producer, whose channel grows if messages have any length.
fn untyped(name: &str, schema: &Schema) -> Producer<[u8]> {
    sized(name, schema, "4K")
}

fn sized(name: &str, schema: &Schema, size: &str) -> Producer<[u8]> {
    let channel = Channel::<[u8]>::named(name).schema(schema.clone());
    match schema.root().shape().element {
        Some(_) => channel.capacity(size).growing(true).producer().unwrap(),
        None => channel.producer().unwrap(),
    }
}

/// An observer of a channel with this schema, which then has all of up to 14 values.
fn keeping(name: &str, schema: &Schema) -> Observer<[u8]> {
    drop(sized(name, schema, "64K"));
    Channel::<[u8]>::named(name).any_schema().history(14).observer().unwrap()
}

/// Number, tag and bytes of all values.
fn values(observer: &mut Observer<[u8]>) -> Vec<(u64, u64, Vec<u8>)> {
    let copies = observer.since(0).map(|copy| copy.unwrap());
    copies.map(|copy| (copy.seq(), copy.tag(), copy.to_vec())).collect()
}

/// Bytes that follow from a number.
fn bytes(count: usize, seed: usize) -> Vec<u8> {
    (0..count).map(|i| (i * 31 + seed * 7 + 1) as u8).collect()
}

/// Arrays of all dtypes: as others see them, and as clouds and pictures.
fn arrays() -> Vec<(Schema, Vec<Vec<u8>>)> {
    let mut all = Vec::new();
    let array = |dtype: &str, shape: &[usize], size: usize| {
        Array::to_bytes(dtype, shape, &bytes(size * shape.iter().product::<usize>(), 8)).unwrap()
    };
    let mut arrays = Vec::new();
    for code in [
        "|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", ">i2", ">u4", ">f8", "<f2",
        "<f4", "<f8", "<f16", "<c8", "<c16", "<c32", "|S5", "|V3",
    ] {
        let digits = code[2..].parse().unwrap();
        arrays.push(array(code, &[2, 3], digits));
    }
    arrays.push(array("<U2", &[3], 8));
    arrays.push(array("<M8[ns]", &[], 8));
    arrays.push(array("<m8[us]", &[1, 2, 1], 8));
    let nested = "[('a', [('b', '<u2', (2,)), ('', '|V4')]), ('c', '|S3')]";
    arrays.push(array(nested, &[2], 11));
    let fortran = "{'descr': '<f4', 'fortran_order': True, 'shape': (4, 3), }";
    let header = format!("{fortran:<117}\n");
    arrays.push([b"\x93NUMPY\x01\x00\x76\x00", header.as_bytes(), &bytes(48, 9)].concat());
    for some in arrays.chunks(13) {
        all.push((Array::schema(), some.to_vec()));
    }
    let mut seen = Vec::new();
    let structs = "[('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('t', '<f8')]";
    seen.push(array(structs, &[7], 20));
    seen.push(array("<f4", &[9, 4], 4));
    seen.push(array("|u1", &[4, 5, 3], 1));
    seen.push(array("<u2", &[4, 5], 2));
    seen.push(array("<f4", &[3, 20], 4));
    seen.push(array("<f4", &[0, 4], 4));
    all.push((Array::schema(), seen));
    all
}

/// Values of each type that a message may have.
fn messages() -> Vec<(Schema, Vec<Vec<u8>>)> {
    let mut all: Vec<(Schema, Vec<Vec<u8>>)> = Vec::new();
    for scalar in Scalar::ALL {
        let schema = Schema::from_json(&format!("\"{}\"", scalar.code())).unwrap();
        let value = |seed| match scalar {
            Scalar::Bool => vec![(seed % 2) as u8],
            _ => bytes(scalar.size(), seed),
        };
        all.push((schema, (0..3).map(value).collect()));
    }
    let text = |text: &str| Text::<12>::truncated(text).as_bytes().to_vec();
    let drive = |name: &str, ticks: usize| {
        let place = bytes(16, 1);
        [vec![1, 0, 255, 255, 1, 9, 8, 7], text(name), place, bytes(2 * ticks, 2)].concat()
    };
    all.push((Text::<12>::schema(), vec![text("größe"), text(""), text("twelve bytes")]));
    all.push((Drive::schema(), vec![drive("Ärger", 3), drive("", 0), drive("x", 3000)]));
    let cloud =
        |points: usize| [bytes(8, 3), b"roof\0\0\0\0".to_vec(), bytes(16 * points, 4)].concat();
    all.push((Cloud::schema(), vec![cloud(2), cloud(0), cloud(500)]));
    let lists = Detections::schema();
    let json = |count: usize| {
        let boxes = vec!["[1,2,3,4]"; count].join(",");
        let names = vec!["\"name\""; count].join(",");
        format!(r#"{{"frame":7,"boxes":[{boxes}],"names":[{names}],"image":[[1,2,3],[4,5,6]]}}"#)
    };
    let list = |count| value::encode(&lists, &json(count)).unwrap();
    all.push((lists.clone(), vec![list(3), list(0), list(100)]));
    all.push((<[Point]>::schema(), vec![bytes(32, 5), Vec::new()]));
    all.push((<[[u8; 3]; 2]>::schema(), vec![bytes(6, 6)]));
    all.push((<[[u16; 3]]>::schema(), vec![bytes(12, 6), Vec::new()]));
    all.push((<[bool; 3]>::schema(), vec![vec![1, 0, 1], vec![0; 3]]));
    all.push((<[Gear]>::schema(), vec![vec![255, 255, 0, 0, 1, 0], Vec::new()]));
    let texts = [text("one"), text(""), text("größe")].concat();
    all.push((<[Text<12>]>::schema(), vec![texts, Vec::new()]));
    all.extend(arrays());
    all
}

#[test]
fn what_is_recorded_and_played_has_the_same_bytes_numbers_tags_and_order() {
    for options in [&[][..], &["--raw"], &["--compress", "lz4"], &["--compress", "zstd"]] {
        let (folder, messages) = (Folder::new(), messages());
        let names: Vec<_> = messages.iter().map(|_| TestName::new("rec/0.a")).collect();
        let played: Vec<_> = messages.iter().map(|_| TestName::new("played")).collect();
        let mut producers: Vec<_> =
            names.iter().zip(&messages).map(|(name, (schema, _))| untyped(name, schema)).collect();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let file = folder.file("a.mcap");
        let child = start_recording(&[&["-o", &file], options].concat(), &names);
        let mut expected = vec![Vec::new(); messages.len()];
        for round in 0..13 {
            for (number, (_, values)) in messages.iter().enumerate() {
                let Some(value) = values.get(round) else { continue };
                let tag = u64::MAX - round as u64;
                let seq = producers[number].put_tagged(value, tag).unwrap();
                expected[number].push((seq, tag, value.clone()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let said = stop(child);
        for ((name, values, missed), expected) in said.iter().zip(&expected) {
            assert_eq!((*values as usize, *missed), (expected.len(), 0), "{name} {options:?}");
        }
        let mut observers: Vec<_> =
            played.iter().zip(&messages).map(|(name, (schema, _))| keeping(name, schema)).collect();
        let remaps: Vec<String> = names
            .iter()
            .zip(&played)
            .map(|(from, to)| format!("--remap={from}={}", &**to))
            .collect();
        let remaps: Vec<&str> = remaps.iter().map(String::as_str).collect();
        printed(&[&["play", &file], &remaps[..]].concat());
        for ((observer, expected), (schema, _)) in
            observers.iter_mut().zip(&expected).zip(&messages)
        {
            assert_eq!(&values(observer), expected, "{options:?} {}", schema.to_json());
        }
    }
}

/// Puts a cloud whose points follow from its number.
fn put(clouds: &mut Producer<Cloud>, number: u32, points: usize) {
    let mut loan = clouds.loan_len(points).unwrap();
    loan.stamp_ns = number.into();
    loan.sensor = Text::truncated("roof");
    for (at, point) in loan.points.iter_mut().enumerate() {
        *point = Point { x: at as f32, y: number as f32, z: 0.5, ring: number };
    }
    loan.put().unwrap();
}

#[test]
fn a_recording_is_read_by_others_with_the_points_that_were_put() {
    let (name, labels, folder) = (TestName::new("clouds"), TestName::new("labels"), Folder::new());
    let mut clouds = Channel::<Cloud>::named(&*name).elements(100).producer().unwrap();
    let mut labeller = Channel::<[u32]>::named(&*labels).elements(100).producer().unwrap();
    let file = folder.file("a.mcap");
    let child = start_recording(&["-o", &file, "--frame", "lidar"], &[&name, &labels]);
    for number in 1..=5 {
        put(&mut clouds, number, 90 + number as usize);
        labeller.put_tagged(&[number; 3], number.into()).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let said = stop(child);
    assert_eq!(said, [(name.to_string(), 5, 0), (labels.to_string(), 5, 0)]);
    let lines = readers::read(Path::new(&file));
    for reader in ["mcap", "rosbags"] {
        let of = |topic: &str| -> Vec<&Json> {
            let is = |line: &&Json| line["reader"] == reader && line["topic"] == topic;
            lines.iter().filter(is).map(|line| &line["value"]).collect()
        };
        let (topic, labels) = (name.replace('-', "_"), labels.replace('-', "_"));
        for (number, cloud) in (1_u64..).zip(of(&topic)) {
            let points = 90 + number;
            let bytes: Vec<u8> = (0..points)
                .flat_map(|at| {
                    let (x, y) = (at as f32, number as f32);
                    let ring = (number as u32).to_le_bytes();
                    [x.to_le_bytes(), y.to_le_bytes(), 0.5_f32.to_le_bytes(), ring].concat()
                })
                .collect();
            let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
            let ends = json!([bytes[0], bytes[bytes.len() - 1]]);
            let data = json!({"count": bytes.len(), "ends": ends, "sum": sum});
            assert_eq!((&cloud["data"], &cloud["width"]), (&data, &json!(points)), "{reader}");
            assert_eq!(cloud["header"]["frame_id"], "lidar");
            let names: Vec<_> = cloud["fields"]
                .as_array()
                .unwrap()
                .iter()
                .map(|f| f["name"].as_str().unwrap())
                .collect();
            assert_eq!(names, ["x", "y", "z", "ring"]);
        }
        let heads = of(&format!("{topic}/_io"));
        let labels = of(&labels);
        assert_eq!((of(&topic).len(), heads.len(), labels.len()), (5, 5, 5), "{reader}");
        for (number, (head, label)) in (1_u64..).zip(heads.into_iter().zip(labels)) {
            assert_eq!((&head["io_seq"], &head["stamp_ns"]), (&json!(number), &json!(number)));
            assert_eq!(head["sensor"], "roof", "{reader}");
            assert_eq!(
                (&label["io_tag"], &label["value"]),
                (&json!(number), &json!(vec![number; 3]))
            );
        }
    }
}

#[derive(Message)]
#[repr(C)]
struct Stamped {
    #[message(unit = "ns", stamp)]
    measured: u64,
    #[message(frame = "roof")]
    points: [Point],
}

#[test]
fn clouds_and_pictures_have_the_stamps_frames_and_kinds_that_their_types_say() {
    let (clouds, images) = (TestName::new("stamped"), TestName::new("img"));
    let folder = Folder::new();
    let mut points = Channel::<Stamped>::named(&*clouds).elements(4).producer().unwrap();
    let array = Channel::<Array>::named(&*images).capacity("4K");
    let mut pixels = array.kind("image:bgr8").producer().unwrap();
    for (options, frame) in [(&[][..], "roof"), (&["--frame", "map"], "map")] {
        let file = folder.file(&format!("{frame}.mcap"));
        let child = start_recording(&[&["-o", &file], options].concat(), &[&clouds, &images]);
        for measured in [0, 1_500_000_007] {
            let mut loan = points.loan_len(2).unwrap();
            loan.measured = measured;
            loan.put().unwrap();
            let mut loan = pixels.loan_len(128 + 12).unwrap();
            loan.write_header("|u1", false, &[2, 2, 3]).unwrap().fill(9);
            loan.put().unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
        stop(child);
        let lines = readers::read(Path::new(&file));
        let of = |reader: &str, ty: &str| -> Vec<Json> {
            let is = |l: &&Json| l["reader"] == reader && l["type"] == ty;
            lines.iter().filter(is).map(|line| line["value"].clone()).collect()
        };
        for reader in ["mcap", "rosbags"] {
            let clouds = of(reader, "sensor_msgs/msg/PointCloud2");
            let [.., unset, set] = &clouds[..] else { panic!("{} clouds", clouds.len()) };
            assert_eq!(set["header"]["stamp"], json!({"sec": 1, "nanosec": 500_000_007}));
            assert_eq!(set["header"]["frame_id"], frame, "{reader}");
            // A time that nobody set is that of the put.
            assert!(unset["header"]["stamp"]["sec"].as_u64() > Some(1_600_000_000), "{reader}");
            let pictures = of(reader, "sensor_msgs/msg/Image");
            let last = &pictures[pictures.len() - 1];
            assert_eq!(last["encoding"], "bgr8", "{reader}");
            let name = images.trim_start_matches('/');
            let frame = if options.is_empty() { name } else { frame };
            assert_eq!(last["header"]["frame_id"], frame, "{reader}");
        }
    }
}

#[test]
fn a_channel_that_changes_its_type_vanishes_comes_back_or_grows_goes_on() {
    let (name, played, folder) = (TestName::new("changes"), TestName::new("played"), Folder::new());
    let file = folder.file("a.mcap");
    let mut child = start(&["record", "--every", "-o", &file, &name, "--json"]);
    // It is waited for.
    let mut said = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut stderr, &mut said).unwrap();
    assert!(said.contains("there is no channel yet"), "{said}");
    let put = |schema: &Schema, value: &[u8]| {
        let mut producer = untyped(&name, schema);
        producer.put(value).unwrap();
        wait_until_observed(&child, &name);
        // Values are so far apart in the replay too.
        std::thread::sleep(Duration::from_millis(150));
    };
    put(&f64::schema(), &[1; 8]);
    put(&f64::schema(), &[2; 8]);
    io_shared::remove(&name).unwrap();
    // Another type, which then outgrows its channel of 4 KiB.
    put(&<[u16]>::schema(), &[3; 10]);
    put(&<[u16]>::schema(), &[4; 20_000]);
    put(&<[u16]>::schema(), &[5; 2]);
    signal(&child, Signal::SIGTERM);
    let done = end(child);
    let count: Json = serde_json::from_str(&done.out).unwrap();
    let expected = json!({"name": *name, "values": 5, "missed": 0, "bytes": 20_028, "found": true});
    assert_eq!(count, expected);
    let play = start(&["play", &file, &format!("--remap={}={}", &*name, &*played)]);
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(30);
    while seen.len() < 5 && Instant::now() < deadline {
        let channel = Channel::<[u8]>::named(&*played).any_schema();
        if let Ok(mut observer) = channel.open_timeout(Duration::ZERO).observer()
            && let Ok(Some(copy)) = observer.copy()
            && seen.last().is_none_or(|last| last[..] != copy[..])
        {
            seen.push(copy.to_vec());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(end(play).code, 0);
    let lengths: Vec<_> = seen.iter().map(|value| (value[0], value.len())).collect();
    assert_eq!(lengths, [(1, 8), (2, 8), (3, 10), (4, 20_000), (5, 2)]);
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let (name, folder) = (TestName::new("a.b"), Folder::new());
    let file = folder.file("a.mcap");
    let other = name.replace('.', "_");
    let done = run(&["record", "-o", &file, &name, &other]);
    assert!(done.code == 2 && done.err.contains("would both be the topic"), "{}", done.err);
    assert_eq!(run(&["record", "-o", &file, &name, "/a//b"]).code, 2);
    assert!(!std::fs::exists(&file).unwrap(), "a wrong name leaves no file behind");
    std::fs::write(&file, "here already").unwrap();
    let done = run(&["record", "-o", &file, &name]);
    assert!(done.code == 1 && done.err.contains("it exists already"), "{}", done.err);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "here already");
    let done = run(&["play", &file]);
    assert!(done.code == 1 && done.err.contains("is no MCAP file"), "{}", done.err);
    let done = run(&["record", "--repair", &file]);
    assert!(done.code == 1 && done.err.contains("it is no MCAP file"), "{}", done.err);
    for arguments in [&["play", "/none/such"][..], &["record", "--repair", "/none/such"]] {
        let done = run(arguments);
        assert!(done.code == 3 && done.err.contains("there is no file"), "{}", done.err);
    }
    assert_eq!(run(&["record", "-o", &file]).code, 2);
    assert_eq!(run(&["play", &file, "--rate", "0"]).code, 2);
    for nothing in ["0", "0s", "0K"] {
        assert_eq!(
            run(&["record", "-o", &file, &name, "--duration", "1s", "--split", nothing]).code,
            2,
            "{nothing}"
        );
    }
    assert_eq!(run(&["record", "-o", &file, &name, "--as", "/x=what"]).code, 2);
}
