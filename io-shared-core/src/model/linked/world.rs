//! A directory with one name in it, the regions that the name has led to, and their users.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use loom::sync::atomic::AtomicU64;

use crate::crash_point::CrashPoint;
use crate::model::kernel::{Claim, Loads};
use crate::model::mutant::{self, Mutant, Operation};
use crate::model::protocol::process::Process as Peer;
use crate::model::protocol::words as slot;
use crate::model::victim::{Killable, Mortal};
use crate::protocol::Word;
use crate::region::link_protocol::{Joinable, Linked, Removed, Users, join, leave, remove};

/// How many times an opening starts over: more often than others make progress in any scenario.
const START_OVERS: usize = 8;

/// What the processes of a scenario share.
pub(super) struct World {
    /// 0: there is no such name. n: it leads to region n - 1.
    ///
    /// Opening takes a reference at the directory's entry, and so finds the newest; it acquires
    /// what the creator wrote before it linked. A look at the path (stat) does so too, but is
    /// modelled as a relaxed load: it may be as old as memory may be.
    name: AtomicU64,
    looks: Loads,
    pub(super) regions: RefCell<Vec<Rc<Region>>>,
    /// Whether the directory is sticky, and the name another user's.
    pub(super) sticky: Cell<bool>,
}

/// What a region is made as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) shape: u32,
    pub(super) ephemeral: bool,
    /// Whether consumers bring their buffers with them.
    pub(super) grows: bool,
}

pub(super) struct Region {
    pub(super) number: u64,
    pub(super) made: Made,
    pub(super) slot: Rc<slot::Region>,
    /// The living processes that were told that it is open. No thread learns anything by this.
    users: RefCell<Vec<u32>>,
    /// Whether it was removed because nobody used it.
    removed_as_unused: Cell<bool>,
    /// The larger region that has taken its name.
    pub(super) successor: Cell<Option<u64>>,
}

impl World {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            name: AtomicU64::new(0),
            looks: Loads::new(),
            regions: RefCell::default(),
            sticky: Cell::new(false),
        })
    }

    /// A new region that nobody sees, with this slot.
    pub(super) fn add(&self, made: Made, slot: Rc<slot::Region>) -> Rc<Region> {
        let number = self.regions.borrow().len() as u64;
        let region = Rc::new(Region {
            number,
            made,
            slot,
            users: RefCell::default(),
            removed_as_unused: Cell::new(false),
            successor: Cell::new(None),
        });
        self.regions.borrow_mut().push(Rc::clone(&region));
        region
    }

    /// rename(2): the name leads to another region, in one step. It led to `old`.
    pub(super) fn rename(&self, old: &Region, new: u64) {
        self.looks.store();
        let replaced = self.name.swap(new + 1, AcqRel);
        assert_eq!(replaced, old.number + 1, "the name is taken from another region, or was gone");
        // In an ephemeral channel the old region has a hidden name from now on.
        old.successor.set(Some(new));
    }

    fn look(&self) -> u64 {
        self.looks.load(|| self.name.load(Relaxed))
    }

    /// What the name leads to, when nothing goes on any more.
    pub(super) fn named(&self) -> Option<Rc<Region>> {
        let number = self.name.load(Relaxed).checked_sub(1)?;
        Some(Rc::clone(&self.regions.borrow()[number as usize]))
    }
}

impl Made {
    /// The slot of a region that is made so.
    pub(super) fn slot(self) -> slot::Shape {
        match self.grows {
            true => slot::Shape::of(2, 1).to_join(0),
            false => slot::Shape::of(2, 1),
        }
    }
}

impl Region {
    /// What the kernel does when a process is gone, or when its descriptors are closed for it.
    pub(super) fn free(&self, process: u32) {
        self.users.borrow_mut().retain(|&user| user != process);
        self.slot.lock.free(process);
        self.free_roles(process);
    }

    fn free_roles(&self, process: u32) {
        self.roles().for_each(|role| role.free(process));
    }

    /// Whether another process has a role in it.
    fn is_taken(&self, process: u32) -> bool {
        self.roles().any(|role| role.is_anothers(process))
    }

    fn roles(&self) -> impl Iterator<Item = &Claim> {
        let consumers = self.slot.consumers.iter().map(|consumer| &consumer.claim);
        std::iter::once(&self.slot.producer).chain(consumers)
    }

    pub(super) fn is_marked(&self) -> bool {
        self.slot.retired.load(Relaxed) != 0
    }

    pub(super) fn is_used(&self) -> bool {
        !self.users.borrow().is_empty()
    }
}

/// The role that a process takes.
#[derive(Clone, Copy)]
pub(super) enum Role {
    Producer,
    /// In a slot that is nobody else's.
    Consumer(usize),
}

/// One process.
pub(super) struct Process {
    pub(super) world: Rc<World>,
    pub(super) number: u32,
    role: Role,
    pub(super) mortal: Mortal,
}

/// A region as one process that has it open sees it.
pub(super) struct Handle<'a> {
    pub(super) me: &'a Process,
    pub(super) region: Rc<Region>,
    /// Whether this process, as a remover, says that nobody else uses it.
    unused: Cell<bool>,
    /// The region that takes the name of this one, if there is one.
    pub(super) larger: Cell<Option<u64>>,
}

impl Process {
    pub(super) fn new(world: &Rc<World>, number: u32, role: Role) -> Self {
        Self { world: Rc::clone(world), number, role, mortal: Mortal::spared() }
    }

    /// open(2): what the name leads to.
    pub(super) fn open(&self) -> Option<Handle<'_>> {
        self.world.looks.store();
        let number = self.world.name.fetch_add(0, Acquire).checked_sub(1)?;
        let region = Rc::clone(&self.world.regions.borrow()[number as usize]);
        Some(self.handle(&region))
    }

    /// A region that it has open.
    pub(super) fn handle(&self, region: &Rc<Region>) -> Handle<'_> {
        let (unused, larger) = (Cell::new(false), Cell::new(None));
        Handle { me: self, region: Rc::clone(region), unused, larger }
    }

    /// As `New::make`: a region that nobody else sees, entered. Then as `New::link`; `None`:
    /// another was faster.
    pub(super) fn create<'a>(&'a self, made: Made) -> impl FnOnce() -> Option<Handle<'a>> {
        let region = self.world.add(made, slot::Region::new(made.slot()));
        let number = region.number;
        let handle = self.handle(&region);
        let links_first = mutant::is(Mutant::LinkFirst);
        if !links_first {
            handle.claim().unwrap();
        }
        self.mortal.reached(CrashPoint::RegionClaimed);
        move || {
            self.world.looks.store();
            let linked = self.world.name.compare_exchange(0, number + 1, AcqRel, Relaxed);
            if linked.is_err() {
                handle.region.free(self.number);
                return None;
            }
            self.mortal.reached(CrashPoint::RegionLinked);
            if links_first {
                handle.claim().unwrap();
            }
            handle.is_told();
            Some(handle)
        }
    }

    /// As `attach`, of a program that wants a region to be as `made`, and replaces it if
    /// `replaces`. `None`: it is of another shape, or its role is taken.
    pub(super) fn attach(&self, made: Made, replaces: bool) -> Option<Handle<'_>> {
        for _ in 0..START_OVERS {
            let Some(found) = self.open() else {
                match self.create(made)() {
                    Some(handle) => return Some(handle),
                    None => continue,
                }
            };
            if found.region.made.ephemeral && found.remove(Users::NoneAtOnce) != Ok(Removed::InUse)
            {
                continue;
            }
            if found.region.made.shape == made.shape {
                match found.enter() {
                    Ok(Some(())) => return Some(found),
                    Ok(None) => continue,
                    Err(_) => return None,
                }
            }
            if !replaces {
                return None;
            }
            let link = self.create(made);
            if found.remove(Users::None) == Ok(Removed::InUse) {
                return None;
            }
            if let Some(handle) = link() {
                return Some(handle);
            }
        }
        panic!("an opening starts over for ever");
    }
}

impl Killable for Process {
    fn set_mortal(&mut self, mortal: Mortal) {
        self.mortal = mortal;
    }

    fn gone(&self, killed: bool) {
        if killed {
            let regions = self.world.regions.borrow().clone();
            regions.iter().for_each(|region| region.free(self.number));
        }
    }
}

/// Why a step was refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    RoleTaken,
    NotOwner,
}

impl Handle<'_> {
    /// Claims the process's role, and moves in unless the region was replaced.
    pub(super) fn enter(&self) -> Result<Option<()>, Refusal> {
        let entered = join(self, Self::claim)?;
        match entered {
            Some(()) => self.is_told(),
            None => self.region.free(self.me.number),
        }
        Ok(entered)
    }

    pub(super) fn claim(&self) -> Result<(), Refusal> {
        match self.me.role {
            Role::Producer if self.region.slot.producer.try_take(self.me.number) => Ok(()),
            Role::Producer => Err(Refusal::RoleTaken),
            // As `claim_consumer`: under the region's lock.
            Role::Consumer(slot) if self.region.made.grows => {
                self.region.slot.lock.take(self.me.number);
                self.region.slot.consumers[slot].claim.take(self.me.number);
                Peer::new(&self.region.slot, self.me.number).join_locked(slot, 1);
                self.region.slot.lock.free(self.me.number);
                Ok(())
            }
            // Nobody has it but to remove the region, and for no longer than that.
            Role::Consumer(slot) => {
                self.region.slot.consumers[slot].claim.take(self.me.number);
                Ok(())
            }
        }
    }

    /// The process is told that the region is open.
    pub(super) fn is_told(&self) {
        assert!(
            !self.region.removed_as_unused.get(),
            "a region that was removed as unused is open"
        );
        self.region.users.borrow_mut().push(self.me.number);
    }

    pub(super) fn remove(&self, users: Users) -> Result<Removed, Refusal> {
        self.unused.set(users != Users::Any);
        remove(self, users)
    }

    /// The handle is dropped: as `Drop for Region`.
    pub(super) fn leave(self) {
        self.region.users.borrow_mut().retain(|&user| user != self.me.number);
        if self.region.made.ephemeral {
            self.unused.set(true);
            let _ = leave(&self);
        }
        self.region.free(self.me.number);
    }

    /// The region that this one has taken the name of, as its hidden name leads to it.
    fn predecessor(&self) -> Option<Rc<Region>> {
        let regions = self.me.world.regions.borrow();
        regions.iter().find(|it| it.successor.get() == Some(self.region.number)).cloned()
    }

    fn take_name(&self) -> bool {
        self.me.world.looks.store();
        let removed = self.me.world.name.swap(0, AcqRel);
        if removed == 0 {
            return false;
        }
        assert_eq!(removed, self.region.number + 1, "another region's name is taken away");
        if self.unused.get() {
            let users = self.region.users.borrow();
            assert!(users.is_empty(), "a region is removed under its user");
            if let Some(before) = self.predecessor().filter(|it| it.made.ephemeral) {
                let users = before.users.borrow();
                assert!(users.is_empty(), "a channel is removed under a user in a region before");
            }
            self.region.removed_as_unused.set(true);
        }
        true
    }
}

/// The region's own lock.
pub(super) struct Locked<'a>(&'a Handle<'a>, bool);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // A killed process lets go of everything at once, later.
        if self.1 && !std::thread::panicking() {
            self.0.region.slot.lock.free(self.0.me.number);
        }
    }
}

impl Linked for Handle<'_> {
    type Error = Refusal;
    type Lock<'l>
        = Locked<'l>
    where
        Self: 'l;

    #[track_caller]
    fn lock(&self) -> Result<Locked<'_>, Refusal> {
        let taken = !mutant::is_at(Location::caller(), Operation::Lock, Mutant::Unlocked);
        if taken {
            self.region.slot.lock.take(self.me.number);
        }
        Ok(Locked(self, taken))
    }

    #[track_caller]
    fn is_named(&self) -> bool {
        let blind = mutant::is_at(Location::caller(), Operation::Look, Mutant::Blind);
        blind || self.me.world.look() == self.region.number + 1
    }

    #[track_caller]
    fn win_roles(&self, _users: Users) -> Result<bool, Refusal> {
        // One after the other, where the kernel does it at once: others may see more, not less. It
        // does not matter how long it is tried: a failing try is the same as a later one.
        let won = mutant::is_at(Location::caller(), Operation::Win, Mutant::Won);
        Ok(self.region.roles().all(|role| role.try_take(self.me.number)) || won)
    }

    #[track_caller]
    fn is_awaited(&self) -> bool {
        let blind = mutant::is_at(Location::caller(), Operation::Look, Mutant::Blind);
        let before = self.predecessor().filter(|before| before.made.ephemeral);
        !blind && before.is_some_and(|before| before.is_taken(self.me.number))
    }

    #[track_caller]
    fn remove_successor(&self) -> Result<(), Refusal> {
        let skips = mutant::is_at(Location::caller(), Operation::Unwin, Mutant::NotFreed);
        if skips || self.region.is_taken(self.me.number) {
            return Ok(());
        }
        let named = self.me.open().filter(|named| named.region.made.ephemeral);
        match named {
            Some(named) if self.region.successor.get() == Some(named.region.number) => {
                named.remove(Users::NoneAtOnce).map(drop)
            }
            _ => Ok(()),
        }
    }

    #[track_caller]
    fn free_roles(&self) {
        if !mutant::is_at(Location::caller(), Operation::Unwin, Mutant::NotFreed) {
            self.region.free_roles(self.me.number);
        }
    }

    #[track_caller]
    fn unlink(&self) -> Result<bool, Refusal> {
        let place = Location::caller();
        mutant::order(place, Operation::Store, Relaxed);
        if self.me.world.sticky.get() {
            return Err(Refusal::NotOwner);
        }
        Ok(mutant::omits_store(place) || self.take_name())
    }

    #[track_caller]
    fn mark(&self) {
        let place = Location::caller();
        mutant::order(place, Operation::Store, Relaxed);
        let owed = mutant::take_owed();
        if !mutant::omits_store(place) {
            self.region.slot.retired.atom.store(1, Relaxed);
        }
        if owed {
            // A death between the two, as it would be then.
            match self.larger.get() {
                Some(larger) => {
                    self.me.mortal.reached(CrashPoint::ExchangeRenamed);
                    self.me.world.rename(&self.region, larger);
                }
                None => {
                    self.me.mortal.reached(CrashPoint::RemoveUnlinked);
                    self.take_name();
                }
            }
        }
    }

    #[track_caller]
    fn wake(&self) {
        if !mutant::is_at(Location::caller(), Operation::Wake, Mutant::Unwoken) {
            self.region.slot.futex.wake();
        }
        if mutant::take_owed() {
            self.region.slot.retired.atom.store(1, Relaxed);
        }
    }

    fn reached(&self, point: CrashPoint) {
        self.me.mortal.reached(point);
    }
}

impl Joinable for Handle<'_> {
    #[track_caller]
    fn is_replaced(&self) -> bool {
        let blind = mutant::is_at(Location::caller(), Operation::Look, Mutant::Blind);
        !blind && (self.region.is_marked() || self.me.world.look() != self.region.number + 1)
    }
}
