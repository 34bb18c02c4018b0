//! One handle of a locked region: its claim on a slot, its position, and how it takes and gives
//! back the lock.
//!
//! `lock.rs` has the lock itself. This file adds what a handle must find out around it: whether the
//! process has forked, whether the region was removed, whether the handle still has its slot, and
//! after a second, whom it waits for.

use std::io::{self, SeekFrom};
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::bytes;
use crate::error::{Error, ErrorKind, Holder, Result};
use crate::lock::{self, LockFault, LockWords, Locker};
use crate::os::claim::Part;
use crate::os::clock;
use crate::os::long_wait::LongWait;
use crate::region::{self, Kind, Location, Region, Role, Side, Spec, Watch};

/// A handle of a lock: its region, its slot and its position.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) region: Region,
    locker: Locker,
    pub(super) position: u64,
    watch: Watch,
    /// Whether this handle found, on giving back a lock, that it had lost it to another.
    robbed: bool,
    /// Whether it ever gave the lock back after a write.
    wrote: bool,
    /// The number of the last write that it has read, or made. At first it has read nothing: what
    /// was written before it opened is a change.
    seen: u64,
    /// Whether its opening created the region.
    created: bool,
}

/// How long to wait for a lock.
#[derive(Clone, Copy)]
pub(super) enum Wait {
    Ever,
    No,
    /// Until this time, which is so long after the call.
    Until(u64, Duration),
}

impl Wait {
    /// For at most `timeout` from now; 0 tries once.
    #[inline]
    pub(super) fn within(timeout: Duration) -> Self {
        Self::Until(clock::deadline(timeout).max(1), timeout)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// What a timeout says was waited for.
const THE_LOCK: &str = "the lock";
const A_WRITE: &str = "a write by another handle";

impl Handle {
    pub(super) fn open(location: &Location, spec: &Spec) -> Result<Self> {
        let attached = region::attach(location, &Role::Locker, spec)?;
        match attached.side {
            Side::Locker(locker) => Ok(Self {
                region: attached.region,
                locker,
                position: 0,
                watch: Watch::new(),
                robbed: false,
                wrote: false,
                // The initial value is the creator's own.
                seen: u64::from(attached.created && spec.initial.is_some()),
                created: attached.created,
            }),
            _ => Err(location.error(ErrorKind::NotFound)),
        }
    }

    /// Takes the lock, and returns whether the content is dirty.
    // Always inlined: a call costs 30 instructions more.
    #[inline(always)]
    pub(super) fn lock(&mut self, access: Access, wait: Wait) -> Result<bool> {
        let now = clock::now_coarse();
        self.look(now)?;
        let until = match wait {
            Wait::Ever => u64::MAX,
            Wait::No => 0,
            Wait::Until(until, _) => until,
        };
        // At first only until a wait is long enough to be reported.
        let mut locked = self.lock_until(access, until.min(now.saturating_add(LongWait::LONG)));
        if matches!(locked, Err(LockFault::Blocked)) {
            locked = self.lock_long(access, until);
        }
        match locked {
            // The handle may have lost its slot during the wait.
            Ok(()) if self.is_lost() => {
                self.unlock(access);
                Err(self.lost())
            }
            Ok(()) => {
                if access == Access::Read {
                    // Before the look at the dirty flag: who counts a death has raised that.
                    self.seen = self.locker.writes(&self.region);
                }
                Ok(self.locker.is_dirty(&self.region))
            }
            Err(fault) => Err(self.refused(fault, wait, THE_LOCK)),
        }
    }

    #[inline]
    fn lock_until(&self, access: Access, until: u64) -> std::result::Result<(), LockFault> {
        match access {
            Access::Read => self.locker.read(&self.region, until),
            Access::Write => self.locker.lock(&self.region, until),
        }
    }

    /// Continues a wait that has taken a second, and reports it; or ends one whose time is over.
    #[cold]
    fn lock_long(&self, access: Access, until: u64) -> std::result::Result<(), LockFault> {
        if until <= clock::now() {
            return Err(LockFault::Blocked);
        }
        let holders: Vec<String> = self.holders().map(|holder| holder.to_string()).collect();
        tracing::warn!(
            region = self.region.name(),
            "has waited for over a second for the lock of {}; who has it: {}",
            self.region.name(),
            if holders.is_empty() { "nobody any more".to_owned() } else { holders.join("; ") },
        );
        self.lock_until(access, until)
    }

    /// The other handles that write, wait for readers to leave, or read.
    fn holders(&self) -> impl Iterator<Item = Holder> {
        let region = &self.region;
        // Relaxed: they are only reported.
        let writer = lock::owner(region.word().load(Relaxed));
        let reads = |slot: &usize| region.reading(*slot).load(Relaxed) != 0;
        let readers =
            (0..region.used_slots()).filter(move |slot| region.has_readers() && reads(slot));
        let own = self.locker.slot;
        let others = writer.into_iter().chain(readers).filter(move |slot| *slot != own);
        others.filter(|slot| *slot < region.slots()).map(|slot| region.holder(Part::Consumer(slot)))
    }

    #[cold]
    fn refused(&self, fault: LockFault, wait: Wait, waiting_for: &'static str) -> Error {
        if fault == LockFault::Gone && !self.region.has_claims() {
            return self.region.claims_lost();
        }
        self.region.error(match (fault, wait) {
            (LockFault::WouldDeadlock, _) => ErrorKind::WouldDeadlock,
            (LockFault::Gone, _) => self.region.unless_damaged(ErrorKind::Replaced),
            (LockFault::Corrupt(what), _) => ErrorKind::Corrupt { what: what.to_owned() },
            (LockFault::Blocked, Wait::Until(_, after)) => {
                ErrorKind::Timeout { after, waiting_for: waiting_for.into() }
            }
            (LockFault::Blocked, _) => ErrorKind::WouldBlock,
        })
    }

    /// Whether this handle has lost its slot: other code has closed its descriptor, and with it its
    /// claim, and the slot is another's or was treated as a dead one's.
    #[inline]
    fn is_lost(&self) -> bool {
        // Relaxed: no data is read because of this.
        let taken = self.region.taken(self.locker.slot).load(Relaxed);
        self.robbed || taken as u32 != self.locker.incarnation()
    }

    #[cold]
    fn lost(&self) -> Error {
        self.region.slot_lost(self.locker.slot)
    }

    #[inline]
    pub(super) fn unlock(&mut self, access: Access) {
        // An inherited guard belongs to the parent.
        if !self.region.is_forked() {
            let had = match access {
                // If the flag is clear, a writer that found the claim free has cleared it. If the
                // slot is another's, so is the flag.
                Access::Read => {
                    let had =
                        !self.is_lost() && self.region.reading(self.locker.slot).load(Relaxed) != 0;
                    if had {
                        self.locker.unread(&self.region);
                    }
                    had
                }
                Access::Write => match self.locker.unlock(&self.region) {
                    Some(number) => {
                        self.wrote = true;
                        self.seen = number;
                        true
                    }
                    None => false,
                },
            };
            self.robbed |= !had;
        }
    }

    /// Whether its opening created the region.
    pub(super) fn created(&self) -> bool {
        self.created
    }

    /// The number of the last write that this handle has read, or made, if there was another
    /// since. The caller has the lock.
    pub(super) fn unread(&self) -> Option<u64> {
        (self.locker.writes(&self.region) != self.seen).then_some(self.seen)
    }

    /// Takes up again that this handle has read no write after number `seen`.
    pub(super) fn leave_unread(&mut self, seen: u64) {
        self.seen = seen;
    }

    /// Whether there was a write since this handle's last one, or last reading.
    pub(super) fn has_changed(&self) -> Result<bool> {
        self.look(clock::now_coarse())?;
        let changed = self.locker.has_changed(&self.region, self.seen);
        changed.map_err(|fault| self.refused(fault, Wait::No, THE_LOCK))
    }

    /// Waits until [`has_changed`](Self::has_changed), until `until`, which is `after` so long.
    pub(super) fn await_change(&self, until: u64, after: Duration) -> Result<()> {
        let now = clock::now();
        self.look(now)?;
        let wait = |until| self.locker.await_change(&self.region, self.seen, until);
        // At first only until the wait is long enough to be reported.
        let mut changed = wait(until.min(now.saturating_add(LongWait::LONG)));
        if changed == Err(LockFault::Blocked) && clock::now() < until {
            tracing::warn!(
                region = self.region.name(),
                "has waited for over a second for a write to {} (other handles: {}): is the \
                 program that writes it running, and is the name right?",
                self.region.name(),
                self.others_here(),
            );
            changed = wait(until);
        }
        match changed {
            // The handle may have lost its slot during the wait.
            Ok(()) if self.is_lost() => Err(self.lost()),
            changed => {
                changed.map_err(|fault| self.refused(fault, Wait::Until(until, after), A_WRITE))
            }
        }
    }

    /// Checks that this handle may go on, and looks at the region's name if that is due at `now`.
    #[inline]
    fn look(&self, now: u64) -> Result<()> {
        self.region.check_fork()?;
        self.watch.check(&self.region)?;
        self.watch.look(&self.region, now)?;
        if self.is_lost() { Err(self.lost()) } else { Ok(()) }
    }

    /// How many other handles of the region there are.
    fn others_here(&self) -> usize {
        let others = (0..self.region.used_slots()).filter(|slot| *slot != self.locker.slot);
        others.filter(|slot| self.region.is_taken(Part::Consumer(*slot)).unwrap_or(true)).count()
    }

    /// Writes the content to its file, with a checksum, once no writer has the lock.
    pub(super) fn flush(&self) -> Result<()> {
        if self.region.survives_reboot() {
            self.check_slot()?;
            self.seal(u64::MAX).map_err(|fault| self.refused(fault, Wait::Ever, THE_LOCK))?;
        }
        self.region.flush()
    }

    fn check_slot(&self) -> Result<()> {
        self.region.check_fork()?;
        if self.is_lost() { Err(self.lost()) } else { Ok(()) }
    }

    /// Writes the content to its file, with a checksum, for the writer that has the lock.
    pub(super) fn flush_written(&self) -> Result<()> {
        self.check_slot()?;
        self.region.seal_content();
        self.region.flush()
    }

    /// Writes the checksum of the content under the lock, for which it waits until `until`.
    fn seal(&self, until: u64) -> std::result::Result<(), LockFault> {
        let region = &self.region;
        if region.layout().kind == Kind::Mmap {
            self.locker.lock(region, until)?;
            region.seal_content();
            self.locker.unlock(region);
        } else {
            self.locker.read(region, until)?;
            region.seal_content();
            self.locker.unread(region);
        }
        Ok(())
    }

    pub(super) fn mark_consistent(&self) {
        if !self.region.is_forked() && !self.is_lost() {
            self.locker.mark_consistent(&self.region);
        }
    }

    /// Marks the content as half-written: a panic passes through the writer's guard, or the writer
    /// says so.
    pub(super) fn mark_dirty(&self) {
        if !self.region.is_forked() && !self.is_lost() {
            self.locker.mark_dirty(&self.region);
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.region.layout().capacity as usize
    }

    pub(super) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.region.as_fd()
    }

    #[inline]
    pub(super) fn start(&self) -> *mut u8 {
        self.region.payload(0)
    }

    pub(super) fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = bytes::seek(self.region.name(), self.position, to, self.len())?;
        Ok(self.position)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let is_due = self.wrote && self.region.survives_reboot() || self.region.is_unsealed();
        if is_due && !self.region.is_forked() && !self.is_lost() {
            // If another handle has the lock now, that one writes the checksum later.
            let _ = self.seal(0);
        }
    }
}

/// A lock that this handle has; dropping it gives the lock back.
#[derive(Debug)]
pub(super) struct LockHold<'a> {
    pub(super) handle: &'a mut Handle,
    access: Access,
    was_panicking: bool,
}

impl<'a> LockHold<'a> {
    /// Takes the lock, and returns whether the content is dirty.
    // Always inlined, as are its callers: otherwise the result is assembled in memory and read back
    // in one piece, which costs as much as an atomic exchange.
    #[inline(always)]
    pub(super) fn take(handle: &'a mut Handle, access: Access, wait: Wait) -> Result<(Self, bool)> {
        let dirty = handle.lock(access, wait)?;
        Ok((Self::of(handle, access), dirty))
    }

    /// The lock that `handle` has just taken.
    #[inline(always)]
    pub(super) fn of(handle: &'a mut Handle, access: Access) -> Self {
        Self { handle, access, was_panicking: std::thread::panicking() }
    }
}

impl Drop for LockHold<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.access == Access::Write && !self.was_panicking && std::thread::panicking() {
            self.handle.mark_dirty();
        }
        self.handle.unlock(self.access);
    }
}
