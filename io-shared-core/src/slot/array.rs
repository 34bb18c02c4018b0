//! Arrays read through guards and filled through loans, with errors that name the channel.

#[cfg(feature = "ndarray")]
use ndarray::{ArrayRef, ArrayViewD, ArrayViewMutD, Dimension};

use super::{Guard, Loan, OwnedGuard};
use crate::error::{Error, ErrorKind, Result};
#[cfg(feature = "ndarray")]
use crate::message::array::Element;
use crate::message::array::{Array, Npy, NpyError};

/// Adds the channel's name to an error about an array.
fn named<T>(result: std::result::Result<T, NpyError>, channel: &str) -> Result<T> {
    result.map_err(|error| Error::new(channel, ErrorKind::Npy(error)))
}

macro_rules! guard {
    ($Guard:ty) => {
        impl $Guard {
            /// The array's type and shape, and its elements as bytes where they lie. [`Array`]
            /// has an example.
            ///
            /// # Errors
            /// [`ErrorKind::Npy`] if this is no `.npy` file of version 1.0, 2.0 or 3.0, if its
            /// header is damaged, if elements are missing, or if they are Python objects.
            pub fn npy(&self) -> Result<Npy<'_>> {
                named((**self).npy(), self.channel())
            }

            /// A view of the array where it lies, with elements of type `A` and any shape. Call
            /// `into_dimensionality` for a fixed number of axes. [`Array::array`] has an example.
            ///
            /// For `bool`, every byte is checked first. (A writer that breaks the protocol could
            /// change one later; readers that do not trust the writer use [`Guard::to_copy`].)
            ///
            /// # Errors
            /// [`ErrorKind::Npy`] with [`NpyError::Dtype`] if the channel has elements of another
            /// type or byte order, [`NpyError::NotBool`], and those of [`npy`](Self::npy).
            #[cfg(feature = "ndarray")]
            pub fn array<A: Element>(&self) -> Result<ArrayViewD<'_, A>> {
                named((**self).array(), self.channel())
            }
        }
    };
}

guard!(Guard<'_, Array>);
guard!(OwnedGuard<Array>);

impl Loan<'_, Array> {
    /// Writes the header, byte for byte as NumPy does, and returns the bytes of the elements, to be
    /// filled in. At first they have their old content. [`Array`] has an example.
    ///
    /// # Errors
    /// [`ErrorKind::Npy`] with the errors of [`Array::write_header`].
    pub fn write_header(
        &mut self,
        dtype: &str,
        fortran_order: bool,
        shape: &[usize],
    ) -> Result<&mut [u8]> {
        let (array, channel) = self.parts();
        named(array.write_header(dtype, fortran_order, shape), channel)
    }

    /// Copies an array here, as [`Array::assign`] does, which has an example.
    ///
    /// # Errors
    /// [`ErrorKind::Npy`] with the errors of [`Array::assign`].
    #[cfg(feature = "ndarray")]
    pub fn assign<A: Element, D: Dimension>(&mut self, from: &ArrayRef<A, D>) -> Result<()> {
        let (array, channel) = self.parts();
        named(array.assign(from), channel)
    }

    /// Writes a header for this shape, as [`Array::reset`] does, which has an example.
    ///
    /// # Errors
    /// [`ErrorKind::Npy`] with the errors of [`Array::reset`].
    #[cfg(feature = "ndarray")]
    pub fn reset<A: Element>(&mut self, shape: &[usize]) -> Result<()> {
        let (array, channel) = self.parts();
        named(array.reset::<A>(shape), channel)
    }

    /// A view of the array where it lies, to be filled in. [`Array::array_mut`] has an example.
    ///
    /// # Errors
    /// The errors of [`Guard::array`].
    #[cfg(feature = "ndarray")]
    pub fn array_mut<A: Element>(&mut self) -> Result<ArrayViewMutD<'_, A>> {
        let (array, channel) = self.parts();
        named(array.array_mut(), channel)
    }
}
