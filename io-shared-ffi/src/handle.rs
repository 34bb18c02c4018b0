//! A handle that C holds by a pointer, and that one thread at a time uses.
//!
//! Calls on one handle do not wait for each other. A call that finds the handle in use fails, so
//! that its thread can do something else: a get may wait for ever.

use std::sync::{Mutex, MutexGuard, TryLockError};

use io_shared_core::{Error, ErrorKind};

use crate::status::{Failure, Outcome, ios_status};

#[derive(Debug)]
pub(crate) struct Handle<T> {
    inner: Mutex<T>,
    name: String,
    /// The process that opened it.
    process: u32,
}

// The thread that enters need not be the one that opened the handle.
impl<T: Send> Handle<T> {
    pub(crate) fn new(inner: T, name: &str) -> Self {
        Self { inner: Mutex::new(inner), name: name.to_owned(), process: std::process::id() }
    }

    /// The name, as errors show it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// # Errors
    /// `IOS_IN_USE` if another thread is using the handle; `IOS_FORKED_HANDLE` if a thread of the
    /// parent process was using it when this process was forked.
    #[inline]
    pub(crate) fn enter(&self) -> Outcome<MutexGuard<'_, T>> {
        match self.inner.try_lock() {
            Ok(inner) => Ok(inner),
            // The panic was reported when it happened; it leaves what any other error leaves.
            Err(TryLockError::Poisoned(inner)) => Ok(inner.into_inner()),
            Err(TryLockError::WouldBlock) => Err(in_use(&self.name, self.process)),
        }
    }
}

/// Why a handle that `process` opened cannot be used now.
#[cold]
pub(crate) fn in_use(name: &str, process: u32) -> Failure {
    if process != std::process::id() {
        return Error::new(name, ErrorKind::ForkedHandle).into();
    }
    let text = format!("{name}: another thread is using this handle: open one for each thread");
    Failure::Said(ios_status::IOS_IN_USE, text)
}
