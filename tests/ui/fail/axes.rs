//! A list has 1 to 32 axes, and the data of lists is that of at least one list.

use io_shared::{ListData, Message, NdList};

#[derive(Message)]
#[repr(C)]
struct NoAxis {
    value: NdList<u8, 0>,
    data: ListData,
}

const MANY: usize = 33;

#[derive(Message)]
#[repr(C)]
struct ManyAxes {
    image: NdList<u8, 32>,
    block: NdList<f32, MANY>,
    data: ListData,
}

#[derive(Message)]
#[repr(transparent)]
struct DataAlone {
    data: ListData,
}

#[derive(Message)]
#[repr(C)]
struct NoList {
    frame: u64,
    data: ListData,
}

fn main() {}
