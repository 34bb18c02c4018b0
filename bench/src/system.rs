//! A way of handing messages over that is measured.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::run::{Ends, Incoming, Outgoing, Spec};

/// Where a run keeps what it needs names for.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    directory: PathBuf,
}

impl Place {
    pub(crate) fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A name for what lives in a name space of its own.
    pub(crate) fn name(&self, spec: &Spec) -> String {
        let run = self.directory.file_name().unwrap_or_default().to_string_lossy();
        spec.name(&run)
    }

    /// A file of this run.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The file of one connection.
    pub(crate) fn file_of(&self, spec: &Spec) -> PathBuf {
        self.file(&spec.name("connection"))
    }
}

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

    fn outgoing(place: &Place, spec: &Spec) -> Result<Self::Out>;
    fn incoming(place: &Place, spec: &Spec) -> Result<Self::In>;
}

/// The same, for a list of them.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) settings: &'static str,
    pub(crate) polls: bool,
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
            outgoing: |place, spec| Ok(Box::new(S::outgoing(place, spec)?)),
            incoming: |place, spec| Ok(Box::new(S::incoming(place, spec)?)),
            ends: |place, out, back| {
                let out = S::outgoing(place, out)?;
                Ok(Box::new((out, S::incoming(place, back)?)))
            },
        }
    }
}
