//! Messages of ROS 1 and ROS 2 as messages of channels, and back.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use io_shared::{Array, Message, Schema, Text, value};
use io_shared_formats::{CdrType, FromRos, Image, POINT_CLOUD2, PointCloud2, Ros, ToRos};

mod common;

use common::{
    BOTH, array, cloud_from, field, from, image_from, imu, imu_text, name, pixel, ring, shown, to,
    whole,
};

#[test]
fn a_cloud_of_floats_comes_back_as_the_array_that_it_was_and_not_copied() {
    let points: Vec<u8> = (0..40_u32).flat_map(|n| (n as f32).to_le_bytes()).collect();
    for ros in BOTH {
        for (dtype, columns) in [("<f4", 4), ("<f4", 5), ("<f8", 4)] {
            let rows = points.len() / columns / if dtype == "<f4" { 4 } else { 8 };
            let put = array(dtype, &[rows, columns], &points);
            let (ty, bytes) = to(ros, &put);
            assert_eq!(ty, name(ros, "sensor_msgs/PointCloud2"));
            let mut from = cloud_from(ros);
            let converted = from.convert(&bytes).unwrap();
            assert_eq!(whole(&converted), put.1, "{dtype} {columns}");
            assert!(bytes.as_ptr_range().contains(&converted.data.as_ptr()), "it was copied");
            assert_eq!(
                (converted.stamp_ns, converted.frame_id.as_deref()),
                (1_500_000_000, Some("frame"))
            );
        }
    }
}

#[test]
fn a_cloud_of_others_is_an_array_of_structs_and_goes_back_as_a_cloud() {
    let mut cdr = Vec::new();
    ring().encode(&mut cdr).unwrap();
    let mut two = cloud_from(Ros::Two);
    let message = from(&mut two, &cdr);
    let dtype = "[('x', '<f4'), ('', '|V4'), ('ring', '<u2'), ('', '|V2')]";
    assert_eq!(message.1, Array::to_bytes(dtype, &[3], &[1; 36]).unwrap());
    for ros in BOTH {
        // It has no y and z, but it came as a cloud.
        let (ty, bytes) = to(ros, &message);
        assert_eq!(ty, name(ros, "sensor_msgs/PointCloud2"));
        assert_eq!(from(&mut cloud_from(ros), &bytes).1, message.1);
    }
    // Floats from others are structs too.
    let mut floats = ring();
    floats.fields = vec![field("x", 0, 7), field("y", 4, 7), field("z", 8, 7)];
    cdr.clear();
    floats.encode(&mut cdr).unwrap();
    let dtype = "[('x', '<f4'), ('y', '<f4'), ('z', '<f4')]";
    assert_eq!(from(&mut two, &cdr).1, Array::to_bytes(dtype, &[3], &[1; 36]).unwrap());
}

#[derive(Message)]
#[repr(C)]
struct Scan {
    #[message(unit = "ns", stamp)]
    stamp_ns: u64,
    width: u64,
    points: [Packed],
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Packed {
    x: f64,
    ring: u32,
    _pad: [u8; 4],
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Turned {
    ring: u16,
    _pad: [u8; 2],
    x: f32,
}

#[test]
fn a_cloud_becomes_the_type_that_the_channel_has_by_the_names_of_its_fields() {
    let mut cdr = Vec::new();
    let mut cloud = ring();
    let data: Vec<u8> = (0..3_u16)
        .flat_map(|n| {
            [&f32::from(n).to_le_bytes()[..], &[9; 4], &(n + 7).to_le_bytes(), &[9; 2]].concat()
        })
        .collect();
    cloud.data = &data;
    cloud.encode(&mut cdr).unwrap();
    let schema = Scan::schema();
    let named = name(Ros::Two, "sensor_msgs/PointCloud2");
    let mut made = FromRos::new(Ros::Two, &named, POINT_CLOUD2, Some(&schema)).unwrap();
    let message = from(&mut made, &cdr);
    assert_eq!(message.0.hash(), schema.hash());
    let expected = r#"{"stamp_ns":7000000001,"width":3,"points":[{"x":0.0,"ring":7},"#;
    assert!(shown(&message).starts_with(expected), "{}", shown(&message));
    let turned = Some(<[Turned]>::schema());
    let mut turned = FromRos::new(Ros::Two, &named, POINT_CLOUD2, turned.as_ref()).unwrap();
    let expected = r#"[{"ring":7,"x":0.0},{"ring":8,"x":1.0},"#;
    assert!(shown(&from(&mut turned, &cdr)).starts_with(expected));
    // A field that the cloud does not have.
    cloud.fields.pop();
    cdr.clear();
    cloud.encode(&mut cdr).unwrap();
    let error = made.convert(&cdr).unwrap_err().to_string();
    assert!(error.contains("`ring: u32`") || error.contains("`ring"), "{error}");
}

#[test]
fn images_keep_their_encoding_and_lose_the_space_between_their_rows() {
    for (encoding, dtype, channels) in [
        ("mono8", "|u1", 1),
        ("bgr8", "|u1", 3),
        ("rgba8", "|u1", 4),
        ("mono16", "<u2", 1),
        ("16UC1", "<u2", 1),
        ("32FC1", "<f4", 1),
        ("16SC2", "<i2", 2),
    ] {
        let size: usize = dtype[2..].parse().unwrap();
        let row = 2 * channels * size;
        let (step, data) = (row as u32 + 3, [&vec![1; row][..], &[9; 3], &vec![2; row]].concat());
        let image = Image {
            stamp_ns: 5,
            frame_id: "camera".into(),
            height: 2,
            width: 2,
            encoding: encoding.into(),
            is_bigendian: false,
            step,
            data: &data,
        };
        let mut cdr = Vec::new();
        image.encode(&mut cdr).unwrap();
        let message = from(&mut image_from(Ros::Two), &cdr);
        let shape = if channels == 1 { vec![2, 2] } else { vec![2, 2, channels] };
        let data = [vec![1; row], vec![2; row]].concat();
        assert_eq!(message.1, Array::to_bytes(dtype, &shape, &data).unwrap(), "{encoding}");
        for ros in BOTH {
            let (ty, bytes) = to(ros, &message);
            assert_eq!(ty, name(ros, "sensor_msgs/Image"));
            let again = from(&mut image_from(ros), &bytes);
            assert_eq!(again.1, message.1, "{encoding}");
            assert!(again.0.to_json().contains(&format!("image:{encoding}")));
        }
    }
    let yuv = Image { encoding: "yuv422".into(), ..pixel() };
    let mut cdr = Vec::new();
    yuv.encode(&mut cdr).unwrap();
    let error = image_from(Ros::Two).convert(&cdr).unwrap_err();
    assert!(error.to_string().contains("encoding yuv422"), "{error}");
}

#[test]
fn big_endian_clouds_and_images_have_the_same_numbers() {
    let mut cloud = ring();
    (cloud.is_bigendian, cloud.width, cloud.row_step) = (true, 1, 12);
    cloud.data = &[0x3f, 0x80, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0];
    let mut cdr = Vec::new();
    cloud.encode(&mut cdr).unwrap();
    let message = from(&mut cloud_from(Ros::Two), &cdr);
    let dtype = "[('x', '>f4'), ('', '|V4'), ('ring', '>u2'), ('', '|V2')]";
    assert_eq!(message.1, Array::to_bytes(dtype, &[1], cloud.data).unwrap());
    let (_, bytes) = to(Ros::Two, &message);
    assert!(PointCloud2::decode(&bytes).unwrap().is_bigendian);
    assert_eq!(from(&mut cloud_from(Ros::Two), &bytes), message);
}

#[test]
fn other_types_are_structs_with_lists_and_go_back_as_what_they_were() {
    for ros in BOTH {
        let ty = name(ros, "pkg/Imu");
        let mut made = FromRos::new(ros, &ty, &imu_text(ros), None).unwrap();
        let message = imu(&mut made, ros);
        let shown = shown(&message);
        for part in [
            r#""stamp":{"sec":12,"nanosec":34},"frame_id":"imu""#,
            r#""name":"name","short":"short""#,
            r#""raw":[1,2,3]"#,
            r#"{"label":"bc","on":0,"#,
            r#""wait":{"sec":5,"nanosec":6}"#,
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        // And as the type of that name in the other ROS, whose header has a number, or has none.
        let other = if ros == Ros::One { Ros::Two } else { Ros::One };
        let (ty, bytes) = to(other, &message);
        assert_eq!(ty, name(other, "pkg/Imu"));
        let mut there = FromRos::new(other, &ty, &imu_text(other), None).unwrap();
        let (ty, back) = to(ros, &from(&mut there, &bytes));
        assert_eq!(ty, name(ros, "pkg/Imu"));
        let again = from(&mut FromRos::new(ros, &ty, &imu_text(ros), None).unwrap(), &back);
        let without = |text: &str| text.replace(r#""seq":3"#, r#""seq":0"#);
        assert_eq!(without(&self::shown(&again)), without(&shown));
    }
}

#[test]
fn a_text_has_twice_its_room_and_grows() {
    let text = |length: usize| [&(length as u32).to_le_bytes()[..], &vec![b'a'; length]].concat();
    let room = |from: &FromRos| {
        let json = from.schema().unwrap().to_json();
        json.split("|S").nth(1).unwrap().split('"').next().unwrap().parse::<usize>().unwrap()
    };
    let new = |channel: Option<&Schema>| {
        FromRos::new(Ros::One, "std_msgs/String", "string data\n", channel).unwrap()
    };
    let mut made = new(None);
    assert!(made.schema().is_none() && made.version() == 0);
    for (length, expected, version) in
        [(5, 64, 1), (64, 64, 1), (65, 136, 2), (3, 136, 2), (136, 136, 2), (1000, 2000, 3)]
    {
        let message = from(&mut made, &text(length));
        assert_eq!((room(&made), made.version()), (expected, version), "{length}");
        assert!(shown(&message).contains(&"a".repeat(length)));
        assert_eq!(made.capacity(), None, "all messages have one length");
    }
    let mut first = new(None);
    from(&mut first, &text(100));
    assert_eq!((room(&first), first.version()), (200, 1));
    // After a restart the channel's room is kept.
    let mut again = new(first.schema());
    from(&mut again, &text(3));
    assert_eq!((room(&again), again.version()), (200, 1));
    // Where the channel has a type of its own, the text is cut.
    let fixed = Schema::from_json(
        r#"{"struct":"Mine","size":4,"align":1,"fields":[
            {"name":"data","offset":0,"type":"|S4"}]}"#,
    );
    let mut fixed = new(Some(&fixed.unwrap()));
    let long = text(5);
    let converted = fixed.convert(&long).unwrap();
    assert!(converted.is_cut && &converted.data[..] == b"aaaa");
    assert!(!fixed.convert(&text(4)).unwrap().is_cut);
}

const NESTED: &str = "p/B[] all\n===\nMSG: p/B\nuint8 a\nstring[] names\nfloat64[2] x\n";

#[test]
fn what_no_struct_can_hold_travels_as_it_is_and_comes_back_byte_by_byte() {
    let cdr = [
        &b"\0\x01\0\0\x01\0\0\0\x07\0\0\0\x02\0\0\0\x02\0\0\0a\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0"[..],
        &0.5_f64.to_le_bytes(),
        &f64::NAN.to_le_bytes(),
    ]
    .concat();
    let one = [
        &b"\x01\0\0\0\x07\x02\0\0\0\x01\0\0\0a\0\0\0\0"[..],
        &0.5_f64.to_le_bytes(),
        &f64::NAN.to_le_bytes(),
    ]
    .concat();
    for (ros, bytes) in [(Ros::Two, &cdr), (Ros::One, &one)] {
        let ty = name(ros, "p/All");
        for mut made in
            [FromRos::new(ros, &ty, NESTED, None).unwrap(), FromRos::cdr(ros, &ty, NESTED).unwrap()]
        {
            let message = from(&mut made, bytes);
            assert_eq!(message.1, cdr);
            assert_eq!(to(ros, &message), (ty.clone(), bytes.clone()));
            let other = if ros == Ros::One { Ros::Two } else { Ros::One };
            assert_eq!(to(other, &message).1, *if ros == Ros::One { &cdr } else { &one });
            let (schema, value) = CdrType::of(&message.0).unwrap().unwrap().decode(&cdr).unwrap();
            assert!(shown(&(schema, value)).contains(r#""names":["a",""]"#));
        }
    }
}

#[derive(Message)]
#[repr(C)]
struct Mine {
    name: Text<8>,
    wait: f64,
    other: u8,
    on: u8,
    _pad: [u8; 6],
}

#[test]
fn a_channel_of_another_type_has_the_fields_of_the_same_names() {
    let (ty, text) = ("p/msg/A", "uint8 on\nfloat32 wait\nuint16[] more\nstring name\n");
    let mut made = FromRos::new(Ros::Two, ty, text, Some(&Mine::schema())).unwrap();
    let cdr = b"\0\x01\0\0\x01\0\0\0\0\0\0\x3f\x01\0\0\0\x09\0\0\0\x03\0\0\0me\0";
    let message = from(&mut made, cdr);
    let expected = r#"{"name":"me","wait":0.5,"other":0,"on":1}"#;
    assert_eq!(shown(&message), expected);
    // Back by the names of a type that a person has named; what the channel lacks is empty.
    let mut to = ToRos::new(
        Ros::Two,
        &message.0,
        None,
        Some((ty, "uint8 on\nuint16[] more\nstring name\n")),
    )
    .unwrap();
    let bytes = to.convert(&message.1, 0, None).unwrap().concat();
    assert_eq!(bytes, b"\0\x01\0\0\x01\0\0\0\0\0\0\0\x03\0\0\0me\0");
    let cloud = Some(("sensor_msgs/msg/PointCloud2", POINT_CLOUD2));
    let mut to = ToRos::new(Ros::Two, &message.0, None, cloud).unwrap();
    let error = to.convert(&message.1, 0, None).unwrap_err().to_string();
    assert!(error.contains("as sensor_msgs/PointCloud2"), "{error}");
    let error =
        FromRos::new(Ros::Two, ty, text, Some(&Array::schema())).unwrap().convert(cdr).unwrap_err();
    assert!(error.to_string().contains("none of its fields"), "{error}");
}

const MINE: &str = r#"{"name":"a","wait":1,"other":0,"on":1,"_pad":[0,0,0,0,0,0]}"#;

#[test]
fn a_generated_type_is_published_and_its_stamp_and_frame_are_where_the_type_says() {
    let message = (Mine::schema(), value::encode(&Mine::schema(), MINE).unwrap());
    for ros in BOTH {
        let (ty, bytes) = to(ros, &message);
        assert!(ty.starts_with("io_shared_msgs/") && ty.contains("/Mine"), "{ty}");
        let mut to = ToRos::new(ros, &message.0, None, None).unwrap();
        to.convert(&message.1, 0, None).unwrap();
        let mut made = FromRos::new(ros, &ty, to.definition().unwrap(), None).unwrap();
        assert!(shown(&from(&mut made, &bytes)).contains(r#""name":"a","wait":1.0"#));
    }
    let scan = value::encode(&Scan::schema(), r#"{"stamp_ns":42,"width":0,"points":[]}"#).unwrap();
    let to = ToRos::new(Ros::Two, &Scan::schema(), None, None).unwrap();
    assert_eq!(to.stamp_ns(&scan), Some(42));
}
