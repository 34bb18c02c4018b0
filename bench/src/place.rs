//! Where a run keeps what it needs names for, and what dead runs left.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Result;
use crate::run::Spec;

/// Shared memory, where io-shared has its channels too.
const SHARED_MEMORY: &str = "/dev/shm";
/// Every name of a run begins with that of its directory, and that with this.
const PREFIX: &str = "io-shared-bench-";

/// The directory of a living run, removed with it.
#[derive(Debug)]
pub(crate) struct Home {
    directory: TempDir,
    /// Locked while the run lives, however it ends.
    _alive: File,
}

impl Home {
    /// A new one. What runs left that were killed is removed.
    pub(crate) fn new() -> Result<Self> {
        sweep(Path::new(SHARED_MEMORY))?;
        loop {
            let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(SHARED_MEMORY)?;
            let alive = File::open(directory.path())?;
            alive.lock()?;
            // Else another run swept it away before it was locked.
            if directory.path().exists() {
                return Ok(Self { directory, _alive: alive });
            }
        }
    }

    pub(crate) fn place(&self) -> Place {
        Place::new(self.directory.path())
    }
}

/// Removes what begins with the name of a run that is dead: its directory is not locked, or gone.
fn sweep(shared_memory: &Path) -> io::Result<()> {
    let mut left = Vec::new();
    for entry in fs::read_dir(shared_memory)? {
        let name = entry?.file_name();
        left.extend(name.to_str().filter(|name| name.starts_with(PREFIX)).map(str::to_owned));
    }
    let run = |name: &str| {
        let end = name[PREFIX.len()..].find('-').map_or(name.len(), |end| PREFIX.len() + end);
        name[..end].to_owned()
    };
    for run in left.iter().map(|name| run(name)).collect::<HashSet<_>>() {
        // Held until its files are gone. One that cannot be opened is gone, or another user's.
        let directory = shared_memory.join(&run);
        let alive = File::open(&directory);
        match &alive {
            Ok(alive) if alive.try_lock().is_err() => continue,
            Err(error) if error.kind() != io::ErrorKind::NotFound => continue,
            _ => {}
        }
        for name in left.iter().filter(|name| name.starts_with(&format!("{run}-"))) {
            // Another run may be at it too; what is another user's stays.
            let _ = fs::remove_file(shared_memory.join(name));
        }
        let _ = fs::remove_dir_all(directory);
    }
    Ok(())
}

/// A run's names.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    directory: PathBuf,
}

impl Place {
    pub(crate) fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A name for what lives in a name space of its own, which no other run has.
    pub(crate) fn name_of(&self, what: &str) -> String {
        let run = self.directory.file_name().unwrap_or_default().to_string_lossy();
        format!("{run}-{what}")
    }

    /// The same for one connection.
    pub(crate) fn name(&self, spec: &Spec) -> String {
        self.name_of(&spec.name())
    }

    /// A file of this run.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The file of one connection.
    pub(crate) fn file_of(&self, spec: &Spec) -> PathBuf {
        self.file(&format!("connection-{}", spec.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_run_left_is_swept_and_what_is_of_a_living_one_stays() {
        let shared_memory = tempfile::tempdir().unwrap();
        let path = |name: &str| shared_memory.path().join(name);
        for run in ["io-shared-bench-dead", "io-shared-bench-live"] {
            fs::create_dir(path(run)).unwrap();
            fs::write(path(run).join("page"), "").unwrap();
            fs::write(path(&format!("{run}-channel-16")), "").unwrap();
        }
        fs::write(path("io-shared-bench-gone-channel"), "").unwrap();
        fs::write(path("another"), "").unwrap();
        let alive = File::open(path("io-shared-bench-live")).unwrap();
        alive.lock().unwrap();
        sweep(shared_memory.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(shared_memory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["another", "io-shared-bench-live", "io-shared-bench-live-channel-16"]);
        assert!(path("io-shared-bench-live").join("page").exists());
    }
}
