//! CDR and definitions that are damaged or hostile: an error in words, never a panic, and no more
//! memory than the bytes stand for.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use io_shared::{Array, Message, Schema, Text, Value, value};
use io_shared_formats::{
    As, CdrError, CdrType, Foreign, Image, Marks, PointCloud2, PointField, Recorded, from_cdr,
    recognize, to_cdr,
};

#[derive(Message)]
#[repr(C)]
struct Names {
    count: u8,
    first: Text<7>,
    names: [Text<5>],
}

fn names() -> Vec<u8> {
    b"\x02first\0\0ab\0\0\0abcde".to_vec()
}

/// Calls `read` with the CDR cut at each byte, and with each byte changed.
fn damaged(cdr: &[u8], read: impl Fn(&[u8])) {
    for at in 0..cdr.len() {
        read(&cdr[..at]);
        for byte in [0, 1, 0x7f, 0xff] {
            let mut bytes = cdr.to_vec();
            bytes[at] = byte;
            read(&bytes);
        }
    }
}

#[test]
fn a_cdr_that_is_cut_or_changed_is_an_error_or_another_value() {
    let schema = Names::schema();
    let cdr = to_cdr(&schema, &names()).unwrap();
    assert_eq!(from_cdr(&schema, &cdr).unwrap(), names());
    damaged(&cdr, |bytes| {
        if let Ok(message) = from_cdr(&schema, bytes) {
            assert!(Value::decode(&schema, &message).is_ok(), "{bytes:?}");
        }
    });
    for at in 0..cdr.len() {
        assert!(from_cdr(&schema, &cdr[..at]).is_err(), "{at}");
    }
    let recorded = Recorded::whole(&schema);
    let mut cdr = Vec::new();
    recorded.encode(Marks::default(), &names(), &mut cdr).unwrap();
    damaged(&cdr, |bytes| drop(recorded.decode(bytes)));
}

#[test]
fn errors_say_what_is_wrong_with_the_cdr() {
    let schema = Names::schema();
    let error = |cdr: &[u8]| from_cdr(&schema, cdr).unwrap_err();
    assert_eq!(error(&[0, 7, 0, 0]), CdrError::Encapsulation(7));
    assert!(error(&[0, 7, 0, 0]).to_string().contains("XCDR2"));
    let long = b"\0\x01\0\0\x02\0\0\0\x09\0\0\0too long\0\0\0\0\0\0\0\0";
    assert_eq!(error(long), CdrError::Text { room: 7, found: 8 });
    // A sequence of 4 billion elements, in 24 bytes.
    let many = b"\0\x01\0\0\x02\0\0\0\x02\0\0\0a\0\0\0\xff\xff\xff\xff";
    assert!(matches!(error(many), CdrError::Short { .. }), "{}", error(many));
    let mut cdr = to_cdr(&schema, &names()).unwrap();
    cdr.extend([0; 9]);
    assert!(matches!(error(&cdr), CdrError::Long { .. }));
    // A message of 64 TiB.
    let vast = Schema::from_json(r#"{"array":70368744177664,"of":"|S1"}"#).unwrap();
    let error = from_cdr(&vast, &[0, 1, 0, 0]).unwrap_err();
    assert!(matches!(error, CdrError::TooLarge { .. }), "{error}");
    assert_eq!(to_cdr(&schema, &[1]).unwrap_err(), CdrError::Length { found: 1 });
}

#[test]
fn big_endian_cdr_is_read() {
    let read = from_cdr(&<[u16]>::schema(), &[0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 3, 4]).unwrap();
    assert_eq!(read, [0x0102_u16.to_le_bytes(), 0x0304_u16.to_le_bytes()].concat());
}

#[test]
fn clouds_and_images_that_are_damaged_are_errors() {
    let field =
        |name: &str, offset, datatype| PointField { name: name.into(), offset, datatype, count: 1 };
    let data = [7_u8; 48];
    let cloud = PointCloud2 {
        stamp_ns: 5,
        frame_id: "lidar".into(),
        height: 2,
        width: 1,
        fields: vec![field("x", 0, 7), field("ring", 12, 4)],
        is_bigendian: false,
        point_step: 16,
        row_step: 32,
        data: &data,
        is_dense: true,
    };
    let (mut cdr, foreign) = (Vec::new(), Foreign::parse("sensor_msgs/msg/PointCloud2", ""));
    cloud.encode(&mut cdr).unwrap();
    let foreign = foreign.unwrap();
    let message = foreign.decode(&cdr).unwrap();
    let value = Value::decode(foreign.schema(), &message).unwrap();
    assert_eq!(value.at(&"shape".parse().unwrap()).unwrap().json().to_string(), "[2,1]");
    damaged(&cdr, |bytes| drop(foreign.decode(bytes)));
    for (bad, what) in [
        (PointCloud2 { fields: vec![field("x", 14, 7)], ..cloud.clone() }, "do not fit a point"),
        (PointCloud2 { fields: vec![field("x", 0, 9)], ..cloud.clone() }, "is not known"),
        (PointCloud2 { fields: vec![field("a'b", 0, 7)], ..cloud.clone() }, "cannot have"),
        (
            PointCloud2 { fields: vec![field("x", 0, 7), field("y", 2, 7)], ..cloud.clone() },
            "overlap",
        ),
        (PointCloud2 { height: 3, ..cloud.clone() }, "cut off"),
        (PointCloud2 { height: u32::MAX, width: u32::MAX, ..cloud.clone() }, "cut off"),
    ] {
        let mut cdr = Vec::new();
        bad.encode(&mut cdr).unwrap();
        let error = foreign.decode(&cdr).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }

    let image = Image {
        stamp_ns: 5,
        frame_id: "camera".into(),
        height: 3,
        width: 2,
        encoding: "bgr8".into(),
        is_bigendian: false,
        step: 16,
        data: &data,
    };
    let (mut cdr, foreign) = (Vec::new(), Foreign::parse("sensor_msgs/msg/Image", "").unwrap());
    image.encode(&mut cdr).unwrap();
    let message = foreign.decode(&cdr).unwrap();
    assert_eq!(message, Array::to_bytes("|u1", &[3, 2, 3], &[7; 18]).unwrap());
    damaged(&cdr, |bytes| drop(foreign.decode(bytes)));
    let mut cdr = Vec::new();
    Image { encoding: "yuv".into(), ..image }.encode(&mut cdr).unwrap();
    let error = foreign.decode(&cdr).unwrap_err().to_string();
    assert!(error.contains("of encoding yuv"), "{error}");
}

#[test]
fn definitions_that_no_struct_can_hold_stay_cdr_and_wrong_ones_are_errors() {
    let nested = "p/B[] a\n===\nMSG: p/B\nuint8[] b\n";
    for text in ["wstring w", nested] {
        assert!(Foreign::parse("p/msg/A", text).unwrap().is_cdr(), "{text}");
    }
    // One that contains itself, and one that would have a million fields.
    let circle = "p/A a\n===\nMSG: p/A\np/A a\n";
    assert!(Foreign::parse("p/msg/A", circle).unwrap().is_cdr());
    let mut wide = String::from("p/M0[2] a\n");
    for n in 0..10 {
        let fields: String = (0..10).map(|i| format!("p/M{} f{i}\n", n + 1)).collect();
        wide.push_str(&format!("===\nMSG: p/M{n}\n{fields}"));
    }
    wide.push_str("===\nMSG: p/M10\nuint8 a\n");
    assert!(Foreign::parse("p/msg/A", &wide).unwrap().is_cdr());
    let error = Foreign::parse("p/msg/A", "q/B b").unwrap_err();
    assert_eq!(error.to_string(), "`q/B`: its definition is missing");
    let foreign = Foreign::parse("p/msg/A", "string name\nuint16[] numbers").unwrap();
    let text = "ä".repeat(200);
    let mut cdr = vec![0, 1, 0, 0];
    cdr.extend((text.len() as u32 + 1).to_le_bytes());
    cdr.extend(text.as_bytes());
    cdr.extend([0, 0, 0, 0, 1, 0, 0, 0, 7, 0]);
    let message = foreign.decode(&cdr).unwrap();
    let value = Value::decode(foreign.schema(), &message).unwrap();
    let shown = value.json().to_string();
    assert_eq!(shown, format!("{{\"name\":\"{}\",\"numbers\":[7]}}", "ä".repeat(128)));
    damaged(&cdr, |bytes| drop(foreign.decode(bytes)));
}

#[test]
fn messages_that_stay_cdr_are_shown_and_damaged_ones_are_errors() {
    let text = "string goal\np/B[] b\n===\nMSG: p/B\nbool is_free\nstring name\nuint16[] c\n";
    let foreign = Foreign::parse("p/msg/A", text).unwrap();
    assert!(foreign.is_cdr());
    let ty = CdrType::of(foreign.schema()).unwrap().unwrap();
    assert!(CdrType::of(&Names::schema()).unwrap().is_none());
    let long = "x".repeat(1000);
    let cdr = [
        &b"\0\x01\0\0\xe9\x03\0\0"[..],
        long.as_bytes(),
        b"\0\0\0\0\x02\0\0\0\x01\0\0\0\x02\0\0\0n\0\0\0\x01\0\0\0\x07\0\0\0",
        b"\x01\0\0\0\0\0\0\0\0\0\0\0",
    ]
    .concat();
    let (schema, message) = ty.decode(&cdr).unwrap();
    let value = Value::decode(&schema, &message).unwrap();
    let shown = value.at(&"b".parse().unwrap()).unwrap().json().to_string();
    assert!(shown.contains(r#""is_free":true,"name":"n""#), "{shown}");
    assert!(shown.contains(r#""c":[7]"#) && shown.contains(r#""c":[]"#), "{shown}");
    let goal = value.at(&"goal".parse().unwrap()).unwrap().json().to_string();
    assert_eq!(goal, format!("\"{long}\""));
    damaged(&cdr[..8].iter().chain(&cdr[1008..]).copied().collect::<Vec<u8>>(), |bytes| {
        if let Ok((schema, message)) = ty.decode(bytes) {
            Value::decode(&schema, &message).unwrap().json().to_string();
        }
    });
    let wide = Foreign::parse("p/msg/W", "wstring w\n").unwrap();
    let ty = CdrType::of(wide.schema()).unwrap().unwrap();
    assert!(matches!(ty.decode(&cdr), Err(CdrError::Unsupported { .. })));
}

#[test]
fn sequences_of_others_become_lists() {
    let text = "uint8[] a\np/B[] b\nuint16 c\nfloat64[] d\n===\nMSG: p/B\nbool is_left\nint32 x\n";
    let foreign = Foreign::parse("p/msg/A", text).unwrap();
    let cdr = [
        &b"\0\x01\0\0\x02\0\0\0\x07\x08\0\0\x01\0\0\0\x01\0\0\0\xff\xff\xff\xff"[..],
        b"\x09\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\xe0\x3f",
    ]
    .concat();
    let message = foreign.decode(&cdr).unwrap();
    let value = Value::decode(foreign.schema(), &message).unwrap();
    let shown = value.json().to_string();
    let b = r#"{"is_left":1,"x":-1}"#;
    let expected = format!(r#"{{"a":[7,8],"b":[{b}],"c":9,"d":[0.5]}}"#);
    assert_eq!(shown, expected);
    damaged(&cdr, |bytes| drop(foreign.decode(bytes)));
}

#[test]
fn lists_that_are_not_within_their_message_are_errors() {
    let json = r#"{"struct":"L","size":32,"align":8,"fields":[
        {"name":"a","offset":0,"type":{"list":{"array":2,"of":"<u2"},"axes":1}},
        {"name":"b","offset":16,"type":{"list":"|u1","axes":1}},
        {"name":"data","offset":32,"type":"lists"}]}"#;
    let schema = Schema::from_json(json).unwrap();
    let message = value::encode(&schema, r#"{"a":[[1,2],[3,4]],"b":[5]}"#).unwrap();
    let cdr = to_cdr(&schema, &message).unwrap();
    assert_eq!(from_cdr(&schema, &cdr).unwrap(), message);
    damaged(&cdr, |bytes| drop(from_cdr(&schema, bytes)));
    for (at, word) in [(0, 40_u64), (8, 3), (8, u64::MAX), (0, u64::MAX)] {
        let mut bad = message.clone();
        bad[at..at + 8].copy_from_slice(&word.to_le_bytes());
        assert_eq!(to_cdr(&schema, &bad).unwrap_err(), CdrError::List, "{at} {word}");
    }
    // Three numbers are no pairs.
    let odd = b"\0\x01\0\0\x03\0\0\0\x01\0\x02\0\x03\0\0\0\0\0\0\0";
    assert_eq!(from_cdr(&schema, odd).unwrap_err(), CdrError::List);
}

#[test]
fn what_a_producer_says_of_its_values_counts_unless_a_person_says_something_else() {
    let pixels = Array::to_bytes("|u1", &[2, 2, 3], &[7; 12]).unwrap();
    let encoding = |kind: &str, said: Option<As>| {
        let schema = Array::schema().of_kind(kind).unwrap();
        let mut cdr = Vec::new();
        recognize(&schema, &pixels, said.as_ref())?.encode(1, "camera", &mut cdr).unwrap();
        Some(Image::decode(&cdr).unwrap().encoding)
    };
    assert_eq!(encoding("", None).as_deref(), Some("rgb8"));
    assert_eq!(encoding("image:bgr8", None).as_deref(), Some("bgr8"));
    assert_eq!(encoding("none", None), None);
    assert_eq!(encoding("m none", None), None);
    assert_eq!(encoding("none", Some(As::Image("bgr8".into()))).as_deref(), Some("bgr8"));
    let columns = Array::to_bytes("<f4", &[2, 20], &[0; 160]).unwrap();
    let ty = |kind: &str| {
        let schema = Array::schema().of_kind(kind).unwrap();
        recognize(&schema, &columns, None).map(|seen| seen.type_name().to_owned())
    };
    assert_eq!(ty("").as_deref(), Some("sensor_msgs/msg/Image"));
    assert_eq!(ty("cloud").as_deref(), Some("sensor_msgs/msg/PointCloud2"));
    assert_eq!(ty("depth").as_deref(), Some("sensor_msgs/msg/Image"));
}

#[test]
fn arrays_that_are_damaged_are_recognized_as_nothing() {
    let schema = Array::schema();
    let image = Array::to_bytes("|u1", &[2, 2], &[1, 2, 3, 4]).unwrap();
    assert!(recognize(&schema, &image, None).is_some());
    damaged(&image, |bytes| drop(recognize(&schema, bytes, None)));
    assert!(recognize(&schema, b"PK", None).is_none());
}
