//! Shared memory of one connection for 5 MiB after ten messages, as the kernel reports it: the size
//! of the mapped files, and how much of them is reserved and resident.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::Bench;
use crate::run::{Spec, Wait};
use crate::{Result, system};

pub(crate) const MEASUREMENT: &str = "memory for 5 MiB";
pub(crate) const SIZE: &str = "shared memory";
pub(crate) const RESERVED: &str = "of it reserved";
pub(crate) const RESIDENT: &str = "resident";

/// Measures once, because this does not change from round to round.
pub(crate) fn once(bench: &mut Bench) -> Result<()> {
    for system in 0..bench.peers.len() {
        let entry = bench.peers[system].entry;
        if ![system::BARE, system::IO_SHARED, system::ICEORYX2].contains(&entry.name) {
            continue; // the others keep messages in the kernel
        }
        let before = mappings()?;
        let spec = Spec::new(format!("memory{system}"), 5 << 20, Wait::Poll);
        let mut out = (entry.outgoing)(&bench.names, &spec)?;
        let mut end = (entry.incoming)(&bench.names, &spec)?;
        for seq in 1..=10 {
            out.send(seq, true)?;
            while !end.try_receive(seq, true)? {}
        }
        let (mut size, mut reserved, mut resident) = (0, 0, 0);
        let mapped = mappings()?;
        for (inode, file) in shared_files()? {
            let Some(bytes) = mapped.get(&inode).filter(|_| !before.contains_key(&inode)) else {
                continue;
            };
            size += file.size();
            reserved += file.blocks() * 512;
            resident += bytes;
        }
        for (what, bytes) in [(SIZE, size), (RESERVED, reserved), (RESIDENT, resident)] {
            let kibibytes = bytes as f64 / 1024.0;
            bench.report.add(MEASUREMENT, what, entry.name, "KiB", kibibytes);
        }
    }
    Ok(())
}

/// The files in shared memory, by inode: a mapping does not show a name that was given after it was
/// mapped.
fn shared_files() -> Result<HashMap<u64, Metadata>> {
    let mut found = HashMap::new();
    let mut directories = vec![PathBuf::from("/dev/shm")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            // The files of other programs come and go.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                directories.push(entry.path());
            } else {
                found.insert(metadata.ino(), metadata);
            }
        }
    }
    Ok(found)
}

/// The inodes of this process's shared mappings, and its share of what is resident of each. A page
/// that is mapped twice counts half in each mapping.
fn mappings() -> Result<HashMap<u64, u64>> {
    let mut found: HashMap<u64, u64> = HashMap::new();
    let mut inode = None;
    for line in fs::read_to_string("/proc/self/smaps")?.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match *words {
            [range, flags, _, _, number, ..] if range.contains('-') => {
                inode = number.parse().ok().filter(|_| flags.ends_with('s'));
            }
            ["Pss:", kibibytes, _] => {
                if let Some(inode) = inode {
                    *found.entry(inode).or_default() += kibibytes.parse::<u64>()? * 1024;
                }
            }
            _ => {}
        }
    }
    Ok(found)
}
