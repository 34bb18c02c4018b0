//! The process's waiting threads: they sleep for consumers, and wake tasks.
//!
//! There is one as long as no more than [`Sleeper::MOST`] consumers wait at once; further ones are
//! started as they are needed. A thread with nothing to wait for sleeps without end. None outlives a
//! fork, so a forked child has a set of its own.
//!
//! What must stay true: an entry is woken once and is gone then, or taken out by who made it; and
//! soon after either nothing of its consumer is left with the thread.

#[cfg(feature = "async")]
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;

use io_shared_core::slot::{Bell, Sleeper, sleep_any};
use io_shared_core::{Error, ErrorKind, PerProcess, Result, clock};
use nix::sys::signal::{SigSet, SigmaskHow};

use crate::waiting::SLICE;

static WAITERS: PerProcess<Mutex<Vec<Arc<Waiter>>>> = PerProcess::new();
static ENTRIES: AtomicU64 = AtomicU64::new(0);

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
}

/// An entry in a waiting thread's list, as long as this is not dropped.
pub(crate) struct Registration {
    waiter: Arc<Waiter>,
    number: u64,
    sleeper: Sleeper,
}

impl Registration {
    /// Has `waker` woken once as soon as `sleeper` is ready; at once if it is.
    pub(crate) fn new(sleeper: Sleeper, waker: &Waker) -> Result<Self> {
        let number = ENTRIES.fetch_add(1, Relaxed);
        let entry = Entry {
            number,
            gone: sleeper.is_retired(),
            sleeper: sleeper.clone(),
            waker: waker.clone(),
        };
        let waiter = enter(entry)?;
        waiter.bell.ring();
        Ok(Self { waiter, number, sleeper })
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
        let place = entries.iter().position(|entry| entry.number == self.number);
        let entry = place.map(|place| entries.swap_remove(place));
        drop(entries);
        if entry.is_some() {
            // So that the thread gives up the consumer's claim, too.
            self.waiter.bell.ring();
        }
    }
}

/// Enters it in the first list that has room, or in a new thread's.
fn enter(entry: Entry) -> Result<Arc<Waiter>> {
    let mut waiters = lock(WAITERS.get(Mutex::default));
    for waiter in &*waiters {
        let mut entries = lock(&waiter.entries);
        if entries.len() < Sleeper::MOST {
            entries.push(entry);
            return Ok(Arc::clone(waiter));
        }
    }
    let waiter = Arc::new(Waiter::default());
    start(&waiter)?;
    lock(&waiter.entries).push(entry);
    waiters.push(Arc::clone(&waiter));
    Ok(waiter)
}

fn start(waiter: &Arc<Waiter>) -> Result<()> {
    let waiter = Arc::clone(waiter);
    // It inherits the mask: signals are for the program's own threads.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let started = thread::Builder::new().name("io-shared-wait".into()).spawn(move || waiter.run());
    if let Ok(before) = before {
        // It cannot fail: the mask is one that the kernel gave.
        let _ = before.thread_set_mask();
    }
    started.map(drop).map_err(|error| {
        let errno = error.raw_os_error().unwrap_or(0);
        Error::new("waiting thread", ErrorKind::System { call: "pthread_create", errno })
    })
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
            for Entry { sleeper, waker, .. } in self.take_due(slice_over) {
                // Who is woken may drop its consumer, whose claim is free then.
                drop(sleeper);
                // A waker is the executor's; its panic must not end the waits of others.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| waker.wake()));
            }
            let (sleepers, idle) = {
                let entries = lock(&self.entries);
                let living = entries.iter().filter(|entry| !entry.gone);
                (living.map(|entry| entry.sleeper.clone()).collect::<Vec<_>>(), entries.is_empty())
            };
            let until = if idle { u64::MAX } else { slice_ends };
            let borrowed: Vec<_> = sleepers.iter().map(Sleeper::as_sleeper).collect();
            sleep_any(&borrowed, Some((&self.bell, rung)), until);
            if idle {
                slice_ends = clock::now() + SLICE;
            }
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
