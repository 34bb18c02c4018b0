//! The base of the package's `TypedProducer`: its put of messages of plain numbers. What this
//! module does not put, it leaves to Python.
//!
//! PyO3 would collect the fields of each put in a dict, which takes as long as the put itself. So
//! `put` is a function of CPython's own kind, which is given the values and a tuple of their names.

use std::ffi::{CStr, c_int};
use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use pyo3::{Borrowed, ffi, intern};

use crate::fields::Fields;
use crate::method;
use crate::puts::{Puts, SLOWLY};

/// What `TypedProducer` is made from.
#[pyclass(frozen, subclass, module = "io_shared._native")]
pub(crate) struct Typed(OnceLock<(Py<Puts>, Py<Fields>)>);

#[pymethods]
impl Typed {
    #[new]
    #[pyo3(signature = (*_arguments, **_named))]
    fn new(_arguments: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) -> Self {
        Self(OnceLock::new())
    }

    /// Has `put` use these. Called once, when it is opened.
    fn _serve(&self, puts: Py<Puts>, fields: Py<Fields>) {
        self.0.get_or_init(|| (puts, fields));
    }
}

const DOC: &CStr = c"\
put($self, *value, **fields)\n\
--\n\
\n\
Puts a message: ``put(frame=1, points=points)`` with all of its fields, or one value that\n\
has them (a mapping, a structured value, a message, a tuple). For a message without field\n\
names, put its value. Never waits for anybody.\n\
\n\
``tag=``, ``seq=`` and ``stamp=`` are as in :meth:`ArrayProducer.put`. If the message has a\n\
field of that name, it is the field; then a loan can have the value's.\n\
\n\
>>> clouds.put(frame=1, stamp_ns=0, points=points)\n";

/// Gives the class its `put`.
pub(crate) fn add_put(py: Python<'_>) -> PyResult<()> {
    let function = ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: put };
    let (class, flags) = (py.get_type::<Typed>(), ffi::METH_FASTCALL | ffi::METH_KEYWORDS);
    // SAFETY: `put` is a function of this kind, for a `Typed`.
    unsafe { method::add(&class, c"put", function, flags, DOC) }
}

type Name<'a, 'py> = Borrowed<'a, 'py, PyString>;

/// The values that a call has names for.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a, 'py> {
    names: Borrowed<'a, 'py, PyTuple>,
    /// As many values as names.
    values: &'a [*mut ffi::PyObject],
}

impl<'py> Named<'_, 'py> {
    pub(crate) fn py(&self) -> Python<'py> {
        self.names.py()
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// A name and its value.
    #[inline]
    pub(crate) fn at(&self, i: usize) -> Option<(Name<'_, 'py>, Borrowed<'_, 'py, PyAny>)> {
        let name = self.names.get_borrowed_item(i).ok()?;
        // SAFETY: it is an object, to which the caller has a reference during the call.
        let value = unsafe { Borrowed::from_ptr(self.names.py(), *self.values.get(i)?) };
        // SAFETY: the names of arguments are strings.
        Some((unsafe { name.cast_unchecked() }, value))
    }
}

/// Puts a message: `Typed.put(self, *value, **fields)`.
///
/// # Safety
/// As CPython calls methods of this kind: `slf` is a `Typed`; `values` points to `count` objects,
/// and to one more for each string in the tuple `names`, which is NULL if there is none.
unsafe extern "C" fn put(
    slf: *mut ffi::PyObject,
    values: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let put = |py| {
        // SAFETY: it lives during the call.
        let slf = unsafe { Borrowed::from_ptr(py, slf) };
        // SAFETY: it is a `Typed` (the contract).
        let slf = unsafe { slf.cast_unchecked::<Typed>() };
        // SAFETY: it is NULL or a tuple, which lives during the call.
        let names = unsafe { Borrowed::from_ptr_or_opt(py, names) };
        // SAFETY: as above.
        let names = names.map(|names| unsafe { names.cast_unchecked::<PyTuple>() });
        let (count, named) = (count.unsigned_abs(), names.map_or(0, |names| names.len()));
        let values = match count + named {
            0 => &[][..],
            // SAFETY: as many objects lie there (the contract).
            all => unsafe { std::slice::from_raw_parts(values, all) },
        };
        let (value, values) = values.split_at(count);
        let named = names.map(|names| Named { names, values });
        if let (true, Some(named), Some((puts, fields))) =
            (value.is_empty(), named, slf.get().0.get())
        {
            match puts.get().put_fields(fields.get(), named) {
                0 => return Ok(py.None().into_bound(py)),
                SLOWLY => {}
                status => return Err(failed(puts, status, py)),
            }
        }
        put_slowly(slf, value, named)
    };
    // SAFETY: CPython calls methods under the interpreter's lock.
    unsafe { method::answer(put) }
}

#[cold]
fn failed(puts: &Py<Puts>, status: c_int, py: Python<'_>) -> PyErr {
    method::known(py, |py| puts.get().error(py, "failure", (status,)))
}

/// Has Python put it.
#[cold]
fn put_slowly<'py>(
    slf: Borrowed<'_, 'py, Typed>,
    value: &[*mut ffi::PyObject],
    named: Option<Named<'_, '_>>,
) -> PyResult<Bound<'py, PyAny>> {
    method::known(slf.py(), |py| {
        let fields = PyDict::new(py);
        if let Some(named) = named {
            for (name, value) in (0..named.len()).map_while(|i| named.at(i)) {
                fields.set_item(name, value)?;
            }
        }
        // SAFETY: they are objects, to which the caller has references during the call.
        let value = value.iter().map(|&value| unsafe { Borrowed::from_ptr(py, value) });
        let value = PyTuple::new(py, value.collect::<Vec<_>>())?;
        slf.call_method1(intern!(py, "_put_any"), (value, fields))
    })
}
