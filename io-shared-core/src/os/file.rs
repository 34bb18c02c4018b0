//! Opening files so that a descriptor is safe to keep, and keeping mappings out of core dumps.
//!
//! [`open_path`] neither follows nor waits for what lies at a path. No descriptor stays below 3, so
//! a program that has closed its standard streams never prints into a region. Descriptors that are
//! kept append, so that a stray write by number lands after the content. Callers are the region and
//! the mmap without a lock.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use memmap2::MmapRaw;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::Mode;

/// Where the kernel keeps POSIX shared-memory objects.
pub(crate) const SHM_DIRECTORY: &str = "/dev/shm";

/// The first descriptor that is not a standard stream's.
pub(crate) const FIRST_KEPT: i32 = 3;

/// The device and inode that `path` leads to.
pub(crate) fn identity_at(path: &Path) -> Option<(u64, u64)> {
    nix::sys::stat::lstat(path).ok().map(|status| (status.st_dev, status.st_ino))
}

/// Opens what lies at `path`, which must exist.
pub(crate) fn open_path(path: &Path, access: OFlag) -> Result<File, Errno> {
    // NOFOLLOW, NONBLOCK: whatever lies there is neither followed nor waited for.
    let flags = access | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    create_path(path, flags, Mode::empty())
}

/// Calls open(2), and keeps no descriptor below 3.
pub(crate) fn create_path(path: &Path, flags: OFlag, mode: Mode) -> Result<File, Errno> {
    above_streams(nix::fcntl::open(path, flags, mode)?).map(File::from)
}

/// A new file in memory, without a name, that can be sealed: memfd_create(2).
pub(crate) fn memory_file() -> Result<File, Errno> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the label is a string that ends in a 0. The system call itself, because glibc has the
    // function only from 2.27 on.
    let made = unsafe { libc::syscall(libc::SYS_memfd_create, c"io-shared".as_ptr(), flags) };
    let number = Errno::result(made)? as RawFd;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows its number.
    above_streams(unsafe { OwnedFd::from_raw_fd(number) }).map(File::from)
}

/// Moves `descriptor` above the numbers of the standard streams. In a program that has closed them,
/// it would otherwise become one of them, and the next print would overwrite a region.
pub(crate) fn above_streams(descriptor: OwnedFd) -> Result<OwnedFd, Errno> {
    if descriptor.as_raw_fd() >= FIRST_KEPT {
        return Ok(descriptor);
    }
    let moved = fcntl(&descriptor, FcntlArg::F_DUPFD_CLOEXEC(FIRST_KEPT))?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

/// Another descriptor of the same open file description, which appends from now on.
pub(crate) fn duplicate_to_append(file: &File) -> Result<File, Errno> {
    let flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    fcntl(file, FcntlArg::F_SETFL(flags | OFlag::O_APPEND))?;
    let copy = fcntl(file, FcntlArg::F_DUPFD_CLOEXEC(FIRST_KEPT))?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows its number.
    Ok(unsafe { File::from_raw_fd(copy) })
}

/// Another open file description of `file`'s object. ENOENT where /proc is not mounted.
pub(crate) fn reopen(file: &impl AsFd, access: OFlag) -> Result<File, Errno> {
    let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    create_path(Path::new(&path), access | OFlag::O_CLOEXEC, Mode::empty())
}

/// The size of a memory page in bytes.
pub(crate) fn page_size() -> u32 {
    // SAFETY: sysconf has no preconditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u32::try_from(size).unwrap_or(4096)
}

/// Leaves what is mapped from `offset` on out of core dumps. The kernel does so by itself for files
/// that have a name, but not for memory without one, nor once the name was removed.
pub(crate) fn leave_out_of_dumps(map: &MmapRaw, offset: u64) {
    let Some(length) = map.len().checked_sub(offset as usize).filter(|length| *length > 0) else {
        return;
    };
    // If this fails, a dump is larger, and nothing else is different.
    let _ = map.advise_range(memmap2::Advice::DontDump, offset as usize, length);
}
