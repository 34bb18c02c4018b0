//! Gets of arrays that are like the last one: of the same header, so that they are copied to, or
//! seen by, an array of the same dtype and shape.

use std::cell::RefMut;
use std::ffi::c_int;
use std::sync::Arc;

use numpy::PyArrayDescr;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};
use pyo3::{IntoPyObjectExt, PyTypeInfo, ffi};

use crate::array::{self, Kind};
use crate::fields::{self, Fields};
use crate::library::{Got, Handle, Value};
use crate::memory::Held;
use crate::message::Message;
use crate::protected::Protected;

/// Values up to this many bytes are copied while other threads wait: switching takes longer.
const SHORT: usize = 16 << 10;

/// How long a wait takes at most, in nanoseconds, before the interpreter handles signals.
const SLICE: i64 = 100_000_000;

/// What values of the same header have in common.
struct Like {
    header: Vec<u8>,
    /// The length of the elements in bytes.
    length: usize,
    kind: Kind,
}

struct Open {
    handle: Handle,
    like: Option<Arc<Like>>,
    numbers: Option<Numbers>,
    /// An array of `like`'s kind for the next value, which is made before the wait for it.
    spare: Option<Py<PyAny>>,
}

/// Messages that are plain numbers.
struct Numbers {
    fields: Py<Fields>,
    /// Those that were returned last. One that nobody else refers to any more is returned again,
    /// which saves making it. They are two, since a program mostly has one while it gets the next.
    returned: [Option<Py<Message>>; 2],
    /// Which of them was returned before the other.
    older: usize,
}

impl Numbers {
    /// A message to return again.
    #[inline]
    fn unused<'py>(&mut self, py: Python<'py>) -> Option<Bound<'py, Message>> {
        let message = self.returned[self.older].as_ref()?.bind(py);
        // SAFETY: it is a live object.
        let references = unsafe { ffi::Py_REFCNT(message.as_ptr()) };
        // A program may have given it another class.
        let is_whole = message.get_type_ptr() == Message::type_object_raw(py);
        (references == 1 && is_whole).then(|| {
            self.older ^= 1;
            message.clone()
        })
    }

    /// Notes a message that is returned, and returns the one that is not needed any more.
    fn note(&mut self, message: &Bound<'_, Message>) -> Option<Py<Message>> {
        let before = self.returned[self.older].replace(message.clone().unbind());
        self.older ^= 1;
        before
    }
}

/// The fast gets of one consumer. It has the numbers of the value that was got last.
#[pyclass(frozen, module = "io_shared._native")]
pub(crate) struct Gets {
    /// `None` when it is closed.
    open: Protected<Option<Open>>,
    last: Protected<Value>,
}

/// What is given to Python: an array, None, a [`Held`], or the status of a failure.
pub(crate) type Given<'py> = PyResult<Bound<'py, PyAny>>;

#[pymethods]
impl Gets {
    /// `address`: of a consumer of the C library, which stays open while `handle` lives.
    #[new]
    fn new(handle: Py<PyAny>, address: usize) -> PyResult<Self> {
        let open =
            Open { handle: Handle::new(handle, address)?, like: None, numbers: None, spare: None };
        Ok(Self { open: Protected::new(Some(open)), last: Protected::new(Value::NONE) })
    }

    /// Waits for a value for `wait` nanoseconds, and returns a copy of it if it is like the one
    /// that [`learn`](Self::learn) was told, or a message of the fields that
    /// [`learn_fields`](Self::learn_fields) was told; otherwise a [`Held`], of which Python makes
    /// the copy. None if there is no value; the number of its status after a failure, -1 if it is
    /// closed.
    pub(crate) fn next<'py>(&self, py: Python<'py>, wait: i64) -> Given<'py> {
        let mut open = self.open.lock(py);
        let Some(found) = open.as_mut() else { return closed(py) };
        if let Some(numbers) = &found.numbers {
            let fields = numbers.fields.bind(py).clone();
            return self.next_message(fields, open, wait);
        }
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
            *self.last.lock(py) = value;
            return Ok(array);
        }
        if let Some(open) = &mut *self.open.lock(py)
            && open.like.as_ref().is_some_and(|now| Arc::ptr_eq(now, &like))
        {
            open.spare.get_or_insert(array.unbind());
        }
        self.given(py, got)
    }

    /// Waits for a value for `wait` nanoseconds, and returns a read-only array in place if it is
    /// like the one that [`learn`](Self::learn) was told. Otherwise as `next`.
    pub(crate) fn borrow<'py>(&self, py: Python<'py>, wait: i64) -> Given<'py> {
        let (handle, like) = match &*self.open.lock(py) {
            None => return closed(py),
            Some(open) => (open.handle.again(py), open.like.clone()),
        };
        let got = get(py, &handle, wait);
        let (Some(like), Got::Value(value)) = (like, &got) else { return self.given(py, got) };
        if value.length != like.header.len() + like.length {
            return self.given(py, got);
        }
        let (value, start) = (*value, like.header.len());
        *self.last.lock(py) = value;
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
        let handle = match &*self.open.lock(py) {
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
        let (py, header) = (header.py(), header.as_bytes().to_vec());
        let kind = Kind::new(dtype, shape, fortran);
        let like = Some(Arc::new(Like { header, length, kind }));
        let mut open = self.open.lock(py);
        // What was there is dropped without the lock: that may run code of Python.
        let _before =
            open.as_mut().map(|open| (std::mem::replace(&mut open.like, like), open.spare.take()));
        drop(open);
    }

    /// Returns messages of these fields from [`next`](Self::next) from now on.
    fn learn_fields(&self, py: Python<'_>, fields: Py<Fields>) {
        let numbers = Numbers { fields, returned: [None, None], older: 0 };
        let mut open = self.open.lock(py);
        // What was there is dropped without the lock.
        let _before = open.as_mut().map(|open| open.numbers.replace(numbers));
        drop(open);
    }

    /// Notes the numbers of a value that Python got in another way.
    fn note(&self, py: Python<'_>, seq: u64, missed: u64, stamp: u64, tag: u64) {
        *self.last.lock(py) = Value { seq, missed, stamp, tag, ..Value::NONE };
    }

    #[getter]
    fn seq(&self, py: Python<'_>) -> u64 {
        self.last.lock(py).seq
    }

    #[getter]
    fn missed(&self, py: Python<'_>) -> u64 {
        self.last.lock(py).missed
    }

    #[getter]
    fn stamp(&self, py: Python<'_>) -> u64 {
        self.last.lock(py).stamp
    }

    #[getter]
    fn tag(&self, py: Python<'_>) -> u64 {
        self.last.lock(py).tag
    }

    /// Refuses gets from now on.
    fn close(&self, py: Python<'_>) {
        // Dropped without the lock: the last reference to a handle closes it.
        let _open = self.open.lock(py).take();
    }
}

impl Gets {
    /// As [`next`](Self::next) without a wait, if the messages are plain numbers.
    #[inline]
    pub(crate) fn try_message<'py>(&self, py: Python<'py>) -> Option<Given<'py>> {
        let open = self.open.lock(py);
        let fields = open.as_ref()?.numbers.as_ref()?.fields.bind(py).clone();
        Some(self.next_message(fields, open, 0))
    }

    fn next_message<'py>(
        &self,
        fields: Bound<'py, Fields>,
        open: RefMut<'_, Option<Open>>,
        wait: i64,
    ) -> Given<'py> {
        let py = fields.py();
        let mut room = [0_u8; fields::LONGEST];
        let bytes = &mut room[..fields.get().length];
        let data = (bytes.as_mut_ptr().expose_provenance(), bytes.len());
        let Some(Open { handle, .. }) = &*open else { return closed(py) };
        let got = if wait == 0 {
            // SAFETY: the bytes are this call's own.
            let got = unsafe { handle.get_like(wait, &[], data) };
            drop(open);
            got
        } else {
            let handle = handle.again(py);
            drop(open);
            // SAFETY: as above.
            py.detach(|| unsafe { handle.get_like(wait, &[], data) })
        };
        match got {
            Got::Value(value) if value.guard.is_null() => *self.last.lock(py) = value,
            got => return self.given(py, got),
        }
        Ok(self.message(fields, bytes)?.into_any())
    }

    /// A message of these fields.
    fn message<'py>(
        &self,
        fields: Bound<'py, Fields>,
        bytes: &[u8],
    ) -> PyResult<Bound<'py, Message>> {
        let py = fields.py();
        let mut open = self.open.lock(py);
        if let Some(message) = numbers_of(&mut open, &fields).and_then(|known| known.unused(py)) {
            // SAFETY: it was made below, for these fields. `unused` has counted who refers to it:
            // nobody but what it came from and `message`.
            unsafe { message.get().set(bytes) };
            return Ok(message);
        }
        // Without the lock: Python may collect garbage, and run code for it.
        drop(open);
        let message = Bound::new(py, Message::of_numbers(fields.clone().unbind(), bytes))?;
        let mut open = self.open.lock(py);
        let before = numbers_of(&mut open, &fields).and_then(|known| known.note(&message));
        drop(open);
        if let Some(before) = before {
            before.drop_ref(py);
        }
        Ok(message)
    }

    /// What a get returns that made no array.
    fn given<'py>(&self, py: Python<'py>, got: Got) -> Given<'py> {
        match got {
            Got::Nothing => Ok(py.None().into_bound(py)),
            Got::Failed(status) => status.into_bound_py_any(py),
            Got::Value(value) => {
                *self.last.lock(py) = value;
                Ok(Bound::new(py, Held::new(value))?.into_any())
            }
        }
    }
}

/// Has `gets` wait for a slice, if there is no `timeout`, and returns the value that it took. Else
/// returns what the method `wait` of `owner` does, which waits in Python.
pub(crate) fn wait<'py>(
    owner: &Bound<'py, PyAny>,
    gets: Option<Bound<'py, Gets>>,
    timeout: Option<&Bound<'py, PyAny>>,
    take: impl FnOnce(&Gets, Python<'py>, i64) -> Given<'py>,
    [made_of, wait]: [&Bound<'py, PyString>; 2],
) -> Given<'py> {
    if let (None, Some(gets)) = (timeout, gets) {
        let taken = made(owner, take(gets.get(), owner.py(), SLICE)?, made_of)?;
        if !taken.is_none() {
            return Ok(taken);
        }
    }
    owner.call_method1(wait, (timeout,))
}

/// What a get returned, if it made it. Of a value that is held, and of a failure, the method
/// `made_of` of `owner` makes the value, or raises.
pub(crate) fn made<'py>(
    owner: &Bound<'py, PyAny>,
    got: Bound<'py, PyAny>,
    made_of: &Bound<'py, PyString>,
) -> Given<'py> {
    let (py, kind) = (owner.py(), got.get_type_ptr());
    if kind != Held::type_object_raw(py) && kind != PyInt::type_object_raw(py) {
        return Ok(got);
    }
    owner.call_method1(made_of, (got,))
}

/// What is known of messages of these fields, if they still are the consumer's.
#[inline]
fn numbers_of<'a>(
    open: &'a mut Option<Open>,
    fields: &Bound<'_, Fields>,
) -> Option<&'a mut Numbers> {
    open.as_mut()?.numbers.as_mut().filter(|numbers| numbers.fields.is(fields))
}

fn get(py: Python<'_>, handle: &Handle, wait: i64) -> Got {
    if wait == 0 { handle.get(wait) } else { py.detach(|| handle.get(wait)) }
}

fn closed(py: Python<'_>) -> Given<'_> {
    const CLOSED: c_int = -1;
    CLOSED.into_bound_py_any(py)
}
