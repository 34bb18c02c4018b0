//! The cost of a waiting consumer while nothing comes.

use std::thread;
use std::time::Duration;

use super::Bench;
use crate::Result;
use crate::peer::{Order, Peer, Waited};
use crate::run::{Spec, Wait};

pub(crate) const MEASUREMENT: &str = "waiting while nothing comes";
pub(crate) const CPU: &str = "share of a core";
pub(crate) const WAKEUPS: &str = "wake-ups a second";

/// All systems wait at once, because their use of the processor counts, not their speed.
pub(crate) fn round(bench: &mut Bench) -> Result<()> {
    let window = Duration::from_millis(if bench.quick { 300 } else { 1000 });
    let mut ends = Vec::new();
    for (system, peer) in waiting(&mut bench.peers).enumerate() {
        let spec = Spec::new(format!("idle{system}-{}", bench.round), 16, Wait::Block);
        ends.push((peer.entry.outgoing)(&bench.names, &spec)?);
        peer.order(&Order::Idle(spec))?;
    }
    for peer in waiting(&mut bench.peers) {
        peer.answer()?;
    }
    thread::sleep(window);
    for (peer, end) in waiting(&mut bench.peers).zip(&mut ends) {
        end.send(1, true)?;
        let waited: Waited = serde_json::from_str(&peer.answer()?)?;
        let share = waited.cpu_nanoseconds / window.as_nanos() as f64 * 100.0;
        let wakeups = waited.wakeups / window.as_secs_f64();
        bench.report.add(MEASUREMENT, CPU, peer.entry.name, "%", share);
        bench.report.add(MEASUREMENT, WAKEUPS, peer.entry.name, "/s", wakeups);
    }
    Ok(())
}

/// The systems that can wait, and not only poll.
fn waiting(peers: &mut [Peer]) -> impl Iterator<Item = &mut Peer> {
    peers.iter_mut().filter(|peer| !peer.entry.polls_only)
}
