//! The other process. One for each system, alive over all rounds, asleep while it has no orders.

use std::collections::HashMap;
use std::env;
use std::hint;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::alarm;
use serde::{Deserialize, Serialize};

use crate::measure::many;
use crate::page::Page;
use crate::place::Place;
use crate::run::{Ends, Run, Spec};
use crate::system::Entry;
use crate::{Result, cores, systems};

/// What a peer is told to do. It answers with a line when it is about to, and when it has.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Open both ends of a ping-pong.
    Open(Spec),
    /// Answer every message of a run, on that core.
    Pong { spec: Spec, run: Run, core: usize },
    /// When told on the page, open an end and take so many messages.
    Take { spec: Spec, messages: u64, page: PathBuf },
    /// Open as many ends as there may be, and take each message with each of them.
    Consume { spec: Spec, messages: u64, page: PathBuf },
    /// Wait on many channels as the page says, so many times.
    WaitForMany { label: String, waits: u64, page: PathBuf },
    /// Wait for one message; answer with what the wait cost.
    Idle(Spec),
}

/// What waiting cost.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Waited {
    pub(crate) cpu_nanoseconds: f64,
    pub(crate) wakeups: f64,
}

/// Seconds after which whoever still waits for a peer is ended by SIGALRM.
const PATIENCE: u32 = 120;

/// The measuring process's view of a peer.
pub(crate) struct Peer {
    pub(crate) entry: Entry,
    place: Place,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// Open connections, and the number of the next message.
    open: HashMap<Spec, (Box<dyn Ends>, u64)>,
}

impl Peer {
    pub(crate) fn start(entry: Entry, place: &Place, core: usize) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["--peer", entry.name, "--core", &core.to_string(), "--directory"])
            .arg(place.directory())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("the peer has no output")?);
        let (place, open) = (place.clone(), HashMap::new());
        Ok(Self { entry, place, child, orders, answers, open })
    }

    pub(crate) fn order(&mut self, order: &Order) -> Result<()> {
        alarm::set(PATIENCE);
        let orders = self.orders.as_mut().ok_or("the peer takes no orders any more")?;
        Ok(writeln!(orders, "{}", serde_json::to_string(order)?)?)
    }

    pub(crate) fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(format!("the peer for {} has ended", self.entry.name).into());
        }
        Ok(line)
    }

    /// Plays ping-pong over that connection, with messages of `run` from where it stands, the
    /// peer on that core.
    pub(crate) fn play(
        &mut self,
        spec: &Spec,
        run: Run,
        core: usize,
        times: &mut Vec<u64>,
    ) -> Result<()> {
        if !self.open.contains_key(spec) {
            self.order(&Order::Open(spec.clone()))?;
            let ends = (self.entry.ends)(&self.place, spec, &spec.back())?;
            self.answer()?;
            self.open.insert(spec.clone(), (ends, 1));
        }
        let first = self.open.get(spec).map_or(1, |(_, next)| *next);
        let run = Run { first, ..run };
        self.order(&Order::Pong { spec: spec.clone(), run, core })?;
        self.answer()?;
        if let Some((ends, next)) = self.open.get_mut(spec) {
            ends.ping(&run, times)?;
            *next = first + run.trips;
        }
        self.answer()?;
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.open.clear();
        self.orders = None; // at the end of its orders it ends
        let _ = self.child.wait();
    }
}

/// What a peer process does.
pub(crate) fn serve(name: &str, place: &Place, core: usize) -> Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    cores::pin(core)?;
    let entry = systems::named(name).ok_or("there is no system of that name")?;
    let mut open: HashMap<Spec, Box<dyn Ends>> = HashMap::new();
    for line in io::stdin().lines() {
        match serde_json::from_str(&line?)? {
            Order::Open(spec) => {
                open.insert(spec.clone(), (entry.ends)(place, &spec.back(), &spec)?);
            }
            Order::Pong { spec, run, core } => {
                let ends = open.get_mut(&spec).ok_or("that connection is not open")?;
                cores::pin(core)?;
                answer("ready")?;
                ends.pong(&run)?;
            }
            Order::Take { spec, messages, page } => {
                let page = Page::open(&page, 0)?;
                answer("ready")?;
                page.await_step(0, 1);
                let mut end = (entry.incoming)(place, &spec)?;
                page.tell(1, 1);
                for seq in 1..=messages {
                    while !end.try_receive(seq, true)? {
                        hint::spin_loop();
                    }
                    page.tell(1, seq + 1);
                }
            }
            Order::Consume { spec, messages, page } => {
                let page = Page::open(&page, 0)?;
                let mut ends = Vec::new();
                for _ in 0..spec.receivers {
                    ends.push((entry.incoming)(place, &spec)?);
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
            }
            Order::WaitForMany { label, waits, page } => many::serve(place, &label, waits, &page)?,
            Order::Idle(spec) => {
                let mut end = (entry.incoming)(place, &spec)?;
                answer("ready")?;
                let before = usage()?;
                end.block(1, true)?;
                let after = usage()?;
                let waited = Waited {
                    cpu_nanoseconds: after.cpu_nanoseconds - before.cpu_nanoseconds,
                    wakeups: after.wakeups - before.wakeups,
                };
                answer(&serde_json::to_string(&waited)?)?;
                continue;
            }
        }
        answer("done")?;
    }
    Ok(())
}

pub(crate) fn answer(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
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
