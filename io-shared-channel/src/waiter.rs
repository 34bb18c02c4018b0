//! The process's waiting threads, which sleep for consumers and wake tasks.
//!
//! One thread is enough while at most [`Sleeper::MOST`] consumers wait at once; more threads are
//! started as needed. A thread with nothing to wait for sleeps until it is needed again. Threads do
//! not survive a fork, so a forked child starts its own.
//!
//! Sometimes no thread can be started, because of a limit on processes or a seccomp filter. An
//! existing thread then takes more consumers than it can sleep for, and looks at the rest every
//! millisecond. If there is no thread at all, whoever waits looks every millisecond itself.
//!
//! What must stay true: an entry ends when its waker is woken, which happens once, or when its
//! owner takes it out. The next time the thread runs after that, it keeps nothing of the entry's
//! consumer. Dropping the consumer waits for this, so a thread must not do anything long with a
//! consumer: it calls wakers and `tracing` subscribers only after it has let go.

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
use crate::required_producer::RequiredProducer;
use crate::waiting::SLICE;

static WAITERS: PerProcess<Mutex<Vec<Arc<Waiter>>>> = PerProcess::new();
static ENTRIES: AtomicU64 = AtomicU64::new(0);

/// The time between two looks at a consumer that no thread can sleep for, in nanoseconds.
pub(crate) const LOOK_AGAIN: u64 = 1_000_000;

/// One waiting thread's list.
#[derive(Default)]
struct Waiter {
    entries: Mutex<Vec<Entry>>,
    /// Rung when the list changes.
    bell: Bell,
}

/// A consumer that is waited for, and the waker of the task that waits.
struct Entry {
    number: u64,
    sleeper: Sleeper,
    waker: Waker,
    /// Whether the region was removed before the entry was made. Then no thread sleeps for it, and
    /// its owner is woken after each slice to look for the new region.
    gone: bool,
    /// Reports the wait once it lasts long; `None` if the owner reports it.
    long: Option<Arc<LongWait>>,
    /// What the consumer knows of the producer that it requires; `None` if it requires none.
    required: Option<Arc<RequiredProducer>>,
}

impl Entry {
    /// Whether the wait ends because the consumer has lost the producer that it requires.
    fn is_missing(&self) -> bool {
        self.required.as_ref().is_some_and(|required| required.ends_wait_of(&self.sleeper))
    }
}

/// An entry in a waiting thread's list. Dropping it takes the entry out.
pub(crate) struct Registration {
    waiter: Arc<Waiter>,
    number: u64,
    sleeper: Sleeper,
}

impl Registration {
    /// Has `waker` woken once, as soon as `sleeper` is ready. `None`: there is no thread to do it,
    /// and none can be started.
    pub(crate) fn new(
        sleeper: Sleeper,
        waker: &Waker,
        long: Option<&Arc<LongWait>>,
        required: Option<&Arc<RequiredProducer>>,
    ) -> Option<Self> {
        let number = ENTRIES.fetch_add(1, Relaxed);
        let entry = Entry {
            number,
            gone: sleeper.is_retired(),
            sleeper: sleeper.clone(),
            waker: waker.clone(),
            long: long.cloned(),
            required: required.cloned(),
        };
        let waiter = enter(entry)?;
        waiter.bell.ring();
        Some(Self { waiter, number, sleeper })
    }

    /// Whether the waker has not been woken yet.
    pub(crate) fn is_pending(&self) -> bool {
        lock(&self.waiter.entries).iter().any(|entry| entry.number == self.number)
    }

    /// The consumer that it waits for.
    #[cfg(feature = "async")]
    pub(crate) fn sleeper(&self) -> &Sleeper {
        &self.sleeper
    }

    /// Replaces the waker. `false`: the earlier one has been woken already.
    #[cfg(feature = "async")]
    pub(crate) fn renew(&self, waker: &Waker) -> bool {
        // The earlier waker is dropped after the lock is released: dropping a waker may end its
        // task, and with it another entry.
        let mut waker = waker.clone();
        let mut entries = lock(&self.waiter.entries);
        let entry = entries.iter_mut().find(|entry| entry.number == self.number);
        entry.map(|entry| mem::swap(&mut entry.waker, &mut waker)).is_some()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // A forked child inherits the parent's list, which may stay locked for ever.
        if self.sleeper.is_forked() {
            return;
        }
        let mut entries = lock(&self.waiter.entries);
        let index = entries.iter().position(|entry| entry.number == self.number);
        let entry = index.map(|index| entries.swap_remove(index));
        drop(entries);
        if entry.is_some() {
            // The thread has to let go of the consumer's claim as well.
            self.waiter.bell.ring();
        }
    }
}

/// Adds an entry to the first list with a free place, or else to a new thread's list. If no thread
/// can be started, it goes to the shortest list.
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
            static REPORTED: AtomicBool = AtomicBool::new(false);
            let shortest = waiters.iter().min_by_key(|waiter| lock(&waiter.entries).len()).cloned();
            if let Some(waiter) = &shortest {
                lock(&waiter.entries).push(entry);
            }
            drop(waiters);
            if !REPORTED.swap(true, Relaxed) {
                tracing::warn!(%error, "cannot start a waiting thread: waits look every 1 ms");
            }
            shortest
        }
    }
}

fn start(waiter: &Arc<Waiter>) -> std::io::Result<()> {
    let waiter = Arc::clone(waiter);
    // The new thread inherits this mask: signals are for the program's own threads.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let started = thread::Builder::new().name("io-shared-wait".into()).spawn(move || waiter.run());
    if let Ok(before) = before {
        // This cannot fail: the mask came from the kernel.
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
            // The entries are dropped before anybody is woken: a woken task may run for long, or
            // drop its consumer, and the consumer's claim must be free by then.
            let wakers: Vec<Waker> =
                self.take_due(slice_over).into_iter().map(|entry| entry.waker).collect();
            for waker in wakers {
                // The waker is the executor's code; if it panics, other waits must go on.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| waker.wake()));
            }
            if slice_over {
                self.report_long_waits(now);
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
            sleep_any(&borrowed, &[], Some((&self.bell, rung)), until);
            if idle {
                slice_ends = clock::now() + SLICE;
            }
        }
    }

    /// Reports the waits that have lasted long.
    fn report_long_waits(&self, now: u64) {
        let due = |entry: &&Entry| entry.long.as_ref().is_some_and(|long| long.is_due(now));
        let long: Vec<Sleeper> =
            lock(&self.entries).iter().filter(due).map(|entry| entry.sleeper.clone()).collect();
        let long = long.into_iter().map(|sleeper| Awaited::of(&sleeper));
        for awaited in long.collect::<Vec<_>>() {
            // The `tracing` subscriber is the program's code, and may panic.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| awaited.report()));
        }
    }

    /// Takes out the entries whose wakers have to be woken now.
    fn take_due(&self, slice_over: bool) -> Vec<Entry> {
        let mut entries = lock(&self.entries);
        let due = |entry: &mut Entry| {
            !entry.gone && entry.sleeper.is_ready()
                || slice_over && (entry.gone || entry.sleeper.is_replaced() || entry.is_missing())
        };
        entries.extract_if(.., due).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic under this lock leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
