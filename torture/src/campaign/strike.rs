//! Killing and stopping: which member, when, and what is checked at once.

use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use io_shared_core::clock;
use io_shared_core::crash_point::CrashPoint;
use nix::sys::signal::Signal;

use super::Campaign;
use crate::checks;
use crate::history::{Death, LockerDeath};
use crate::machine;
use crate::page::HAS;
use crate::parcel::Size;
use crate::role::{Role, Spot, is_of_slot, spots};

/// How long a child may take to reach the point it is aimed at.
const AIMING: Duration = Duration::from_millis(20);
/// How much longer where the child must be started first.
const START: Duration = Duration::from_millis(20);
/// The pause between two checks of where it is.
const LOOK: Duration = Duration::from_micros(50);

impl Campaign {
    /// Kills somebody.
    pub(super) fn strike(&mut self) -> Result<(), String> {
        if self.random.bool() {
            let up: Vec<usize> = (0..self.crew.len()).filter(|i| self.crew[*i].is_up()).collect();
            return match self.random.choice(&up) {
                Some(member) => self.kill(*member),
                None => Ok(()),
            };
        }
        let spots: Vec<Spot> = self.spots().collect();
        let rarest = spots.iter().min_by_key(|spot| self.report.hits_at(**spot));
        let any = self.random.choice(&spots);
        let target = if self.random.bool() { rarest } else { any };
        match target {
            Some(target) => self.aim(*target),
            None => Ok(()),
        }
    }

    /// The spots where somebody can be hit, given the sizes of values on the channels now.
    pub(super) fn spots(&self) -> impl Iterator<Item = Spot> {
        let sizes = self.quarters.sizes;
        spots().filter(move |(_, size)| size.is_none_or(|size| sizes.contains(&size)))
    }

    fn aim(&mut self, target: Spot) -> Result<(), String> {
        let producer = Role::Producer as usize;
        let (point, size) = target;
        if CrashPoint::PRODUCER_STARTS.contains(&point) {
            self.aim_at_start(producer, target)
        } else if CrashPoint::CONSUMER_STARTS.contains(&point) {
            let member = self.some_consumer(size);
            self.aim_at_start(member, target)
        } else if CrashPoint::BURIES.contains(&point) {
            self.aim_at_burial(target)
        } else if CrashPoint::ENDS_HISTORY.contains(&point) {
            self.aim_at_the_end_of_a_history(target)
        } else if CrashPoint::ASKS.contains(&point) {
            self.aim_at_start(Role::Observer as usize, target)
        } else if CrashPoint::LOCKER_STARTS.contains(&point) {
            let member = self.some_locker();
            self.aim_at_start(member, target)
        } else if CrashPoint::LOCKS.contains(&point) {
            let member = self.some_locker();
            self.aim_at(member, target, AIMING)
        } else if CrashPoint::LOCK_BURIES.contains(&point) {
            self.aim_at_lock_burial(target)
        } else if CrashPoint::PUTS.contains(&point) || CrashPoint::FILLS.contains(&point) {
            self.aim_at(producer, target, AIMING)
        } else if CrashPoint::GETS.contains(&point) || CrashPoint::SLEEPS.contains(&point) {
            let member = self.some_consumer(size);
            self.aim_at(member, target, AIMING)
        } else if CrashPoint::JOINS.contains(&point) {
            // The visitor often finds a slot that has enough entries; the churner's are all new.
            let joiners = [Role::Churner, Role::Visitor].map(|role| role as usize);
            self.aim_at_one_of(&joiners, target, AIMING)
        } else {
            debug_assert!(
                [CrashPoint::CREATES, CrashPoint::REMOVES, CrashPoint::EXCHANGES]
                    .iter()
                    .any(|points| points.contains(&point))
            );
            self.aim_at(Role::Churner as usize, target, AIMING)
        }
    }

    /// A consumer of values of `size`.
    fn some_consumer(&mut self, size: Option<Size>) -> usize {
        let sizes = self.quarters.sizes;
        let has_such = |role: &Role| size.is_none_or(|size| sizes[role.channel()] == size);
        let roles: Vec<Role> = Role::CONSUMERS.into_iter().filter(has_such).collect();
        self.random.choice(roles).map_or(0, |role| role as usize)
    }

    /// The spot where the member was seen last.
    fn spot(&self, member: usize) -> Option<Spot> {
        let member = &self.crew[member];
        let point = member.point()?;
        let size = self.quarters.sizes.get(member.channel()).copied();
        Some((point, size.filter(|_| is_of_slot(point))))
    }

    fn some_locker(&mut self) -> usize {
        self.random.choice(Role::LOCKERS).map_or(0, |role| role as usize)
    }

    /// Kills the member as soon as it is seen at `target`, or when `patience` ends.
    fn aim_at(&mut self, member: usize, target: Spot, patience: Duration) -> Result<(), String> {
        self.aim_at_one_of(&[member], target, patience)
    }

    /// Kills the first of the members that is seen at `target`, or the first when `patience` ends.
    /// Members that are down are started first.
    fn aim_at_one_of(
        &mut self,
        members: &[usize],
        target: Spot,
        patience: Duration,
    ) -> Result<(), String> {
        let stay_at = |campaign: &Self, point: u32| {
            members.iter().for_each(|i| campaign.crew[*i].lane.aim.store(point, Release));
        };
        stay_at(self, target.0 as u32 + 1);
        let mut until = clock::deadline(patience);
        for &member in members {
            if !self.crew[member].is_up() {
                self.start(member)?;
                until = clock::deadline(patience + START);
            }
        }
        let seen = loop {
            let seen = members.iter().find(|i| self.spot(**i) == Some(target));
            let now = clock::now();
            if seen.is_some() || now >= until {
                break seen;
            }
            std::thread::sleep(LOOK);
            // A member stopped for long may have what others wait for during 20 ms only.
            (0..self.crew.len()).for_each(|i| self.continue_if_due(i, now));
        };
        let killed = match seen.or(members.first()) {
            Some(member) => self.kill(*member),
            None => Ok(()),
        };
        stay_at(self, 0);
        killed
    }

    /// Restarts the member and kills it at a point of its start.
    fn aim_at_start(&mut self, member: usize, target: Spot) -> Result<(), String> {
        self.kill(member)?;
        self.aim_at(member, target, AIMING)
    }

    /// Leaves a dead sleeper to the producer, and kills the producer while it clears up.
    fn aim_at_burial(&mut self, target: Spot) -> Result<(), String> {
        let producer = Role::Producer as usize;
        let sleeper = self.some_consumer(target.1);
        let asleep = (CrashPoint::SleepFlagged, target.1);
        self.aim_at(sleeper, asleep, Duration::from_millis(10))?;
        self.crew[sleeper].restart_at = clock::now() + 70_000_000;
        self.aim_at(producer, target, Duration::from_millis(60))
    }

    /// Leaves a history that nobody asks for any more to the producer, and kills the producer when
    /// it has noticed.
    fn aim_at_the_end_of_a_history(&mut self, target: Spot) -> Result<(), String> {
        let recorder = Role::Observer as usize;
        self.kill(recorder)?;
        self.crew[recorder].restart_at = clock::now() + 250_000_000;
        self.aim_at(Role::Producer as usize, target, Duration::from_millis(200))
    }

    /// Leaves a locker that died with a lock to the others, and kills one of them while it clears
    /// up.
    fn aim_at_lock_burial(&mut self, target: Spot) -> Result<(), String> {
        let mut lockers = Role::LOCKERS.map(|role| role as usize);
        self.random.shuffle(&mut lockers);
        let [victim, buriers @ ..] = lockers;
        let dies_at = match target.0 {
            CrashPoint::ReaderBuryWon => CrashPoint::ReaderReads,
            _ => CrashPoint::WriterAlone,
        };
        self.aim_at(victim, (dies_at, None), AIMING)?;
        self.crew[victim].restart_at = clock::now() + 70_000_000;
        self.aim_at_one_of(&buriers, target, Duration::from_millis(30))
    }

    /// Kills the member, counts where it died, and checks what can be checked at once.
    pub(super) fn kill(&mut self, member: usize) -> Result<(), String> {
        if !self.crew[member].is_up() {
            return Ok(());
        }
        let locks = self.crew[member].role.is_locker();
        if locks {
            self.locker_deaths(); // a death begins
        }
        self.crew[member].kill();
        self.mourn(member)?;
        if locks {
            self.locker_deaths(); // it has ended
        }
        Ok(())
    }

    /// Counts that deaths of lockers begin or have ended: before the first and after the last.
    pub(super) fn locker_deaths(&self) {
        self.quarters.page.locker_deaths.fetch_add(1, Release);
    }

    /// What follows a SIGKILL.
    pub(super) fn mourn(&mut self, member: usize) -> Result<(), String> {
        let role = self.crew[member].role;
        let lane = self.crew[member].lane;
        if self.crew[member].has_opened() && role == Role::Producer {
            self.history.producer_opened(lane.opened_at.load(Acquire));
        }
        let point = match self.crew[member].bury() {
            Ok(point) => point,
            Err(epitaph) => {
                self.fail(epitaph);
                self.crew[member].point()
            }
        };
        self.history.continued(role);
        self.report.kills += 1;
        match self.spot(member) {
            Some(spot) => self.report.hit(spot),
            None => self.report.before_any += 1,
        }
        match role {
            Role::Producer => {
                let putting = [0, 1].map(|channel: usize| lane.putting[channel].load(Acquire));
                self.history.producer_died(Death { at: clock::now(), point, putting });
            }
            Role::Churner => self.check_churned(point),
            _ if role.is_locker() => {
                let at = clock::now();
                let locks = lane.at_locks.swap(0, Acquire);
                let killed = self.crew[member].killed;
                self.history.locker_died(LockerDeath { role, locks, point, killed, at });
                for left in &lane.left_lock {
                    let _ = left.compare_exchange(HAS, at, Release, Acquire);
                }
            }
            _ if role.is_consumer() => {
                let had = lane.had[0].load(Acquire);
                // Between these two it may have got a value without noting it, and so may an
                // earlier incarnation that noted none. An inline value may be got at any point,
                // because a get passes no crash point before.
                let open = matches!(point, Some(CrashPoint::GetValidated | CrashPoint::GetSeen))
                    || self.quarters.sizes[role.channel()] == Size::Inline;
                let latest = if open { self.latest(role.channel()) } else { 0 };
                let noted_none = lane.resumes_from.load(Acquire) == had;
                let before = if noted_none { lane.resumes_to.load(Acquire) } else { 0 };
                let most = had.max(latest).max(before);
                lane.resumes_from.store(had, Release);
                lane.resumes_to.store(most, Release);
            }
            _ => {}
        }
        self.check_regions();
        let pause = match self.random.u8(0..10) {
            0..=5 => self.random.u64(0..4_000_000),
            6..=8 => self.random.u64(4_000_000..15_000_000),
            // Sometimes longer than a slice: then a sleeper whose wake-up died with the producer
            // finds the value when the slice ends.
            _ if role == Role::Producer => self.random.u64(15_000_000..200_000_000),
            _ => self.random.u64(15_000_000..50_000_000),
        };
        self.crew[member].restart_at = clock::now() + pause;
        Ok(())
    }

    fn check_regions(&mut self) {
        for channel in 0..2 {
            // Read this first, so that the region can only be newer.
            let lane = self.crew[Role::Producer as usize].lane;
            let put = lane.had[channel].load(Acquire);
            let inode = self.inodes[channel];
            let checked =
                self.region(channel).and_then(|region| checks::region_in_use(&region, inode, put));
            if let Err(wrong) = checked {
                self.fail(wrong);
            }
        }
        for lock in 0..2 {
            let inode = self.lock_inodes[lock];
            let checked =
                self.lock(lock).and_then(|region| checks::region_in_use(&region, inode, 0));
            if let Err(wrong) = checked {
                self.fail(wrong);
            }
        }
    }

    /// Checks that a creator, a remover or a producer that grows leaves all or nothing.
    fn check_churned(&mut self, point: Option<CrashPoint>) {
        let path = machine::path_of(&self.quarters.names.of(2));
        let expected = match point {
            Some(CrashPoint::RemoveUnlinked | CrashPoint::RemoveRetired) => Some(false),
            Some(CrashPoint::RegionLinked) => Some(true),
            Some(point) if CrashPoint::EXCHANGES.contains(&point) => Some(true),
            _ => None, // it cannot be told whether before or after the instant
        };
        if expected.is_some_and(|expected| expected != path.exists()) {
            self.fail(format!(
                "the churner died at {point:?}: its name is there: {}",
                path.exists()
            ));
        }
        self.check_objects();
    }

    /// Stops somebody for a few milliseconds. Or stops a locker for longer as soon as it has a
    /// lock, so that the others time out.
    pub(super) fn stop_somebody(&mut self) {
        let free = |i: &usize| self.crew[*i].is_up() && self.crew[*i].continue_at.is_none();
        let up: Vec<usize> = (0..self.crew.len()).filter(free).collect();
        let Some(&member) = self.random.choice(&up) else {
            return;
        };
        let has = || self.crew[member].has_a_lock();
        let mut pause = self.random.u64(500_000..6_000_000);
        if self.crew[member].role.is_locker() {
            let until = clock::deadline(Duration::from_millis(5));
            while !has() && clock::now() < until {}
        }
        self.history.stopped(self.crew[member].role);
        self.crew[member].signal(Signal::SIGSTOP);
        self.report.stops += 1;
        // It may have released the lock before the signal came; then it sleeps for longer.
        if self.crew[member].has_a_lock() {
            pause = self.random.u64(5_000_000..60_000_000);
        }
        self.crew[member].continue_at = Some(clock::now() + pause);
    }
}
