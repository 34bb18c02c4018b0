//! Which processes have a role, as the kernel knows it.
//!
//! A lock of an open file description names no process. But /proc/PID/fdinfo/FD lists the locks of
//! the description that a descriptor leads to, so a process that has such a descriptor holds them.
//! This also finds channels in files and in memory without a name, which no directory lists.

use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::super::name::Name;
use crate::os::claim::{Part, part_of_lock};
use crate::os::file::{SHM_DIRECTORY, identity_at};

/// A process that has a role in a region, proven by its claim.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # use io_shared_core::inspect;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-holding-{}", std::process::id());
/// let speed = io_shared::producer::<f64>(name)?;
/// let found = inspect::claimants();
/// let holder = found.iter().find(|holder| &holder.name == name).expect("it is this process");
/// assert_eq!((holder.pid, holder.slot), (std::process::id(), None));
/// # io_shared::remove(name)
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Claimant {
    /// The region: its name, as programs open it; the path of a file; or `memfd:` and the label of
    /// memory without a name.
    pub name: String,
    /// Whether the name does not lead there any more: the region was removed or replaced.
    pub is_removed: bool,
    /// The slot of a consumer or of a lock's handle; `None` for a producer.
    pub slot: Option<usize>,
    /// The process's number.
    pub pid: u32,
    /// The program's name.
    pub command: Option<String>,
    /// Device and inode of the region.
    pub identity: (u64, u64),
}

/// All processes that have a role in any region, in the order of the regions' names: of those that
/// this process may look into, which are the user's own, or all for root. Empty without /proc.
///
/// # Examples
/// [`Claimant`] has one.
pub fn claimants() -> Vec<Claimant> {
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = process.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(pid) = pid else { continue };
        let descriptors = std::fs::read_dir(process.path().join("fdinfo"));
        let command = std::fs::read_to_string(process.path().join("comm")).ok();
        let command = command.map(|command| command.trim_end().to_owned());
        for descriptor in descriptors.into_iter().flatten().flatten() {
            let info = std::fs::read_to_string(descriptor.path()).unwrap_or_default();
            let slots = info.lines().filter_map(slot_of);
            let slots: Vec<Option<usize>> = slots.collect();
            if slots.is_empty() {
                continue;
            }
            let link = process.path().join("fd").join(descriptor.file_name());
            // Gone by now, or not to be looked into.
            let Some((name, is_removed, identity)) = region_at(&link) else { continue };
            found.extend(slots.into_iter().map(|slot| Claimant {
                name: name.clone(),
                is_removed,
                slot,
                pid,
                command: command.clone(),
                identity,
            }));
        }
    }
    share_names(&mut found);
    found.sort();
    found.dedup();
    found
}

/// The role of which a line of fdinfo says that it is held; the inner `None` for the producer's.
fn slot_of(line: &str) -> Option<Option<usize>> {
    let mut words = line.strip_prefix("lock:")?.split_ascii_whitespace();
    // `1: OFDLCK ADVISORY WRITE -1 00:1a:42 START END`
    let [Some("OFDLCK"), Some(_), Some("WRITE")] = [words.nth(1), words.next(), words.next()]
    else {
        return None;
    };
    let start: i64 = words.nth(2)?.parse().ok()?;
    let end: i64 = words.next()?.parse().ok()?;
    match part_of_lock(start, end.checked_sub(start)?.checked_add(1)?) {
        Part::Producer => Some(None),
        Part::Consumer(slot) => Some(Some(slot)),
        _ => None,
    }
}

/// The region that a descriptor leads to: its name, whether that was taken away, and its identity.
fn region_at(link: &Path) -> Option<(String, bool, (u64, u64))> {
    let metadata = std::fs::metadata(link).ok()?;
    let identity = (metadata.dev(), metadata.ino());
    let target = std::fs::read_link(link).ok()?;
    let text = target.display().to_string();
    if let Some(label) = text.strip_prefix("/memfd:") {
        let label = label.strip_suffix(" (deleted)").unwrap_or(label);
        return Some((format!("memfd:{label}"), false, identity));
    }
    if identity_at(&target) == Some(identity) {
        return Some((named(&target), false, identity));
    }
    let path = PathBuf::from(text.strip_suffix(" (deleted)").unwrap_or(&text));
    // Of a file that got its name after its creation, the kernel tells its creator none.
    let found = (metadata.nlink() > 0).then(|| in_folder(path.parent()?, identity)).flatten();
    Some((named(found.as_ref().unwrap_or(&path)), found.is_none(), identity))
}

/// The file of that identity in a folder.
fn in_folder(folder: &Path, identity: (u64, u64)) -> Option<PathBuf> {
    let mut entries = std::fs::read_dir(folder).ok()?.flatten();
    let is_it = |path: &PathBuf| identity_at(path) == Some(identity);
    entries.find_map(|entry| (entry.ino() == identity.1).then(|| entry.path()).filter(is_it))
}

/// Gives those of a region that was removed before its creator had a name for it the name by which
/// others know it.
fn share_names(found: &mut [Claimant]) {
    let is_nameless = |claimant: &Claimant| claimant.is_removed && claimant.name.contains("/#");
    let named: Vec<_> = found.iter().filter(|other| !is_nameless(other)).cloned().collect();
    for claimant in found.iter_mut().filter(|claimant| is_nameless(claimant)) {
        if let Some(other) = named.iter().find(|other| other.identity == claimant.identity) {
            claimant.name.clone_from(&other.name);
        }
    }
}

/// The name of the region at `path`, as programs open it; else the path.
fn named(path: &Path) -> String {
    let file = path.strip_prefix(SHM_DIRECTORY).ok().and_then(|file| file.to_str());
    match file.and_then(Name::of_file) {
        Some(name) => name.to_string(),
        None => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::slot_of;

    #[test]
    fn a_lock_of_fdinfo_is_a_role_if_it_lies_where_roles_do() {
        const PRODUCER: &str = "4611686018427387905";
        const SLOT_3: &str = "4611686018427388163";
        for (lock, from, to, slot) in [
            ("OFDLCK ADVISORY  WRITE -1", PRODUCER, PRODUCER, Some(None)),
            ("OFDLCK ADVISORY  WRITE -1", SLOT_3, SLOT_3, Some(Some(3))),
            // All roles at once, another kind of lock, a shared one, and no end.
            ("OFDLCK ADVISORY  WRITE -1", PRODUCER, "4611686018427453439", None),
            ("POSIX  ADVISORY  WRITE 7", PRODUCER, PRODUCER, None),
            ("OFDLCK ADVISORY  READ -1", PRODUCER, PRODUCER, None),
            ("OFDLCK ADVISORY  WRITE -1", "0", "EOF", None),
            ("OFDLCK ADVISORY  WRITE -1", "-9223372036854775808", "9223372036854775807", None),
        ] {
            let line = format!("lock:\t1: {lock} 00:1a:42 {from} {to}");
            assert_eq!(slot_of(&line), slot, "{line}");
        }
        for line in ["pos:\t0", "lock:"] {
            assert_eq!(slot_of(line), None, "{line}");
        }
    }
}
