//! From nothing to messages: opens both sides one after the other, and hands over messages one by
//! one, written and read.

use super::Bench;
use crate::page::Page;
use crate::peer::Order;
use crate::run::{Spec, Wait};
use crate::{Result, clock, report};

pub(crate) const MEASUREMENT: &str = "from nothing";

/// What is timed: the number of messages, and their size in bytes.
pub(crate) const CASES: [(u64, usize); 2] = [(1, 4096), (10, 5 << 20)];

pub(crate) fn what(messages: u64, payload: usize) -> String {
    format!("to message {messages} of {}", report::size(payload))
}

pub(crate) fn round(bench: &mut Bench) -> Result<()> {
    for (messages, payload) in CASES {
        for system in bench.order() {
            if bench.peers[system].entry.polls_only {
                continue;
            }
            let label = format!("first{system}-{}", bench.round);
            let spec = Spec::new(label, payload, Wait::Poll);
            let path = bench.names.file(&format!("{}-{payload}", spec.label));
            let page = Page::open(&path, 0)?;
            let peer = &mut bench.peers[system];
            peer.order(&Order::Take { spec: spec.clone(), messages, page: path })?;
            peer.answer()?;
            let started = clock::now();
            let mut end = (peer.entry.outgoing)(&bench.names, &spec)?;
            page.tell(0, 1);
            page.await_step(1, 1);
            for seq in 1..=messages {
                end.send(seq, true)?;
                page.await_step(1, seq + 1);
            }
            let took = bench.clock.nanoseconds(clock::now() - started) / 1e3;
            peer.answer()?;
            let name = peer.entry.name;
            bench.report.add(MEASUREMENT, what(messages, payload), name, "us", took);
        }
    }
    Ok(())
}
