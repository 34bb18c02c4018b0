//! Numbers of one type as those of another.

use io_shared_core::schema::{Scalar, Type};

use crate::error::CdrError;

/// A number of any type.
enum Number {
    Whole(i128),
    Real(f64),
}

/// The type of a number that a field is, if it is one.
pub(crate) fn scalar_of(ty: &Type) -> Option<Scalar> {
    match ty {
        Type::Scalar(scalar) => Some(*scalar),
        Type::Enum(of) => Some(of.scalar),
        _ => None,
    }
}

/// Whether numbers of two types have the same bytes.
pub(crate) fn is_same(one: Scalar, other: Scalar) -> bool {
    let plain = |scalar| if scalar == Scalar::Bool { Scalar::U8 } else { scalar };
    plain(one) == plain(other)
}

/// Writes a number, which is little-endian as `from`, to `out` as `to`. What `to` cannot have is an
/// error: a number out of its range, or one with a fraction.
pub(crate) fn convert(
    from: Scalar,
    bytes: &[u8],
    to: Scalar,
    out: &mut [u8],
) -> Result<(), CdrError> {
    if is_same(from, to) {
        out.copy_from_slice(bytes);
        return Ok(());
    }
    let number = read(from, bytes).ok_or_else(|| cannot(from, to))?;
    write(number, to, out).ok_or_else(|| cannot(from, to))
}

fn cannot(from: Scalar, to: Scalar) -> CdrError {
    let what = format!("a number of {} as one of {}", from.code(), to.code());
    CdrError::Unsupported { what }
}

fn read(from: Scalar, bytes: &[u8]) -> Option<Number> {
    macro_rules! number {
        ($of:ty) => {
            <$of>::from_le_bytes(*bytes.first_chunk()?)
        };
    }
    Some(match from {
        Scalar::Bool | Scalar::U8 => Number::Whole(number!(u8).into()),
        Scalar::U16 => Number::Whole(number!(u16).into()),
        Scalar::U32 => Number::Whole(number!(u32).into()),
        Scalar::U64 => Number::Whole(number!(u64).into()),
        Scalar::I8 => Number::Whole(number!(i8).into()),
        Scalar::I16 => Number::Whole(number!(i16).into()),
        Scalar::I32 => Number::Whole(number!(i32).into()),
        Scalar::I64 => Number::Whole(number!(i64).into()),
        Scalar::F32 => Number::Real(number!(f32).into()),
        Scalar::F64 => Number::Real(number!(f64)),
        _ => return None,
    })
}

fn write(number: Number, to: Scalar, out: &mut [u8]) -> Option<()> {
    let real = match number {
        Number::Whole(whole) => whole as f64,
        Number::Real(real) => real,
    };
    if to == Scalar::F64 {
        out.copy_from_slice(&real.to_le_bytes());
        return Some(());
    }
    if to == Scalar::F32 {
        out.copy_from_slice(&(real as f32).to_le_bytes());
        return Some(());
    }
    let Number::Whole(whole) = number else { return None };
    macro_rules! put {
        ($of:ty) => {
            out.copy_from_slice(&<$of>::try_from(whole).ok()?.to_le_bytes())
        };
    }
    match to {
        Scalar::U8 => put!(u8),
        Scalar::U16 => put!(u16),
        Scalar::U32 => put!(u32),
        Scalar::U64 => put!(u64),
        Scalar::I8 => put!(i8),
        Scalar::I16 => put!(i16),
        Scalar::I32 => put!(i32),
        Scalar::I64 => put!(i64),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(from: Scalar, bytes: &[u8], to: Scalar) -> Result<Vec<u8>, CdrError> {
        let mut out = vec![0; to.size()];
        convert(from, bytes, to, &mut out).map(|()| out)
    }

    #[test]
    fn numbers_become_what_can_hold_them_and_nothing_is_rounded_to_a_whole_number() {
        let of = |from, bytes: &[u8], to| converted(from, bytes, to).unwrap();
        assert_eq!(of(Scalar::U8, &[200], Scalar::F32), 200_f32.to_le_bytes());
        assert_eq!(of(Scalar::F32, &0.5_f32.to_le_bytes(), Scalar::F64), 0.5_f64.to_le_bytes());
        assert_eq!(of(Scalar::I8, &[0xff], Scalar::I64), (-1_i64).to_le_bytes());
        assert_eq!(of(Scalar::Bool, &[1], Scalar::U8), [1]);
        for (from, bytes, to) in [
            (Scalar::I8, &[0xff][..], Scalar::U64),
            (Scalar::U16, &[0, 1], Scalar::U8),
            (Scalar::F32, &[0; 4], Scalar::I32),
        ] {
            assert!(converted(from, bytes, to).is_err(), "{from:?} {to:?}");
        }
    }
}
