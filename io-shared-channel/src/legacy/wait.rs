//! How a call waits: by looking again after naps of 50 us to 1 ms.
//!
//! The semaphores of a name may be replaced at any moment, and a process that sleeps in the old one
//! is woken by nobody. So nothing sleeps in a semaphore: each nap is followed by a look at the
//! names. (glibc 2.17 could not even sleep by the monotonic clock.) Naps of 1 ms cost less than 2 %
//! of a core.

use std::time::Duration;

use io_shared_core::legacy::{Found, Objects};
use io_shared_core::{Error, ErrorKind, LongWait, Result, clock, nap};
use nix::sys::signal::{SigSet, SigmaskHow};

use crate::interrupter::Interrupts;

/// The shortest and the longest nap, in nanoseconds.
const FIRST_NAP: u64 = 50_000;
const LONGEST_NAP: u64 = 1_000_000;

/// One call's wait.
#[derive(Debug)]
pub(super) struct Wait {
    began: u64,
    /// For how long, in nanoseconds; `None`: for ever.
    allowed: Option<u64>,
    next: u64,
    long: LongWait,
}

impl Wait {
    pub(super) fn new(timeout: Option<Duration>) -> Self {
        let began = clock::now();
        let allowed = timeout.map(|timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
        Self { began, allowed, next: FIRST_NAP, long: LongWait::since(began) }
    }

    /// Naps once. `what` is waited for.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] if the time is up, [`ErrorKind::Interrupted`].
    pub(super) fn nap(
        &mut self,
        name: &str,
        interrupts: &Interrupts,
        what: impl Fn() -> String,
    ) -> Result<()> {
        interrupts.check(name)?;
        let waited = clock::now().saturating_sub(self.began);
        let left = self.allowed.map_or(u64::MAX, |allowed| allowed.saturating_sub(waited));
        if left == 0 {
            let after = Duration::from_nanos(self.allowed.unwrap_or(waited));
            return Err(Error::new(name, ErrorKind::Timeout { after, waiting_for: what() }));
        }
        if self.long.is_due(self.began + waited) {
            tracing::warn!(object = name, "{name}: has waited for over a second for {}", what());
        }
        nap(Duration::from_nanos(self.next.min(left)));
        self.next = (2 * self.next).min(LONGEST_NAP);
        Ok(())
    }
}

/// What the calls on one handle have in common: how long semaphores are waited for.
#[derive(Debug)]
pub(super) struct Waits {
    pub(super) interrupts: Interrupts,
    pub(super) lock_timeout: Duration,
    /// For how many nanoseconds calls have waited for a semaphore that none has got yet.
    waited: u64,
    /// Since when only a part of the objects is there.
    part_since: Option<u64>,
    /// Whether an object may get its semaphores here, if it has none: bytes may have been used
    /// without a lock before.
    pub(super) locks_any: bool,
}

/// After this long, a part is not what a process leaves for a moment as it starts or ends: 100 ms.
const SETTLED: u64 = 100_000_000;

impl Waits {
    pub(super) fn new(lock_timeout: Duration) -> Self {
        let interrupts = Interrupts::default();
        Self { interrupts, lock_timeout, waited: 0, part_since: None, locks_any: false }
    }

    /// Waits until `attempt` has got the semaphore of that number. `None`: the names lead to other
    /// objects, or to none, by now.
    ///
    /// # Errors
    /// [`ErrorKind::LegacyLockStuck`] after the lock timeout, which counts on from call to call;
    /// those of [`Wait::nap`].
    pub(super) fn get<A>(
        &mut self,
        objects: &Objects,
        semaphore: usize,
        wait: &mut Wait,
        mut attempt: impl FnMut() -> Result<Option<A>>,
    ) -> Result<Option<A>> {
        let limit = u64::try_from(self.lock_timeout.as_nanos()).unwrap_or(u64::MAX);
        loop {
            if let Some(got) = attempt()? {
                self.waited = 0;
                return Ok(Some(got));
            }
            if self.waited >= limit {
                self.waited = 0;
                return Err(objects.stuck(semaphore, self.lock_timeout));
            }
            let what = || "the lock, which another program has".to_owned();
            let before = clock::now();
            let napped = wait.nap(&objects.name(), &self.interrupts, what);
            self.waited += clock::now().saturating_sub(before);
            napped?;
            if matches!(objects.look()?, Found::Others { .. } | Found::Nothing) {
                self.waited = 0;
                return Ok(None);
            }
        }
    }

    /// Opens the objects under the names, or creates them, if that needs no wait.
    ///
    /// # Errors
    /// Those of [`Objects::open`] and [`Objects::create`].
    pub(super) fn try_open(&mut self, objects: &mut Objects, size: u64) -> Result<()> {
        match self.open(objects, size, &mut Wait::new(Some(Duration::ZERO))) {
            Err(error) if matches!(error.kind(), ErrorKind::Timeout { .. }) => Ok(()),
            opened => opened,
        }
    }

    /// Waits until the objects under the names are open, and creates what is missing where that
    /// does no harm.
    ///
    /// # Errors
    /// Those of [`Objects::open`] and [`Objects::create`], and of [`Wait::nap`].
    pub(super) fn open(&mut self, objects: &mut Objects, size: u64, wait: &mut Wait) -> Result<()> {
        loop {
            let (found, now) = (objects.look()?, clock::now());
            if !matches!(found, Found::Part { .. }) {
                self.part_since = None;
            }
            match found {
                Found::Same => return Ok(()),
                Found::Others { .. } if objects.open()? => return Ok(()),
                Found::Others { .. } => {}
                Found::Nothing => {
                    objects.create(size)?;
                    continue;
                }
                Found::Part { has_object, has_semaphore } => {
                    let since = *self.part_since.get_or_insert(now);
                    let may_create = !has_object || self.locks_any && !has_semaphore;
                    if may_create && now.saturating_sub(since) >= SETTLED {
                        self.part_since = None;
                        objects.create(size)?;
                        continue;
                    }
                }
            }
            wait.nap(&objects.name(), &self.interrupts, || objects.missing())?;
        }
    }
}

/// The lock of a share of arrays. Dropping it gives it back. Meanwhile this thread takes no signal:
/// one that ends the process would leave the lock taken for ever.
#[derive(Debug)]
pub(super) struct Held<'a> {
    objects: &'a Objects,
    semaphore: usize,
    /// The signals that were blocked before.
    before: Option<SigSet>,
}

impl<'a> Held<'a> {
    /// Takes the lock, if it is free.
    pub(super) fn try_new(objects: &'a Objects, semaphore: usize) -> Result<Option<Self>> {
        // Before the lock is taken. If it fails, signals come as ever.
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK).ok();
        let taken = objects.try_take(semaphore);
        match taken {
            Ok(true) => Ok(Some(Self { objects, semaphore, before })),
            other => {
                restore(before.as_ref());
                other.map(|_| None)
            }
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // It fails only if there are too many to take already: then there is no lock.
        let _ = self.objects.give(self.semaphore);
        restore(self.before.as_ref());
    }
}

fn restore(before: Option<&SigSet>) {
    if let Some(before) = before {
        // It only fails for an invalid `how`.
        let _ = before.thread_set_mask();
    }
}
