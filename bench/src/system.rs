//! A system that is measured: a way to hand messages over.

use crate::Result;
use crate::names::Names;
use crate::run::{Ends, Incoming, Outgoing, Spec};

// The names of the systems, as in the tables.

/// The limit that io-shared is judged against; `bare.rs` says why this one.
pub(crate) const BARE: &str = "bare, three buffers";
pub(crate) const BARE_BUFFER: &str = "bare, one buffer";
/// The protocol alone, without the library around it.
pub(crate) const PROTOCOL: &str = "bare, the protocol";
pub(crate) const BARE_LINE: &str = "bare, in the line";
pub(crate) const IO_SHARED: &str = "io-shared";
pub(crate) const LOOKING: &str = "io-shared, try_get";
pub(crate) const NO_STAMPS: &str = "io-shared, no stamps";
pub(crate) const ICEORYX2: &str = "iceoryx2";

/// One system, and how its ends are opened. `outgoing` never waits for the other side.
pub(crate) trait System {
    type Out: Outgoing + 'static;
    type In: Incoming + 'static;
    /// One of the names above.
    const NAME: &'static str;
    /// Version and settings.
    const SETTINGS: &'static str;
    /// Whether a receiver can look without sleeping.
    const POLLS: bool = true;
    /// Whether it is a variant that differs from another system in the polling ping-pong alone.
    const POLLS_ONLY: bool = false;
    /// The largest payload, in bytes.
    const LARGEST: usize = usize::MAX;

    fn outgoing(names: &Names, spec: &Spec) -> Result<Self::Out>;
    fn incoming(names: &Names, spec: &Spec) -> Result<Self::In>;
}

/// A [`System`] as a value, for a list of them.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) settings: &'static str,
    pub(crate) polls: bool,
    pub(crate) polls_only: bool,
    pub(crate) largest: usize,
    pub(crate) outgoing: fn(&Names, &Spec) -> Result<Box<dyn Outgoing>>,
    pub(crate) incoming: fn(&Names, &Spec) -> Result<Box<dyn Incoming>>,
    /// Both ends of one process: the first out, the second in.
    pub(crate) ends: fn(&Names, &Spec, &Spec) -> Result<Box<dyn Ends>>,
}

impl Entry {
    pub(crate) const fn of<S: System>() -> Self {
        Self {
            name: S::NAME,
            settings: S::SETTINGS,
            polls: S::POLLS,
            polls_only: S::POLLS_ONLY,
            largest: S::LARGEST,
            outgoing: |names, spec| Ok(Box::new(S::outgoing(names, spec)?)),
            incoming: |names, spec| Ok(Box::new(S::incoming(names, spec)?)),
            ends: |names, out, back| {
                let out = S::outgoing(names, out)?;
                Ok(Box::new((out, S::incoming(names, back)?)))
            },
        }
    }
}
