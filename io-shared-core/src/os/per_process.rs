//! Values that each process has once, and each forked child anew.

use std::fmt;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use crate::os::fork;

/// A value that is made when it is first needed, and again in a forked child. So a child never
/// meets a value that another thread of the parent had half changed, or whose lock that thread
/// held.
///
/// Forks are counted from the first handle that this process or a parent of it opens. Values are
/// never dropped.
///
/// # Examples
/// ```
/// use io_shared_core::PerProcess;
/// use std::sync::Mutex;
/// static NAMES: PerProcess<Mutex<Vec<String>>> = PerProcess::new();
/// NAMES.get(Mutex::default).lock().unwrap().push("lidar".into());
/// assert_eq!(NAMES.get(Mutex::default).lock().unwrap().len(), 1);
/// ```
pub struct PerProcess<T: 'static> {
    current: AtomicPtr<Made<T>>,
}

struct Made<T> {
    generation: u64,
    value: T,
}

impl<T: Send + Sync> PerProcess<T> {
    /// Starts without a value.
    pub const fn new() -> Self {
        Self { current: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// This process's value. `make` makes it if there is none. If several threads call this first,
    /// all get the value that one of them made.
    pub fn get(&self, make: impl FnOnce() -> T) -> &'static T {
        let generation = fork::generation();
        // Acquire, with the Release below: what the pointer leads to is whole.
        let found = self.current.load(Acquire);
        // SAFETY: it is null, or came from Box::into_raw below; what it points to is never freed or
        // changed once it is stored here.
        match unsafe { found.as_ref() } {
            Some(made) if made.generation == generation => &made.value,
            _ => self.replace(found, Box::new(Made { generation, value: make() })),
        }
    }

    fn replace(&self, found: *mut Made<T>, made: Box<Made<T>>) -> &'static T {
        let made = Box::into_raw(made);
        let current = match self.current.compare_exchange(found, made, AcqRel, Acquire) {
            Ok(_) => made,
            Err(other) => {
                // SAFETY: `made` came from Box::into_raw above and was shown to nobody.
                drop(unsafe { Box::from_raw(made) });
                other
            }
        };
        // SAFETY: both came from Box::into_raw and are never freed once they are in `current`. The
        // other one belongs to this process too: only its own threads exchange it.
        unsafe { &(*current).value }
    }
}

impl<T: Send + Sync> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for PerProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerProcess").finish_non_exhaustive()
    }
}
