//! Puts and loans of arrays of the `ndarray` crate.

use io_shared_core::array::{Element, NpyError};
use io_shared_core::slot::Loan;
use io_shared_core::{Array, Error, ErrorKind, Result};
use ndarray::{ArrayRef, Dimension, IntoDimension};

use crate::Producer;

impl Producer<Array> {
    /// Puts a copy of an array or view of any shape. Returns the value's sequence number.
    ///
    /// Like NumPy, it stores an array that lies in Fortran order in that order, and any other in C
    /// order.
    ///
    /// # Errors
    /// The errors of [`put`](Self::put), and [`ErrorKind::Npy`] with [`NpyError::TooLarge`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-put-array-{}", std::process::id());
    /// use io_shared::{Array, Channel};
    /// use ndarray::{array, s};
    ///
    /// let mut clouds = Channel::<Array>::named(name).capacity("5M").producer()?;
    /// let cloud = array![[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]];
    /// clouds.put_array(&cloud.slice(s![.., ..2]))?;
    ///
    /// let mut viewer = Channel::<Array>::named(name).consumer()?;
    /// let cloud = viewer.get()?;
    /// let points = cloud.array::<f32>()?; // where they lie
    /// assert_eq!(points, array![[1.0, 2.0], [4.0, 5.0]].into_dyn());
    ///
    /// let error = cloud.array::<f64>().unwrap_err();
    /// assert!(error.to_string().ends_with("channel has <f4, this program <f8"));
    /// # drop(cloud);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn put_array<A: Element, D: Dimension>(&mut self, array: &ArrayRef<A, D>) -> Result<u64> {
        let bytes = self.named(Array::len_of_array(array))?;
        self.put_by(|slot| {
            let mut loan = slot.loan::<Array>(bytes)?;
            loan.assign(array)?;
            loan.put()
        })
    }

    /// Lends an array of this shape in C order, to be filled in place. Its elements first have
    /// whatever values the bytes of an older message make.
    ///
    /// # Errors
    /// The errors of [`loan_len`](Self::loan_len), and [`ErrorKind::Npy`] with
    /// [`NpyError::TooLarge`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-loan-array-{}", std::process::id());
    /// use io_shared::{Array, Channel};
    ///
    /// let mut images = Channel::<Array>::named(name).capacity("1M").producer()?;
    /// let mut loan = images.loan_array::<u8>((480, 640))?;
    /// let mut image = loan.array_mut::<u8>()?; // in shared memory, not yet visible to consumers
    /// image.fill(0);
    /// image[[240, 320]] = 255;
    /// loan.put()?;
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn loan_array<A: Element>(&mut self, shape: impl IntoDimension) -> Result<Loan<'_, Array>> {
        let shape = shape.into_dimension();
        let bytes = self.named(Array::len_of(A::DTYPE, false, shape.slice()))?;
        let mut loan = self.loan_len(bytes)?;
        loan.reset::<A>(shape.slice())?;
        Ok(loan)
    }

    fn named<T>(&self, result: std::result::Result<T, NpyError>) -> Result<T> {
        result.map_err(|error| Error::new(self.name(), ErrorKind::Npy(error)))
    }
}
