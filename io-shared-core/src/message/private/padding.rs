//! The error about padding: it names all padding of a struct, and shows the struct without any.

use super::writer::Writer;

/// A struct as it was written, with what the compiler knows about it.
#[derive(Debug)]
pub struct Source<'a> {
    /// The struct's name.
    pub name: &'a str,
    /// Whether the fields have numbers instead of names.
    pub numbered: bool,
    /// Whether sizes depend on parameters.
    pub generic: bool,
    /// The text up to the first field.
    pub head: &'a str,
    /// The text after the last field.
    pub foot: &'a str,
    /// The fields in order.
    pub fields: &'a [Member<'a>],
    /// The struct's size; `None` if it ends in a slice.
    pub size: Option<usize>,
    /// The first number `n` for which no field is called `_pad{n}` or higher.
    pub first_pad: usize,
}

/// A field, and its position in the struct.
#[derive(Debug)]
pub struct Member<'a> {
    /// The field's name.
    pub name: &'a str,
    /// The field as it was written.
    pub text: &'a str,
    /// The visibility of padding after it, as in `pub `: that of its neighbours if they agree.
    pub pad: &'a str,
    /// The offset of the field's start.
    pub start: usize,
    /// The offset of the field's end; for a slice, that of its start.
    pub end: usize,
    /// Whether the field is a message.
    pub is_message: bool,
}

/// Refuses a struct with padding between its fields or after the last one. A struct with a field
/// that is not a message passes: it is refused for that, and will have other padding once that is
/// fixed.
#[track_caller]
pub const fn no_padding(source: &Source<'_>) {
    let fields = source.fields;
    let mut text = Writer::new();
    let mut found = 0;
    let mut i = 0;
    while i < fields.len() {
        if !fields[i].is_message {
            return;
        }
        let gap = gap_after(source, i);
        if gap > 0 {
            text.text(if found == 0 { "" } else { ", " });
            text.number(gap);
            text.text(if gap == 1 { " byte" } else { " bytes" });
            text.text(if found == 0 { " of padding " } else { " " });
            text.text(if i + 1 < fields.len() { "between `" } else { "after `" });
            text.text(fields[i].name);
            if i + 1 < fields.len() {
                text.text("` and `");
                text.text(fields[i + 1].name);
            }
            text.text("`");
            found += 1;
        }
        i += 1;
    }
    if found == 0 {
        return;
    }
    text.text(": a message has no padding, so give those bytes names");
    // A derive is not shown the other derives, so they cannot be printed.
    text.text(", and keep the derives above the struct");
    if source.generic {
        text.text(" (this is for these parameters; others may need other padding)");
    }
    text.text(":\n");
    corrected(source, &mut text);
    text.fail()
}

/// The bytes between the end of a field and the next field, or the end of the struct.
const fn gap_after(source: &Source<'_>, i: usize) -> usize {
    let end = source.fields[i].end;
    let next = match source.size {
        _ if i + 1 < source.fields.len() => source.fields[i + 1].start,
        Some(size) => size,
        None => end,
    };
    next.saturating_sub(end)
}

const fn corrected(source: &Source<'_>, text: &mut Writer) {
    let mut pad = source.first_pad;
    text.text(source.head);
    let mut i = 0;
    while i < source.fields.len() {
        text.text("\n");
        text.text(source.fields[i].text);
        let gap = gap_after(source, i);
        if gap > 0 {
            text.text("\n    ");
            text.text(source.fields[i].pad);
            if !source.numbered {
                text.text("_pad");
                text.number(pad);
                text.text(": ");
                pad += 1;
            }
            text.text("[u8; ");
            text.number(gap);
            text.text("],");
        }
        i += 1;
    }
    text.text("\n");
    text.text(source.foot);
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn member<'a>(
        name: &'a str,
        text: &'a str,
        pad: &'a str,
        (start, end): (usize, usize),
    ) -> Member<'a> {
        Member { name, text, pad, start, end, is_message: true }
    }

    #[test]
    #[should_panic = "3 bytes of padding between `flag` and `x`, 4 bytes after `x`: a message \
        has no padding, so give those bytes names, and keep the derives above the struct:\n\
        struct S {\n    pub flag: u8,\n    pub _pad0: [u8; 3],\n    x: f32,\n    \
        _pad1: [u8; 4],\n}"]
    fn all_padding_is_named_and_the_struct_without_it_is_shown() {
        let fields = [
            member("flag", "    pub flag: u8,", "pub ", (0, 1)),
            member("x", "    x: f32,", "", (4, 8)),
        ];
        no_padding(&Source {
            name: "S",
            numbered: false,
            generic: false,
            head: "struct S {",
            foot: "}",
            fields: &fields,
            size: Some(12),
            first_pad: 0,
        });
    }

    #[test]
    #[should_panic = "struct S(\n    u8,\n    [u8; 1],\n    u16,\n);"]
    fn a_field_without_a_name_gets_padding_without_a_name() {
        let fields = [member("0", "    u8,", "", (0, 1)), member("1", "    u16,", "", (2, 4))];
        no_padding(&Source {
            name: "S",
            numbered: true,
            generic: false,
            head: "struct S(",
            foot: ");",
            fields: &fields,
            size: Some(4),
            first_pad: 0,
        });
    }
}
