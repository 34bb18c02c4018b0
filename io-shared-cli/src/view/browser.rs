//! `--open`: the page in the user's browser.
//!
//! Each user of a machine can read the words that a program was started with, and the address of
//! the page has the token in it. So the browser is started with the name of a file that this user
//! alone may read, and that leads on to the address. It is removed when the server ends.

use std::fs::{DirBuilder, OpenOptions, remove_dir_all};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::gate::random;

/// The folder of the file.
#[derive(Debug)]
pub(super) struct Browser(PathBuf);

impl Browser {
    /// Opens the page. Where that cannot be done, its address is printed already.
    pub(super) fn open(url: &str) -> Option<Self> {
        let folder = match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
            Some(folder) if folder.is_dir() => folder,
            _ => std::env::temp_dir(),
        };
        let told = |error: io::Error, what: &str| {
            let _ = writeln!(io::stderr(), "{what}: {error}; open the address by hand");
        };
        let written = Self::write(&folder, url);
        let (own, file) =
            written.map_err(|error| told(error, "cannot write a file for the browser")).ok()?;
        let browser = std::env::var_os("BROWSER").unwrap_or_else(|| "xdg-open".into());
        if let Err(error) = Command::new(&browser).arg(file).spawn() {
            told(error, &format!("cannot start {}", browser.to_string_lossy()));
        }
        Some(own)
    }

    /// Writes the file into a new folder below `folder`. Both are this user's alone.
    fn write(folder: &Path, url: &str) -> io::Result<(Self, PathBuf)> {
        let own = Self(folder.join(format!("io-shared-view-{}", random()?)));
        DirBuilder::new().mode(0o700).create(&own.0)?;
        let path = own.0.join("view.html");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        write!(
            file,
            "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"refresh\" content=\"0; url={url}\">\n\
             <a href=\"{url}\">the page</a>\n"
        )?;
        Ok((own, path))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = remove_dir_all(&self.0);
    }
}
