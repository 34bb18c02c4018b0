//! The fields of messages of a fixed size, by their offsets: how they are written for a put, and
//! read from a copy.

use std::ffi::c_void;
use std::ptr::null_mut;

use numpy::PyArrayDescr;
use numpy::npyffi::PY_ARRAY_API;
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt, PyString, PyType};

use crate::array::Kind;
use crate::typed::Named;

/// The longest message of plain numbers that is written and made here, in bytes.
pub(crate) const LONGEST: usize = 256;

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
        let is_int = || value.is_exact_instance_of::<PyInt>() || scalars.is_whole(value);
        let bytes = match self {
            Self::Float(size) => {
                // `numpy.float64` is a float. An int of 53 bits is one exactly.
                let number: f64 = match value.cast::<PyFloat>() {
                    Ok(number) => number.value(),
                    Err(_) if is_int() => {
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
            _ if !is_int() => return None,
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

/// NumPy's numbers of a dtype, as objects.
///
/// NumPy's functions for them take as long as a put. `numpy/arrayscalars.h` has each kind as the
/// head of every object and the number after it; where that is so, they are made and read here.
struct Scalar {
    dtype: Py<PyArrayDescr>,
    class: Py<PyType>,
    /// What allocates an object of `class`, if the number follows the head.
    alloc: Option<ffi::allocfunc>,
}

/// The offset of the number in an object.
const HEAD: usize = size_of::<ffi::PyObject>();

impl Scalar {
    /// Those of a dtype of `size` bytes, 8 at most.
    fn of(dtype: Py<PyArrayDescr>, size: usize, py: Python<'_>) -> PyResult<Self> {
        let class = dtype.bind(py).getattr("type")?.cast_into::<PyType>()?;
        let basic: usize = class.getattr("__basicsize__")?.extract()?;
        let mut scalar = Self { dtype, class: class.unbind(), alloc: None };
        let number = [1_u8, 2, 3, 4, 5, 6, 7, 8];
        // SAFETY: the dtype has 8 bytes at most.
        let sample = unsafe { scalar.by_numpy(number.as_ptr().cast_mut().cast(), py) }?;
        if basic < HEAD + size {
            return Ok(scalar);
        }
        let found = sample.as_ptr().wrapping_byte_add(HEAD).cast::<u8>();
        // SAFETY: the object has as many bytes after its head, and lives.
        if unsafe { std::slice::from_raw_parts(found, size) } == &number[..size] {
            // SAFETY: it is a type object. Python returns the function of this slot, or NULL.
            let slot =
                unsafe { ffi::PyType_GetSlot(scalar.class.as_ptr().cast(), ffi::Py_tp_alloc) };
            // SAFETY: as above: functions of this slot have this type, and NULL is `None`.
            scalar.alloc =
                unsafe { std::mem::transmute::<*mut c_void, Option<ffi::allocfunc>>(slot) };
            if slot.is_null() {
                // Before 3.10 a slot of NumPy's classes is not told.
                drop(PyErr::take(py));
            }
        }
        Ok(scalar)
    }

    /// # Safety
    /// A number of the dtype lies at `data`.
    unsafe fn by_numpy<'py>(
        &self,
        data: *mut c_void,
        py: Python<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let dtype = self.dtype.as_ptr().cast();
        // SAFETY: a number of this dtype lies there (the contract). NumPy copies it, and borrows
        // the dtype.
        let scalar = unsafe { PY_ARRAY_API.PyArray_Scalar(py, data, dtype, null_mut()) };
        // SAFETY: it is a new reference, or NULL and an error is set.
        unsafe { Bound::from_owned_ptr_or_err(py, scalar) }
    }

    /// An object of the number at `data`, which has `size` bytes.
    ///
    /// # Safety
    /// A number of the dtype, which has `size` bytes, lies at `data`.
    #[inline]
    unsafe fn make<'py>(
        &self,
        data: *mut c_void,
        size: usize,
        py: Python<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(alloc) = self.alloc else {
            // SAFETY: it is the same contract.
            return unsafe { self.by_numpy(data, py) };
        };
        // SAFETY: it is the function of this class that allocates its objects.
        let made = unsafe { alloc(self.class.as_ptr().cast(), 0) };
        // SAFETY: it is a new reference, or NULL and an error is set.
        let made = unsafe { Bound::from_owned_ptr_or_err(py, made) }?;
        let to = made.as_ptr().wrapping_byte_add(HEAD).cast::<u8>();
        // SAFETY: the new object, which nobody else has, has as many bytes after its head (`of` has
        // looked), and a number lies at `data` (the contract).
        unsafe { to.copy_from_nonoverlapping(data.cast(), size) };
        Ok(made)
    }

    /// Writes `value` to `to`, if it is such an object.
    #[inline]
    fn write(&self, value: &Bound<'_, PyAny>, to: &mut [u8]) -> Option<()> {
        if value.get_type_ptr().cast() != self.class.as_ptr() {
            return None;
        }
        if self.alloc.is_some() {
            let from = value.as_ptr().wrapping_byte_add(HEAD).cast::<u8>();
            // SAFETY: an object of this class has as many bytes after its head (`of` has looked),
            // which never change.
            unsafe { to.as_mut_ptr().copy_from_nonoverlapping(from, to.len()) };
            return Some(());
        }
        let (py, value, to) = (value.py(), value.as_ptr(), to.as_mut_ptr().cast());
        // SAFETY: it is NumPy's number of this dtype, which has as many bytes as `to`, and the
        // order of this machine, which is that of messages.
        unsafe { PY_ARRAY_API.PyArray_ScalarAsCtype(py, value, to) };
        Some(())
    }
}

struct Field {
    name: Py<PyString>,
    at: usize,
    number: Number,
    scalar: Scalar,
}

impl Field {
    /// Writes `value` to a message, if it is a plain number that fits without a loss.
    #[inline]
    fn write(&self, value: &Bound<'_, PyAny>, scalars: &Scalars, message: &mut [u8]) -> Option<()> {
        let to = &mut message[self.at..self.at + self.number.size()];
        match self.scalar.write(value, to) {
            Some(()) => Some(()),
            None => self.number.write(value, scalars, to),
        }
    }
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
    /// `fields`: the name, offset and dtype of each. A ValueError if one is no plain number, or if
    /// messages are too long.
    #[new]
    fn new(
        fields: Vec<(Py<PyString>, usize, Py<PyArrayDescr>)>,
        whole: Py<PyArrayDescr>,
        length: usize,
        layout: Py<PyAny>,
        py: Python<'_>,
    ) -> PyResult<Self> {
        if length > LONGEST {
            return Err(PyValueError::new_err(length));
        }
        let mut found = Vec::with_capacity(fields.len());
        for (name, at, dtype) in fields {
            let code: String = dtype.bind(py).getattr("str")?.extract()?;
            let number = Number::of(&code).filter(|number| at + number.size() <= length);
            let number = number.ok_or_else(|| PyValueError::new_err(code))?;
            let scalar = Scalar::of(dtype, number.size(), py)?;
            // The object that stands for this name in programs.
            let name = PyString::intern(py, name.bind(py).to_str()?).unbind();
            found.push(Field { name, at, number, scalar });
        }
        let (whole, numpy) = (Kind::new(whole, Vec::new(), false), py.import("numpy")?);
        let class = |name| numpy.getattr(name).map(Bound::unbind);
        let scalars = Scalars { single: class("float32")?, whole: class("integer")? };
        Ok(Self { fields: found, length, whole, scalars, layout })
    }
}

impl Fields {
    /// Writes a message with these values to `message`, which is all zeros, and as long as it;
    /// `None` if Python has to look at them.
    #[inline]
    pub(crate) fn pack(&self, named: Named<'_, '_>, message: &mut [u8]) -> Option<()> {
        if named.len() != self.fields.len() {
            return None;
        }
        // Each name is there once: so if each is that of a field, all fields are given.
        for (i, field) in self.fields.iter().enumerate() {
            let (name, value) = named.at(i)?;
            // Mostly they are given in order, and the same names are the same object.
            let field = if field.name.is(name) { field } else { self.find(&name)? };
            field.write(&value, &self.scalars, message)?;
        }
        Some(())
    }

    fn find(&self, name: &Bound<'_, PyString>) -> Option<&Field> {
        let is_it = |field: &&Field| field.name.is(name);
        let same = |field: &&Field| field.name.bind(name.py()).as_any().eq(name).unwrap_or(false);
        self.fields.iter().find(is_it).or_else(|| self.fields.iter().find(same))
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
        let (py, field) = (name.py(), self.find(name)?);
        let data = data.wrapping_byte_add(field.at);
        // SAFETY: a number of this dtype lies there, since the field lies within the message.
        Some(unsafe { field.scalar.make(data, field.number.size(), py) })
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
