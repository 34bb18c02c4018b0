//! What lies in a place: ours by its magic, judged against what a program wants.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

use nix::fcntl::OFlag;
use zerocopy::FromBytes;

use super::{Spec, blocks};
use crate::error::{Bytes, Error, ErrorKind, Holder, Result};
use crate::message::schema::Schema;
use crate::os::claim::{Claims, PATIENCE, Part};
use crate::os::clock;
use crate::region::layout::{self, EPHEMERAL, Kind, Layout, Prelude};
use crate::region::location::Location;

/// An object that was found in a place: ours by its magic, not yet judged nor claimed.
pub(super) struct Found {
    pub(super) location: Location,
    pub(super) identity: (u64, u64),
    pub(super) size: u64,
    /// Nothing for an observer, which may have read permission only.
    pub(super) claims: Option<Claims>,
    /// To read and map: for reading and writing, but for an observer.
    pub(super) file: File,
    pub(super) prelude: Prelude,
}

pub(super) enum Judged {
    Fits(Layout, Box<Schema>),
    Differs(Vec<String>),
}

impl Found {
    /// Opens what lies in `location`, without creating anything (`fs.protected_regular` would refuse
    /// O_CREAT on another user's object even to root). With O_RDONLY it can be looked at and not
    /// claimed.
    pub(super) fn at(location: &Location, access: OFlag) -> Result<Option<Self>> {
        loop {
            let Some(mut file) = location.open(access)? else { return Ok(None) };
            // Who may write has it copied up before it is mapped; who may not will notice.
            if access == OFlag::O_RDONLY
                && location.is_overlay(&file)
                && location.open(OFlag::O_RDWR).is_ok()
            {
                let Some(copied_up) = location.open(access)? else { return Ok(None) };
                file = copied_up;
            }
            let metadata = file.metadata().map_err(|e| location.io_error("fstat", &e))?;
            let identity = (metadata.dev(), metadata.ino());
            // A second description for the claims alone: a mapping would pin its locks.
            let claims = if access == OFlag::O_RDONLY {
                None
            } else {
                let second = |access| match location.open(access)? {
                    Some(file) if identity_of(location, &file)? == identity => {
                        Ok(Some(file.into()))
                    }
                    _ => Ok(None),
                };
                match Claims::open(second, |errno| {
                    Error::system(location, "pthread_atfork", errno)
                })? {
                    Some(claims) => Some(claims),
                    None => continue, // it was replaced between the two
                }
            };
            let mut bytes = [0; size_of::<Prelude>()];
            let size = metadata.len();
            let there = size.min(bytes.len() as u64) as usize;
            file.read_exact_at(bytes.get_mut(..there).unwrap_or_default(), 0)
                .map_err(|error| location.io_error("pread", &error))?;
            let prelude = Prelude::read_from_bytes(&bytes)
                .map_err(|_| location.foreign("an object without our header"))?;
            let found = Self { location: location.clone(), identity, size, claims, file, prelude };
            let whole = there == bytes.len();
            if found.is_claimed() || whole && found.is_of_ours() {
                return Ok(Some(found));
            }
            if !found.is_left_of_a_power_cut() {
                return Err(match whole {
                    true => location.foreign("an object that does not start with `ioshared`"),
                    false => location
                        .foreign(format!("an object of {}, shorter than a header", Bytes(size))),
                });
            }
            if found.claims.is_none() {
                return Ok(None); // an observer takes nothing away
            }
            if !found.retire_unused()? {
                return Err(location.foreign("a file of zeros that somebody uses"));
            }
            tracing::warn!(region = %location, bytes = size, "took away what a power cut left: zeros");
        }
    }

    fn has_magic(&self) -> bool {
        self.prelude.magic == layout::MAGIC
    }

    /// Whether somebody has a claim in it, as only users of a region have.
    fn is_claimed(&self) -> bool {
        !self.has_magic() && self.is_taken(Part::Roles).unwrap_or(false)
    }

    /// Whether it is a region of ours: by its magic, or, where something has written over that, by
    /// the rest of its header or by a type's description where regions have theirs. A damaged one is
    /// refused as such, and may be removed.
    fn is_of_ours(&self) -> bool {
        let rest = Prelude { magic: layout::MAGIC, ..self.prelude };
        // Of a machine of the other byte order nothing is ours.
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

    /// What is wrong with its header, if it is one of this layout version, or none.
    fn damage(&self) -> Option<String> {
        if self.size < size_of::<Prelude>() as u64 {
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

    /// Whether it is a file as a power cut leaves one that was new: at its full size, all of it zeros.
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

    /// Whether it goes with its last user. A damaged header does not say so: it is not to cost what
    /// it stands before.
    pub(super) fn is_ephemeral(&self) -> bool {
        self.prelude.version == layout::VERSION
            && self.prelude.flags & EPHEMERAL != 0
            && self.damage().is_none()
    }

    /// Whether the region is whole, and what it has that `spec` does not want.
    pub(super) fn judge(&self, spec: &Spec) -> Result<Judged> {
        let version = self.prelude.version;
        let corrupt = |what: String| Error::corrupt(&self.location, what);
        if let Some(damage) = self.damage() {
            return Err(corrupt(damage));
        }
        if version != layout::VERSION {
            return Ok(Judged::Differs(vec![format!(
                "layout version: {} has {version}, this program {}",
                self.what(),
                layout::VERSION
            )]));
        }
        let layout =
            Layout::from_prelude(&self.prelude).map_err(|what| corrupt(what.to_owned()))?;
        if layout.kind != spec.kind {
            return Ok(Judged::Differs(vec![format!(
                "kind: it is {}, this program wants {}",
                layout.kind.describe(),
                spec.kind.describe()
            )]));
        }
        // A longer one is whole: descriptors append, so that a stray write lands after the content.
        if self.size < layout.total_size {
            let expected = layout.total_size;
            return Err(corrupt(format!("it has {} instead of {expected}", Bytes(self.size))));
        }
        let schema = self.schema(&layout)?;
        let mut differences = match &spec.schema {
            Some(own) if own.hash() != schema.hash() => own.differences(&schema),
            _ => Vec::new(),
        };
        let (slots, size) = match spec.kind {
            Kind::Channel => ("consumers", "capacity"),
            _ => ("handles", "size"),
        };
        let options = [
            (size, layout.capacity, spec.capacity),
            (slots, layout.consumers.into(), spec.consumers.map(u64::from)),
            ("holds", layout.holds.into(), spec.holds.map(u64::from)),
        ];
        for (what, found, wanted) in options {
            if let Some(wanted) = wanted.filter(|wanted| *wanted > found) {
                differences.push(format!(
                    "{what}: {} has {found}, this program wants at least {wanted}",
                    self.what()
                ));
            }
        }
        if differences.is_empty() {
            Ok(Judged::Fits(layout, Box::new(schema)))
        } else {
            Ok(Judged::Differs(differences))
        }
    }

    /// Refuses a region of another kind. What a damaged header says it is does not count.
    pub(super) fn check_kind(&self, kind: Kind) -> Result<()> {
        if self.damage().is_some() {
            return Ok(());
        }
        match Kind::from_number(self.prelude.kind) {
            Some(found) if found != kind => Err(self.location.error(ErrorKind::Mismatch {
                differences: vec![format!(
                    "kind: it is {}, not {}",
                    found.describe(),
                    kind.describe()
                )],
                holders: Vec::new(),
                advice: "it is left as it is; remove it as what it is",
            })),
            _ => Ok(()),
        }
    }

    /// Whether it is what `spec` is about, in whatever version: another kind may be state that
    /// somebody keeps, and is replaced only if that was asked for.
    pub(super) fn is_of_kind(&self, spec: &Spec) -> bool {
        self.prelude.kind == spec.kind as u32
    }

    /// Whether somebody has `part`, and has it for longer than a replacer or burier would.
    pub(super) fn is_taken_for_long(&self, part: Part) -> Result<bool> {
        let deadline = clock::deadline(PATIENCE);
        while self.is_taken(part)? {
            if clock::now() >= deadline {
                return Ok(true);
            }
            crate::os::nap::nap(std::time::Duration::from_millis(1));
        }
        Ok(false)
    }

    /// `channel`, or `region` for the others.
    fn what(&self) -> &'static str {
        if self.prelude.kind == Kind::Channel as u32 { "channel" } else { "region" }
    }

    fn schema(&self, layout: &Layout) -> Result<Schema> {
        let mut text = vec![0; layout.schema_length as usize];
        self.file
            .read_exact_at(&mut text, layout.schema_offset.into())
            .map_err(|e| self.location.io_error("pread", &e))?;
        let corrupt = |what: String| Error::corrupt(&self.location, what);
        let text =
            String::from_utf8(text).map_err(|_| corrupt("its schema is not UTF-8".into()))?;
        let schema = Schema::from_json(&text)
            .map_err(|error| corrupt(format!("its schema cannot be read: {error}")))?;
        if schema.hash() != self.prelude.schema_hash {
            return Err(corrupt("its schema is not the one it was made with".into()));
        }
        if schema.root().shape().align != layout.align as usize {
            return Err(corrupt("its alignment is not its schema's".into()));
        }
        Ok(schema)
    }

    /// Whether somebody has `part`. An observer cannot ask; for it, nobody has.
    pub(super) fn is_taken(&self, part: Part) -> Result<bool> {
        match &self.claims {
            Some(claims) => claims
                .is_taken(part)
                .map_err(|errno| Error::system(&self.location, "fcntl(F_OFD_GETLK)", errno)),
            None => Ok(false),
        }
    }

    /// Who lives in the region, for errors: nobody where it is only being replaced or repaired.
    pub(super) fn holders(&self) -> Result<Vec<Holder>> {
        if !self.is_taken_for_long(Part::Roles)? {
            return Ok(Vec::new());
        }
        let layout = match self.prelude.version {
            layout::VERSION => Layout::from_prelude(&self.prelude).ok(),
            _ => None, // where its blocks lie is not known
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

/// Refuses a region, to whoever would write to its bytes with no lock: others have references to
/// them.
pub(crate) fn refuse_region(location: &Location, file: &File) -> Result<()> {
    let mut magic = [0; layout::MAGIC.len()];
    match file.read_exact_at(&mut magic, 0) {
        Ok(()) => refuse_magic(location, magic),
        _ => Ok(()), // shorter
    }
}

/// As [`refuse_region`], of what begins so.
#[inline]
pub(crate) fn refuse_magic(name: impl std::fmt::Display, magic: [u8; 8]) -> Result<()> {
    if magic != layout::MAGIC {
        return Ok(());
    }
    let what = "it is an io-shared region, with a header and locks: open it as what it was created as \
                (a channel, a locked mmap or typed state)";
    Err(Error::new(name, ErrorKind::Unsupported { what: what.into() }))
}

/// Device and inode of an open file.
pub(super) fn identity_of(location: &Location, file: &File) -> Result<(u64, u64)> {
    let metadata = file.metadata().map_err(|e| location.io_error("fstat", &e))?;
    Ok((metadata.dev(), metadata.ino()))
}
