//! Sizes as people write them.

use crate::error::{Error, ErrorKind, Result, units};

/// A number of bytes: a plain number, or a text such as `"64K"`, `"5M"`, `"1G"`, `"4096"`.
///
/// K, M and G are powers of 1024, in upper or lower case. A text that is not a size is refused when
/// the size is used ([`Size::bytes`]), so that calls of a builder can be chained.
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
    /// [`ErrorKind::BadSize`] on `name` if the text is not a size, the number is negative, or the
    /// size is 2^64 bytes or more.
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
}

impl From<&str> for Size {
    fn from(text: &str) -> Self {
        Self(units::parse(text).ok_or_else(|| text.to_owned()))
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
            assert_eq!(units::meant(found), None, "{found:?}");
        }
    }
}
