//! What the kernel says about processes and shared memory.

use std::path::{Path, PathBuf};

use crate::role::Role;

/// Where the kernel keeps shared-memory objects.
pub const SHARED_MEMORY: &str = "/dev/shm";

/// The names of shared-memory objects that start with `prefix`, sorted.
pub fn objects(prefix: &str) -> Vec<String> {
    let entries = std::fs::read_dir(SHARED_MEMORY).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    names
}

/// The path of the object under a channel's name.
pub fn path_of(name: &str) -> PathBuf {
    Path::new(SHARED_MEMORY).join(name.trim_start_matches('/'))
}

/// Removes the objects that start with `prefix`, whatever they are.
pub fn sweep(prefix: &str) {
    for name in objects(prefix) {
        let _ = std::fs::remove_file(path_of(&name));
    }
}

/// Removes the larger regions under hidden names whose producers were killed before the rename.
pub fn sweep_hidden() {
    for name in objects(".io-shared.") {
        let path = path_of(&name);
        let opened = std::fs::File::options().read(true).write(true).open(&path);
        if opened.is_ok_and(|file| crate::region_file::is_unused(&file).unwrap_or(false)) {
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// Removes what dead harnesses have left: objects named `{family}{pid}-...`.
pub fn sweep_dead(family: &str) {
    for name in objects(family) {
        let rest = name.strip_prefix(family).unwrap_or_default();
        let pid: String = rest.chars().take_while(char::is_ascii_digit).collect();
        if !pid.is_empty() && !Path::new("/proc").join(&pid).exists() {
            let _ = std::fs::remove_file(path_of(&name));
        }
    }
}

/// Numbers of descriptors and mappings of a process, which should not grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Open descriptors.
    pub descriptors: usize,
    /// Mappings of shared memory.
    pub maps: usize,
}

/// Each consumer of a campaign may have to add the buffers of a slot, once for each hold.
const MOST_ADDED: usize = 4 * (Role::CONSUMERS.len() + 1);

impl Footprint {
    /// The footprint of process `pid`; `None` if it is gone.
    pub fn of(pid: u32) -> Option<Self> {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
        let maps = maps.lines().filter(|line| line.contains(SHARED_MEMORY)).count();
        Some(Self { descriptors, maps })
    }

    /// Whether the two differ by no more than the mappings of buffers that joiners have added.
    pub(crate) fn is_like(self, other: Self) -> bool {
        self.descriptors == other.descriptors && self.maps.abs_diff(other.maps) <= MOST_ADDED
    }
}

/// How long a thread was ready to run and did not, in nanoseconds since it began.
///
/// A busy machine delays a sleeper that was woken in time. Without this number, that would look
/// like a wake-up that never came.
#[derive(Debug)]
pub struct RunDelay(Option<std::fs::File>);

impl RunDelay {
    /// Of the calling thread.
    pub fn of_this_thread() -> Self {
        Self(std::fs::File::open("/proc/thread-self/schedstat").ok())
    }

    /// Of the first thread of process `pid`.
    pub fn of_process(pid: u32) -> Self {
        Self(std::fs::File::open(format!("/proc/{pid}/schedstat")).ok())
    }

    /// The delay so far; 0 where the kernel does not say.
    pub fn so_far(&self) -> u64 {
        use std::os::unix::fs::FileExt;
        let mut text = [0; 96];
        let read = self.0.as_ref().and_then(|file| file.read_at(&mut text, 0).ok()).unwrap_or(0);
        delay_in(std::str::from_utf8(text.get(..read).unwrap_or_default()).unwrap_or_default())
    }
}

/// How much time the host has taken from all processors of this machine, in nanoseconds: what
/// proc_stat(5) calls steal, in hundredths of a second.
pub fn stolen() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let steal = stat.split_whitespace().nth(8).and_then(|ticks| ticks.parse::<u64>().ok());
    steal.unwrap_or(0) * 10_000_000
}

/// The run delay of the first thread of process `pid`; 0 if it is gone.
pub fn run_delay_of(pid: u32) -> u64 {
    delay_in(&std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default())
}

fn delay_in(schedstat: &str) -> u64 {
    schedstat.split_whitespace().nth(1).and_then(|delay| delay.parse().ok()).unwrap_or(0)
}
