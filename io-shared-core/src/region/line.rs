//! The regions of one channel that lie under hidden names next to the one that has its name.
//!
//! A channel that grows leaves regions behind. One that has to be found again keeps a hidden name:
//! that of an ephemeral channel, as its users are users of the channel, and one in which somebody
//! asks for a history (`exchange.rs`). A producer that was killed as it grew its channel leaves a
//! larger region under such a name, which nobody uses.
//!
//! All of them have the channel's [`line`](Region::line) in their prelude. [`Line::look`] says who
//! uses them, and removes those that nobody does. Callers are those that would take the channel's
//! name away, or end its history, because nobody is there; and producers that grow.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use zerocopy::FromBytes;

use super::layout::{self, Kind, Prelude};
use super::location::Location;
use super::mapped::Region;
use super::name::is_unfinished;
use crate::os::claim::{Claims, Part};
use crate::os::file::{identity_at, open_path};

/// One channel's regions.
pub(super) struct Line {
    directory: PathBuf,
    line: u64,
    /// Who owns the region that has the name. Files of others do not count.
    owner: u32,
}

/// Who uses the regions under hidden names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// Whether somebody has a role in one of them.
    pub(super) has_users: bool,
    /// Whether somebody asks for a history in one of them.
    pub(super) has_askers: bool,
}

impl Line {
    /// The line of the region in `file`, which lies at `location`. `None`: it has no name, or is no
    /// channel's.
    pub(super) fn of(location: &Location, prelude: &Prelude, file: &File) -> Option<Self> {
        let is_channel = location.path().is_some() && prelude.kind == Kind::Channel as u32;
        let owner = file.metadata().ok().filter(|_| is_channel)?.uid();
        Some(Self { directory: location.directory(), line: prelude.line, owner })
    }

    /// Looks who uses its regions under hidden names, and removes those that nobody uses. The
    /// caller's own claims count as uses, unless it has given them up.
    pub(super) fn look(&self) -> Uses {
        let mut uses = Uses::default();
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) => return unseen(Errno::from_raw(error.raw_os_error().unwrap_or(0))),
        };
        for entry in entries.flatten().filter(|e| is_unfinished(&e.file_name().to_string_lossy())) {
            let found = self.look_at(&entry.path()).unwrap_or_else(unseen);
            uses.has_users |= found.has_users;
            uses.has_askers |= found.has_askers;
        }
        uses
    }

    /// No uses, if it is not one of these regions.
    fn look_at(&self, path: &Path) -> Result<Uses, Errno> {
        let file = open_path(path, OFlag::O_RDONLY)?;
        let Some(identity) = self.identity_of(&file) else { return Ok(Uses::default()) };
        let open = |access| open_path(path, access).map(|file| Some(OwnedFd::from(file)));
        let claims = Claims::open(open, |errno| errno)?.filter(|claims| claims.is_of(identity));
        let Some(claims) = claims else { return Ok(Uses::default()) };
        let has_users = !claims.try_claim(Part::Roles)?;
        let has_askers = claims.is_taken(Part::History)?;
        // Nobody takes a role in it meanwhile: this handle has them all.
        if !has_users && !has_askers && identity_at(path) == Some(identity) {
            let _ = std::fs::remove_file(path);
        }
        Ok(Uses { has_users, has_askers })
    }

    /// Device and inode, if the file is a region of this line.
    fn identity_of(&self, file: &File) -> Option<(u64, u64)> {
        let metadata = file.metadata().ok().filter(|m| m.is_file() && m.uid() == self.owner)?;
        let mut bytes = [0; size_of::<Prelude>()];
        file.read_exact_at(&mut bytes, 0).ok()?;
        let prelude = Prelude::read_from_bytes(&bytes).ok()?;
        let is_ours = prelude.magic == layout::MAGIC && prelude.version == layout::VERSION;
        (is_ours && prelude.line == self.line).then(|| (metadata.dev(), metadata.ino()))
    }
}

/// What is supposed of a file or a directory that cannot be opened: that it is none of these, if
/// this process may not open it, as it may each region of its channel; else, that it is used.
fn unseen(errno: Errno) -> Uses {
    let is_none = matches!(
        errno,
        Errno::ENOENT | Errno::EACCES | Errno::EPERM | Errno::ENOTDIR | Errno::ELOOP | Errno::ENXIO
    );
    Uses { has_users: !is_none, has_askers: !is_none }
}

impl Region {
    /// Who uses the channel's regions under hidden names. Removes those that nobody uses.
    pub(super) fn look_at_line(&self) -> Uses {
        self.own_line().map_or_else(Uses::default, |line| line.look())
    }

    fn own_line(&self) -> Option<Line> {
        let is_channel = self.location.path().is_some() && self.layout.kind == Kind::Channel;
        let claims = self.claims.as_ref().filter(|_| is_channel)?;
        let owner = nix::sys::stat::fstat(claims.as_fd()?).ok()?.st_uid;
        Some(Line { directory: self.location.directory(), line: self.line, owner })
    }
}
