//! What came of a case: how many roles opened the region, and how many were refused.

use io_shared::Result;

use super::visit::told;

/// What came of a case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Roles that opened it.
    pub opened: u64,
    /// Roles that were refused.
    pub refused: u64,
}

impl Outcome {
    /// Counts an opening, and returns the handle if there is one.
    pub(super) fn count<T>(&mut self, opened: Result<T>) -> Option<T> {
        let opened = told(opened).ok();
        *if opened.is_some() { &mut self.opened } else { &mut self.refused } += 1;
        opened
    }
}

impl std::ops::Add for Outcome {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { opened: self.opened + other.opened, refused: self.refused + other.refused }
    }
}
