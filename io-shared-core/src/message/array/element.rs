//! The Rust types that the elements of an array may have.

use bytemuck::{CheckedBitPattern, NoUninit};
use half::f16;
use num_complex::Complex;

mod sealed {
    pub trait Sealed {}
}

/// What an array may be made of: `bool`, `i8` to `i64`, `u8` to `u64`, `f32`, `f64`, and `half`'s
/// and `num-complex`'s types.
pub trait Element: NoUninit + CheckedBitPattern + sealed::Sealed {
    /// The code that NumPy has for it.
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
