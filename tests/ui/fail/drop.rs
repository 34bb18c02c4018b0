//! A struct that implements `Drop` is refused.

use io_shared::Message;

#[derive(Message)]
#[repr(C)]
struct Descriptor {
    number: i32,
}

impl Drop for Descriptor {
    fn drop(&mut self) {}
}

fn main() {}
