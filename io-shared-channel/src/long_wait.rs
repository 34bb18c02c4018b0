//! The `tracing` warning for a wait for values that has lasted for a second.

use io_shared_core::slot::{self, Sleeper, Slot};

/// What a long wait waits for.
pub(crate) struct Awaited {
    name: String,
    /// Whether the channel has a producer, as far as this process can tell.
    producer: bool,
    /// Whether the channel was removed, so that the wait is for a new one.
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

    pub(crate) fn of_observer(slot: &Slot<slot::Observer>) -> Self {
        Self {
            name: slot.name().to_owned(),
            producer: slot.producer().is_ok_and(|producer| producer.is_some()),
            gone: slot.is_stale(),
        }
    }

    /// Writes the warning. The caller holds nothing of a consumer, since the program's `tracing`
    /// subscriber may do anything.
    #[cold]
    pub(crate) fn report(&self) {
        let producer = self.producer && !self.gone;
        tracing::warn!(
            region = self.name,
            producer,
            "{}: has waited for over a second for a new value; {}",
            self.name,
            match (self.gone, producer) {
                (true, _) => "the channel was removed, and no producer has created it again",
                (_, true) => "its producer is running, and has put none",
                (_, false) => "it has no producer now",
            },
        );
    }
}

/// Writes one warning for a wait on several channels.
#[cold]
pub(crate) fn report_all(names: &str, awaited: &[Awaited]) {
    let producers = awaited.iter().filter(|one| one.producer && !one.gone).count();
    let channels = awaited.len();
    tracing::warn!(
        region = names,
        channels,
        producers,
        "{names}: has waited for over a second for a new value in any of these {channels} \
         channels; {producers} of them have a producer now",
    );
}
