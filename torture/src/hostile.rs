//! Hostile bytes: regions that no conforming program has written, opened and used in every role.
//!
//! `specimen` makes whole regions and damages them, `cases` says how, and `visit` opens them.
//! `input` interprets arbitrary bytes (for the fuzz targets too), `array` interprets them as a
//! message, `formats` as what recordings have, and `live` writes to a region while it is opened and
//! used. All that opens regions runs in child processes, so that a crash or a hang is a finding and
//! not the end. A child notes its current case where its parent can still read it.

pub mod array;
pub mod cases;
pub mod formats;
pub mod input;
mod live;
mod log;
pub mod outcome;
pub mod specimen;
mod texts;
pub mod visit;

use std::fmt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use cases::{Cases, Group};
use live::Part;
use log::Log;
use outcome::Outcome;
use specimen::Shape;

use crate::machine::{self, RunDelay};

/// A child that does not reach the next case within this time hangs.
const HANG: Duration = Duration::from_secs(2);
/// After this many findings, the rest of a group is skipped.
const MOST_FINDINGS: usize = 10;
const FAMILY: &str = "torture-hostile-";

/// The settings of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program that children run, which is this one.
    pub program: PathBuf,
    /// The seed of all random choices.
    pub seed: u64,
    /// How many random cases there are in groups that have them.
    pub random: u64,
    /// Run every n-th flip and length.
    pub every: u64,
    /// How long `live` writes to each shape.
    pub live: Duration,
}

impl Settings {
    /// Everything, with seed 0.
    pub fn new(program: PathBuf) -> Self {
        Self { program, seed: 0, random: 20_000, every: 1, live: Duration::from_secs(5) }
    }
}

/// The results of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// The number of cases in each group, and their outcome.
    pub groups: Vec<(String, u64, Outcome)>,
    /// What went wrong, with the case.
    pub findings: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, cases, Outcome { opened, refused }) in &self.groups {
            writeln!(f, "{name:11} {cases:8} cases: {opened:8} opened, {refused:8} refused")?;
        }
        for finding in &self.findings {
            writeln!(f, "failed: {finding}")?;
        }
        let cases: u64 = self.groups.iter().map(|(_, cases, _)| cases).sum();
        write!(f, "{cases} cases, {} failed", self.findings.len())
    }
}

/// Runs every group, two children at a time.
///
/// # Errors
/// If a child cannot be started or a region cannot be made.
pub fn run(settings: &Settings) -> Result<Report, String> {
    machine::sweep_dead(FAMILY);
    let mut report = Report::default();
    for group in Group::ALL {
        run_group(settings, group, &mut report)?;
    }
    for shape in Shape::ALL {
        run_live(settings, shape, &mut report)?;
    }
    Ok(report)
}

fn prefix() -> String {
    format!("{FAMILY}{}-", std::process::id())
}

/// A child and the log that it writes.
struct Running {
    child: Child,
    log: Log,
    noted: log::Noted,
    since: Instant,
    delay: RunDelay,
    /// Its run delay by `since`.
    delayed: u64,
}

/// What a child is doing.
enum State {
    Runs,
    Ended,
    /// It died or hung, for this reason.
    Fell(String),
}

impl Running {
    fn start(settings: &Settings, arguments: &[String]) -> Result<Self, String> {
        let log = Log::new().map_err(|error| format!("memfd: {error}"))?;
        let stdin = log.0.try_clone().map_err(|error| format!("dup: {error}"))?;
        let child = Command::new(&settings.program)
            .arg("hostile-child")
            .args(arguments)
            .stdin(Stdio::from(stdin))
            .spawn()
            .map_err(|error| format!("a child cannot be started: {error}"))?;
        let delay = RunDelay::of_process(child.id());
        let (noted, since) = (log::Noted::default(), Instant::now());
        Ok(Self { child, log, noted, since, delay, delayed: 0 })
    }

    fn look(&mut self) -> Result<State, String> {
        let status = self.child.try_wait().map_err(|error| format!("wait: {error}"))?;
        let noted = self.log.read().map_err(|error| format!("log: {error}"))?;
        if noted != self.noted {
            self.noted = noted;
            self.since = Instant::now();
            self.delayed = self.delay.so_far();
        }
        Ok(match status {
            Some(status) if status.success() => State::Ended,
            Some(status) => State::Fell(format!("{status}")),
            None if self.stands_still() > HANG => State::Fell("a hang of 2 s".into()),
            None => State::Runs,
        })
    }
}

impl Running {
    /// How long it has been at one case, without the time in which others had its core.
    fn stands_still(&self) -> Duration {
        let delayed = self.delay.so_far().saturating_sub(self.delayed);
        self.since.elapsed().saturating_sub(Duration::from_nanos(delayed))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the even and the odd cases of a group, each in a child. A case that kills its child is a
/// finding, and the next child goes on after it.
fn run_group(settings: &Settings, group: Group, report: &mut Report) -> Result<(), String> {
    let cases = new_cases(settings, group)?;
    let count = cases.count();
    let step = match group {
        Group::Flips | Group::Lengths => settings.every.max(1),
        _ => 1,
    };
    let mut sum = Outcome::default();
    let start = |from: u64| -> Result<Option<Running>, String> {
        if from >= count {
            return Ok(None);
        }
        let numbers = [from, count, step * 2, settings.seed, settings.random];
        let mut arguments = vec![group.name(), prefix()];
        arguments.extend(numbers.map(|number| number.to_string()));
        Running::start(settings, &arguments).map(Some)
    };
    let mut lanes = [start(0)?, start(step)?];
    let mut found = 0;
    while lanes.iter().any(Option::is_some) {
        for lane in &mut lanes {
            let Some(running) = lane else { continue };
            let state = running.look()?;
            let log::Noted { case, opened, refused } = running.noted;
            if matches!(state, State::Runs) {
                continue;
            }
            sum = sum + Outcome { opened, refused };
            *lane = match state {
                State::Fell(how) => {
                    let (group, next) = (group.name(), case + 1);
                    let Settings { seed, random, .. } = settings;
                    let again = format!("{group} again- {case} {next} 1 {seed} {random}");
                    report.findings.push(format!("{how}: torture hostile-child {again}"));
                    found += 1;
                    if found < MOST_FINDINGS { start(case + step * 2)? } else { None }
                }
                _ => None,
            };
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    machine::sweep(&prefix());
    report.groups.push((group.name(), count.div_ceil(step), sum));
    Ok(())
}

fn new_cases(settings: &Settings, group: Group) -> Result<Cases, String> {
    let cases = Cases::new(group, settings.seed, settings.random, &prefix());
    cases.map_err(|error| format!("no region can be made: {error}"))
}

/// Runs a writer and two users of one region. All must end by themselves, and none may hang. The
/// users must both have been let in and been refused.
fn run_live(settings: &Settings, shape: Shape, report: &mut Report) -> Result<(), String> {
    let name = format!("/{}live", prefix());
    live::make(&name, shape).map_err(|error| format!("no region can be made: {error}"))?;
    let mut running = Vec::new();
    for (i, part) in ["writer", "user", "user"].into_iter().enumerate() {
        let millis = settings.live.as_millis() as u64;
        let numbers = [shape as u64, settings.seed + i as u64, millis];
        let mut arguments = vec![part.to_owned(), name.clone()];
        arguments.extend(numbers.map(|number| number.to_string()));
        running.push((part, Running::start(settings, &arguments)?));
    }
    let (mut rounds, mut sum) = (0, Outcome::default());
    while !running.is_empty() {
        let mut left = Vec::new();
        for (part, mut child) in running {
            match child.look()? {
                State::Runs => left.push((part, child)),
                State::Ended if part == "user" => {
                    let log::Noted { case, opened, refused } = child.noted;
                    rounds += case;
                    sum = sum + Outcome { opened, refused };
                }
                State::Ended => {}
                State::Fell(how) => report
                    .findings
                    .push(format!("live {shape:?}, {part}, round {}: {how}", child.noted.case)),
            }
        }
        running = left;
        std::thread::sleep(Duration::from_millis(5));
    }
    machine::sweep(&prefix());
    if sum.opened == 0 || sum.refused == 0 {
        report.findings.push(format!("live {shape:?} shows nothing: {rounds} rounds, {sum:?}"));
    }
    report.groups.push((format!("live {shape:?}"), rounds, sum));
    Ok(())
}

/// Runs a child, with the arguments that the parent passes.
pub fn main(arguments: &[String]) -> ExitCode {
    let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::SIGKILL);
    match child(arguments) {
        Some(()) => ExitCode::SUCCESS,
        None => ExitCode::from(2),
    }
}

fn child(arguments: &[String]) -> Option<()> {
    let (what, rest) = arguments.split_first()?;
    let (name, numbers) = rest.split_first()?;
    let numbers: Vec<u64> = numbers.iter().map(|n| n.parse().ok()).collect::<Option<_>>()?;
    let log = Log::of_parent().ok()?;
    if let Some(group) = Group::parse(what) {
        let [from, to, step, seed, random] = *numbers else { return None };
        let cases = Cases::new(group, seed, random, name).ok()?;
        let mut sum = Outcome::default();
        for case in (from..to).step_by(usize::try_from(step).ok()?) {
            log.note(case, sum);
            sum = sum + cases.run(case);
        }
        log.note(to, sum);
        return Some(());
    }
    let [shape, seed, millis] = *numbers else { return None };
    let part = if what == "writer" { Part::Writer } else { Part::User };
    let shape = *Shape::ALL.get(shape as usize)?;
    live::run(part, name, shape, seed, Duration::from_millis(millis), &log).ok()
}
