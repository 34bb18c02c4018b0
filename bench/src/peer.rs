//! The peer as the measuring process sees it: one for each system, alive over all rounds, asleep
//! while it has no orders.

use std::collections::HashMap;
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::unistd::alarm;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::names::Names;
use crate::run::{Ends, Run, Spec};
use crate::system::Entry;

/// What a peer is told to do. It answers with a line before it begins, and with one when it is
/// done.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Open both ends of a ping-pong.
    Open(Spec),
    /// Answer every message of a run, on `core`.
    Pong { spec: Spec, run: Run, core: usize },
    /// When told on the page, open an end and take `messages` messages.
    Take { spec: Spec, messages: u64, page: PathBuf },
    /// Open as many ends as there may be, and take each message with every one of them.
    Consume { spec: Spec, messages: u64, page: PathBuf },
    /// Wait `waits` times on many channels, as the page says.
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

/// Seconds after which SIGALRM ends a process that still waits for a peer.
const PATIENCE: u32 = 120;

/// In a peer: writes a line of an answer.
pub(crate) fn answer(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// A peer process.
pub(crate) struct Peer {
    pub(crate) entry: Entry,
    names: Names,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// Open connections, and the number of the next message.
    open: HashMap<Spec, (Box<dyn Ends>, u64)>,
}

impl Peer {
    pub(crate) fn start(entry: Entry, names: &Names, core: usize) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["--peer", entry.name, "--core", &core.to_string(), "--directory"])
            .arg(names.directory())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("the peer has no output")?);
        let (names, open) = (names.clone(), HashMap::new());
        Ok(Self { entry, names, child, orders, answers, open })
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

    /// Plays ping-pong with the messages of `run`, which continue where the connection stands. The
    /// peer runs on `core`.
    pub(crate) fn play(
        &mut self,
        spec: &Spec,
        run: Run,
        core: usize,
        times: &mut Vec<u64>,
    ) -> Result<()> {
        if !self.open.contains_key(spec) {
            self.order(&Order::Open(spec.clone()))?;
            let ends = (self.entry.ends)(&self.names, spec, &spec.back())?;
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
        self.orders = None; // it ends where its orders end
        let _ = self.child.wait();
    }
}
