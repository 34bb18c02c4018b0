//! Gets of arrays that are like the last one: of the same header, so that they are copied to, or
//! seen by, an array of the same dtype and shape.

use std::ffi::c_int;
use std::sync::{Arc, Mutex};

use numpy::PyArrayDescr;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};

use crate::array::{self, Kind};
use crate::fields::Fields;
use crate::library::{Got, Handle, Value, lock};
use crate::memory::Held;
use crate::message::MessageBase;

/// Values up to this many bytes are copied while other threads wait: switching takes longer.
const SHORT: usize = 16 << 10;

/// What values of the same header have in common.
struct Like {
    header: Vec<u8>,
    /// The length of the elements in bytes.
    length: usize,
    kind: Kind,
}

/// The fields of messages that are plain numbers, and the class of these messages.
struct Numbers {
    fields: Py<Fields>,
    class: Py<PyType>,
}

/// The longest message of plain numbers that is made here.
const LONGEST: usize = 256;

struct Open {
    handle: Handle,
    like: Option<Arc<Like>>,
    numbers: Option<Arc<Numbers>>,
    /// An array of `like`'s kind for the next value, which is made before the wait for it.
    spare: Option<Py<PyAny>>,
}

/// The fast gets of one consumer. It has the numbers of the value that was got last.
#[pyclass(frozen, module = "io_shared._native")]
pub(crate) struct Gets {
    /// `None` when it is closed. Locked only while this thread has the interpreter's lock.
    open: Mutex<Option<Open>>,
    last: Mutex<Value>,
}

/// What is given to Python: an array, None, a [`Held`], or the status of a failure.
type Given<'py> = PyResult<Bound<'py, PyAny>>;

#[pymethods]
impl Gets {
    /// `address`: of a consumer of the C library, which stays open while `handle` lives.
    #[new]
    fn new(handle: Py<PyAny>, address: usize) -> PyResult<Self> {
        let open =
            Open { handle: Handle::new(handle, address)?, like: None, numbers: None, spare: None };
        Ok(Self { open: Mutex::new(Some(open)), last: Mutex::new(Value::NONE) })
    }

    /// Waits for a value for `wait` nanoseconds, and returns a copy of it if it is like the one
    /// that [`learn`](Self::learn) was told; otherwise a [`Held`], of which Python makes the copy.
    /// None if there is no value; the number of its status after a failure, -1 if it is closed.
    pub(crate) fn next<'py>(&self, py: Python<'py>, wait: i64) -> Given<'py> {
        let mut open = lock(&self.open);
        let Some(found) = open.as_mut() else { return closed(py) };
        let Some(like) = &found.like else {
            let handle = found.handle.again(py);
            drop(open);
            return self.given(py, get(py, &handle, wait));
        };
        let (like, handle, spare) = (Arc::clone(like), found.handle.again(py), found.spare.take());
        drop(open);
        let array = match spare {
            Some(spare) => spare.into_bound(py),
            None => like.kind.empty(py)?.into_any(),
        };
        // SAFETY: it is an array, as `Kind::empty` makes it.
        let data = (array::address(unsafe { array.cast_unchecked() }), like.length);
        let get = || {
            // SAFETY: the array is new and nobody else's, and has the elements of this kind.
            unsafe { handle.get_like(wait, &like.header, data) }
        };
        let got = if wait == 0 && like.length <= SHORT { get() } else { py.detach(get) };
        if let Got::Value(value) = got
            && value.guard.is_null()
        {
            *lock(&self.last) = value;
            return Ok(array);
        }
        if let Some(open) = &mut *lock(&self.open)
            && open.like.as_ref().is_some_and(|now| Arc::ptr_eq(now, &like))
        {
            open.spare.get_or_insert(array.unbind());
        }
        self.given(py, got)
    }

    /// Waits for a value for `wait` nanoseconds, and returns a read-only array in place if it is
    /// like the one that [`learn`](Self::learn) was told. Otherwise as `next`.
    pub(crate) fn borrow<'py>(&self, py: Python<'py>, wait: i64) -> Given<'py> {
        let (handle, like) = match &*lock(&self.open) {
            None => return closed(py),
            Some(open) => (open.handle.again(py), open.like.clone()),
        };
        let got = get(py, &handle, wait);
        let (Some(like), Got::Value(value)) = (like, &got) else { return self.given(py, got) };
        if value.length != like.header.len() + like.length {
            return self.given(py, got);
        }
        let (value, start) = (*value, like.header.len());
        *lock(&self.last) = value;
        let held = Bound::new(py, Held::new(value))?;
        if !held.get().starts_with(&like.header) {
            return Ok(held.into_any());
        }
        let data = value.data.wrapping_byte_add(start).cast_mut();
        // SAFETY: the elements lie after the header, while the value is held, which is as long as
        // the `Held` lives; the array is read-only.
        unsafe { like.kind.view(data, held.into_any(), false) }
    }

    /// Waits for a value for `wait` nanoseconds, and returns a [`Held`]. Otherwise as `next`.
    fn hold<'py>(&self, py: Python<'py>, wait: i64) -> Given<'py> {
        let handle = match &*lock(&self.open) {
            None => return closed(py),
            Some(open) => open.handle.again(py),
        };
        self.given(py, get(py, &handle, wait))
    }

    /// Copies values that have this `header` from now on to arrays of this kind. The elements are
    /// all that follows the header; the dtype has no fields.
    fn learn(
        &self,
        header: &Bound<'_, PyBytes>,
        length: usize,
        dtype: Py<PyArrayDescr>,
        shape: Vec<isize>,
        fortran: bool,
    ) {
        let (header, kind) = (header.as_bytes().to_vec(), Kind::new(dtype, shape, fortran));
        let like = Some(Arc::new(Like { header, length, kind }));
        let mut open = lock(&self.open);
        // What was there is dropped without the lock: that may run code of Python.
        let _before =
            open.as_mut().map(|open| (std::mem::replace(&mut open.like, like), open.spare.take()));
        drop(open);
    }

    /// Waits for a message of the fields that [`learn_fields`](Self::learn_fields) was told, and
    /// returns a copy of it. Otherwise as `next`.
    fn next_message<'py>(&self, py: Python<'py>, wait: i64) -> Given<'py> {
        let (handle, numbers) = match &*lock(&self.open) {
            None => return closed(py),
            Some(open) => (open.handle.again(py), open.numbers.clone()),
        };
        let Some(numbers) = numbers else { return self.given(py, get(py, &handle, wait)) };
        let mut room = [0_u8; LONGEST];
        let bytes = &mut room[..numbers.fields.get().length];
        let data = (bytes.as_mut_ptr().expose_provenance(), bytes.len());
        let get = || {
            // SAFETY: the bytes are this call's own.
            unsafe { handle.get_like(wait, &[], data) }
        };
        let got = if wait == 0 { get() } else { py.detach(get) };
        match got {
            Got::Value(value) if value.guard.is_null() => *lock(&self.last) = value,
            got => return self.given(py, got),
        }
        let made = numbers.class.bind(py).call0()?;
        let fields = numbers.fields.clone_ref(py);
        made.cast::<MessageBase>()?.get().set_numbers(fields, Box::from(&*bytes));
        Ok(made)
    }

    /// Returns messages of these fields from [`next_message`](Self::next_message), of this class.
    /// Whether they are not too long for that.
    fn learn_fields(&self, fields: Py<Fields>, class: Py<PyType>) -> bool {
        let is_short = fields.get().length <= LONGEST;
        if let Some(open) = lock(&self.open).as_mut().filter(|_| is_short) {
            open.numbers = Some(Arc::new(Numbers { fields, class }));
        }
        is_short
    }

    /// Notes the numbers of a value that Python got in another way.
    fn note(&self, seq: u64, missed: u64, stamp: u64, tag: u64) {
        *lock(&self.last) = Value { seq, missed, stamp, tag, ..Value::NONE };
    }

    #[getter]
    fn seq(&self) -> u64 {
        lock(&self.last).seq
    }

    #[getter]
    fn missed(&self) -> u64 {
        lock(&self.last).missed
    }

    #[getter]
    fn stamp(&self) -> u64 {
        lock(&self.last).stamp
    }

    #[getter]
    fn tag(&self) -> u64 {
        lock(&self.last).tag
    }

    /// Refuses gets from now on.
    fn close(&self) {
        // Dropped without the lock: the last reference to a handle closes it.
        let _open = lock(&self.open).take();
    }
}

impl Gets {
    /// What a get returns that made no array.
    fn given<'py>(&self, py: Python<'py>, got: Got) -> Given<'py> {
        match got {
            Got::Nothing => Ok(py.None().into_bound(py)),
            Got::Failed(status) => status.into_bound_py_any(py),
            Got::Value(value) => {
                *lock(&self.last) = value;
                Ok(Bound::new(py, Held::new(value))?.into_any())
            }
        }
    }
}

fn get(py: Python<'_>, handle: &Handle, wait: i64) -> Got {
    if wait == 0 { handle.get(wait) } else { py.detach(|| handle.get(wait)) }
}

fn closed(py: Python<'_>) -> Given<'_> {
    const CLOSED: c_int = -1;
    CLOSED.into_bound_py_any(py)
}
