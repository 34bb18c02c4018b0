//! Names of shared-memory objects, checked and brought into one form.

use std::fmt;
use std::path::Path;

use super::domain;
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

/// The longest name on disk in bytes, without the leading `/`.
const LONGEST: usize = 250;

/// Stands for a `/` inside a name, since the file of a region lies in one directory.
const SLASH: &str = "%";

/// The name of a region in shared memory, with or without a leading `/`.
///
/// `cloud_share` and `/cloud_share` are the same name. The region is the file
/// `/dev/shm/cloud_share`, which other programs find by `shm_open("/cloud_share", ..)`. A name may
/// have several parts: `/camera/rgb/image_raw` is the file `/dev/shm/camera%rgb%image_raw`.
///
/// If the environment variable `IO_SHARED_DOMAIN` is set, all names of the process lie in a
/// namespace of their own. In the domain `test7`, `/cloud_share` is the file
/// `/dev/shm/test7%%cloud_share`. A process reads the variable when it first needs a name.
///
/// # Examples
/// ```
/// use io_shared_core::Name;
/// # fn main() -> io_shared_core::Result<()> {
/// assert_eq!(Name::new("cloud_share")?, Name::new("/cloud_share")?);
/// assert_eq!(Name::new("cloud_share")?.to_string(), "/cloud_share");
/// assert_eq!(Name::new("camera/rgb/image_raw")?.to_string(), "/camera/rgb/image_raw");
/// # Ok(()) }
/// ```
#[doc(alias = "shm_open")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// With the directory: a waiter looks there after each slice, and should not build the path
    /// each time.
    path: String,
    /// As the user gave it, with a leading `/`.
    shown: String,
}

impl Name {
    /// Checks `name`.
    ///
    /// # Errors
    /// [`ErrorKind::BadName`] if the name
    /// - is empty, or has an empty part, or one that is `.` or `..`;
    /// - is longer than 250 bytes, together with its domain;
    /// - contains a NUL, a control character, or a `%`, which stands for `/` on disk;
    /// - starts with `.io-shared.`, or ends in it and 16 hexadecimal digits;
    ///
    /// or if `IO_SHARED_DOMAIN` is not a domain: 1 to 64 bytes without `/`, `%` and control
    /// characters, of which the first is not `.`. Empty, it counts as not set.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::Name;
    /// assert!(Name::new("/cloud_share").is_ok());
    /// let error = Name::new("/lidar//cloud").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "`/lidar//cloud` cannot be a name: it has an empty part; write something like \
    ///      `/lidar/cloud`"
    /// );
    /// ```
    pub fn new(name: &str) -> Result<Self> {
        Self::within(domain::own()?, name)
    }

    /// The name of any POSIX shared-memory object, such as another program's, as it is: in no
    /// domain, and with whatever `%` it has.
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
    /// assert_eq!(Name::posix("psm_42%7").unwrap().to_string(), "/psm_42%7");
    /// assert!(Name::posix("/camera/rgb").is_err()); // as for shm_open
    /// ```
    pub fn posix(name: &str) -> Result<Self> {
        let bare = name.strip_prefix('/').unwrap_or(name);
        if bare.contains('/') {
            return Err(refused(
                name,
                "it has a `/` after the first character, which only the name of a channel or of a \
                 locked region may have",
            ));
        }
        Self::stored(name, bare, bare.to_owned())
    }

    /// The name whose region is the file `file` of the directory, in this process's domain.
    pub(super) fn of_file(file: &str) -> Option<Self> {
        Self::of_file_within(domain::own().ok()?, file)
    }

    fn of_file_within(domain: Option<&str>, file: &str) -> Option<Self> {
        let stored = match domain {
            Some(_) => file.strip_prefix(&domain::stored(domain, String::new()))?,
            None => file,
        };
        // Two in a row: a name of another domain.
        let name = Self::within(domain, &stored.replace(SLASH, "/")).ok()?;
        (name.path().file_name()? == file).then_some(name)
    }

    /// `name` in `domain`.
    fn within(domain: Option<&str>, name: &str) -> Result<Self> {
        let bare = name.strip_prefix('/').unwrap_or(name);
        if bare.contains(SLASH) {
            return Err(refused(name, "it has a `%`, which stands for a `/` on disk"));
        }
        if !bare.is_empty() && bare.split('/').any(str::is_empty) {
            let reason = "it has an empty part; write something like `/lidar/cloud`";
            return Err(refused(name, reason));
        }
        let stored = bare.replace('/', SLASH);
        Self::stored(name, bare, domain::stored(domain, stored))
    }

    /// The name that is `stored` on disk, if it may be.
    fn stored(name: &str, bare: &str, stored: String) -> Result<Self> {
        let reason = if bare.is_empty() {
            "it is empty; write something like `/cloud_share`"
        } else if bare.split('/').any(|part| part == "." || part == "..") {
            "it is a directory, or has a part that would be one"
        } else if stored.len() > LONGEST {
            "it is longer than 250 bytes (its domain, if IO_SHARED_DOMAIN is set, counts)"
        } else if bare.chars().any(char::is_control) {
            "it contains a NUL or a control character; use letters, digits, `-`, `_`, `.` and `/`"
        } else if is_unfinished(&stored) || is_unfinished(bare) {
            "names that start with `.io-shared.`, or end in it and 16 digits, are reserved for \
             regions that are being created"
        } else {
            let path = format!("{SHM_DIRECTORY}/{stored}");
            return Ok(Self { path, shown: format!("/{bare}") });
        };
        Err(refused(name, reason))
    }

    pub(crate) fn path(&self) -> &Path {
        Path::new(&self.path)
    }
}

#[cold]
fn refused(name: &str, reason: &'static str) -> Error {
    Error::new(name.escape_debug(), ErrorKind::BadName { reason })
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(domain: Option<&str>, name: &str) -> String {
        Name::within(domain, name).unwrap().path
    }

    #[test]
    fn names_of_every_bad_shape_are_refused() {
        let long = "x".repeat(251);
        let bad = [
            "", "/", "//", "/a/", "//a", "a//b", ".", "..", "/..", "a/./b", "/a/..", "a%b", "a\0b",
            "a\nb", &long,
        ];
        for bad in bad {
            let error = Name::within(None, bad).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::BadName { .. }), "{bad:?}: {error}");
        }
        for kept in [".io-shared.x", "cloud.io-shared.0123456789abcdef"] {
            for domain in [None, Some("d")] {
                let error = Name::within(domain, kept).unwrap_err().to_string();
                assert!(error.contains("reserved for regions that are being created"), "{error}");
            }
        }
        assert!(Name::within(None, "cloud.io-shared.0123").is_ok());
        assert!(Name::within(None, &"x".repeat(250)).is_ok());
        assert!(Name::within(None, "облако").is_ok());
    }

    #[test]
    fn slashes_inside_a_name_are_stored_as_percent_signs_and_shown_as_they_were_given() {
        for given in ["/camera/rgb/image_raw", "camera/rgb/image_raw"] {
            let name = Name::within(None, given).unwrap();
            assert_eq!(name.path().to_str(), Some("/dev/shm/camera%rgb%image_raw"));
            assert_eq!(name.to_string(), "/camera/rgb/image_raw");
        }
    }

    #[test]
    fn a_domain_goes_before_the_name_on_disk_and_is_not_shown() {
        let name = Name::within(Some("test7"), "/camera/rgb").unwrap();
        assert_eq!(name.path().to_str(), Some("/dev/shm/test7%%camera%rgb"));
        assert_eq!(name.to_string(), "/camera/rgb");
        let others = [path_of(None, "test7/camera/rgb"), path_of(Some("test"), "camera/rgb")];
        assert!(!others.contains(&name.path));
        assert!(Name::within(Some("test7"), &"x".repeat(250)).is_err(), "together too long");
        assert!(Name::within(Some("test7"), &"x".repeat(243)).is_ok());
    }

    #[test]
    fn a_file_has_the_name_that_leads_to_it_in_this_domain_alone() {
        for (domain, file, name) in [
            (None, "camera%rgb", Some("/camera/rgb")),
            (None, "test7%%camera%rgb", None),
            (None, "sem.lock", Some("/sem.lock")),
            (None, "a%", None),
            (Some("test7"), "test7%%camera%rgb", Some("/camera/rgb")),
            (Some("test7"), "camera%rgb", None),
            (Some("test7"), "test%%camera", None),
        ] {
            let found = Name::of_file_within(domain, file).map(|name| name.to_string());
            assert_eq!(found.as_deref(), name, "{domain:?} {file}");
        }
    }

    #[test]
    fn names_of_posix_objects_are_taken_as_they_are() {
        let name = Name::posix("/psm%a%%b").unwrap();
        assert_eq!((name.path.as_str(), name.shown.as_str()), ("/dev/shm/psm%a%%b", "/psm%a%%b"));
        for bad in ["", "/", "a/b", "//a", "..", "a\0b", ".io-shared.x"] {
            let error = Name::posix(bad).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::BadName { .. }), "{bad:?}: {error}");
        }
    }
}
