//! The polling ping-pong of 16 bytes between two threads of one process, for reference.

use std::sync::Barrier;
use std::thread;

use super::Bench;
use crate::report::{Case, Mode};
use crate::run::{Run, Wait};
use crate::systems::threads::{CROSSBEAM, Pair, TRIPLE_BUFFER, crossbeam_channels, triple_buffers};
use crate::{Result, cores};

pub(crate) fn round(bench: &mut Bench) -> Result<()> {
    play(bench, TRIPLE_BUFFER, triple_buffers())?;
    play(bench, CROSSBEAM, crossbeam_channels())
}

fn play(bench: &mut Bench, system: &'static str, ends: Pair) -> Result<()> {
    let [mut here, mut there] = ends;
    let trips = if bench.quick { 2000 } else { 20_000 };
    let run = Run { touch: true, wait: Wait::Poll, trips, first: 1, pause: None };
    let core = bench.cores[1];
    let mut times = Vec::with_capacity(trips as usize);
    let pinned = Barrier::new(2);
    thread::scope(|scope| {
        let peer = scope.spawn(|| {
            let pinned_to = cores::pin(core);
            pinned.wait();
            pinned_to.and_then(|()| there.pong(&run)).map_err(|error| error.to_string())
        });
        pinned.wait();
        here.ping(&run, &mut times)?;
        peer.join().map_err(|_| "the other thread panicked")?.map_err(Into::into)
    })
    .map_err(|error: Box<dyn std::error::Error>| error)?;
    bench.record(Case { mode: Mode::Polling, payload: 16, touch: true }, system, &times)
}
