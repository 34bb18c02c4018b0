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

/// Those of them that have one of these extensions.
pub(crate) fn files_with(extensions: &[&str]) -> Vec<PathBuf> {
    let has = |path: &PathBuf| extensions.contains(&extension_of(path).as_str());
    files().into_iter().filter(has).collect()
}

/// A file's extension. A script without one has that of the interpreter in its first line: `py` or
/// `sh`.
pub(crate) fn extension_of(path: &Path) -> String {
    if let Some(extension) = path.extension() {
        return extension.to_string_lossy().into_owned();
    }
    let text = std::fs::read(path).unwrap_or_default();
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match String::from_utf8_lossy(first).strip_prefix("#!") {
        Some(interpreter) if interpreter.contains("python") => "py".to_owned(),
        Some(interpreter) if interpreter.ends_with("sh") => "sh".to_owned(),
        _ => String::new(),
    }
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
