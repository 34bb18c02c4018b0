//! Bytes that are no value of their type: a `bool` of 2, a number that no variant of an enum has.

/// Where bytes are no value of their type. [`Message::check`](super::Message::check) returns it,
/// and has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid {
    /// The offset of the part that is invalid, in bytes from the start of the message.
    pub at: usize,
    /// The number found there.
    pub found: i64,
}

impl Invalid {
    /// The same, for a message that contains this one at an offset.
    #[must_use]
    pub fn after(self, offset: usize) -> Self {
        Self { at: self.at.saturating_add(offset), ..self }
    }
}
