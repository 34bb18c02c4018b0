//! What the derive's output refers to. This is not part of the public interface: it may change with
//! any version, and the derive of the same version changes with it.
//!
//! The derive does not know sizes. So `padding` composes the errors about padding while the
//! compiler evaluates constants. The derive does not know types either, only their names. So the
//! advice that a name suggests (`hints`) appears only where the compiler finds that the type is not
//! a message.

mod foreign;
pub mod hints;
mod lists;
mod padding;
mod writer;

use std::marker::PhantomData;

pub use bytemuck;

pub use self::foreign::{Foreign, has_shape, is_foreign};
pub use self::lists::{
    Data, OfList, Stored, StoredOf, Unstored, has_axes, has_plain_elements, is_list_data,
    lists_align,
};
pub use self::padding::{Member, Source, no_padding};
use self::writer::Writer;
pub use crate::message::list::{ListCapacity, ListField, NdSlice, NdSliceMut, access};
pub use crate::message::placed::{InOrder, ListAt, check_unordered};
pub use crate::message::schema::{Enum, Field, Scalar, Struct, Type};
pub use crate::message::{BytesError, Invalid, Message, Shape};

/// A field's type, as the derive's output sees it. For a message these are the message's own facts.
/// For any other type, [`Otherwise`] provides substitutes that keep the rest of the output valid.
/// So a type that is not a message is reported once, by [`is_message`], and not again wherever it
/// is used.
#[derive(Debug)]
pub struct Of<T: ?Sized>(PhantomData<T>);

impl<T: Message + ?Sized> Of<T> {
    /// The type is a message.
    pub const IS_MESSAGE: bool = true;
    /// The message's shape.
    pub const SHAPE: Shape = T::SHAPE;

    /// Whether the message must be checked.
    pub const CHECKED: bool = T::CHECKED;

    /// The message's schema.
    pub fn layout() -> Type {
        T::layout()
    }

    /// Checks the message at an offset of what starts at `start`.
    ///
    /// # Safety
    /// Its bytes can be read.
    ///
    /// # Errors
    /// [`Invalid`], counted from `start`.
    #[inline(always)]
    pub unsafe fn check_at(start: *const u8, offset: usize) -> Result<(), Invalid> {
        if !T::CHECKED {
            return Ok(());
        }
        // SAFETY: as the caller says.
        let checked = unsafe { T::check(start.wrapping_add(offset), T::SHAPE.size) };
        checked.map_err(|invalid| invalid.after(offset))
    }
}

impl<T: Message> Of<T> {
    /// Checks the messages from an offset of what starts at `start` to its end.
    ///
    /// # Safety
    /// `length` bytes can be read at `start`, and from `offset` on they are a whole number of
    /// elements.
    ///
    /// # Errors
    /// [`Invalid`], counted from `start`.
    #[inline(always)]
    pub unsafe fn check_tail(
        start: *const u8,
        offset: usize,
        length: usize,
    ) -> Result<(), Invalid> {
        if !T::CHECKED {
            return Ok(());
        }
        // SAFETY: as the caller says.
        let checked = unsafe { <[T]>::check(start.wrapping_add(offset), length - offset) };
        checked.map_err(|invalid| invalid.after(offset))
    }
}

/// The substitutes for a type that is not a message. No program that compiles uses them.
pub trait Otherwise {
    /// The type is not a message.
    const IS_MESSAGE: bool = false;
    /// The type's shape in this program.
    const SHAPE: Shape;
    /// Nothing is checked.
    const CHECKED: bool = false;

    /// Checks nothing.
    ///
    /// # Safety
    /// It is safe.
    ///
    /// # Errors
    /// None.
    unsafe fn check_at(_: *const u8, _: usize) -> Result<(), Invalid> {
        Ok(())
    }

    /// Checks nothing.
    ///
    /// # Safety
    /// It is safe.
    ///
    /// # Errors
    /// None.
    unsafe fn check_tail(_: *const u8, _: usize, _: usize) -> Result<(), Invalid> {
        Ok(())
    }

    /// Any schema.
    fn layout() -> Type {
        u8::layout()
    }
}

impl<T> Otherwise for Of<T> {
    const SHAPE: Shape = Shape { size: size_of::<T>(), align: align_of::<T>(), element: None };
}

/// Compiles for messages.
pub const fn is_message<T: Message + ?Sized>() {}

/// Compiles for messages that may be fields.
pub const fn is_field<T: Message + Fixed + ?Sized>() {}

/// Types whose values all have one size. It stands for `Sized`, for which the compiler's own error
/// would not help.
#[diagnostic::on_unimplemented(
    message = "`{Self}` ends in a slice, so it can only be a whole message, not a field of one",
    label = "has no fixed size",
    note = "move its fields into this struct, the slice last; or replace the slice by an array, \
        `[T; N]`, or a `Text<N>`"
)]
pub trait Fixed {}

#[diagnostic::do_not_recommend]
impl<T> Fixed for T {}

/// A struct as the compiler lays it out. For a struct without a fixed size, [`NotWhole`] provides
/// substitutes that keep the derive's output valid, since [`is_field`] reports it.
#[derive(Debug)]
pub struct Whole<T: ?Sized>(PhantomData<T>);

impl<T> Whole<T> {
    /// The struct's size.
    pub const SIZE: Option<usize> = Some(size_of::<T>());
    /// The struct's shape.
    pub const SHAPE: Shape = Shape { size: size_of::<T>(), align: align_of::<T>(), element: None };

    /// The struct that starts at `start`.
    #[inline(always)]
    pub fn at(start: *const u8) -> *const T {
        start.cast()
    }

    /// The mutable struct that starts at `start`.
    #[inline(always)]
    pub fn at_mut(start: *mut u8) -> *mut T {
        start.cast()
    }
}

/// The substitutes for a struct without a fixed size. No program that compiles uses them.
pub trait NotWhole {
    /// The struct.
    type It: ?Sized;
    /// The struct has no fixed size.
    const SIZE: Option<usize> = None;
    /// Any shape.
    const SHAPE: Shape = Shape { size: 1, align: 1, element: Some(1) };

    /// Is never called.
    fn at(_: *const u8) -> *const Self::It {
        panic!("refused")
    }

    /// Is never called.
    fn at_mut(_: *mut u8) -> *mut Self::It {
        panic!("refused")
    }
}

impl<T: ?Sized> NotWhole for Whole<T> {
    type It = T;
}

/// Refuses a slice whose elements have no bytes.
#[track_caller]
pub const fn has_bytes(field: &str, element: usize) {
    if element == 0 {
        let mut text = Writer::new();
        text.text("the elements of `");
        text.text(field);
        text.text("` have no bytes, so a length in bytes would not say how many there are");
        text.fail()
    }
}

/// Refuses a type that implements `Drop`. Fields that need dropping are not messages, and are
/// refused for that.
#[track_caller]
pub const fn no_drop(name: &str, dropped: bool, fields_dropped: bool) {
    if dropped && !fields_dropped {
        let mut text = Writer::new();
        text.text("`");
        text.text(name);
        text.text("` implements `Drop`, but a message is copied as bytes and never dropped: ");
        text.text("move the `Drop` to another type");
        text.fail()
    }
}

/// Refuses an enum without a variant of the number 0.
#[track_caller]
pub const fn has_zero(name: &str, numbers: &[i64]) {
    let mut i = 0;
    while i < numbers.len() {
        if numbers[i] == 0 {
            return;
        }
        i += 1;
    }
    let mut text = Writer::new();
    text.text("no variant of `");
    text.text(name);
    text.text("` has the number 0, but fresh memory is all zeros: give one variant that number, ");
    text.text("as in `Unknown = 0`");
    text.fail()
}

/// The error for a number that is no variant of an enum.
#[cold]
pub fn no_variant<T: Message>(number: i64) -> BytesError {
    BytesError::bad_value(&T::layout(), Invalid { at: 0, found: number })
}

/// The schema type of a tail with these elements.
pub fn slice_of(element: Type) -> Type {
    Type::Slice { element: Box::new(element) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic = "the elements of `aaaa"]
    fn a_name_that_does_not_fit_is_cut() {
        has_bytes(&"a".repeat(10_000), 0);
    }

    struct Plain;

    #[test]
    fn a_type_that_is_not_a_message_has_a_shape_nevertheless() {
        assert_eq!(Of::<Plain>::SHAPE.size, 0);
        assert_eq!(Of::<[u32]>::SHAPE, <[u32]>::SHAPE);
        assert_eq!(Of::<f32>::layout(), f32::layout());
    }
}
