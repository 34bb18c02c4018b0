//! What other programs wrote in the formats of robots: how the fuzz targets `cdr` and `definition`,
//! their corpora and the property tests interpret arbitrary bytes, and what must follow.

#![allow(clippy::expect_used, reason = "a panic is a finding")]

use io_shared::{Schema, Value};
use io_shared_formats::{
    CdrType, Foreign, FromRos, IMAGE, Marks, POINT_CLOUD2, Recorded, Ros, ToRos, from_cdr,
    recognize, to_cdr,
};

use super::input::Input;

/// Types with all that a message may have.
const SCHEMAS: [&str; 6] = [
    r#""|b1""#,
    r#"{"array":3,"of":{"array":2,"of":"<i2"}}"#,
    r#"{"slice":{"array":2,"of":"<f8"}}"#,
    r#"{"struct":"T","size":16,"align":8,"fields":[
        {"name":"t","offset":0,"type":"|S8"},{"name":"n","offset":8,"type":"<u8"},
        {"name":"p","offset":16,"type":{"slice":{"struct":"P","size":8,"align":4,"fields":[
            {"name":"x","offset":0,"type":"<f4"},{"name":"k","offset":4,"type":"|u1"},
            {"name":"_pad","offset":5,"type":{"array":3,"of":"|u1"}}]}}}]}"#,
    r#"{"struct":"L","size":56,"align":8,"fields":[
        {"name":"a","offset":0,"type":{"list":{"array":2,"of":"<u2"},"axes":1}},
        {"name":"b","offset":16,"type":{"list":"|u1","axes":2}},
        {"name":"c","offset":40,"type":{"list":"|S5","axes":1}},
        {"name":"data","offset":56,"type":"lists"}]}"#,
    r#"{"struct":"Array","size":0,"align":64,"fields":[
        {"name":"npy","offset":0,"type":{"slice":"|u1"}}]}"#,
];

/// How much memory a message may take: more than this, for each byte of its CDR, it must refuse.
fn check_size(message: &[u8], cdr: &[u8]) {
    assert!(message.len() <= 256 * cdr.len() + (16 << 20), "{} of {}", message.len(), cdr.len());
}

/// Reads arbitrary bytes as the CDR of a message. The first byte says of which.
///
/// # Panics
/// If what is read is not what it becomes when it is written and read again, or takes more memory
/// than the bytes stand for.
pub fn cdr(bytes: &[u8]) {
    let mut input = Input(bytes);
    let Some(first) = input.byte() else { return };
    let (first, cdr) = (usize::from(first), input.0);
    let Some(json) = SCHEMAS.get(first % 8) else {
        let (name, text) = match first % 8 {
            6 => ("sensor_msgs/msg/PointCloud2", POINT_CLOUD2),
            _ => ("sensor_msgs/msg/Image", IMAGE),
        };
        let foreign = Foreign::parse(name, text).expect("it is a definition");
        if let Ok(message) = foreign.decode(cdr) {
            // As many bytes as its points or pixels have, and a header.
            assert!(message.len() <= cdr.len() + (1 << 20), "{}", message.len());
            assert!(Value::decode(foreign.schema(), &message).is_ok());
            let _ = recognize(foreign.schema(), &message, None);
        }
        ros(name, text, cdr);
        return;
    };
    let schema = Schema::from_json(json).expect("it is a schema");
    if let Ok(message) = from_cdr(&schema, cdr) {
        check_size(&message, cdr);
        let again = to_cdr(&schema, &message).expect("it was read");
        assert_eq!(from_cdr(&schema, &again).expect("it was written"), message);
    }
    let recorded = Recorded::whole(&schema);
    if let Ok((marks, message)) = recorded.decode(cdr) {
        let mut again = Vec::new();
        recorded.encode(marks, &message, &mut again).expect("it was read");
        assert_eq!(recorded.decode(&again).expect("it was written"), (marks, message));
    }
    let _ = Recorded::head(&schema).encode(Marks::default(), cdr, &mut Vec::new());
}

/// Reads arbitrary bytes as a message of ROS 1 and of ROS 2, and writes what the channel has as a
/// message again.
///
/// # Panics
/// If that is another message, or one takes more memory than its bytes stand for.
fn ros(name: &str, text: &str, bytes: &[u8]) {
    for ros in [Ros::One, Ros::Two] {
        let name = if ros == Ros::One { name.replace("/msg/", "/") } else { name.to_owned() };
        let made = [FromRos::new(ros, &name, text, None), FromRos::cdr(ros, &name, text)];
        for mut from in made.into_iter().flatten() {
            let Ok(first) = from.convert(bytes) else { continue };
            let message = [&first.head[..], &first.data].concat();
            let schema = from.schema().expect("it was converted").clone();
            check_size(&message, bytes);
            let value = Value::decode(&schema, &message).expect("it is a message");
            let _ = value.json().most(100).to_string();
            let Ok(mut to) = ToRos::new(ros, &schema, None, None) else { continue };
            let Ok(back) = to.convert(&message, 0, None) else { continue };
            if to.type_name() == Some(&name) {
                let back = back.concat();
                let again = from.convert(&back).expect("it was written");
                assert_eq!([&again.head[..], &again.data].concat(), message);
            }
        }
    }
}

/// Reads arbitrary bytes as a definition, and what comes after its first zero as a message of it.
///
/// # Panics
/// If a message takes more memory than its bytes stand for, or cannot be shown.
pub fn definition(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, cdr) = bytes.split_at(end);
    let (text, cdr) = (String::from_utf8_lossy(text), cdr.get(1..).unwrap_or_default());
    ros("fuzz/msg/A", &text, cdr);
    let Ok(foreign) = Foreign::parse("fuzz/msg/A", &text) else { return };
    if let Ok(message) = foreign.decode(cdr) {
        check_size(&message, cdr);
        let value = Value::decode(foreign.schema(), &message).expect("it is a message");
        let _ = value.json().most(100).to_string();
    }
    if let Ok(Some(ty)) = CdrType::of(foreign.schema())
        && let Ok((schema, message)) = ty.decode(cdr)
    {
        check_size(&message, cdr);
        let value = Value::decode(&schema, &message).expect("it is a message");
        let _ = value.json().most(100).to_string();
    }
}
