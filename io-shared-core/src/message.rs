//! What may cross a process boundary as it lies in memory.

use crate::schema::{Schema, Type};

/// The layout facts of a message that are needed before its bytes are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of the fixed part: `size_of` of a sized message, the offset of the tail otherwise.
    pub size: usize,
    /// Alignment in bytes, a power of two.
    pub align: usize,
    /// Bytes of one element of the tail, `None` for a sized message. Never `Some(0)`.
    pub element: Option<usize>,
}

/// A type with a fixed layout, no padding, no pointers, every bit pattern valid.
///
/// # Safety
/// See the derive.
pub unsafe trait Message: Send + Sync + 'static {
    /// Size, alignment and tail.
    const SHAPE: Shape;

    /// The description of the type's layout.
    fn layout() -> Type;

    /// The pointer to a message of `elements` tail elements that starts at `start`.
    fn from_raw_parts(start: *const u8, elements: usize) -> *const Self;

    /// The mutable pointer to a message of `elements` tail elements that starts at `start`.
    fn from_raw_parts_mut(start: *mut u8, elements: usize) -> *mut Self;

    /// The number of elements in the tail; 0 for a sized message.
    fn elements(&self) -> usize;

    /// The schema.
    fn schema() -> Schema {
        Schema::new(Self::layout())
    }
}
