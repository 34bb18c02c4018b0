//! The crew: one child process for each role, started, stopped, killed and looked after.

use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use io_shared_core::clock;
use io_shared_core::crash_point::CrashPoint;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::machine::{self, Footprint};
use crate::page::{HAS, Lane, Page};
use crate::parcel::Size;
use crate::role::Role;
use crate::roles::{Names, Orders};

/// One role of the crew and the child that plays it now.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) role: Role,
    pub(crate) lane: &'static Lane,
    child: Option<Child>,
    pub(crate) spawned: u64,
    /// When to start it again.
    pub(crate) restart_at: u64,
    /// When a stopped child goes on.
    pub(crate) continue_at: Option<u64>,
    /// When it was last sent a SIGKILL.
    pub(crate) killed: u64,
    /// Rounds at the last check, and since when the number has not changed.
    pub(crate) progress: (u64, u64),
    /// What a restarted child must have reached, and by when.
    pub(crate) goal: Option<Goal>,
    pub(crate) events_read: u64,
    /// The footprint of every incarnation at rest.
    pub(crate) footprint: Option<Footprint>,
}

/// A restart is over once the child has opened its role and done something in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) had: u64,
    pub(crate) rounds: u64,
}

/// The settings of children.
#[derive(Debug)]
pub(crate) struct Quarters {
    pub(crate) program: PathBuf,
    pub(crate) page: &'static Page,
    pub(crate) page_path: String,
    pub(crate) names: Names,
    /// The sizes of the values on the first and the second channel.
    pub(crate) sizes: [Size; 2],
}

impl Member {
    pub(crate) fn new(role: Role, page: &'static Page) -> Self {
        Self {
            role,
            lane: page.lane(role),
            child: None,
            spawned: 0,
            restart_at: 0,
            continue_at: None,
            killed: 0,
            progress: (0, 0),
            goal: None,
            events_read: 0,
            footprint: None,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.child.is_some()
    }

    pub(crate) fn has_opened(&self) -> bool {
        self.is_up() && self.lane.opened.load(Acquire) != 0
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The channel that it uses; for the producer, the one it uses now.
    pub(crate) fn channel(&self) -> usize {
        match self.role {
            Role::Producer => self.lane.channel.load(Acquire) as usize,
            role => role.channel(),
        }
    }

    /// The number that measures this role's progress.
    pub(crate) fn has_had(&self) -> u64 {
        self.lane.had[0].load(Acquire)
    }

    pub(crate) fn start(
        &mut self,
        quarters: &Quarters,
        seed: u64,
        linger: u32,
        latest: u64,
    ) -> Result<(), String> {
        self.lane.at_locks.store(0, Release);
        for word in [&self.lane.point, &self.lane.opened, &self.lane.resting] {
            word.store(0, Release);
        }
        let had = match self.role {
            Role::Producer => self.has_had() + 1,
            // It does not get again what it may have got without noting it.
            _ if self.role.resumes() && self.lane.resumes_to.load(Acquire) >= latest => 0,
            _ if self.role.is_consumer() => latest,
            _ => 0,
        };
        self.goal = Some(Goal { had, rounds: self.lane.rounds.load(Relaxed) + 1 });
        let orders = Orders {
            role: self.role,
            page: &quarters.page_path,
            names: &quarters.names,
            seed,
            linger,
            sizes: quarters.sizes,
        };
        self.spawned = clock::now();
        self.progress = (self.lane.rounds.load(Relaxed), self.spawned);
        let child = orders.command(&quarters.program).spawn();
        self.child =
            Some(child.map_err(|error| format!("{:?} could not be started: {error}", self.role))?);
        Ok(())
    }

    /// Sends a signal to the child, if there is one.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // `reap` finds a child that has ended by itself.
            let _ = kill(Pid::from_raw(pid as i32), signal);
        }
    }

    /// Kills the child, if there is one. The caller calls `bury` next.
    pub(crate) fn kill(&mut self) {
        self.killed = clock::now();
        self.signal(Signal::SIGKILL);
    }

    /// Whether the kernel reports that the child was stopped. It reports each stop once.
    pub(crate) fn has_stopped(&self) -> bool {
        let Some(pid) = self.pid() else { return false };
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG;
        let status = waitid(Id::Pid(Pid::from_raw(pid as i32)), flags);
        matches!(status, Ok(WaitStatus::Stopped(_, Signal::SIGSTOP)))
    }

    /// Whether, according to its notes, the child is between a lock's acquisition and its release.
    pub(crate) fn has_a_lock(&self) -> bool {
        self.lane.left_lock.iter().any(|left| left.load(Acquire) == HAS)
    }

    /// How long this child and its predecessors were ready to run and did not.
    pub(crate) fn delayed(&self) -> u64 {
        let now = self.pid().map(machine::run_delay_of);
        let told = self.lane.delayed.load(Acquire);
        now.map_or(told, |now| told.max(self.lane.delayed_before.load(Acquire) + now))
    }

    /// Waits for the end of a killed child and returns the crash point that it passed last.
    pub(crate) fn bury(&mut self) -> Result<Option<CrashPoint>, String> {
        let Some(mut child) = self.child.take() else {
            return Ok(None);
        };
        self.continue_at = None;
        self.goal = None;
        let status = child.wait().map_err(|error| format!("wait: {error}"))?;
        use std::os::unix::process::ExitStatusExt;
        if status.signal() != Some(Signal::SIGKILL as i32) {
            return Err(self.epitaph(status));
        }
        Ok(self.point())
    }

    /// Reports a child that has ended without having been killed.
    pub(crate) fn reap(&mut self) -> Option<String> {
        let status = self.child.as_mut()?.try_wait().ok().flatten()?;
        self.child = None;
        self.continue_at = None;
        self.goal = None;
        // It found the fault at a value; its successor goes on from there.
        let had = self.has_had();
        self.lane.resumes_from.store(had, Release);
        self.lane.resumes_to.store(had, Release);
        Some(self.epitaph(status))
    }

    fn epitaph(&self, status: ExitStatus) -> String {
        let text = self.lane.take_failure();
        let point = self.point();
        match text {
            Some(text) => format!("{:?}: {text}", self.role),
            None => format!("{:?} ended by itself ({status}), last at {point:?}", self.role),
        }
    }

    /// The crash point that the child passed last.
    pub(crate) fn point(&self) -> Option<CrashPoint> {
        let point = self.lane.point.load(Acquire);
        CrashPoint::ALL.get((point as usize).wrapping_sub(1)).copied()
    }

    /// Whether it has made no progress since before `since`.
    pub(crate) fn hangs_since(&mut self, since: u64) -> bool {
        let rounds = self.lane.rounds.load(Relaxed);
        if rounds != self.progress.0 || !self.is_up() {
            self.progress = (rounds, clock::now());
        }
        self.progress.1 < since
    }

    /// Whether a restarted child has reached its goal, if it has one.
    pub(crate) fn reaches_now(&self) -> bool {
        self.goal.is_none_or(|goal| self.reaches(goal))
    }

    /// Whether a restarted child has reached `goal`.
    pub(crate) fn reaches(&self, goal: Goal) -> bool {
        self.has_opened()
            && self.has_had() >= goal.had
            && self.lane.rounds.load(Relaxed) >= goal.rounds
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
