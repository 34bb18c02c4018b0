//! The elements of an [`NdList`](super::NdList) with their shape.

use std::fmt;

#[cfg(feature = "ndarray")]
use ndarray::{ArrayView, ArrayView1, ArrayViewD, ArrayViewMut, ArrayViewMut1, ArrayViewMutD};

/// An array with `N` axes in C order, where it lies.
///
/// # Examples
/// ```
/// use io_shared_core::{ListData, Message, NdList};
/// # use io_shared_derive::Message;
///
/// #[derive(Message)]
/// #[repr(C)]
/// struct Image {
///     pixels: NdList<u8, 2>,
///     data: ListData,
/// }
///
/// let words = [24_u64, 2, 3, 0x0605_0403_0201]; // the offset, the shape, the pixels
/// let image = Image::from_bytes(words.as_bytes())?;
/// let pixels = image.pixels();
/// assert_eq!((pixels.shape(), pixels.as_slice()), ([2, 3], &[1, 2, 3, 4, 5, 6][..]));
/// assert_eq!((pixels.get([1, 0]), pixels.get([0, 3])), (Some(&4), None));
/// # Ok::<(), io_shared_core::message::BytesError>(())
/// ```
pub struct NdSlice<'a, T, const N: usize> {
    elements: &'a [T],
    shape: [usize; N],
}

/// An array with `N` axes in C order, to be written where it lies. [`List`](super::List) has an
/// example.
pub struct NdSliceMut<'a, T, const N: usize> {
    elements: &'a mut [T],
    shape: [usize; N],
}

impl<T, const N: usize> Clone for NdSlice<'_, T, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, const N: usize> Copy for NdSlice<'_, T, N> {}

/// The number of an element; `None` if there is no such element.
fn number<const N: usize>(at: [usize; N], shape: &[usize; N]) -> Option<usize> {
    // As many elements as the shape says exist in memory, so nothing here overflows.
    at.iter().zip(shape).try_fold(0, |number: usize, (at, axis)| {
        (at < axis).then(|| number.wrapping_mul(*axis).wrapping_add(*at))
    })
}

/// The shape of these elements, of which there are as many as it says. Of one without elements,
/// axes that no array could have become 0.
#[inline(always)]
fn checked<T, const N: usize>(elements: &[T], shape: [u64; N]) -> [usize; N] {
    if elements.is_empty() { of_nothing::<T, N>(shape) } else { shape.map(|axis| axis as usize) }
}

/// A shape without elements.
#[inline(never)]
fn of_nothing<T, const N: usize>(shape: [u64; N]) -> [usize; N] {
    let mut used = shape.iter().filter(|axis| **axis > 0);
    let bytes = used.try_fold(size_of::<T>() as u64, |bytes, axis| bytes.checked_mul(*axis));
    match bytes.is_some_and(|bytes| bytes <= isize::MAX as u64) {
        true => shape.map(|axis| axis as usize),
        false => [0; N],
    }
}

impl<'a, T, const N: usize> NdSlice<'a, T, N> {
    #[inline(always)]
    pub(super) fn new(elements: &'a [T], shape: [u64; N]) -> Self {
        Self { elements, shape: checked(elements, shape) }
    }

    /// The length of each axis. [`NdSlice`] has an example.
    pub fn shape(&self) -> [usize; N] {
        self.shape
    }

    /// All elements, in C order. [`NdSlice`] has an example.
    pub fn as_slice(&self) -> &'a [T] {
        self.elements
    }

    /// An element; `None` if there is no such element. [`NdSlice`] has an example.
    pub fn get(&self, at: [usize; N]) -> Option<&'a T> {
        self.elements.get(number(at, &self.shape)?)
    }

    /// The array as a view of the `ndarray` crate.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{ListData, Message, NdList};
    /// # use io_shared_derive::Message;
    ///
    /// #[derive(Message)]
    /// #[repr(C)]
    /// struct Image {
    ///     pixels: NdList<u8, 2>,
    ///     data: ListData,
    /// }
    ///
    /// let words = [24_u64, 2, 3, 0x0605_0403_0201];
    /// let image = Image::from_bytes(words.as_bytes())?;
    /// assert_eq!(image.pixels().array()[[1, 0]], 4);
    /// # Ok::<(), io_shared_core::message::BytesError>(())
    /// ```
    #[cfg(feature = "ndarray")]
    pub fn array(&self) -> ArrayViewD<'a, T> {
        // There are as many elements as the shape says, so this does not fail.
        let array = ArrayView::from_shape(&self.shape[..], self.elements);
        array.unwrap_or_else(|_| ArrayView1::from(&[]).into_dyn())
    }
}

impl<'a, T, const N: usize> NdSliceMut<'a, T, N> {
    #[inline(always)]
    pub(super) fn new(elements: &'a mut [T], shape: [u64; N]) -> Self {
        let shape = checked(elements, shape);
        Self { elements, shape }
    }

    /// The length of each axis.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_derive::Message;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-nd-shape-{}", std::process::id());
    /// use io_shared::{Channel, ListData, NdList};
    ///
    /// #[derive(Message)]
    /// #[repr(C)]
    /// struct Image {
    ///     pixels: NdList<u8, 2>,
    ///     data: ListData,
    /// }
    ///
    /// let size = Image::capacity().pixels([480, 640]);
    /// let mut images = Channel::<Image>::named(name).lists(size).producer()?;
    /// let mut loan = images.loan_lists(size)?;
    /// let mut pixels = loan.lists_mut().pixels;
    /// assert_eq!(pixels.shape(), [480, 640]);
    /// pixels.as_mut_slice().fill(255);
    /// loan.put()?;
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn shape(&self) -> [usize; N] {
        self.shape
    }

    /// All elements, in C order. [`shape`](Self::shape) has an example.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self.elements
    }

    /// All elements, in C order, for as long as the message is borrowed. [`List`](super::List) has
    /// an example.
    pub fn into_slice(self) -> &'a mut [T] {
        self.elements
    }

    /// The array as a view of the `ndarray` crate.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_derive::Message;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-nd-array-{}", std::process::id());
    /// use io_shared::{Channel, ListData, NdList};
    ///
    /// #[derive(Message)]
    /// #[repr(C)]
    /// struct Image {
    ///     pixels: NdList<u8, 2>,
    ///     data: ListData,
    /// }
    ///
    /// let size = Image::capacity().pixels([480, 640]);
    /// let mut images = Channel::<Image>::named(name).lists(size).producer()?;
    /// let mut loan = images.loan_lists(size)?;
    /// loan.lists_mut().pixels.into_array()[[479, 639]] = 255;
    /// loan.put()?;
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[cfg(feature = "ndarray")]
    pub fn into_array(self) -> ArrayViewMutD<'a, T> {
        let array = ArrayViewMut::from_shape(&self.shape[..], self.elements);
        array.unwrap_or_else(|_| ArrayViewMut1::from(&mut []).into_dyn())
    }
}

impl<T: fmt::Debug, const N: usize> fmt::Debug for NdSlice<'_, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of shape {:?}", self.elements, self.shape)
    }
}

impl<T: fmt::Debug, const N: usize> fmt::Debug for NdSliceMut<'_, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of shape {:?}", self.elements, self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_without_elements_has_a_shape_that_arrays_can_have() {
        let none: &[u32] = &[];
        assert_eq!(NdSlice::new(none, [0, 5]).shape(), [0, 5]);
        let hostile = NdSlice::new(none, [0, u64::MAX, u64::MAX]);
        assert_eq!((hostile.shape(), hostile.get([0, 0, 0])), ([0, 0, 0], None));
        #[cfg(feature = "ndarray")]
        assert_eq!(
            (hostile.array().len(), NdSlice::new(none, [5, 0]).array().shape()),
            (0, &[5, 0][..])
        );
    }
}
