//! Unknown keys in `#[message(..)]` are refused, with those that exist.

use io_shared::Message;

#[derive(Message)]
#[repr(C)]
#[message(pod)]
struct NoValue {
    #[message(unit = 3)]
    x: f32,
    #[message(unit)]
    y: f32,
    #[message(pod = false)]
    z: f32,
}

#[derive(Message)]
#[repr(C)]
#[message(unit = "m")]
struct UnitOnStruct {
    x: f32,
}

#[derive(Message)]
#[repr(transparent)]
struct Meters(#[message(unit = "m")] f32);

#[derive(Message)]
#[repr(C)]
struct Stamped {
    #[message(stamp)]
    seconds: f64,
    #[message(frame = "/lidar")]
    points: [f32; 4],
}

fn main() {}
