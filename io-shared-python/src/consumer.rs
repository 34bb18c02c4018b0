//! The base of the package's `Consumer`: the methods that are called for each value. What this
//! module does not copy, they leave to Python.

use std::ffi::CStr;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{Borrowed, ffi, intern};

use crate::gets::{self, Gets, Given};
use crate::method;
use crate::protected::Protected;

/// What `Consumer` is made from.
#[pyclass(frozen, subclass, module = "io_shared._native")]
pub(crate) struct Consumer(Protected<Option<Py<Gets>>>);

impl Consumer {
    fn gets<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Gets>> {
        self.0.lock(py).as_ref().map(|gets| gets.bind(py).clone())
    }
}

#[pymethods]
impl Consumer {
    #[new]
    #[pyo3(signature = (*_arguments, **_named))]
    fn new(_arguments: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) -> Self {
        Self(Protected::new(None))
    }

    /// Has the methods use these.
    fn _serve(&self, py: Python<'_>, gets: Py<Gets>) {
        // Dropped without the lock.
        let _before = self.0.lock(py).replace(gets);
    }

    /// Waits for a value that this consumer has not seen yet, and returns a copy, which is
    /// writable.
    ///
    /// The first get of a new consumer returns the latest value at once, however old (``age``).
    /// ``timeout``: seconds, then :class:`Timeout`; None waits for ever. Ctrl-C interrupts it.
    ///
    /// >>> cloud = clouds.get(timeout=0.5)
    #[pyo3(signature = (timeout=None))]
    fn get<'py>(slf: &Bound<'py, Self>, timeout: Option<&Bound<'py, PyAny>>) -> Given<'py> {
        let py = slf.py();
        let names = [intern!(py, "_got"), intern!(py, "_get")];
        gets::wait(slf.as_any(), slf.get().gets(py), timeout, Gets::next, names)
    }
}

const DOC: &CStr = c"\
try_get($self)\n\
--\n\
\n\
As ``get``, but returns None at once if there is no value that was not seen yet.";

/// Gives the class its `try_get`.
pub(crate) fn add_try_get(py: Python<'_>) -> PyResult<()> {
    let function = ffi::PyMethodDefPointer { PyCFunction: try_get };
    // SAFETY: `try_get` is a function of this kind, for a `Consumer`.
    unsafe { method::add(&py.get_type::<Consumer>(), c"try_get", function, ffi::METH_NOARGS, DOC) }
}

/// `Consumer.try_get(self)`.
///
/// # Safety
/// As CPython calls methods of this kind: `slf` is a `Consumer`, and there is no argument.
unsafe extern "C" fn try_get(slf: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    let try_get = |py| {
        // SAFETY: it lives during the call.
        let slf = unsafe { Borrowed::from_ptr(py, slf) };
        // SAFETY: it is a `Consumer` (the contract).
        let slf = unsafe { slf.cast_unchecked::<Consumer>() };
        let gets = slf.get().gets(py);
        match gets.as_ref().and_then(|gets| gets.get().try_message(py)) {
            Some(got) => gets::made(&slf, got?, intern!(py, "_got")),
            None => try_others(slf, gets),
        }
    };
    // SAFETY: CPython calls methods under the interpreter's lock.
    unsafe { method::answer(try_get) }
}

/// Gets what is no message of plain numbers.
fn try_others<'py>(slf: Borrowed<'_, 'py, Consumer>, gets: Option<Bound<'py, Gets>>) -> Given<'py> {
    method::known(slf.py(), |py| match gets {
        None => slf.call_method1(intern!(py, "_next"), (0,)),
        Some(gets) => gets::made(&slf, gets.get().next(py, 0)?, intern!(py, "_got")),
    })
}
