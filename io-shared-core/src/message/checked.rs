//! Messages of which not every bit pattern is valid.
//!
//! Shared memory may contain any bytes, and a Rust reference to a `bool` of 2 is undefined
//! behaviour. So these bytes are looked at as numbers first. A check returns an [`Invalid`], which
//! is two words, so that the way without errors stays short; the schema turns it into words.

use crate::message::Message;
use crate::message::invalid::Invalid;
use crate::message::schema::{Scalar, Type};
use crate::message::shape::Shape;

/// Checks `count` elements, one after the other.
///
/// # Safety
/// The bytes of `count` elements at `start` can be read.
#[inline]
pub(crate) unsafe fn check_each<T: Message>(start: *const u8, count: usize) -> Result<(), Invalid> {
    if !T::CHECKED {
        return Ok(());
    }
    let size = T::SHAPE.size;
    for i in 0..count {
        // SAFETY: element `i` is among those that can be read.
        let checked = unsafe { T::check(start.wrapping_add(i * size), size) };
        checked.map_err(|invalid| invalid.after(i * size))?;
    }
    Ok(())
}

// SAFETY: a bool is one byte (1, 2), 0 or 1, which `check` finds out, and 0 is a value (3); no
// interior mutability (4), no drop glue (5); the pointers are casts (6); no other provided method
// is overridden (7).
unsafe impl Message for bool {
    const SHAPE: Shape = Shape { size: size_of::<bool>(), align: 1, element: None };
    const CHECKED: bool = true;

    #[inline]
    unsafe fn check(start: *const u8, _length: usize) -> Result<(), Invalid> {
        // SAFETY: the caller says that the byte can be read.
        match unsafe { start.read() } {
            0 | 1 => Ok(()),
            found => Err(Invalid { at: 0, found: found.into() }),
        }
    }

    fn layout() -> Type {
        Type::Scalar(Scalar::Bool)
    }

    fixed_size!();
}
