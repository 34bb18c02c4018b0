//! Messages of ROS, copied from their definitions as anyone would write them in Rust. The next
//! step, `ros_padding.rs`, is what these errors tell.

use io_shared::Message;

#[derive(Message)]
struct Time {
    sec: i32,
    nanosec: u32,
}

#[derive(Message)]
struct Header {
    stamp: Time,
    frame_id: String,
}

#[derive(Message)]
struct Point {
    x: f64,
    y: f64,
    z: f64,
}

#[derive(Message)]
struct Quaternion {
    x: f64,
    y: f64,
    z: f64,
    w: f64,
}

#[derive(Message)]
struct Pose {
    position: Point,
    orientation: Quaternion,
}

#[derive(Message)]
struct PoseWithCovariance {
    pose: Pose,
    covariance: [f64; 36],
}

#[derive(Message)]
struct Twist {
    linear: Point,
    angular: Point,
}

#[derive(Message)]
struct TwistWithCovariance {
    twist: Twist,
    covariance: [f64; 36],
}

// nav_msgs/Odometry
#[derive(Message)]
struct Odometry {
    header: Header,
    child_frame_id: String,
    pose: PoseWithCovariance,
    twist: TwistWithCovariance,
}

#[derive(Message)]
struct PointField {
    name: String,
    offset: u32,
    datatype: u8,
    count: u32,
}

// sensor_msgs/PointCloud2
#[derive(Message)]
struct PointCloud2 {
    header: Header,
    height: u32,
    width: u32,
    fields: Vec<PointField>,
    is_bigendian: bool,
    point_step: u32,
    row_step: u32,
    data: Vec<u8>,
    is_dense: bool,
}

#[derive(Message)]
struct ObjectHypothesis {
    class_id: String,
    score: f64,
}

#[derive(Message)]
struct ObjectHypothesisWithPose {
    hypothesis: ObjectHypothesis,
    pose: PoseWithCovariance,
}

#[derive(Message)]
struct BoundingBox2D {
    center: [f64; 3],
    size_x: f64,
    size_y: f64,
}

#[derive(Message)]
struct Detection2D {
    header: Header,
    results: Vec<ObjectHypothesisWithPose>,
    bbox: Option<BoundingBox2D>,
    id: String,
}

// vision_msgs/Detection2DArray
#[derive(Message)]
struct Detection2DArray {
    header: Header,
    detections: Vec<Detection2D>,
}

fn main() {}
