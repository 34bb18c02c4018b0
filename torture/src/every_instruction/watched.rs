//! The bytes of the regions that a victim touches, compared from one boundary to the next.
//!
//! The harness reads them through its own descriptors. It finds them as the victim does: by their
//! name or, where there is none yet, among the victim's descriptors.

use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};

use nix::unistd::Pid;

use crate::machine::{self, SHARED_MEMORY};
use crate::region_file::RegionFile;

#[derive(Debug)]
pub(super) struct Watched {
    regions: Vec<Region>,
    /// The object's name, and the start of any other name that the victim may create.
    name: String,
    /// Bytes that a living peer writes, in order.
    ignored: Vec<Range<usize>>,
}

#[derive(Debug)]
struct Region {
    inode: u64,
    file: File,
    size: usize,
    /// All bytes but those that are ignored.
    bytes: Vec<u8>,
    /// For the next comparison.
    spare: Vec<u8>,
}

impl Watched {
    pub(super) fn new(name: &str, pid: Pid, ignored: Vec<Range<usize>>) -> Self {
        let mut watched = Self { regions: Vec::new(), name: name.to_owned(), ignored };
        if let Ok(file) = File::open(machine::path_of(name)) {
            watched.add(file);
        }
        watched.look_around(pid);
        watched
    }

    /// To be called after a system call: regions may be new, or have another size.
    pub(super) fn look_around(&mut self, pid: Pid) {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
        for descriptor in descriptors.flatten() {
            let path = descriptor.path();
            if std::fs::read_link(&path).is_ok_and(|to| to.starts_with(SHARED_MEMORY))
                && let Ok(file) = File::open(&path)
            {
                self.add(file);
            }
        }
        for region in &mut self.regions {
            let size = region.file.metadata().map_or(0, |metadata| metadata.len());
            region.size = size as usize;
        }
        self.have_changed();
    }

    fn add(&mut self, file: File) {
        let Ok(metadata) = file.metadata() else { return };
        if metadata.is_file() && self.regions.iter().all(|region| region.inode != metadata.ino()) {
            self.regions.push(Region {
                inode: metadata.ino(),
                file,
                size: 0,
                bytes: Vec::new(),
                spare: Vec::new(),
            });
        }
    }

    /// Whether a byte has changed since the last comparison.
    pub(super) fn have_changed(&mut self) -> bool {
        let ignored = &self.ignored;
        let changed = |region: &mut Region| {
            let starts = [0].into_iter().chain(ignored.iter().map(|range| range.end));
            let ends = ignored.iter().map(|range| range.start).chain([region.size]);
            region.spare.clear();
            for (start, end) in starts.zip(ends).map(|(start, end)| (start, end.min(region.size))) {
                let at = region.spare.len();
                region.spare.resize(at + end.saturating_sub(start), 0);
                // Nobody shortens a region, so this cannot fail half-way.
                let _ = region.file.read_exact_at(&mut region.spare[at..], start as u64);
            }
            std::mem::swap(&mut region.bytes, &mut region.spare);
            region.bytes != region.spare
        };
        self.regions.iter_mut().map(changed).fold(false, |any, changed| any | changed)
    }

    /// A hash of the state of all bytes and names.
    pub(super) fn state(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for region in &self.regions {
            region.bytes.hash(&mut hasher);
        }
        machine::objects(&self.name).hash(&mut hasher);
        hasher.finish()
    }

    /// The content of the first region; `None` if there is none, or none yet.
    pub(super) fn region(&self) -> Option<RegionFile> {
        self.regions.first().and_then(|region| RegionFile::of(&region.file).ok())
    }
}
