//! Short strings that are stored in a message.
//!
//! A `String` points to its text. A [`Text<N>`] contains its text, so it can cross a process
//! boundary. It is for text with a natural length limit, such as names, frame ids and short
//! statuses.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::{FromStr, Utf8Error};

use crate::message::schema::Type;
use crate::message::shape::Bytes;
use crate::message::{Message, Shape};

/// A UTF-8 string of at most `N` bytes, stored in place and filled up with zero bytes.
///
/// The text ends at the first zero byte, or after `N` bytes, as in C (`char[N]`) and NumPy
/// (`|S64`). Texts made here are UTF-8. The bytes in shared memory are whatever another program
/// wrote, so [`as_str`](Self::as_str) checks them, and `Display` and `Debug` show U+FFFD for bytes
/// that are not UTF-8. `Default` is the empty text.
///
/// ```
/// use io_shared_core::Text;
///
/// let id: Text<16> = "velodyne".parse()?;
/// assert_eq!(id, "velodyne");
/// assert_eq!(size_of_val(&id), 16);
/// # Ok::<(), io_shared_core::text::TextError>(())
/// ```
#[doc(alias = "String")]
#[doc(alias = "str")]
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
}

impl<const N: usize> Text<N> {
    /// The text, if it is UTF-8.
    ///
    /// ```
    /// use io_shared_core::Text;
    ///
    /// assert_eq!(Text::<8>::truncated("km/h").as_str(), Ok("km/h"));
    /// assert!(Text::from([0xff, 0, 0, 0]).as_str().is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// The bytes that another program stored are not UTF-8.
    /// [`to_string_lossy`](Self::to_string_lossy) shows them nevertheless.
    pub fn as_str(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(self.to_bytes())
    }

    /// The text, with U+FFFD in place of bytes that are not UTF-8.
    ///
    /// ```
    /// use io_shared_core::Text;
    ///
    /// assert_eq!(Text::from(*b"a\xffb\0").to_string_lossy(), "a\u{fffd}b");
    /// ```
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.to_bytes())
    }

    /// The bytes of the text, without the zeros after it.
    ///
    /// ```
    /// use io_shared_core::Text;
    ///
    /// assert_eq!(Text::from(*b"ab\0\0").to_bytes(), b"ab");
    /// ```
    pub fn to_bytes(&self) -> &[u8] {
        let end = self.bytes.iter().position(|byte| *byte == 0);
        self.bytes.get(..end.unwrap_or(N)).unwrap_or_default()
    }

    /// As much of `text` as fits, cut between characters and before a zero byte.
    ///
    /// ```
    /// use io_shared_core::Text;
    ///
    /// assert_eq!(Text::<3>::truncated("Größe"), "Gr"); // "Grö" has 4 bytes
    /// ```
    pub fn truncated(text: &str) -> Text<N> {
        let text = text.split('\0').next().unwrap_or_default();
        let mut fits = Text::default();
        for (to, from) in fits.bytes.iter_mut().zip(text[..text.floor_char_boundary(N)].bytes()) {
            *to = from;
        }
        fits
    }
}

// SAFETY: a Text<N> is a [u8; N] (repr(transparent)) with a public meaning for any content, so all
// that holds for the array holds for it: layout and SHAPE (1), no padding (2), every bit pattern
// (3), no interior mutability (4), no drop glue (5); the pointers are casts (6); no provided
// method is overridden (7).
unsafe impl<const N: usize> Message for Text<N> {
    const SHAPE: Shape = {
        assert!(N > 0, "a Text must have at least one byte");
        <[u8; N]>::SHAPE
    };

    fn layout() -> Type {
        Type::Text(N)
    }

    fixed_size!();
}

// SAFETY: a Text<N> is a [u8; N] (repr(transparent)), for which all zeros is a value.
unsafe impl<const N: usize> bytemuck::Zeroable for Text<N> {}

// SAFETY: a Text<N> is a [u8; N] (repr(transparent)), which is Pod, and Copy and 'static itself.
unsafe impl<const N: usize> bytemuck::Pod for Text<N> {}

impl<const N: usize> Default for Text<N> {
    fn default() -> Text<N> {
        Text { bytes: [0; N] }
    }
}

impl<const N: usize> From<[u8; N]> for Text<N> {
    fn from(bytes: [u8; N]) -> Text<N> {
        Text { bytes }
    }
}

impl<const N: usize> TryFrom<&str> for Text<N> {
    type Error = TextError;

    fn try_from(text: &str) -> Result<Text<N>, TextError> {
        if let Some(at) = text.bytes().position(|byte| byte == 0) {
            return Err(TextError::Zero { at });
        }
        if text.len() > N {
            return Err(TextError::TooLong { expected: N, found: text.len() });
        }
        Ok(Text::truncated(text))
    }
}

impl<const N: usize> FromStr for Text<N> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Text<N>, TextError> {
        Text::try_from(text)
    }
}

impl<const N: usize> PartialEq for Text<N> {
    fn eq(&self, other: &Text<N>) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

impl<const N: usize> Eq for Text<N> {}

impl<const N: usize> PartialEq<str> for Text<N> {
    fn eq(&self, other: &str) -> bool {
        self.to_bytes() == other.as_bytes()
    }
}

impl<const N: usize> PartialEq<&str> for Text<N> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl<const N: usize> Hash for Text<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_bytes().hash(state);
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_string_lossy())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string_lossy(), f)
    }
}

/// Why a string is not a [`Text`].
///
/// ```
/// use io_shared_core::Text;
///
/// let error = Text::<4>::try_from("velodyne").unwrap_err();
/// assert_eq!(error.to_string(), "the text has 8 bytes, but only 4 fit");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextError {
    /// It does not fit; [`Text::truncated`] takes as much as fits.
    TooLong {
        /// The length of the longest string that fits, in bytes.
        expected: usize,
        /// The length of the string, in bytes.
        found: usize,
    },
    /// It contains a zero byte, at which the text would end.
    Zero {
        /// Its position in bytes.
        at: usize,
    },
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TextError::TooLong { expected, found } => {
                write!(f, "the text has {}, but only {expected} fit", Bytes(*found as u64))
            }
            TextError::Zero { at } => {
                write!(f, "the text has a zero byte at {at}, where it would end")
            }
        }
    }
}

/// The same text as `Display`, for `unwrap()` and for a `main` that returns the error.
impl fmt::Debug for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for TextError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_the_full_length_has_no_zero_after_it() {
        let full: Text<4> = "abcd".parse().unwrap();
        assert_eq!(full.as_str(), Ok("abcd"));
        assert_eq!(full.as_bytes(), b"abcd");
    }

    #[test]
    fn bytes_after_the_first_zero_are_not_part_of_the_text() {
        let (a, b) = (Text::from(*b"ab\0x"), Text::from(*b"ab\0\0"));
        assert_eq!(a, b);
        assert_eq!(a, "ab");
        let hash = |text: &Text<4>| {
            let mut state = std::hash::DefaultHasher::new();
            text.hash(&mut state);
            state.finish()
        };
        assert_eq!(hash(&a), hash(&b));
    }

    #[test]
    fn text_is_cut_between_characters_and_before_zero_bytes() {
        for (text, cut) in
            [("äöü", "äö"), ("aäö", "aä"), ("\u{1f697}s", "\u{1f697}"), ("a\0b", "a")]
        {
            assert_eq!(Text::<4>::truncated(text), cut);
        }
        assert_eq!(Text::<3>::truncated("\u{1f697}"), "");
    }

    #[test]
    fn a_string_that_does_not_fit_or_has_a_zero_byte_is_refused() {
        assert_eq!("abcde".parse::<Text<4>>(), Err(TextError::TooLong { expected: 4, found: 5 }));
        assert_eq!("a\0".parse::<Text<4>>(), Err(TextError::Zero { at: 1 }));
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_shown_and_reported() {
        let text = Text::from([b'a', 0xc3, 0, 0]);
        assert!(text.as_str().is_err());
        assert_eq!(format!("{text:?} {text:>4}"), "\"a\u{fffd}\"   a\u{fffd}");
    }
}
