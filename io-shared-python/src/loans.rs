//! Loans in place of arrays that are like the last one: a producer's buffer in shared memory,
//! filled as an array and put without a copy.
//!
//! Whoever keeps a reference to that memory could change what others read. So it is put only if
//! nobody has one but the variable that the block was given:
//! - Every view of the array has `root` as its base, whose references are counted.
//! - What was made of the bytes by the buffer protocol is an export of [`Lent`], which are counted.
//! - A buffer of the array itself (a `memoryview`, an object of ctypes) is NumPy's export. NumPy
//!   notes that there ever was one; then the package looks for it.
//!
//! If something is left, nothing is put, and the memory becomes this process's own.

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use pyo3::prelude::*;
use pyo3::{ffi, intern};

use crate::array::{self, Kind};
use crate::library::Loaned;
use crate::protected::Protected;
use crate::puts::Puts;

/// What loans of the same dtype and shape have in common.
pub(crate) struct Like {
    pub(crate) header: Vec<u8>,
    pub(crate) kind: Kind,
    /// All bytes of the message, as an array.
    pub(crate) root: Kind,
    /// The length of the message.
    pub(crate) length: usize,
}

/// The memory of a loan. It exports its bytes as a buffer, which can be written to until the loan
/// is put. It stays mapped as long as this object lives.
#[pyclass(frozen, module = "io_shared._native")]
pub(crate) struct Lent {
    loaned: Loaned,
    exports: AtomicUsize,
    is_writable: AtomicBool,
}

#[pymethods]
impl Lent {
    /// # Safety
    /// Python calls it with a `view` to fill.
    unsafe fn __getbuffer__(
        slf: &Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let lent = slf.get();
        let is_read_only = c_int::from(!lent.is_writable.load(Ordering::Relaxed));
        let length = lent.loaned.length as ffi::Py_ssize_t;
        let data = lent.loaned.data();
        // SAFETY: `view` is Python's to fill. The bytes lie at `data` while this object lives, to
        // which the view gets a reference.
        let filled = unsafe {
            ffi::PyBuffer_FillInfo(view, slf.as_ptr(), data, length, is_read_only, flags)
        };
        if filled < 0 {
            return Err(PyErr::fetch(slf.py()));
        }
        lent.exports.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// # Safety
    /// Python calls it for a view that `__getbuffer__` has filled.
    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
        self.exports.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The arrays of a loan that is being filled.
struct Filling {
    lent: Py<Lent>,
    root: Py<PyAny>,
    out: Py<PyAny>,
}

enum State {
    New,
    Filling(Filling),
    Over,
}

impl Filling {
    /// Whether anybody else can still write to the memory.
    fn is_kept(&self, py: Python<'_>, says: &Py<PyAny>) -> PyResult<bool> {
        let (lent, root, out) = (self.lent.bind(py), self.root.bind(py), self.out.bind(py));
        // The loan has a reference to each. The base of `out` is `root`, whose base is `lent`; and
        // the caller may have one variable.
        if array::references(lent) > 2
            || array::references(root) > 2
            || array::references(out) > 2
            || lent.get().exports.load(Ordering::Relaxed) > 0
        {
            return Ok(true);
        }
        if array::references(out) < 2 || !array::was_exported(out) {
            return Ok(false);
        }
        says.bind(py).call_method1(intern!(py, "is_exported"), (out,))?.extract()
    }

    /// Ends the loan without a put. Somebody may still write to the memory, so it becomes private.
    fn cancel(&self) -> c_int {
        self.lent.get().loaned.cancel()
    }
}

/// What was being filled until now.
fn end(state: &mut State) -> Option<Filling> {
    match std::mem::replace(state, State::Over) {
        State::Filling(filling) => Some(filling),
        State::New | State::Over => None,
    }
}

/// A loan in place, as a context manager.
#[pyclass(frozen, module = "io_shared._native")]
pub(crate) struct Loan {
    puts: Py<Puts>,
    like: Arc<Like>,
    state: Protected<State>,
    tag: AtomicU64,
}

impl Loan {
    pub(crate) fn new(puts: Py<Puts>, like: Arc<Like>, tag: u64) -> Self {
        Self { puts, like, state: Protected::new(State::New), tag: AtomicU64::new(tag) }
    }

    fn begin(&self, py: Python<'_>) -> PyResult<Filling> {
        let puts = self.puts.get();
        let Some(handle) = puts.handle(py) else { return Err(puts.error(py, "closed", ())) };
        let like = &self.like;
        let loaned = match handle.lend(like.length) {
            Ok(loaned) => loaned,
            Err(status) => return Err(puts.error(py, "failure", (status,))),
        };
        loaned.fill(&like.header);
        let data = loaned.data();
        let (exports, is_writable) = (AtomicUsize::new(0), AtomicBool::new(true));
        let lent = Bound::new(py, Lent { loaned, exports, is_writable })?;
        // SAFETY: as many bytes lie at `data` while `lent` lives, which nobody else sees before
        // they are put.
        let root = unsafe { like.root.view(data, lent.clone().into_any(), true) }?;
        let elements = data.wrapping_byte_add(like.header.len());
        // SAFETY: the elements follow the header, while `root` lives, which refers to `lent`.
        let out = unsafe { like.kind.view(elements, root.clone(), true) }?;
        Ok(Filling { lent: lent.unbind(), root: root.unbind(), out: out.unbind() })
    }

    /// What is being filled, if the loan is not over; it is afterwards.
    fn end(&self, py: Python<'_>) -> Option<Filling> {
        end(&mut self.state.lock(py))
    }

    fn put(&self, py: Python<'_>, filling: &Filling) -> PyResult<()> {
        let puts = self.puts.get();
        if filling.is_kept(py, &puts.says)? {
            filling.cancel();
            return Err(puts.error(py, "kept", ()));
        }
        let lent = filling.lent.get();
        lent.is_writable.store(false, Ordering::Relaxed);
        array::set_read_only(filling.root.bind(py));
        array::set_read_only(filling.out.bind(py));
        let tag = self.tag.load(Ordering::Relaxed);
        match lent.loaned.put(tag, puts.seq) {
            0 => Ok(()),
            status => Err(puts.error(py, "failure", (status,))),
        }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        // It was neither put nor cancelled; who has its arrays is not known.
        if let Some(filling) = end(self.state.get_mut()) {
            filling.cancel();
        }
    }
}

#[pymethods]
impl Loan {
    fn __enter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if !matches!(*self.state.lock(py), State::New) {
            return Err(self.puts.get().error(py, "entered", ()));
        }
        *self.state.lock(py) = State::Over;
        let filling = self.begin(py)?;
        let out = filling.out.clone_ref(py);
        *self.state.lock(py) = State::Filling(filling);
        Ok(out.into_bound(py))
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        error: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _trace: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        match self.end(py) {
            Some(filling) if error.is_none() => self.put(py, &filling),
            Some(filling) => {
                filling.cancel();
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Ends the loan without putting anything.
    fn cancel(&self, py: Python<'_>) {
        if let Some(filling) = self.end(py) {
            filling.cancel();
        }
    }

    #[getter]
    fn tag(&self) -> u64 {
        self.tag.load(Ordering::Relaxed)
    }

    #[setter]
    fn set_tag(&self, tag: &Bound<'_, PyAny>) -> PyResult<()> {
        let says = self.puts.get().says.bind(tag.py());
        let tag = says.call_method1(intern!(tag.py(), "tag"), (tag,))?.extract()?;
        self.tag.store(tag, Ordering::Relaxed);
        Ok(())
    }

    /// So that it is an instance of the package's class.
    #[getter(__class__)]
    fn class<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.puts.get().says.bind(py).getattr(intern!(py, "loan_class"))
    }
}
