//! Numbers, times and types of other crates in messages: what is put comes out, and programs
//! without the type read it by its schema.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use half::f16;
use io_shared::{
    Channel, DurationNs, List, ListData, Message, Schema, SystemTimeNs, Value, value::encode,
};
use test_support::TestName;

#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
struct Sample {
    stamp: SystemTimeNs,
    exposure: DurationNs,
    gains: [f16; 3],
    mean: f16,
}

/// A rotation, as `glam` lays it out: aligned for vector instructions.
#[derive(Clone, Copy, Message)]
#[repr(C, align(16))]
struct Xyzw {
    x: f32,
    y: f32,
    z: f32,
    w: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(transparent)]
#[message(foreign = [f32; 3])]
struct Position(glam::Vec3);

#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(transparent)]
#[message(foreign = Xyzw)]
struct Rotation(glam::Quat);

#[derive(Message)]
#[repr(C)]
struct Track {
    frame: u64,
    positions: List<Position>,
    rotations: List<Rotation>,
    data: ListData,
}

fn sample() -> Sample {
    let stamp: SystemTime = UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789);
    Sample {
        stamp: stamp.try_into().unwrap(),
        exposure: Duration::from_micros(8_000).try_into().unwrap(),
        gains: [f16::from_f32(0.5), f16::from_f32(-2.0), f16::MAX],
        mean: f16::from_f32(0.1),
    }
}

#[test]
fn half_precision_numbers_and_times_come_out_as_they_were_put() {
    let name = TestName::new("scalars");
    let mut producer = io_shared::producer::<Sample>(&*name).unwrap();
    let mut consumer = io_shared::consumer::<Sample>(&*name).unwrap();
    producer.put(&sample()).unwrap();
    let found = consumer.get().unwrap();
    assert_eq!(*found, sample());
    assert_eq!(Duration::from(found.exposure), Duration::from_millis(8));
    let shown = format!("{found:?}");
    assert!(shown.contains("gains: [0.5, -2.0, 65504.0], mean: 0.099"), "{shown}");
}

#[test]
fn half_precision_numbers_and_times_are_read_and_written_by_their_schema() {
    let schema = Sample::schema();
    let json = schema.to_json();
    assert!(json.contains(r#"{"array":3,"of":"<f2"}"#), "{json}");
    assert!(json.contains(r#"{"name":"exposure","offset":8,"type":"<u8"}"#), "{json}");
    assert_eq!(Schema::from_json(&json), Ok(schema.clone()));
    let value = sample();
    let shown = Value::decode(&schema, value.as_bytes()).unwrap().json().to_string();
    let said = r#"{"stamp":1700000000123456789,"exposure":8000000,"gains":[0.5,-2.0,65504.0]"#;
    assert!(shown.starts_with(said), "{shown}");
    assert_eq!(encode(&schema, &shown).unwrap(), value.as_bytes());
    let error = encode(&f16::schema(), "65520").unwrap_err();
    assert!(error.to_string().contains("65520 does not fit <f2"), "{error}");
}

#[test]
fn types_of_other_crates_are_messages_with_the_schema_that_was_named() {
    assert_eq!(Position::schema(), <[f32; 3]>::schema());
    assert_eq!((Rotation::SHAPE, Rotation::layout()), (Xyzw::SHAPE, Xyzw::layout()));
    assert_eq!(Rotation::SHAPE.align, align_of::<glam::Quat>());
    let name = TestName::new("foreign");
    let sizes = Track::capacity().positions(2).rotations(1);
    let mut producer = Channel::<Track>::named(&*name).lists(sizes).producer().unwrap();
    let mut consumer = io_shared::consumer::<Track>(&*name).unwrap();
    let mut bytes = Channel::<[u8]>::named(&*name).any_schema().observer().unwrap();
    let mut loan = producer.loan_lists(sizes).unwrap();
    let lists = loan.lists_mut();
    lists.positions[1] = Position(glam::Vec3::new(1.0, 2.0, 3.0));
    lists.rotations[0] = Rotation(glam::Quat::from_rotation_z(1.0));
    loan.put().unwrap();
    let found = consumer.get().unwrap();
    assert_eq!(found.positions()[1].0 * 2.0, glam::Vec3::new(2.0, 4.0, 6.0));
    assert_eq!(found.rotations(), [Rotation(glam::Quat::from_rotation_z(1.0))]);
    let copy = bytes.copy().unwrap().unwrap();
    let value = Value::decode(bytes.schema(), &copy).unwrap();
    let position = value.at(&"positions[1]".parse().unwrap()).unwrap();
    assert_eq!(position.json().to_string(), "[1.0,2.0,3.0]");
}

#[test]
fn the_guide_names_the_number_that_each_time_is_in_python_and_in_c() {
    let guide = include_str!("../docs/guide/messages.md");
    let code = |schema: Schema| schema.to_json();
    for (name, schema) in
        [("DurationNs", code(DurationNs::schema())), ("SystemTimeNs", code(SystemTimeNs::schema()))]
    {
        let row = guide.lines().find(|line| line.starts_with("| `DurationNs`")).unwrap();
        let cells: Vec<Vec<&str>> = row
            .split('|')
            .skip(1)
            .map(|cell| cell.split(',').map(|one| one.trim().trim_matches(['`', '\''])).collect())
            .collect();
        let at = cells[0].iter().position(|rust| *rust == name).unwrap();
        let (python, c) = (cells[1][at], cells[2][at]);
        assert!(schema.contains(&format!("<{python}")), "{name}: {python}, {schema}");
        let said = if python == "u8" { "uint64_t" } else { "int64_t" };
        assert_eq!(c, said, "{name}");
    }
}
