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
    /// The array where it lies, of elements of type `A`; through a guard the errors name the
    /// channel: see [`Guard::array`](crate::slot::Guard::array).
    ///
    /// # Errors
    /// [`NpyError::Dtype`] where it has elements of another type or byte order,
    /// [`NpyError::NotBool`], [`NpyError::Misaligned`], and those of [`npy`](Self::npy).
    pub fn array<A: Element>(&self) -> Result<ArrayViewD<'_, A>, NpyError> {
        let header = self.header_for::<A>()?;
        let data = self.npy.get(header.data).unwrap_or_default();
        let elements = try_cast_slice(data).map_err(wrong::<A>)?;
        let shape = IxDyn(&header.shape).set_f(header.fortran_order);
        ArrayView::from_shape(shape, elements).map_err(|_| too_large::<A>(&header.shape))
    }

    /// As [`array`](Self::array), to be changed.
    ///
    /// # Errors
    /// As for [`array`](Self::array).
    pub fn array_mut<A: Element>(&mut self) -> Result<ArrayViewMutD<'_, A>, NpyError> {
        let header::Header { shape: lengths, fortran_order, data, .. } = self.header_for::<A>()?;
        let data = self.npy.get_mut(data).unwrap_or_default();
        let elements = try_cast_slice_mut(data).map_err(wrong::<A>)?;
        let shape = IxDyn(&lengths).set_f(fortran_order);
        ArrayViewMut::from_shape(shape, elements).map_err(|_| too_large::<A>(&lengths))
    }

    /// The bytes of the message that carries `array`.
    ///
    /// # Errors
    /// [`NpyError::TooLarge`]: it repeats its elements more often than memory could hold.
    pub fn len_of_array<A: Element, D: Dimension>(
        array: &ArrayRef<A, D>,
    ) -> Result<usize, NpyError> {
        Self::len_of(A::DTYPE, is_fortran(array), array.shape())
    }

    /// Becomes a copy of `array`: in Fortran order if it lies so, else in C order, as NumPy saves
    /// it.
    ///
    /// # Errors
    /// [`NpyError::TooShort`] if this has fewer bytes than
    /// [`len_of_array`](Self::len_of_array) says, and its errors.
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

    /// Becomes an array of that shape in C order, with the elements that its bytes happen to make;
    /// all `false` where they make none.
    ///
    /// # Errors
    /// Those of [`write_header`](Self::write_header).
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

/// Whether it lies in Fortran order, and not in C order too.
fn is_fortran<A, D: Dimension>(array: &ArrayRef<A, D>) -> bool {
    !array.is_standard_layout() && array.t().is_standard_layout()
}

fn wrong<A: Element>(error: CheckedCastError) -> NpyError {
    match error {
        CheckedCastError::InvalidBitPattern => NpyError::NotBool,
        CheckedCastError::PodCastError(PodCastError::TargetAlignmentGreaterAndInputNotAligned) => {
            NpyError::Misaligned { expected: align_of::<A>() }
        }
        // The dtype's size has been looked at, so the bytes are whole elements.
        CheckedCastError::PodCastError(_) => NpyError::Unknown { dtype: A::DTYPE.to_owned() },
    }
}

fn too_large<A: Element>(shape: &[usize]) -> NpyError {
    NpyError::TooLarge { dtype: A::DTYPE.to_owned(), shape: shape.to_owned() }
}
