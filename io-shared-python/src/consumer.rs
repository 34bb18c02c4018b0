//! The base of the package's `Consumer`: the methods that are called for each value. What this
//! module does not copy, they leave to Python.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::gets::{self, Gets, Given};
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

    /// As ``get``, but returns None at once if there is no value that was not seen yet.
    fn try_get<'py>(slf: &Bound<'py, Self>) -> Given<'py> {
        let py = slf.py();
        match slf.get().gets(py) {
            None => slf.call_method1(intern!(py, "_next"), (0,)),
            Some(gets) => gets::made(slf, gets.get().next(py, 0)?, intern!(py, "_got")),
        }
    }
}
