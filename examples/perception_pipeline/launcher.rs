//! The role of `perception_pipeline` without a role: starts the other three, kills one of them if
//! asked to, sees to an orderly end, and sums up.
//!
//! It takes no part in the channels; it only observes what the roles have done. Whatever happens,
//! it leaves neither processes nor channels behind.

use std::env;
use std::error::Error;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use io_shared::ErrorKind;

use crate::channels::{Channels, last_word};
use crate::ledger::Ledger;
use crate::options::{Options, Role};
use crate::reports::{Sent, Shown};
use crate::stop::Stop;
use crate::summary::Summary;

/// How often it checks the others.
const TICK: Duration = Duration::from_millis(5);
/// If there is no new frame for this long, something hangs.
const STALLED: Duration = Duration::from_secs(30);
/// The last frames are settled, and a role that is told to end has ended, within this time.
const ENDING: Duration = Duration::from_secs(10);

/// Runs the pipeline to its end.
pub(crate) fn run(options: &Options, stop: &Stop) -> Result<Summary, Box<dyn Error>> {
    let channels = Channels::new(&options.prefix);
    channels.clear().map_err(|error| match error.kind() {
        ErrorKind::RoleTaken { .. } | ErrorKind::Mismatch { .. } => {
            format!("a pipeline with the prefix {:?} runs already: {error}", options.prefix)
        }
        _ => error.to_string(),
    })?;
    let summary = Crew::start(options, &channels).and_then(|crew| crew.run(stop));
    // After the crew has ended or was killed, and also if it failed.
    let removed = channels.remove();
    let summary = summary?;
    removed?;
    Ok(summary)
}

/// The processes of one run. Those still running when it is dropped are killed.
struct Crew<'a> {
    options: &'a Options,
    channels: &'a Channels,
    lidar: Worker,
    segmentator: Worker,
    viewer: Worker,
    chaos: Chaos,
}

impl<'a> Crew<'a> {
    fn start(options: &'a Options, channels: &'a Channels) -> Result<Crew<'a>, Box<dyn Error>> {
        Ok(Crew {
            options,
            channels,
            lidar: Worker::start(options, Role::Lidar)?,
            segmentator: Worker::start(options, Role::Segmentator)?,
            viewer: Worker::start(options, Role::Viewer)?,
            chaos: Chaos::new(options),
        })
    }

    fn run(mut self, stop: &Stop) -> Result<Summary, Box<dyn Error>> {
        self.attend_lidar(stop)?;
        let (sent, ledger, shown) = self.settle()?;
        self.segmentator.end()?;
        self.viewer.end()?;
        Ok(Summary {
            sent,
            ledger,
            shown,
            restarts: self.chaos.restarts,
            lossless: self.options.period().is_none() && !self.options.chaos,
        })
    }

    /// Until the lidar has sent its last frame.
    fn attend_lidar(&mut self, stop: &Stop) -> Result<(), Box<dyn Error>> {
        let patience = STALLED + self.options.period().unwrap_or_default() * 2;
        let (mut frames, mut progress) = (0, Instant::now());
        while self.lidar.is_running()? {
            self.segmentator.must_run()?;
            self.viewer.must_run()?;
            let sent = self.sent()?;
            if sent.frames > frames {
                (frames, progress) = (sent.frames, Instant::now());
            } else if progress.elapsed() > patience {
                return Err(format!("no new frame for {patience:?}: something hangs").into());
            }
            if stop.is_set() {
                self.lidar.dismiss();
            }
            if self.options.chaos && self.chaos.strikes(frames) {
                self.segmentator.kill()?;
                self.segmentator = Worker::start(self.options, Role::Segmentator)?;
            }
            thread::sleep(TICK);
        }
        let sent = self.sent()?;
        match self.options.frames {
            Some(frames) if sent.frames < frames && !stop.is_set() => {
                Err(format!("the lidar ended after {} of {frames} frames", sent.frames).into())
            }
            _ => Ok(()),
        }
    }

    /// Until every frame that was sent is labelled or known to be missed, and every label shown.
    fn settle(&mut self) -> Result<(Sent, Ledger, Shown), Box<dyn Error>> {
        let sent = self.sent()?;
        let started = Instant::now();
        loop {
            self.segmentator.must_run()?;
            self.viewer.must_run()?;
            let ledger =
                last_word(self.channels.ledger())?.map_or_else(Ledger::default, |ledger| *ledger);
            let shown =
                last_word(self.channels.shown())?.map_or_else(Shown::default, |shown| *shown);
            let settled = ledger.is_settled(sent.last_seq) && ledger.labelled <= shown.labelled;
            if settled || started.elapsed() > ENDING {
                // The summary complains about what is not settled by now.
                return Ok((sent, ledger, shown));
            }
            thread::sleep(TICK);
        }
    }

    fn sent(&self) -> io_shared::Result<Sent> {
        Ok(last_word(self.channels.sent())?.map_or_else(Sent::default, |sent| *sent))
    }
}

/// When the segmentator is killed: every few frames, at any moment of a frame.
struct Chaos {
    random: fastrand::Rng,
    next: u64,
    restarts: u64,
}

impl Chaos {
    fn new(options: &Options) -> Chaos {
        let mut random = fastrand::Rng::with_seed(options.seed);
        let next = random.u64(3..15);
        Chaos { random, next, restarts: 0 }
    }

    /// If the moment is near, waits for it and returns true.
    fn strikes(&mut self, frames: u64) -> bool {
        if frames < self.next {
            return false;
        }
        thread::sleep(Duration::from_micros(self.random.u64(0..60_000)));
        self.next = frames + self.random.u64(3..25);
        self.restarts += 1;
        true
    }
}

/// One process of the crew.
struct Worker {
    role: Role,
    child: Child,
}

impl Worker {
    fn start(options: &Options, role: Role) -> io::Result<Worker> {
        let child = Command::new(env::current_exe()?)
            .args(options.arguments(role))
            .stdin(Stdio::piped())
            // Its own process group; otherwise Ctrl-C in the terminal would end it together with
            // us.
            .process_group(0)
            .spawn()?;
        Ok(Worker { role, child })
    }

    /// Whether it runs; an error if it failed.
    fn is_running(&mut self) -> Result<bool, Box<dyn Error>> {
        match self.child.try_wait()? {
            None => Ok(true),
            Some(status) if status.success() => Ok(false),
            Some(status) => Err(self.died(status).into()),
        }
    }

    fn must_run(&mut self) -> Result<(), Box<dyn Error>> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.died(status).into()),
        }
    }

    fn died(&self, status: ExitStatus) -> String {
        format!("the {} ended unexpectedly ({status})", self.role.name())
    }

    /// Tells it to end by closing its standard input.
    fn dismiss(&mut self) {
        self.child.stdin = None;
    }

    /// Tells it to end and waits until it has.
    fn end(&mut self) -> Result<(), Box<dyn Error>> {
        self.dismiss();
        let started = Instant::now();
        while self.is_running()? {
            if started.elapsed() > ENDING {
                return Err(format!("the {} does not end", self.role.name()).into());
            }
            thread::sleep(TICK);
        }
        Ok(())
    }

    /// SIGKILL. When this returns, the kernel has taken back all its claims.
    fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
