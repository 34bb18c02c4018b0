//! The messages that tests hand over between programs in Rust, C (`io-shared-ffi/examples/cloud.h`)
//! and Python (`python/tests/test_typed.py`).

use io_shared::{List, ListData, Message, NdList, Text};

/// A point of a cloud.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct Point {
    pub x: f32,
    pub y: f32,
    pub z: f32,
    pub intensity: f32,
}

/// What a lidar puts.
#[derive(Debug, Message)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct Cloud {
    pub frame: u64,
    pub stamp_ns: u64,
    pub points: [Point],
}

/// A label for each point of a frame.
#[derive(Debug, PartialEq, Message)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct FrameLabels {
    pub frame: u64,
    pub labels: [u32],
}

/// What a segmentator answers: a label for each point.
#[derive(Debug, Message)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct Labels {
    pub frame: u64,
    pub cloud_seq: u64,
    pub labels: [u32],
}

/// The camera that saw something.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(u8)]
#[expect(missing_docs, reason = "the variants are what they are called")]
pub enum Camera {
    Unknown,
    Front,
    Rear = 7,
}

/// What a detector puts: a header, an enum, a bool, and three lists.
#[derive(Debug, Message)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct Detections {
    pub frame: u64,
    pub stamp_ns: u64,
    pub source: Camera,
    pub valid: bool,
    pub _pad: [u8; 6],
    pub boxes: List<[f32; 4]>,
    pub names: List<Text<16>>,
    pub image: NdList<u8, 3>,
    pub data: ListData,
}
