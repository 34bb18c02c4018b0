//! Types that cannot cross a process boundary are refused, with what to use instead.

use io_shared::Message;

#[derive(Message)]
#[repr(C)]
struct Everything {
    name: String,
    points: Vec<[f32; 3]>,
    next: Box<u32>,
    bytes: Box<[u8]>,
    title: &'static str,
    start: *const u8,
    callback: fn(u32) -> u32,
    count: usize,
    step: isize,
    valid: bool,
    letter: char,
    id: u128,
    difference: i128,
    speed: Option<f32>,
    state: Result<u8, u8>,
    pair: (u32, u32),
    names: [std::string::String; 4],
}

#[derive(Message)]
#[repr(C)]
struct Line {
    length: u64,
    text: str,
}

#[derive(Message)]
#[repr(C)]
struct Flags(u64, [bool]);

fn main() {}
