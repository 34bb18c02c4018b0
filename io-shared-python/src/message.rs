//! The base of the package's `Message`: its fields as attributes.
//!
//! A message of plain numbers lies here as bytes, whose fields are read by their offsets. Any other
//! is what the package made of it: a layout and arrays.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::sync::OnceLock;

use pyo3::exceptions::{PyAttributeError, PyRuntimeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::fields::Fields;

/// Bytes that arrays of Python write to.
struct Bytes(UnsafeCell<Box<[u8]>>);

// SAFETY: they are read and written under the interpreter's lock.
unsafe impl Send for Bytes {}
// SAFETY: as above.
unsafe impl Sync for Bytes {}

impl Bytes {
    fn data(&self) -> *mut c_void {
        // SAFETY: nobody has a reference to the box: it is set once, and only its address is read.
        unsafe { (*self.0.get()).as_mut_ptr() }.cast()
    }
}

enum State {
    /// What the package made: the layout, the header's array, and other arrays by their names.
    Made(Py<PyTuple>),
    Numbers(Py<Fields>, Bytes),
}

/// The package's function that reads a field of a message, or raises.
static READ: OnceLock<Py<PyAny>> = OnceLock::new();

/// Takes the package's function that reads a field: `read(message, name)`.
#[pyfunction]
pub(crate) fn read_by(read: Py<PyAny>) {
    READ.get_or_init(|| read);
}

/// What `Message` is made from.
#[pyclass(frozen, subclass, module = "io_shared._native")]
pub(crate) struct MessageBase(OnceLock<State>);

impl MessageBase {
    /// Makes it a message of these bytes. Only for one that is new.
    pub(crate) fn set_numbers(&self, fields: Py<Fields>, bytes: Box<[u8]>) {
        self.0.get_or_init(|| State::Numbers(fields, Bytes(UnsafeCell::new(bytes))));
    }

    fn read<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match READ.get() {
            Some(read) => read.bind(slf.py()).call1((slf, name)),
            None => Err(PyRuntimeError::new_err("`read_by` was not called")),
        }
    }
}

#[pymethods]
impl MessageBase {
    #[new]
    #[pyo3(signature = (*made))]
    fn new(made: &Bound<'_, PyTuple>) -> Self {
        let state = OnceLock::new();
        if !made.is_empty() {
            state.get_or_init(|| State::Made(made.clone().unbind()));
        }
        Self(state)
    }

    /// The layout, the header's array, and the other arrays by their names.
    #[getter]
    fn _io_shared<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        match slf.get().0.get() {
            None => Err(PyAttributeError::new_err("_io_shared")),
            Some(State::Made(made)) => Ok(made.bind(py).clone()),
            Some(State::Numbers(fields, bytes)) => {
                let fields = fields.get();
                // SAFETY: the bytes are a message of these fields, and live as long as `slf`.
                let header = unsafe { fields.view(bytes.data(), slf.clone().into_any()) }?;
                let layout = fields.layout.bind(py);
                PyTuple::new(py, [layout.clone(), header, PyDict::new(py).into_any()])
            }
        }
    }

    fn __getattribute__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        match slf.get().0.get() {
            Some(State::Numbers(fields, bytes)) => {
                // SAFETY: the bytes are a message of these fields.
                if let Some(found) = unsafe { fields.get().read(bytes.data(), name) } {
                    return found;
                }
            }
            Some(State::Made(made)) => {
                let fields = made.bind(py).get_item(0)?.getattr("fields")?;
                if !name.to_str()?.starts_with("__") && fields.contains(name)? {
                    return Self::read(slf, name);
                }
            }
            None => {}
        }
        // SAFETY: both are live objects.
        let found = unsafe { ffi::PyObject_GenericGetAttr(slf.as_ptr(), name.as_ptr()) };
        // SAFETY: it is a new reference, or NULL and an error is set.
        unsafe { Bound::from_owned_ptr_or_err(py, found) }
    }

    /// What is no attribute is read as a field, or is the package's error.
    fn __getattr__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::read(slf, name)
    }
}
