//! A list may have 1 to 32 axes.

#![forbid(unsafe_code)]
#![deny(warnings)]

use io_shared::{ListData, Message, NdList, Schema};

const MOST: usize = 32;

#[derive(Message)]
#[repr(C)]
struct Axes {
    row: NdList<u8, 1>,
    block: NdList<f32, MOST>,
    data: ListData,
}

fn main() {
    let schema = Axes::schema();
    assert_eq!(Schema::from_json(&schema.to_json()), Ok(schema));
}
