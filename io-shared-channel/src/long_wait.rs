//! What is said of a wait for values that has lasted for a second.

use io_shared_core::slot::{self, Sleeper, Slot};

/// What a long wait waits for.
pub(crate) struct Awaited {
    name: String,
    /// Whether there is a producer, as far as one can tell.
    producer: bool,
    /// Whether the channel was removed, and is to be opened again.
    gone: bool,
}

impl Awaited {
    pub(crate) fn of(sleeper: &Sleeper) -> Self {
        Self {
            name: sleeper.name().to_owned(),
            producer: sleeper.has_producer().unwrap_or(false),
            gone: sleeper.is_retired() || sleeper.is_replaced(),
        }
    }

    pub(crate) fn of_slot(slot: &Slot<slot::Consumer>) -> Self {
        Self {
            name: slot.name().to_owned(),
            producer: slot.has_producer().unwrap_or(false),
            gone: slot.is_stale() || slot.check().is_err(),
        }
    }

    /// Says so. Nothing of a consumer is held meanwhile: a subscriber is the program's.
    #[cold]
    pub(crate) fn tell(&self) {
        let producer = self.producer && !self.gone;
        tracing::warn!(
            region = self.name,
            producer,
            "has waited for over a second for a value not had before in {}: {}",
            self.name,
            match (self.gone, producer) {
                (true, _) => "the channel was removed, and no producer has made it again",
                (_, true) => "its producer lives, and has put none",
                (_, false) => "it has no producer now",
            },
        );
    }
}

/// The same of several at once.
#[cold]
pub(crate) fn tell_of_all(names: &str, awaited: &[Awaited]) {
    let producers = awaited.iter().filter(|one| one.producer && !one.gone).count();
    let channels = awaited.len();
    tracing::warn!(
        region = names,
        channels,
        producers,
        "has waited for over a second for a value not had before in any of {names}: \
         {producers} of these {channels} channels have a producer now",
    );
}
