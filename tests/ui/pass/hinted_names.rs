//! A message that the user defines may have any name, also one that the derive has advice for.

#![forbid(unsafe_code)]

use io_shared::Message;

/// As in ROS.
#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Duration {
    sec: i32,
    nanosec: u32,
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Vec3 {
    x: [f32; 3],
}

#[derive(Message)]
#[repr(C)]
struct Trajectory<const N: usize = 4> {
    point: Vec3,
    points: [Vec3; N],
    after: [Duration],
}

fn main() {
    assert_eq!(<Trajectory>::SHAPE.element, Some(8));
    assert_eq!(<Trajectory>::SHAPE.size, 60);
}
