//! Finding a region, judging it, and entering it in a role.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use memmap2::{MmapOptions, MmapRaw};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use zerocopy::FromBytes;

use super::{Region, Role, Spec, blocks, create};
use crate::claim::{Claims, Part};
use crate::clock;
use crate::error::{Error, ErrorKind, Holder, Result};
use crate::layout::{self, Layout, Prelude};
use crate::name::Name;
use crate::protocol::{Fault, Publisher, Reader, Words};
use crate::schema::Schema;

/// How often a missing or unsuitable region is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long a consumer waits for a producer to replace a region of another shape.
const REPLACEMENT_TIMEOUT: Duration = Duration::from_secs(1);
/// How often an opening starts over because the name was replaced under it.
const START_OVERS: usize = 1000;

/// A region and the protocol state of the role that was entered in it.
pub(crate) struct Attached {
    pub(crate) region: Region,
    pub(crate) side: Side,
}

pub(crate) enum Side {
    Producer(Publisher),
    Consumer(Reader),
    Observer,
}

/// Opens the region of that name in `role`, creating, replacing or waiting for it as DESIGN.md
/// section 3 says.
pub(crate) fn attach(name: &Name, role: &Role, spec: &Spec) -> Result<Attached> {
    if let Role::Consumer {
        name: Some(consumer),
    } = role
    {
        check_consumer_name(name, consumer)?;
    }
    let planned = create::plan(name, role, spec)?;
    let started = clock::now();
    let wait = |default: Option<Duration>| match spec.open_timeout.or(default) {
        Some(timeout) => started.saturating_add(timeout.as_nanos().min(u64::MAX.into()) as u64),
        None => u64::MAX,
    };
    let mut pause = Duration::from_millis(1);
    let mut pause_until = |deadline: u64| {
        let left = Duration::from_nanos(deadline.saturating_sub(clock::now()));
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(LOOK_AGAIN);
        !left.is_zero()
    };
    let mut start_overs = 0;
    while start_overs < START_OVERS {
        let Some(found) = Found::at(name, &name.path(), role)? else {
            if let Some(planned) = &planned {
                match create::create(name, role, spec, planned)? {
                    Some(attached) => return Ok(attached),
                    None => start_overs += 1, // another has created it meanwhile
                }
            } else if *role == Role::Producer && spec.open_timeout.is_none() {
                return Err(create::no_capacity(name));
            } else if !pause_until(wait(None)) {
                return Err(Error::new(name, ErrorKind::NotFound));
            }
            continue;
        };
        let differences = match found.judge(spec)? {
            Judged::Fits(layout, schema) => match found.enter(role, spec, layout, *schema)? {
                Some(attached) => return Ok(attached),
                None => {
                    start_overs += 1; // it was replaced meanwhile
                    continue;
                }
            },
            Judged::Differs(differences) => differences,
        };
        match role {
            Role::Producer => {
                if !found.retire_unused()? {
                    let holders = found.holders()?;
                    return Err(Error::new(
                        name,
                        ErrorKind::Mismatch {
                            differences,
                            holders,
                        },
                    ));
                }
                tracing::info!(region = %name, ?differences, "replaced a region of another shape");
                start_overs += 1;
            }
            _ => {
                let has_producer = found.is_taken(Part::Producer)?;
                if has_producer || !pause_until(wait(Some(REPLACEMENT_TIMEOUT))) {
                    let holders = found.holders()?;
                    return Err(Error::new(
                        name,
                        ErrorKind::Mismatch {
                            differences,
                            holders,
                        },
                    ));
                }
            }
        }
    }
    Err(Error::new(
        name,
        ErrorKind::Busy {
            doing: "opening it",
        },
    ))
}

fn check_consumer_name(name: &Name, consumer: &str) -> Result<()> {
    if !consumer.is_empty() && consumer.len() <= blocks::LONGEST_NAME {
        return Ok(());
    }
    Err(Error::new(
        name,
        ErrorKind::BadOption {
            option: "consumer_as",
            found: format!("{consumer:?}"),
            expected: format!("a name has 1 to {} bytes", blocks::LONGEST_NAME),
        },
    ))
}

/// The device and inode that `path` leads to.
pub(super) fn identity_at(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path)
        .ok()
        .map(|metadata| (metadata.dev(), metadata.ino()))
}

/// An object that was found under a name: ours by its magic, not yet judged nor claimed.
pub(super) struct Found {
    pub(super) name: Name,
    pub(super) identity: (u64, u64),
    pub(super) size: u64,
    /// Nothing for an observer, which may have read permission only.
    pub(super) claims: Option<Claims>,
    /// To read and map: for reading and writing, but for an observer.
    pub(super) file: File,
    pub(super) prelude: Prelude,
}

enum Judged {
    Fits(Layout, Box<Schema>),
    Differs(Vec<String>),
}

impl Found {
    /// Opens what `path` leads to, without creating anything (`fs.protected_regular` would refuse
    /// O_CREAT on another user's object even to root).
    pub(super) fn at(name: &Name, path: &Path, role: &Role) -> Result<Option<Self>> {
        let access = if *role == Role::Observer {
            OFlag::O_RDONLY
        } else {
            OFlag::O_RDWR
        };
        loop {
            let Some(file) = open(name, path, access)? else {
                return Ok(None);
            };
            let file = File::from(file);
            let metadata = file.metadata().map_err(|e| io_error(name, "fstat", &e))?;
            let identity = (metadata.dev(), metadata.ino());
            check_kind(name, &metadata)?;
            // A second description for the claims alone: a mapping would pin its locks.
            let claims = if *role == Role::Observer {
                None
            } else {
                let Some(second) = open(name, path, access)? else {
                    continue;
                };
                let second = File::from(second);
                let metadata = second.metadata().map_err(|e| io_error(name, "fstat", &e))?;
                if (metadata.dev(), metadata.ino()) != identity {
                    continue;
                }
                let claims = Claims::new(second.into());
                Some(claims.map_err(|errno| Error::system(name, "pthread_atfork", errno))?)
            };
            let mut bytes = [0; size_of::<Prelude>()];
            if let Err(error) = file.read_exact_at(&mut bytes, 0) {
                return Err(match error.kind() {
                    std::io::ErrorKind::UnexpectedEof => foreign(
                        name,
                        format!(
                            "an object of {} bytes, shorter than a header",
                            metadata.len()
                        ),
                    ),
                    _ => io_error(name, "pread", &error),
                });
            }
            let Ok(prelude) = Prelude::read_from_bytes(&bytes) else {
                return Err(foreign(name, "an object without our header"));
            };
            if prelude.magic != layout::MAGIC {
                return Err(foreign(
                    name,
                    "an object that does not start with `ioshared`",
                ));
            }
            let size = metadata.len();
            return Ok(Some(Self {
                name: name.clone(),
                identity,
                size,
                claims,
                file,
                prelude,
            }));
        }
    }

    /// Whether the region is whole, and what it has that `spec` does not want.
    fn judge(&self, spec: &Spec) -> Result<Judged> {
        let Prelude { version, kind, .. } = self.prelude;
        for (what, found, wanted) in [
            ("layout version", version, layout::VERSION),
            ("kind", kind, layout::KIND_CHANNEL),
        ] {
            if found != wanted {
                return Ok(Judged::Differs(vec![format!(
                    "{what}: channel has {found}, this program {wanted}"
                )]));
            }
        }
        let corrupt = |what: String| Error::corrupt(&self.name, what);
        let layout =
            Layout::from_prelude(&self.prelude).map_err(|what| corrupt(what.to_owned()))?;
        if self.size != layout.total_size {
            let expected = layout.total_size;
            return Err(corrupt(format!(
                "it has {} bytes instead of {expected}",
                self.size
            )));
        }
        let schema = self.schema(&layout)?;
        let mut differences = match &spec.schema {
            Some(own) if own.hash() != schema.hash() => own.differences(&schema),
            _ => Vec::new(),
        };
        let options = [
            ("capacity", layout.capacity, spec.capacity),
            (
                "consumers",
                layout.consumers.into(),
                spec.consumers.map(u64::from),
            ),
            ("holds", layout.holds.into(), spec.holds.map(u64::from)),
        ];
        for (what, found, wanted) in options {
            if let Some(wanted) = wanted.filter(|wanted| *wanted > found) {
                differences.push(format!(
                    "{what}: channel has {found}, this program wants at least {wanted}"
                ));
            }
        }
        if differences.is_empty() {
            Ok(Judged::Fits(layout, Box::new(schema)))
        } else {
            Ok(Judged::Differs(differences))
        }
    }

    fn schema(&self, layout: &Layout) -> Result<Schema> {
        let mut text = vec![0; layout.schema_length as usize];
        self.file
            .read_exact_at(&mut text, layout.schema_offset.into())
            .map_err(|e| io_error(&self.name, "pread", &e))?;
        let text = String::from_utf8(text)
            .map_err(|_| Error::corrupt(&self.name, "its schema is not UTF-8"))?;
        let schema = Schema::from_json(&text)
            .map_err(|e| Error::corrupt(&self.name, format!("its schema cannot be read: {e}")))?;
        if schema.hash() != self.prelude.schema_hash {
            return Err(Error::corrupt(
                &self.name,
                "its schema is not the one it was made with",
            ));
        }
        if schema.root().shape().align != layout.align as usize {
            return Err(Error::corrupt(
                &self.name,
                "its alignment is not its schema's",
            ));
        }
        Ok(schema)
    }

    /// Claims `role` in the region and maps it. `None`: the name leads elsewhere by now.
    fn enter(
        self,
        role: &Role,
        spec: &Spec,
        layout: Layout,
        schema: Schema,
    ) -> Result<Option<Attached>> {
        let path = self.name.path();
        let read_only = if matches!(role, Role::Consumer { .. }) {
            match open(&self.name, &path, OFlag::O_RDONLY)?.map(File::from) {
                Some(file) if identity_of(&self.name, &file)? == self.identity => Some(file),
                _ => return Ok(None),
            }
        } else {
            None
        };
        let region = Region::map(self, role, spec, layout, schema, read_only.as_ref())?;
        let side = region.claim(role)?;
        // A remover takes the name first and the flag next, and both under the region's lock; who
        // claimed before it did is seen by it or sees it here.
        if region.is_replaced() {
            return Ok(None);
        }
        tracing::debug!(region = region.name(), ?role, "opened");
        Ok(Some(Attached { region, side }))
    }

    /// Whether somebody has `part`. An observer cannot ask; for it, nobody has.
    fn is_taken(&self, part: Part) -> Result<bool> {
        match &self.claims {
            Some(claims) => claims
                .is_taken(part)
                .map_err(|errno| Error::system(&self.name, "fcntl(F_OFD_GETLK)", errno)),
            None => Ok(false),
        }
    }

    /// Who lives in the region, for errors.
    fn holders(&self) -> Result<Vec<Holder>> {
        let layout = match self.prelude.version {
            layout::VERSION => Layout::from_prelude(&self.prelude).ok(),
            _ => None, // where its blocks lie is not known
        };
        let consumers = layout.map_or(256, |layout| layout.consumers as usize);
        let mut holders = Vec::new();
        for part in std::iter::once(Part::Producer).chain((0..consumers).map(Part::Consumer)) {
            if self.is_taken(part)? {
                holders.push(match &layout {
                    Some(layout) => blocks::read_holder(&self.file, layout, part),
                    None => blocks::holder_of(part, 0, ""),
                });
            }
        }
        Ok(holders)
    }
}

impl Region {
    /// Maps what was found: the whole for a producer, the header and (read-only) the buffers for
    /// the others.
    pub(super) fn map(
        found: Found,
        role: &Role,
        spec: &Spec,
        layout: Layout,
        schema: Schema,
        read_only: Option<&File>,
    ) -> Result<Self> {
        let name = found.name.to_string();
        let failed = |error: std::io::Error| io_error(&name, "mmap", &error);
        let page = create::page_size();
        if !layout.buffers_offset.is_multiple_of(page.into()) {
            let what = format!(
                "the channel was made with pages of {} bytes, this machine has {page}",
                layout.page_size
            );
            return Err(Error::new(&name, ErrorKind::Unsupported { what }));
        }
        let (whole, head) = (layout.total_size, layout.buffers_offset);
        let options = |offset: u64, length: u64| {
            let mut options = MmapOptions::new();
            options.offset(offset).len(length as usize);
            if spec.prefault {
                options.populate();
            }
            options
        };
        let read = |file: &File, offset, length| {
            options(offset, length)
                .map_raw_read_only(file)
                .map_err(failed)
        };
        let write = |file: &File, length| options(0, length).map_raw(file).map_err(failed);
        let (header, apart): (MmapRaw, Option<MmapRaw>) = match role {
            Role::Producer => (write(&found.file, whole)?, None),
            Role::Consumer { .. } => (
                write(&found.file, head)?,
                Some(read(read_only.unwrap_or(&found.file), head, whole - head)?),
            ),
            Role::Observer => (read(&found.file, 0, whole)?, None),
        };
        let path = found.name.path();
        let (identity, claims) = (found.identity, found.claims);
        Ok(Self {
            name,
            path,
            identity,
            claims,
            header,
            apart,
            layout,
            schema,
        })
    }

    /// Claims `role` and takes its block over.
    pub(super) fn claim(&self, role: &Role) -> Result<Side> {
        match role {
            Role::Producer => {
                if !self.try_part(Part::Producer, true)? {
                    let holder = self.holder(Part::Producer);
                    return Err(self.error(ErrorKind::RoleTaken { holder }));
                }
                let publisher = Publisher::take_over(self).map_err(|f| self.fault(f))?;
                self.enter_producer();
                // Whoever sleeps since a predecessor died between its publish and its wake.
                self.wake();
                Ok(Side::Producer(publisher))
            }
            Role::Consumer { name } => self
                .claim_consumer(name.as_deref().unwrap_or(""))
                .map(Side::Consumer),
            Role::Observer => Ok(Side::Observer),
        }
    }

    /// Claims a consumer's slot: its own by name, else one that no name has left, else the first
    /// that is free. `name` is empty for none.
    fn claim_consumer(&self, name: &str) -> Result<Reader> {
        let deadline = clock::deadline(Duration::from_millis(20));
        loop {
            let at_last = clock::now() >= deadline;
            let lock = self.lock()?;
            let own = (0..self.consumers())
                .find(|slot| !name.is_empty() && self.consumer_name(*slot) == name);
            let slot = match own {
                Some(slot) if self.try_part(Part::Consumer(slot), false)? => Some(slot),
                Some(_) => None,
                None => self.free_slot(at_last)?,
            };
            if let Some(slot) = slot {
                let only_slot = self.consumers() == 1;
                let resumes = own == Some(slot)
                    || (only_slot
                        && name.is_empty()
                        && self.was_claimed(slot)
                        && self.consumer_name(slot).is_empty());
                if !resumes {
                    self.forget_consumer(slot);
                }
                let reader = Reader::take_over(self, slot, resumes).map_err(|f| self.fault(f))?;
                self.enter_consumer(slot, name);
                return Ok(reader);
            }
            drop(lock);
            if at_last {
                return Err(self.error(match own {
                    Some(slot) => ErrorKind::RoleTaken {
                        holder: self.holder(Part::Consumer(slot)),
                    },
                    None => ErrorKind::NoSlot {
                        holders: (0..self.consumers())
                            .map(|slot| self.holder(Part::Consumer(slot)))
                            .collect(),
                    },
                }));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Claims a slot that is free. One that a name has left only where there is no other, or
    /// `at_last`: a burier may have the others for its repair, and must not cost the name its place.
    fn free_slot(&self, at_last: bool) -> Result<Option<usize>> {
        let (unnamed, named): (Vec<usize>, Vec<usize>) =
            (0..self.consumers()).partition(|slot| self.consumer_name(*slot).is_empty());
        let named = named.into_iter().filter(|_| at_last || unnamed.is_empty());
        for slot in unnamed.iter().copied().chain(named) {
            if self.try_part(Part::Consumer(slot), false)? {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    fn try_part(&self, part: Part, patient: bool) -> Result<bool> {
        let Some(claims) = &self.claims else {
            return Ok(false);
        };
        let won = if patient {
            claims.claim(part)
        } else {
            claims.try_claim(part)
        };
        won.map_err(|errno| Error::system(&self.name, "fcntl(F_OFD_SETLK)", errno))
    }

    /// The region's own lock, until the guard drops.
    fn lock(&self) -> Result<RegionLock<'_>> {
        match &self.claims {
            Some(claims) => RegionLock::take(&self.name, claims),
            None => Err(self.error(ErrorKind::Unsupported {
                what: "an observer claims nothing".into(),
            })),
        }
    }

    /// A protocol fault, with the region's name and numbers.
    pub(crate) fn fault(&self, fault: Fault) -> Error {
        self.error(match fault {
            Fault::RoleLost => ErrorKind::RoleLost,
            Fault::AlreadyHeld => ErrorKind::AlreadyHeld {
                holds: self.holds(),
            },
            Fault::Busy => ErrorKind::Busy {
                doing: "reading the latest value",
            },
            Fault::SequenceExhausted => ErrorKind::SequenceExhausted,
            Fault::Corrupt(what) => ErrorKind::Corrupt {
                what: what.to_owned(),
            },
        })
    }
}

/// The region's own lock: held for a few system calls.
pub(super) struct RegionLock<'a>(&'a Claims);

impl<'a> RegionLock<'a> {
    pub(super) fn take(name: impl std::fmt::Display, claims: &'a Claims) -> Result<Self> {
        match claims.claim(Part::Region) {
            Ok(true) => Ok(Self(claims)),
            Ok(false) => Err(Error::new(
                name,
                ErrorKind::Busy {
                    doing: "waiting for its lock (a stopped process may have it)",
                },
            )),
            Err(errno) => Err(Error::system(name, "fcntl(F_OFD_SETLK)", errno)),
        }
    }
}

impl Drop for RegionLock<'_> {
    fn drop(&mut self) {
        self.0.release(Part::Region);
    }
}

fn open(name: &Name, path: &Path, access: OFlag) -> Result<Option<OwnedFd>> {
    // NOFOLLOW, NONBLOCK: whatever lies there is neither followed nor waited for.
    let flags = access | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    match nix::fcntl::open(path, flags, Mode::empty()) {
        Ok(descriptor) => Ok(Some(descriptor)),
        Err(Errno::ENOENT) => Ok(None),
        Err(Errno::ELOOP) => Err(foreign(name, "a symbolic link")),
        Err(Errno::EISDIR) => Err(foreign(name, "a directory")),
        Err(Errno::ENXIO | Errno::ENODEV) => Err(foreign(name, "a socket or a device")),
        Err(errno) => Err(Error::system(name, "open", errno)),
    }
}

fn check_kind(name: &Name, metadata: &std::fs::Metadata) -> Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    Err(foreign(
        name,
        match () {
            () if kind.is_dir() => "a directory",
            () if kind.is_fifo() => "a FIFO",
            () if kind.is_socket() => "a socket",
            () => "a device",
        },
    ))
}

pub(super) fn identity_of(name: &Name, file: &File) -> Result<(u64, u64)> {
    let metadata = file.metadata().map_err(|e| io_error(name, "fstat", &e))?;
    Ok((metadata.dev(), metadata.ino()))
}

fn foreign(name: &Name, found: impl Into<String>) -> Error {
    Error::new(
        name,
        ErrorKind::NotARegion {
            found: found.into(),
        },
    )
}

pub(super) fn io_error(
    name: impl std::fmt::Display,
    call: &'static str,
    error: &std::io::Error,
) -> Error {
    Error::system(
        name,
        call,
        Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)),
    )
}
