//! One build reports the unknown key, the types, and the padding that is certain.

use io_shared::Message;
use std::time::Duration;

#[derive(Message)]
#[repr(C)]
#[message(podd = false)]
struct Scan {
    flag: u8,
    #[message(untis = "m")]
    x: f32,
    age: Duration,
    name: String,
    count: usize,
}

fn main() {}
