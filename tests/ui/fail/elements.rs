//! Lists: what their elements may be, and where a list may be.

use io_shared::{List, ListData, Message, NdList};

#[derive(Clone, Copy, Message)]
#[repr(i16)]
enum Mode {
    Idle = 0,
    Fault = -1,
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Flags {
    on: bool,
}

#[derive(Message)]
#[repr(C)]
struct WithoutData {
    frame: u64,
    boxes: List<[f32; 4]>,
}

#[derive(Message)]
#[repr(C)]
struct Checked {
    modes: List<Mode>,
    flags: List<bool>,
    more: NdList<Flags, 2>,
    data: ListData,
}

#[derive(Message)]
#[repr(C)]
struct OfLists {
    polygons: List<List<f32>>,
    data: ListData,
}

#[derive(Message)]
#[repr(C)]
struct Stranger {
    names: List<String>,
    times: List<std::time::Duration>,
    data: ListData,
}

#[derive(Message)]
#[repr(C)]
struct NotLast {
    labels: List<u32>,
    data: ListData,
    frame: u64,
}

#[derive(Message)]
#[repr(C)]
struct WithSlice {
    labels: List<u32>,
    more: [u32],
    data: ListData,
}

#[derive(Message)]
#[repr(C)]
struct Names {
    capacity: List<u32>,
    data: ListData,
}

#[derive(Message)]
#[repr(C)]
struct Numbered(List<u32>, ListData);

#[derive(Message)]
#[repr(C)]
struct Generic<T> {
    of: List<T>,
    data: ListData,
}

#[repr(C, align(128))]
#[derive(Clone, Copy, Message)]
struct Wide([u8; 128]);

#[derive(Message)]
#[repr(C)]
struct TooWide {
    of: List<Wide>,
    data: ListData,
}

fn main() {}
