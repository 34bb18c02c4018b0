//! What the styles write to.

use std::fmt::{self, Write as _};

/// Where a style writes to, and how much of a value it may still show.
pub(super) struct Output<'o, 'f> {
    pub(super) out: &'o mut fmt::Formatter<'f>,
    pub(super) most: usize,
    pub(super) lists: bool,
    pub(super) left: usize,
}

impl Output<'_, '_> {
    pub(super) fn put(&mut self, text: &str) -> fmt::Result {
        self.out.write_str(text)
    }

    pub(super) fn put_args(&mut self, text: fmt::Arguments<'_>) -> fmt::Result {
        self.out.write_fmt(text)
    }

    /// How many of a list's elements are shown.
    pub(super) fn shown_of(&self, len: usize) -> usize {
        len.min(self.most)
    }

    /// Whether another part may be shown.
    pub(super) fn next(&mut self) -> bool {
        let more = self.left > 0;
        self.left = self.left.saturating_sub(1);
        more
    }

    /// A text in the quotes and with the escapes of JSON, which YAML has too.
    pub(super) fn quote(&mut self, text: &str) -> fmt::Result {
        self.out.write_char('"')?;
        for c in text.chars() {
            match c {
                '"' => self.put("\\\"")?,
                '\\' => self.put("\\\\")?,
                '\n' => self.put("\\n")?,
                '\r' => self.put("\\r")?,
                '\t' => self.put("\\t")?,
                c if is_hidden(c) => self.put_args(format_args!("\\u{:04x}", u32::from(c)))?,
                c => self.out.write_char(c)?,
            }
        }
        self.out.write_char('"')
    }
}

/// Whether a character is one for control, is taken for a line's end by a terminal or by YAML, or
/// changes the direction of the text around it.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What is shown in place of a list.
pub(super) fn in_place_of(len: usize) -> String {
    format!("<{len} element{}>", if len == 1 { "" } else { "s" })
}
