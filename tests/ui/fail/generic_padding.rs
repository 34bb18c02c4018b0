//! Padding that depends on parameters is reported where the parameters are given.

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
