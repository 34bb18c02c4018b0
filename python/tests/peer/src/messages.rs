//! The messages of `python/tests/test_typed.py`, as a program of its own would define them.
//!
//! `test-support` has them too. But `cargo package --workspace` packs this crate as well, and one
//! that is packed cannot depend on a crate that is never published.

use io_shared::Message;

/// A point of a cloud.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
pub(crate) struct Point {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) z: f32,
    pub(crate) intensity: f32,
}

/// What a lidar puts.
#[derive(Debug, Message)]
#[repr(C)]
pub(crate) struct Cloud {
    pub(crate) frame: u64,
    pub(crate) stamp_ns: u64,
    pub(crate) points: [Point],
}

/// What a segmentator answers: a label for each point.
#[derive(Debug, Message)]
#[repr(C)]
pub(crate) struct Labels {
    pub(crate) frame: u64,
    pub(crate) cloud_seq: u64,
    pub(crate) labels: [u32],
}
