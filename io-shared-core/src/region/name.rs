//! Names of shared-memory objects, checked and in one form.

use std::fmt;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// Where the kernel keeps POSIX shared-memory objects.
pub(crate) const DIRECTORY: &str = "/dev/shm";

/// Hidden names of objects that are still being made, where the kernel cannot make nameless ones.
pub(crate) const UNFINISHED: &str = ".io-shared.";

/// Whether an object of that name is still being made: its name is hidden or, where a security profile
/// refuses hidden names, that which it will have, with a number after it.
pub(crate) fn is_unfinished(name: &str) -> bool {
    let is_number =
        |number: &str| number.len() == 16 && number.bytes().all(|digit| digit.is_ascii_hexdigit());
    name.starts_with(UNFINISHED)
        || name.rsplit_once(UNFINISHED).is_some_and(|(_, number)| is_number(number))
}

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
    /// `.io-shared.` or ends in it and 16 hexadecimal digits, or holds a NUL, a control character or a `/` after the first character.
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
        } else if is_unfinished(bare) {
            "names that start with `.io-shared.`, or end in it and 16 digits, are kept for regions \
             being created"
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
        for kept in [".io-shared.x", "cloud.io-shared.0123456789abcdef"] {
            let error = Name::new(kept).unwrap_err().to_string();
            assert!(error.contains("kept for regions being created"), "{error}");
        }
        assert!(Name::new("cloud.io-shared.0123").is_ok());
        assert!(Name::new(&"x".repeat(250)).is_ok());
        assert!(Name::new("облако").is_ok());
    }
}
