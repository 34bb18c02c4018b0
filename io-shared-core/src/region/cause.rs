//! Why the owner or the permissions of a file refuse what a region needs, and what to do about it.
//!
//! [`error::cause`](crate::error::cause) explains failures of the system; this module explains
//! those that depend on the file itself: it looks at the file's owner, mode and users. Nothing here
//! fails: what cannot be found out is left out.

use std::fmt::Write;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;

use crate::error::{Bytes, cause};

/// Why an object that exists may not be opened; `path` is `None` for a descriptor's.
#[cold]
pub(crate) fn of_refused_open(path: Option<&Path>, errno: Errno, writes: bool) -> String {
    let Some(path) = path else {
        return "its sender opened it with fewer rights, or its mode does not allow it: have a \
                descriptor sent that may be read and written"
            .to_owned();
    };
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return "this user may not enter a directory on its path: ask the directory's owner"
            .to_owned();
    };
    let mut said = owned(&found);
    let user = user();
    if errno == Errno::EPERM {
        let _ = write!(said, ": it may be immutable (lsattr, chattr -i), or sealed");
    } else if user == found.uid() && found.mode() & 0o600 == 0o600 || user == 0 {
        let _ = write!(
            said,
            ": its mode allows it, but a security profile (AppArmor, SELinux, a snap's) or the \
             file system does not"
        );
    } else if user == found.uid() {
        let _ = write!(said, ": give yourself permission to read and write it (chmod u+rw)");
    } else {
        let used = match is_used(&found) {
            Some(true) => "a program is using it",
            Some(false) => "nobody seems to be using it",
            None => "whether anybody is using it cannot be seen from here",
        };
        let _ = write!(
            said,
            "; {used}: ask {} to create it with a wider .mode(), or, if it is left over, to \
             remove it (rm)",
            owner(&found)
        );
        if writes && found.mode() & 0o004 != 0 {
            said.push_str("; an .observer() may read it as it is");
        }
    }
    said
}

/// Why this user may not remove the object at `path`.
#[cold]
pub(crate) fn of_refused_removal(path: Option<&Path>) -> String {
    match path.map(std::fs::symlink_metadata) {
        Some(Ok(found)) => format!("{}: ask {} to remove it (rm)", owned(&found), owner(&found)),
        _ => String::new(),
    }
}

/// Why this user may not give the name at `path` to a larger region.
#[cold]
pub(crate) fn of_refused_growth(path: Option<&Path>) -> String {
    match path.map(std::fs::symlink_metadata) {
        Some(Ok(found)) => {
            format!("{}, and only {} may replace it", owned(&found), owner(&found))
        }
        _ => "this process may not replace it".to_owned(),
    }
}

/// Why a new file may not be linked to its name.
#[cold]
pub(crate) fn of_refused_link(errno: Errno) -> String {
    match errno {
        Errno::EACCES => {
            "a security profile (AppArmor, SELinux, a snap's) refuses it: have it allow \
             hard links among the names that this program may use"
                .to_owned()
        }
        errno => cause::of("linkat", errno),
    }
}

/// Why nothing may be created in `directory`. `is_shm`: it is the one of POSIX shared memory.
#[cold]
pub(crate) fn of_refused_creation(directory: &Path, is_shm: bool, errno: Errno) -> String {
    let shown = directory.display();
    match errno {
        Errno::ENOENT if is_shm => {
            "there is no /dev/shm here (a container without shared memory has none): make the \
             directory and mount a tmpfs on it, or use a file"
                .to_owned()
        }
        Errno::ENOENT => format!("make its directory, {shown}, first"),
        Errno::EACCES | Errno::EPERM => match std::fs::metadata(directory) {
            Ok(found) => {
                let owned = owned(&found).replacen("it belongs", "which belongs", 1);
                format!("in {shown}, {owned}: use a directory that this user may write to")
            }
            Err(_) => format!("this user may not enter {shown}"),
        },
        Errno::ENOSPC | Errno::EDQUOT => format!(
            "the file system of {shown} has no room, or no inode, for one more file: free some \
             (df, df -i)"
        ),
        _ => cause::of("create", errno),
    }
}

/// How much room is left on the file system of `file`, or in memory if it lies there.
#[cold]
pub(crate) fn space_left(file: &File) -> String {
    let Ok(status) = nix::sys::statvfs::fstatvfs(file) else { return String::new() };
    // 0 for a memfd, whose file system has no limit.
    let free = status.blocks_available().saturating_mul(status.fragment_size());
    match memory_left(file) {
        Some(left) if free == 0 || left < free => {
            format!("the machine has {} of memory left: ", Bytes(left))
        }
        _ => format!("its file system has {} left: ", Bytes(free)),
    }
}

/// Bytes that can be reserved for `file` before the kernel kills processes to find more, if it lies
/// in memory: a tmpfs may be larger than the machine's memory, and a memfd has no limit at all.
#[cold]
pub(crate) fn memory_left(file: &File) -> Option<u64> {
    let status = nix::sys::statfs::fstatfs(file).ok()?;
    if status.filesystem_type() != nix::sys::statfs::TMPFS_MAGIC {
        return None;
    }
    left_by(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

/// What proc_meminfo(5) says is left, swap included.
fn left_by(meminfo: &str) -> Option<u64> {
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
    };
    field("MemAvailable")?.checked_add(field("SwapFree").unwrap_or(0))
}

/// The user that this process acts as.
fn user() -> u32 {
    // SAFETY: geteuid has no preconditions and always succeeds.
    unsafe { libc::geteuid() }
}

/// Who owns it, and who this process is.
fn owned(found: &Metadata) -> String {
    let user = user();
    let own = if user == found.uid() {
        ", as this process does".to_owned()
    } else {
        format!(", and this process is {}", name_of(user))
    };
    format!("it belongs to {}, mode {:#o}{own}", name_of(found.uid()), found.mode() & 0o7777)
}

fn owner(found: &Metadata) -> String {
    match found.uid() {
        0 => "root".to_owned(),
        user => format!("user {user} (or root)"),
    }
}

fn name_of(user: u32) -> String {
    if user == 0 { "root".to_owned() } else { format!("user {user}") }
}

/// Whether anybody has a claim in it. The kernel's list of locks says so without the right to open
/// the file.
fn is_used(found: &Metadata) -> Option<bool> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // A line for each lock: "1: OFDLCK ADVISORY WRITE -1 00:19:1234 0 EOF".
    let inode = format!(":{}", found.ino());
    let device = nix::sys::stat::minor(found.dev());
    Some(locks.lines().any(|lock| {
        let mut words = lock.split_whitespace();
        let at = words.clone().find(|word| word.ends_with(&inode));
        words.any(|word| word == "OFDLCK")
            && at.is_some_and(|at| {
                let minor = at.split(':').nth(1);
                minor.is_some_and(|minor| u64::from_str_radix(minor, 16) == Ok(device))
            })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::claim::{Claims, Part};
    use crate::os::file::{SHM_DIRECTORY, open_path};

    #[test]
    fn memory_that_is_left_is_what_meminfo_says_with_swap() {
        let meminfo = "MemTotal:  100 kB\nMemAvailable:    30 kB\nSwapFree:  4 kB\n";
        assert_eq!(left_by(meminfo), Some(34 << 10));
        assert_eq!(left_by("MemAvailable: 30 kB\n"), Some(30 << 10));
        assert_eq!(left_by("MemAvailable: many kB\n"), None);
        let elsewhere = File::open("/proc").unwrap();
        let in_memory = File::open("/dev/shm").unwrap();
        assert_eq!(memory_left(&elsewhere), None);
        assert!(memory_left(&in_memory) > Some(0));
    }

    #[test]
    fn a_directory_in_which_nothing_may_be_created_is_named() {
        let said = of_refused_creation(Path::new("/no/such"), false, Errno::ENOENT);
        assert_eq!(said, "make its directory, /no/such, first");
        let said = of_refused_creation(Path::new("/proc"), false, Errno::EACCES);
        assert!(said.starts_with("in /proc, which belongs to root, mode 0o555"), "{said}");
        let said = of_refused_creation(Path::new(SHM_DIRECTORY), true, Errno::ENOENT);
        assert!(said.contains("/dev/shm"), "{said}");
    }

    #[test]
    fn whether_somebody_has_a_claim_is_seen_without_opening_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let found = file.as_file().metadata().unwrap();
        assert_ne!(is_used(&found), Some(true), "nobody has a claim");
        let path = file.path();
        let open = |marked: nix::fcntl::OFlag| {
            let access = nix::fcntl::OFlag::O_RDWR | marked;
            open_path(path, access).map(|file| Some(file.into()))
        };
        let claims = Claims::open(open, |errno| errno).unwrap().unwrap();
        assert!(claims.try_claim(Part::Producer).unwrap());
        assert_ne!(is_used(&found), Some(false), "a list of locks, if there is one, shows it");
    }
}
