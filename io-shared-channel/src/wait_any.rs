//! Waiting for the first of many consumers, of whatever types.
//!
//! As a get waits (`waiting.rs`): a spin over all of them, then sleeps in slices. One thread sleeps
//! for [`Sleeper::MOST`] consumers; for the others of a longer list the process's waiting threads do,
//! and ring this one's bell. Where there are none, it looks at the others in between.

use std::hint;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use io_shared_core::slot::{Bell, BorrowedSleeper, Sleeper, sleep_any};
use io_shared_core::{Error, ErrorKind, LongWait, Result, clock};

use crate::any_consumer::AnyConsumer;
use crate::any_consumer::sealed::Parts;
use crate::long_wait::{Awaited, tell_of_all};
use crate::waiter::{LOOK_AGAIN, Registration};
use crate::waiting::SLICE;

/// Which consumers of a [`wait_any`] have something to get, by their places in its list. Never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready(Vec<usize>);

impl Ready {
    /// Whether the consumer at that place has.
    pub fn contains(&self, location: usize) -> bool {
        self.0.binary_search(&location).is_ok()
    }

    /// Their places, from the first on.
    pub fn iter(&self) -> std::iter::Copied<std::slice::Iter<'_, usize>> {
        self.0.iter().copied()
    }
}

impl IntoIterator for Ready {
    type Item = usize;
    type IntoIter = std::vec::IntoIter<usize>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Ready {
    type Item = usize;
    type IntoIter = std::iter::Copied<std::slice::Iter<'a, usize>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Waits until at least one of `consumers` has something to get, for at most `timeout`; 0 tries once.
/// [`Duration::MAX`] is as long as it takes.
///
/// It takes no value: [`try_get`](crate::Consumer::try_get) does. A consumer whose channel was removed or
/// replaced, or whose slot is another's, has something, too: its get says so, or reopens it (one
/// that reopens is named every 100 ms until it could). Consumers may be of different types, and as
/// many as one likes; beyond 127 a thread waits for each further 127, which stays with the process
/// for the next time (where none can be started, this one looks at the rest every millisecond).
///
/// A wait of over a second says so once, by a `tracing` warning: for what, and how many of the
/// channels have a producer.
///
/// # Errors
/// [`ErrorKind::Timeout`]; [`ErrorKind::BadOption`] if the list is empty;
/// [`ErrorKind::ForkedHandle`].
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let (a, b) = (format!("/doc-any-a-{}", std::process::id()), format!("/doc-any-b-{}", std::process::id()));
/// use std::time::Duration;
/// let mut speed = io_shared::consumer::<f64>(&a)?;
/// let mut gear = io_shared::consumer::<u8>(&b)?;
/// # io_shared::producer::<f64>(&a)?.put(&13.9)?;
/// let ready = io_shared::wait_any(&[&speed, &gear], Duration::from_secs(1))?;
/// if ready.contains(0) && let Some(speed) = speed.try_get()? {
///     println!("{} m/s", *speed);
/// }
/// if ready.contains(1) && let Some(gear) = gear.try_get()? {
///     println!("gear {}", *gear);
/// }
/// # assert_eq!(ready.iter().collect::<Vec<_>>(), [0]);
/// # io_shared::Channel::remove(&a)?;
/// # io_shared::Channel::remove(&b)
/// # }
/// ```
pub fn wait_any(consumers: &[&dyn AnyConsumer], timeout: Duration) -> Result<Ready> {
    let parts: Vec<Parts<'_>> = consumers.iter().map(|consumer| consumer.parts()).collect();
    if parts.is_empty() {
        return Err(nobody());
    }
    for part in &parts {
        if let Err(error) = part.slot.check()
            && *error.kind() != ErrorKind::Replaced
        {
            return Err(error);
        }
    }
    if let Some(ready) = look(&parts, false).or_else(|| spin(&parts)) {
        return Ok(ready);
    }
    let deadline = clock::deadline(timeout);
    let mut sleep: Option<Sleep<'_>> = None;
    let long = LongWait::since(clock::now());
    loop {
        let now = clock::now();
        if now >= deadline {
            return look(&parts, true).ok_or_else(|| timed_out(&parts, timeout));
        }
        let until = deadline.min(now.saturating_add(SLICE));
        sleep.get_or_insert_with(|| Sleep::new(&parts)).sleep(until);
        let woken = clock::now();
        let slice_over = woken >= until;
        if slice_over {
            for part in &parts {
                // What it finds out, `look` asks.
                let _ = part.slot.check();
            }
        }
        if let Some(ready) = look(&parts, slice_over) {
            for location in &ready {
                parts[location].patience.slept(parts[location].slot, woken - now);
            }
            return Ok(ready);
        }
        if long.is_due(woken) {
            let awaited: Vec<_> = parts.iter().map(|part| Awaited::of_slot(part.slot)).collect();
            tell_of_all(&names(&parts), &awaited);
        }
    }
}

/// Who has something to get. A consumer that reopens, and whose channel is gone, only if it is `late`:
/// its get may find nothing there yet, and its user must not go round and round for that.
fn look(parts: &[Parts<'_>], late: bool) -> Option<Ready> {
    let ready = |part: &Parts<'_>| match part.reopens && !late {
        true => part.slot.has_unseen() || part.slot.is_lost(),
        false => part.slot.is_ready(),
    };
    let places =
        parts.iter().enumerate().filter(|(_, part)| ready(part)).map(|(location, _)| location);
    let places: Vec<usize> = places.collect();
    (!places.is_empty()).then_some(Ready(places))
}

/// As many looks as the most patient of them would have by itself.
fn spin(parts: &[Parts<'_>]) -> Option<Ready> {
    let budget = parts.iter().map(|part| part.patience.budget()).max().unwrap_or(0);
    for _ in 0..budget / parts.len().min(u32::MAX as usize) as u32 {
        if let Some(ready) = look(parts, false) {
            ready.iter().for_each(|location| parts[location].patience.spun(true));
            return Some(ready);
        }
        hint::spin_loop();
    }
    parts.iter().for_each(|part| part.patience.spun(false));
    None
}

/// The sleeps of one wait.
struct Sleep<'a> {
    /// For whom this thread sleeps itself.
    own: Vec<BorrowedSleeper<'a>>,
    /// For whom others do.
    others: Vec<(Sleeper, Option<Registration>)>,
    bell: Arc<Ringer>,
    waker: Waker,
}

/// A bell that is rung by waking a task.
#[derive(Default)]
struct Ringer(Bell);

impl Wake for Ringer {
    fn wake(self: Arc<Self>) {
        self.0.ring();
    }
}

impl<'a> Sleep<'a> {
    fn new(parts: &[Parts<'a>]) -> Self {
        let (own, others) = parts.split_at(parts.len().min(Sleeper::MOST));
        let own = own.iter().map(|part| part.slot.as_sleeper()).collect();
        let others = others.iter().map(|part| (part.slot.sleeper(), None)).collect();
        let bell = Arc::new(Ringer::default());
        Self { own, others, waker: Waker::from(Arc::clone(&bell)), bell }
    }

    fn sleep(&mut self, until: u64) {
        // A region that is gone wakes nobody, and nobody sleeps for it. (Its consumer reopens; else
        // the wait would be over.)
        self.own.retain(|sleeper| !sleeper.is_retired());
        self.others.retain(|(sleeper, _)| !sleeper.is_retired());
        let rung = self.bell.0.count();
        let mut is_helped = true;
        for (sleeper, registration) in &mut self.others {
            // One that has fired is over.
            if !registration.as_ref().is_some_and(Registration::is_pending) {
                *registration = Registration::new(sleeper.clone(), &self.waker, None);
                is_helped &= registration.is_some();
            }
        }
        let alone = self.own.is_empty() || !self.others.is_empty();
        let bell = alone.then_some((&self.bell.0, rung));
        if is_helped {
            sleep_any(&self.own, bell, until);
            return;
        }
        loop {
            let now = clock::now();
            if now >= until || self.is_any_ready() {
                return;
            }
            sleep_any(&self.own, bell, until.min(now.saturating_add(LOOK_AGAIN)));
        }
    }

    fn is_any_ready(&self) -> bool {
        self.own.iter().any(BorrowedSleeper::is_ready)
            || self.others.iter().any(|(sleeper, _)| sleeper.is_ready())
    }
}

#[cold]
fn nobody() -> Error {
    let (option, expected) = ("consumers", "at least one consumer to wait for".into());
    Error::new("wait_any", ErrorKind::BadOption { option, found: "none".into(), expected })
}

/// The first few.
fn names(parts: &[Parts<'_>]) -> String {
    let names: Vec<&str> = parts.iter().take(3).map(|part| part.slot.name()).collect();
    let more = match parts.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names.join(", ") + &more
}

#[cold]
fn timed_out(parts: &[Parts<'_>], after: Duration) -> Error {
    let waiting_for = "a value not had before in any of them".into();
    Error::new(names(parts), ErrorKind::Timeout { after, waiting_for })
}
