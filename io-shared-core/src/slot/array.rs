//! Arrays through loans and guards, whose errors name the channel.

#[cfg(feature = "ndarray")]
use ndarray::{ArrayRef, ArrayViewD, ArrayViewMutD, Dimension};

use super::{Guard, Loan, OwnedGuard};
use crate::error::{Error, ErrorKind, Result};
#[cfg(feature = "ndarray")]
use crate::message::array::Element;
use crate::message::array::{Array, Npy, NpyError};

/// An error about the array in that channel.
fn named<T>(result: std::result::Result<T, NpyError>, channel: &str) -> Result<T> {
    result.map_err(|error| Error::new(channel, ErrorKind::Npy(error)))
}

macro_rules! guard {
    ($Guard:ty) => {
        impl $Guard {
            /// What the array is, and its elements as bytes where they lie.
            ///
            /// # Errors
            /// [`ErrorKind::Npy`]: this is no `.npy` file of version 1.0, 2.0 or 3.0, its header is
            /// damaged, its elements are not all there, or are Python objects.
            pub fn npy(&self) -> Result<Npy<'_>> {
                named((**self).npy(), self.channel())
            }

            /// The array where it lies, of elements of type `A`. It may have any shape, of which
            /// `into_dimensionality` makes a fixed number of axes.
            ///
            /// `bool` costs a look at each byte. (A writer that breaks the protocol could change it
            /// later; readers that do not trust it use [`Guard::copied`].)
            ///
            /// # Errors
            /// [`ErrorKind::Npy`] with [`NpyError::Dtype`] where the channel has elements of another
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
    /// Writes the header, byte for byte as NumPy does; gives the elements, to be filled in. Their
    /// bytes at first are what they were.
    ///
    /// # Errors
    /// [`ErrorKind::Npy`] with those of [`Array::write_header`].
    pub fn write_header(
        &mut self,
        dtype: &str,
        fortran_order: bool,
        shape: &[usize],
    ) -> Result<&mut [u8]> {
        let (array, channel) = self.parts();
        named(array.write_header(dtype, fortran_order, shape), channel)
    }

    /// As [`Array::assign`].
    ///
    /// # Errors
    /// [`ErrorKind::Npy`] with those of [`Array::assign`].
    #[cfg(feature = "ndarray")]
    pub fn assign<A: Element, D: Dimension>(&mut self, from: &ArrayRef<A, D>) -> Result<()> {
        let (array, channel) = self.parts();
        named(array.assign(from), channel)
    }

    /// As [`Array::reset`].
    ///
    /// # Errors
    /// [`ErrorKind::Npy`] with those of [`Array::reset`].
    #[cfg(feature = "ndarray")]
    pub fn reset<A: Element>(&mut self, shape: &[usize]) -> Result<()> {
        let (array, channel) = self.parts();
        named(array.reset::<A>(shape), channel)
    }

    /// The array where it lies, to be filled in.
    ///
    /// # Errors
    /// As for [`Guard::array`].
    #[cfg(feature = "ndarray")]
    pub fn array_mut<A: Element>(&mut self) -> Result<ArrayViewMutD<'_, A>> {
        let (array, channel) = self.parts();
        named(array.array_mut(), channel)
    }
}
