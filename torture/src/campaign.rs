//! The campaign: random SIGKILLs and SIGSTOPs of random roles under load, with the checks of
//! FAULTS.md after each.
//!
//! It runs in `LEGS`. Each leg has its own channels, with values of two sizes, so that over all
//! legs each channel has values of each size.
//!
//! Half of the kills come at a random instant. The other half are aimed: the parent tells the child
//! to stay for a moment at the wanted crash point, watches the word in which the child notes where
//! it is, and strikes when it is there. The child may move on before the signal arrives; the report
//! counts where it died.

mod rest;
mod strike;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::{Duration, Instant};

use fastrand::Rng;
use io_shared_core::clock;
use nix::sys::signal::Signal;

use crate::checks;
use crate::crew::{Member, Quarters};
use crate::history::History;
use crate::machine;
use crate::page::Page;
use crate::parcel::Size;
use crate::region_file::RegionFile;
use crate::report::Report;
use crate::role::Role;
use crate::roles::Names;

/// The start of every name of every campaign.
const FAMILY: &str = "torture-";
/// A role without progress for this long hangs.
const HANG: u64 = 2_000_000_000;
/// How soon a restarted role must have done something, including the start of its process.
const IN_STEP: u64 = 1_000_000_000;
/// How often to look how much time the host has taken.
const STOLEN_EVERY: u64 = 5_000_000;
/// Kills between two checks at rest.
const REST_EVERY: u64 = 50;
/// Checks at rest between two reports of progress.
const TELL_EVERY: u64 = 40;
/// A campaign that fails this often ends early.
const ENOUGH: usize = 10;
/// Spins at each crash point. Each child gets one of these.
const LINGERS: [u32; 4] = [0, 30, 300, 2000];

/// The sizes of the values on the first and the second channel, one leg after the other.
const LEGS: [[Size; 2]; 3] =
    [[Size::Inline, Size::Large], [Size::Small, Size::Inline], [Size::Large, Size::Small]];

/// Set to end every campaign of this process early.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The settings of a campaign.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The `torture` program that children run.
    pub program: PathBuf,
    /// How many processes to kill.
    pub kills: u64,
    /// The seed of the parent's choices.
    pub seed: u64,
    /// Called now and then with the progress.
    pub progress: fn(&Report),
}

/// Runs a campaign. It leaves nothing in /dev/shm, however it ends, unless it is killed itself. It
/// also removes what killed campaigns have left.
///
/// # Errors
/// If it could not run. The report has what it found.
pub fn run(settings: &Settings) -> Result<Report, String> {
    machine::sweep_dead(FAMILY);
    let began = Instant::now();
    let mut report = Report { seed: settings.seed, ..Report::default() };
    let mut random = Rng::with_seed(settings.seed);
    for (leg, sizes) in LEGS.into_iter().enumerate() {
        let until = settings.kills * (leg as u64 + 1) / LEGS.len() as u64;
        let mut campaign = Campaign::new(settings, random.fork(), sizes, report)?;
        campaign.run(until, || began.elapsed(), settings.progress)?;
        report = campaign.report.clone();
        if INTERRUPTED.load(Relaxed) || report.failures.len() >= ENOUGH {
            break;
        }
    }
    report.took = began.elapsed();
    Ok(report)
}

fn read_region(name: &str) -> Result<RegionFile, String> {
    RegionFile::read(&machine::path_of(name)).map_err(|error| format!("{name}: {error}"))
}

struct Campaign {
    random: Rng,
    quarters: Quarters,
    crew: Vec<Member>,
    history: History,
    /// Includes the legs before.
    report: Report,
    /// The sizes of the values on the first and the second channel.
    inodes: [u64; 2],
    lock_inodes: [u64; 2],
    rest_at: u64,
    stolen_at: u64,
    /// Keeps the page's descriptor open, through which children find it.
    _page_file: File,
    /// Declared last, so that the crew is gone when it sweeps.
    _sweeper: Sweeper,
}

/// Removes this campaign's objects when dropped.
struct Sweeper(String);

impl Drop for Sweeper {
    fn drop(&mut self) {
        machine::sweep(&self.0);
        machine::sweep_hidden();
    }
}

impl Campaign {
    fn new(
        settings: &Settings,
        random: Rng,
        sizes: [Size; 2],
        report: Report,
    ) -> Result<Self, String> {
        static CAMPAIGNS: AtomicU32 = AtomicU32::new(0);
        let number = CAMPAIGNS.fetch_add(1, Relaxed);
        let prefix = format!("{FAMILY}{}-{number}-", std::process::id());
        let (page, page_file) = Page::create().map_err(|error| format!("the page: {error}"))?;
        Ok(Self {
            random,
            quarters: Quarters {
                program: settings.program.clone(),
                page,
                page_path: Page::path_of(&page_file),
                names: Names(prefix.clone()),
                sizes,
            },
            crew: Role::ALL.iter().map(|role| Member::new(*role, page)).collect(),
            history: History::default(),
            rest_at: report.kills + REST_EVERY,
            stolen_at: 0,
            report,
            inodes: [0; 2],
            lock_inodes: [0; 2],
            _page_file: page_file,
            _sweeper: Sweeper(prefix),
        })
    }

    /// Kills until `kills` processes were killed, including those of the legs before.
    fn run(
        &mut self,
        kills: u64,
        took: impl Fn() -> Duration,
        progress: fn(&Report),
    ) -> Result<(), String> {
        let most = kills + (kills - self.report.kills.min(kills)) / 4;
        self.start_everybody()?;
        while self.goes_on(kills, most) {
            let patience = self.random.u64(0..4_000);
            self.attend_for(Duration::from_micros(patience))?;
            if self.random.u8(0..10) == 0 {
                self.stop_somebody();
            } else {
                self.strike()?;
            }
            if self.report.kills >= self.rest_at {
                self.rest_at = self.report.kills + REST_EVERY;
                self.rest()?;
                if self.report.rests.is_multiple_of(TELL_EVERY) {
                    self.report.took = took();
                    progress(&self.report);
                }
            }
        }
        if INTERRUPTED.load(Relaxed) {
            self.report.failures.push("interrupted".into());
        } else if self.report.failures.len() < ENOUGH {
            self.rest()?;
        }
        self.end();
        Ok(())
    }

    fn goes_on(&self, kills: u64, most: u64) -> bool {
        // A few more if a crash point was not hit yet: aimed kills choose the rarest.
        let all_hit = || self.spots().all(|spot| self.report.hits_at(spot) > 0);
        (self.report.kills < kills || (self.report.kills < most && !all_hit()))
            && self.report.failures.len() < ENOUGH
            && !INTERRUPTED.load(Relaxed)
    }

    fn fail(&mut self, what: impl Into<String>) {
        self.report.failures.push(what.into());
    }

    fn region(&self, channel: usize) -> Result<RegionFile, String> {
        read_region(&self.quarters.names.of(channel))
    }

    fn lock(&self, lock: usize) -> Result<RegionFile, String> {
        read_region(&self.quarters.names.of_lock(lock))
    }

    /// The latest value's sequence; 0 while the channel does not exist.
    fn latest(&self, channel: usize) -> u64 {
        self.region(channel).map_or(0, |region| region.sequence)
    }

    fn start_everybody(&mut self) -> Result<(), String> {
        for i in 0..self.crew.len() {
            self.start(i)?;
        }
        self.attend_until("the start", |campaign| {
            campaign.crew.iter().all(|member| member.goal.is_none())
        })?;
        self.inodes = [self.region(0)?.inode, self.region(1)?.inode];
        self.lock_inodes = [self.lock(0)?.inode, self.lock(1)?.inode];
        Ok(())
    }

    fn start(&mut self, member: usize) -> Result<(), String> {
        let linger = *self.random.choice(&LINGERS).unwrap_or(&0);
        let latest = self.latest(self.crew[member].role.channel());
        if self.crew[member].role == Role::Producer {
            self.history.producer_spawned();
        }
        let seed = self.random.u64(..);
        self.crew[member].start(&self.quarters, seed, linger, latest)
    }

    fn attend_for(&mut self, time: Duration) -> Result<(), String> {
        let until = clock::deadline(time);
        loop {
            self.attend()?;
            let left = until.saturating_sub(clock::now());
            if left == 0 {
                return Ok(());
            }
            std::thread::sleep(Duration::from_nanos(left.min(1_000_000)));
        }
    }

    /// Attends until `done`. After 2 s, notes a failure and returns `false`.
    fn attend_until(
        &mut self,
        what: &str,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<bool, String> {
        let began = clock::now();
        while !done(self) {
            if INTERRUPTED.load(Relaxed) {
                return Ok(false);
            }
            let now = clock::now();
            if now > began + HANG + self.history.stolen_for(began, now) {
                self.fail(format!("{what} took more than 2 s"));
                return Ok(false);
            }
            self.attend_for(Duration::from_micros(300))?;
        }
        Ok(true)
    }

    /// Looks after the crew: continues stopped members, starts those that are due, finds those that
    /// ended or hang, and reads their reports.
    fn attend(&mut self) -> Result<(), String> {
        let now = clock::now();
        if now >= self.stolen_at {
            self.stolen_at = now + STOLEN_EVERY;
            self.history.stolen(machine::stolen());
        }
        let hang = HANG + self.history.stolen_for(now.saturating_sub(HANG), now);
        for i in 0..self.crew.len() {
            self.continue_if_due(i, now);
            let member = &mut self.crew[i];
            let role = member.role;
            let ended = member.reap();
            if member.hangs_since(now.saturating_sub(hang)) {
                let point = member.point();
                self.fail(format!("{role:?} has hung for 2 s, last at {point:?}"));
                self.kill(i)?;
            }
            if let Some(epitaph) = ended {
                self.fail(epitaph);
            }
            let member = &self.crew[i];
            if !member.is_up() && member.restart_at <= now {
                self.start(i)?;
            }
            self.check_restart(i, now);
            self.hear(i)?;
        }
        Ok(())
    }

    fn continue_if_due(&mut self, member: usize, now: u64) {
        let member = &mut self.crew[member];
        if member.continue_at.is_some_and(|at| at <= now) {
            member.continue_at = None;
            // Check while it still stands, because what it has now it has had all the time.
            if member.has_stopped() {
                self.report.confirmed_stops += 1;
                self.report.stopped_holders += u64::from(member.has_a_lock());
            }
            member.signal(Signal::SIGCONT);
            self.history.continued(member.role);
            member.progress.1 = now;
        }
    }

    fn check_restart(&mut self, member: usize, now: u64) {
        if self.crew[member].role == Role::Producer && self.crew[member].has_opened() {
            self.history.producer_opened(self.crew[member].lane.opened_at.load(Acquire));
        }
        let Some(goal) = self.crew[member].goal else {
            return;
        };
        let spawned = self.crew[member].spawned;
        let took = now.saturating_sub(spawned + self.history.stolen_for(spawned, now));
        // Before a producer's first put there may be nothing to catch up with.
        let producer_is_there = self.crew[Role::Producer as usize].goal.is_none();
        let member = &mut self.crew[member];
        if member.reaches(goal) {
            member.goal = None;
            self.report.restarts += 1;
            self.report.longest_restart = self.report.longest_restart.max(took);
        } else if took > IN_STEP && (producer_is_there || member.role == Role::Producer) {
            let (role, had, point) = (member.role, member.has_had(), member.point());
            let rounds = member.lane.rounds.load(Relaxed);
            member.goal = None;
            self.fail(format!(
                "{role:?} is not in step after 1 s: it has had {had} instead of {}, in rounds {} \
                 instead of {}, last at {point:?}",
                goal.had, rounds, goal.rounds
            ));
        }
    }

    fn hear(&mut self, member: usize) -> Result<(), String> {
        let Member { role, lane, ref mut events_read, .. } = self.crew[member];
        match lane.events(events_read) {
            Ok(events) => {
                for event in events {
                    let judged = if role.is_locker() {
                        let others = self.crew.iter().filter(|other| other.role.is_locker());
                        let others = others.filter(|other| other.role != role);
                        let delayed = others.map(Member::delayed).sum();
                        let report = &mut self.report;
                        checks::judge_lock(&event, role, &self.history, delayed, report)
                    } else {
                        checks::judge(&event, role, &self.history, &mut self.report)
                    };
                    if let Err(wrong) = judged {
                        self.fail(format!("{role:?}: {wrong}"));
                    }
                }
            }
            Err(wrong) => self.fail(format!("{role:?}: {wrong}")),
        }
        Ok(())
    }

    /// Checks that shared memory has nothing but what the crew uses.
    fn check_objects(&mut self) {
        let known = self.quarters.names.all();
        for name in machine::objects(&self.quarters.names.0) {
            if !known.contains(&format!("/{name}")) {
                self.fail(format!("{name} was left in shared memory"));
            }
        }
    }

    fn end(&mut self) {
        let values = |roles: &[Role], campaign: &Self| {
            let lanes = roles.iter().map(|role| campaign.quarters.page.lane(*role));
            lanes.map(|lane| lane.values.load(Relaxed)).sum()
        };
        let put = self.latest(0) + self.latest(1);
        let had = values(&Role::CONSUMERS, self);
        let counts = [put, had, values(&[Role::Observer], self)];
        self.report.values.iter_mut().zip(counts).for_each(|(all, count)| *all += count);
        for member in &self.crew {
            let timeouts = member.lane.timeouts.load(Relaxed);
            self.report.busy += member.lane.busy.load(Relaxed);
            let longest = member.lane.longest.load(Relaxed);
            if member.role.is_locker() {
                self.report.lock_timeouts += timeouts;
                let counts = [&member.lane.values, &member.lane.reads, &member.lane.repairs];
                for (all, count) in self.report.records.iter_mut().zip(counts) {
                    *all += count.load(Relaxed);
                }
                continue;
            }
            self.report.timeouts += timeouts;
            let all = match member.role {
                Role::Producer => &mut self.report.longest_put,
                _ => &mut self.report.longest_wait,
            };
            *all = longest.max(*all);
        }
        self.crew.clear();
        self.check_objects();
    }
}
