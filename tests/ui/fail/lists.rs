//! A struct can have one field with any number of elements, the last.

use io_shared::Message;

#[derive(Message)]
#[repr(C)]
struct SliceThere {
    frame: u64,
    boxes: [f32],
    labels: [u32],
}

#[derive(Message)]
#[repr(C)]
struct ListThere {
    boxes: Vec<[f32; 4]>,
    labels: Vec<u32>,
}

#[derive(Message)]
#[repr(C)]
struct OneList {
    boxes: Vec<bool>,
    frame: u64,
}

#[derive(Message)]
#[repr(C)]
struct Names {
    frame: u64,
    names: Vec<String>,
}

#[derive(Message)]
#[repr(C)]
struct Borrowed {
    boxes: &'static [f32],
    maybe: Option<usize>,
    many: Option<Vec<u8>>,
}

#[derive(Message)]
#[repr(C)]
struct OfOthers {
    timeout: Option<std::time::Duration>,
    waits: Vec<std::time::Duration>,
    number: Option<std::num::NonZeroU32>,
    from: Option<std::net::Ipv4Addr>,
    path: Option<std::path::PathBuf>,
    seen: Vec<std::time::SystemTime>,
}

fn main() {}
