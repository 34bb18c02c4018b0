//! What the derive's output refers to. This is not part of the public interface: it may change with
//! any version, and the derive of the same version changes with it.
//!
//! The derive does not know sizes. So `padding` composes the errors about padding while the
//! compiler evaluates constants. The derive does not know types either, only their names. So the
//! advice that a name suggests (`hints`) appears only where the compiler finds that the type is not
//! a message.

pub mod hints;
mod padding;
mod writer;

use std::marker::PhantomData;

pub use bytemuck;

pub use self::padding::{Member, Source, no_padding};
use self::writer::Writer;
pub use crate::message::schema::{Field, Struct, Type};
pub use crate::message::{Message, Shape};

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

    /// The message's schema.
    pub fn layout() -> Type {
        T::layout()
    }
}

/// The substitutes for a type that is not a message. No program that compiles uses them.
pub trait Otherwise {
    /// The type is not a message.
    const IS_MESSAGE: bool = false;
    /// The type's shape in this program.
    const SHAPE: Shape;

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
