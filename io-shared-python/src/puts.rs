//! Puts of arrays that are like the last one: of the same dtype, shape and strides, so that their
//! header is the same.

use std::ffi::c_int;
use std::sync::Arc;

use numpy::PyArrayDescr;
use pyo3::call::PyCallArgs;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple, PyType};

use crate::array::{self, Kind, Layout};
use crate::fields::{self, Fields};
use crate::library::Handle;
use crate::loans::{self, Loan};
use crate::protected::Protected;
use crate::typed::Named;

/// What a put returns if it is not for this module: Python does it. No status is negative.
pub(crate) const SLOWLY: c_int = -1;
/// Messages up to this many bytes are put while other threads wait: switching takes longer.
const SHORT: usize = 16 << 10;

/// What arrays that are alike are put with.
struct Like {
    layout: Layout,
    header: Vec<u8>,
    /// The length of the elements in bytes.
    length: usize,
}

struct Open {
    handle: Handle,
    like: Option<Arc<Like>>,
    loans: Option<LoansLike>,
}

/// What was asked for in the last loan in place, and how such loans are made.
struct LoansLike {
    shape: Py<PyTuple>,
    dtype: Py<PyAny>,
    like: Arc<loans::Like>,
}

/// The fast puts of one producer.
#[pyclass(frozen, module = "io_shared._native")]
pub(crate) struct Puts {
    /// `None` when it is closed.
    open: Protected<Option<Open>>,
    ndarray: Py<PyType>,
    /// A number in Python's memory, to which each put writes its own, and what it belongs to.
    pub(crate) seq: usize,
    _seq_owner: Py<PyAny>,
    /// What of the package says what went wrong, in words for this producer.
    pub(crate) says: Py<PyAny>,
}

impl Puts {
    /// The handle; `None` when it is closed.
    pub(crate) fn handle(&self, py: Python<'_>) -> Option<Handle> {
        self.open.lock(py).as_ref().map(|open| open.handle.again(py))
    }

    /// Puts a message of these fields with these values. Returns the status, or -1 if Python has
    /// to put it.
    pub(crate) fn put_fields(&self, fields: &Fields, named: Named<'_, '_>) -> c_int {
        let mut room = [0_u8; fields::LONGEST];
        let message = &mut room[..fields.length];
        let Some(()) = fields.pack(named, message) else { return SLOWLY };
        let open = self.open.lock(named.py());
        let Some(Open { handle, .. }) = &*open else { return SLOWLY };
        // SAFETY: it is the handle of a producer, and `seq` an address for a number, whose owner
        // lives; the bytes are this call's own. No other thread of Python runs meanwhile, which
        // could close it.
        unsafe { handle.put(message, (message.as_ptr().expose_provenance(), 0), self.seq, 0) }
    }

    /// The package's exception of this name.
    pub(crate) fn error<'py, A>(&self, py: Python<'py>, name: &str, arguments: A) -> PyErr
    where
        A: PyCallArgs<'py>,
    {
        match self.says.bind(py).call_method1(name, arguments) {
            Ok(error) => PyErr::from_value(error),
            Err(error) => error,
        }
    }
}

#[pymethods]
impl Puts {
    /// `address`: of a producer of the C library, which stays open while `handle` lives.
    /// `seq_address`: of a number of 64 bits, which stays there while `seq` lives.
    #[new]
    fn new(
        handle: Py<PyAny>,
        address: usize,
        seq: Py<PyAny>,
        seq_address: usize,
        ndarray: Py<PyType>,
        says: Py<PyAny>,
    ) -> PyResult<Self> {
        let open = Open { handle: Handle::new(handle, address)?, like: None, loans: None };
        let (open, seq_owner) = (Protected::new(Some(open)), seq);
        Ok(Self { open, ndarray, seq: seq_address, _seq_owner: seq_owner, says })
    }

    /// Puts `array`, if it is like the one that [`learn`](Self::learn) was given last. Returns the
    /// status, or -1 if Python has to put it.
    #[pyo3(signature = (array, tag=None, seq=None, stamp=None))]
    pub(crate) fn put(
        &self,
        array: &Bound<'_, PyAny>,
        tag: Option<&Bound<'_, PyAny>>,
        seq: Option<&Bound<'_, PyAny>>,
        stamp: Option<&Bound<'_, PyAny>>,
    ) -> c_int {
        let (py, tag) = (array.py(), tag.map_or(Ok(0), |tag| tag.extract::<u64>()));
        let (Ok(tag), None, None) = (tag, seq, stamp) else { return SLOWLY };
        let Some(array) = array::exact(array, &self.ndarray) else { return SLOWLY };
        let open = self.open.lock(py);
        let Some(Open { handle, like: Some(like), .. }) = &*open else { return SLOWLY };
        if !like.layout.is_of(array) {
            return SLOWLY;
        }
        let data = (array::address(array), like.length);
        if like.length <= SHORT {
            // SAFETY: it is the handle of a producer. The array is contiguous, as `learn` asks, and
            // has as many bytes, since it has the same layout; it is borrowed, and no other thread
            // runs. `seq` is an address for a number, whose owner lives.
            return unsafe { handle.put(&like.header, data, self.seq, tag) };
        }
        let (handle, like, seq) = (handle.again(py), Arc::clone(like), self.seq);
        drop(open);
        // SAFETY: as above; another thread that writes to the array meanwhile gets a torn value, as
        // from any copy of an array, and cannot free its elements, to which the caller has a
        // reference.
        py.detach(|| unsafe { handle.put(&like.header, data, seq, tag) })
    }

    /// Puts arrays of the dtype, shape and strides of `array` from now on, with this header.
    /// `array` is contiguous, and its dtype has no fields.
    fn learn(&self, array: &Bound<'_, PyAny>, header: &Bound<'_, PyBytes>) -> PyResult<()> {
        let Some(found) = array::exact(array, &self.ndarray) else { return Ok(()) };
        let length = array.getattr("nbytes")?.extract()?;
        let (layout, header) = (Layout::of(found), header.as_bytes().to_vec());
        let like = Arc::new(Like { layout, header, length });
        let mut open = self.open.lock(array.py());
        // What was there is dropped without the lock: that may run code of Python.
        let _before = open.as_mut().map(|open| open.like.replace(like));
        drop(open);
        Ok(())
    }

    /// A loan in place of an array of this `shape` and `dtype`, if the last that
    /// [`learn_loan`](Self::learn_loan) was told was asked for alike; otherwise None.
    pub(crate) fn loan(
        slf: &Bound<'_, Self>,
        shape: &Bound<'_, PyAny>,
        dtype: &Bound<'_, PyAny>,
        tag: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Loan>> {
        let (Ok(shape), Ok(tag)) = (shape.cast_exact::<PyTuple>(), tag.extract::<u64>()) else {
            return Ok(None);
        };
        let known = match &*slf.get().open.lock(slf.py()) {
            Some(Open { loans: Some(known), .. }) if dtype.is(&known.dtype) => {
                (known.shape.clone_ref(slf.py()), Arc::clone(&known.like))
            }
            _ => return Ok(None),
        };
        // Without the lock: comparing may run code of Python.
        let is_known = shape.eq(known.0)?;
        Ok(is_known.then(|| Loan::new(slf.clone().unbind(), known.1, tag)))
    }

    /// Lends arrays for which this `shape` and `dtype` were asked, with this header, from now on:
    /// of the dtype and axes that `array` has, which has no fields.
    fn learn_loan(
        &self,
        shape: Py<PyTuple>,
        dtype: Py<PyAny>,
        header: &Bound<'_, PyBytes>,
        found: Py<PyArrayDescr>,
        axes: Vec<isize>,
        length: usize,
    ) {
        let py = header.py();
        let header = header.as_bytes().to_vec();
        let kind = Kind::new(found, axes, false);
        let root = Kind::new(numpy::dtype::<u8>(py).unbind(), vec![length as isize], false);
        let like = Arc::new(loans::Like { header, kind, root, length });
        let mut open = self.open.lock(py);
        let like = LoansLike { shape, dtype, like };
        let _before = open.as_mut().map(|open| open.loans.replace(like));
        drop(open);
    }

    /// Refuses puts from now on.
    fn close(&self, py: Python<'_>) {
        // Dropped without the lock: the last reference to a handle closes it.
        let _open = self.open.lock(py).take();
    }
}
