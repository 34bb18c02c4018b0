//! The crew of a growth campaign, as its child processes play it, and the board that they share
//! with their parent.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::process::ExitCode;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use fastrand::Rng;
use io_shared::{Channel, Consumer, Copied, Error, ErrorKind, Guard, Observer, Producer};
use io_shared_core::crash_point::{self, CrashPoint};
use memmap2::MmapRaw;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::machine;
use crate::parcel::Parcel;

/// The words of a value that fits at first, and the capacity from which a channel is done, in
/// bytes.
const FIRST: usize = 10;
const LARGEST: u64 = 256 << 10;
/// The values before the newest that the recorder and the asker ask for.
const KEPT: usize = 6;
/// How long anything may take in a machine that does not hang.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a handle may take to notice that its name leads elsewhere.
const LOOK_WITHIN: Duration = Duration::from_millis(100);
/// Where the number of a region's line lies in it.
const LINE: u64 = 24;

/// A role of the crew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Role {
    Producer,
    VisitorA,
    VisitorB,
    Named,
    Recorder,
    Asker,
    Observer,
}

impl Role {
    pub(super) const ALL: [Self; 7] = [
        Self::Producer,
        Self::VisitorA,
        Self::VisitorB,
        Self::Named,
        Self::Recorder,
        Self::Asker,
        Self::Observer,
    ];

    /// The crash points at which it may be told to die.
    pub(super) fn points(self) -> &'static [CrashPoint] {
        match self {
            Self::Producer => CrashPoint::EXCHANGES,
            Self::VisitorA | Self::VisitorB => CrashPoint::JOINS,
            Self::Recorder | Self::Asker => CrashPoint::ASKS,
            Self::Named | Self::Observer => &[],
        }
    }
}

/// What the crew has to do at a rest, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub(super) enum Rest {
    None,
    /// The producer has a channel, and stops.
    Stop,
    /// Those that ask for a history look at the channel, so that it is theirs.
    Follow,
    /// The producer has it grow, and puts more values than are kept.
    Put,
    /// Those that ask find them.
    Look,
}

impl Rest {
    pub(super) const ALL: [Self; 4] = [Self::Stop, Self::Follow, Self::Put, Self::Look];
}

/// The account of one role, over all of its incarnations.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Lane {
    /// The crash point passed last, plus one.
    pub(super) point: AtomicU32,
    /// The one at which it was told to die, plus one; 0: none. Written by the parent.
    pub(super) fatal: AtomicU32,
    /// The part of a rest that it has done. The parent sets it to 0 before a start.
    pub(super) resting: AtomicU32,
    pub(super) rounds: AtomicU64,
    pub(super) values: AtomicU64,
    pub(super) joins: AtomicU64,
}

/// What parent and children share. It begins as zeros.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Board {
    /// A [`Rest`]. Written by the parent.
    pub(super) rest: AtomicU32,
    /// How many channels there were before. Each value says it.
    pub(super) channels: AtomicU64,
    pub(super) growths: AtomicU64,
    pub(super) put: AtomicU64,
    lanes: [Lane; Role::ALL.len()],
    /// The lines of the last channels.
    lines: [AtomicU64; 1024],
}

impl Board {
    /// Creates a board and the descriptor through which children find it.
    pub(super) fn create() -> io::Result<(&'static Self, File)> {
        let file = File::from(memfd_create(c"torture-growth", MFdFlags::MFD_CLOEXEC)?);
        file.set_len(size_of::<Self>() as u64)?;
        Ok((Self::map(&file)?, file))
    }

    /// The path through which children find `file`.
    pub(super) fn path_of(file: &File) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
    }

    fn map(file: &File) -> io::Result<&'static Self> {
        if file.metadata()?.len() != size_of::<Self>() as u64 {
            return Err(io::Error::other("the board is of another build"));
        }
        let map: &'static MmapRaw = Box::leak(Box::new(MmapRaw::map_raw(file)?));
        // SAFETY: the mapping is as long as a Board (just checked), aligned to a memory page, and
        // never unmapped; a Board is atomics only, for which every bit pattern is valid and which
        // other processes may change.
        Ok(unsafe { &*map.as_ptr().cast::<Self>() })
    }

    pub(super) fn lane(&self, role: Role) -> &Lane {
        &self.lanes[role as usize]
    }

    /// The regions of these channels that are left, once a channel has grown. Nobody uses them.
    pub(super) fn left(&self) -> Vec<String> {
        let is_own = |name: &String| {
            let line = line_of(name);
            self.lines.iter().any(|own| own.load(Relaxed) != 0 && Some(own.load(Relaxed)) == line)
        };
        let left = || machine::objects(".io-shared.").into_iter().filter(is_own);
        // A growth sweeps hidden names that are old.
        for name in left() {
            let old = std::time::SystemTime::now() - Duration::from_secs(60);
            let file = File::options().write(true).open(machine::path_of(&name));
            let _ = file.and_then(|file| file.set_modified(old));
        }
        let name = format!("/torture-growth-{}-sweeper", std::process::id());
        let grown = Channel::<[u64]>::named(&*name).elements(1).growing(true).producer();
        let grown = grown.and_then(|mut producer| producer.put(&[0; 9]));
        let removed = io_shared::remove(&name);
        match grown.and(removed) {
            Ok(()) => left().collect(),
            Err(error) => vec![error.to_string()],
        }
    }
}

/// The number that all regions of a channel share, as the object of this name says.
fn line_of(name: &str) -> Option<u64> {
    let mut line = [0; 8];
    let file = File::open(machine::path_of(name)).ok()?;
    file.read_exact_at(&mut line, LINE).ok()?;
    Some(u64::from_le_bytes(line))
}

/// Plays a role: `growth-role ROLE NAME BOARD SEED FATAL`, as the campaign starts it.
pub fn main(arguments: &[String]) -> ExitCode {
    let [role, name, board, seed, fatal] = arguments else {
        return ExitCode::from(2);
    };
    let role = Role::ALL.into_iter().find(|known| format!("{known:?}") == *role);
    let (Some(role), Ok(seed), Ok(fatal)) = (role, seed.parse(), fatal.parse::<usize>()) else {
        return ExitCode::from(2);
    };
    // Otherwise a child would outlive its parent for ever.
    let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::SIGKILL);
    let opened = File::options().read(true).write(true).open(board);
    let Ok(board) = opened.and_then(|file| Board::map(&file)) else {
        return ExitCode::from(3);
    };
    let lane = board.lane(role);
    crash_point::record(&lane.point, 0);
    let mut duty = Duty { role, name, board, lane, random: Rng::with_seed(seed) };
    if let Some(point) = fatal.checked_sub(1).and_then(|at| CrashPoint::ALL.get(at)) {
        crash_point::kill_self_at(*point, duty.random.u32(0..4));
    }
    let ended = match role {
        Role::Producer => duty.produce(),
        Role::VisitorA | Role::VisitorB => duty.visit(),
        Role::Named => duty.consume(0),
        Role::Asker => duty.consume(KEPT),
        Role::Recorder => duty.observe(KEPT),
        Role::Observer => duty.observe(0),
    };
    if let Err(text) = ended {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "{text}");
    }
    ExitCode::FAILURE
}

/// The state of every role.
struct Duty<'a> {
    role: Role,
    name: &'a str,
    board: &'static Board,
    lane: &'static Lane,
    random: Rng,
}

/// The value that a reader has had last.
#[derive(Default)]
struct Had {
    /// 0: none.
    seq: u64,
    /// How many channels there were before its own.
    channel: u64,
}

fn failed(what: &'static str) -> impl Fn(Error) -> String {
    move |error| format!("{what}: {error}")
}

impl Duty<'_> {
    fn channel(&self) -> Channel<Parcel> {
        Channel::<Parcel>::named(self.name).open_timeout(PATIENCE)
    }

    /// The part of a rest that is due and not done.
    fn due(&self) -> Option<Rest> {
        let (rest, done) = (self.board.rest.load(Acquire), self.lane.resting.load(Relaxed));
        Rest::ALL.into_iter().find(|due| *due as u32 == rest && done < rest)
    }

    /// Notes that this part of a rest is done, and waits for the next.
    fn rest(&self, done: Rest) {
        self.lane.resting.store(done as u32, Release);
        while self.board.rest.load(Acquire) == done as u32 {
            self.lane.rounds.fetch_add(1, Relaxed);
            std::thread::sleep(Duration::from_micros(300));
        }
        if self.board.rest.load(Acquire) == Rest::None as u32 {
            self.lane.resting.store(0, Release);
        }
    }

    fn round(&mut self) {
        self.lane.rounds.fetch_add(1, Relaxed);
        let longest = match (self.role, self.random.u8(0..10)) {
            (Role::Asker, 0..4) => 200_000,
            (Role::Producer, 0..7) | (_, 0..4) => 0,
            _ => 3_000,
        };
        std::thread::sleep(Duration::from_micros(self.random.u64(0..=longest)));
    }

    /// Checks a value and its number, which goes back only where another channel has the name.
    fn check(&self, had: &mut Had, value: &Parcel, seq: u64, missed: u64) -> Result<(), String> {
        value.verify(seq)?;
        let channel = value.salt;
        if channel < had.channel {
            return Err(format!("{seq} of channel {channel} after channel {}", had.channel));
        }
        if channel == had.channel && had.seq != 0 && had.seq + missed + 1 != seq {
            return Err(format!("{seq} after {}, {missed} missed", had.seq));
        }
        *had = Had { seq, channel };
        self.lane.values.fetch_add(1, Relaxed);
        Ok(())
    }
}

/// The producer.
impl Duty<'_> {
    fn produce(&mut self) -> Result<(), String> {
        loop {
            let channel = self.channel().elements(FIRST).growing(true);
            let mut producer = channel.producer().map_err(failed("opening"))?;
            self.note_line();
            let rests = || self.board.rest.load(Acquire) != Rest::None as u32;
            while producer.capacity() < LARGEST || rests() {
                let capacity = producer.capacity() as usize / 8;
                match self.due() {
                    Some(Rest::Put) => {
                        self.put(&mut producer, capacity)?;
                        for _ in 0..2 * KEPT {
                            self.put(&mut producer, FIRST)?;
                        }
                        self.rest(Rest::Put);
                        continue;
                    }
                    Some(rest) => self.rest(rest),
                    None => self.round(),
                }
                let words = match self.random.u8(0..20) {
                    0 => capacity,
                    1 => self.random.usize(capacity..2 * capacity),
                    2 => self.random.usize(0..capacity - 3),
                    _ => self.random.usize(0..=FIRST),
                };
                self.put(&mut producer, words)?;
            }
            drop(producer);
            self.board.channels.fetch_add(1, Release);
            io_shared::remove(self.name).map_err(failed("removing"))?;
        }
    }

    /// Writes down the line of the channel.
    fn note_line(&self) {
        if let Some(line) = line_of(self.name) {
            let at = self.board.channels.load(Relaxed) as usize % self.board.lines.len();
            self.board.lines[at].store(line, Relaxed);
        }
    }

    fn put(&mut self, producer: &mut Producer<Parcel>, words: usize) -> Result<(), String> {
        let (capacity, number) = (producer.capacity(), producer.seq() + 1);
        let mut loan = producer.loan_len(words).map_err(failed("loan"))?;
        Parcel::fill(&mut loan, number, self.board.channels.load(Relaxed), || ());
        let put = loan.put().map_err(failed("put"))?;
        if put != number {
            return Err(format!("{number} was put as {put}"));
        }
        self.board.put.fetch_add(1, Relaxed);
        self.board.growths.fetch_add(u64::from(producer.capacity() > capacity), Relaxed);
        Ok(())
    }
}

/// Consumers.
impl Duty<'_> {
    fn visit(&mut self) -> Result<(), String> {
        loop {
            let holds = self.random.usize(1..=8);
            let mut consumer = self.channel().holds(holds).consumer().map_err(failed("joining"))?;
            self.lane.joins.fetch_add(1, Relaxed);
            let (mut held, mut had) = (Vec::new(), Had::default());
            for _ in 0..self.random.usize(1..20) {
                self.due().into_iter().for_each(|rest| self.rest(rest));
                self.round();
                let Some(value) = self.next(&mut consumer, &mut had)? else { continue };
                if held.len() + 1 < holds {
                    held.push(value.into_owned());
                }
            }
            for value in &held {
                value.verify(value.seq()).map_err(|wrong| format!("while held: {wrong}"))?;
            }
        }
    }

    /// The next value, whole, if one comes soon.
    fn next<'c>(
        &self,
        consumer: &'c mut Consumer<Parcel>,
        had: &mut Had,
    ) -> Result<Option<Guard<'c, Parcel>>, String> {
        match consumer.get_timeout(Duration::from_millis(20)) {
            Ok(value) => {
                self.check(had, &value, value.seq(), value.missed())?;
                Ok(Some(value))
            }
            Err(error) if matches!(error.kind(), ErrorKind::Timeout { .. }) => Ok(None),
            Err(error) => Err(format!("get: {error}")),
        }
    }

    fn consume(&mut self, kept: usize) -> Result<(), String> {
        let channel = self.channel().consumer_name(format!("{:?}", self.role)).history(kept);
        let mut consumer = channel.holds(2).consumer().map_err(failed("opening"))?;
        let (mut had, mut is_there) = (Had::default(), false);
        loop {
            if let Some(rest) = self.due() {
                self.look(kept, rest, &mut is_there, || Box::new(consumer.since(0)))?;
                self.rest(rest);
            }
            self.round();
            let _ = self.next(&mut consumer, &mut had)?;
        }
    }
}

/// The values that a reader copies.
type Copies<'c> = Box<dyn Iterator<Item = io_shared::Result<Copied<Parcel>>> + 'c>;

/// Those that ask for a history.
impl Duty<'_> {
    /// Does a reader's part of a rest. `is_there`: it was in the channel before the producer put.
    fn look<'c>(
        &self,
        kept: usize,
        rest: Rest,
        is_there: &mut bool,
        copies: impl FnOnce() -> Copies<'c>,
    ) -> Result<(), String> {
        let asks = kept > 0;
        if asks && matches!(rest, Rest::Follow | Rest::Look) {
            // So that it looks at the name. A producer that was killed after it had given that to a
            // larger region, and before it marked this one, has told nobody.
            std::thread::sleep(LOOK_WITHIN);
        }
        match rest {
            Rest::Follow if asks => {
                copies().for_each(drop);
                *is_there = true;
            }
            Rest::Look if std::mem::take(is_there) => find_kept(copies())?,
            _ => {}
        }
        Ok(())
    }
}

/// Observers.
impl Duty<'_> {
    fn observe(&mut self, kept: usize) -> Result<(), String> {
        let channel = self.channel().history(kept);
        let mut observer: Observer<Parcel> = channel.observer().map_err(failed("opening"))?;
        let (mut had, mut is_there) = (Had::default(), false);
        loop {
            if let Some(rest) = self.due() {
                self.look(kept, rest, &mut is_there, || Box::new(observer.since(0)))?;
                self.rest(rest);
            }
            self.round();
            for copy in observer.since(had.seq).take(2 * KEPT) {
                let copy = match copy {
                    Err(error) if matches!(error.kind(), ErrorKind::Busy { .. }) => break,
                    copy => copy.map_err(failed("since"))?,
                };
                self.check(&mut had, &copy, copy.seq(), copy.missed())?;
            }
        }
    }
}

/// The values before the newest are there, whole, as many as were asked for.
fn find_kept(copies: Copies<'_>) -> Result<(), String> {
    let mut found = Vec::new();
    for copy in copies {
        let copy = copy.map_err(failed("looking for what is kept"))?;
        copy.verify(copy.seq())?;
        found.push(copy.seq());
    }
    let last = found.last().copied().unwrap_or(0);
    let kept: Vec<u64> = (last.saturating_sub(KEPT as u64).max(1)..=last).collect();
    match found.ends_with(&kept) {
        true => Ok(()),
        false => Err(format!("{KEPT} values before {last} are asked for, and there are {found:?}")),
    }
}
