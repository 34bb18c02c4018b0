//! Unions and structs with lifetimes are refused.

use io_shared::Message;

#[derive(Message)]
#[repr(C)]
union Either {
    number: u32,
    real: f32,
}

#[derive(Message)]
#[repr(C)]
struct Borrowing<'a> {
    bytes: &'a [u8],
}

fn main() {}
