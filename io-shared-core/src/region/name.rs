//! Names of shared-memory objects, checked and brought into one form.

use std::fmt;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::os::file::SHM_DIRECTORY;

/// The start of the hidden names of objects that are still being created, where the kernel cannot
/// make nameless ones.
pub(crate) const UNFINISHED: &str = ".io-shared.";

/// Whether an object of that name is still being created. Its name is hidden or, where a security
/// profile refuses hidden names, starts with its final name and ends in a number.
pub(crate) fn is_unfinished(name: &str) -> bool {
    let is_number =
        |number: &str| number.len() == 16 && number.bytes().all(|digit| digit.is_ascii_hexdigit());
    name.starts_with(UNFINISHED)
        || name.rsplit_once(UNFINISHED).is_some_and(|(_, number)| is_number(number))
}

/// The longest name in bytes, without the leading `/`.
const LONGEST: usize = 250;

/// The name of a region in shared memory, with or without a leading `/`.
///
/// `cloud_share` and `/cloud_share` are the same name. It is also the name that `shm_open(3)`
/// takes, and the file `/dev/shm/cloud_share`.
///
/// # Examples
/// ```
/// use io_shared_core::Name;
/// # fn main() -> io_shared_core::Result<()> {
/// assert_eq!(Name::new("cloud_share")?, Name::new("/cloud_share")?);
/// assert_eq!(Name::new("cloud_share")?.to_string(), "/cloud_share");
/// # Ok(()) }
/// ```
#[doc(alias = "shm_open")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// With the directory: a waiter looks there after each slice, and should not build the path
    /// each time.
    path: String,
}

impl Name {
    /// Checks `name`.
    ///
    /// # Errors
    /// [`ErrorKind::BadName`] if the name
    /// - is empty, `.` or `..`, or longer than 250 bytes;
    /// - contains a NUL, a control character, or a `/` after the first character;
    /// - starts with `.io-shared.`, or ends in it and 16 hexadecimal digits.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::Name;
    /// assert!(Name::new("/cloud_share").is_ok());
    /// let error = Name::new("..").unwrap_err();
    /// assert_eq!(error.to_string(), "`..` cannot be a name: it is a directory");
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
            "it contains a NUL or a control character; use letters, digits, `-`, `_` and `.`"
        } else if is_unfinished(bare) {
            "names that start with `.io-shared.`, or end in it and 16 digits, are reserved for \
             regions that are being created"
        } else {
            return Ok(Self { path: format!("{SHM_DIRECTORY}/{bare}") });
        };
        Err(Error::new(name.escape_debug(), ErrorKind::BadName { reason }))
    }

    pub(crate) fn path(&self) -> &Path {
        Path::new(&self.path)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path[SHM_DIRECTORY.len()..])
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
            assert!(error.contains("reserved for regions that are being created"), "{error}");
        }
        assert!(Name::new("cloud.io-shared.0123").is_ok());
        assert!(Name::new(&"x".repeat(250)).is_ok());
        assert!(Name::new("облако").is_ok());
    }
}
