//! An enum cannot be a field, because not every number is one of its variants.

use io_shared::Message;

#[derive(Clone, Copy)]
#[repr(u8)]
enum Gear {
    Forward,
    Reverse,
}

#[derive(Message)]
#[repr(C)]
struct Drive {
    speed: f64,
    gears: [Gear; 4],
    gear: Gear,
}

fn main() {}
