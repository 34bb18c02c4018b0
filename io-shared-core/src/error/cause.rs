//! The likely cause of a failed system call, and what to do about it.
//!
//! An errno says little: `mmap` returns EAGAIN for a limit on locked memory, and ENOMEM for three
//! other limits. So the code that makes an error asks the system which of them was reached, and the
//! text names it. Nothing here fails: what cannot be found out is left out.

use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use crate::message::shape::Bytes;

/// The likely cause of a failed call, whatever object it was on; empty if it is not known.
#[cold]
pub(crate) fn of(call: &str, errno: Errno) -> String {
    match (call, errno) {
        ("mmap" | "mremap", Errno::EAGAIN) => format!(
            "this process locks what it maps in memory (mlockall), and may lock no more than {}: \
             raise that limit (ulimit -l, RLIMIT_MEMLOCK), or map less",
            limit(Resource::RLIMIT_MEMLOCK).map_or("it has".to_owned(), |n| Bytes(n).to_string())
        ),
        ("mmap" | "mremap", Errno::ENOMEM) => no_memory_to_map(),
        ("malloc", Errno::ENOMEM) => {
            "there is no memory for a copy: free some, or read the value in place".to_owned()
        }
        (_, Errno::ENOMEM) => "there is no memory left: free some, or raise the limit of the \
             container or service (memory.max, MemoryMax=)"
            .to_owned(),
        (_, Errno::EMFILE) => format!(
            "this process has as many open files as it may have ({}): close handles, or raise that \
             limit (ulimit -n)",
            limit(Resource::RLIMIT_NOFILE).map_or("its limit".to_owned(), |n| n.to_string())
        ),
        (_, Errno::ENFILE) => {
            "the whole machine has as many open files as it may have: close some \
             in any program, or raise that limit (sysctl fs.file-max)"
                .to_owned()
        }
        (_, Errno::ENOLCK) => {
            "there are no file locks left here: raise that limit (ulimit -x), or use a local file \
             system"
                .to_owned()
        }
        (_, Errno::EROFS) => {
            "this file system is mounted read-only: use another location".to_owned()
        }
        (_, Errno::EIO) => "the disk or file system under it failed: look at dmesg".to_owned(),
        (_, Errno::ENOSYS) => {
            "this kernel does not have the call, or a filter of system calls (seccomp) refuses it"
                .to_owned()
        }
        (_, Errno::ENAMETOOLONG) => "use a shorter path".to_owned(),
        _ => String::new(),
    }
}

/// The limit, if there is one.
fn limit(resource: Resource) -> Option<u64> {
    getrlimit(resource).ok().map(|(now, _)| now).filter(|now| *now != RLIM_INFINITY)
}

/// Which of the limits on mappings was reached.
fn no_memory_to_map() -> String {
    if let Some(most) = limit(Resource::RLIMIT_AS) {
        return format!(
            "this process may have no more than {} of address space: raise that limit (ulimit -v, \
             RLIMIT_AS), or map less",
            Bytes(most)
        );
    }
    let number = |path| std::fs::read_to_string(path).ok()?.trim().parse::<usize>().ok();
    let most = number("/proc/sys/vm/max_map_count");
    let mapped = std::fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count());
    match most {
        Some(most) if mapped + 16 >= most => format!(
            "this process has as many mappings as it may have ({most}): close handles, or raise \
             that limit (sysctl vm.max_map_count)"
        ),
        _ => "there is no memory left, or the machine does not promise more than it has (sysctl \
              vm.overcommit_memory), or the limit on address space or data is reached (ulimit -v, \
              -d): free some, raise the limit, or map less"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_errno_is_told_with_what_to_do() {
        for (call, errno, said) in [
            ("mmap", Errno::EAGAIN, "(ulimit -l, RLIMIT_MEMLOCK)"),
            ("mremap", Errno::EAGAIN, "(ulimit -l, RLIMIT_MEMLOCK)"),
            ("malloc", Errno::ENOMEM, "no memory for a copy"),
            ("fallocate", Errno::ENOMEM, "memory.max"),
            ("open", Errno::EMFILE, "raise that limit (ulimit -n)"),
            ("create", Errno::ENFILE, "fs.file-max"),
            ("fcntl(F_OFD_SETLK)", Errno::ENOLCK, "no file locks left"),
            ("create", Errno::EROFS, "mounted read-only"),
        ] {
            let text = of(call, errno);
            assert!(text.contains(said), "{text}");
        }
        assert!(no_memory_to_map().contains("ulimit -v"), "{}", no_memory_to_map());
    }
}
