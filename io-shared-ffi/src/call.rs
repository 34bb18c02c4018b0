//! One call from C: what each entry point runs in. A failure is kept for the thread, and no panic
//! reaches C.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::pointer::Arguments;
use crate::status::{Failure, Outcome, failed, ios_status, panicked};

/// Runs `act` and returns its status; the text of a failure is kept for
/// [`ios_last_error`](crate::ios_last_error).
#[inline]
pub(crate) fn call(act: impl FnOnce(&Arguments) -> Outcome) -> ios_status {
    let arguments = Arguments::of_one_call();
    // Unwind safe: what a panic leaves half-done is behind a mutex, or was not handed to C.
    match catch_unwind(AssertUnwindSafe(|| act(&arguments))) {
        Ok(Ok(())) => ios_status::IOS_OK,
        Ok(Err(Failure::Empty)) => ios_status::IOS_EMPTY,
        Ok(Err(failure)) => failed(failure),
        Err(panic) => panicked(&*panic),
    }
}
