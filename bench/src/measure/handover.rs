//! The ping-pong: every system, payload and way of waiting, one after another within each round.

use std::time::Duration;

use super::Bench;
use crate::report::{Case, Cell, Mode};
use crate::run::{PAYLOADS, Run, Spec, Wait};
use crate::series::Series;
use crate::{Result, clock};

/// The most round trips of one run: their times fit the second-level cache.
const MOST: u64 = 20_000;
/// Round trips that are played first, and not counted.
const WARM_UP: u64 = 10;
/// The same in a quick run, which only shows that everything runs.
const QUICK_WARM_UP: u64 = 2;
/// How many parts a run is played in, at most.
const PARTS: u64 = 5;

/// Plays one round of these ways of waiting.
pub(crate) fn round(bench: &mut Bench, modes: &[Mode]) -> Result<()> {
    for mode in modes {
        for payload in PAYLOADS {
            for touch in [false, true] {
                for system in bench.order() {
                    play(bench, system, Case { mode: *mode, payload, touch })?;
                }
            }
        }
    }
    Ok(())
}

fn play(bench: &mut Bench, system: usize, case: Case) -> Result<()> {
    let (budget, cores) = (bench.ticks_of_budget(), bench.cores);
    let warm_up = if bench.quick { QUICK_WARM_UP } else { WARM_UP };
    let peer = &mut bench.peers[system];
    let entry = peer.entry;
    let wait = if case.mode == Mode::Polling { Wait::Poll } else { Wait::Block };
    let plays = match wait {
        Wait::Poll => entry.polls,
        Wait::Block => !entry.polls_only,
    };
    if !plays || case.payload > entry.largest {
        return Ok(());
    }
    let core = cores[usize::from(case.mode != Mode::OneCore)];
    let pause = (case.mode == Mode::Pauses).then_some(Duration::from_millis(1));
    let spec = Spec::new(format!("pingpong{system}"), case.payload, wait);
    let run = Run { touch: case.touch, wait, trips: warm_up, first: 0, pause: None };
    let mut times = Vec::with_capacity(MOST as usize);
    peer.play(&spec, run, core, &mut times)?;
    // The first messages may meet fresh pages, so the later half tells how long one takes.
    let later = &times[times.len() / 2..];
    let typical = later.iter().copied().min().unwrap_or(1).max(1);
    let most = if pause.is_some() { 2 * warm_up } else { MOST };
    let trips = (budget / typical).clamp(warm_up, most);
    times.clear();
    let started = clock::now();
    // In parts, because on a busy machine one trip may take as long as a thousand others.
    while (times.len() as u64) < trips && clock::now() - started < 2 * budget {
        let trips = (trips / PARTS).max(warm_up);
        peer.play(&spec, Run { trips, pause, ..run }, core, &mut times)?;
    }
    bench.record(case, entry.name, &times)
}

impl Bench {
    fn ticks_of_budget(&self) -> u64 {
        self.clock.ticks(self.budget())
    }

    /// Adds a round's times to those of the rounds before.
    pub(super) fn record(&mut self, case: Case, system: &'static str, times: &[u64]) -> Result<()> {
        let cells = &mut self.report.cells;
        let found = cells.iter().position(|cell| cell.case == case && cell.system == system);
        let index = match found {
            Some(index) => index,
            None => {
                cells.push(Cell { case, system, series: Series::new()? });
                cells.len() - 1
            }
        };
        cells[index].series.add(times, self.clock);
        Ok(())
    }
}
