//! Sizes of parameters are known where they are given, so this is told there.

use io_shared::Message;

#[derive(Message)]
#[repr(C)]
struct Stamped<T> {
    value: T,
    stamp: u64,
}

#[derive(Message)]
#[repr(C)]
struct Outer {
    inner: Stamped<u32>,
}

#[derive(Message)]
#[repr(C)]
struct Frame<T> {
    value: T,
    values: [u32],
}

fn main() {
    let _ = <Stamped<u64> as Message>::SHAPE;
    let _ = <Frame<u8> as Message>::SHAPE;
}
