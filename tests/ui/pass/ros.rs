//! Messages of ROS: what the errors of `fail/ros.rs` and `fail/ros_padding.rs` tell, done.

use io_shared::{List, ListData, Message, Text};

#[derive(Message)]
#[repr(C)]
struct Time {
    sec: i32,
    nanosec: u32,
}

#[derive(Message)]
#[repr(C)]
struct Header {
    stamp: Time,
    frame_id: Text<64>,
}

#[derive(Message)]
#[repr(C)]
struct Point {
    x: f64,
    y: f64,
    z: f64,
}

#[derive(Message)]
#[repr(C)]
struct Quaternion {
    x: f64,
    y: f64,
    z: f64,
    w: f64,
}

#[derive(Message)]
#[repr(C)]
struct Pose {
    position: Point,
    orientation: Quaternion,
}

#[derive(Message)]
#[repr(C)]
struct PoseWithCovariance {
    pose: Pose,
    covariance: [f64; 36],
}

#[derive(Message)]
#[repr(C)]
struct Twist {
    linear: Point,
    angular: Point,
}

#[derive(Message)]
#[repr(C)]
struct TwistWithCovariance {
    twist: Twist,
    covariance: [f64; 36],
}

#[derive(Message)]
#[repr(C)]
struct Odometry {
    header: Header,
    child_frame_id: Text<64>,
    pose: PoseWithCovariance,
    twist: TwistWithCovariance,
}

#[derive(Message)]
#[repr(C)]
struct PointField {
    name: Text<64>,
    offset: u32,
    datatype: u8,
    _pad0: [u8; 3],
    count: u32,
}

#[derive(Message)]
#[repr(C)]
struct PointCloud2 {
    header: Header,
    height: u32,
    width: u32,
    fields: List<PointField>,
    is_bigendian: bool,
    _pad0: [u8; 3],
    point_step: u32,
    row_step: u32,
    _pad1: [u8; 4],
    data: List<u8>,
    is_dense: bool,
    lists: ListData,
}

#[derive(Message)]
#[repr(C)]
struct ObjectHypothesis {
    class_id: Text<64>,
    score: f64,
}

#[derive(Message)]
#[repr(C)]
struct ObjectHypothesisWithPose {
    hypothesis: ObjectHypothesis,
    pose: PoseWithCovariance,
}

#[derive(Message)]
#[repr(C)]
struct BoundingBox2D {
    center: [f64; 3],
    size_x: f64,
    size_y: f64,
}

// Of several detections in one message each has bounds: an array, as the error offers, and not the
// slice in the struct that it shows.
#[derive(Message)]
#[repr(C)]
struct Detection2D {
    header: Header,
    results: [ObjectHypothesisWithPose; 64],
    valid_results: u32,
    _pad0: [u8; 4],
    bbox: BoundingBox2D,
    has_bbox: bool,
    id: Text<64>,
    _pad1: [u8; 7],
}

#[derive(Message)]
#[repr(C)]
struct Detection2DArray {
    header: Header,
    detections: [Detection2D],
}

fn main() {
    assert_eq!(Odometry::schema().name(), "Odometry");
    assert_eq!(Detection2DArray::schema().name(), "Detection2DArray");
    assert_eq!(PointCloud2::capacity().fields(4).data(160).data, 160);
}
