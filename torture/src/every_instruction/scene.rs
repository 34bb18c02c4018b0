//! What stands around a victim: its predecessors, its peers, and what must hold when it is dead.

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

/// How long a peer waits that was there before the victim, which is slow in single steps. The time
/// that counts is that after the death: [`Waiter::result`].
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The living around one victim.
pub(super) trait Scene {
    /// The victim stands at its mark.
    fn begin(&mut self, _stage: &Stage) -> Result<(), String> {
        Ok(())
    }

    /// Whether a peer is asleep whom the act wakes.
    fn has_sleeper(&self) -> bool {
        false
    }

    /// The victim is asleep: whoever it waits for does what wakes it.
    fn wake(&mut self) {}

    /// Bytes of the region that a living peer writes at times of its own.
    fn peers_bytes(&self) -> Vec<Range<usize>> {
        Vec::new()
    }

    /// The victim is dead: everybody else goes on, and a new one takes its place. `at_death` is
    /// what the region said when it died, if there was one.
    fn judge(&mut self, stage: &Stage, at_death: Option<RegionFile>) -> Result<(), String>;
}

/// A name of one victim's own, gone when this is dropped, and the way to start others there.
pub(super) struct Stage {
    pub(super) name: String,
    program: Arc<Path>,
    watchdog: Arc<Watchdog>,
}

impl Stage {
    pub(super) fn new(name: String, program: &Arc<Path>, watchdog: &Arc<Watchdog>) -> Self {
        Self { name, program: Arc::clone(program), watchdog: Arc::clone(watchdog) }
    }

    /// A process that stands before `act`.
    pub(super) fn victim(&self, act: &str) -> Result<Victim, String> {
        Victim::start(&self.program, act, &self.name, &self.watchdog)
    }

    /// A process that has done `act`, and what came out of it. It has its roles until dropped.
    pub(super) fn restart(&self, act: &str) -> Result<(Victim, String), String> {
        let mut victim = self.victim(act).map_err(|error| format!("restarted: {error}"))?;
        let outcome = victim.act().map_err(|error| format!("restarted, `{act}`: {error}"))?;
        Ok((victim, outcome))
    }

    /// A process that has come to the mark of `act`, and died there.
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

/// Something that a living peer waits for, in a thread of its own.
pub(super) struct Waiter<T>(Receiver<Result<T, String>>);

impl<T: Send + 'static> Waiter<T> {
    pub(super) fn spawn(wait: impl FnOnce() -> Result<T, String> + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        std::thread::spawn(move || sender.send(wait()));
        Self(receiver)
    }

    /// What came out.
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

/// An error unless the two are the same.
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

/// For `map_err`: what a peer was doing, and what it met.
pub(super) fn failed(doing: &str) -> impl Fn(Error) -> String {
    move |error| format!("a peer, {doing}: {error}")
}
