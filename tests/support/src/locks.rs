//! What an attempt to lock results in.

use io_shared::ErrorKind;
use io_shared::mmap::LockError;

/// The error of a lock that was not acquired.
#[track_caller]
pub fn failed<G: std::fmt::Debug>(result: Result<G, LockError<G>>) -> ErrorKind {
    match result {
        Err(LockError::Failed(error)) => error.kind().clone(),
        other => panic!("{other:?}"),
    }
}

/// The guard of a lock whose last owner died while it wrote.
#[track_caller]
pub fn died<G: std::fmt::Debug>(result: Result<G, LockError<G>>) -> G {
    match result {
        Err(LockError::OwnerDied(guard)) => guard,
        other => panic!("{other:?}"),
    }
}
