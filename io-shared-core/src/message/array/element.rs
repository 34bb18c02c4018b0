//! The Rust types that the elements of an array may have.

use bytemuck::{CheckedBitPattern, NoUninit};
use half::f16;
use num_complex::Complex;

mod sealed {
    pub trait Sealed {}
}

/// The types that an array's elements may have: `bool`, `i8` to `i64`, `u8` to `u64`, `f32`, `f64`,
/// and those of the crates `half` and `num-complex`.
///
/// # Examples
/// ```
/// use io_shared_core::array::Element;
///
/// assert_eq!((f32::DTYPE, bool::DTYPE), ("<f4", "|b1"));
/// ```
pub trait Element: NoUninit + CheckedBitPattern + sealed::Sealed {
    /// NumPy's code for the type.
    const DTYPE: &'static str;
}

macro_rules! elements {
    ($($element:ty => $dtype:literal),* $(,)?) => {$(
        impl sealed::Sealed for $element {}

        impl Element for $element {
            const DTYPE: &'static str = $dtype;
        }
    )*};
}

elements! {
    bool => "|b1",
    i8 => "|i1", i16 => "<i2", i32 => "<i4", i64 => "<i8",
    u8 => "|u1", u16 => "<u2", u32 => "<u4", u64 => "<u8",
    f16 => "<f2", f32 => "<f4", f64 => "<f8",
    Complex<f32> => "<c8", Complex<f64> => "<c16",
}
