//! The message that carries an array of any dtype and shape.
//!
//! [`Array`] is a message like any other, so channels, schemas and errors need not know about it.
//! Python and C recognise it by its schema's hash.
//!
//! What must stay true: the name, type, offset and alignment of its one field, because the packages
//! for other languages look for them.

mod describe;
#[cfg(feature = "ndarray")]
mod element;
mod error;
mod extent;
mod header;
mod literal;
#[cfg(test)]
mod tests;
#[cfg(feature = "ndarray")]
mod views;

use std::borrow::Cow;
use std::fmt;

pub use describe::describe;
#[cfg(feature = "ndarray")]
pub use element::Element;
pub use error::NpyError;

use crate::message::schema::{Field, Scalar, Schema, Struct, Type};
use crate::message::{Message, Shape};

/// An array of any dtype and shape: the bytes of a `.npy` file.
///
/// The dtype and shape travel with each message, so both may change from one message to the next.
/// The message is aligned to 64 bytes, and so are its elements, because the header is padded to a
/// multiple of 64. A channel's capacity counts the header as well as the elements; the header of an
/// array with few dimensions has 128 bytes. Arrays of Python objects are refused.
///
/// With the feature `ndarray`, producers have `put_array` and `loan_array`, and guards have
/// `array`. Without it:
///
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-array-{}", std::process::id());
/// use io_shared::{Array, Channel};
///
/// let mut images = Channel::<Array>::named(name).capacity("1M").producer()?;
/// let mut loan = images.loan_len(Array::len_of("|u1", false, &[480, 640]).unwrap())?;
/// loan.write_header("|u1", false, &[480, 640])?.fill(7);
/// loan.put()?;
///
/// let mut viewer = Channel::<Array>::named(name).consumer()?;
/// let image = viewer.get()?;
/// let npy = image.npy()?;
/// assert_eq!((&*npy.dtype, npy.shape, npy.data.len()), ("|u1", vec![480, 640], 480 * 640));
/// # drop(image);
/// # Channel::remove(name)
/// # }
/// ```
///
/// This is the schema as canonical JSON, and its hash:
///
/// ```
/// use io_shared_core::{Array, Message, Schema};
///
/// let json = concat!(
///     r#"{"struct":"Array","size":0,"align":64,"#,
///     r#""fields":[{"name":"npy","offset":0,"type":{"slice":"|u1"}}]}"#,
/// );
/// assert_eq!(Array::schema().to_json(), json);
/// assert_eq!(Schema::from_json(json), Ok(Array::schema()));
/// assert_eq!(Array::schema().hash(), 0xeb1e_f411_f702_c95b); // FNV-1a of "{npy:[]|u1@0}0%64"
/// ```
#[doc(alias = "numpy")]
#[doc(alias = "ndarray")]
#[repr(C, align(64))]
pub struct Array {
    /// The `.npy` file: header and data.
    pub npy: [u8],
}

impl Array {
    /// Whether messages of this schema are arrays, whatever it says of their kind.
    ///
    /// ```
    /// use io_shared_core::{Array, Message};
    ///
    /// assert!(Array::is_of(&Array::schema().of_kind("image:bgr8").unwrap()));
    /// assert!(!Array::is_of(&<[u8]>::schema()));
    /// ```
    pub fn is_of(schema: &Schema) -> bool {
        let Type::Struct(layout) = schema.root() else { return false };
        let [field] = &layout.fields[..] else { return false };
        let Type::Slice { element } = &field.ty else { return false };
        let is_npy = field.name == "npy" && **element == Type::Scalar(Scalar::U8);
        is_npy && layout.name == "Array" && layout.shape == Array::SHAPE
    }

    /// How many bytes the message for an array of this dtype, order and shape has.
    ///
    /// `dtype` is NumPy's `dtype.str` (`<f4`), or `dtype.descr` for a structured type
    /// (`[('x', '<f4'), ('y', '<f4')]`).
    ///
    /// ```
    /// use io_shared_core::Array;
    ///
    /// assert_eq!(Array::len_of("<f4", false, &[2, 3])?, 128 + 4 * 2 * 3);
    /// # Ok::<(), io_shared_core::array::NpyError>(())
    /// ```
    ///
    /// # Errors
    /// [`NpyError::Object`], [`NpyError::Unknown`], [`NpyError::TooLarge`],
    /// [`NpyError::TooManyAxes`], [`NpyError::HeaderTooLong`]; and [`NpyError::Header`] if a
    /// structured dtype is not written as Python writes it.
    pub fn len_of(dtype: &str, fortran_order: bool, shape: &[usize]) -> Result<usize, NpyError> {
        let (header, data) = header::lengths(dtype, fortran_order, shape)?;
        Ok(header + data)
    }

    /// Writes the header, byte for byte as NumPy does, and returns the elements to be filled in.
    /// Their bytes are not changed.
    ///
    /// # Errors
    /// The errors of [`len_of`](Self::len_of), and [`NpyError::TooShort`] if the message has fewer
    /// bytes than `len_of` returns.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-write-header-{}", std::process::id());
    /// use io_shared::{Array, Channel};
    ///
    /// let mut masks = Channel::<Array>::named(name).capacity("1M").producer()?;
    /// let mut loan = masks.loan_len(Array::len_of("|b1", false, &[480, 640]).unwrap())?;
    /// loan.write_header("|b1", false, &[480, 640])?.fill(1);
    /// loan.put()?;
    /// # Channel::remove(name)
    /// # }
    /// ```
    pub fn write_header(
        &mut self,
        dtype: &str,
        fortran_order: bool,
        shape: &[usize],
    ) -> Result<&mut [u8], NpyError> {
        let (header, data) = header::lengths(dtype, fortran_order, shape)?;
        let found = self.npy.len();
        let short = NpyError::TooShort { expected: header + data, found };
        let Some(npy) = self.npy.get_mut(..header + data) else {
            return Err(short);
        };
        let (header, data) = npy.split_at_mut(header);
        header::write(header, dtype, fortran_order, shape);
        Ok(data)
    }

    /// The bytes of the message before its elements, which [`write_header`](Self::write_header)
    /// writes too.
    ///
    /// ```
    /// use io_shared_core::Array;
    ///
    /// let header = Array::header_of("<u2", false, &[2])?;
    /// let message = Array::to_bytes("<u2", &[2], &[1, 0, 2, 0])?;
    /// assert_eq!(message, [&header[..], &[1, 0, 2, 0]].concat());
    /// # Ok::<(), io_shared_core::array::NpyError>(())
    /// ```
    ///
    /// # Errors
    /// The errors of [`len_of`](Self::len_of).
    pub fn header_of(
        dtype: &str,
        fortran_order: bool,
        shape: &[usize],
    ) -> Result<Vec<u8>, NpyError> {
        let (length, _) = header::lengths(dtype, fortran_order, shape)?;
        let mut header = vec![0; length];
        header::write(&mut header, dtype, fortran_order, shape);
        Ok(header)
    }

    /// The message with these elements, whose last index varies fastest.
    ///
    /// # Errors
    /// The errors of [`len_of`](Self::len_of), and [`NpyError::TooShort`] if there are more or
    /// fewer bytes than the shape has.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::Array;
    ///
    /// let message = Array::to_bytes("<u2", &[2], &[1, 0, 2, 0])?;
    /// assert_eq!(message.len(), Array::len_of("<u2", false, &[2])?);
    /// assert!(message.ends_with(&[1, 0, 2, 0]));
    /// # Ok::<(), io_shared_core::array::NpyError>(())
    /// ```
    pub fn to_bytes(dtype: &str, shape: &[usize], elements: &[u8]) -> Result<Vec<u8>, NpyError> {
        let (header, data) = header::lengths(dtype, false, shape)?;
        if elements.len() != data {
            return Err(NpyError::TooShort { expected: data, found: elements.len() });
        }
        let mut bytes = vec![0; header];
        header::write(&mut bytes, dtype, false, shape);
        bytes.extend(elements);
        Ok(bytes)
    }

    /// The array's dtype, order and shape, and its elements as bytes where they lie.
    ///
    /// # Errors
    /// [`NpyError`]: the message is not a `.npy` file of version 1.0, 2.0 or 3.0, its header is
    /// damaged, some elements are missing, or the elements are Python objects.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let name = &format!("/doc-array-npy-{}", std::process::id());
    /// use io_shared::{Array, Channel};
    ///
    /// let mut points = Channel::<Array>::named(name).capacity("1M").producer()?;
    /// let mut loan = points.loan_len(Array::len_of("<f4", true, &[2, 3])?)?;
    /// loan.write_header("<f4", true, &[2, 3])?.fill(0);
    /// loan.put()?;
    ///
    /// let mut viewer = Channel::<Array>::named(name).consumer()?;
    /// let guard = viewer.get()?;
    /// let array: &Array = &guard;
    /// let npy = array.npy()?;
    /// assert_eq!((&*npy.dtype, npy.fortran_order, npy.shape), ("<f4", true, vec![2, 3]));
    /// assert_eq!(npy.data.len(), 24);
    /// # drop(guard);
    /// # io_shared::remove(name)?;
    /// # Ok(()) }
    /// ```
    pub fn npy(&self) -> Result<Npy<'_>, NpyError> {
        Npy::read(&self.npy)
    }

    /// The `Debug` form of the array with these bytes.
    pub(crate) fn fmt_bytes(npy: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut array = f.debug_struct("Array");
        match header::read(npy) {
            Ok(header) => array.field("dtype", &header.dtype).field("shape", &header.shape),
            Err(error) => array.field("error", &format_args!("{error}")),
        };
        array.finish_non_exhaustive()
    }
}

/// An array as its `.npy` header describes it. [`Array::npy`] returns it, and has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Npy<'a> {
    /// The type of an element: NumPy's `dtype.str` (`<f4`), or `dtype.descr` for a structured type
    /// (`[('x', '<f4'), ('y', '<f4')]`).
    pub dtype: Cow<'a, str>,
    /// Whether the first index varies fastest, instead of the last.
    pub fortran_order: bool,
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// The bytes of the elements.
    pub data: &'a [u8],
}

impl<'a> Npy<'a> {
    /// The array with these bytes, which may be aligned to anything, and be followed by others.
    ///
    /// # Errors
    /// The errors of [`Array::npy`].
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::Array;
    /// use io_shared_core::array::Npy;
    ///
    /// let bytes = Array::to_bytes("<u2", &[2], &[1, 0, 2, 0])?;
    /// let npy = Npy::read(&bytes)?;
    /// assert_eq!((&*npy.dtype, npy.shape, npy.data), ("<u2", vec![2], &[1, 0, 2, 0][..]));
    /// # Ok::<(), io_shared_core::array::NpyError>(())
    /// ```
    pub fn read(npy: &'a [u8]) -> Result<Self, NpyError> {
        let header::Header { dtype, fortran_order, shape, data } = header::read(npy)?;
        let data = npy.get(data).unwrap_or_default();
        Ok(Npy { dtype, fortran_order, shape, data })
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::fmt_bytes(&self.npy, f)
    }
}

/// A twin of [`Array`] for `offset_of!` and `align_of`, which take no unsized type.
#[repr(C, align(64))]
struct Empty {
    npy: [u8; 0],
}

// SAFETY: it is repr(C) around bytes, so its layout is fixed: the tail starts at 0, which is
// asserted on a twin, and an element is a byte (1); there is nothing but bytes before the end of
// the tail (2), with any bit pattern (3), without interior mutability (4) or drop glue (5); the
// pointers keep address and provenance and get `elements` as their length (6); no provided method
// is overridden (7).
unsafe impl Message for Array {
    const SHAPE: Shape = {
        assert!(std::mem::offset_of!(Empty, npy) == 0 && size_of::<Empty>() == 0);
        Shape { size: 0, align: align_of::<Empty>(), element: Some(1) }
    };

    fn layout() -> Type {
        let npy = Type::Slice { element: Box::new(u8::layout()) };
        Struct::new("Array", Self::SHAPE).field(Field::new("npy", 0, npy)).into()
    }

    #[inline]
    fn from_raw_parts(start: *const u8, elements: usize) -> *const Self {
        std::ptr::slice_from_raw_parts(start, elements) as *const Self
    }

    #[inline]
    fn from_raw_parts_mut(start: *mut u8, elements: usize) -> *mut Self {
        std::ptr::slice_from_raw_parts_mut(start, elements) as *mut Self
    }

    #[inline]
    fn elements(&self) -> usize {
        self.npy.len()
    }
}
