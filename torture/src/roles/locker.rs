//! A locker: writes and reads what two locks guard, repairs what the dead have left, and checks all
//! of it.

use std::hint::black_box;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use io_shared::mmap::{MmapGuard, StateGuard, StateReadGuard};
use io_shared::{Bytes, BytesMut, Error, ErrorKind, LockError, Shared, SharedMmap};
use io_shared_core::clock;

use super::{Duty, LOCKERS_MOST, Role, failed};
use crate::ledger::Ledger;
use crate::machine::RunDelay;
use crate::page::{Event, EventKind, HAS, LockAccount, PutTimes};

/// The locker tells the parent about a wait that was longer than this.
const LONG: u64 = 15_000_000;

/// The typed state under a reader-writer lock (lock 0), and the bytes under a mutex (lock 1).
struct Locks {
    state: Shared<Ledger>,
    bytes: SharedMmap,
}

/// What a locker is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Write,
    Read,
    WriteBytes,
}

/// What is noted before a call, to judge its result.
struct Call {
    act: Act,
    /// `None`: for ever.
    patience: Option<Duration>,
    called: u64,
    delayed: u64,
    others_delayed: u64,
    /// How often a death was reported and repaired.
    told: u64,
}

/// A guard of either lock.
trait Guarding {
    fn ledger(&self) -> Result<&Ledger, String>;
    /// `None` for a reader.
    fn to_write(&mut self) -> Option<&mut Ledger>;
    fn mark_consistent(&self);
}

pub(super) fn run(duty: &mut Duty) -> Result<(), String> {
    let delay = RunDelay::of_this_thread();
    let before = duty.lane.delayed.load(Relaxed);
    duty.lane.delayed_before.store(before, Release);
    let mut locks = Locks::open(duty)?;
    duty.opened();
    loop {
        if duty.must_rest() {
            // A writer clears away what the dead have left.
            for act in [Act::Write, Act::WriteBytes] {
                locks.one(duty, &delay, act, None)?;
            }
            duty.rest();
        }
        if duty.random.u8(0..8) == 0 {
            locks.watch(duty)?;
        }
        let act = match duty.random.u8(0..10) {
            0..=3 => Act::Write,
            4..=6 => Act::Read,
            _ => Act::WriteBytes,
        };
        let patience = match duty.random.u8(0..20) {
            0 | 1 => Some(Duration::ZERO),
            2..=5 => Some(Duration::from_micros(duty.random.u64(0..40_000))),
            _ => None,
        };
        locks.one(duty, &delay, act, patience)?;
        duty.round();
        match duty.random.u16(0..400) {
            0 => {
                drop(locks);
                locks = Locks::open(duty)?;
            }
            1..=4 => duty.sleep_us(5_000..20_000),
            5..=150 => duty.sleep_us(50..2_000),
            _ => duty.spin(400),
        }
    }
}

impl Locks {
    fn open(duty: &Duty) -> Result<Self, String> {
        duty.lane.at_locks.store(0b11, Release);
        let [state, bytes] = [0, 1].map(|lock| duty.names.of_lock(lock));
        let state = Shared::named(state).handles(LOCKERS_MOST).open();
        let bytes = SharedMmap::named(bytes).size(size_of::<Ledger>() as u64);
        let locks = Self {
            state: state.map_err(failed("opening the state"))?,
            bytes: bytes.handles(LOCKERS_MOST).open().map_err(failed("opening the bytes"))?,
        };
        duty.lane.at_locks.store(0, Release);
        Ok(locks)
    }

    /// Waits for another to write the state, for some time.
    fn watch(&mut self, duty: &mut Duty) -> Result<(), String> {
        let patience = Duration::from_micros(duty.random.u64(0..40_000));
        let called = clock::now();
        match self.state.wait_changed(patience) {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::Timeout { .. }) => {
                let early = (called + patience.as_nanos() as u64).saturating_sub(clock::now());
                if early > 0 { Err(format!("timed out {early} ns too early")) } else { Ok(()) }
            }
            Err(error) => Err(format!("waiting for a change: {error}")),
        }
    }

    fn one(
        &mut self,
        duty: &mut Duty,
        delay: &RunDelay,
        act: Act,
        patience: Option<Duration>,
    ) -> Result<(), String> {
        let call = Call::new(duty, delay, act, patience);
        let lane = duty.lane;
        lane.at_locks.store(1 << act.lock(), Release);
        let done = match (act, patience) {
            (Act::Write, None) => call.had(duty, delay, self.state.write()),
            (Act::Write, Some(time)) => call.had(duty, delay, self.state.write_timeout(time)),
            (Act::Read, None) => call.had(duty, delay, self.state.read()),
            (Act::Read, Some(time)) => call.had(duty, delay, self.state.read_timeout(time)),
            (Act::WriteBytes, None) => call.had(duty, delay, self.bytes.lock()),
            (Act::WriteBytes, Some(time)) => call.had(duty, delay, self.bytes.lock_timeout(time)),
        };
        lane.left_lock[act.lock()].store(clock::now(), Release);
        lane.at_locks.store(0, Release);
        done.map_err(|wrong| format!("{act:?}: {wrong}"))
    }
}

impl Act {
    fn lock(self) -> usize {
        usize::from(self == Self::WriteBytes)
    }
}

impl Call {
    fn new(duty: &Duty, delay: &RunDelay, act: Act, patience: Option<Duration>) -> Self {
        let delayed = delay.so_far();
        let before = duty.lane.delayed_before.load(Relaxed);
        duty.lane.delayed.store(before + delayed, Release);
        let others = Role::LOCKERS.iter().filter(|role| **role != duty.role);
        Self {
            act,
            patience,
            delayed,
            others_delayed: others.map(|role| duty.page.lane(*role).delayed.load(Acquire)).sum(),
            told: duty.page.locks[act.lock()].told.load(Acquire),
            called: clock::now(),
        }
    }

    /// The result of a call.
    fn had<G: Guarding>(
        &self,
        duty: &mut Duty,
        delay: &RunDelay,
        given: Result<G, LockError<G>>,
    ) -> Result<(), String> {
        let returned = clock::now();
        let (mut guard, dirty) = match given {
            Ok(guard) => (guard, false),
            Err(LockError::OwnerDied(guard)) => (guard, true),
            Err(LockError::Failed(error)) => return self.not_had(duty, delay, returned, &error),
        };
        duty.lane.left_lock[self.act.lock()].store(HAS, Release);
        if returned - self.called > LONG {
            self.post(duty, delay, EventKind::LockWait, (self.called, returned), false);
        } else {
            duty.lane.longest.fetch_max(returned - self.called, Relaxed);
        }
        let account = &duty.page.locks[self.act.lock()];
        self.judge(duty, account, guard.ledger()?, dirty)?;
        let leave_it = dirty && !duty.must_rest() && duty.random.u8(0..4) == 0;
        match guard.to_write() {
            Some(ledger) if !leave_it => {
                // A repair completes the unfinished write.
                let number = account.begun.load(Relaxed) + u64::from(!dirty);
                account.begun.store(number, Release);
                let salt = duty.random.u64(..);
                ledger.write(number, salt, |_| duty.dawdle())?;
                if dirty {
                    account.repaired(duty.page.locker_deaths.load(Acquire));
                    guard.mark_consistent();
                    duty.lane.repairs.fetch_add(1, Relaxed);
                }
                duty.lane.values.fetch_add(1, Relaxed);
            }
            _ => {
                let before = (guard.ledger()?.sum(), guard.ledger()?.writer);
                duty.dawdle();
                let after = black_box(guard.ledger()?);
                if (after.sum(), after.writer) != before {
                    return Err("the content changed under a guard that had it".into());
                }
                duty.lane.reads.fetch_add(1, Relaxed);
            }
        }
        Ok(())
    }

    /// The content must be whole and as it was last written, unless a writer is said to have died.
    /// If that is said, a writer must have died.
    fn judge(
        &self,
        duty: &Duty,
        account: &LockAccount,
        ledger: &Ledger,
        dirty: bool,
    ) -> Result<(), String> {
        let begun = account.begun.load(Acquire);
        let number = ledger.number;
        let told = account.told.load(Acquire);
        if dirty {
            if ledger.writer == 0 {
                ledger.verify()?;
            }
            if number != begun && number + 1 != begun {
                return Err(format!("a death took record {begun} back to {number}"));
            }
            if told.is_multiple_of(2) {
                // There may be other readers; one of them counts it.
                let _ = account.told.compare_exchange(told, told + 1, Release, Relaxed);
                let deaths = duty.page.locker_deaths.load(Acquire);
                if deaths == account.deaths.load(Acquire) {
                    return Err("a writer is said to have died, and none was killed".into());
                }
            }
            return Ok(());
        }
        if ledger.writer != 0 {
            return Err(format!("{} was in the middle, and nobody says so", ledger.writer));
        }
        ledger.verify().map_err(|wrong| format!("nobody says so, but {wrong}"))?;
        if number != begun {
            return Err(format!("record {number}, though {begun} was begun, and nobody says so"));
        }
        if told == self.told && !told.is_multiple_of(2) {
            return Err("a writer's death was told, and is not any more, without a repair".into());
        }
        Ok(())
    }

    fn not_had(
        &self,
        duty: &Duty,
        delay: &RunDelay,
        returned: u64,
        error: &Error,
    ) -> Result<(), String> {
        let (Some(patience), ErrorKind::Timeout { .. }) = (self.patience, error.kind()) else {
            return Err(error.to_string());
        };
        duty.lane.timeouts.fetch_add(1, Relaxed);
        let due = self.called + patience.as_nanos() as u64;
        if returned < due {
            return Err(format!("timed out {} ns too early", due - returned));
        }
        if returned - due > LONG {
            self.post(duty, delay, EventKind::Overslept, (due, returned), true);
        }
        if returned - self.called > LONG {
            self.post(duty, delay, EventKind::LockWait, (self.called, returned), true);
        }
        Ok(())
    }

    /// Tells the parent about a wait, and who had the lock meanwhile. After a wait that timed out,
    /// that may be somebody who had the lock and not yet its guard.
    fn post(
        &self,
        duty: &Duty,
        delay: &RunDelay,
        kind: EventKind,
        (called, returned): (u64, u64),
        in_vain: bool,
    ) {
        let lock = self.act.lock();
        let (mut left, mut inside) = (0, 0);
        for role in Role::LOCKERS.into_iter().filter(|role| *role != duty.role) {
            let lane = duty.page.lane(role);
            let calls = in_vain && lane.at_locks.load(Acquire) & 1 << lock != 0;
            match lane.left_lock[lock].load(Acquire) {
                at if at != HAS && !calls => left = at.max(left),
                _ => inside |= 1 << role as u32,
            }
        }
        duty.lane.post(Event {
            kind,
            called,
            returned,
            sequence: lock as u64,
            put: PutTimes { began: left, ended: inside },
            delayed: delay.so_far() - self.delayed,
            late: self.others_delayed,
        });
    }
}

impl LockAccount {
    /// Notes, under the lock, that nothing is half-written any more. `deaths` is the count so far:
    /// a death that has not ended may still come.
    fn repaired(&self, deaths: u64) {
        self.deaths.store(deaths & !1, Release);
        let told = self.told.load(Relaxed);
        self.told.store(told + told % 2, Release);
    }
}

impl Duty {
    /// Pauses in the middle of a write or a read.
    fn dawdle(&mut self) {
        match self.random.u16(0..300) {
            0 => self.sleep_us(3_000..12_000),
            1..=9 => self.sleep_us(50..1_000),
            _ => self.spin(600),
        }
    }
}

impl Guarding for StateGuard<'_, Ledger> {
    fn ledger(&self) -> Result<&Ledger, String> {
        Ok(self)
    }

    fn to_write(&mut self) -> Option<&mut Ledger> {
        Some(self)
    }

    fn mark_consistent(&self) {
        StateGuard::mark_consistent(self);
    }
}

impl Guarding for StateReadGuard<'_, Ledger> {
    fn ledger(&self) -> Result<&Ledger, String> {
        Ok(self)
    }

    fn to_write(&mut self) -> Option<&mut Ledger> {
        None
    }

    fn mark_consistent(&self) {}
}

impl Guarding for MmapGuard<'_> {
    fn ledger(&self) -> Result<&Ledger, String> {
        bytemuck::try_from_bytes(self.as_bytes()).map_err(|error| error.to_string())
    }

    fn to_write(&mut self) -> Option<&mut Ledger> {
        bytemuck::try_from_bytes_mut(self.as_bytes_mut()).ok()
    }

    fn mark_consistent(&self) {
        MmapGuard::mark_consistent(self);
    }
}
