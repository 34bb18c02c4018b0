//! Messages of ROS that tests share.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(dead_code, reason = "not every test uses all")]

use io_shared::{Array, Message, Schema, Value};
use io_shared_formats::{
    Converted, FromRos, IMAGE, Image, POINT_CLOUD2, PointCloud2, PointField, Ros, ToRos,
};

pub(crate) const BOTH: [Ros; 2] = [Ros::One, Ros::Two];

/// The name of a type in this ROS.
pub(crate) fn name(ros: Ros, name: &str) -> String {
    let (package, bare) = name.split_once('/').unwrap();
    if ros == Ros::One { name.to_owned() } else { format!("{package}/msg/{bare}") }
}

pub(crate) fn whole(converted: &Converted<'_>) -> Vec<u8> {
    [&converted.head[..], &converted.data].concat()
}

/// A message of ROS, and the type that the channel of it has.
pub(crate) fn from(from: &mut FromRos, bytes: &[u8]) -> (Schema, Vec<u8>) {
    let message = whole(&from.convert(bytes).unwrap());
    (from.schema().unwrap().clone(), message)
}

pub(crate) fn shown((schema, message): &(Schema, Vec<u8>)) -> String {
    Value::decode(schema, message).unwrap().json().to_string()
}

pub(crate) fn to(ros: Ros, (schema, message): &(Schema, Vec<u8>)) -> (String, Vec<u8>) {
    let mut to = ToRos::new(ros, schema, None, None).unwrap();
    let bytes = to.convert(message, 1_500_000_000, Some("frame")).unwrap().concat();
    (to.type_name().unwrap().to_owned(), bytes)
}

pub(crate) fn array(dtype: &str, shape: &[usize], data: &[u8]) -> (Schema, Vec<u8>) {
    (Array::schema(), Array::to_bytes(dtype, shape, data).unwrap())
}

pub(crate) fn cloud_from(ros: Ros) -> FromRos {
    FromRos::new(ros, &name(ros, "sensor_msgs/PointCloud2"), POINT_CLOUD2, None).unwrap()
}

pub(crate) fn image_from(ros: Ros) -> FromRos {
    FromRos::new(ros, &name(ros, "sensor_msgs/Image"), IMAGE, None).unwrap()
}

pub(crate) fn field(name: &str, offset: u32, datatype: u8) -> PointField {
    PointField { name: name.into(), offset, datatype, count: 1 }
}

/// A cloud with gaps: x and ring of 3 points, of which each has 12 bytes.
pub(crate) fn ring() -> PointCloud2<'static> {
    PointCloud2 {
        stamp_ns: 7_000_000_001,
        frame_id: "lidar".into(),
        height: 1,
        width: 3,
        fields: vec![field("x", 0, 7), field("ring", 8, 4)],
        is_bigendian: false,
        point_step: 12,
        row_step: 36,
        data: &[1; 36],
        is_dense: true,
    }
}

/// An image of 1 pixel.
pub(crate) fn pixel() -> Image<'static> {
    Image {
        stamp_ns: 0,
        frame_id: String::new(),
        height: 1,
        width: 1,
        encoding: "mono8".into(),
        is_bigendian: false,
        step: 1,
        data: &[7],
    }
}

pub(crate) const IMU: &str = "\
# This is a message
std_msgs/Header header # whose
float64[9] covariance
string name
string<=5 short
uint8[] raw
pkg/Part[] parts
builtin_interfaces/Duration wait
===
MSG: pkg/Part
uint8 KIND=3
string label
bool on
float32 x
";

/// A message of it: as a channel has it, made of what is in it.
pub(crate) fn imu(made: &mut FromRos, ros: Ros) -> (Schema, Vec<u8>) {
    let mut bytes = match ros {
        Ros::One => vec![3, 0, 0, 0],
        Ros::Two => vec![0, 1, 0, 0],
    };
    let start = if ros == Ros::One { usize::MAX } else { 4 };
    let align = |bytes: &mut Vec<u8>, to: usize| {
        while start == 4 && !(bytes.len() - 4).is_multiple_of(to) {
            bytes.push(0);
        }
    };
    let number = |bytes: &mut Vec<u8>, n: u32| {
        align(bytes, 4);
        bytes.extend(n.to_le_bytes());
    };
    let text = |bytes: &mut Vec<u8>, text: &str| {
        number(bytes, text.len() as u32 + u32::from(start == 4));
        bytes.extend(text.bytes());
        if start == 4 {
            bytes.push(0);
        }
    };
    number(&mut bytes, 12);
    number(&mut bytes, 34);
    text(&mut bytes, "imu");
    align(&mut bytes, 8);
    (0..9).for_each(|n| bytes.extend(f64::from(n).to_le_bytes()));
    text(&mut bytes, "name");
    text(&mut bytes, "short");
    number(&mut bytes, 3);
    bytes.extend([1, 2, 3]);
    number(&mut bytes, 2);
    for (label, on, x) in [("a", 1, 0.5_f32), ("bc", 0, 2.0)] {
        text(&mut bytes, label);
        bytes.push(on);
        align(&mut bytes, 4);
        bytes.extend(x.to_le_bytes());
    }
    number(&mut bytes, 5);
    number(&mut bytes, 6);
    let message = from(made, &bytes);
    let (ty, again) = to(ros, &message);
    assert_eq!(ty, name(ros, "pkg/Imu"));
    assert_eq!(again, bytes, "{ros:?}: it is not what it was");
    message
}

/// The definition as this ROS has it.
pub(crate) fn imu_text(ros: Ros) -> String {
    match ros {
        Ros::Two => IMU.to_owned(),
        Ros::One => IMU
            .replace("std_msgs/Header", "Header")
            .replace("string<=5", "string")
            .replace("builtin_interfaces/Duration", "duration"),
    }
}
