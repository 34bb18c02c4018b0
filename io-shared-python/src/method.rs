//! Methods of CPython's own kind, for what is called for each small value.
//!
//! PyO3's take as long to be entered and left as a small value takes. CPython's documentation has
//! the kinds (`METH_NOARGS`, `METH_FASTCALL`).

use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

/// Gives `class` a method.
///
/// # Safety
/// `function` is of the kind that `flags` say, for objects of this class.
pub(crate) unsafe fn add(
    class: &Bound<'_, PyType>,
    name: &'static CStr,
    function: ffi::PyMethodDefPointer,
    flags: c_int,
    doc: &'static CStr,
) -> PyResult<()> {
    // Python refers to it for as long as the process lives.
    let method = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: function,
        ml_flags: flags,
        ml_doc: doc.as_ptr(),
    }));
    let of = class.as_type_ptr();
    // SAFETY: both live, the definition for ever, and it has the flags of its function (the
    // contract).
    let made = unsafe { ffi::PyDescr_NewMethod(of, method) };
    // SAFETY: it is a new reference, or NULL and an error is set.
    let made = unsafe { Bound::from_owned_ptr_or_err(class.py(), made) }?;
    class.setattr(made.getattr("__name__")?.cast_into::<PyString>()?, made)
}

/// Runs a method, which Python has called: returns the object that `act` returns, or NULL with its
/// error set. A panic must not leave a function of C, and is a RuntimeError.
///
/// PyO3 does not know that this thread has the interpreter's lock: it keeps what is dropped of its
/// kind of reference, `Py`, until it knows. So `act` uses `Bound` and `Borrowed`, or [`known`].
///
/// # Safety
/// The thread has the interpreter's lock, as methods are called.
#[inline]
pub(crate) unsafe fn answer<'py>(
    act: impl FnOnce(Python<'py>) -> PyResult<Bound<'py, PyAny>>,
) -> *mut ffi::PyObject {
    // SAFETY: it has the lock (the contract), during the call.
    let py = unsafe { Python::assume_attached() };
    let answer = catch_unwind(AssertUnwindSafe(|| match act(py) {
        Ok(object) => object.into_ptr(),
        Err(error) => failed(error, py),
    }));
    answer.unwrap_or_else(|_| {
        failed(PyRuntimeError::new_err("the native module of io_shared panicked"), py)
    })
}

#[cold]
fn failed(error: PyErr, py: Python<'_>) -> *mut ffi::PyObject {
    error.restore(py);
    null_mut()
}

/// Runs `act` while PyO3 knows that this thread has the interpreter's lock.
pub(crate) fn known<'py, T>(py: Python<'py>, act: impl FnOnce(Python<'py>) -> T) -> T {
    // SAFETY: the thread has the lock, as `py` proves, so that this only counts once more. While
    // the interpreter ends, which `Python::attach` would refuse, methods are called too.
    unsafe { Python::attach_unchecked(|_| act(py)) }
}
