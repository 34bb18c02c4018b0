//! Waiting on many channels: how long after a put the waiter on the other core wakes, compared with
//! a get of that one channel and with the kernel's own waits. And the cost of a wait that finds
//! something at once.

use std::path::Path;
use std::thread;
use std::time::Duration;

use io_shared::{AnyConsumer, Channel, Consumer, Producer, wait_any};

use super::Bench;
use crate::futex::{self, Awaited};
use crate::names::Names;
use crate::page::Page;
use crate::peer::Order;
use crate::{Result, clock, system};

pub(crate) const WAKING: &str = "waking";
const AT_ONCE: &str = "found at once";

// The ways to wait, as in the tables.
pub(crate) const WAIT_ANY: &str = "io-shared, wait_any";
pub(crate) const GET: &str = "io-shared, get of one";
pub(crate) const WAITV: &str = "bare futex_waitv";
pub(crate) const WAIT: &str = "bare futex, of one";
const WAYS: [&str; 4] = [WAIT_ANY, GET, WAITV, WAIT];

/// The numbers of channels.
const COUNTS: [usize; 8] = [1, 2, 4, 8, 16, 32, 64, MOST];
const MOST: usize = 127;

// Lines of the page. The measuring process writes the way, the number of channels and which one
// will wake, and then the step. The futex words follow.
const STEP: usize = 0;
const WAY: usize = 1;
const COUNT: usize = 2;
const CHOSEN: usize = 3;
const DONE: usize = 4;
const WORDS: usize = 5;
const BYTES: usize = (WORDS + MOST) * crate::page::STRIDE;

pub(crate) fn what(count: usize) -> String {
    format!("one of {count}")
}

fn name(names: &Names, label: &str, channel: usize) -> String {
    names.name_of(&format!("{label}-{channel}"))
}

pub(crate) fn round(bench: &mut Bench) -> Result<()> {
    let label = format!("many-{}", bench.round);
    let mut producers = (0..MOST)
        .map(|channel| io_shared::producer::<u64>(&name(&bench.names, &label, channel)))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    waking(bench, &label, &mut producers)?;
    at_once(bench, &label, &mut producers)?;
    for channel in 0..MOST {
        Channel::remove(name(&bench.names, &label, channel))?;
    }
    Ok(())
}

fn waking(bench: &mut Bench, label: &str, producers: &mut [Producer<u64>]) -> Result<()> {
    let trips = if bench.quick { 5 } else { 25 };
    let path = bench.names.file(label);
    let page = Page::open(&path, BYTES)?;
    let named = |peer: &&mut crate::peer::Peer| peer.entry.name == system::IO_SHARED;
    let peer = bench.peers.iter_mut().find(named).ok_or("io-shared has no peer")?;
    let waits = (COUNTS.len() * WAYS.len()) as u64 * trips;
    peer.order(&Order::WaitForMany { label: label.into(), waits, page: path })?;
    peer.answer()?;
    let mut step = 0;
    for count in COUNTS {
        let mut times = [const { Vec::new() }; WAYS.len()];
        // The ways take turns, so that all see the machine at the same moments.
        for trip in 0..trips as usize * WAYS.len() {
            let way = (trip + bench.round) % WAYS.len();
            step += 1;
            let chosen = step as usize * 37 % count;
            for (line, value) in
                [(WAY, way), (COUNT, count), (CHOSEN, chosen), (STEP, step as usize)]
            {
                page.tell(line, value as u64);
            }
            // By then the waiter sleeps, and its core is idle.
            thread::sleep(Duration::from_millis(1));
            let before = clock::now();
            if [WAIT_ANY, GET].contains(&WAYS[way]) {
                producers[chosen].put(&step)?;
            } else {
                page.tell(WORDS + chosen, step);
                futex::wake(page.word(WORDS + chosen));
            }
            page.await_step(DONE, step);
            times[way].push(clock::now() - before);
        }
        for (way, mut times) in WAYS.into_iter().zip(times) {
            times.sort_unstable();
            let took = bench.clock.nanoseconds(times[times.len() / 2]) / 1e3;
            bench.report.add(WAKING, what(count), way, "us", took);
        }
    }
    peer.answer()?;
    Ok(())
}

/// The peer's side: waits as the page says, and notes on the page that it was woken.
pub(crate) fn serve(names: &Names, label: &str, waits: u64, page: &Path) -> Result<()> {
    let page = Page::open(page, BYTES)?;
    let mut consumers = open(names, label)?;
    crate::peer::answer("ready")?;
    for step in 1..=waits {
        page.await_step(STEP, step);
        let [way, count, chosen] = [WAY, COUNT, CHOSEN].map(|line| page.read(line) as usize);
        match WAYS[way] {
            WAIT_ANY => {
                let ready = wait_any(&list(&consumers[..count]), Duration::MAX)?;
                if !ready.iter().eq([chosen]) {
                    return Err(format!("{ready:?} of {count} was ready, not {chosen}").into());
                }
                let value = consumers[chosen].try_get()?;
                if value.as_deref() != Some(&step) {
                    return Err("what was ready is not what was put".into());
                }
            }
            GET => {
                if *consumers[chosen].get()? != step {
                    return Err("what was got is not what was put".into());
                }
            }
            WAITV => {
                let words = (0..count).map(|word| page.word(WORDS + word));
                let words: Vec<_> = words.map(Awaited::unchanged).collect();
                while page.read(WORDS + chosen) != step {
                    if !futex::wait_any(&words) {
                        return Err("this kernel has no futex_waitv".into());
                    }
                }
            }
            _ => loop {
                let found = page.read(WORDS + chosen);
                if found == step {
                    break;
                }
                futex::wait(page.word(WORDS + chosen), found as u32);
            },
        }
        page.tell(DONE, step);
    }
    Ok(())
}

/// Times waits for `count` channels in one process, when the last of them has something to get.
fn at_once(bench: &mut Bench, label: &str, producers: &mut [Producer<u64>]) -> Result<()> {
    let waits = if bench.quick { 200 } else { 2000 };
    let mut consumers = open(&bench.names, label)?;
    for consumer in &mut consumers {
        consumer.try_get()?;
    }
    for count in COUNTS {
        producers[count - 1].put(&0)?;
        let list = list(&consumers[..count]);
        let before = clock::now();
        for _ in 0..waits {
            wait_any(&list, Duration::ZERO)?;
        }
        let took = bench.clock.nanoseconds(clock::now() - before) / f64::from(waits);
        bench.report.add(AT_ONCE, what(count), WAIT_ANY, "ns", took);
        drop(list);
        consumers[count - 1].try_get()?;
    }
    Ok(())
}

fn open(names: &Names, label: &str) -> Result<Vec<Consumer<u64>>> {
    let consumer = |channel| Ok(io_shared::consumer(name(names, label, channel))?);
    (0..MOST).map(consumer).collect()
}

fn list(consumers: &[Consumer<u64>]) -> Vec<&dyn AnyConsumer> {
    consumers.iter().map(|consumer| consumer as &dyn AnyConsumer).collect()
}
