//! Waiting for the other side in slices, so that a role notices when it must stop.

use std::time::{Duration, Instant};

use io_shared::{Consumer, ErrorKind, Guard, Message, Producer, Result};

use crate::latency::Handover;
use crate::stop::Stop;

/// How often a wait checks whether to stop.
pub(crate) const SLICE: Duration = Duration::from_millis(100);

/// The next value and how it came; `None` if there was none within a slice.
pub(crate) fn next<T: Message + ?Sized>(
    consumer: &mut Consumer<T>,
) -> Result<Option<(Guard<'_, T>, Handover)>> {
    let called = Instant::now();
    match consumer.get_timeout(SLICE) {
        Ok(value) => {
            let handover = Handover::new(value.age(), called);
            Ok(Some((value, handover)))
        }
        Err(error) if matches!(error.kind(), ErrorKind::Timeout { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Goes in step: returns when every consumer has the last value, or is gone.
pub(crate) fn taken<T: Message + ?Sized>(producer: &mut Producer<T>, stop: &Stop) -> Result<()> {
    while !stop.is_set() {
        match producer.wait_taken(SLICE) {
            Ok(_) => break,
            Err(error) if matches!(error.kind(), ErrorKind::Timeout { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
