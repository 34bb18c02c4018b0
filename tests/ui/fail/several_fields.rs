//! Where three or more fields need work, the corrected struct is shown whole.

use io_shared::Message;

/// A robot.
#[derive(Message)]
struct Robot {
    /// Its name.
    name: String,
    #[message(unit = "m")]
    pub height: Option<u8>,
    gear: Option<i8>,
    letter: char,
    nothing: (),
    count: usize,
}

#[derive(Message)]
#[repr(C)]
struct Scene {
    data: Vec<u8>,
    names: Vec<String>,
    frame: u64,
    groups: Vec<Vec<u32>>,
}

#[derive(Message)]
#[repr(C)]
struct Path {
    points: Vec<[f64; 3]>,
    name: String,
    start: Option<[bool; 3]>,
    goal: Option<[u8; 3]>,
    id: u128,
}

// The advice leaves a choice.
#[derive(Message)]
#[repr(C)]
struct Chosen {
    pair: (u32, u32),
    name: String,
    id: u128,
}

fn main() {}
