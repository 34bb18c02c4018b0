//! How a get proceeds: what it does while there is nothing, and what ends it.

use std::sync::Arc;
use std::time::Duration;

use io_shared_core::binding::{CopyTarget, read_ahead};
use io_shared_core::slot::{self, Guard, Slot, Wanted, Which};
use io_shared_core::{Error, ErrorKind, Message, Result, Spec, clock};

use crate::interrupter::Interrupts;
use crate::options::Options;
use crate::required_producer::RequiredProducer;
use crate::waiting::Patience;

/// The longest that one attempt to reopen waits.
const SLICE: Duration = Duration::from_millis(100);

/// How long a get waits: until `deadline`, which is `timeout` after its call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) deadline: u64,
    pub(super) timeout: Duration,
}

/// What ends a wait besides a value and its deadline.
#[derive(Clone, Copy)]
pub(super) struct Ends<'a> {
    pub(super) required: &'a Option<Arc<RequiredProducer>>,
    pub(super) interrupts: &'a Interrupts,
}

/// What a get waits for, and what it does meanwhile.
pub(crate) trait Awaits {
    /// Whether it reports a long wait itself.
    const REPORTS: bool = false;

    /// The tag of the value. Values with other tags are received, and forgotten.
    #[inline]
    fn tag(&self) -> Option<u64> {
        None
    }

    /// Does any work that can be done before the value is complete. Returns whether it did some.
    #[inline]
    fn work(&mut self, _slot: &mut Slot<slot::Consumer>) -> bool {
        false
    }

    /// Looks around before each wait. An error ends the get.
    #[inline]
    fn look(&mut self, _slot: &Slot<slot::Consumer>) -> Result<()> {
        Ok(())
    }

    /// Says why the time is over. Without an error it is a timeout of the channel.
    #[inline]
    fn too_late(&mut self, _slot: &Slot<slot::Consumer>) -> Result<()> {
        Ok(())
    }
}

impl<A: Awaits> Awaits for &mut A {
    const REPORTS: bool = A::REPORTS;

    fn tag(&self) -> Option<u64> {
        A::tag(self)
    }

    fn work(&mut self, slot: &mut Slot<slot::Consumer>) -> bool {
        A::work(self, slot)
    }

    fn look(&mut self, slot: &Slot<slot::Consumer>) -> Result<()> {
        A::look(self, slot)
    }

    fn too_late(&mut self, slot: &Slot<slot::Consumer>) -> Result<()> {
        A::too_late(self, slot)
    }
}

/// Any value.
pub(super) struct Any;

impl Awaits for Any {}

/// Any value, which is copied to memory of the caller's while its producer writes it.
pub(super) struct ReadAhead<'t, 'm> {
    pub(super) target: &'t mut CopyTarget<'m>,
}

impl Awaits for ReadAhead<'_, '_> {
    #[inline]
    fn work(&mut self, slot: &mut Slot<slot::Consumer>) -> bool {
        read_ahead(slot, self.target)
    }
}

/// A get. Calls `reopened` once it has opened another channel.
// Always inlined, as is `acquire`: a call would return seven words.
#[inline(always)]
pub(super) fn get_from<'s, T: Message + ?Sized, A: Awaits>(
    slot: &'s mut Slot<slot::Consumer>,
    options: &Options,
    patience: &mut Patience,
    ends: Ends<'_>,
    wait: Wait,
    mut awaits: A,
    mut reopened: impl FnMut(&Slot<slot::Consumer>),
) -> Result<Guard<'s, T>> {
    let Wait { deadline, timeout } = wait;
    let Ends { required, interrupts } = ends;
    let mut is_gone = false;
    patience.start();
    let wanted = Wanted { tag: awaits.tag(), ..Which::Unseen.into() };
    let held = slot.acquire::<T>(wanted, |slot, nothing| {
        let goes_on = match nothing {
            Ok(()) => {
                check(required, slot)?;
                interrupts.check(slot.name())?;
                awaits.look(slot)?;
                if A::REPORTS {
                    patience.hush();
                }
                patience.wait(slot, deadline, interrupts.get(), |slot| awaits.work(slot))
            }
            Err(error) => {
                if matches!(error.kind(), ErrorKind::Busy { .. }) {
                    std::thread::yield_now();
                } else {
                    // Before the look at the name: a producer that goes on in a new channel leaves
                    // this one only when the new one has the name.
                    let checked = check_this(required, slot);
                    is_gone = !reopen_or::<T>(slot, options, error, deadline)?;
                    if is_gone {
                        checked?;
                        interrupts.check(slot.name())?;
                        awaits.look(slot)?;
                        if !A::REPORTS {
                            patience.gone(slot);
                        }
                    } else {
                        reopened(slot);
                    }
                }
                clock::now() < deadline
            }
        };
        if !goes_on {
            awaits.too_late(slot)?;
        }
        Ok(goes_on)
    })?;
    match held {
        Some(guard) => {
            patience.got(size_of_val(&*guard));
            Ok(guard)
        }
        None => Err(timed_out(options, timeout, is_gone)),
    }
}

/// A get that does not wait. Calls `reopened` once it has opened another channel.
#[inline(always)]
pub(super) fn try_from<'s, T: Message + ?Sized>(
    slot: &'s mut Slot<slot::Consumer>,
    options: &Options,
    required: &Option<Arc<RequiredProducer>>,
    wanted: Wanted,
    mut reopened: impl FnMut(&Slot<slot::Consumer>),
) -> Result<Option<Guard<'s, T>>> {
    let required = if wanted.which == Which::Unseen { required } else { &None };
    slot.acquire::<T>(wanted, |slot, nothing| match nothing {
        Ok(()) => check(required, slot).map(|()| false),
        Err(error) => follow::<T>(slot, options, required, error, &mut reopened),
    })
}

/// Whether a get that does not wait is to try again after `error`, in another channel.
#[cold]
fn follow<T: Message + ?Sized>(
    slot: &mut Slot<slot::Consumer>,
    options: &Options,
    required: &Option<Arc<RequiredProducer>>,
    error: Error,
    reopened: &mut impl FnMut(&Slot<slot::Consumer>),
) -> Result<bool> {
    let checked = check_this(required, slot);
    match reopen_or::<T>(slot, options, error, 0)? {
        true => {
            reopened(slot);
            Ok(true)
        }
        false => checked.map(|()| false),
    }
}

/// Ends a get that found nothing, if the channel has lost the producer that its user requires.
#[inline]
fn check(required: &Option<Arc<RequiredProducer>>, slot: &Slot<slot::Consumer>) -> Result<()> {
    required.as_ref().map_or(Ok(()), |required| required.check(slot))
}

/// The same, if the channel was removed or replaced and the consumer cannot follow.
fn check_this(required: &Option<Arc<RequiredProducer>>, slot: &Slot<slot::Consumer>) -> Result<()> {
    required.as_ref().map_or(Ok(()), |required| required.check_this(slot))
}

/// Opens the channel that has replaced this one, if `error` says so and the user did not refuse,
/// and returns whether it is there by now. Any other `error` is returned as it is.
#[cold]
pub(super) fn reopen_or<T: Message + ?Sized>(
    slot: &mut Slot<slot::Consumer>,
    options: &Options,
    error: Error,
    deadline: u64,
) -> Result<bool> {
    if !options.reopens_after(&error) {
        return Err(error);
    }
    let options = &options.reopening(slot.schema());
    // One slice at a time, so that the caller's deadline holds.
    let left = Duration::from_nanos(deadline.saturating_sub(clock::now())).min(SLICE);
    let spec = Spec {
        // Without a capacity it never creates the channel: others may know more of its options.
        capacity: None,
        open_timeout: Some(left),
        patience: Some(left),
        comes_from: Some(slot.place()),
        ..options.spec::<T>()?
    };
    match open(options, &spec) {
        Ok(new) => {
            slot.replace_by(new);
            Ok(true)
        }
        Err(error) => match error.kind() {
            // The new channel is not there yet, or is just being created.
            ErrorKind::NotFound | ErrorKind::Busy { .. } => Ok(false),
            ErrorKind::Mismatch { holders, .. } if holders.is_empty() => Ok(false),
            _ => Err(error),
        },
    }
}

#[cold]
fn timed_out(options: &Options, after: Duration, is_gone: bool) -> Error {
    let name = options
        .location()
        .map_or_else(|error| error.name().to_owned(), |location| location.to_string());
    let removed = "a new value; the channel was removed, and no producer has created it again";
    let waiting_for = if is_gone { removed } else { "a new value" }.to_owned();
    Error::new(name, ErrorKind::Timeout { after, waiting_for })
}

pub(super) fn open(options: &Options, spec: &Spec) -> Result<Slot<slot::Consumer>> {
    Slot::consuming(&options.location()?, options.consumer_name.as_deref(), spec)
}
