//! Arrays as views of the `ndarray` crate.

use bytemuck::PodCastError;
use bytemuck::checked::{CheckedCastError, try_cast_slice, try_cast_slice_mut};
use ndarray::{ArrayRef, ArrayView, ArrayViewD, ArrayViewMut, ArrayViewMutD, Dimension};
use ndarray::{IxDyn, ShapeBuilder};

use super::element::Element;
use super::error::NpyError;
use super::{Array, header};
use crate::os::copy;

impl Array {
    /// A view of the array where it lies, with elements of type `A`. The errors of
    /// [`Guard::array`](crate::slot::Guard::array) also name the channel.
    ///
    /// # Errors
    /// [`NpyError::Dtype`] if the elements have another type or byte order, [`NpyError::NotBool`],
    /// [`NpyError::Misaligned`], and the errors of [`npy`](Self::npy).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-array-view-{}", std::process::id());
    /// use io_shared::{Array, Channel};
    /// use ndarray::array;
    ///
    /// let mut clouds = Channel::<Array>::named(name).capacity("1M").producer()?;
    /// clouds.put_array(&array![[1.0f32, 2.0], [3.0, 4.0]])?;
    ///
    /// let mut viewer = Channel::<Array>::named(name).consumer()?;
    /// assert_eq!(viewer.get()?.array::<f32>()?[[1, 0]], 3.0);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn array<A: Element>(&self) -> Result<ArrayViewD<'_, A>, NpyError> {
        let header = self.header_for::<A>()?;
        let data = self.npy.get(header.data).unwrap_or_default();
        let elements = try_cast_slice(data).map_err(wrong::<A>)?;
        let shape = IxDyn(&header.shape).set_f(header.fortran_order);
        ArrayView::from_shape(shape, elements).map_err(|_| too_large::<A>(&header.shape))
    }

    /// A mutable view of the array where it lies.
    ///
    /// # Errors
    /// The errors of [`array`](Self::array).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-array-mut-{}", std::process::id());
    /// use io_shared::{Array, Channel};
    ///
    /// let mut images = Channel::<Array>::named(name).capacity("1M").producer()?;
    /// let mut loan = images.loan_array::<u8>((2, 3))?;
    /// loan.array_mut::<u8>()?.fill(255);
    /// loan.put()?;
    ///
    /// let mut viewer = Channel::<Array>::named(name).consumer()?;
    /// assert!(viewer.get()?.array::<u8>()?.iter().all(|pixel| *pixel == 255));
    /// # Channel::remove(name)
    /// # }
    /// ```
    pub fn array_mut<A: Element>(&mut self) -> Result<ArrayViewMutD<'_, A>, NpyError> {
        let header::Header { shape: lengths, fortran_order, data, .. } = self.header_for::<A>()?;
        let data = self.npy.get_mut(data).unwrap_or_default();
        let elements = try_cast_slice_mut(data).map_err(wrong::<A>)?;
        let shape = IxDyn(&lengths).set_f(fortran_order);
        ArrayViewMut::from_shape(shape, elements).map_err(|_| too_large::<A>(&lengths))
    }

    /// How many bytes the message for `array` has.
    ///
    /// # Errors
    /// [`NpyError::TooLarge`]: the view repeats its elements so often that a copy would not fit in
    /// memory.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::Array;
    /// use ndarray::array;
    ///
    /// assert_eq!(Array::len_of_array(&array![[1.0f32, 2.0], [3.0, 4.0]])?, 128 + 16);
    /// # Ok::<(), io_shared_core::array::NpyError>(())
    /// ```
    pub fn len_of_array<A: Element, D: Dimension>(
        array: &ArrayRef<A, D>,
    ) -> Result<usize, NpyError> {
        Self::len_of(A::DTYPE, is_fortran(array), array.shape())
    }

    /// Replaces this array by a copy of `array`. Like NumPy, it stores an array that lies in
    /// Fortran order in that order, and any other in C order.
    ///
    /// # Errors
    /// [`NpyError::TooShort`] if the message has fewer bytes than
    /// [`len_of_array`](Self::len_of_array) returns, and the errors of that method.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let name = &format!("/doc-array-assign-{}", std::process::id());
    /// use io_shared::{Array, Channel};
    /// use ndarray::array;
    ///
    /// let mut clouds = Channel::<Array>::named(name).capacity("1M").producer()?;
    /// let cloud = array![[1.0f32, 2.0], [3.0, 4.0]];
    /// let mut loan = clouds.loan_len(Array::len_of_array(&cloud)?)?;
    /// loan.assign(&cloud)?;
    /// loan.put()?;
    /// # io_shared::remove(name)?;
    /// # Ok(()) }
    /// ```
    pub fn assign<A: Element, D: Dimension>(
        &mut self,
        array: &ArrayRef<A, D>,
    ) -> Result<(), NpyError> {
        let fortran_order = is_fortran(array);
        let data = self.write_header(A::DTYPE, fortran_order, array.shape())?;
        let whole = if fortran_order { array.as_slice_memory_order() } else { array.as_slice() };
        if let Some(elements) = whole {
            copy::slice(bytemuck::cast_slice(elements), data);
            return Ok(());
        }
        for (bytes, element) in data.chunks_exact_mut(size_of::<A>()).zip(array) {
            bytes.copy_from_slice(bytemuck::bytes_of(element));
        }
        Ok(())
    }

    /// Turns this into an array of this shape in C order. Its elements have whatever values the
    /// bytes happen to make. If the bytes are not valid elements, all become zero.
    ///
    /// # Errors
    /// The errors of [`write_header`](Self::write_header).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let name = &format!("/doc-array-reset-{}", std::process::id());
    /// use io_shared::{Array, Channel};
    ///
    /// let mut scans = Channel::<Array>::named(name).capacity("1M").producer()?;
    /// let mut loan = scans.loan_array::<f32>((64, 360))?; // as large as there may be
    /// loan.reset::<f32>(&[64, 180])?; // as large as there is
    /// loan.array_mut::<f32>()?.fill(12.5);
    /// loan.put()?;
    ///
    /// let mut viewer = Channel::<Array>::named(name).consumer()?;
    /// assert_eq!(viewer.get()?.array::<f32>()?.shape(), [64, 180]);
    /// # io_shared::remove(name)?;
    /// # Ok(()) }
    /// ```
    pub fn reset<A: Element>(&mut self, shape: &[usize]) -> Result<(), NpyError> {
        let data = self.write_header(A::DTYPE, false, shape)?;
        if try_cast_slice::<u8, A>(data).is_err() {
            data.fill(0);
        }
        Ok(())
    }

    fn header_for<A: Element>(&self) -> Result<header::Header<'_>, NpyError> {
        let header = header::read(&self.npy)?;
        if header.dtype == A::DTYPE {
            return Ok(header);
        }
        Err(NpyError::Dtype { expected: A::DTYPE, found: header.dtype.into_owned() })
    }
}

/// Whether the array lies in Fortran order and not also in C order.
fn is_fortran<A, D: Dimension>(array: &ArrayRef<A, D>) -> bool {
    !array.is_standard_layout() && array.t().is_standard_layout()
}

fn wrong<A: Element>(error: CheckedCastError) -> NpyError {
    match error {
        CheckedCastError::InvalidBitPattern => NpyError::NotBool,
        CheckedCastError::PodCastError(PodCastError::TargetAlignmentGreaterAndInputNotAligned) => {
            NpyError::Misaligned { expected: align_of::<A>() }
        }
        // The dtype's size was checked, so the bytes are whole elements.
        CheckedCastError::PodCastError(_) => NpyError::Unknown { dtype: A::DTYPE.to_owned() },
    }
}

fn too_large<A: Element>(shape: &[usize]) -> NpyError {
    NpyError::TooLarge { dtype: A::DTYPE.to_owned(), shape: shape.to_owned() }
}
