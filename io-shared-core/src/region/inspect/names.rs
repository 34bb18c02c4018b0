//! The names in shared memory, for programs that wait for some to appear.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;

use super::super::domain;
use super::super::name::{Name, is_unfinished};
use crate::error::{Error, Result};
use crate::os::file::SHM_DIRECTORY;

/// How long after a change of the directory another one may bear the same time.
const GRAIN: Duration = Duration::from_millis(100);

/// Lists the names in shared memory again and again, for programs that wait for some to appear or
/// to go. A look costs one system call while no name has come or gone.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # use io_shared_core::inspect;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-names-{}", std::process::id());
/// let mut names = inspect::Names::default();
/// names.look()?;
/// let speed = io_shared::producer::<f64>(name)?;
/// let found = names.look()?.expect("a name has come");
/// assert!(found.contains(name));
/// # io_shared::remove(name)
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Names {
    /// The directory's time of change at the last look. `None` if names may have come or gone since
    /// under the same time.
    seen: Option<(i64, i64)>,
}

impl Names {
    /// The names of this process's domain, in no order, whatever lies under them. `None` if no name
    /// has come or gone since the last look.
    ///
    /// # Errors
    /// - [`System`](crate::ErrorKind::System): the directory cannot be read.
    /// - [`BadName`](crate::ErrorKind::BadName): `IO_SHARED_DOMAIN` is not a domain.
    ///
    /// # Examples
    /// [`Names`] has one.
    pub fn look(&mut self) -> Result<Option<Vec<String>>> {
        domain::own()?;
        // Before the names: what comes meanwhile changes it again.
        let directory = std::fs::metadata(SHM_DIRECTORY).map_err(|error| failed("stat", &error))?;
        let changed = (directory.mtime(), directory.mtime_nsec());
        if self.seen == Some(changed) {
            return Ok(None);
        }
        let since =
            directory.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        let is_settled = since.is_some_and(|since| since > GRAIN);
        let objects =
            std::fs::read_dir(SHM_DIRECTORY).map_err(|error| failed("opendir", &error))?;
        let files = objects.flatten().filter_map(|object| object.file_name().into_string().ok());
        let names =
            files.filter(|file| !is_unfinished(file)).filter_map(|file| Name::of_file(&file));
        let names = names.map(|name| name.to_string()).collect();
        self.seen = is_settled.then_some(changed);
        Ok(Some(names))
    }

    /// Has the next look list the names in any case.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::inspect::Names;
    /// # fn main() -> io_shared_core::Result<()> {
    /// let mut names = Names::default();
    /// names.look()?;
    /// names.forget();
    /// assert!(names.look()?.is_some());
    /// # Ok(()) }
    /// ```
    pub fn forget(&mut self) {
        self.seen = None;
    }
}

fn failed(call: &'static str, error: &std::io::Error) -> Error {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
    Error::system(SHM_DIRECTORY, call, errno)
}
