//! The segmentator's account of every cloud: labelled, skipped, or lost with a killed segmentator.
//!
//! It is in its own channel, so it outlives the process that keeps it: a segmentator that is
//! started after a kill reads its predecessor's last entry and goes on from there. The order of
//! entries leaves no doubt, wherever the kill strikes:
//!
//! | killed                                    | what the successor finds                        |
//! |-------------------------------------------|-------------------------------------------------|
//! | between taking a cloud and the entry      | its name has taken more than the ledger says    |
//! | between that entry and putting the labels | the entry is open, the last labels are older    |
//! | between putting the labels and the entry  | the entry is open, the last labels are its own  |
//!
//! The lidar counts independently what it sent, so `labelled + missed == sent` is a real check of
//! the channel.

use io_shared::Message;

use crate::latency::Latencies;

#[derive(Clone, Copy, Debug, Default, Message)]
#[repr(C)]
pub(crate) struct Ledger {
    /// The sequence of the last cloud taken.
    pub(crate) taken: u64,
    /// 1 while the labels of that cloud are not known to be put.
    open: u64,
    /// Clouds whose labels were put.
    pub(crate) labelled: u64,
    /// Clouds that were replaced by newer ones before the segmentator came to take them.
    pub(crate) skipped: u64,
    /// Clouds that were taken by a segmentator which was killed before it put their labels.
    pub(crate) lost: u64,
    pub(crate) cloud_latencies: Latencies,
}

impl Ledger {
    /// An account that starts after a cloud.
    pub(crate) fn starting_after(taken: u64) -> Ledger {
        Ledger { taken, ..Ledger::default() }
    }

    /// A cloud was taken, after `skipped` others that nobody took. To be put before its labels.
    pub(crate) fn begin(&mut self, cloud: u64, skipped: u64) {
        self.skipped += skipped;
        self.taken = cloud;
        self.open = 1;
    }

    /// The labels of the cloud that was taken are put.
    pub(crate) fn finish(&mut self) {
        self.labelled += 1;
        self.open = 0;
    }

    /// Completes what a killed predecessor left open. It had taken clouds up to the sequence
    /// `taken`, and the last labels it put belong to the cloud with the sequence `labelled`; 0
    /// means none.
    pub(crate) fn recover(&mut self, taken: u64, labelled: u64) {
        if self.open == 1 {
            if labelled == self.taken {
                self.finish();
            } else {
                self.lost += 1;
                self.open = 0;
            }
        }
        if taken > self.taken {
            self.skipped += taken - self.taken - 1;
            self.lost += 1;
            self.taken = taken;
        }
    }

    /// Whether every cloud up to this one is accounted for.
    pub(crate) fn is_settled(&self, last: u64) -> bool {
        self.taken == last && self.open == 0
    }

    /// Clouds that will never have labels.
    pub(crate) fn missed(&self) -> u64 {
        self.skipped + self.lost
    }
}
