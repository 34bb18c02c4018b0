//! The fields of messages of a fixed size, by their offsets: how they are written for a put, and
//! read from a copy.

use std::ffi::c_void;
use std::ptr::null_mut;

use numpy::PyArrayDescr;
use numpy::npyffi::PY_ARRAY_API;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyString};

use crate::array::Kind;

/// A kind of number, little-endian.
#[derive(Clone, Copy)]
enum Number {
    Float(usize),
    Signed(usize),
    Unsigned(usize),
}

impl Number {
    /// The number of this NumPy code; `None` if it is none that this module writes.
    fn of(code: &str) -> Option<Self> {
        Some(match code {
            "<f4" => Self::Float(4),
            "<f8" => Self::Float(8),
            "|i1" => Self::Signed(1),
            "<i2" => Self::Signed(2),
            "<i4" => Self::Signed(4),
            "<i8" => Self::Signed(8),
            "|u1" => Self::Unsigned(1),
            "<u2" => Self::Unsigned(2),
            "<u4" => Self::Unsigned(4),
            "<u8" => Self::Unsigned(8),
            _ => return None,
        })
    }

    fn size(self) -> usize {
        let (Self::Float(size) | Self::Signed(size) | Self::Unsigned(size)) = self;
        size
    }

    /// Writes `value` to `to`, if it is a plain number that fits without a loss.
    fn write(self, value: &Bound<'_, PyAny>, scalars: &Scalars, to: &mut [u8]) -> Option<()> {
        let is_int = value.is_exact_instance_of::<PyInt>() || scalars.is_whole(value);
        let bytes = match self {
            Self::Float(size) => {
                // `numpy.float64` is a float. An int of 53 bits is one exactly.
                let number: f64 = match value.cast::<PyFloat>() {
                    Ok(number) => number.value(),
                    Err(_) if is_int => {
                        let number: i64 = value.extract().ok()?;
                        (number.unsigned_abs() < 1 << 53).then_some(number as f64)?
                    }
                    Err(_) if value.get_type().is(&scalars.single) => value.extract().ok()?,
                    Err(_) => return None,
                };
                if size == 8 {
                    to.copy_from_slice(&number.to_le_bytes());
                    return Some(());
                }
                let single = number as f32;
                if single.is_finite() != number.is_finite() {
                    return None; // NumPy warns of it
                }
                to.copy_from_slice(&single.to_le_bytes());
                return Some(());
            }
            _ if !is_int => return None,
            Self::Signed(size) => {
                let (number, bits): (i64, _) = (value.extract().ok()?, 8 * size as u32);
                let least = i64::MIN >> (64 - bits);
                (least..=!least).contains(&number).then_some(number.to_le_bytes())?
            }
            Self::Unsigned(size) => {
                let (number, bits): (u64, _) = (value.extract().ok()?, 8 * size as u32);
                (number <= u64::MAX >> (64 - bits)).then_some(number.to_le_bytes())?
            }
        };
        to.copy_from_slice(&bytes[..self.size()]);
        Some(())
    }
}

/// Classes of NumPy's numbers.
struct Scalars {
    /// `numpy.float32`.
    single: Py<PyAny>,
    /// `numpy.integer`.
    whole: Py<PyAny>,
}

impl Scalars {
    fn is_whole(&self, value: &Bound<'_, PyAny>) -> bool {
        let py = value.py();
        !value.is_exact_instance_of::<PyFloat>()
            && value.is_instance(self.whole.bind(py)).unwrap_or(false)
    }
}

struct Field {
    name: Py<PyString>,
    at: usize,
    number: Number,
    dtype: Py<PyArrayDescr>,
}

/// The fields of a message, which are plain numbers, and its length.
#[pyclass(frozen, module = "io_shared._native")]
pub(crate) struct Fields {
    fields: Vec<Field>,
    pub(crate) length: usize,
    /// The dtype of the whole message.
    whole: Kind,
    scalars: Scalars,
    /// What the package describes such messages by.
    pub(crate) layout: Py<PyAny>,
}

#[pymethods]
impl Fields {
    /// `fields`: the name, offset and dtype of each. A ValueError if one is no plain number.
    #[new]
    fn new(
        fields: Vec<(Py<PyString>, usize, Py<PyArrayDescr>)>,
        whole: Py<PyArrayDescr>,
        length: usize,
        layout: Py<PyAny>,
        py: Python<'_>,
    ) -> PyResult<Self> {
        let mut found = Vec::with_capacity(fields.len());
        for (name, at, dtype) in fields {
            let code: String = dtype.bind(py).getattr("str")?.extract()?;
            let number = Number::of(&code).filter(|number| at + number.size() <= length);
            let number = number.ok_or_else(|| PyValueError::new_err(code))?;
            found.push(Field { name, at, number, dtype });
        }
        let (whole, numpy) = (Kind::new(whole, Vec::new(), false), py.import("numpy")?);
        let class = |name| numpy.getattr(name).map(Bound::unbind);
        let scalars = Scalars { single: class("float32")?, whole: class("integer")? };
        Ok(Self { fields: found, length, whole, scalars, layout })
    }
}

impl Fields {
    /// The bytes of a message with these values; `None` if Python has to look at them.
    pub(crate) fn pack(&self, values: &Bound<'_, PyDict>) -> Option<Vec<u8>> {
        if values.len() != self.fields.len() {
            return None;
        }
        let mut bytes = vec![0; self.length];
        for Field { name, at, number, .. } in &self.fields {
            let value = values.get_item(name).ok()??;
            number.write(&value, &self.scalars, &mut bytes[*at..*at + number.size()])?;
        }
        Some(bytes)
    }

    /// The value of a field in a message at `data`; `None` if there is no such field.
    ///
    /// # Safety
    /// A message of these fields lies at `data`.
    pub(crate) unsafe fn read<'py>(
        &self,
        data: *mut c_void,
        name: &Bound<'py, PyString>,
    ) -> Option<PyResult<Bound<'py, PyAny>>> {
        let py = name.py();
        let is_it = |field: &&Field| field.name.is(name);
        let same = |field: &&Field| field.name.bind(py).as_any().eq(name).unwrap_or(false);
        let field = self.fields.iter().find(is_it).or_else(|| self.fields.iter().find(same))?;
        let data = data.wrapping_byte_add(field.at);
        let dtype = field.dtype.as_ptr().cast();
        // SAFETY: a number of this dtype lies there, since the field lies within the message. NumPy
        // copies it, and borrows the dtype.
        let scalar = unsafe { PY_ARRAY_API.PyArray_Scalar(py, data, dtype, null_mut()) };
        // SAFETY: it is a new reference, or NULL and an error is set.
        Some(unsafe { Bound::from_owned_ptr_or_err(py, scalar) })
    }

    /// The message at `data` as an array without axes.
    ///
    /// # Safety
    /// A message of these fields lies at `data` while `base` lives.
    pub(crate) unsafe fn view<'py>(
        &self,
        data: *mut c_void,
        base: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: it is the same contract.
        unsafe { self.whole.view(data, base, true) }
    }
}
