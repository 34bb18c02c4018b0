//! The base of the package's `NumpyShare`: the methods that are called for each value. What this
//! module does not do, they leave to the methods of the share's end, which the package has bound
//! under names of its own.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyTuple};
use pyo3::{PyTypeInfo, intern};

use crate::gets::{self, Gets, Given};
use crate::protected::Protected;
use crate::puts::Puts;

/// What `NumpyShare` is made from.
#[pyclass(frozen, subclass, module = "io_shared._native")]
pub(crate) struct Share {
    puts: Protected<Option<Py<Puts>>>,
    gets: Protected<Option<Py<Gets>>>,
}

/// Has `share` use these.
#[pyfunction]
pub(crate) fn serve(share: &Bound<'_, Share>, puts: Option<Py<Puts>>, gets: Option<Py<Gets>>) {
    let (py, share, before) = (share.py(), share.get(), (puts, gets));
    // Dropped without the locks.
    let _puts = std::mem::replace(&mut *share.puts.lock(py), before.0);
    let _gets = std::mem::replace(&mut *share.gets.lock(py), before.1);
}

impl Share {
    fn gets<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Gets>> {
        self.gets.lock(py).as_ref().map(|gets| gets.bind(py).clone())
    }
}

#[pymethods]
impl Share {
    #[new]
    #[pyo3(signature = (*_arguments, **_named))]
    fn new(_arguments: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) -> Self {
        Self { puts: Protected::new(None), gets: Protected::new(None) }
    }

    /// Puts a copy of ``array``: see :meth:`ArrayProducer.put`.
    #[pyo3(signature = (array, tag=None, seq=None, stamp=None))]
    #[pyo3(text_signature = "($self, array, tag=0, seq=None, stamp=None)")]
    fn put<'py>(
        slf: &Bound<'py, Self>,
        array: &Bound<'py, PyAny>,
        tag: Option<&Bound<'py, PyAny>>,
        seq: Option<&Bound<'py, PyAny>>,
        stamp: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let puts = slf.get().puts.lock(py).as_ref().map(|puts| puts.bind(py).clone());
        if let Some(puts) = puts {
            match puts.get().put(array, tag, seq, stamp) {
                0 => return Ok(None),
                status if status > 0 => return Err(puts.get().error(py, "failure", (status,))),
                _ => {}
            }
        }
        let tag = match tag {
            Some(tag) => tag.clone(),
            None => PyInt::new(py, 0).into_any(),
        };
        let put = slf.getattr(intern!(py, "_NumpyShare__put"))?;
        put.call1((array, tag, seq, stamp)).map(Some)
    }

    /// Lends an array to fill, and puts it: see :meth:`ArrayProducer.loan`.
    #[pyo3(signature = (
        shape, dtype=None, order=None, in_place=None, tag=None, seq=None, stamp=None
    ))]
    #[pyo3(text_signature = "($self, shape, dtype='f8', order='C', in_place=False, tag=0, \
                             seq=None, stamp=None)")]
    #[expect(clippy::too_many_arguments, reason = "they are Python's")]
    fn loan<'py>(
        slf: &Bound<'py, Self>,
        shape: &Bound<'py, PyAny>,
        dtype: Option<&Bound<'py, PyAny>>,
        order: Option<&Bound<'py, PyAny>>,
        in_place: Option<&Bound<'py, PyAny>>,
        tag: Option<&Bound<'py, PyAny>>,
        seq: Option<&Bound<'py, PyAny>>,
        stamp: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let float = PyFloat::type_object(py).into_any();
        let order = order.unwrap_or(intern!(py, "C").as_any());
        let dtype = dtype.unwrap_or(&float);
        let in_place = in_place.map_or(Ok(false), |asked| asked.is_truthy())?;
        let none = PyInt::new(py, 0).into_any();
        let tag = tag.unwrap_or(&none);
        let puts = slf.get().puts.lock(py).as_ref().map(|puts| puts.bind(py).clone());
        let is_plain = in_place && seq.is_none() && stamp.is_none() && order.is(intern!(py, "C"));
        if let Some(puts) = puts.filter(|_| is_plain)
            && let Some(loan) = Puts::loan(&puts, shape, dtype, tag)?
        {
            return Ok(Bound::new(py, loan)?.into_any());
        }
        let loan = slf.getattr(intern!(py, "_NumpyShare__loan"))?;
        loan.call1((shape, dtype, order, in_place, tag, seq, stamp))
    }

    /// Waits for a value: see :meth:`Consumer.get`.
    #[pyo3(signature = (timeout=None))]
    fn get<'py>(slf: &Bound<'py, Self>, timeout: Option<&Bound<'py, PyAny>>) -> Given<'py> {
        let py = slf.py();
        let names = [intern!(py, "_NumpyShare__got"), intern!(py, "_NumpyShare__get")];
        gets::wait(slf.as_any(), slf.get().gets(py), timeout, Gets::next, names)
    }

    /// A value that was not seen yet, or None: see :meth:`Consumer.try_get`.
    fn try_get<'py>(slf: &Bound<'py, Self>) -> Given<'py> {
        let py = slf.py();
        match slf.get().gets(py) {
            None => slf.call_method0(intern!(py, "_NumpyShare__try_get")),
            Some(gets) => gets::made(slf, gets.get().next(py, 0)?, intern!(py, "_NumpyShare__got")),
        }
    }

    /// A value in place, without a copy: see :meth:`Consumer.borrow`.
    #[pyo3(signature = (timeout=None))]
    fn borrow<'py>(slf: &Bound<'py, Self>, timeout: Option<&Bound<'py, PyAny>>) -> Given<'py> {
        let py = slf.py();
        let names = [intern!(py, "_NumpyShare__seen"), intern!(py, "_NumpyShare__borrow")];
        gets::wait(slf.as_any(), slf.get().gets(py), timeout, Gets::borrow, names)
    }
}
