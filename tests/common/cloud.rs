//! The messages that tests hand over between programs in Rust, C (`io-shared-ffi/examples/cloud.h`)
//! and Python (`python/tests/test_typed.py`).

#![allow(dead_code, reason = "each test binary uses a part of it")]

use io_shared::Message;

#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
pub(crate) struct Point {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) z: f32,
    pub(crate) intensity: f32,
}

#[derive(Message)]
#[repr(C)]
pub(crate) struct Cloud {
    pub(crate) frame: u64,
    pub(crate) stamp_ns: u64,
    pub(crate) points: [Point],
}

#[derive(Message)]
#[repr(C)]
pub(crate) struct Labels {
    pub(crate) frame: u64,
    pub(crate) cloud_seq: u64,
    pub(crate) labels: [u32],
}
