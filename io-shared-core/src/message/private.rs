//! What the derive's output refers to. Not part of the public interface: it may change with any
//! version, and the derive of the same version changes with it.
//!
//! The derive cannot know sizes, so what it has to say about padding is put together here, while
//! the compiler evaluates constants: each check panics with the text of the compile error.

pub use bytemuck;

pub use crate::message::schema::{Field, Struct, Type};
pub use crate::message::{Message, Shape};

/// Refuses a gap between two fields: `before` ends at `end`, `after` starts at `start`. `pad` is a
/// name for the field to add, empty in a tuple struct.
#[track_caller]
pub const fn no_padding_between(before: &str, end: usize, after: &str, start: usize, pad: &str) {
    if start > end {
        Line::new()
            .padding(start - end)
            .text(" between `")
            .text(before)
            .text("` and `")
            .text(after)
            .text("`: add ")
            .field(pad, start - end)
            .fail()
    }
}

/// Refuses padding at the end of a sized struct: `last` ends at `end`, the struct at `size`.
#[track_caller]
pub const fn no_padding_after(last: &str, end: usize, size: usize, pad: &str) {
    if size > end {
        Line::new()
            .padding(size - end)
            .text(" after `")
            .text(last)
            .text("`: add ")
            .field(pad, size - end)
            .text(" at the end")
            .fail()
    }
}

/// Refuses a slice of elements without bytes.
#[track_caller]
pub const fn has_bytes(field: &str, element: usize) {
    if element == 0 {
        Line::new()
            .text("the elements of `")
            .text(field)
            .text("` have no bytes: a length in bytes would not tell how many there are")
            .fail()
    }
}

/// Refuses a type with a destructor of its own; fields that need one are refused as no messages.
#[track_caller]
pub const fn no_drop(name: &str, dropped: bool, fields_dropped: bool) {
    if dropped && !fields_dropped {
        Line::new()
            .text("`")
            .text(name)
            .text("` implements `Drop`, but a message is copied as bytes and never dropped: ")
            .text("move the `Drop` to another type")
            .fail()
    }
}

/// The type of a tail with these elements.
pub fn slice_of(element: Type) -> Type {
    Type::Slice { element: Box::new(element) }
}

/// A line of text that constant evaluation can build; what does not fit is left out.
struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl Line {
    const fn new() -> Line {
        Line { bytes: [0; 512], len: 0 }
    }

    const fn text(mut self, text: &str) -> Line {
        let text = text.as_bytes();
        let mut i = 0;
        while i < text.len() && self.len < self.bytes.len() {
            self.bytes[self.len] = text[i];
            self.len += 1;
            i += 1;
        }
        self
    }

    const fn number(self, number: usize) -> Line {
        let line = if number >= 10 { self.number(number / 10) } else { self };
        let digit = [b'0' + (number % 10) as u8];
        match std::str::from_utf8(&digit) {
            Ok(digit) => line.text(digit),
            Err(_) => line,
        }
    }

    const fn padding(self, bytes: usize) -> Line {
        self.number(bytes).text(if bytes == 1 { " byte of padding" } else { " bytes of padding" })
    }

    const fn field(self, name: &str, bytes: usize) -> Line {
        let line = if name.is_empty() {
            self.text("a field `[u8; ")
        } else {
            self.text("`").text(name).text(": [u8; ")
        };
        line.number(bytes).text("]`")
    }

    #[track_caller]
    const fn fail(&self) -> ! {
        // A long name may be cut within a character; then only its head is lost from the text.
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => panic!("{}", text),
            Err(_) => panic!("the layout of this struct has padding or no fixed meaning"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic = "12 bytes of padding between `a` and `b`: add `_pad: [u8; 12]`"]
    fn a_gap_names_both_fields_and_what_to_add() {
        no_padding_between("a", 20, "b", 32, "_pad");
    }

    #[test]
    #[should_panic = "1 byte of padding after `1`: add a field `[u8; 1]` at the end"]
    fn a_tuple_struct_is_told_to_add_a_field_without_a_name() {
        no_padding_after("1", 3, 4, "");
    }

    #[test]
    #[should_panic = "the elements of `aaaa"]
    fn a_name_that_does_not_fit_is_cut() {
        has_bytes(&"a".repeat(1000), 0);
    }
}
