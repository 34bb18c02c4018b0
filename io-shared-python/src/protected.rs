//! What the objects of this module change: protected by the interpreter's lock.
//!
//! A mutex would lock where Python has locked already, which takes a tenth of the time of a small
//! message.

use std::cell::{RefCell, RefMut};

use pyo3::Python;

/// A value that is used under the interpreter's lock, and while no code of Python runs, so that
/// nobody else uses it at the same time.
pub(crate) struct Protected<T>(RefCell<T>);

// SAFETY: `lock` asks for the proof that this thread has the interpreter's lock, and what it
// returns does not outlive it. So one thread at a time uses the cell, and the next sees what it
// did. There is no module for a Python without that lock.
unsafe impl<T: Send> Sync for Protected<T> {}

impl<T> Protected<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// The value.
    ///
    /// # Panics
    /// If it is in use: if code of Python runs while it is, or other threads do.
    #[inline]
    pub(crate) fn lock<'a>(&'a self, _py: Python<'a>) -> RefMut<'a, T> {
        self.0.borrow_mut()
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}
