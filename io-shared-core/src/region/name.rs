//! Names of shared-memory objects, checked and in one form.

use std::fmt;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// Where the kernel keeps POSIX shared-memory objects.
pub(crate) const DIRECTORY: &str = "/dev/shm";

/// Hidden names of objects that are still being made, where the kernel cannot make nameless ones.
pub(crate) const UNFINISHED: &str = ".io-shared.";

/// The longest name in bytes, the leading `/` not counted.
const LONGEST: usize = 250;

/// The name of a region in shared memory, with or without a leading `/`.
///
/// `cloud_share` and `/cloud_share` are the same name, and the same as in `shm_open(3)`.
///
/// # Examples
/// ```
/// use io_shared_core::Name;
/// # fn main() -> io_shared_core::Result<()> {
/// assert_eq!(Name::new("cloud_share")?, Name::new("/cloud_share")?);
/// assert_eq!(Name::new("cloud_share")?.to_string(), "/cloud_share");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// With the directory: a waiter looks there after each slice, and is not to build it anew.
    path: String,
}

impl Name {
    /// Checks `name`.
    ///
    /// # Errors
    /// [`ErrorKind::BadName`] if it is empty, `.` or `..`, longer than 250 bytes, starts with
    /// `.io-shared.`, or holds a NUL, a control character or a `/` after the first character.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::Name;
    /// assert!(Name::new("/cloud_share").is_ok());
    /// assert!(Name::new("..").is_err());
    /// ```
    pub fn new(name: &str) -> Result<Self> {
        let bare = name.strip_prefix('/').unwrap_or(name);
        let reason = if bare.is_empty() {
            "it is empty; write something like `/cloud_share`"
        } else if bare == "." || bare == ".." {
            "it is a directory"
        } else if bare.len() > LONGEST {
            "it is longer than 250 bytes"
        } else if bare.contains('/') {
            "it has a `/` after the first character; use letters, digits, `-`, `_` and `.`"
        } else if bare.chars().any(char::is_control) {
            "it holds a NUL or a control character; use letters, digits, `-`, `_` and `.`"
        } else if bare.starts_with(UNFINISHED) {
            "names that start with `.io-shared.` are kept for regions being created"
        } else {
            return Ok(Self { path: format!("{DIRECTORY}/{bare}") });
        };
        Err(Error::new(name.escape_debug(), ErrorKind::BadName { reason }))
    }

    pub(crate) fn path(&self) -> &Path {
        Path::new(&self.path)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path[DIRECTORY.len()..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_bad_shape_are_refused() {
        let long = "x".repeat(251);
        for bad in ["", "/", "a/b", "/a/", "//a", ".", "..", "/..", "a\0b", "a\nb", &long] {
            let error = Name::new(bad).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::BadName { .. }), "{bad:?}: {error}");
        }
        assert!(Name::new(&"x".repeat(250)).is_ok());
        assert!(Name::new("облако").is_ok());
    }
}
