//! The data that travels through the pipeline, shared by every role.
//!
//! There are only declarations. The derive makes sure that a type has one layout in every program,
//! and a channel does not open for a program that was built with another one.

use io_shared::Message;

/// The capacity of the channels, enough for any lidar.
pub(crate) const MAX_POINTS: usize = 1 << 18;

/// One return of the laser, in the frame of the sensor: x ahead, y left, z up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Message)]
#[repr(C)]
pub(crate) struct Point {
    #[message(unit = "m")]
    pub(crate) x: f32,
    #[message(unit = "m")]
    pub(crate) y: f32,
    #[message(unit = "m")]
    pub(crate) z: f32,
    /// Strength of the return, 0 to 1.
    pub(crate) intensity: f32,
}

/// One turn of the lidar.
#[derive(Debug, Message)]
#[repr(C)]
pub(crate) struct Cloud {
    /// Number of the turn, from 0.
    pub(crate) frame: u64,
    /// When the turn ended, since 1970.
    #[message(unit = "ns", stamp)]
    pub(crate) stamp_ns: u64,
    #[message(frame = "lidar")]
    pub(crate) points: [Point],
}

/// One label for every point of one cloud. Their tag is the sequence number of that cloud.
#[derive(Debug, Message)]
#[repr(C)]
pub(crate) struct Labels {
    /// The frame of the cloud that was labelled.
    pub(crate) frame: u64,
    /// 0 unlabelled, 1 ground, 2 and up the clusters.
    pub(crate) labels: [u32],
}
