//! The peer process: it obeys the orders of the measuring process.

use std::collections::HashMap;
use std::hint;
use std::io;
use std::path::Path;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};

use crate::measure::many;
use crate::names::Names;
use crate::page::Page;
use crate::peer::{Order, Waited, answer};
use crate::run::{Ends, Spec};
use crate::system::Entry;
use crate::{Result, cores, systems};

/// Obeys the orders that arrive on standard input, until there are no more.
pub(crate) fn serve(name: &str, names: &Names, core: usize) -> Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    cores::pin(core)?;
    let entry = systems::named(name).ok_or("there is no system of that name")?;
    let mut open = HashMap::new();
    for line in io::stdin().lines() {
        let order = serde_json::from_str(&line?)?;
        let said = obey(order, entry, names, &mut open)?;
        answer(&said)?;
    }
    Ok(())
}

/// Obeys one order and returns the last line of the answer.
fn obey(
    order: Order,
    entry: Entry,
    names: &Names,
    open: &mut HashMap<Spec, Box<dyn Ends>>,
) -> Result<String> {
    match order {
        Order::Open(spec) => {
            open.insert(spec.clone(), (entry.ends)(names, &spec.back(), &spec)?);
        }
        Order::Pong { spec, run, core } => {
            let ends = open.get_mut(&spec).ok_or("that connection is not open")?;
            cores::pin(core)?;
            answer("ready")?;
            ends.pong(&run)?;
        }
        Order::Take { spec, messages, page } => take(entry, names, &spec, messages, &page)?,
        Order::Consume { spec, messages, page } => consume(entry, names, &spec, messages, &page)?,
        Order::WaitForMany { label, waits, page } => many::serve(names, &label, waits, &page)?,
        Order::Idle(spec) => return idle(entry, names, &spec),
    }
    Ok("done".into())
}

fn take(entry: Entry, names: &Names, spec: &Spec, messages: u64, page: &Path) -> Result<()> {
    let page = Page::open(page, 0)?;
    answer("ready")?;
    page.await_step(0, 1);
    let mut end = (entry.incoming)(names, spec)?;
    page.tell(1, 1);
    for seq in 1..=messages {
        while !end.try_receive(seq, true)? {
            hint::spin_loop();
        }
        page.tell(1, seq + 1);
    }
    Ok(())
}

fn consume(entry: Entry, names: &Names, spec: &Spec, messages: u64, page: &Path) -> Result<()> {
    let page = Page::open(page, 0)?;
    let mut ends = Vec::new();
    for _ in 0..spec.receivers {
        ends.push((entry.incoming)(names, spec)?);
    }
    answer("ready")?;
    for seq in 1..=messages {
        page.await_step(0, seq);
        for end in &mut ends {
            if !end.try_receive(seq, true)? {
                return Err("a value was put and not found".into());
            }
        }
        page.tell(1, seq);
    }
    Ok(())
}

fn idle(entry: Entry, names: &Names, spec: &Spec) -> Result<String> {
    let mut end = (entry.incoming)(names, spec)?;
    answer("ready")?;
    let before = usage()?;
    end.block(1, true)?;
    let after = usage()?;
    let waited = Waited {
        cpu_nanoseconds: after.cpu_nanoseconds - before.cpu_nanoseconds,
        wakeups: after.wakeups - before.wakeups,
    };
    Ok(serde_json::to_string(&waited)?)
}

/// What this thread has used so far.
fn usage() -> Result<Waited> {
    let cpu = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    Ok(Waited {
        cpu_nanoseconds: cpu.tv_sec() as f64 * 1e9 + cpu.tv_nsec() as f64,
        wakeups: usage.voluntary_context_switches() as f64,
    })
}
