//! What the derive's output refers to. Not part of the public interface: it may change with any
//! version, and the derive of the same version changes with it.
//!
//! The derive cannot know sizes, so what it has to say about padding is put together in `padding`,
//! while the compiler evaluates constants. It cannot know types either: what it suspects by name
//! (`hints`) is said only where the compiler finds that the type is no message.

pub mod hints;
mod padding;
mod writer;

use std::marker::PhantomData;

pub use bytemuck;

pub use self::padding::{Member, Source, no_padding};
use self::writer::Writer;
pub use crate::message::schema::{Field, Struct, Type};
pub use crate::message::{Message, Shape};

/// What is known of a field's type: of a message what it says, of anything else
/// ([`Otherwise`]) what keeps the rest of the derive's output in order. So a type that is no message is
/// told of once, where [`is_message`] asks for it, and not again wherever it is used.
#[derive(Debug)]
pub struct Of<T: ?Sized>(PhantomData<T>);

impl<T: Message + ?Sized> Of<T> {
    /// That it is a message.
    pub const IS_MESSAGE: bool = true;
    /// The message's shape.
    pub const SHAPE: Shape = T::SHAPE;

    /// The message's schema.
    pub fn layout() -> Type {
        T::layout()
    }
}

/// What [`Of`] says of a type that is no message. No program that compiles gets here.
pub trait Otherwise {
    /// That it is none.
    const IS_MESSAGE: bool = false;
    /// That of the type in this program.
    const SHAPE: Shape;

    /// A schema.
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

/// Types whose values are all of one size. It stands for `Sized`, of which the compiler would say
/// nothing that helps.
#[diagnostic::on_unimplemented(
    message = "`{Self}` ends in a slice: it is a whole message, and cannot be a field of one",
    label = "is not of a fixed size",
    note = "put its fields into this struct, the slice last; or give it an array, `[T; N]`, or a `Text<N>` in place of the slice"
)]
pub trait Fixed {}

#[diagnostic::do_not_recommend]
impl<T> Fixed for T {}

/// A struct as the compiler lays it out; of one that is not of a fixed size ([`NotWhole`]) what keeps
/// the derive's output in order, as that is told of by [`is_field`].
#[derive(Debug)]
pub struct Whole<T: ?Sized>(PhantomData<T>);

impl<T> Whole<T> {
    /// Its size.
    pub const SIZE: Option<usize> = Some(size_of::<T>());
    /// Its shape.
    pub const SHAPE: Shape = Shape { size: size_of::<T>(), align: align_of::<T>(), element: None };

    /// That which starts at `start`.
    #[inline(always)]
    pub fn at(start: *const u8) -> *const T {
        start.cast()
    }

    /// The same to write to.
    #[inline(always)]
    pub fn at_mut(start: *mut u8) -> *mut T {
        start.cast()
    }
}

/// What [`Whole`] says of what has no fixed size. No program that compiles gets here.
pub trait NotWhole {
    /// What it is about.
    type It: ?Sized;
    /// That it has none.
    const SIZE: Option<usize> = None;
    /// One in its place.
    const SHAPE: Shape = Shape { size: 1, align: 1, element: Some(1) };

    /// Nothing.
    fn at(_: *const u8) -> *const Self::It {
        panic!("refused")
    }

    /// Nothing.
    fn at_mut(_: *mut u8) -> *mut Self::It {
        panic!("refused")
    }
}

impl<T: ?Sized> NotWhole for Whole<T> {
    type It = T;
}

/// Refuses a slice of elements without bytes.
#[track_caller]
pub const fn has_bytes(field: &str, element: usize) {
    if element == 0 {
        let mut text = Writer::new();
        text.text("the elements of `");
        text.text(field);
        text.text("` have no bytes: a length in bytes would not tell how many there are");
        text.fail()
    }
}

/// Refuses a type with a destructor of its own; fields that need one are refused as no messages.
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

/// The type of a tail with these elements.
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
    fn a_type_that_is_no_message_has_a_shape_all_the_same() {
        assert_eq!(Of::<Plain>::SHAPE.size, 0);
        assert_eq!(Of::<[u32]>::SHAPE, <[u32]>::SHAPE);
        assert_eq!(Of::<f32>::layout(), f32::layout());
    }
}
