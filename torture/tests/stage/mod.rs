//! A channel for one test, and the actors on it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicU32, Ordering};

use io_shared_core::crash_point::CrashPoint;
use nix::sys::signal::Signal;
use test_support::claims::claim_in;
use test_support::eventually;
use torture::actor::Actor;
use torture::machine;
use torture::parcel::Size;
use torture::region_file::RegionFile;
use torture::role::spots;

/// A name that no other test has. Dropping this removes what has the name.
pub(crate) struct Stage {
    name: String,
    consumers: usize,
    size: Size,
}

impl Stage {
    pub(crate) fn new(consumers: usize) -> Self {
        Self::of(Size::Large, consumers)
    }

    /// A stage whose values have `size`.
    pub(crate) fn of(size: Size, consumers: usize) -> Self {
        test_support::set_patience();
        static STAGES: AtomicU32 = AtomicU32::new(0);
        let number = STAGES.fetch_add(1, Ordering::Relaxed);
        Self { name: format!("torture-{}-stage{number}-", std::process::id()), consumers, size }
    }

    pub(crate) fn actor(&self) -> Actor {
        self.actor_of(env!("CARGO_BIN_EXE_torture"))
    }

    /// An actor that runs another build of the program.
    pub(crate) fn actor_of(&self, program: &str) -> Actor {
        Actor::start(program, &self.name, self.consumers, self.size).unwrap()
    }

    /// An actor that has done `commands`.
    pub(crate) fn actor_after(&self, commands: &[&str]) -> Actor {
        let mut actor = self.actor();
        for command in commands {
            let answer = actor.ask(command);
            assert!(!answer.contains(':') && answer != "died", "{command}: {answer}");
        }
        actor
    }

    pub(crate) fn region(&self) -> RegionFile {
        RegionFile::read(&machine::path_of(&self.name)).unwrap()
    }

    /// Claims a consumer slot as the library would, until the file is dropped.
    pub(crate) fn claim_slot(&self, slot: i64) -> File {
        claim_in(&machine::path_of(&self.name), 0x100 + slot, 1)
    }

    /// The names in shared memory that belong to this stage.
    pub(crate) fn objects(&self) -> Vec<String> {
        machine::objects(&self.name)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        machine::sweep(&self.name);
    }
}

/// Makes `actor` do `command` and die at `point`.
pub(crate) fn dies_at(actor: &mut Actor, point: CrashPoint, command: &str) {
    prepare_to_die(actor, point);
    assert_eq!(actor.ask(command), "died", "{command} does not pass {point:?}");
    ends_by(actor, Signal::SIGKILL);
}

pub(crate) fn prepare_to_die(actor: &mut Actor, point: CrashPoint) {
    assert_eq!(actor.ask(&format!("die {point:?} 0")), "ok");
}

pub(crate) fn ends_by(actor: &mut Actor, signal: Signal) {
    assert_eq!(actor.end().signal(), Some(signal as i32));
}

/// How many entries a consumer has after a get: inline values are not held.
pub(crate) fn kept(size: Size) -> usize {
    usize::from(size != Size::Inline)
}

/// The points, with each size of values with which they are passed.
pub(crate) fn with_sizes(points: &[&[CrashPoint]]) -> impl Iterator<Item = (CrashPoint, Size)> {
    let points = points.concat();
    let sized = spots().filter_map(|(point, size)| Some((point, size?)));
    sized.filter(move |(point, _)| points.contains(point))
}

/// Puts an actor to sleep in a get, and waits until its flag is set.
pub(crate) fn falls_asleep(stage: &Stage, actor: &mut Actor) {
    let before = stage.region().waiting.iter().filter(|waiting| **waiting).count();
    actor.tell("get");
    eventually("it sleeps", || {
        stage.region().waiting.iter().filter(|waiting| **waiting).count() > before
    });
}
