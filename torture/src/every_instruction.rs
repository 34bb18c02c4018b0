//! `torture every-instruction`: takes a process through each act in single steps, and kills it at
//! every boundary where that can make a difference.
//!
//! First comes one pass, which at each instruction boundary compares the region's bytes with those
//! at the boundary before. Then a new victim is taken to each boundary after an instruction that
//! changed them, and to the boundaries before and after each system call, and gets SIGKILL. Its
//! peers and a new process in its place must go on. What a death leaves is the region's bytes and
//! what the kernel keeps (names, claims, sleepers), and the kernel's part changes in system calls
//! alone. So a death at any other boundary leaves what one of those tried leaves, and the list is
//! exhaustive for the path that the pass took.
//!
//! The victim is `torture-victim`, a release build of the library as users have it. x86-64 only.

mod channels;
mod growing;
mod locks;
mod pass;
mod scene;
mod victim;
mod watched;

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

use self::channels::{
    AHEAD, Creation, DyingConsumer, DyingJoiner, DyingObserver, DyingProducer, Removal, SMALL,
};
use self::growing::DyingGrower;
use self::locks::{DyingLocker, LockCreation};
use self::pass::{Pass, Stop};
use self::scene::{Scene, Stage};
use self::victim::{Victim, Watchdog};
use self::watched::Watched;
use crate::machine;

/// Objects of this harness: `torture-step-{pid}-{number}`.
const FAMILY: &str = "torture-step-";
/// How many victims are sent to a stop that earlier ones missed.
const TRIES: u32 = 6;
/// How many passes are tried until one can be repeated.
const PASSES: u32 = 10;

/// One thing that a victim does, in one situation.
struct Act {
    name: &'static str,
    /// What `torture-victim` calls it.
    act: &'static str,
    scene: fn(&Stage) -> Result<Box<dyn Scene>, String>,
}

const fn act(
    name: &'static str,
    act: &'static str,
    scene: fn(&Stage) -> Result<Box<dyn Scene>, String>,
) -> Act {
    Act { name, act, scene }
}

const ACTS: &[Act] = &[
    act("put", "put", <DyingProducer>::awake),
    act("put-wakes", "put", <DyingProducer>::asleep),
    act("put-looks", "put-late", <DyingProducer>::awake),
    act("put-buries", "put-twice", <DyingProducer>::with_a_dead_sleeper),
    act("put-small", "small-put", DyingProducer::<SMALL>::awake),
    act("put-small-wakes", "small-put", DyingProducer::<SMALL>::asleep),
    act("get", "get", <DyingConsumer>::awake),
    act("get-small", "small-get", DyingConsumer::<SMALL>::awake),
    act("get-sleeps", "get-later", <DyingConsumer>::awake),
    act("read-ahead", "large-read-ahead", DyingConsumer::<AHEAD>::during_a_copy),
    act("wait-any", "get-any", <DyingConsumer>::awake),
    act("wait-any-small", "small-get-any", DyingConsumer::<SMALL>::awake),
    act("observe", "observe", <DyingObserver>::scene),
    act("observe-small", "small-observe", DyingObserver::<SMALL>::scene),
    act("lock-unlock", "lock", DyingLocker::of_mutex),
    act("write-unlock", "write", DyingLocker::undisturbed),
    act("write-looks", "write-late", DyingLocker::undisturbed),
    act("write-awaits-reader", "write", DyingLocker::with_a_reader),
    act("write-awaits-writer", "write", DyingLocker::with_a_writer),
    act("write-buries-writer", "write", DyingLocker::with_a_dead_writer),
    act("write-buries-reader", "write", DyingLocker::with_a_dead_reader),
    act("read-unlock", "read", DyingLocker::undisturbed),
    act("read-awaits-writer", "read", DyingLocker::with_a_writer),
    act("read-buries-writer", "read", DyingLocker::with_a_dead_writer),
    act("unlock-wakes-writer", "unlock", DyingLocker::before_a_sleeper),
    act("unread-wakes-writer", "unread", DyingLocker::before_a_sleeper),
    act("create-as-producer", "produce", Creation::of_nothing),
    act("create-as-consumer", "consume", Creation::of_nothing),
    act("create-lock", "open", LockCreation::of_nothing),
    act("replace", "produce", Creation::of_another_shape),
    act("remove", "remove", Removal::of_used),
    act("leave-ephemeral", "leave", Creation::of_the_victim),
    act("take-over", "produce", <DyingProducer>::after_another),
    act("take-over-small", "small-produce", DyingProducer::<SMALL>::after_another),
    act("take-over-wakes", "produce", <DyingProducer>::after_another_asleep),
    act("take-slot", "consume", <DyingConsumer>::after_another),
    act("join", "join", DyingJoiner::scene),
    act("grow", "grow", DyingGrower::scene),
    act("take-lock-slot", "open", DyingLocker::after_a_dead_writer),
];

/// The acts, by name.
pub fn names() -> impl Iterator<Item = &'static str> {
    ACTS.iter().map(|act| act.name)
}

/// The results of one act.
#[derive(Debug, Default)]
pub struct Tally {
    /// Instruction boundaries passed.
    pub boundaries: u64,
    /// System calls passed.
    pub calls: usize,
    /// Distinct states of bytes and names.
    pub states: usize,
    /// Victims killed.
    pub deaths: u64,
    /// What went wrong.
    pub failures: Vec<String>,
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { boundaries, calls, states, deaths, failures } = self;
        write!(
            f,
            "{boundaries} boundaries passed, {calls} system calls, {states} distinct states, \
             {deaths} deaths tried, {} failed",
            failures.len()
        )
    }
}

impl Tally {
    /// Adds the counts of another tally.
    pub fn add(&mut self, other: Self) {
        self.boundaries += other.boundaries;
        self.calls += other.calls;
        self.states += other.states;
        self.deaths += other.deaths;
        self.failures.extend(other.failures);
    }
}

/// Goes through the acts.
#[derive(Debug)]
pub struct Harness {
    program: Arc<Path>,
    watchdog: Arc<Watchdog>,
    stages: AtomicU32,
}

impl Harness {
    /// Builds the victim, and pins this thread and all that it starts to one core, so that a step
    /// is a switch and needs no signal to another core.
    ///
    /// # Errors
    /// If it does not build.
    pub fn new() -> Result<Self, String> {
        machine::sweep_dead(FAMILY);
        let program = build()?.into();
        let mut here = CpuSet::new();
        let pinned = sched_getcpu()
            .and_then(|cpu| here.set(cpu))
            .and_then(|()| sched_setaffinity(Pid::from_raw(0), &here));
        pinned.map_err(|errno| format!("it cannot be pinned: {errno}"))?;
        Ok(Self { program, watchdog: Watchdog::start(), stages: AtomicU32::new(0) })
    }

    /// Goes through the act `name`.
    ///
    /// # Errors
    /// If there is no such act.
    pub fn run(&self, name: &str) -> Result<Tally, String> {
        let act = ACTS.iter().find(|act| act.name == name);
        let act = act.ok_or_else(|| format!("there is no act {name:?}"))?;
        // In a few places, a victim's path depends on the time that has passed.
        let tally = (0..PASSES).find_map(|_| self.go_through(act));
        Ok(tally.unwrap_or_else(|| {
            let failure = format!("{name}: in {PASSES} passes there was none that others followed");
            Tally { failures: vec![failure], ..Tally::default() }
        }))
    }

    /// Returns `None` if the peer that the act was to wake did not sleep (sleeps come in slices),
    /// or if a later victim did not reach where the first has been.
    fn go_through(&self, act: &Act) -> Option<Tally> {
        let pass = match self.pass(act) {
            Ok(pass) if pass.missed_sleeper => return None,
            Ok(pass) => pass,
            Err(error) => {
                let failures = vec![format!("{}, in single steps: {error}", act.name)];
                return Some(Tally { failures, ..Tally::default() });
            }
        };
        let mut tally = Tally {
            boundaries: pass.boundaries,
            calls: pass.calls,
            states: pass.states.len(),
            ..Tally::default()
        };
        for stop in &pass.stops {
            match self.die(act, stop) {
                Ok(true) => {}
                // Keep what has failed already.
                Ok(false) if tally.failures.is_empty() => return None,
                Ok(false) => continue,
                Err(error) => {
                    tally.failures.push(format!("{}, killed {stop}{error}", act.name));
                }
            }
            tally.deaths += 1;
        }
        Some(tally)
    }

    fn stage(&self) -> Stage {
        let number = self.stages.fetch_add(1, Ordering::Relaxed);
        // Always the same length: a longer name would be another path through the library.
        let name = format!("{FAMILY}{}-{number:06}", std::process::id());
        Stage::new(name, &self.program, &self.watchdog)
    }

    fn pass(&self, act: &Act) -> Result<Pass, String> {
        let stage = self.stage();
        let (mut scene, mut victim, mut watched) = begin(act, &stage)?;
        let pass = pass::record(&mut victim, &mut watched, &mut *scene)?;
        let at_death = watched.region();
        victim.kill()?;
        scene.judge(&stage, at_death)?;
        Ok(pass)
    }

    /// Returns `false` if no victim reached it.
    fn die(&self, act: &Act, stop: &Stop) -> Result<bool, String> {
        for attempt in 0..TRIES {
            let stage = self.stage();
            let begun = begin(act, &stage).map_err(|error| format!(": {error}"))?;
            let (mut scene, mut victim, mut watched) = begun;
            let there = pass::go_to(stop, attempt % 2 == 1, &mut victim, &mut watched, &mut *scene);
            if !there.map_err(|error| format!(": {error}"))? {
                continue;
            }
            let at_death = watched.region();
            let location =
                victim.next().map_or_else(|_| "?".into(), |next| victim.place_of(next.1));
            return victim
                .kill()
                .and_then(|()| scene.judge(&stage, at_death))
                .map(|()| true)
                .map_err(|error| format!(", at {location}: {error}"));
        }
        Ok(false)
    }
}

fn begin(act: &Act, stage: &Stage) -> Result<(Box<dyn Scene>, Victim, Watched), String> {
    let mut scene = (act.scene)(stage)?;
    let victim = stage.victim(act.act)?;
    scene.begin(stage)?;
    let watched = Watched::new(&stage.name, victim.pid(), scene.peers_bytes());
    Ok((scene, victim, watched))
}

/// Builds `torture-victim` alone: built together with this crate, it would have the crash points
/// that this crate asks for.
fn build() -> Result<PathBuf, String> {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--package", "torture-victim"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if !built.success() {
        return Err("the victim does not build".into());
    }
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut candidates = here.ancestors().map(|above| above.join("release/torture-victim"));
    candidates.find(|path| path.is_file()).ok_or_else(|| "the victim is not found".into())
}
