//! What each point of a scan is: ground, part of an object that stands on it, or neither.
//!
//! The segmentator calls this for every cloud, and the viewer calls it to check every tenth. It
//! keeps no state from frame to frame, so the same points and seed give the same labels in every
//! process.

use std::ops::Range;

use crate::messages::Point;
use crate::{clusters, ground::Ground};

pub(crate) const UNLABELLED: u32 = 0;
pub(crate) const GROUND: u32 = 1;
/// The largest cluster; the others follow by size.
pub(crate) const FIRST_CLUSTER: u32 = 2;

/// Points up to this height above the ground are still ground: kerbs, speed bumps, grass.
const STEP: f32 = 0.2;
/// Farther below the ground there are only reflections.
const DEEP: f32 = 0.5;
/// Nearer to the sensor there is only its own car; farther off or higher up, no lidar sees
/// anything.
const REACH: Range<f32> = 2.2..250.0;
const SKY: f32 = 100.0;

/// Writes a label for every point.
///
/// # Panics
///
/// If there are not as many labels as points.
pub(crate) fn segment(points: &[Point], seed: u64, labels: &mut [u32]) {
    assert_eq!(points.len(), labels.len(), "one label a point");
    let ground = Ground::find(points, seed);
    let mut standing = Vec::with_capacity(points.len());
    for (index, (point, label)) in points.iter().zip(labels.iter_mut()).enumerate() {
        let height = ground.height(point);
        *label = UNLABELLED;
        // NaN is in no range.
        if REACH.contains(&point.x.hypot(point.y)) {
            if (-DEEP..STEP).contains(&height) {
                *label = GROUND;
            } else if (STEP..SKY).contains(&height) {
                standing.push(index as u32);
            }
        }
    }
    for (number, cluster) in clusters::find(points, &standing).iter().enumerate() {
        for &index in cluster {
            labels[index as usize] = FIRST_CLUSTER + number as u32;
        }
    }
}

/// A summary of a frame's labels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) points: usize,
    pub(crate) ground: usize,
    pub(crate) clusters: usize,
}

impl Tally {
    pub(crate) fn of(labels: &[u32]) -> Tally {
        let highest = labels.iter().copied().max().unwrap_or(UNLABELLED);
        Tally {
            points: labels.len(),
            ground: labels.iter().filter(|&&label| label == GROUND).count(),
            clusters: (highest + 1).saturating_sub(FIRST_CLUSTER) as usize,
        }
    }

    /// The share of the points that are ground, 0 to 1.
    pub(crate) fn ground_share(&self) -> f64 {
        self.ground as f64 / self.points.max(1) as f64
    }
}
