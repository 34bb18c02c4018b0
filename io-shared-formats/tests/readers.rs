//! Generated types and values, read by pip's mcap with mcap-ros2-support, and by rosbags.
//!
//! `ci/python.sh --prepare` installs these readers.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(non_snake_case, reason = "awkward names are what is tested")]

use std::collections::BTreeMap;
use std::fs::File;

use io_shared::message::{List, ListData, NdList};
use io_shared::{Array, Message, Schema, Text, value};
use io_shared_formats::{Definition, Marks, Recorded, recognize, to_cdr};
use mcap::records::MessageHeader;
use serde_json::{Value as Json, json};
use test_support::readers;

/// A file with these messages: topic, name and definition of the type, and CDR.
struct Mcap {
    folder: tempfile::TempDir,
    writer: mcap::Writer<File>,
}

impl Mcap {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("a.mcap")).unwrap();
        let options = mcap::WriteOptions::new().profile("ros2").compression(None);
        Self { folder, writer: options.create(file).unwrap() }
    }

    fn add(&mut self, topic: &str, definition: &Definition, cdr: &[u8]) {
        let schema =
            self.writer.add_schema(&definition.name, "ros2msg", definition.text.as_bytes());
        let none = BTreeMap::new();
        let channel = self.writer.add_channel(schema.unwrap(), topic, "cdr", &none).unwrap();
        let header =
            MessageHeader { channel_id: channel, sequence: 1, log_time: 7, publish_time: 7 };
        self.writer.write_to_known_channel(&header, cdr).unwrap();
    }

    /// Adds a message, as it is and as a recording has it.
    fn add_message(&mut self, topic: &str, schema: &Schema, bytes: &[u8]) {
        self.add(topic, &Definition::of(schema), &to_cdr(schema, bytes).unwrap());
        let (recorded, mut cdr) = (Recorded::whole(schema), Vec::new());
        recorded.encode(Marks { seq: 5, stamp: 6, tag: u64::MAX }, bytes, &mut cdr).unwrap();
        self.add(&format!("{topic}/recorded"), &recorded.definition(), &cdr);
        assert_eq!(recorded.decode(&cdr).unwrap().1, bytes, "{topic}");
    }

    /// What each reader has read, by topic.
    fn read(mut self) -> Vec<(String, String, Json)> {
        self.writer.finish().unwrap();
        let lines = readers::read(&self.folder.path().join("a.mcap"));
        let text = |line: &Json, key: &str| line[key].as_str().unwrap().to_owned();
        lines.iter().map(|l| (text(l, "reader"), text(l, "topic"), l["value"].clone())).collect()
    }
}

mod second {
    use io_shared::Message;

    #[derive(Message)]
    #[repr(C)]
    pub(super) struct Point {
        pub(super) other: f64,
    }
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Point {
    x: f32,
    größe: f32,
}

#[derive(Clone, Copy, Message)]
#[repr(i16)]
enum Gear {
    Reverse = -1,
    Neutral = 0,
    DriveOn = 1,
}

#[derive(Message)]
#[repr(C)]
struct Pair(u16, u16);

#[derive(Message)]
#[repr(C)]
struct Nothing {}

#[derive(Message)]
#[repr(C)]
struct Awkward {
    frameId: f32,
    a__b: u8,
    class: bool,
    gear: Gear,
    _pad: [u8; 4],
    _pad2: [u8; 4],
    größe: f64,
    grö_e: f64,
    from: Point,
    other: second::Point,
    matrix: [[i32; 2]; 3],
    none: [f32; 0],
    pair: Pair,
    empty: Nothing,
    name: Text<12>,
    pad1: u64,
    r#end: [Gear; 4],
    points: [Point],
}

fn awkward() -> Vec<u8> {
    // The fixed part, as it lies in memory, and two points.
    let point = |x: f32, y: f32| [x.to_le_bytes(), y.to_le_bytes()].concat();
    let parts: Vec<Vec<u8>> = vec![
        1.5_f32.to_le_bytes().to_vec(),
        vec![200, 1],
        (-1_i16).to_le_bytes().to_vec(),
        vec![1, 2, 3, 4, 5, 6, 7, 8],
        0.25_f64.to_le_bytes().to_vec(),
        (-8.0_f64).to_le_bytes().to_vec(),
        point(2.0, 3.0),
        4.0_f64.to_le_bytes().to_vec(),
        (1..=6_i32).flat_map(i32::to_le_bytes).collect(),
        vec![7, 0, 8, 0],
        Text::<12>::truncated("Ärger").as_bytes().to_vec(),
        u64::MAX.to_le_bytes().to_vec(),
        [1_i16, 0, -1, 1].iter().flat_map(|gear| gear.to_le_bytes()).collect(),
        point(10.0, 11.0),
        point(12.0, 13.0),
    ];
    parts.concat()
}

#[test]
fn awkward_names_and_all_kinds_of_fields_are_read_with_the_right_values() {
    let mut mcap = Mcap::new();
    mcap.add_message("/awkward", &Awkward::schema(), &awkward());
    let expected = json!({
        "frame_id": 1.5, "a_b": 200, "f_class": true, "gear": -1, "pad1": [1, 2, 3, 4],
        "pad2": [5, 6, 7, 8], "gr_e": 0.25, "gr_e_2": -8.0, "f_from": {"x": 2.0, "gr_e": 3.0},
        "other": {"other": 4.0}, "matrix": [1, 2, 3, 4, 5, 6], "pair": {"f0": 7, "f1": 8},
        "empty": {}, "name": "Ärger", "pad1_2": u64::MAX, "end": [1, 0, -1, 1],
        "points": [{"x": 10.0, "gr_e": 11.0}, {"x": 12.0, "gr_e": 13.0}],
    });
    let read = mcap.read();
    assert_eq!(read.len(), 4);
    for (reader, topic, mut value) in read {
        // rosbags shows the byte of an empty message.
        value["empty"] = json!({});
        if topic.ends_with("/recorded") {
            let marks = value.as_object_mut().unwrap();
            assert_eq!(marks.remove("io_seq"), Some(5.into()), "{reader}");
            assert_eq!(marks.remove("io_stamp"), Some(6.into()), "{reader}");
            assert_eq!(marks.remove("io_tag"), Some(u64::MAX.into()), "{reader}");
        }
        assert_eq!(value, expected, "{reader} {topic}");
    }
}

#[derive(Message)]
#[repr(C)]
struct Detections {
    frame: u64,
    boxes: List<Pair>,
    names: List<Text<6>>,
    rows: List<[u8; 3]>,
    image: NdList<u16, 2>,
    none: List<f64>,
    data: ListData,
}

#[test]
fn lists_are_read_as_sequences_after_their_shape() {
    let schema = Detections::schema();
    let json = r#"{"frame":7,"boxes":[{"0":1,"1":2},{"0":3,"1":4}],"names":["one","two"],
        "rows":[[1,2,3],[4,5,6]],"image":[[1,2,3],[4,5,6]],"none":[]}"#;
    let message = value::encode(&schema, json).unwrap();
    let mut mcap = Mcap::new();
    mcap.add_message("/lists", &schema, &message);
    mcap.add_message("/rows", &<[[u8; 3]]>::schema(), &[1, 2, 3, 4, 5, 6]);
    for (reader, topic, value) in mcap.read() {
        if topic.starts_with("/rows") {
            assert_eq!(value["value"], json!([1, 2, 3, 4, 5, 6]), "{reader}");
            continue;
        }
        let pairs = json!([{"f0": 1, "f1": 2}, {"f0": 3, "f1": 4}]);
        assert_eq!((&value["frame"], &value["boxes"]), (&json!(7), &pairs), "{reader}");
        assert_eq!(value["names"], json!(["one", "two"]), "{reader}");
        assert_eq!(value["rows"], json!([1, 2, 3, 4, 5, 6]), "{reader}");
        assert_eq!(value["image_shape"], json!([2, 3]), "{reader}");
        assert_eq!(value["image"], json!([1, 2, 3, 4, 5, 6]), "{reader}");
        assert_eq!(value["none"], json!([]), "{reader}");
    }
}

#[test]
fn messages_that_are_no_structs_and_empty_ones_are_read() {
    let mut mcap = Mcap::new();
    mcap.add_message("/number", &f64::schema(), 0.5_f64.as_bytes());
    mcap.add_message("/numbers", &<[u16]>::schema(), [1_u16, 2, 65_535].as_slice().as_bytes());
    mcap.add_message("/none", &<[u64]>::schema(), &[]);
    mcap.add_message("/nothing", &Nothing::schema(), &[]);
    // ROS has no floats of 16 bits: their bits are numbers.
    let half = Schema::from_json("\"<f2\"").unwrap();
    mcap.add_message("/half", &half, &0x3c01_u16.to_le_bytes());
    let halves = r#"{"struct":"H","size":4,"align":2,"fields":[
        {"name":"halves","offset":0,"type":{"array":2,"of":"<f2"}}]}"#;
    mcap.add_message("/halves", &Schema::from_json(halves).unwrap(), &[1, 0x3c, 2, 0x3c]);
    mcap.add_message("/text", &Text::<4>::schema(), b"four");
    mcap.add_message("/flags", &<[bool; 3]>::schema(), &[1, 0, 1]);
    mcap.add_message("/points", &<[Point]>::schema(), &[0, 0, 128, 63, 0, 0, 0, 64]);
    for (reader, topic, value) in mcap.read() {
        let expected = match topic.trim_end_matches("/recorded") {
            "/number" => json!(0.5),
            "/half" => json!(0x3c01),
            "/halves" => {
                assert_eq!(value["halves"], json!([0x3c01, 0x3c02]), "{reader}");
                continue;
            }
            "/numbers" => json!([1, 2, 65_535]),
            "/none" => json!([]),
            "/text" => json!("four"),
            "/flags" => json!([true, false, true]),
            "/points" => json!([{"x": 1.0, "gr_e": 2.0}]),
            _ => continue,
        };
        assert_eq!(value["value"], expected, "{reader} {topic}");
    }
}

#[test]
fn clouds_and_pictures_are_read_as_what_they_are() {
    let mut mcap = Mcap::new();
    let mut add = |topic: &str, schema: &Schema, bytes: &[u8]| {
        let seen = recognize(schema, bytes, None).unwrap();
        let (name, text) = (seen.type_name().to_owned(), seen.definition().to_owned());
        let mut cdr = Vec::new();
        seen.encode(1_700_000_000_123_456_789, "lidar", &mut cdr).unwrap();
        mcap.add(topic, &Definition { name, text }, &cdr);
    };
    let floats: Vec<u8> = (0..300_u16).flat_map(|n| f32::from(n).to_le_bytes()).collect();
    add("/columns", &Array::schema(), &Array::to_bytes("<f4", &[75, 4], &floats).unwrap());
    let dtype = "[('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('ring', '<u2'), ('', '|V2')]";
    add("/structs", &Array::schema(), &Array::to_bytes(dtype, &[5, 15], &floats).unwrap());
    let pixels: Vec<u8> = (0..120).collect();
    add("/rgb", &Array::schema(), &Array::to_bytes("|u1", &[5, 8, 3], &pixels).unwrap());
    let sum: u64 = floats.iter().map(|byte| u64::from(*byte)).sum();
    let data = json!({"count": 1200, "ends": [0, 67], "sum": sum});
    let read = mcap.read();
    assert_eq!(read.len(), 6);
    for (reader, topic, value) in read {
        let stamp = json!({"sec": 1_700_000_000, "nanosec": 123_456_789});
        assert_eq!(value["header"], json!({"stamp": stamp, "frame_id": "lidar"}), "{reader}");
        let fields: Vec<(&str, i64, i64)> = value["fields"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|f| {
                let number = |key: &str| f[key].as_i64().unwrap();
                (f["name"].as_str().unwrap(), number("offset"), number("datatype"))
            })
            .collect();
        let size = (value["height"].as_i64().unwrap(), value["width"].as_i64().unwrap());
        match &*topic {
            "/columns" => {
                let names = [("x", 0, 7), ("y", 4, 7), ("z", 8, 7), ("intensity", 12, 7)];
                assert_eq!((size, &fields[..]), ((1, 75), &names[..]), "{reader}");
                assert_eq!(value["data"], data, "{reader}");
            }
            "/structs" => {
                let names = [("x", 0, 7), ("y", 4, 7), ("z", 8, 7), ("ring", 12, 4)];
                assert_eq!((size, &fields[..]), ((5, 15), &names[..]), "{reader}");
                assert_eq!(value["data"], data, "{reader}");
            }
            _ => {
                assert_eq!((size, &value["encoding"]), ((5, 8), &json!("rgb8")), "{reader}");
                assert_eq!(value["step"], 24, "{reader}");
                let data = json!({"count": 120, "ends": [0, 119], "sum": 119 * 60});
                assert_eq!(value["data"], data, "{reader}");
            }
        }
    }
}
