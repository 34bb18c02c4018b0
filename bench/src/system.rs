//! A way of handing messages over that is measured.

use crate::Result;
use crate::place::Place;
use crate::run::{Ends, Incoming, Outgoing, Spec};

/// One system: how its ends are opened. `outgoing` never waits for the other side.
pub(crate) trait System {
    type Out: Outgoing + 'static;
    type In: Incoming + 'static;
    /// As in the tables.
    const NAME: &'static str;
    /// Version and settings.
    const SETTINGS: &'static str;
    /// Whether a receiver can look without sleeping.
    const POLLS: bool = true;
    /// Whether it is a variant that only the polling ping-pong tells from another system.
    const POLLS_ONLY: bool = false;
    /// The largest payload, in bytes.
    const LARGEST: usize = usize::MAX;

    fn outgoing(place: &Place, spec: &Spec) -> Result<Self::Out>;
    fn incoming(place: &Place, spec: &Spec) -> Result<Self::In>;
}

/// The same, for a list of them.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) settings: &'static str,
    pub(crate) polls: bool,
    pub(crate) polls_only: bool,
    pub(crate) largest: usize,
    pub(crate) outgoing: fn(&Place, &Spec) -> Result<Box<dyn Outgoing>>,
    pub(crate) incoming: fn(&Place, &Spec) -> Result<Box<dyn Incoming>>,
    /// Both ends of one process: the first out, the second in.
    pub(crate) ends: fn(&Place, &Spec, &Spec) -> Result<Box<dyn Ends>>,
}

impl Entry {
    pub(crate) const fn of<S: System>() -> Self {
        Self {
            name: S::NAME,
            settings: S::SETTINGS,
            polls: S::POLLS,
            polls_only: S::POLLS_ONLY,
            largest: S::LARGEST,
            outgoing: |place, spec| Ok(Box::new(S::outgoing(place, spec)?)),
            incoming: |place, spec| Ok(Box::new(S::incoming(place, spec)?)),
            ends: |place, out, back| {
                let out = S::outgoing(place, out)?;
                Ok(Box::new((out, S::incoming(place, back)?)))
            },
        }
    }
}
