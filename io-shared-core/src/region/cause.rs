//! The likely cause of a failed system call, and what to do about it.
//!
//! An errno says little: `mmap` has EAGAIN for a limit on locked memory, and ENOMEM for three others.
//! So whoever makes the error asks the system which of them it is, and the text says that. Nothing
//! here fails: what cannot be found out is not said.

use std::fmt::Write;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use crate::error::Bytes;
use crate::region::location::Location;

/// What is likely to be behind a call that failed, whatever it was about; empty if that is not known.
#[cold]
pub(crate) fn of(call: &str, errno: Errno) -> String {
    match (call, errno) {
        ("mmap" | "mremap", Errno::EAGAIN) => format!(
            "what this process maps is locked in memory (mlockall), and it may lock no more than \
             {}: raise that (ulimit -l, RLIMIT_MEMLOCK), or map less",
            limit(Resource::RLIMIT_MEMLOCK).map_or("it has".to_owned(), |n| Bytes(n).to_string())
        ),
        ("mmap" | "mremap", Errno::ENOMEM) => no_memory_to_map(),
        ("malloc", Errno::ENOMEM) => {
            "there is no memory for a copy: free some, or read the value where it lies".to_owned()
        }
        (_, Errno::ENOMEM) => "there is no memory left: free some, or raise the limit of the \
             container or service (memory.max, MemoryMax=)"
            .to_owned(),
        (_, Errno::EMFILE) => format!(
            "this process has as many open files as it may ({}): close handles, or raise that \
             (ulimit -n)",
            limit(Resource::RLIMIT_NOFILE).map_or("its limit".to_owned(), |n| n.to_string())
        ),
        (_, Errno::ENFILE) => "the whole machine has as many open files as it may: close some, in \
             any program, or raise that (sysctl fs.file-max)"
            .to_owned(),
        (_, Errno::ENOLCK) => {
            "there are no file locks left here: raise that limit (ulimit -x), or \
             use a local file system"
                .to_owned()
        }
        (_, Errno::EROFS) => {
            "this file system is mounted for reading only: use another place".to_owned()
        }
        (_, Errno::EIO) => "the disk or file system under it failed: look at dmesg".to_owned(),
        (_, Errno::ENOSYS) => {
            "this kernel, or a filter of system calls (seccomp), does not have it".to_owned()
        }
        (_, Errno::ENAMETOOLONG) => "use a shorter path".to_owned(),
        _ => String::new(),
    }
}

/// The limit, if there is one.
fn limit(resource: Resource) -> Option<u64> {
    getrlimit(resource).ok().map(|(now, _)| now).filter(|now| *now != RLIM_INFINITY)
}

/// Which of the limits on mappings it is.
fn no_memory_to_map() -> String {
    if let Some(most) = limit(Resource::RLIMIT_AS) {
        return format!(
            "this process may have no more than {} of address space: raise that (ulimit -v, \
             RLIMIT_AS), or map less",
            Bytes(most)
        );
    }
    let number = |path| std::fs::read_to_string(path).ok()?.trim().parse::<usize>().ok();
    let most = number("/proc/sys/vm/max_map_count");
    let mapped = std::fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count());
    match most {
        Some(most) if mapped + 16 >= most => format!(
            "this process has as many mappings as it may ({most}): close handles, or raise that \
             (sysctl vm.max_map_count)"
        ),
        _ => "there is no memory left, or the machine does not promise more than it has (sysctl \
              vm.overcommit_memory), or the limit on address space or data is reached (ulimit -v, \
              -d): free some, raise the limit, or map less"
            .to_owned(),
    }
}

/// Why something that is there may not be opened.
#[cold]
pub(crate) fn of_refused_open(location: &Location, errno: Errno, writes: bool) -> String {
    let Some(path) = location.path() else {
        return "its sender opened it with fewer rights, or its mode does not allow it: have a \
                descriptor sent that may be read and written"
            .to_owned();
    };
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return "a directory on its path may not be entered: ask the directory's owner".to_owned();
    };
    let mut said = owned(&found);
    let user = user();
    if errno == Errno::EPERM {
        let _ = write!(said, ": it may be immutable (lsattr, chattr -i), or sealed");
    } else if user == found.uid() && found.mode() & 0o600 == 0o600 || user == 0 {
        let _ = write!(
            said,
            ": its mode allows it, so a security profile (AppArmor, SELinux, a snap's) or the file \
             system does not"
        );
    } else if user == found.uid() {
        let _ = write!(said, ": give yourself the right to read and write it (chmod u+rw)");
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

/// Why only others may remove something.
#[cold]
pub(crate) fn of_refused_removal(location: &Location) -> String {
    match location.path().map(std::fs::symlink_metadata) {
        Some(Ok(found)) => format!("{}: ask {} to remove it (rm)", owned(&found), owner(&found)),
        _ => String::new(),
    }
}

/// Why a file that was made does not get its name.
#[cold]
pub(crate) fn of_refused_link(errno: Errno) -> String {
    match errno {
        Errno::EACCES => {
            "a security profile (AppArmor, SELinux, a snap's) refuses it: have it allow \
             hard links among the names that this program may use"
                .to_owned()
        }
        errno => of("linkat", errno),
    }
}

/// Why nothing may be created in a place.
#[cold]
pub(crate) fn of_creation(location: &Location, call: &'static str, errno: Errno) -> String {
    let directory = location.directory();
    let shown = directory.display();
    match (location, errno) {
        (Location::Shm(_), Errno::ENOENT) => {
            "there is no /dev/shm here (a container without shared \
             memory has none): make the directory and mount a tmpfs on it, or use a file"
                .to_owned()
        }
        (Location::File(_), Errno::ENOENT) => format!("make its directory, {shown}, first"),
        (Location::Shm(_) | Location::File(_), Errno::EACCES | Errno::EPERM) => {
            match std::fs::metadata(&directory) {
                Ok(found) => {
                    format!("in {shown}, {}: use a directory that this user may write to", {
                        owned(&found).replacen("it belongs", "which belongs", 1)
                    })
                }
                Err(_) => format!("{shown} may not be entered by this user"),
            }
        }
        (Location::Shm(_) | Location::File(_), Errno::ENOSPC | Errno::EDQUOT) => format!(
            "the file system of {shown} has no room, or no inode, for one more file: free some (df, \
             df -i)"
        ),
        _ => of(call, errno),
    }
}

/// How much room the file system of `file` has left, or the memory in which that lies.
#[cold]
pub(crate) fn room(file: &File) -> String {
    let Ok(status) = nix::sys::statvfs::fstatvfs(file) else { return String::new() };
    // 0 of a memfd, whose file system has no limit.
    let free = status.blocks_available().saturating_mul(status.fragment_size());
    match memory_left(file) {
        Some(left) if free == 0 || left < free => {
            format!("the machine has {} of memory left: ", Bytes(left))
        }
        _ => format!("its file system has {} left: ", Bytes(free)),
    }
}

/// Bytes that can be reserved for `file` before the kernel kills processes to find more, if it lies
/// in memory: a tmpfs may be larger than what the machine has, and a memfd has no limit at all.
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

/// Whom this process acts as.
fn user() -> u32 {
    // SAFETY: geteuid has no preconditions and always succeeds.
    unsafe { libc::geteuid() }
}

/// Whose it is, and who asks.
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

/// Whether anybody has a claim in it, by the kernel's list of locks, which needs no right to open it.
fn is_used(found: &Metadata) -> Option<bool> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // Of each lock: "1: OFDLCK ADVISORY WRITE -1 00:19:1234 0 EOF".
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
    use crate::error::Error;

    #[test]
    fn each_errno_is_told_with_what_to_do() {
        for (call, errno, said) in [
            ("mmap", Errno::EAGAIN, "(ulimit -l, RLIMIT_MEMLOCK)"),
            ("mremap", Errno::EAGAIN, "(ulimit -l, RLIMIT_MEMLOCK)"),
            ("malloc", Errno::ENOMEM, "no memory for a copy"),
            ("fallocate", Errno::ENOMEM, "memory.max"),
            ("open", Errno::EMFILE, "raise that (ulimit -n)"),
            ("create", Errno::ENFILE, "fs.file-max"),
            ("fcntl(F_OFD_SETLK)", Errno::ENOLCK, "no file locks left"),
            ("create", Errno::EROFS, "mounted for reading only"),
        ] {
            let text = Error::system("/x", call, errno).to_string();
            assert!(text.starts_with(&format!("/x: {call}: ")), "{text}");
            assert!(text.contains(said), "{text}");
        }
        assert!(no_memory_to_map().contains("ulimit -v"), "{}", no_memory_to_map());
    }

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
    fn a_place_where_nothing_may_be_created_is_named() {
        let said = of_creation(&Location::file("/no/such/x"), "create", Errno::ENOENT);
        assert_eq!(said, "make its directory, /no/such, first");
        let said = of_creation(&Location::file("/proc/x"), "create", Errno::EACCES);
        assert!(said.starts_with("in /proc, which belongs to root, mode 0o555"), "{said}");
        let name = crate::region::name::Name::new("/x").unwrap();
        let said = of_creation(&Location::from(name), "create", Errno::ENOENT);
        assert!(said.contains("/dev/shm"), "{said}");
    }

    #[test]
    fn whether_somebody_has_a_claim_is_seen_without_opening_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let found = file.as_file().metadata().unwrap();
        if is_used(&found) == Some(true) {
            panic!("nobody has");
        }
        let path = file.path();
        let open = |marked: nix::fcntl::OFlag| {
            let access = nix::fcntl::OFlag::O_RDWR | marked;
            crate::region::location::open_path(path, access).map(|file| Some(file.into()))
        };
        let claims = crate::os::claim::Claims::open(open, |errno| errno).unwrap().unwrap();
        assert!(claims.try_claim(crate::os::claim::Part::Producer).unwrap());
        assert_ne!(is_used(&found), Some(false), "where there is a list of locks, it is in it");
    }
}
