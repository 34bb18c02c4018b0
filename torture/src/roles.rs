//! The roles of a campaign's crew, as its child processes play them.
//!
//! A child does its duty until it is killed. If it finds a fault, it writes it into its lane and
//! ends. It posts there what only the parent can judge, which depends on kills and stops meanwhile.

mod churner;
mod consumer;
mod locker;
mod observer;
mod producer;
mod visitor;

use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::Duration;

use fastrand::Rng;
use io_shared::Channel;
use io_shared_core::{clock, crash_point};

use crate::page::{Lane, Page, REST_PRODUCERS, REST_READERS};
use crate::parcel::{Card, Load, Parcel, Size};
use crate::role::Role;

/// Slots of each lock: each locker may have won a dead one's slot in addition to its own.
const LOCKERS_MOST: usize = 2 * Role::LOCKERS.len();

/// The names of the three channels and the two locks under a prefix.
#[derive(Debug, Clone)]
pub(crate) struct Names(pub(crate) String);

impl Names {
    /// The first channel (0) has three consumers and a visitor. The second (1) has one, which holds
    /// two values or more. The third (2) is the churner's.
    pub(crate) fn of(&self, channel: usize) -> String {
        let name = ["first", "second", "churned"].get(channel).unwrap_or(&"other");
        format!("/{}{name}", self.0)
    }

    pub(crate) fn all(&self) -> [String; 5] {
        [self.of(0), self.of(1), self.of(2), self.of_lock(0), self.of_lock(1)]
    }

    /// The lock of a typed state (0) or of bytes (1).
    pub(crate) fn of_lock(&self, lock: usize) -> String {
        let name = ["state", "bytes"].get(lock).unwrap_or(&"other");
        format!("/{}{name}", self.0)
    }
}

/// The command line of a child.
#[derive(Debug)]
pub(crate) struct Orders<'a> {
    pub(crate) role: Role,
    pub(crate) page: &'a str,
    pub(crate) names: &'a Names,
    pub(crate) seed: u64,
    /// Spins at each crash point.
    pub(crate) linger: u32,
    /// The sizes of the values on the first and the second channel.
    pub(crate) sizes: [Size; 2],
}

impl Orders<'_> {
    pub(crate) fn command(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new(program);
        command
            .args(["role", &format!("{:?}", self.role), self.page, &self.names.0])
            .args([self.seed.to_string(), self.linger.to_string()])
            .args(self.sizes.map(|size| (size as u8).to_string()))
            .stdin(Stdio::null());
        command
    }
}

/// Plays a role: `role PAGE PREFIX SEED LINGER SIZE SIZE`, as the campaign starts it.
pub fn main(arguments: &[String]) -> ExitCode {
    let [role, page, names, seed, linger, first, second] = arguments else {
        return ExitCode::from(2);
    };
    let size = |text: &str| Size::ALL.get(text.parse::<usize>().ok()?).copied();
    let numbers = (Role::parse(role), seed.parse(), linger.parse(), size(first), size(second));
    let (Some(role), Ok(seed), Ok(linger), Some(first), Some(second)) = numbers else {
        return ExitCode::from(2);
    };
    // Otherwise a child would outlive its parent for ever.
    let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::SIGKILL);
    let Ok(page) = Page::of_parent(page) else {
        return ExitCode::from(3);
    };
    let lane = page.lane(role);
    crash_point::record(&lane.point, linger);
    crash_point::stay_at(&lane.aim);
    let mut duty = Duty {
        role,
        page,
        lane,
        names: Names(names.clone()),
        random: Rng::with_seed(seed),
        unhurried: linger > 0,
        sizes: [first, second],
    };
    let is_inline = duty.size(role.channel()) == Size::Inline;
    let ended = match role {
        Role::Producer => producer::run(&mut duty),
        Role::Observer if is_inline => observer::run::<Card>(&mut duty),
        Role::Observer => observer::run::<Parcel>(&mut duty),
        Role::Visitor if is_inline => visitor::run::<Card>(&mut duty),
        Role::Visitor => visitor::run::<Parcel>(&mut duty),
        Role::Churner => churner::run(&mut duty),
        Role::LockerA | Role::LockerB | Role::LockerC => locker::run(&mut duty),
        _ if is_inline => consumer::run::<Card>(&mut duty),
        _ => consumer::run::<Parcel>(&mut duty),
    };
    if let Err(text) = ended {
        lane.fail(&text);
    }
    ExitCode::FAILURE
}

/// The state of every role.
struct Duty {
    role: Role,
    page: &'static Page,
    lane: &'static Lane,
    names: Names,
    random: Rng,
    /// Whether this incarnation lingers at crash points, which makes it slow anyway.
    unhurried: bool,
    sizes: [Size; 2],
}

impl Duty {
    /// The size of a channel's values. The churner's could have any size.
    fn size(&self, channel: usize) -> Size {
        self.sizes.get(channel).copied().unwrap_or(Size::Large)
    }

    /// A channel with the options that every side uses, so that any may start first. No handle
    /// follows the name to another channel: one that lost its own must say so.
    fn channel<T: Load + ?Sized>(&self, channel: usize) -> Channel<T> {
        let options = Channel::named(self.names.of(channel)).reopen(false);
        let options = options.open_timeout(Duration::from_secs(2));
        match self.size(channel) {
            Size::Inline => options,
            size => options.elements(size.most_words()),
        }
    }

    /// How many values a consumer of this life may hold.
    fn holds(&mut self, least: usize) -> usize {
        self.random.usize(least..=4)
    }

    fn opened(&self) {
        self.lane.opened_at.store(clock::now(), Release);
        self.lane.opened.store(1, Release);
    }

    /// Counts one more round of the role's loop.
    fn round(&self) {
        self.lane.rounds.fetch_add(1, Relaxed);
    }

    fn must_rest(&self) -> bool {
        let group = match self.role {
            Role::Producer => REST_PRODUCERS,
            _ => REST_READERS,
        };
        self.page.rest.load(Relaxed) & group != 0
    }

    /// Rests until the parent lets it go on.
    fn rest(&self) {
        self.lane.resting.store(1, Release);
        while self.must_rest() {
            self.round();
            std::thread::sleep(Duration::from_micros(300));
        }
        self.lane.resting.store(0, Release);
    }

    fn sleep_us(&mut self, range: std::ops::Range<u64>) {
        let pause = self.random.u64(range);
        std::thread::sleep(Duration::from_micros(pause));
    }

    fn spin(&mut self, most: u32) {
        for _ in 0..self.random.u32(0..most) {
            std::hint::spin_loop();
        }
    }
}

fn failed(what: &'static str) -> impl Fn(io_shared::Error) -> String {
    move |error| format!("{what}: {error}")
}
