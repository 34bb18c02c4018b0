//! Claims that another handle might have, and the descriptors on which handles keep theirs.

use std::fs::File;
use std::os::fd::RawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{self, c_int, c_short};

use crate::TestName;

/// Locks `length` bytes of a channel's claims from `first` on, as another handle's claim does,
/// until the file is dropped.
#[track_caller]
pub fn claim(name: &TestName, first: i64, length: i64) -> File {
    claim_in(&name.path(), first, length)
}

/// As [`claim`], for the channel at `path`.
#[track_caller]
pub fn claim_in(path: &Path, first: i64, length: i64) -> File {
    let file = File::options().read(true).write(true).open(path).expect("the channel exists");
    lock(&file, libc::F_WRLCK, first, length);
    file
}

/// Locks `length` bytes of the claims from `first` on, with `kind` `F_RDLCK` or `F_WRLCK`.
#[track_caller]
pub fn lock(file: &File, kind: c_int, first: i64, length: i64) {
    let lock = libc::flock {
        l_type: kind as c_short,
        l_whence: libc::SEEK_SET as c_short,
        l_start: (1 << 62) + first,
        l_len: length,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_SETLK(&lock)).expect("nobody else has these claims");
}

/// The descriptors of a channel that this process has open. They are found by inode, because the
/// creator's link has no name in it.
pub fn descriptors_of(name: &TestName) -> Vec<RawFd> {
    let Ok(channel) = std::fs::metadata(name.path()) else { return Vec::new() };
    let is_the_channel = |path| {
        std::fs::metadata(path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (channel.dev(), channel.ino()))
    };
    let entries = std::fs::read_dir("/proc/self/fd").expect("/proc is mounted").flatten();
    entries
        .filter(|entry| is_the_channel(entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().parse().expect("it is a number"))
        .collect()
}
