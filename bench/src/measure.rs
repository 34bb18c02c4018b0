//! The measurements. A call of one plays one round.

pub(crate) mod consumers;
pub(crate) mod copying;
pub(crate) mod first;
pub(crate) mod handover;
pub(crate) mod idle;
pub(crate) mod many;
pub(crate) mod memory;
#[cfg(feature = "peers")]
pub(crate) mod threads;

use std::time::Duration;

use crate::clock::Clock;
use crate::names::Names;
use crate::peer::Peer;
use crate::report::Report;

/// What every measurement needs.
pub(crate) struct Bench {
    pub(crate) names: Names,
    pub(crate) clock: Clock,
    pub(crate) cores: [usize; 2],
    pub(crate) peers: Vec<Peer>,
    pub(crate) quick: bool,
    /// Counts from 0.
    pub(crate) round: usize,
    pub(crate) report: Report,
}

impl Bench {
    /// How long one ping-pong of one system may take, within a round.
    pub(crate) fn budget(&self) -> Duration {
        Duration::from_millis(if self.quick { 3 } else { 20 })
    }

    /// The systems, in an order that changes each round, so that none is always first.
    pub(crate) fn order(&self) -> Vec<usize> {
        let count = self.peers.len();
        (0..count).map(|index| (index + self.round) % count).collect()
    }
}
