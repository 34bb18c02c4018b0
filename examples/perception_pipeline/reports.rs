//! What the lidar and the viewer have done so far; the segmentator keeps a [`ledger`].
//!
//! Each is put after every frame, for the launcher to read. A report is the state so far, not an
//! event, so it does no harm that the newest one wins.
//!
//! [`ledger`]: crate::ledger

use io_shared::Message;

use crate::latency::Latencies;

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
    /// Labels put, by the viewer's count: those it got and those it missed.
    pub(crate) labelled: u64,
    /// Labels that it got.
    pub(crate) got: u64,
    /// Labels whose cloud it no longer had.
    pub(crate) unpaired: u64,
    /// Labels of another length or another frame than their cloud, or not newer than the last.
    pub(crate) wrong: u64,
    /// Frames that the viewer labelled a second time for comparison.
    pub(crate) verified: u64,
    /// Those of them that came out differently.
    pub(crate) differing: u64,
    /// Points of all labels that it got.
    pub(crate) points: u64,
    pub(crate) cloud_latencies: Latencies,
    pub(crate) label_latencies: Latencies,
}
