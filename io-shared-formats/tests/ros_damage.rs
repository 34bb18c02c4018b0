//! Messages of ROS 1 and ROS 2 that are damaged or hostile: an error in words, never a panic, and
//! no more memory than the bytes stand for.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use io_shared::{Message, Value};
use io_shared_formats::{CdrError, FromRos, PointCloud2, Ros, ToRos};

mod common;

use common::{BOTH, cloud_from, image_from, imu, imu_text, name, pixel, ring, to, whole};

#[test]
fn hostile_clouds_and_images_are_errors() {
    let change = |change: &dyn Fn(&mut PointCloud2<'_>)| {
        let mut cloud = ring();
        change(&mut cloud);
        let mut cdr = Vec::new();
        cloud.encode(&mut cdr).unwrap();
        cloud_from(Ros::Two).convert(&cdr).map(|found| whole(&found).len())
    };
    assert!(change(&|_| {}).is_ok());
    for (what, wrong) in [
        ("no step", &(|c: &mut PointCloud2<'_>| c.point_step = 0) as &dyn Fn(&mut PointCloud2<'_>)),
        ("too wide", &|c| c.width = u32::MAX),
        ("too many", &|c| (c.width, c.height, c.point_step) = (u32::MAX, u32::MAX, u32::MAX)),
        ("rows overlap", &|c| (c.height, c.width, c.row_step) = (3, 1, 1)),
        ("a field beyond", &|c| c.fields[1].offset = 11),
        ("a field far beyond", &|c| c.fields[1].offset = u32::MAX),
        ("many of a field", &|c| c.fields[0].count = u32::MAX),
        ("fields overlap", &|c| c.fields[1].offset = 2),
        ("two of a name", &|c| c.fields[1].name = "x".into()),
        ("no such number", &|c| c.fields[0].datatype = 9),
        ("a name that is none", &|c| c.fields[0].name = "x'".into()),
        ("too little data", &|c| c.data = &[1; 35]),
    ] {
        assert!(change(wrong).is_err(), "{what}");
    }
    for bytes in [
        &b""[..],
        b"\0",
        b"\0\x07\0\0",
        b"\0\x01\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        for mut made in [cloud_from(Ros::Two), image_from(Ros::Two)] {
            assert!(made.convert(bytes).is_err() && made.version() == 0);
        }
    }
    let text = [&[0; 12][..], &u32::MAX.to_le_bytes()].concat();
    assert!(matches!(cloud_from(Ros::One).convert(&text), Err(CdrError::Short { .. })));
    let mut image = pixel();
    (image.height, image.step) = (u32::MAX, u32::MAX);
    let mut cdr = Vec::new();
    image.encode(&mut cdr).unwrap();
    assert!(image_from(Ros::Two).convert(&cdr).is_err());
}

#[test]
fn a_message_that_is_cut_or_changed_is_an_error_or_another_message() {
    for ros in BOTH {
        let ty = name(ros, "pkg/Imu");
        let mut made = FromRos::new(ros, &ty, &imu_text(ros), None).unwrap();
        let (_, bytes) = to(ros, &imu(&mut made, ros));
        for at in 0..bytes.len() {
            assert!(made.convert(&bytes[..at]).is_err(), "{at}");
            for byte in [0, 1, 0x7f, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = byte;
                let Ok(found) = made.convert(&damaged).map(|found| whole(&found)) else { continue };
                let value = Value::decode(made.schema().unwrap(), &found);
                assert!(value.is_ok(), "{ros:?}, byte {at}: {byte}");
            }
        }
    }
}

#[test]
fn definitions_that_have_themselves_in_them_or_are_too_large_are_refused() {
    for text in ["p/A a\n===\nMSG: p/A\np/A a\n", "p/E[1000000000000] all\n===\nMSG: p/E\n"] {
        assert!(FromRos::cdr(Ros::One, "p/A", text).is_err(), "{text}");
        let schema = u8::schema();
        assert!(ToRos::new(Ros::Two, &schema, None, Some(("p/msg/A", text))).is_err(), "{text}");
    }
    let vast = ("p/msg/A", "uint8[1000000000000] all\n");
    assert!(ToRos::new(Ros::Two, &u8::schema(), None, Some(vast)).is_err());
}
