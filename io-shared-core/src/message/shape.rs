//! The arithmetic between the bytes of a message and the elements in its tail.
//!
//! Slots use it on lengths that another process wrote. So nothing here overflows, divides by zero
//! or panics, whatever the numbers are.

use std::fmt;

/// What must be known of a message's layout before its bytes are read.
///
/// A message is either *sized* (`element` is `None`) or ends in a slice, its *tail*. It has two
/// lengths. The **wire length** is the fixed part plus the elements: what a reader is told. The
/// **padded length** is the wire length rounded up to the alignment: what must be backed by memory,
/// because a Rust reference to a struct that ends in a slice covers it.
///
/// ```
/// use io_shared_core::message::Shape;
///
/// // struct Labels { frame: u64, labels: [u32] }
/// let shape = Shape { size: 8, align: 8, element: Some(4) };
/// assert_eq!(shape.wire_len_of(3), Some(20));
/// assert_eq!(shape.padded_len_of(3), Some(24));
/// assert_eq!(shape.elements_in(20), Some(3));
/// assert_eq!(shape.elements_in(21), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of the fixed part: `size_of` of a sized message, the offset of the tail otherwise.
    pub size: usize,
    /// Alignment in bytes, a power of two.
    pub align: usize,
    /// Bytes of one element of the tail, `None` for a sized message. Never `Some(0)`.
    pub element: Option<usize>,
}

impl Shape {
    /// The wire length in bytes of a message with `elements` elements in its tail.
    ///
    /// `None` if that is more than memory can hold (`isize::MAX` bytes, padding included), or if
    /// the message is sized and `elements` is not 0.
    ///
    /// ```
    /// use io_shared_core::message::Shape;
    ///
    /// let sized = Shape { size: 16, align: 8, element: None };
    /// assert_eq!(sized.wire_len_of(0), Some(16));
    /// assert_eq!(sized.wire_len_of(1), None);
    /// let slice = Shape { size: 0, align: 4, element: Some(4) };
    /// assert_eq!(slice.wire_len_of(usize::MAX), None);
    /// ```
    #[inline]
    pub const fn wire_len_of(&self, elements: usize) -> Option<usize> {
        match self.lengths_of(elements) {
            Some((wire, _)) => Some(wire),
            None => None,
        }
    }

    /// The bytes of memory that a message with `elements` elements in its tail must be backed by:
    /// the wire length rounded up to the alignment.
    ///
    /// `None` in the same cases as [`wire_len_of`](Self::wire_len_of).
    ///
    /// ```
    /// use io_shared_core::message::Shape;
    ///
    /// let shape = Shape { size: 8, align: 8, element: Some(4) };
    /// assert_eq!(shape.padded_len_of(1), Some(16));
    /// assert_eq!(shape.padded_len_of(2), Some(16));
    /// ```
    #[inline]
    pub const fn padded_len_of(&self, elements: usize) -> Option<usize> {
        match self.lengths_of(elements) {
            Some((_, padded)) => Some(padded),
            None => None,
        }
    }

    /// The number of tail elements in a message of `wire_len` bytes, 0 for a sized message.
    ///
    /// `None` if no message has this wire length: it is not the size of a sized message, or it is
    /// shorter than the fixed part, leaves a fraction of an element, or exceeds what memory can
    /// hold. Any `wire_len` may be passed, even one that a hostile process wrote. The caller checks
    /// that those bytes exist, by [`padded_len_of`](Self::padded_len_of).
    ///
    /// ```
    /// use io_shared_core::message::Shape;
    ///
    /// let shape = Shape { size: 16, align: 8, element: Some(16) };
    /// assert_eq!(shape.elements_in(16), Some(0));
    /// assert_eq!(shape.elements_in(48), Some(2));
    /// assert_eq!(shape.elements_in(15), None);
    /// assert_eq!(shape.elements_in(u64::MAX), None);
    /// ```
    #[inline]
    pub const fn elements_in(&self, wire_len: u64) -> Option<usize> {
        if wire_len > isize::MAX as u64 {
            return None;
        }
        let Some(tail) = (wire_len as usize).checked_sub(self.size) else {
            return None;
        };
        let elements = match self.element {
            None | Some(0) if tail > 0 => return None,
            None | Some(0) => 0,
            Some(element) if tail % element != 0 => return None,
            Some(element) => tail / element,
        };
        match self.lengths_of(elements) {
            Some(_) => Some(elements),
            None => None,
        }
    }

    #[inline]
    const fn lengths_of(&self, elements: usize) -> Option<(usize, usize)> {
        let tail = match self.element {
            None if elements > 0 => return None,
            None => 0,
            Some(element) => match element.checked_mul(elements) {
                Some(tail) => tail,
                None => return None,
            },
        };
        let Some(wire) = self.size.checked_add(tail) else {
            return None;
        };
        match wire.checked_next_multiple_of(self.align) {
            Some(padded) if padded <= isize::MAX as usize => Some((wire, padded)),
            _ => None,
        }
    }
}

/// A number of bytes, in words.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} byte{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}
