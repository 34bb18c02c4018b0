//! Ending a wait from another thread or from a signal handler.

use io_shared_channel::binding;

use crate::call::call;
use crate::consumer::ios_consumer;
use crate::pointer::In;
use crate::producer::ios_producer;
use crate::status::ios_status;

/// Ends the consumer's current wait with `IOS_INTERRUPTED`, or else its next one: an
/// `ios_consumer_get` or `ios_wait_any`. It counts until one wait has ended by it, and several
/// calls before that count once. No value is lost: the next get returns it.
///
/// Any thread may call it, also while another waits, and so may a signal handler. A wait that
/// sleeps ends at once; within 100 ms if Linux is older than 5.16. NULL is left alone.
///
/// # Safety
/// `consumer` is NULL or open, and is not closed during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_interrupt(consumer: *const ios_consumer) {
    // Not in a `call`: that would keep the text of a failure, which allocates.
    // SAFETY: an open consumer is a live handle, which is used through `&` alone.
    if let Some(consumer) = unsafe { consumer.as_ref() } {
        consumer.1.interrupt();
    }
}

/// From now on a wait of this consumer also ends with `IOS_INTERRUPTED` when a signal handler that
/// was installed without `SA_RESTART` has run in the thread that sleeps. It is for languages that
/// run their handlers only after the call. A handler that runs just before the thread falls asleep
/// is not noticed: wait in slices.
///
/// # Safety
/// `consumer` is NULL or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_end_waits_at_signals(
    consumer: *const ios_consumer,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open consumer is a live handle, which is used through `&` alone.
        let handle = unsafe { arguments.read(In(consumer, "consumer")) }?;
        binding::end_waits_at_signals(&*handle.0.enter()?);
        Ok(())
    })
}

/// Ends the producer's current `ios_producer_wait_taken` with `IOS_INTERRUPTED`, or else its next
/// one, within 2 ms. Any thread may call it, also while another waits, and so may a signal handler.
/// NULL is left alone.
///
/// # Safety
/// `producer` is NULL or open, and is not closed during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_interrupt(producer: *const ios_producer) {
    // Not in a `call`: that would keep the text of a failure, which allocates.
    // SAFETY: an open producer is a live handle, which is used through `&` alone.
    if let Some(producer) = unsafe { producer.as_ref() } {
        producer.1.interrupt();
    }
}
