//! Waiting for the first of many consumers, of any types.
//!
//! The wait works like that of a get (`waiting.rs`): it spins over all consumers, then sleeps in
//! slices. This thread sleeps for [`Sleeper::MOST`] consumers. For the rest of a longer list, the
//! process's waiting threads (`waiter.rs`) sleep and ring this thread's bell. If those cannot be
//! started, this thread looks at the rest every millisecond.

use std::hint;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use io_shared_core::slot::{Bell, BorrowedSleeper, Interrupt, Sleeper, sleep_any};
use io_shared_core::{Error, ErrorKind, LongWait, Result, clock};

use crate::any_consumer::AnyConsumer;
use crate::any_consumer::sealed::Parts;
use crate::long_wait::{Awaited, report_all};
use crate::waiter::{LOOK_AGAIN, Registration};
use crate::waiting::SLICE;

/// How many interrupts end the sleep of one wait; others are found when a slice ends.
const MOST_INTERRUPTS: usize = 63;

/// Which consumers of a [`wait_any`] have something to get, by their indices in its list. There is
/// always at least one.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-ready-{}", std::process::id());
/// use std::time::Duration;
/// # io_shared::producer::<f64>(name)?.put(&13.9)?;
/// let speed = io_shared::consumer::<f64>(name)?;
/// let ready = io_shared::wait_any(&[&speed], Duration::from_secs(1))?;
/// for index in &ready {
///     println!("consumer {index} has a new value");
/// }
/// assert!(ready.contains(0));
/// # io_shared::remove(name)
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready(Vec<usize>);

impl Ready {
    /// Whether the consumer with this index has something to get.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-contains-{}", std::process::id());
    /// use std::time::Duration;
    /// # io_shared::producer::<f64>(name)?.put(&13.9)?;
    /// let speed = io_shared::consumer::<f64>(name)?;
    /// let ready = io_shared::wait_any(&[&speed], Duration::from_secs(1))?;
    /// assert!(ready.contains(0));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn contains(&self, index: usize) -> bool {
        self.0.binary_search(&index).is_ok()
    }

    /// The indices of the consumers that have something to get, in ascending order.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let (a, b) = ("doc-iter-a", "doc-iter-b");
    /// # let (a, b) = [a, b].map(|name| format!("/{name}-{}", std::process::id())).into();
    /// use std::time::Duration;
    /// let (speed, gear) = (io_shared::consumer::<f64>(&a)?, io_shared::consumer::<u8>(&b)?);
    /// # io_shared::producer::<u8>(&b)?.put(&3)?;
    /// let ready = io_shared::wait_any(&[&speed, &gear], Duration::from_secs(1))?;
    /// assert_eq!(ready.iter().collect::<Vec<_>>(), [1]);
    /// # io_shared::remove(&a)?;
    /// # io_shared::remove(&b)
    /// # }
    /// ```
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

/// Waits until at least one of `consumers` has something to get, for at most `timeout`. A timeout
/// of 0 tries once; [`Duration::MAX`] waits without a limit.
///
/// This takes no value: call [`try_get`](crate::Consumer::try_get) on each consumer that is ready.
/// A consumer whose channel was replaced, or whose slot was lost, is ready too: its get opens the
/// new channel, which may be empty, or reports what happened. So is one with
/// [`.reopen(false)`](crate::Channel::reopen) whose channel was removed. Others go on waiting until
/// there is a new channel. Ready is, too, a consumer that
/// [requires a producer](crate::Channel::requires_producer) and has lost it: its get says so.
///
/// The consumers may have different types, and there may be any number of them. For each 127 beyond
/// the first 127, the process keeps one thread that waits for them. Where no thread can be started,
/// this thread looks at those consumers every millisecond.
///
/// A wait that exceeds a second writes one `tracing` warning, which says what it waits for and how
/// many of the channels have a producer.
///
/// # Errors
/// [`ErrorKind::Timeout`]; [`ErrorKind::Interrupted`] if an
/// [`interrupter`](crate::Consumer::interrupter) of one of them ended the wait, which then names
/// that one; [`ErrorKind::BadOption`] if the list is empty; [`ErrorKind::ForkedHandle`].
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let (a, b) = ("doc-any-a", "doc-any-b");
/// # let (a, b) = [a, b].map(|name| format!("/{name}-{}", std::process::id())).into();
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
/// # io_shared::remove(&a)?;
/// # io_shared::remove(&b)
/// # }
/// ```
#[doc(alias = "select")]
#[doc(alias = "poll")]
#[doc(alias = "WaitSet")]
#[doc(alias = "futex_waitv")]
pub fn wait_any(consumers: &[&dyn AnyConsumer], timeout: Duration) -> Result<Ready> {
    let parts: Vec<Parts<'_>> = consumers.iter().map(|consumer| consumer.parts()).collect();
    if parts.is_empty() {
        return Err(no_consumers());
    }
    check_all(&parts)?;
    if let Some(ready) = look(&parts, Some(clock::now_coarse()))
        .or_else(|| spin(&parts))
        .or_else(|| ready_of(&parts, is_without_producer))
    {
        return Ok(ready);
    }
    let deadline = clock::deadline(timeout);
    let long = LongWait::since(clock::now());
    sleep_for(&parts, deadline, Some(&long))?.ok_or_else(|| timed_out(&parts, timeout))
}

/// Sleeps as [`wait_any`] does after it has spun, until one of `consumers` is ready or until
/// `until`.
///
/// # Errors
/// [`ErrorKind::Interrupted`], [`ErrorKind::ForkedHandle`].
pub(crate) fn sleep(consumers: &[&dyn AnyConsumer], until: u64) -> Result<()> {
    let parts: Vec<Parts<'_>> = consumers.iter().map(|consumer| consumer.parts()).collect();
    check_all(&parts)?;
    match look(&parts, Some(clock::now_coarse())) {
        Some(_) => Ok(()),
        None => sleep_for(&parts, until, None).map(drop),
    }
}

/// Finds out which channels were replaced.
fn check_all(parts: &[Parts<'_>]) -> Result<()> {
    for part in parts {
        if let Err(error) = part.slot.check()
            && *error.kind() != ErrorKind::Replaced
        {
            return Err(error);
        }
    }
    Ok(())
}

/// Sleeps until a consumer is ready; `None` if none is until `deadline`. Reports a `long` wait.
fn sleep_for(parts: &[Parts<'_>], deadline: u64, long: Option<&LongWait>) -> Result<Option<Ready>> {
    let mut sleep: Option<Sleep<'_>> = None;
    loop {
        for part in parts {
            part.interrupts.check(part.slot.name())?;
        }
        let now = clock::now();
        if now >= deadline {
            return Ok(ready_of(parts, |part| is_ready(part) || is_replaced(part)));
        }
        let until = deadline.min(now.saturating_add(SLICE));
        let before = stale(parts);
        sleep.get_or_insert_with(|| Sleep::new(parts)).sleep(until);
        let woken = clock::now();
        // A channel that grows wakes its consumers, and has a value for them.
        let grown = || match stale(parts) > before {
            true => ready_of(parts, is_replaced),
            false => None,
        };
        if let Some(ready) = look(parts, Some(woken)).or_else(grown) {
            for index in &ready {
                parts[index].patience.slept(parts[index].slot, woken - now);
            }
            return Ok(Some(ready));
        }
        if long.is_some_and(|long| long.is_due(woken)) {
            let awaited: Vec<_> = parts.iter().map(|part| Awaited::of_slot(part.slot)).collect();
            report_all(&names(parts), &awaited);
        }
    }
}

/// Which consumers are ready. With the time `now`, also those of which a look at the file system or
/// at a claim tells it. Such a look is due once in a slice for each consumer, also if each wait is
/// over sooner, because others are ready or signals come.
fn look(parts: &[Parts<'_>], now: Option<u64>) -> Option<Ready> {
    ready_of(parts, |part| {
        let is_due = now.is_some_and(|now| part.patience.is_look_due(now));
        if is_due {
            // `is_stale` says what this finds.
            let _ = part.slot.check();
        }
        is_ready(part) || is_due && (is_replaced(part) || is_without_producer(part))
    })
}

/// The consumers that `is_ready` says it of; `None` if there are none.
fn ready_of(parts: &[Parts<'_>], is_ready: impl Fn(&Parts<'_>) -> bool) -> Option<Ready> {
    let indices = parts.iter().enumerate().filter(|(_, part)| is_ready(part));
    let indices: Vec<usize> = indices.map(|(index, _)| index).collect();
    (!indices.is_empty()).then_some(Ready(indices))
}

/// Whether a get would return at once, apart from opening another channel.
fn is_ready(Parts { slot, reopens, .. }: &Parts<'_>) -> bool {
    match reopens {
        true => slot.has_unseen() || slot.is_lost(),
        false => slot.is_ready(),
    }
}

/// Whether a get would open the channel that has replaced this one. Something has its name, but the
/// get may not be able to open that yet, and its user must not call it over and over.
fn is_replaced(Parts { slot, reopens, .. }: &Parts<'_>) -> bool {
    *reopens && slot.is_stale() && !slot.is_gone()
}

/// How many channels are known to be removed or replaced.
fn stale(parts: &[Parts<'_>]) -> usize {
    parts.iter().filter(|part| part.slot.is_stale()).count()
}

/// Whether the consumer has lost the producer that it requires.
fn is_without_producer(part: &Parts<'_>) -> bool {
    part.required.is_some_and(|required| required.check(part.slot).is_err())
}

/// Spins over all consumers, for as long as the one with the largest budget would spin alone.
fn spin(parts: &[Parts<'_>]) -> Option<Ready> {
    let budget = parts.iter().map(|part| part.patience.budget()).max().unwrap_or(0);
    for _ in 0..budget / parts.len().min(u32::MAX as usize) as u32 {
        if let Some(ready) = look(parts, None) {
            ready.iter().for_each(|index| parts[index].patience.spun(true));
            return Some(ready);
        }
        hint::spin_loop();
    }
    parts.iter().for_each(|part| part.patience.spun(false));
    None
}

/// The sleeps of one wait.
struct Sleep<'a> {
    /// The consumers that this thread sleeps for itself.
    own: Vec<BorrowedSleeper<'a>>,
    /// The consumers that waiting threads sleep for.
    others: Vec<(Sleeper, Option<Registration>)>,
    /// No other thread sleeps on these.
    interrupts: Vec<&'a Interrupt>,
    bell: Arc<Ringer>,
    waker: Waker,
}

/// A waker that rings a bell.
#[derive(Default)]
struct Ringer(Bell);

impl Wake for Ringer {
    fn wake(self: Arc<Self>) {
        self.0.ring();
    }
}

impl<'a> Sleep<'a> {
    fn new(parts: &[Parts<'a>]) -> Self {
        let interrupts = parts.iter().filter_map(|part| part.interrupts.get());
        let interrupts: Vec<_> = interrupts.take(MOST_INTERRUPTS).collect();
        let (own, others) = parts.split_at(parts.len().min(Sleeper::MOST - interrupts.len()));
        let own = own.iter().map(|part| part.slot.as_sleeper()).collect();
        let others = others.iter().map(|part| (part.slot.sleeper(), None)).collect();
        let bell = Arc::new(Ringer::default());
        Self { own, others, interrupts, waker: Waker::from(Arc::clone(&bell)), bell }
    }

    fn sleep(&mut self, until: u64) {
        // A removed region wakes nobody, so nobody sleeps for it. (Its consumer reopens; otherwise
        // the wait would be over.)
        self.own.retain(|sleeper| !sleeper.is_retired());
        self.others.retain(|(sleeper, _)| !sleeper.is_retired());
        let rung = self.bell.0.count();
        let mut is_helped = true;
        for (sleeper, registration) in &mut self.others {
            // A registration whose waker was woken is used up.
            if !registration.as_ref().is_some_and(Registration::is_pending) {
                *registration = Registration::new(sleeper.clone(), &self.waker, None, None);
                is_helped &= registration.is_some();
            }
        }
        let alone = self.own.is_empty() || !self.others.is_empty();
        let bell = alone.then_some((&self.bell.0, rung));
        if is_helped {
            sleep_any(&self.own, &self.interrupts, bell, until);
            return;
        }
        loop {
            let now = clock::now();
            if now >= until || self.is_any_ready() {
                return;
            }
            let look = until.min(now.saturating_add(LOOK_AGAIN));
            sleep_any(&self.own, &self.interrupts, bell, look);
        }
    }

    fn is_any_ready(&self) -> bool {
        self.own.iter().any(BorrowedSleeper::is_ready)
            || self.others.iter().any(|(sleeper, _)| sleeper.is_ready())
    }
}

#[cold]
fn no_consumers() -> Error {
    let (option, expected) = ("consumers", "at least one consumer to wait for".into());
    Error::new("wait_any", ErrorKind::BadOption { option, found: "none".into(), expected })
}

/// The names of the first few channels, and how many more there are.
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
    let waiting_for = "a new value in any of them".into();
    Error::new(names(parts), ErrorKind::Timeout { after, waiting_for })
}
