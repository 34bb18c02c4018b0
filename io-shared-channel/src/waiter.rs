//! The process's waiting threads: they sleep for consumers, and wake tasks.
//!
//! There is one as long as no more than [`Sleeper::MOST`] consumers wait at once; further ones are
//! started as they are needed. A thread with nothing to wait for sleeps without end. None outlives a
//! fork, so a forked child has a set of its own.
//!
//! Where no thread can be started (a limit on processes, a seccomp filter), one that there is takes
//! more than it can sleep for, and looks at the rest every millisecond; with none at all, whoever
//! waits looks as often by itself.
//!
//! What must stay true: an entry is woken once and is gone then, or taken out by who made it; and
//! as soon as the thread runs after either, nothing of its consumer is left with it. The consumer's
//! drop waits for that, so nothing that a thread does with a consumer may take long: wakers and
//! subscribers are called when it has let go.

#[cfg(feature = "async")]
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;

use io_shared_core::slot::{Bell, Sleeper, sleep_any};
use io_shared_core::{LongWait, PerProcess, clock};
use nix::sys::signal::{SigSet, SigmaskHow};

use crate::long_wait::Awaited;
use crate::waiting::SLICE;

static WAITERS: PerProcess<Mutex<Vec<Arc<Waiter>>>> = PerProcess::new();
static ENTRIES: AtomicU64 = AtomicU64::new(0);

/// How often is looked at what nobody can sleep for, in nanoseconds.
pub(crate) const LOOK_AGAIN: u64 = 1_000_000;

/// One waiting thread's list.
#[derive(Default)]
struct Waiter {
    entries: Mutex<Vec<Entry>>,
    /// Rung when the list has changed.
    bell: Bell,
}

/// A consumer that is waited for, and whom to wake.
struct Entry {
    number: u64,
    sleeper: Sleeper,
    waker: Waker,
    /// Whether its region was gone when it was entered: its owner looks for another at each slice,
    /// and nobody sleeps for it.
    gone: bool,
    /// To be told of, unless its owner tells.
    long: Option<Arc<LongWait>>,
}

/// An entry in a waiting thread's list, as long as this is not dropped.
pub(crate) struct Registration {
    waiter: Arc<Waiter>,
    number: u64,
    sleeper: Sleeper,
}

impl Registration {
    /// Has `waker` woken once as soon as `sleeper` is ready; at once if it is. `None`: there is no
    /// thread for it, and none can be started.
    pub(crate) fn new(
        sleeper: Sleeper,
        waker: &Waker,
        long: Option<&Arc<LongWait>>,
    ) -> Option<Self> {
        let number = ENTRIES.fetch_add(1, Relaxed);
        let entry = Entry {
            number,
            gone: sleeper.is_retired(),
            sleeper: sleeper.clone(),
            waker: waker.clone(),
            long: long.cloned(),
        };
        let waiter = enter(entry)?;
        waiter.bell.ring();
        Some(Self { waiter, number, sleeper })
    }

    /// Whether the waker is still to be woken.
    pub(crate) fn is_pending(&self) -> bool {
        lock(&self.waiter.entries).iter().any(|entry| entry.number == self.number)
    }

    /// What it waits for.
    #[cfg(feature = "async")]
    pub(crate) fn sleeper(&self) -> &Sleeper {
        &self.sleeper
    }

    /// Has `waker` woken instead. `false`: the one before was woken already.
    #[cfg(feature = "async")]
    pub(crate) fn renew(&self, waker: &Waker) -> bool {
        // What is dropped is the one before, and behind the lock: a waker's drop may end its task, and
        // with it an entry.
        let mut waker = waker.clone();
        let mut entries = lock(&self.waiter.entries);
        let entry = entries.iter_mut().find(|entry| entry.number == self.number);
        entry.map(|entry| mem::swap(&mut entry.waker, &mut waker)).is_some()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // An inherited list is the parent's, and may be locked for ever.
        if self.sleeper.is_forked() {
            return;
        }
        let mut entries = lock(&self.waiter.entries);
        let location = entries.iter().position(|entry| entry.number == self.number);
        let entry = location.map(|location| entries.swap_remove(location));
        drop(entries);
        if entry.is_some() {
            // So that the thread gives up the consumer's claim, too.
            self.waiter.bell.ring();
        }
    }
}

/// Enters it in the first list that has room, or in a new thread's; if there can be none, in the
/// shortest list.
fn enter(entry: Entry) -> Option<Arc<Waiter>> {
    let mut waiters = lock(WAITERS.get(Mutex::default));
    for waiter in &*waiters {
        let mut entries = lock(&waiter.entries);
        if entries.len() < Sleeper::MOST {
            entries.push(entry);
            return Some(Arc::clone(waiter));
        }
    }
    let waiter = Arc::new(Waiter::default());
    match start(&waiter) {
        Ok(()) => {
            lock(&waiter.entries).push(entry);
            waiters.push(Arc::clone(&waiter));
            Some(waiter)
        }
        Err(error) => {
            static TOLD: AtomicBool = AtomicBool::new(false);
            let shortest = waiters.iter().min_by_key(|waiter| lock(&waiter.entries).len()).cloned();
            if let Some(waiter) = &shortest {
                lock(&waiter.entries).push(entry);
            }
            drop(waiters);
            if !TOLD.swap(true, Relaxed) {
                tracing::warn!(%error, "no waiting thread can be started: waits look every 1 ms");
            }
            shortest
        }
    }
}

fn start(waiter: &Arc<Waiter>) -> std::io::Result<()> {
    let waiter = Arc::clone(waiter);
    // It inherits the mask: signals are for the program's own threads.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let started = thread::Builder::new().name("io-shared-wait".into()).spawn(move || waiter.run());
    if let Ok(before) = before {
        // It cannot fail: the mask is one that the kernel gave.
        let _ = before.thread_set_mask();
    }
    started.map(drop)
}

impl Waiter {
    fn run(&self) {
        let mut slice_ends = clock::now() + SLICE;
        loop {
            let rung = self.bell.count();
            let now = clock::now();
            let slice_over = now >= slice_ends;
            if slice_over {
                slice_ends = now + SLICE;
            }
            // Its entries are let go of before anybody is woken: who is woken may take long, or drop
            // its consumer, whose claim is free then.
            let wakers: Vec<Waker> =
                self.take_due(slice_over).into_iter().map(|entry| entry.waker).collect();
            for waker in wakers {
                // A waker is the executor's; its panic must not end the waits of others.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| waker.wake()));
            }
            if slice_over {
                self.tell_of_long(now);
            }
            let (mut sleepers, idle) = {
                let entries = lock(&self.entries);
                let living = entries.iter().filter(|entry| !entry.gone);
                (living.map(|entry| entry.sleeper.clone()).collect::<Vec<_>>(), entries.is_empty())
            };
            let until = match (idle, sleepers.len() > Sleeper::MOST) {
                (true, _) => u64::MAX,
                (_, true) => slice_ends.min(clock::now() + LOOK_AGAIN),
                _ => slice_ends,
            };
            sleepers.truncate(Sleeper::MOST);
            let borrowed: Vec<_> = sleepers.iter().map(Sleeper::as_sleeper).collect();
            sleep_any(&borrowed, Some((&self.bell, rung)), until);
            if idle {
                slice_ends = clock::now() + SLICE;
            }
        }
    }

    /// Says what is waited for, of those that have waited long.
    fn tell_of_long(&self, now: u64) {
        let due = |entry: &&Entry| entry.long.as_ref().is_some_and(|long| long.is_due(now));
        let long: Vec<Sleeper> =
            lock(&self.entries).iter().filter(due).map(|entry| entry.sleeper.clone()).collect();
        let long = long.into_iter().map(|sleeper| Awaited::of(&sleeper));
        for awaited in long.collect::<Vec<_>>() {
            // A subscriber is the program's.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| awaited.tell()));
        }
    }

    /// Takes out whoever is to be woken.
    fn take_due(&self, slice_over: bool) -> Vec<Entry> {
        let mut entries = lock(&self.entries);
        let due = |entry: &mut Entry| {
            !entry.gone && entry.sleeper.is_ready()
                || slice_over && (entry.gone || entry.sleeper.is_replaced())
        };
        entries.extract_if(.., due).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked in here has left nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
