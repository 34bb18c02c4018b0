//! Shared memory of one connection for 5 MiB, after ten messages, as the kernel tells it: the files
//! that are mapped, what of them is reserved, and what of them is resident.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use super::Bench;
use crate::run::{Spec, Wait};
use crate::{Result, systems};

pub(crate) const MEASUREMENT: &str = "memory for 5 MiB";
pub(crate) const SIZE: &str = "shared memory";
pub(crate) const RESERVED: &str = "of it reserved";
pub(crate) const RESIDENT: &str = "resident";

/// Once: it does not change from round to round.
pub(crate) fn once(bench: &mut Bench) -> Result<()> {
    for system in 0..bench.peers.len() {
        let entry = bench.peers[system].entry;
        if ![systems::BARE, systems::IO_SHARED, systems::ICEORYX2].contains(&entry.name) {
            continue; // the others keep messages in the kernel, while they are on their way
        }
        let before = mappings()?;
        let spec = Spec::new(format!("memory{system}"), 5 << 20, Wait::Poll);
        let mut out = (entry.outgoing)(&bench.place, &spec)?;
        let mut end = (entry.incoming)(&bench.place, &spec)?;
        for seq in 1..=10 {
            out.send(seq, true)?;
            while !end.try_receive(seq, true)? {}
        }
        let (mut size, mut reserved, mut resident) = (0, 0, 0);
        for (path, bytes) in mappings()?.into_iter().filter(|(path, _)| !before.contains_key(path))
        {
            let file = fs::metadata(&path)?;
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

/// The shared files that this process has mapped, and its share of what is resident of each: a page
/// that is mapped twice counts half in each mapping.
fn mappings() -> Result<HashMap<String, u64>> {
    let mut found: HashMap<String, u64> = HashMap::new();
    let mut path = None;
    for line in fs::read_to_string("/proc/self/smaps")?.lines() {
        let mut words = line.split_whitespace();
        let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        if first.contains('-') {
            let name = words.nth(3).filter(|name| name.starts_with('/'));
            path = name.filter(|_| second.ends_with('s')).map(str::to_owned);
        } else if let ("Pss:", Some(path)) = (first, &path) {
            *found.entry(path.clone()).or_default() += second.parse::<u64>()? * 1024;
        }
    }
    Ok(found)
}
