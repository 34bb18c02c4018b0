//! What all parts of a link share: the session, the place, what was asked for, and whether to end.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

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
}

impl Link {
    pub(crate) fn ends(&self) -> bool {
        // Relaxed: it says nothing of anything else.
        self.ends.load(Relaxed)
    }
}
