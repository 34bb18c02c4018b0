//! The package's class `Message`: its fields as attributes. The package adds the methods.
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
enum Bytes {
    /// Next to what Python knows of the message, without an allocation of their own.
    Short(UnsafeCell<[u64; 4]>),
    Long(UnsafeCell<Box<[u8]>>),
}

// SAFETY: they are read and written under the interpreter's lock.
unsafe impl Send for Bytes {}
// SAFETY: as above.
unsafe impl Sync for Bytes {}

impl Bytes {
    #[inline]
    fn of(bytes: &[u8]) -> Self {
        let mut words = [0; 4];
        if bytes.len() > size_of_val(&words) {
            return Self::Long(UnsafeCell::new(Box::from(bytes)));
        }
        let to = words.as_mut_ptr().cast::<u8>();
        // SAFETY: the words have as many bytes, and are this call's own.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Self::Short(UnsafeCell::new(words))
    }

    /// Where they lie, for as long as this is not moved.
    #[inline]
    fn data(&self) -> *mut c_void {
        match self {
            Self::Short(words) => words.get().cast(),
            // SAFETY: nobody has a reference to the box: it is set once, and only its address read.
            Self::Long(bytes) => unsafe { (*bytes.get()).as_mut_ptr() }.cast(),
        }
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

/// A message, or what `__new__` made of no arguments.
#[pyclass(frozen, subclass, module = "io_shared._message")]
pub(crate) struct Message(Option<State>);

impl Message {
    /// A message of these bytes.
    pub(crate) fn of_numbers(fields: Py<Fields>, bytes: &[u8]) -> Self {
        Self(Some(State::Numbers(fields, Bytes::of(bytes))))
    }

    /// Makes it a message of these bytes, which are as many as it has.
    ///
    /// # Safety
    /// It is one of numbers, and nobody else refers to it.
    #[inline]
    pub(crate) unsafe fn set(&self, bytes: &[u8]) {
        if let Some(State::Numbers(_, own)) = &self.0 {
            let to = own.data().cast::<u8>();
            // SAFETY: it has as many bytes, which nobody reads meanwhile (the contract): an array
            // of them would refer to it.
            unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        }
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
impl Message {
    #[new]
    #[pyo3(signature = (*made))]
    fn new(made: &Bound<'_, PyTuple>) -> Self {
        Self((!made.is_empty()).then(|| State::Made(made.clone().unbind())))
    }

    /// The layout, the header's array, and the other arrays by their names.
    #[getter]
    fn _io_shared<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        match &slf.get().0 {
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
        match &slf.get().0 {
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
