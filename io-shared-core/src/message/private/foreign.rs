//! What the derive's output for a type of another crate refers to.

use super::writer::Writer;
use crate::message::Shape;

/// Types of other crates that may be messages: any bytes are one of their values, they have no
/// padding, and no part of them changes through a shared reference.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `bytemuck::Pod`",
    label = "is not `Pod`",
    note = "`#[message(foreign = ..)]` is for types of other crates that implement \
        `bytemuck::Pod`: some do with a feature called `bytemuck`. Of any other type, store the \
        numbers it consists of"
)]
pub trait Foreign: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: bytemuck::Pod + Send + Sync> Foreign for T {}

/// Compiles for types of other crates that may be messages.
pub const fn is_foreign<T: Foreign>() {}

/// Refuses a type of another crate that is not laid out as the message that says what it means.
#[track_caller]
pub const fn has_shape(
    (name, found): (&str, Shape),
    (like, expected): (&str, Shape),
    is_checked: bool,
) {
    let mut text = Writer::new();
    if is_checked {
        text.text("`");
        text.text(like);
        text.text("` contains a `bool` or an enum, but every value of `");
        text.text(name);
        text.text("` must be one of it: write a `u8` instead");
    } else if found.size != expected.size || found.align != expected.align {
        text.text("`");
        text.text(name);
        has(&mut text, found);
        text.text(", but `");
        text.text(like);
        has(&mut text, expected);
        text.text(": name a message that is laid out alike");
        if found.size == expected.size && found.align > expected.align {
            text.text(", such as a struct of it with `#[repr(C, align(");
            text.number(found.align);
            text.text("))]`");
        }
    } else {
        return;
    }
    text.fail()
}

const fn has(text: &mut Writer, shape: Shape) {
    text.text("` has ");
    text.number(shape.size);
    text.text(" bytes aligned to ");
    text.number(shape.align);
}
