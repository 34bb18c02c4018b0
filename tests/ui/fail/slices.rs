//! A slice is the last field of a struct, which is then a whole message.

use io_shared::Message;

#[derive(Message)]
#[repr(C)]
struct Nothing {}

#[derive(Message)]
#[repr(C)]
struct NoBytes {
    frame: u64,
    nothing: [Nothing],
}

#[derive(Message)]
#[repr(C)]
struct NotLast {
    labels: [u32],
    frame: u64,
}

#[derive(Message)]
#[repr(C)]
struct Labels {
    frame: u64,
    labels: [u32],
}

#[derive(Message)]
#[repr(C)]
struct Nested {
    stamp: u64,
    labels: Labels,
}

fn main() {}
