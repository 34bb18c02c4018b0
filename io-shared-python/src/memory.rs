//! Values that a consumer holds in place, as Python objects: arrays are made of them, and anything
//! that takes a buffer.
//!
//! A [`Held`] gives its value back when it is freed. Whatever uses its bytes has a reference to it:
//! an array as its base, a `memoryview` and everything else that Python makes of a buffer as the
//! exporter. So the count of references is the count of users, with NumPy and without.
//!
//! The parent of a forked child gives values back without asking the child. So `_forks.py` copies
//! those that are held at a fork: [`held_now`] says which, and keeps them meanwhile.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::library::{self, Value};

/// The guard of a value, which is dropped once.
struct Guard {
    pointer: AtomicPtr<c_void>,
    data: usize,
    length: usize,
}

impl Guard {
    fn is_dropped(&self) -> bool {
        // Relaxed: pointers are taken under the interpreter's lock.
        self.pointer.load(Ordering::Relaxed).is_null()
    }

    fn release(&self) {
        let pointer = self.pointer.swap(std::ptr::null_mut(), Ordering::Relaxed);
        if !pointer.is_null() {
            // SAFETY: it came with a value, and the swap lets one caller have it. Whoever reads the
            // bytes has a reference to the `Held`, which calls this when it is freed, or when it
            // has no exports.
            unsafe { library::drop_guard(pointer) };
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.release();
    }
}

/// The values that are held in this process, which are few: a consumer holds 8 at most.
static HELD: Mutex<Vec<Weak<Guard>>> = Mutex::new(Vec::new());

/// They are locked only under the interpreter's lock, while no code of Python runs, so never for
/// long.
fn held() -> MutexGuard<'static, Vec<Weak<Guard>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value in shared memory, which does not change while this object lives. It exports its bytes as
/// a buffer, which is read-only.
#[pyclass(frozen, module = "io_shared._native")]
pub(crate) struct Held {
    guard: Arc<Guard>,
    /// How many buffers are exported now.
    exports: AtomicUsize,
    #[pyo3(get)]
    seq: u64,
    #[pyo3(get)]
    missed: u64,
    #[pyo3(get)]
    stamp: u64,
    #[pyo3(get)]
    tag: u64,
}

impl Held {
    /// The value, which has a guard.
    pub(crate) fn new(value: Value) -> Self {
        let Value { guard, data, length, seq, missed, stamp, tag } = value;
        let data = data.expose_provenance();
        let guard = Arc::new(Guard { pointer: AtomicPtr::new(guard), data, length });
        held().push(Arc::downgrade(&guard));
        Self { guard, exports: AtomicUsize::new(0), seq, missed, stamp, tag }
    }

    /// Whether the value begins with these bytes.
    pub(crate) fn starts_with(&self, header: &[u8]) -> bool {
        if self.guard.is_dropped() || self.guard.length < header.len() {
            return false;
        }
        let start = std::ptr::with_exposed_provenance::<u8>(self.guard.data);
        // SAFETY: the value has at least as many bytes, and does not change while it is held.
        unsafe { std::slice::from_raw_parts(start, header.len()) == header }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (mut held, own) = (held(), Arc::as_ptr(&self.guard));
        // The newest are the last, and most often go first.
        if let Some(at) = held.iter().rposition(|other| std::ptr::eq(other.as_ptr(), own)) {
            held.swap_remove(at);
        }
    }
}

#[pymethods]
impl Held {
    /// The address of its first byte.
    #[getter]
    fn data(&self) -> usize {
        self.guard.data
    }

    /// How many bytes it has.
    #[getter]
    fn length(&self) -> usize {
        self.guard.length
    }

    /// How many buffers are exported now.
    #[getter]
    fn exports(&self) -> usize {
        self.exports.load(Ordering::Relaxed)
    }

    /// Gives the value back now, before this object is freed. Nobody may have its address.
    fn release(&self) -> PyResult<()> {
        if self.exports() > 0 {
            return Err(PyBufferError::new_err("a buffer of this value is in use"));
        }
        self.guard.release();
        Ok(())
    }

    /// # Safety
    /// Python calls it with a `view` to fill.
    unsafe fn __getbuffer__(
        slf: &Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let held = slf.get();
        if held.guard.is_dropped() {
            // SAFETY: Python asks for NULL here when there is no buffer; it may be written to.
            unsafe { (*view).obj = std::ptr::null_mut() };
            return Err(PyBufferError::new_err("this value was given back"));
        }
        let data = std::ptr::with_exposed_provenance_mut::<c_void>(held.guard.data);
        let length = held.guard.length as ffi::Py_ssize_t;
        let is_read_only = 1;
        // SAFETY: `view` is Python's to fill. The bytes lie at `data` while this object lives, to
        // which the view gets a reference, and does not change while it is held.
        let filled = unsafe {
            ffi::PyBuffer_FillInfo(view, slf.as_ptr(), data, length, is_read_only, flags)
        };
        if filled < 0 {
            return Err(PyErr::fetch(slf.py()));
        }
        held.exports.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// # Safety
    /// Python calls it for a view that `__getbuffer__` has filled.
    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
        self.exports.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A value that is kept over a fork.
#[pyclass(frozen, module = "io_shared._native")]
pub(crate) struct Kept(Arc<Guard>);

#[pymethods]
impl Kept {
    /// The address of its first byte, and how many bytes it has.
    #[getter]
    fn extent(&self) -> (usize, usize) {
        (self.0.data, self.0.length)
    }
}

/// The values that are held now. They are not given back while the list lives.
#[pyfunction]
pub(crate) fn held_now() -> Vec<Kept> {
    let held = held();
    let kept = held.iter().filter_map(Weak::upgrade).filter(|guard| !guard.is_dropped());
    kept.map(Kept).collect()
}
