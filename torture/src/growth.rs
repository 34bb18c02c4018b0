//! The growth campaign: a channel whose capacity grows again and again, while consumers come and go
//! with other holds, others ask for a history, and all of them are killed.
//!
//! The crew is a producer that grows its channel to 256 KiB and then starts over with a new one,
//! two visitors that join and leave, a named consumer, a recorder (an observer that asks for a
//! history), an asker (a consumer that does so and looks so rarely that it lags behind growths),
//! and an observer. Half of the producers and joiners are told at their start to die at a crash
//! point of a growth, of a join or of a request for a history; all others die at a random instant.
//!
//! Each member checks what it gets: values are whole, numbers only grow, and `missed` is exact, in
//! each channel. At rest, those that ask for a history must have the values before the newest; at
//! the end nothing may be left in shared memory.

mod crew;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use fastrand::Rng;
use io_shared::ErrorKind;
use io_shared_core::crash_point::CrashPoint;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub use self::crew::main;
use self::crew::{Board, Lane, Rest, Role};
use crate::machine;

/// The start of every name of every campaign.
const FAMILY: &str = "torture-growth-";
/// How long a member may take for one round, or for its part in a rest.
const HANG: Duration = Duration::from_secs(4);
/// Kills between two checks at rest.
const REST_EVERY: u64 = 50;
/// A campaign that fails this often ends early.
const ENOUGH: usize = 5;
/// A campaign goes on until there were more growths and joins than this, and more values both put
/// and had, for at most four times as many kills as it was asked for.
pub const ENOUGH_GROWTHS: u64 = 50;
/// As above.
pub const ENOUGH_VALUES: u64 = 1000;

/// What a growth campaign has found.
#[derive(Debug, Default)]
pub struct Report {
    /// Repeats the parent's choices, but not the machine's timing.
    pub seed: u64,
    /// Processes killed.
    pub kills: u64,
    /// How many died at each crash point that they were told to die at.
    pub hits: BTreeMap<CrashPoint, u64>,
    /// Growths, channels, values put, got or copied, and consumers that joined.
    pub growths: u64,
    /// As above.
    pub channels: u64,
    /// As above.
    pub values: [u64; 2],
    /// As above.
    pub joins: u64,
    /// Checks while everybody was at rest.
    pub rests: u64,
    /// What went wrong.
    pub failures: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// The crash points of a growth at which nobody died.
    pub fn never_hit(&self) -> Vec<CrashPoint> {
        let points = CrashPoint::EXCHANGES.iter().copied();
        points.filter(|point| !self.hits.contains_key(point)).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (point, hits) in &self.hits {
            writeln!(f, "  {:<18} {hits:>6}", format!("{point:?}"))?;
        }
        for failure in &self.failures {
            writeln!(f, "FAILED: {failure}")?;
        }
        let ([put, had], Self { growths, channels, joins, rests, .. }) = (self.values, self);
        writeln!(f, "{growths} growths of {channels} channels, {joins} joins, {rests} rests")?;
        writeln!(f, "values: {put} put, {had} got or copied")?;
        writeln!(f, "seed {}; {:.1} s", self.seed, self.took.as_secs_f64())?;
        write!(f, "{} kills, {} failed", self.kills, self.failures.len())
    }
}

/// Runs a growth campaign of this many kills. `program` is the one that children run.
///
/// # Errors
/// If it could not run. The report has what it found.
pub fn run(program: &Path, kills: u64, seed: u64) -> Result<Report, String> {
    machine::sweep_dead(FAMILY);
    let began = Instant::now();
    let mut campaign = Campaign::new(program, seed)?;
    let mut rest_at = REST_EVERY;
    // Some more, where nobody died at one of the points of a growth, or where too little has
    // happened between the kills, as on a slow machine.
    let goes_on = |campaign: &Campaign| {
        let report = &campaign.report;
        let suffices = || report.never_hit().is_empty() && campaign.has_much_happened();
        report.failures.len() < ENOUGH
            && (report.kills < kills || report.kills < 4 * kills && !suffices())
    };
    while goes_on(&campaign) {
        let pause = Duration::from_micros(campaign.random.u64(0..6_000));
        std::thread::sleep(pause);
        campaign.attend()?;
        campaign.strike();
        if campaign.report.kills >= rest_at {
            rest_at = campaign.report.kills + REST_EVERY;
            campaign.rest()?;
        }
    }
    if campaign.report.failures.len() < ENOUGH {
        campaign.rest()?;
    }
    campaign.end();
    campaign.report.took = began.elapsed();
    Ok(std::mem::take(&mut campaign.report))
}

/// A member of the crew.
struct Member {
    role: Role,
    child: Option<Child>,
    /// The rounds that it had done when it was last seen to get on.
    progress: (u64, Instant),
}

struct Campaign {
    random: Rng,
    program: PathBuf,
    name: String,
    board: &'static Board,
    /// Keeps the board's descriptor open, through which children find it.
    file: File,
    crew: Vec<Member>,
    report: Report,
}

impl Campaign {
    fn new(program: &Path, seed: u64) -> Result<Self, String> {
        let (board, file) = Board::create().map_err(|error| format!("the board: {error}"))?;
        let idle = |&role| Member { role, child: None, progress: (0, Instant::now()) };
        Ok(Self {
            random: Rng::with_seed(seed),
            program: program.to_owned(),
            name: format!("/{FAMILY}{}", std::process::id()),
            board,
            file,
            crew: Role::ALL.iter().map(idle).collect(),
            report: Report { seed, ..Report::default() },
        })
    }

    fn lane(&self, member: usize) -> &'static Lane {
        self.board.lane(self.crew[member].role)
    }

    /// Starts those that are down, and finds those that ended or hang.
    fn attend(&mut self) -> Result<(), String> {
        for member in 0..self.crew.len() {
            self.bury(member);
            if self.crew[member].child.is_none() {
                self.start(member)?;
            }
            let rounds = self.lane(member).rounds.load(Relaxed);
            let Member { role, child, progress } = &mut self.crew[member];
            if rounds != progress.0 {
                *progress = (rounds, Instant::now());
            } else if progress.1.elapsed() > HANG {
                self.report.failures.push(format!("{role:?} has hung for {HANG:?}"));
                child.iter_mut().for_each(|child| drop(child.kill()));
                progress.1 = Instant::now();
            }
        }
        Ok(())
    }

    fn start(&mut self, member: usize) -> Result<(), String> {
        let lane = self.lane(member);
        lane.resting.store(0, Release);
        lane.point.store(0, Relaxed);
        let role = self.crew[member].role;
        let fatal = self.random.choice(role.points()).filter(|_| self.random.bool()).copied();
        let fatal = fatal.map_or(0, |point| point as u32 + 1);
        let child = Command::new(&self.program)
            .args(["growth-role", &format!("{role:?}"), &self.name])
            .arg(Board::path_of(&self.file))
            .args([self.random.u64(..).to_string(), fatal.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let child = child.map_err(|error| format!("{role:?} could not be started: {error}"))?;
        lane.fatal.store(fatal, Relaxed);
        self.crew[member].child = Some(child);
        self.crew[member].progress.1 = Instant::now();
        Ok(())
    }

    /// Notes how a member ended, if it did.
    fn bury(&mut self, member: usize) {
        let lane = self.lane(member);
        let Member { role, child, .. } = &mut self.crew[member];
        let Some(status) = child.as_mut().and_then(|child| child.try_wait().ok().flatten()) else {
            return;
        };
        let mut said = String::new();
        if let Some(stderr) = child.take().and_then(|child| child.stderr) {
            let _ = stderr.take(2000).read_to_string(&mut said);
        }
        if status.signal() != Some(Signal::SIGKILL as i32) {
            self.report.failures.push(format!("{role:?} ended by itself ({status}): {said}"));
            return;
        }
        self.report.kills += 1;
        let (point, fatal) = (lane.point.load(Relaxed), lane.fatal.load(Relaxed));
        if fatal != 0 && point == fatal {
            let point = CrashPoint::ALL.get(point as usize - 1);
            point.iter().for_each(|point| *self.report.hits.entry(**point).or_default() += 1);
        }
    }

    /// Kills a random member.
    fn strike(&mut self) {
        let member = self.random.usize(0..self.crew.len());
        self.kill(member);
    }

    fn kill(&mut self, member: usize) {
        let Some(child) = &mut self.crew[member].child else { return };
        let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
        let _ = child.wait();
        self.bury(member);
    }

    /// Has everybody rest. Those that ask for a history look, the producer puts, and they look
    /// again.
    fn rest(&mut self) -> Result<(), String> {
        for rest in Rest::ALL {
            self.board.rest.store(rest as u32, Release);
            if rest == Rest::Put {
                // It may have grown the channel, and nobody else has looked since.
                std::thread::sleep(Duration::from_micros(self.random.u64(0..3_000)));
                self.kill(Role::Producer as usize);
            }
            let deadline = Instant::now() + HANG;
            while !self.all_rest(rest) {
                self.attend()?;
                if Instant::now() > deadline {
                    let late = self.crew.iter().map(|member| member.role);
                    let late: Vec<_> = late.filter(|role| !self.rests(*role, rest)).collect();
                    self.report.failures.push(format!("no rest at {rest:?} of {late:?}"));
                    break;
                }
                std::thread::sleep(Duration::from_micros(500));
            }
        }
        self.report.rests += 1;
        self.board.rest.store(Rest::None as u32, Release);
        Ok(())
    }

    fn all_rest(&self, rest: Rest) -> bool {
        self.crew.iter().all(|member| self.rests(member.role, rest))
    }

    fn rests(&self, role: Role, rest: Rest) -> bool {
        self.board.lane(role).resting.load(Acquire) >= rest as u32
    }

    /// Whether as much has happened as makes the kills worth something.
    fn has_much_happened(&self) -> bool {
        let [put, had] = self.values();
        let growths = self.board.growths.load(Relaxed);
        growths > ENOUGH_GROWTHS && self.joins() > ENOUGH_GROWTHS && put.min(had) > ENOUGH_VALUES
    }

    /// The values put, and those got or copied.
    fn values(&self) -> [u64; 2] {
        [self.board.put.load(Relaxed), self.sum(|lane| lane.values.load(Relaxed))]
    }

    fn joins(&self) -> u64 {
        self.sum(|lane| lane.joins.load(Relaxed))
    }

    fn sum(&self, count: fn(&Lane) -> u64) -> u64 {
        Role::ALL.iter().map(|role| count(self.board.lane(*role))).sum()
    }

    /// Kills all, removes the channel, and looks whether anything is left.
    fn end(&mut self) {
        for member in &mut self.crew {
            if let Some(mut child) = member.child.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        match io_shared::remove(&self.name) {
            Err(error) if *error.kind() != ErrorKind::NotFound => {
                self.report.failures.push(format!("remove: {error}"));
            }
            _ => {}
        }
        let left = self.board.left();
        if !left.is_empty() {
            self.report.failures.push(format!("{left:?} are left in shared memory"));
        }
        self.report.values = self.values();
        self.report.growths = self.board.growths.load(Relaxed);
        self.report.channels = self.board.channels.load(Relaxed);
        self.report.joins = self.joins();
    }
}

impl Drop for Campaign {
    fn drop(&mut self) {
        for child in self.crew.iter_mut().filter_map(|member| member.child.as_mut()) {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = io_shared::remove(&self.name);
    }
}
