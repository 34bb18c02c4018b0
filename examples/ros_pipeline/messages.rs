//! What travels through the channels, shared by every role.
//!
//! Only declarations: the derive checks that each type has one layout on both sides, and the
//! channel refuses to open when the other side was built with another one.

use io_shared::Message;

use crate::latency::Latencies;

/// Room in the channels, for any lidar that the roles may be fed from.
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
    /// When the turn ended, by the monotonic clock of this machine.
    #[message(unit = "ns")]
    pub(crate) stamp_ns: u64,
    pub(crate) points: [Point],
}

/// One label for every point of one cloud.
#[derive(Debug, Message)]
#[repr(C)]
pub(crate) struct Labels {
    /// The frame of the cloud that was labelled.
    pub(crate) frame: u64,
    /// The sequence under which that cloud was published.
    pub(crate) cloud_seq: u64,
    /// 0 unlabelled, 1 ground, 2 and up the clusters.
    pub(crate) labels: [u32],
}

/// What the lidar has done so far.
#[derive(Clone, Copy, Debug, Default, Message)]
#[repr(C)]
pub(crate) struct Sent {
    /// Clouds put.
    pub(crate) frames: u64,
    /// The sequence of the last one.
    pub(crate) last_seq: u64,
}

/// What the viewer has done so far.
#[derive(Clone, Copy, Debug, Default, Message)]
#[repr(C)]
pub(crate) struct Shown {
    /// Labels put, by the viewer's count: those it got and those it came too late for.
    pub(crate) labelled: u64,
    /// Labels that it got.
    pub(crate) got: u64,
    /// Labels whose cloud it had not kept.
    pub(crate) unpaired: u64,
    /// Labels of another length or another frame than their cloud, or not newer than the last.
    pub(crate) wrong: u64,
    /// Frames labelled a second time, here, for comparison.
    pub(crate) verified: u64,
    /// Those of them that came out differently.
    pub(crate) differing: u64,
    /// Points of all labels that it got.
    pub(crate) points: u64,
    pub(crate) cloud_latencies: Latencies,
    pub(crate) label_latencies: Latencies,
}
