//! The files of the project, for the tests that hold its style and its docs.

use std::path::{Path, PathBuf};

/// The folder of the project.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the project, sorted; not what is built, nor what belongs to version control.
pub(crate) fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(root(), &mut files);
    files.sort();
    files
}

/// Those of them whose names have one of these extensions.
pub(crate) fn files_with(extensions: &[&str]) -> Vec<PathBuf> {
    let has = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| extensions.contains(&extension))
    };
    files().into_iter().filter(has).collect()
}

/// A path as the docs write it: from the folder of the project.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let is_hidden = name.starts_with('.') && ![".ci", ".github"].contains(&&*name);
        if is_hidden || ["target", "corpus", "__pycache__"].contains(&&*name) {
            continue;
        }
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}
