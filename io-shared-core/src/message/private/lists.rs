//! What the derive's output for a message with lists refers to.

use std::marker::PhantomData;

use super::writer::Writer;
use crate::message::Shape;
use crate::message::list::{ListData, ListField};
use crate::message::placed::MAX_LIST_ALIGN;
use crate::message::schema::Type;
use crate::message::schema::json::MAX_AXES;

/// A list as a field: what [`Of`](super::Of) is for a message.
#[derive(Debug)]
pub struct OfList<L>(PhantomData<L>);

impl<L: ListField> OfList<L> {
    /// It may be a field here.
    pub const IS_MESSAGE: bool = true;
    /// The shape of its words.
    pub const SHAPE: Shape = Shape { size: size_of::<L>(), align: align_of::<L>(), element: None };

    /// The list's schema, by that of its elements.
    pub fn layout(element: Type) -> Type {
        L::layout(element)
    }
}

/// What a type is stored as, if not every bit pattern is one of its values.
pub trait Stored {
    /// The number.
    const AS: &'static str;
}

impl Stored for bool {
    const AS: &'static str = "u8";
}

/// What a type is stored as.
#[derive(Debug)]
pub struct StoredOf<T>(PhantomData<T>);

impl<T: Stored> StoredOf<T> {
    /// The number.
    pub const AS: &'static str = T::AS;
}

/// The substitute for a type that is no bool and no enum.
pub trait Unstored {
    /// None.
    const AS: &'static str = "";
}

impl<T> Unstored for StoredOf<T> {}

/// Compiles for [`ListData`].
pub const fn is_list_data<T: Data + ?Sized>() {}

/// The end of a message with lists.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the data of lists",
    label = "is not `io_shared::ListData`",
    note = "a message with lists ends in a field of the type `io_shared::ListData`"
)]
pub trait Data {}

impl Data for ListData {}

/// The alignment of a message with lists: the greatest of its fields and elements.
pub const fn lists_align(fields: usize, elements: &[usize]) -> usize {
    let mut greatest = fields;
    let mut i = 0;
    while i < elements.len() {
        if elements[i] > greatest {
            greatest = elements[i];
        }
        i += 1;
    }
    greatest
}

/// Refuses a list of as many axes as no schema has.
#[track_caller]
pub const fn has_axes(field: &str, axes: usize) {
    if axes >= 1 && axes <= MAX_AXES {
        return;
    }
    let mut text = Writer::new();
    text.text("the list `");
    text.text(field);
    text.text("` has ");
    text.number(axes);
    text.text(" axes: use 1 to ");
    text.number(MAX_AXES);
    text.fail()
}

/// Refuses a list of elements that have no bytes, that must be checked, or are aligned to more than
/// lists can be.
#[track_caller]
pub const fn has_plain_elements(
    (Shape { size, align, .. }, checked): (Shape, bool),
    field: &str,
    element: &str,
    stored: &str,
    convert: &str,
) {
    let mut text = Writer::new();
    text.text("the elements of the list `");
    text.text(field);
    if size == 0 {
        text.text("` have no bytes: store their number, as a `u64`");
    } else if checked && stored.is_empty() {
        text.text("` contain a `bool` or an enum, which lists cannot check: in `");
        text.text(element);
        text.text("`, store the number that it is stored as (of a `bool`: a `u8`)");
    } else if checked {
        text.text("` must be checked, which lists cannot do: use `List<");
        text.text(stored);
        text.text(">`, and `");
        text.text(convert);
        text.text("` for each number");
    } else if align > MAX_LIST_ALIGN {
        text.text("` are aligned to ");
        text.number(align);
        text.text(" bytes, but lists to at most ");
        text.number(MAX_LIST_ALIGN);
    } else {
        return;
    }
    text.fail()
}
