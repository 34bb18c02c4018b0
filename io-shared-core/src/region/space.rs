//! Room for a region: reserved in full before anybody uses it.
//!
//! ftruncate succeeds on a full tmpfs, and the first touch of the missing page is a SIGBUS. So
//! every byte is reserved by fallocate, or by writing zeros where the file system has no fallocate.
//! Limits that the kernel enforces by signals are checked first.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

use nix::errno::Errno;
use nix::fcntl::FallocateFlags;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use super::cause;
use super::location::Location;
use crate::error::{Error, ErrorKind, Result};
use crate::os::file::page_size;

/// How much is reserved at once, in bytes.
const PIECE: u64 = 16 << 20;
/// The smallest piece while signals keep coming, in bytes: some microseconds' worth.
const SMALLEST_PIECE: u64 = 64 << 10;
/// At least this many bytes are compared with the machine's memory first. For fewer, either there
/// is room or nothing works.
const MUCH: u64 = 64 << 20;
/// How far the count of free blocks may lag, in bytes.
const MARGIN: u64 = 16 << 20;

/// Reserves the bytes of `file` from `from` to `size`.
pub(crate) fn allocate(location: &Location, file: &File, from: u64, size: u64) -> Result<()> {
    if size <= from {
        return Ok(());
    }
    let refused = |errno| match errno {
        Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG => {
            let directory = match location {
                Location::Anonymous => "memory".to_owned(),
                Location::Descriptor(_) => "its file system".to_owned(),
                _ => location.directory().display().to_string(),
            };
            location
                .error(ErrorKind::NoSpace { needed: size, directory })
                .advise(cause::space_left(file))
        }
        errno => Error::system(location, "fallocate", errno),
    };
    // If there is no room for all of it, none is taken: not even the blocks reserved for root would
    // be enough.
    let missing = match from {
        0 => size.saturating_sub(file.metadata().map_or(size, |m| m.blocks() * 512)),
        _ => size - from,
    };
    let free = nix::sys::statvfs::fstatvfs(file)
        .map(|s| s.blocks_free().saturating_mul(s.fragment_size()));
    let lacks = |left: u64| left < missing.saturating_sub(MARGIN);
    if free.is_ok_and(|free| free > 0 && lacks(free))
        || (missing >= MUCH && cause::memory_left(file).is_some_and(lacks))
    {
        return Err(refused(Errno::ENOSPC));
    }
    // In pieces: a signal ends the call, and some kernels then undo all of it. Signals may come at
    // any rate, so each one halves the piece.
    let (mut done, mut piece) = (from, PIECE);
    while done < size {
        let (at, length) = (signed(done), signed(piece.min(size - done)));
        match nix::fcntl::fallocate(file, FallocateFlags::empty(), at, length) {
            Ok(()) => done += length as u64,
            Err(Errno::EINTR) => piece = (piece / 2).max(SMALLEST_PIECE),
            // The file system cannot reserve; ext3 is one.
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {
                let end = file.metadata().map_or(0, |metadata| metadata.len());
                return write_zeros(file, from.max(end), size).map_err(|error| {
                    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
                    match errno {
                        Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG => refused(errno),
                        errno => Error::system(location, "pwrite", errno),
                    }
                });
            }
            Err(errno) => return Err(refused(errno)),
        }
    }
    Ok(())
}

/// Makes the file zeros from `end` on, and frees the memory there.
pub(super) fn clear(file: &File, end: u64) -> std::io::Result<()> {
    let size = file.metadata()?.len();
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    if size <= end {
        return Ok(());
    }
    // To the end of the last page, or that would be zeroed and kept.
    let whole = size.next_multiple_of(page_size().into());
    loop {
        match nix::fcntl::fallocate(file, flags, signed(end), signed(whole - end)) {
            Err(Errno::EINTR) => {}
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => return write_zeros(file, end, size),
            cleared => return cleared.map_err(std::io::Error::from),
        }
    }
}

/// Writes zeros from `at` to `size`, on a file system that can reserve nothing.
fn write_zeros(file: &File, mut at: u64, size: u64) -> std::io::Result<()> {
    let zeros = [0; 16 << 10];
    while at < size {
        let piece = zeros.get(..(size - at) as usize).unwrap_or(&zeros);
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Refuses a size above the process's file size limit. There, the kernel would not fail the write
/// or fallocate but send SIGXFSZ.
pub(crate) fn check_file_size_limit(location: &Location, needed: u64) -> Result<()> {
    match getrlimit(Resource::RLIMIT_FSIZE) {
        Ok((limit, _)) if limit != RLIM_INFINITY && limit < needed => {
            Err(location.error(ErrorKind::FileSizeLimit { needed, limit }))
        }
        _ => Ok(()),
    }
}
