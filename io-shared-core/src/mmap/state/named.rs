//! A handle of typed state that follows its name: where the state was removed or replaced, it goes
//! on in the one that has the name then.
//!
//! The lock counts the writes, and a handle remembers the number that it has read last. A region
//! that is created begins with number 0, and so does the memory of a handle that is opened.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::mmap::handle::{Access, Handle, LockHold, Wait};
use crate::os::{clock, copy, nap};
use crate::region::{Location, Region, Spec};

/// How often one call opens the state anew: the new one may be removed again before it is locked.
const ATTEMPTS: usize = 8;
/// The longest pause between two looks for a state that is gone, in nanoseconds.
const LOOK_AGAIN: u64 = 20_000_000;

/// A handle of typed state, whatever its type.
pub(in crate::mmap) struct State {
    pub(in crate::mmap) handle: Handle,
    /// What opens it anew, if it has a name.
    opening: Option<Box<Opening>>,
}

/// How a state was opened.
struct Opening {
    location: Location,
    spec: Spec,
}

impl State {
    pub(in crate::mmap) fn open(location: Location, spec: Spec) -> Result<Self> {
        let handle = Handle::open(&location, &spec)?;
        let opening = location.path().is_some().then(|| Box::new(Opening { location, spec }));
        Ok(Self { handle, opening })
    }

    pub(in crate::mmap) fn region(&self) -> &Region {
        &self.handle.region
    }

    /// Whether another handle has finished a write since this handle's last read.
    pub(in crate::mmap) fn changed(&mut self) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            match self.handle.has_changed() {
                Err(error) if self.reopens_after(&error) => {
                    if self.region().is_gone() {
                        return Ok(false); // it is for a writer to create it
                    }
                    self.reopen(error)?;
                }
                changed => return changed,
            }
        }
        self.handle.has_changed()
    }

    /// Sleeps until [`changed`](Self::changed), for at most `timeout`.
    pub(in crate::mmap) fn wait_changed(&mut self, timeout: Duration) -> Result<()> {
        let deadline = clock::deadline(timeout);
        loop {
            match self.handle.await_change(deadline, timeout) {
                Err(error) if self.reopens_after(&error) => {
                    self.follow(error, deadline, timeout)?;
                }
                waited => return waited,
            }
        }
    }

    /// Opens the state that has the name now, or pauses before the next look if there is none.
    fn follow(&mut self, error: Error, deadline: u64, timeout: Duration) -> Result<()> {
        if !self.region().is_gone() {
            return self.reopen(error);
        }
        let left = deadline.saturating_sub(clock::now());
        if left == 0 {
            let waiting_for = "somebody to create it anew, since it was removed".into();
            let timeout = ErrorKind::Timeout { after: timeout, waiting_for };
            return Err(self.region().error(timeout));
        }
        nap::nap(Duration::from_nanos(left.min(LOOK_AGAIN)));
        Ok(())
    }

    /// Takes the lock, of the state that has the name now. Returns whether the content is dirty.
    #[inline(always)]
    pub(in crate::mmap) fn take(
        &mut self,
        access: Access,
        wait: Wait,
    ) -> Result<(LockHold<'_>, bool)> {
        let dirty = match self.handle.lock(access, wait) {
            Ok(dirty) => dirty,
            Err(error) => self.lock_anew(access, wait, error)?,
        };
        Ok((LockHold::of(&mut self.handle, access), dirty))
    }

    #[cold]
    fn lock_anew(&mut self, access: Access, wait: Wait, mut error: Error) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            self.reopen(error)?;
            match self.handle.lock(access, wait) {
                Err(again) => error = again,
                locked => return locked,
            }
        }
        Err(error)
    }

    /// Writes these bytes, which are a whole value, without looking at what there is.
    pub(in crate::mmap) fn set(&mut self, value: &[u8], wait: Wait) -> Result<()> {
        let (held, _) = self.take(Access::Write, wait)?;
        let unread = held.handle.unread();
        let length = value.len().min(held.handle.len());
        // SAFETY: the region's one buffer has that many bytes, and the lock keeps everybody else
        // away; the value's are the caller's and lie elsewhere.
        unsafe { copy::bytes(value.as_ptr(), held.handle.start(), length) };
        held.handle.mark_consistent();
        drop(held);
        // What it has written over, it has not read.
        if let Some(seen) = unread {
            self.handle.leave_unread(seen);
        }
        Ok(())
    }

    fn reopens_after(&self, error: &Error) -> bool {
        self.opening.is_some() && *error.kind() == ErrorKind::Replaced
    }

    /// Opens the state that has the name now, or creates it, if `error` says that this one was
    /// removed or replaced.
    #[cold]
    fn reopen(&mut self, error: Error) -> Result<()> {
        match &self.opening {
            Some(opening) if self.reopens_after(&error) => {
                self.handle = Handle::open(&opening.location, &opening.spec)?;
                Ok(())
            }
            _ => Err(error),
        }
    }
}
