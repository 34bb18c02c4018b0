//! Numbers of 16 bits with a fraction (IEEE 754), for programs without the crate `half`.

/// The number with these bits.
pub(crate) fn from_bits(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction / 1024.0 * 2.0_f32.powi(-14),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2.0_f32.powi(exponent - 15),
    }
}

/// The bits of the nearest number of 16 bits; of one that is too large, those of infinity.
pub(crate) fn to_bits(number: f32) -> u16 {
    /// 2^-14, the least number that is stored with an exponent of its own.
    const LEAST: u32 = 0x3880_0000;
    /// 2^16, which is too large.
    const TOO_LARGE: u32 = 0x4780_0000;
    let bits = number.to_bits();
    let (sign, size) = ((bits >> 16) as u16 & 0x8000, bits & 0x7fff_ffff);
    let half = match size {
        0x7f80_0001.. => 0x7e00,
        TOO_LARGE.. => 0x7c00,
        // 13 bits fall away; a half rounds to even. A carry into the exponent is right.
        LEAST.. => ((size - 0x3800_0000 + 0xfff + (size >> 13 & 1)) >> 13) as u16,
        _ => (f32::from_bits(size) * 2.0_f32.powi(24)).round_ties_even() as u16,
    };
    sign | half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back_as_it_was() {
        for bits in 0..=u16::MAX {
            let number = from_bits(bits);
            match number.is_nan() {
                true => assert!(from_bits(to_bits(number)).is_nan()),
                false => assert_eq!(to_bits(number), bits, "{number}"),
            }
        }
    }

    #[test]
    fn what_lies_between_two_numbers_becomes_the_nearest_and_a_half_the_even_one() {
        for bits in 0..0x7bff_u16 {
            let (low, high) = (from_bits(bits), from_bits(bits + 1));
            let middle = (low + high) / 2.0;
            assert_eq!(to_bits(middle), bits + bits % 2, "{middle}");
            assert_eq!(to_bits(middle.next_down()), bits, "{middle}");
            assert_eq!(to_bits(-middle.next_up()), 0x8000 | (bits + 1), "{middle}");
        }
        assert_eq!((to_bits(65_519.9), to_bits(65_520.0)), (0x7bff, 0x7c00));
        assert_eq!((to_bits(f32::MAX), to_bits(-f32::INFINITY)), (0x7c00, 0xfc00));
    }

    #[cfg(feature = "half")]
    #[test]
    fn the_crate_half_reads_them_alike() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (from_bits(bits), ::half::f16::from_bits(bits).to_f32());
            assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan());
        }
    }
}
