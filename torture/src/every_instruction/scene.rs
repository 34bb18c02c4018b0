//! The scene around a victim: its predecessors, its peers, and what must hold when it is dead.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use io_shared::Error;

use super::victim::{Victim, Watchdog};
use crate::actor::HANG;
use crate::machine;
use crate::region_file::RegionFile;

/// How long a peer from before the victim waits, since the victim is slow in single steps. Only the
/// time after the death counts: [`Waiter::result`].
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The living around one victim.
pub(super) trait Scene {
    /// The victim stands at its mark.
    fn begin(&mut self, _stage: &Stage) -> Result<(), String> {
        Ok(())
    }

    /// Whether the peer that the act wakes is asleep.
    fn has_sleeper(&self) -> bool {
        false
    }

    /// The victim is asleep. The peer that it waits for wakes it.
    fn wake(&mut self) {}

    /// Bytes of the region that a living peer writes at any time.
    fn peers_bytes(&self) -> Vec<Range<usize>> {
        Vec::new()
    }

    /// The victim is dead. Everybody else goes on, and a successor takes its role. `at_death` is
    /// the region's content when it died, if there was a region.
    fn judge(&mut self, stage: &Stage, at_death: Option<RegionFile>) -> Result<(), String>;
}

/// A name for one victim and the peers around it. Dropping this removes what has the name.
pub(super) struct Stage {
    pub(super) name: String,
    program: Arc<Path>,
    watchdog: Arc<Watchdog>,
}

impl Stage {
    pub(super) fn new(name: String, program: &Arc<Path>, watchdog: &Arc<Watchdog>) -> Self {
        Self { name, program: Arc::clone(program), watchdog: Arc::clone(watchdog) }
    }

    /// A process that has stopped at the mark before `act`.
    pub(super) fn victim(&self, act: &str) -> Result<Victim, String> {
        Victim::start(&self.program, act, &self.name, &self.watchdog)
    }

    /// A process that has done `act`, and its outcome. It keeps its roles until dropped.
    pub(super) fn restart(&self, act: &str) -> Result<(Victim, String), String> {
        let mut victim = self.victim(act).map_err(|error| format!("restarted: {error}"))?;
        let outcome = victim.act().map_err(|error| format!("restarted, `{act}`: {error}"))?;
        Ok((victim, outcome))
    }

    /// A process that has reached the mark before `act` and died there.
    pub(super) fn dead(&self, act: &str) -> Result<(), String> {
        self.victim(act)?.kill()
    }

    pub(super) fn region(&self) -> Result<RegionFile, String> {
        RegionFile::read(&machine::path_of(&self.name)).map_err(|error| format!("region: {error}"))
    }

    pub(super) fn objects(&self) -> Vec<String> {
        machine::objects(&self.name)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        machine::sweep(&self.name);
    }
}

/// A living peer that waits for something in its own thread.
pub(super) struct Waiter<T>(Receiver<Result<T, String>>);

impl<T: Send + 'static> Waiter<T> {
    pub(super) fn spawn(wait: impl FnOnce() -> Result<T, String> + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        std::thread::spawn(move || sender.send(wait()));
        Self(receiver)
    }

    /// The outcome.
    pub(super) fn result(self) -> Result<T, String> {
        self.0.recv_timeout(HANG).map_err(|_| "a peer hangs for 2 s")?
    }
}

/// Polls until `done`.
pub(super) fn until(what: &str, mut done: impl FnMut() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + HANG;
    while !done() {
        if Instant::now() > deadline {
            return Err(format!("no {what} within 2 s"));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// Returns an error unless the two are equal.
pub(super) fn expect<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: T,
    expected: T,
) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: {found:?} and not {expected:?}"))
}

/// For `map_err`: says what a peer was doing.
pub(super) fn failed(doing: &str) -> impl Fn(Error) -> String {
    move |error| format!("a peer, {doing}: {error}")
}
