//! Fields that are not messages are refused, with what to use instead.

use io_shared::Message;
use std::cell::Cell;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::sync::atomic::AtomicU32;

type Name = String;

#[derive(Clone, Copy)]
#[repr(C)]
struct Plain {
    x: f32,
}

#[derive(Message)]
#[repr(C)]
struct Others {
    counter: AtomicU32,
    cell: Cell<u32>,
    map: HashMap<u32, u32>,
    mark: PhantomData<u32>,
    not_zero: NonZeroU32,
    name: Name,
    plain: Plain,
}

#[derive(Message)]
#[repr(C)]
struct Tail {
    frame: u64,
    plain: [Plain],
}

fn main() {}
