//! A struct needs a `repr` that fixes the order of its fields.

use io_shared::Message;

#[derive(Message)]
struct Missing {
    x: f32,
}

#[derive(Message)]
#[repr(align(8))]
struct AlignedOnly {
    x: f64,
}

#[derive(Message)]
#[repr(C, packed)]
struct Packed {
    flag: u8,
    x: f32,
}

#[derive(Message)]
#[repr(C)]
#[r#repr(r#packed)]
struct PackedRaw {
    flag: u8,
    x: f32,
}

#[derive(Message)]
#[repr(transparent)]
struct TwoFields {
    x: f32,
    nothing: [u8; 0],
}

fn main() {}
