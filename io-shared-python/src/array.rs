//! NumPy's arrays: what is read from one that is put, and how one is made for a value.

use std::ffi::{c_int, c_void};

use numpy::npyffi::{self, NPY_ARRAY_F_CONTIGUOUS, NPY_ARRAY_WRITEABLE, PY_ARRAY_API, npy_intp};
use numpy::{PyArrayDescr, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// `array` as an array, if it is one of no subclass.
#[inline]
pub(crate) fn exact<'a, 'py>(
    array: &'a Bound<'py, PyAny>,
    ndarray: &Py<PyType>,
) -> Option<&'a Bound<'py, PyUntypedArray>> {
    if !array.get_type().is(ndarray) {
        return None;
    }
    // SAFETY: its type is `numpy.ndarray`.
    Some(unsafe { array.cast_unchecked() })
}

/// The fields of an array's struct.
#[inline]
fn fields(array: *mut npyffi::PyArrayObject) -> *mut npyffi::PyArrayObject_fields {
    // SAFETY: this only computes an address; the callers have a reference to the array.
    unsafe { npyffi::_PyArray_GET_ITEM_DATA(array) }
}

/// The address of the elements.
#[inline]
pub(crate) fn address(array: &Bound<'_, PyUntypedArray>) -> usize {
    let fields = fields(array.as_array_ptr());
    // SAFETY: the struct lives as long as the array, which is borrowed, and nobody writes to it
    // meanwhile, since this thread has the interpreter's lock.
    unsafe { (*fields).data }.expose_provenance()
}

/// How many references there are to an object.
pub(crate) fn references(object: &Bound<'_, PyAny>) -> isize {
    // SAFETY: it is a live object, and this thread has the interpreter's lock.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}

/// Makes an array read-only, which this module has made.
pub(crate) fn set_read_only(array: &Bound<'_, PyAny>) {
    let fields = fields(array.as_ptr().cast());
    // SAFETY: as in `address`; it is an array (the callers made it).
    unsafe { (*fields).flags &= !NPY_ARRAY_WRITEABLE };
}

/// Whether a buffer of an array that this module has made may have been exported at any time. NumPy
/// keeps what it exported with the array, in the field after the weak references (since 1.20).
pub(crate) fn was_exported(array: &Bound<'_, PyAny>) -> bool {
    const VERSION_1_20: u32 = 0xE;
    // SAFETY: NumPy is loaded.
    if unsafe { PY_ARRAY_API.PyArray_GetNDArrayCFeatureVersion(array.py()) } < VERSION_1_20 {
        return true;
    }
    let next = fields(array.as_ptr().cast()).wrapping_add(1).cast::<*const c_void>();
    // SAFETY: as in `address`; it is an array (the callers made it). Since 1.20 a pointer follows
    // the fields that the crate `numpy` knows.
    let exported = unsafe { next.read() };
    !exported.is_null()
}

/// The dtype, shape and strides that arrays have in common. The dtype is compared as an object: it
/// has no fields, whose names could be changed in place.
pub(crate) struct Layout {
    dtype: Py<PyArrayDescr>,
    shape: Vec<usize>,
    strides: Vec<isize>,
}

impl Layout {
    pub(crate) fn of(array: &Bound<'_, PyUntypedArray>) -> Self {
        let (shape, strides) = (array.shape().to_vec(), array.strides().to_vec());
        Self { dtype: array.dtype().unbind(), shape, strides }
    }

    #[inline]
    pub(crate) fn is_of(&self, array: &Bound<'_, PyUntypedArray>) -> bool {
        let fields = fields(array.as_array_ptr());
        // SAFETY: as in `address`.
        let dtype = unsafe { (*fields).descr };
        dtype.cast() == self.dtype.as_ptr()
            && array.shape() == self.shape
            && array.strides() == self.strides
    }
}

/// A dtype, shape and order, of which arrays are made. The dtype has no fields and no Python
/// objects.
pub(crate) struct Kind {
    dtype: Py<PyArrayDescr>,
    shape: Vec<npy_intp>,
    fortran: bool,
}

impl Kind {
    pub(crate) fn new(dtype: Py<PyArrayDescr>, shape: Vec<npy_intp>, fortran: bool) -> Self {
        Self { dtype, shape, fortran }
    }

    /// The dtype, for a function that takes over a reference to it.
    fn given_dtype(&self, py: Python<'_>) -> *mut npyffi::PyArray_Descr {
        self.dtype.clone_ref(py).into_ptr().cast()
    }

    fn axes(&self) -> c_int {
        // NumPy has 64 axes at most.
        self.shape.len() as c_int
    }

    /// A new array, whose elements are anything.
    pub(crate) fn empty<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyUntypedArray>> {
        let (dtype, shape) = (self.given_dtype(py), self.shape.as_ptr().cast_mut());
        let fortran = c_int::from(self.fortran);
        // SAFETY: NumPy only reads the shape, which has this many axes; it takes over the reference
        // to the dtype.
        let made = unsafe { PY_ARRAY_API.PyArray_Empty(py, self.axes(), shape, dtype, fortran) };
        // SAFETY: it is a new reference to an array, or NULL and an error is set.
        let array = unsafe { Bound::from_owned_ptr_or_err(py, made) }?;
        // SAFETY: it is an array.
        Ok(unsafe { array.cast_into_unchecked() })
    }

    /// An array of the elements at `data`, which lie there as long as `base` lives.
    ///
    /// # Safety
    /// As many elements of the dtype as the shape has lie at `data`, while `base` lives. If the
    /// array is writable, whoever has the bytes lets others write to them.
    pub(crate) unsafe fn view<'py>(
        &self,
        data: *mut c_void,
        base: Bound<'py, PyAny>,
        is_writable: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = base.py();
        let mut flags = if self.fortran { NPY_ARRAY_F_CONTIGUOUS } else { 0 };
        flags |= if is_writable { NPY_ARRAY_WRITEABLE } else { 0 };
        // SAFETY: the type object of arrays lives as long as NumPy, which is never unloaded.
        let kind = unsafe { npyffi::get_type_object(py, npyffi::NpyTypes::PyArray_Type) };
        let (dtype, shape) = (self.given_dtype(py), self.shape.as_ptr().cast_mut());
        let (none, itself) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: as in `empty`; without strides they follow from shape and order, so the elements
        // are those at `data` (the contract).
        let made = unsafe {
            PY_ARRAY_API.PyArray_NewFromDescr(
                py,
                kind,
                dtype,
                self.axes(),
                shape,
                none,
                data,
                flags,
                itself,
            )
        };
        // SAFETY: it is a new reference to an array, or NULL and an error is set.
        let array = unsafe { Bound::from_owned_ptr_or_err(py, made) }?;
        // SAFETY: the array is new, so it has no base yet; NumPy takes over the reference to it.
        let failed = unsafe {
            PY_ARRAY_API.PyArray_SetBaseObject(py, array.as_ptr().cast(), base.into_ptr())
        };
        if failed < 0 { Err(PyErr::fetch(py)) } else { Ok(array) }
    }
}
