//! The names of a run: its directory, its files and what it calls its channels. What dead runs left
//! behind is removed.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Result;
use crate::run::Spec;

/// Shared memory, where io-shared keeps its channels too.
const SHARED_MEMORY: &str = "/dev/shm";
/// Every name of a run begins with the name of its directory, which begins with this.
const PREFIX: &str = "io-shared-bench-";

/// The directory of a living run. Dropping this removes it.
#[derive(Debug)]
pub(crate) struct Home {
    directory: TempDir,
    /// Locked as long as the process lives, however it ends.
    _alive: File,
}

impl Home {
    /// Makes one, after removing what killed runs left behind.
    pub(crate) fn new() -> Result<Self> {
        sweep(Path::new(SHARED_MEMORY))?;
        loop {
            let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(SHARED_MEMORY)?;
            let alive = File::open(directory.path())?;
            alive.lock()?;
            // Otherwise another run swept it away before it was locked.
            if directory.path().exists() {
                return Ok(Self { directory, _alive: alive });
            }
        }
    }

    pub(crate) fn names(&self) -> Names {
        Names::new(self.directory.path())
    }
}

/// Removes all names of dead runs. A run is dead if its directory is not locked, or gone.
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
        // Held until its files are gone. A directory that cannot be opened is gone or another
        // user's.
        let directory = shared_memory.join(&run);
        let alive = File::open(&directory);
        match &alive {
            Ok(alive) if alive.try_lock().is_err() => continue,
            Err(error) if error.kind() != io::ErrorKind::NotFound => continue,
            _ => {}
        }
        for name in left.iter().filter(|name| name.starts_with(&format!("{run}-"))) {
            // Another run may be sweeping too, and another user's files stay.
            let _ = fs::remove_file(shared_memory.join(name));
        }
        let _ = fs::remove_dir_all(directory);
    }
    Ok(())
}

/// The names of one run.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    directory: PathBuf,
}

impl Names {
    pub(crate) fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A name that no other run has, for what lives outside the directory.
    pub(crate) fn name_of(&self, what: &str) -> String {
        let run = self.directory.file_name().unwrap_or_default().to_string_lossy();
        format!("{run}-{what}")
    }

    /// Such a name for one connection.
    pub(crate) fn name(&self, spec: &Spec) -> String {
        self.name_of(&spec.name())
    }

    /// The path of a file of this run.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The path of one connection's file.
    pub(crate) fn file_of(&self, spec: &Spec) -> PathBuf {
        self.file(&format!("connection-{}", spec.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_run_left_is_swept_and_what_a_living_one_uses_stays() {
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
