//! What all parts of a link share: the session, the place, what was asked for, and whether to end.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zenoh::Session;

use crate::arguments::Arguments;
use crate::figures::Figures;
use crate::place::Place;

/// A running link.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) session: Session,
    pub(crate) place: Place,
    pub(crate) arguments: Arguments,
    pub(crate) figures: Figures,
    /// Raised by a signal.
    pub(crate) ends: Arc<AtomicBool>,
    /// The channels that this link is the producer of, or is about to be.
    pub(crate) taken: Mutex<HashSet<String>>,
}

impl Link {
    pub(crate) fn ends(&self) -> bool {
        // Relaxed: it says nothing of anything else.
        self.ends.load(Relaxed)
    }

    pub(crate) fn taken(&self) -> MutexGuard<'_, HashSet<String>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says, until it is dropped, that this link is the producer of a channel.
#[derive(Debug)]
pub(crate) struct Produces {
    link: Arc<Link>,
    name: String,
}

impl Produces {
    pub(crate) fn new(link: &Arc<Link>, name: &str) -> Self {
        link.taken().insert(name.to_owned());
        Self { link: link.clone(), name: name.to_owned() }
    }
}

impl Drop for Produces {
    fn drop(&mut self) {
        self.link.taken().remove(&self.name);
    }
}
