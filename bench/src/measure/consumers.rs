//! The cost of one put for a growing number of consumers. One other process polls each of them
//! between puts.

use super::Bench;
use crate::page::Page;
use crate::peer::Order;
use crate::run::{Spec, Wait};
use crate::{Result, clock, system};

pub(crate) const MEASUREMENT: &str = "one put";

/// How many consumers.
pub(crate) const COUNTS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

pub(crate) fn what(consumers: usize) -> String {
    format!("{consumers} consumers")
}

pub(crate) fn round(bench: &mut Bench) -> Result<()> {
    let puts: u64 = if bench.quick { 400 } else { 4000 };
    // With some peers, opening that many takes seconds.
    for consumers in COUNTS.into_iter().step_by(if bench.quick { 3 } else { 1 }) {
        for system in bench.order() {
            let name = bench.peers[system].entry.name;
            if ![system::IO_SHARED, system::ICEORYX2].contains(&name) {
                continue; // the others have one consumer
            }
            let label = format!("consumers{consumers}-{system}-{}", bench.round);
            let spec = Spec { receivers: consumers, ..Spec::new(label, 16, Wait::Poll) };
            let path = bench.names.file(&spec.label);
            let page = Page::open(&path, 0)?;
            let mut end = (bench.peers[system].entry.outgoing)(&bench.names, &spec)?;
            let order = Order::Consume { spec, messages: puts, page: path };
            bench.peers[system].order(&order)?;
            bench.peers[system].answer()?;
            let mut times = Vec::new();
            for seq in 1..=puts {
                let before = clock::now();
                end.send(seq, true)?;
                times.push((clock::now() - before).saturating_sub(bench.clock.reading()));
                page.tell(0, seq);
                page.await_step(1, seq);
            }
            bench.peers[system].answer()?;
            let cost = bench.clock.nanoseconds(typical(&mut times));
            bench.report.add(MEASUREMENT, what(consumers), name, "ns", cost);
        }
    }
    Ok(())
}

/// The mean without the slowest hundredth, which is interrupts. It is a mean because puts that now
/// and then scan all consumers must count.
fn typical(times: &mut [u64]) -> u64 {
    times.sort_unstable();
    let kept = &times[..times.len() - times.len() / 100];
    kept.iter().sum::<u64>() / kept.len().max(1) as u64
}
