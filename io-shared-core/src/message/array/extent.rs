//! How large an array is: its axes, and the bytes of its elements.

use super::error::{NpyError, Result};

/// The largest number of axes that an array may have, as in NumPy 2.
pub(super) const MOST_AXES: usize = 64;

/// How many bytes the elements of an array of this shape have. As in NumPy and `ndarray`, the
/// lengths that are not 0 must make an array that fits in memory. Elements without bytes count as
/// one byte each; otherwise there could be more of them than can be counted.
pub(super) fn bytes_of(dtype: &str, item: usize, shape: &[usize]) -> Result<usize> {
    if shape.len() > MOST_AXES {
        return Err(NpyError::TooManyAxes { found: shape.len(), most: MOST_AXES });
    }
    let lengths = shape.iter().filter(|&&length| length > 0);
    let bytes = lengths.copied().try_fold(item.max(1), usize::checked_mul);
    match bytes.filter(|&bytes| bytes <= isize::MAX as usize) {
        Some(_) if item == 0 || shape.contains(&0) => Ok(0),
        Some(bytes) => Ok(bytes),
        None => Err(too_large(dtype, shape)),
    }
}

pub(super) fn too_large(dtype: &str, shape: &[usize]) -> NpyError {
    NpyError::TooLarge { dtype: dtype.to_owned(), shape: shape.to_owned() }
}
