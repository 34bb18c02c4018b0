//! Scenes around a victim that uses a lock, and what must hold when it is dead.

use std::sync::mpsc::{Sender, channel};

use io_shared::mmap::{Bytes, BytesMut, LockError, MmapGuard, MmapReadGuard};
use io_shared::{RwSharedMmap, SharedMmap};

use super::scene::{PATIENCE, Scene, Stage, Waiter, expect, failed, until};
use crate::actor::HANG;
use crate::region_file::RegionFile;

/// Bits of the lock word.
const OWNER: u64 = (1 << 10) - 1;
const WAITING: u64 = 1 << 31;
const AWAITING: u64 = 1 << 32;

type Locked<G> = Result<G, LockError<G>>;

/// A victim of a lock, next to a peer that does not use the lock meanwhile, and perhaps another.
pub(super) struct DyingLocker {
    handle: Handle,
    company: Company,
    keeper: Option<Keeper>,
    sleeper: Option<Waiter<bool>>,
}

/// The other peer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Company {
    Nobody,
    /// A peer that has died in the middle of a write or a read.
    DeadWriter,
    DeadReader,
    /// A peer that has the lock, and releases it when the victim sleeps.
    Reader,
    Writer,
    /// A peer that sleeps for the lock that the victim has.
    Sleeper,
}

enum Handle {
    Alone(SharedMmap),
    Together(RwSharedMmap),
}

impl Handle {
    fn alone(stage: &Stage) -> Result<Self, String> {
        let open = SharedMmap::named(&stage.name).size(16).handles(4).open();
        open.map(Self::Alone).map_err(failed("opening"))
    }

    fn write(&mut self) -> Locked<MmapGuard<'_>> {
        match self {
            Self::Alone(lock) => lock.lock_timeout(HANG),
            Self::Together(lock) => lock.write_timeout(HANG),
        }
    }
}

fn together(stage: &Stage) -> Result<RwSharedMmap, String> {
    RwSharedMmap::named(&stage.name).size(16).handles(4).open().map_err(failed("opening"))
}

/// The guard, and whether it came with the news that an owner died.
fn told<G>(locked: Locked<G>) -> Result<(G, bool), String> {
    match locked {
        Ok(guard) => Ok((guard, false)),
        Err(LockError::OwnerDied(guard)) => Ok((guard, true)),
        Err(LockError::Failed(error)) => Err(failed("locking")(error)),
    }
}

/// Both halves of what is locked.
fn halves(bytes: &[u8]) -> Result<[u64; 2], String> {
    match bytes.as_chunks::<8>().0 {
        [first, second] => Ok([*first, *second].map(u64::from_le_bytes)),
        _ => Err(format!("{} bytes", bytes.len())),
    }
}

/// A thread that has the lock until it is told to release it.
struct Keeper {
    go: Sender<()>,
    gone: Waiter<()>,
}

impl Keeper {
    fn start(stage: &Stage, company: Company) -> Result<Self, String> {
        let mut lock = together(stage)?;
        let (has, is_had) = channel();
        let (go, goes) = channel();
        let gone = Waiter::spawn(move || {
            let guard: (Option<MmapGuard<'_>>, Option<MmapReadGuard<'_>>) = match company {
                Company::Writer => (Some(told(lock.write())?.0), None),
                _ => (None, Some(told(lock.read())?.0)),
            };
            let _ = has.send(());
            let _ = goes.recv();
            drop(guard);
            Ok(())
        });
        is_had.recv_timeout(HANG).map_err(|_| "the lock was not acquired")?;
        Ok(Self { go, gone })
    }

    fn leave(self) -> Result<(), String> {
        let _ = self.go.send(());
        self.gone.result()
    }
}

impl DyingLocker {
    pub(super) fn of_mutex(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        Ok(Self::scene(Handle::alone(stage)?, Company::Nobody))
    }

    pub(super) fn undisturbed(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        Ok(Self::scene(Handle::Together(together(stage)?), Company::Nobody))
    }

    pub(super) fn with_a_reader(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        Ok(Self::scene(Handle::Together(together(stage)?), Company::Reader))
    }

    pub(super) fn with_a_writer(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        Ok(Self::scene(Handle::Together(together(stage)?), Company::Writer))
    }

    pub(super) fn before_a_sleeper(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        Ok(Self::scene(Handle::Together(together(stage)?), Company::Sleeper))
    }

    pub(super) fn with_a_dead_writer(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        Ok(Self::scene(Handle::Together(together(stage)?), Company::DeadWriter))
    }

    pub(super) fn with_a_dead_reader(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        Ok(Self::scene(Handle::Together(together(stage)?), Company::DeadReader))
    }

    /// In the slot of a dead writer.
    pub(super) fn after_a_dead_writer(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        let scene = Self::undisturbed(stage)?;
        stage.dead("half-written")?;
        Ok(scene)
    }

    fn scene(handle: Handle, company: Company) -> Box<dyn Scene> {
        Box::new(Self { handle, company, keeper: None, sleeper: None })
    }
}

impl Scene for DyingLocker {
    fn begin(&mut self, stage: &Stage) -> Result<(), String> {
        match self.company {
            Company::Nobody => Ok(()),
            // Now, because opening a lock buries the dead owner of the slot that it gets.
            Company::DeadWriter => stage.dead("half-written"),
            Company::DeadReader => stage.dead("reading"),
            Company::Reader | Company::Writer => {
                self.keeper = Some(Keeper::start(stage, self.company)?);
                Ok(())
            }
            Company::Sleeper => {
                let mut lock = together(stage)?;
                self.sleeper =
                    Some(Waiter::spawn(move || Ok(told(lock.write_timeout(PATIENCE))?.1)));
                let asleep = |word| word & (WAITING | AWAITING) != 0;
                until("sleeper", || stage.region().is_ok_and(|region| asleep(region.word)))
            }
        }
    }

    fn has_sleeper(&self) -> bool {
        self.company == Company::Sleeper
    }

    fn wake(&mut self) {
        // If something is wrong with it, the judgement shows it: the lock is not released.
        let _ = self.keeper.take().map(Keeper::leave);
    }

    fn judge(&mut self, stage: &Stage, at_death: Option<RegionFile>) -> Result<(), String> {
        let at_death = at_death.ok_or("the region is gone")?;
        // The slots, from 1: this handle's, the victim's, the company's.
        let owner = at_death.word & OWNER;
        let company = matches!(self.company, Company::Reader | Company::Writer | Company::Sleeper);
        let is_alive = owner == 1 || (owner == 3 && company);
        let died = owner != 0 && !is_alive && at_death.word & AWAITING == 0;
        let dirty = at_death.dirty || died;
        if let Some(keeper) = self.keeper.take() {
            keeper.leave()?;
        }
        if let Some(sleeper) = self.sleeper.take() {
            expect("whether the sleeper is told of a death", sleeper.result()?, dirty)?;
        }
        if let Handle::Together(lock) = &mut self.handle {
            let (guard, told) = told(lock.read_timeout(HANG))?;
            expect("whether a reader is told of a death", told, dirty)?;
            is_same(guard.as_bytes(), dirty)?;
        }
        let (mut guard, was_told) = told(self.handle.write())?;
        expect("whether a writer is told of a death", was_told, dirty)?;
        let [first, _] = is_same(guard.as_bytes(), dirty)?;
        guard.as_bytes_mut().copy_within(..8, 8);
        guard.mark_consistent();
        drop(guard);
        let act = if matches!(self.handle, Handle::Alone(_)) { "lock" } else { "write" };
        let (_restarted, outcome) = stage.restart(act)?;
        expect("the restarted writer", outcome, "clean".into())?;
        let (guard, was_told) = told(self.handle.write())?;
        expect("whether a death is told of that was mended", was_told, false)?;
        expect("what is locked", halves(guard.as_bytes())?, [first + 1; 2])
    }
}

fn is_same(bytes: &[u8], dirty: bool) -> Result<[u64; 2], String> {
    let [first, second] = halves(bytes)?;
    if first == second || (dirty && first == second + 1) {
        return Ok([first, second]);
    }
    Err(format!("{first} and {second} are locked, {}", if dirty { "dirty" } else { "clean" }))
}

/// A lock that is made.
pub(super) struct LockCreation;

impl LockCreation {
    pub(super) fn of_nothing(_stage: &Stage) -> Result<Box<dyn Scene>, String> {
        Ok(Box::new(Self))
    }
}

impl Scene for LockCreation {
    fn judge(&mut self, stage: &Stage, _at_death: Option<RegionFile>) -> Result<(), String> {
        let objects = stage.objects();
        if objects.iter().any(|object| *object != stage.name) {
            return Err(format!("this is left: {objects:?}"));
        }
        let (_restarted, outcome) = stage.restart("write")?;
        expect("the restarted writer", outcome, "clean".into())?;
        let mut lock = together(stage)?;
        let (guard, was_told) = told(lock.write_timeout(HANG))?;
        expect("whether a writer is told of a death", was_told, false)?;
        expect("what is locked", halves(guard.as_bytes())?, [1; 2])
    }
}
