//! Sizes as people write them.

use crate::error::{Error, ErrorKind, Result};

/// A number of bytes: a plain number, or a text such as `"64K"`, `"5M"`, `"1G"`, `"4096"`.
///
/// K, M and G are powers of 1024, in either case. Errors surface when the size is used, so that
/// builders stay chains: see [`Size::bytes`].
///
/// # Examples
/// ```
/// use io_shared_core::Size;
/// # fn main() -> io_shared_core::Result<()> {
/// assert_eq!(Size::from("5M").bytes("/x")?, 5 * 1024 * 1024);
/// assert_eq!(Size::from(100).bytes("/x")?, 100);
/// assert!(Size::from("5MB").bytes("/x").is_err());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size(std::result::Result<u64, String>);

impl Size {
    /// The size in bytes.
    ///
    /// # Errors
    /// [`ErrorKind::BadSize`] on `name` if the text was no size, or is 2^64 bytes or more.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::Size;
    /// assert_eq!(Size::from("64K").bytes("/x").unwrap(), 65536);
    /// ```
    pub fn bytes(&self, name: impl std::fmt::Display) -> Result<u64> {
        match &self.0 {
            Ok(bytes) => Ok(*bytes),
            Err(found) => Err(Error::new(name, ErrorKind::BadSize { found: found.clone() })),
        }
    }

    /// The size that a text which is none was probably to be: `5M` of `5MB`, `1572864` of `1.5 MiB`.
    pub(crate) fn meant(text: &str) -> Option<String> {
        let text = text.trim().to_ascii_uppercase();
        let end = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let digits: String = end.trim_end().chars().filter(|c| !matches!(c, '_' | ',')).collect();
        let unit = match &text[end.len()..] {
            "" | "B" | "BYTES" => "",
            "K" | "KB" | "KIB" => "K",
            "M" | "MB" | "MIB" => "M",
            "G" | "GB" | "GIB" => "G",
            "T" | "TB" | "TIB" => {
                let meant = format!("{}G", digits.parse::<u64>().ok()?.checked_mul(1024)?);
                return Self::parse(&meant).map(|_| meant);
            }
            _ => return None,
        };
        if let Some((whole, part)) = digits.split_once('.') {
            let scale = Self::parse(&format!("1{unit}"))?;
            let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
            let number = part.parse::<u64>().ok().filter(|_| part.len() <= 9)?;
            let most = 10u64.pow(u32::try_from(part.len()).ok()?);
            // Rounded up: what fits the size that was written fits this.
            let part = (u128::from(number) * u128::from(scale)).div_ceil(u128::from(most));
            return whole.checked_add(u64::try_from(part).ok()?).map(|bytes| bytes.to_string());
        }
        let meant = format!("{digits}{unit}");
        Self::parse(&meant).map(|_| meant)
    }

    fn parse(text: &str) -> Option<u64> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit: u64 = match text.get(digits.len()..)? {
            "" => 1,
            "K" | "k" => 1 << 10,
            "M" | "m" => 1 << 20,
            "G" | "g" => 1 << 30,
            _ => return None,
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        digits.parse::<u64>().ok()?.checked_mul(unit)
    }
}

impl From<&str> for Size {
    fn from(text: &str) -> Self {
        Self(Self::parse(text).ok_or_else(|| text.to_owned()))
    }
}

impl From<String> for Size {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

macro_rules! from_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Size {
            fn from(bytes: $integer) -> Self {
                Self(u64::try_from(bytes).map_err(|_| bytes.to_string()))
            }
        }
    )*};
}
from_integers!(u32, u64, usize, i32, i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024_and_bad_ones_are_refused() {
        for (text, bytes) in [("0", 0), ("1", 1), ("64K", 65536), ("1g", 1 << 30), ("5M", 5 << 20)]
        {
            assert_eq!(Size::from(text).bytes("/x").unwrap(), bytes);
        }
        for bad in ["", "K", "5MB", "-1", "+1", "1.5M", " 1", "1 K", "0x10", "٣", "99999999999G"] {
            let error = Size::from(bad).bytes("/x").unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::BadSize { .. }), "{bad:?}");
        }
        assert!(Size::from(-1).bytes("/x").is_err());
    }

    #[test]
    fn a_text_that_is_no_size_is_told_the_size_to_write() {
        for (found, meant) in [
            ("5MB", "5M"),
            ("64 KiB", "64K"),
            (" 1 g", "1G"),
            ("1.5M", "1572864"),
            ("0.1K", "103"),
            ("2TB", "2048G"),
            ("1_000_000", "1000000"),
            ("100 bytes", "100"),
        ] {
            let error = Size::from(found).bytes("/x").unwrap_err().to_string();
            assert!(error.contains(&format!("write \"{meant}\"")), "{error}");
            assert!(Size::from(meant).bytes("/x").is_ok());
        }
        for found in ["", "M", "-1", "0x10", "٣", "99999999999G", "5 apples", "1.M", "1.2.3", "é"]
        {
            assert_eq!(Size::meant(found), None, "{found:?}");
        }
    }
}
