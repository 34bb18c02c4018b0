//! The roles of a campaign's crew, as its child processes live them.
//!
//! A child does its duty until it is killed. Whatever it finds wrong it writes into its lane and
//! ends; what only the parent can judge (was somebody killed or stopped meanwhile?) it posts there.

mod churner;
mod consumer;
mod locker;
mod observer;
mod producer;

use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::Duration;

use fastrand::Rng;
use io_shared::Channel;
use io_shared_core::crash_point::CrashPoint::{self, *};
use io_shared_core::{clock, crash_point};

use crate::page::{Lane, Page, REST_PRODUCERS, REST_READERS};
use crate::parcel::{Card, Load, Parcel, Size};

/// A role of the crew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Role {
    /// Puts on both channels.
    Producer,
    /// A named consumer of the first channel.
    Left,
    /// Another named consumer of the first channel.
    Right,
    /// A consumer without a name, on the first channel.
    Nameless,
    /// The one consumer of the second channel; keeps a value while it takes the next.
    Keeper,
    /// Copies from the first channel.
    Observer,
    /// Creates and removes a channel of its own.
    Churner,
    /// Writes and reads under both locks.
    LockerA,
    /// Another.
    LockerB,
    /// Another.
    LockerC,
}

/// The crash points of a producer that opens its channel.
pub const PRODUCER_STARTS: &[CrashPoint] = &[ProducerClaimed, EpochRaised];
/// Those of a producer that puts.
pub const PUTS: &[CrashPoint] =
    &[LoanChecked, LoanScanned, LoanOpened, PutSealed, PutPublished, PutSawWaiting, PutWoken];
/// Those of a producer that copies a large value in.
pub const FILLS: &[CrashPoint] = &[PutFilling];
/// Those of a producer that clears up after dead sleepers.
pub const BURIES: &[CrashPoint] = &[BuryWon, BuryCleared];
/// Those of a consumer that opens its channel.
pub const CONSUMER_STARTS: &[CrashPoint] = &[ConsumerClaimed, ConsumerCleared, ConsumerReady];
/// Those of a consumer that gets.
pub const GETS: &[CrashPoint] = &[GetRead, GetHeld, GetValidated, GetSeen, GetReleased];
/// Those of a consumer that waits.
pub const SLEEPS: &[CrashPoint] = &[SleepFlagged, SleepWoken, SleepCleared];
/// Those of who creates a channel.
pub const CREATES: &[CrashPoint] = &[RegionSized, RegionWritten, RegionClaimed, RegionLinked];
/// Those of who removes one.
pub const REMOVES: &[CrashPoint] = &[RemoveLocked, RemoveUnlinked, RemoveRetired];
/// Those of who opens a lock.
pub const LOCKER_STARTS: &[CrashPoint] = &[LockerClaimed, LockerCleared];
/// Those of who takes one, and gives it back.
pub const LOCKS: &[CrashPoint] = &[
    WriterOwns,
    WriterAwaits,
    WriterAlone,
    WriterLeft,
    ReaderRaised,
    ReaderReads,
    ReaderLeft,
    LockWaiting,
];
/// Those of who clears up after one that died with it.
pub const LOCK_BURIES: &[CrashPoint] = &[OwnerBuryWon, OwnerDirty, OwnerReplaced, ReaderBuryWon];

/// Those that belong to a slot, whose values have a size; and those that values of that size pass
/// every day.
const OF_SLOTS: [&[CrashPoint]; 7] =
    [PRODUCER_STARTS, PUTS, FILLS, BURIES, CONSUMER_STARTS, GETS, SLEEPS];

/// A crash point, with the size of the values where it is passed; `None` where there are none.
pub type Spot = (CrashPoint, Option<Size>);

/// Every point with every size with which it is passed; now and then others are, too: a carried value
/// that is half there is held.
pub fn spots() -> impl Iterator<Item = Spot> {
    let is_passed = |point, size| match size {
        Size::Carried => !FILLS.contains(&point) && (!GETS.contains(&point) || point == GetSeen),
        Size::Small => !FILLS.contains(&point),
        Size::Large => true,
    };
    CrashPoint::ALL.iter().flat_map(move |&point| {
        let sizes = Size::ALL.into_iter().filter(move |size| is_passed(point, *size)).map(Some);
        let none = [None].into_iter().filter(move |_| !is_of_slot(point));
        sizes.filter(move |_| is_of_slot(point)).chain(none).map(move |size| (point, size))
    })
}

/// Whether a point is passed by who uses a channel's slot, and not by who makes or locks something.
pub(crate) fn is_of_slot(point: CrashPoint) -> bool {
    OF_SLOTS.iter().any(|points| points.contains(&point))
}

/// Slots of each lock: each locker may have won a dead one's beside its own.
const LOCKERS_MOST: usize = 2 * Role::LOCKERS.len();

impl Role {
    /// All of them, by number.
    pub const ALL: [Self; 10] = [
        Self::Producer,
        Self::Left,
        Self::Right,
        Self::Nameless,
        Self::Keeper,
        Self::Observer,
        Self::Churner,
        Self::LockerA,
        Self::LockerB,
        Self::LockerC,
    ];

    /// The consumers among them.
    pub const CONSUMERS: [Self; 4] = [Self::Left, Self::Right, Self::Nameless, Self::Keeper];

    /// Those that use the locks.
    pub const LOCKERS: [Self; 3] = [Self::LockerA, Self::LockerB, Self::LockerC];

    pub(crate) fn is_locker(self) -> bool {
        Self::LOCKERS.contains(&self)
    }

    pub(crate) fn is_consumer(self) -> bool {
        Self::CONSUMERS.contains(&self)
    }

    /// Which of the two channels a consumer is on.
    pub(crate) fn channel(self) -> usize {
        usize::from(self == Self::Keeper)
    }

    /// Whether it comes back as the same consumer.
    pub(crate) fn resumes(self) -> bool {
        matches!(self, Self::Left | Self::Right | Self::Keeper)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| format!("{role:?}") == text)
    }
}

/// The names of the three channels and the two locks under a prefix.
#[derive(Debug, Clone)]
pub(crate) struct Names(pub(crate) String);

impl Names {
    /// The first channel (0): three consumers. The second (1): one, with two holds. The third (2)
    /// is the churner's.
    pub(crate) fn of(&self, channel: usize) -> String {
        let name = ["first", "second", "churned"].get(channel).unwrap_or(&"other");
        format!("/{}{name}", self.0)
    }

    pub(crate) fn all(&self) -> [String; 5] {
        [self.of(0), self.of(1), self.of(2), self.of_lock(0), self.of_lock(1)]
    }

    /// The lock (0) of a typed state, and that (1) of bytes.
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
    /// Of the values of the first and the second channel.
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

/// Lives a role: `role PAGE PREFIX SEED LINGER SIZE SIZE`, as the campaign writes it.
pub fn main(arguments: &[String]) -> ExitCode {
    let [role, page, names, seed, linger, first, second] = arguments else {
        return ExitCode::from(2);
    };
    let size = |text: &str| Size::ALL.get(text.parse::<usize>().ok()?).copied();
    let numbers = (Role::parse(role), seed.parse(), linger.parse(), size(first), size(second));
    let (Some(role), Ok(seed), Ok(linger), Some(first), Some(second)) = numbers else {
        return ExitCode::from(2);
    };
    // Without its parent a child would live for ever.
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
    let carried = duty.size(role.channel()) == Size::Carried;
    let ended = match role {
        Role::Producer => producer::run(&mut duty),
        Role::Observer if carried => observer::run::<Card>(&mut duty),
        Role::Observer => observer::run::<Parcel>(&mut duty),
        Role::Churner => churner::run(&mut duty),
        Role::LockerA | Role::LockerB | Role::LockerC => locker::run(&mut duty),
        _ if carried => consumer::run::<Card>(&mut duty),
        _ => consumer::run::<Parcel>(&mut duty),
    };
    if let Err(text) = ended {
        lane.fail(&text);
    }
    ExitCode::FAILURE
}

/// What every role has.
struct Duty {
    role: Role,
    page: &'static Page,
    lane: &'static Lane,
    names: Names,
    random: Rng,
    /// Whether this incarnation lingers at crash points, and so is slow anyway.
    unhurried: bool,
    sizes: [Size; 2],
}

impl Duty {
    /// How large the values of a channel are. The churner's could be of any size.
    fn size(&self, channel: usize) -> Size {
        self.sizes.get(channel).copied().unwrap_or(Size::Large)
    }

    /// A channel as every side of it opens it, so that either may start first.
    fn channel<T: Load + ?Sized>(&self, channel: usize) -> Channel<T> {
        let (consumers, holds) = [(3, 1), (1, 2), (1, 1)][channel];
        let options = Channel::named(self.names.of(channel))
            .consumers(consumers)
            .holds(holds)
            .open_timeout(Duration::from_secs(2));
        match self.size(channel) {
            Size::Carried => options,
            size => options.elements(size.most_words()),
        }
    }

    fn opened(&self) {
        self.lane.opened_at.store(clock::now(), Release);
        self.lane.opened.store(1, Release);
    }

    /// One more round of the role's loop.
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

    /// Does nothing until the parent lets it go on.
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
