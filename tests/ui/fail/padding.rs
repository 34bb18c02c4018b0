//! Padding is refused, and the struct is shown with the padding named.

use io_shared::Message;

#[derive(Message)]
#[repr(C)]
struct Between {
    flag: u8,
    x: f32,
    low: u16,
    stamp: u64,
}

#[derive(Message)]
#[repr(C)]
struct AtTheEnd {
    stamp: u64,
    count: u32,
}

#[derive(Message)]
#[repr(C)]
struct BeforeTheSlice {
    count: u32,
    stamps: [u64],
}

#[derive(Message)]
#[repr(C)]
struct Numbered(u8, u16, u8);

#[derive(Message)]
#[repr(C)]
struct NameTaken {
    _pad: u8,
    x: u16,
}

type Seconds = f64;

#[derive(Message)]
#[repr(C)]
struct BehindAnAlias {
    frame: u32,
    stamp: Seconds,
}

#[derive(Message)]
#[repr(C, align(64))]
struct Aligned {
    x: [f32; 3],
}

#[derive(Message)]
#[repr(C)]
pub struct Visible {
    pub flag: u8,
    pub x: f32,
    pub(crate) low: u16,
    stamp: u64,
    pub end: u8,
}

fn main() {}
