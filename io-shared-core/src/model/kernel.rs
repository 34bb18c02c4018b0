//! What the protocols ask of the kernel: futexes, and claims that end with their owner. And what
//! the models ask of loom: to see conflicts that it would forget.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use loom::sync::{Mutex, MutexGuard};
use loom::thread::{self, Thread, ThreadId};

/// The blocked threads, to be woken together.
#[derive(Default)]
struct Queue(Vec<Sleeper>);

/// A blocked thread, in as many queues as it waits in.
#[derive(Clone)]
struct Sleeper {
    thread: Thread,
    /// Whether it was told. It is told once: loom would keep a second time for the next wait.
    told: Rc<Cell<bool>>,
}

impl Sleeper {
    fn current() -> Self {
        Self { thread: thread::current(), told: Rc::default() }
    }
}

impl Queue {
    /// Blocks until the next `wake`. Nothing can come between the unlock and the block: loom has no
    /// scheduling point there, and the kernel loses no wake-up between queueing a thread and its
    /// sleep.
    fn block<T>(mut state: MutexGuard<'_, T>, queue: impl FnOnce(&mut T) -> &mut Queue) {
        queue(&mut state).0.push(Sleeper::current());
        drop(state);
        thread::park();
    }

    fn wake(&mut self) -> usize {
        let woken = self.0.len();
        for sleeper in self.0.drain(..) {
            if !sleeper.told.replace(true) {
                sleeper.thread.unpark();
            }
        }
        woken
    }
}

/// FUTEX_WAIT and FUTEX_WAKE on one word.
///
/// The kernel keeps the sleepers of a word in a hash bucket under a spinlock. FUTEX_WAIT takes it,
/// reads the word, and queues itself if the word is as expected; FUTEX_WAKE takes it and unqueues.
/// A wake that finds nobody counted in the bucket leaves without the lock, but both sides have a
/// full barrier there (the waiter between counting itself and reading the word, the waker between
/// the caller's store and reading the count), so that the two orders are those of the lock: the
/// wake came first and the wait sees the new word, or the wait came first and is woken. A mutex has
/// these two orders and no third. It orders more than the kernel promises in memory, so a consumer
/// that slept could see a payload thanks to it. The scenarios without sleep find that.
///
/// Slices are off: only a wake ends a wait, until [`Futex::end_slices`].
pub(crate) struct Futex(Mutex<Sleepers>);

#[derive(Default)]
struct Sleepers {
    queue: Queue,
    /// The threads that wait until somebody sleeps.
    watchers: Queue,
    slices: bool,
}

impl Futex {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Sleepers::default()))
    }

    pub(crate) fn wait(&self, as_expected: impl FnOnce() -> bool) {
        let mut sleepers = self.0.lock().unwrap();
        if !sleepers.slices && as_expected() {
            sleepers.watchers.wake();
            Queue::block(sleepers, |sleepers| &mut sleepers.queue);
        }
    }

    /// FUTEX_WAITV: queues on one word after the other, unless one is not as expected, and sleeps
    /// until it is unqueued from one. Here it queues on all at once. A wake between two words is as
    /// if it came after the last one: either way the wait ends, and nothing is looked at before.
    pub(crate) fn wait_any(futexes: &[&Self], as_expected: impl FnOnce() -> bool) {
        let mut words: Vec<_> = futexes.iter().map(|futex| futex.0.lock().unwrap()).collect();
        if words.iter().any(|word| word.slices) || !as_expected() {
            return;
        }
        let me = Sleeper::current();
        words.iter_mut().for_each(|word| word.queue.0.push(me.clone()));
        drop(words);
        thread::park();
        for futex in futexes {
            futex.0.lock().unwrap().queue.0.retain(|other| !Rc::ptr_eq(&other.told, &me.told));
        }
    }

    pub(crate) fn wake(&self) -> usize {
        self.0.lock().unwrap().queue.wake()
    }

    /// Waits until somebody sleeps.
    pub(crate) fn await_sleeper(&self) {
        let sleepers = self.0.lock().unwrap();
        if sleepers.queue.0.is_empty() {
            Queue::block(sleepers, |sleepers| &mut sleepers.watchers);
        }
    }

    /// Ends the slice of every wait, now and later.
    pub(crate) fn end_slices(&self) {
        let mut sleepers = self.0.lock().unwrap();
        sleepers.slices = true;
        sleepers.queue.wake();
    }
}

/// One claim: a byte lock that the kernel frees when its owner is dead.
///
/// It synchronises as a mutex does: what the owner did before it died is seen by the next owner.
/// Each claim has a mutex of its own, so that claims order nothing among one another.
pub(crate) struct Claim(Mutex<Owner>);

#[derive(Default)]
struct Owner {
    process: Option<u32>,
    queue: Queue,
}

impl Claim {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Owner::default()))
    }

    /// As in the kernel, succeeds for a process that already has the claim.
    pub(crate) fn try_take(&self, process: u32) -> bool {
        let mut owner = self.0.lock().unwrap();
        *owner.process.get_or_insert(process) == process
    }

    /// Waits for the claim. The shipped code tries again for a while, and a burier or a dying owner
    /// keeps it for less than that.
    pub(crate) fn take(&self, process: u32) {
        loop {
            let mut owner = self.0.lock().unwrap();
            if owner.process.is_none() {
                owner.process = Some(process);
                return;
            }
            Queue::block(owner, |owner| &mut owner.queue);
        }
    }

    pub(crate) fn is_of(&self, process: u32) -> bool {
        self.0.lock().unwrap().process == Some(process)
    }

    /// Whether a process other than this one has it.
    pub(crate) fn is_anothers(&self, process: u32) -> bool {
        self.0.lock().unwrap().process.is_some_and(|owner| owner != process)
    }

    pub(crate) fn free(&self, process: u32) {
        let mut owner = self.0.lock().unwrap();
        if owner.process == Some(process) {
            owner.process = None;
            owner.queue.wake();
        }
    }
}

/// Tells loom that all threads that pass here conflict, so that it tries both orders. It orders
/// nothing in memory: the mutex is never free, and a failing try is a scheduling point and nothing
/// more.
///
/// Loom remembers only the last access to a word. When a word's writer has read it since another
/// thread did, loom does not see that the write and the other thread's read conflict, and leaves
/// out the order in which the write comes first. It also makes no scheduling point of a fence.
pub(crate) struct Conflict(Mutex<()>);

impl Conflict {
    pub(crate) fn new() -> Self {
        let taken = Mutex::new(());
        std::mem::forget(taken.lock().unwrap());
        Self(taken)
    }

    pub(crate) fn pass(&self) {
        assert!(self.0.try_lock().is_err());
    }
}

/// As [`Conflict`], for one word, and only between a load and the stores that make loom forget it;
/// loads do not conflict. Each thread that loads passes a conflict of its own, and a store passes
/// those of the threads that have loaded since the last store.
pub(crate) struct Loads {
    own: Vec<Conflict>,
    state: RefCell<Loaded>,
}

#[derive(Default)]
struct Loaded {
    threads: Vec<ThreadId>,
    since_store: Vec<usize>,
}

impl Loads {
    pub(crate) fn new() -> Self {
        Self {
            own: (0..loom::MAX_THREADS).map(|_| Conflict::new()).collect(),
            state: RefCell::default(),
        }
    }

    fn me(&self) -> usize {
        let me = thread::current().id();
        let threads = &mut self.state.borrow_mut().threads;
        threads.iter().position(|&thread| thread == me).unwrap_or_else(|| {
            threads.push(me);
            threads.len() - 1
        })
    }

    /// Does `load`, a load of the word.
    pub(crate) fn load<T>(&self, load: impl FnOnce() -> T) -> T {
        let me = self.me();
        self.own[me].pass();
        let value = load();
        let since_store = &mut self.state.borrow_mut().since_store;
        since_store.retain(|&thread| thread != me);
        since_store.push(me);
        value
    }

    /// To be called before a store or an exchange.
    pub(crate) fn store(&self) {
        let me = self.me();
        // Loom remembers the last load, and what comes until the store.
        let mut forgotten = std::mem::take(&mut self.state.borrow_mut().since_store);
        forgotten.pop();
        forgotten
            .iter()
            .filter(|&&thread| thread != me)
            .for_each(|&thread| self.own[thread].pass());
    }
}
