//! An object found at a location: a region of ours or not, and removed if nobody uses it.
//!
//! Opening looks at the header alone. [`validate`](super::validate) then compares a candidate with
//! what a program wants, and [`attach`](super::attach()) maps it.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::AtomicU8;

use memmap2::{MmapOptions, MmapRaw};
use nix::fcntl::OFlag;
use zerocopy::FromBytes;

use super::blocks;
use super::layout::{self, EPHEMERAL, Kind, Layout, Prelude};
use super::line::{Line, Uses};
use super::link_protocol::{Removed, Users};
use super::location::Location;
use super::removal::{Removal, RemoverWords};
use crate::error::{Bytes, Error, ErrorKind, Holder, Result};
use crate::message::schema::Schema;
use crate::os::claim::{Claims, PATIENCE, Part};
use crate::os::{clock, nap};

/// An object found at a location: ours by its magic, neither validated nor claimed yet.
pub(super) struct Candidate {
    pub(super) location: Location,
    pub(super) identity: (u64, u64),
    pub(super) size: u64,
    /// `None` for an observer, which may have read permission only.
    pub(super) claims: Option<Claims>,
    /// The file to read and map, for reading and writing unless an observer opened it.
    pub(super) file: File,
    pub(super) prelude: Prelude,
    /// How many buffers it has, or more by now. 1 for a lock.
    pub(super) pool: u64,
    /// Whether its messages have all fields of this program's, and more: known once it is
    /// validated.
    pub(super) has_more_fields: bool,
}

/// Opening.
impl Candidate {
    /// Opens the object at `location` and creates nothing (`fs.protected_regular` would refuse
    /// O_CREAT on another user's object even to root). With O_RDONLY the candidate can be read but
    /// not claimed.
    pub(super) fn open(location: &Location, access: OFlag) -> Result<Option<Self>> {
        loop {
            let Some(file) = open_file(location, access)? else { return Ok(None) };
            let Some(found) = Self::read(location, file, access)? else { continue };
            if found.is_claimed() || found.has_prelude() && found.is_of_ours() {
                return Ok(Some(found));
            }
            if !found.is_left_of_a_power_cut() {
                return Err(location.foreign(match found.has_prelude() {
                    true => "an object that does not start with `ioshared`".to_owned(),
                    false => format!("an object of {}, shorter than a header", Bytes(found.size)),
                }));
            }
            if found.claims.is_none() {
                return Ok(None); // an observer removes nothing
            }
            if !found.retire_unused()? {
                return Err(location.foreign("a file of zeros that somebody uses"));
            }
            let bytes = found.size;
            tracing::warn!(region = %location, bytes, "removed zeros that a power cut left");
        }
    }

    /// Reads the header of `file`. `None`: the object was replaced meanwhile.
    fn read(location: &Location, file: File, access: OFlag) -> Result<Option<Self>> {
        let metadata = file.metadata().map_err(|e| location.io_error("fstat", &e))?;
        let identity = (metadata.dev(), metadata.ino());
        let claims = match access == OFlag::O_RDONLY {
            true => None,
            false => match open_claims(location, identity)? {
                Some(claims) => Some(claims),
                None => return Ok(None),
            },
        };
        let mut bytes = [0; size_of::<Prelude>()];
        let size = metadata.len();
        let there = size.min(bytes.len() as u64) as usize;
        file.read_exact_at(bytes.get_mut(..there).unwrap_or_default(), 0)
            .map_err(|error| location.io_error("pread", &error))?;
        let prelude = Prelude::read_from_bytes(&bytes)
            .map_err(|_| location.foreign("an object without our header"))?;
        let location = location.clone();
        let (pool, has_more_fields) = (1, false);
        Ok(Some(Self { location, identity, size, claims, file, prelude, pool, has_more_fields }))
    }
}

/// Opens the file at `location`, whose content is then the one that is mapped.
fn open_file(location: &Location, access: OFlag) -> Result<Option<File>> {
    let Some(file) = location.open(access)? else { return Ok(None) };
    // An observer that may write has the file copied up before it maps it; one that may not will
    // notice when somebody else does.
    if access == OFlag::O_RDONLY
        && location.is_overlay(&file)
        && location.open(OFlag::O_RDWR).is_ok()
    {
        return location.open(access);
    }
    Ok(Some(file))
}

/// Opens a second file description for the claims alone: a mapping would keep their locks. `None`:
/// the object was replaced between the two opens.
fn open_claims(location: &Location, identity: (u64, u64)) -> Result<Option<Claims>> {
    let second = |access| -> Result<Option<OwnedFd>> {
        match location.open(access)? {
            Some(file) if location.identity_of(&file)? == identity => Ok(Some(file.into())),
            _ => Ok(None),
        }
    };
    Claims::open(second, |errno| Error::system(location, "pthread_atfork", errno))
}

/// Whether it is a region of ours, and a sound one.
impl Candidate {
    /// Whether the object is long enough for a header.
    fn has_prelude(&self) -> bool {
        self.size >= size_of::<Prelude>() as u64
    }

    fn has_magic(&self) -> bool {
        self.prelude.magic == layout::MAGIC
    }

    /// Whether somebody has a claim in it, as only users of a region have.
    fn is_claimed(&self) -> bool {
        !self.has_magic() && self.is_taken(Part::Roles).unwrap_or(false)
    }

    /// Whether it is a region of ours: by its magic or, if something has written over that, by the
    /// rest of its header or by a type's description at one of the offsets where regions have
    /// theirs. A damaged region is refused as damaged, and may be removed.
    fn is_of_ours(&self) -> bool {
        let rest = Prelude { magic: layout::MAGIC, ..self.prelude };
        // A region of a machine with the other byte order is not ours.
        let is_swapped = self.prelude.magic.iter().rev().eq(&layout::MAGIC);
        self.has_magic()
            || !is_swapped && (Layout::from_prelude(&rest).is_ok() || self.has_description())
    }

    fn has_description(&self) -> bool {
        let offsets = (1..=layout::MOST_LOCKERS).map(|slots| layout::schema_offset(slots.into()));
        let end = layout::schema_offset(layout::MOST_LOCKERS.into()) + layout::LONGEST_SCHEMA;
        let mut bytes = vec![0; self.size.min(end) as usize];
        if self.file.read_exact_at(&mut bytes, 0).is_err() {
            return false;
        }
        let at = |offset: u64| {
            bytes.get(offset as usize..).filter(|text| matches!(text.first(), Some(b'{' | b'"')))
        };
        offsets.filter_map(at).any(|text| {
            let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
            std::str::from_utf8(text).is_ok_and(|text| Schema::from_json(text).is_ok())
        })
    }

    /// What is wrong with its header. `None` if nothing is, or if it is of another layout version.
    pub(super) fn damage(&self) -> Option<String> {
        if !self.has_prelude() {
            return Some(format!("it was cut to {}, less than its header", Bytes(self.size)));
        }
        if !self.has_magic() {
            let start = String::from_utf8_lossy(&self.prelude.magic).into_owned();
            let start = start.escape_debug();
            return Some(format!("its header was overwritten, and starts with `{start}`"));
        }
        match self.prelude.version {
            layout::VERSION => Layout::from_prelude(&self.prelude).err().map(str::to_owned),
            _ => None,
        }
    }

    /// Whether it is what a power cut leaves of a new file: its full size, all of it zeros.
    fn is_left_of_a_power_cut(&self) -> bool {
        const PIECE: usize = 1 << 16;
        let could_be_ours = self.size >= 4096 && self.size.is_multiple_of(layout::BLOCK);
        if !matches!(self.location, Location::File(_)) || !could_be_ours {
            return false;
        }
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        while at < self.size {
            // What was only reserved need not be read.
            let data = nix::unistd::lseek(&self.file, at as i64, nix::unistd::Whence::SeekData);
            match data {
                Ok(data) => at = at.max(data as u64),
                Err(nix::errno::Errno::ENXIO) => return true,
                Err(_) => {}
            }
            match self.file.read_at(&mut piece, at) {
                Ok(0) => return true,
                Ok(read) if piece.iter().take(read).all(|byte| *byte == 0) => at += read as u64,
                _ => return false,
            }
        }
        true
    }

    /// Whether it is removed with its last user. A damaged header does not count: damage must not
    /// cost the content.
    pub(super) fn is_ephemeral(&self) -> bool {
        self.prelude.version == layout::VERSION
            && self.prelude.flags & EPHEMERAL != 0
            && self.damage().is_none()
    }

    /// Refuses a region of another kind. What a damaged header says about its kind does not count.
    pub(super) fn check_kind(&self, kind: Kind) -> Result<()> {
        if self.damage().is_some() {
            return Ok(());
        }
        match Kind::from_number(self.prelude.kind) {
            Some(found) if found != kind => Err(self
                .location
                .error(ErrorKind::Mismatch {
                    differences: vec![format!(
                        "kind: it is {}, not {}",
                        found.describe(),
                        kind.describe()
                    )],
                    holders: Vec::new(),
                    advice: "",
                })
                .advise("remove it as what it is")),
            _ => Ok(()),
        }
    }

    /// Whether it is of that kind, in whatever version. Another kind may be state that somebody
    /// keeps, and is replaced only on request.
    pub(super) fn is_of_kind(&self, kind: Kind) -> bool {
        self.prelude.kind == kind as u32
    }
}

/// Who uses it.
impl Candidate {
    /// Whether somebody has `part`. An observer cannot ask, and is told that nobody has.
    pub(super) fn is_taken(&self, part: Part) -> Result<bool> {
        match &self.claims {
            Some(claims) => claims
                .is_taken(part)
                .map_err(|errno| Error::system(&self.location, "fcntl(F_OFD_GETLK)", errno)),
            None => Ok(false),
        }
    }

    /// Whether somebody has `part`, and keeps it for longer than a replacer or a reclaim takes.
    pub(super) fn is_taken_for_long(&self, part: Part) -> Result<bool> {
        let deadline = clock::deadline(PATIENCE);
        while self.is_taken(part)? {
            if clock::now() >= deadline {
                return Ok(true);
            }
            nap::nap(std::time::Duration::from_millis(1));
        }
        Ok(false)
    }

    /// Who uses the region, for errors. Nobody if it is only being replaced or repaired.
    pub(super) fn holders(&self) -> Result<Vec<Holder>> {
        if !self.is_taken_for_long(Part::Roles)? {
            return Ok(Vec::new());
        }
        let layout = match self.prelude.version {
            layout::VERSION => Layout::from_prelude(&self.prelude).ok(),
            _ => None, // the offsets of its blocks are not known
        };
        let slots = layout.map_or(256, |layout| layout.consumers as usize);
        let mut holders = Vec::new();
        for part in std::iter::once(Part::Producer).chain((0..slots).map(Part::Consumer)) {
            if self.is_taken(part)? {
                holders.push(match &layout {
                    Some(layout) => {
                        blocks::read_holder(&self.file, layout, part, self.claims.as_ref())
                    }
                    None => blocks::holder_of(part, 0, "", None),
                });
            }
        }
        Ok(holders)
    }
}

/// Removing it.
impl Candidate {
    /// Removes the region if nobody uses it. `false`: somebody does.
    pub(super) fn retire_unused(&self) -> Result<bool> {
        Ok(self.retire(Users::None)? != Removed::InUse)
    }

    /// Removes an ephemeral region whose last user was killed. `false`: it is in use. Whoever has
    /// not followed a channel that has grown uses it, too.
    pub(super) fn retire_left_over(&self) -> Result<bool> {
        if self.location.path().is_none() {
            return Ok(false);
        }
        Ok(self.retire(Users::NoneAtOnce)? != Removed::InUse)
    }

    /// Who uses the channel's regions under hidden names. Removes those that nobody uses.
    pub(super) fn look_at_line(&self) -> Uses {
        let line = Line::of(&self.location, &self.prelude, &self.file);
        line.map_or_else(Uses::default, |line| line.look())
    }

    pub(super) fn retire(&self, users: Users) -> Result<Removed> {
        self.retire_if(users, &|| true)
    }

    /// Removes the region if `may_go` says so, which is asked when the roles are won.
    pub(super) fn retire_if(&self, users: Users, may_go: &dyn Fn() -> bool) -> Result<Removed> {
        let Some(claims) = &self.claims else {
            return Err(self.location.error(ErrorKind::NotOwner)); // an observer's; not reached
        };
        // The words are mapped, not written by a system call: under a small RLIMIT_FSIZE a write
        // would be SIGXFSZ.
        let head = MmapOptions::new().len(layout::RETIRED as usize + 1).map_raw(&self.file).ok();
        let words = head.as_ref().map(MmapRaw::as_mut_ptr).map(|head| RemoverWords {
            // SAFETY: the mapping spans the flag, in a page that the header begins, and lives to
            // the end of this function.
            retired: unsafe { AtomicU8::from_ptr(head.wrapping_add(layout::RETIRED as usize)) },
            latest: head.wrapping_add(layout::LATEST as usize).cast(),
        });
        let removal = Removal::of(&self.location, self.identity, claims, words)?;
        let is_awaited = || self.look_at_line().has_users;
        removal.only_if(may_go).unless(&is_awaited).remove(users)
    }
}
