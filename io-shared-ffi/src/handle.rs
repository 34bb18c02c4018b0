//! A handle that one thread at a time uses.

use std::sync::{Mutex, MutexGuard, TryLockError};

use io_shared_core::{Error, ErrorKind};

use crate::status::{Failure, Outcome, ios_status};

/// What C holds by a pointer. Its functions are not to wait for each other: one that is told so can
/// do something else, and a get may wait for ever.
#[derive(Debug)]
pub(crate) struct Handle<T> {
    inner: Mutex<T>,
    name: String,
    /// That opened it.
    process: u32,
}

// Whichever thread enters may be another than the one that opened it.
impl<T: Send> Handle<T> {
    pub(crate) fn new(inner: T, name: &str) -> Self {
        Self { inner: Mutex::new(inner), name: name.to_owned(), process: std::process::id() }
    }

    /// The name, as errors show it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// # Errors
    /// `IOS_IN_USE` if another thread is using it; `IOS_FORKED_HANDLE` if one of the parent's was when
    /// this process was forked.
    #[inline]
    pub(crate) fn enter(&self) -> Outcome<MutexGuard<'_, T>> {
        match self.inner.try_lock() {
            Ok(inner) => Ok(inner),
            // A panic was told as such; what it left is as good as after an error.
            Err(TryLockError::Poisoned(inner)) => Ok(inner.into_inner()),
            Err(TryLockError::WouldBlock) => Err(in_use(&self.name, self.process)),
        }
    }
}

/// Why a handle of `process` cannot be used now.
#[cold]
pub(crate) fn in_use(name: &str, process: u32) -> Failure {
    if process != std::process::id() {
        return Error::new(name, ErrorKind::ForkedHandle).into();
    }
    let text = format!("{name}: another thread is using this handle: open one for each thread");
    Failure::Said(ios_status::IOS_IN_USE, text)
}
