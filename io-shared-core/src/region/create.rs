//! Creating a region: it appears whole, with its creator's claim, or not at all.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

use nix::fcntl::OFlag;
use zerocopy::IntoBytes;

use super::enter::Attached;
use super::found::{Found, identity_of};
use super::unlinked::Unlinked;
use super::{Kind, Region, Role, Spec};
use crate::crash_point::{CrashPoint, reached};
use crate::error::{Error, ErrorKind, Result};
use crate::message::schema::Schema;
use crate::os::claim::Claims;
use crate::region::layout::{self, EPHEMERAL, Layout, LayoutError, MAGIC};
use crate::region::location::Location;

/// What a new region would be.
pub(super) struct Planned {
    layout: Layout,
    schema: Schema,
    schema_text: String,
}

pub(crate) fn page_size() -> u32 {
    // SAFETY: sysconf has no preconditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u32::try_from(size).unwrap_or(4096)
}

/// The region that `role` would create; `None` for who cannot: an observer, or who knows no
/// capacity.
pub(super) fn plan(location: &Location, role: &Role, spec: &Spec) -> Result<Option<Planned>> {
    let Some(schema) = &spec.schema else { return Ok(None) };
    if let Some(mode) = spec.mode.filter(|mode| mode & !0o777 != 0 || mode & 0o600 != 0o600) {
        return Err(location.error(ErrorKind::BadOption {
            option: "mode",
            found: format!("{mode:#o}"),
            expected: "permission bits such as 0o660: up to 0o777, and its owner reads and writes"
                .into(),
        }));
    }
    let schema_text = schema.to_json();
    let planned = |capacity| {
        Layout::plan(
            spec.kind,
            spec.consumers.unwrap_or(if spec.kind == Kind::Channel { 1 } else { 64 }),
            spec.holds.unwrap_or(1),
            capacity,
            u32::try_from(schema.root().shape().align).unwrap_or(u32::MAX),
            u32::try_from(schema_text.len()).unwrap_or(u32::MAX),
            page_size(),
        )
    };
    let layout = planned(spec.capacity.unwrap_or(0))
        .map_err(|error| refused(location, spec, error, || most(|bytes| planned(bytes).is_ok())))?;
    let planned = Planned { layout, schema: schema.clone(), schema_text };
    // What is wrong with the options is wrong also where nothing is created.
    Ok((*role != Role::Observer && spec.capacity.is_some()).then_some(planned))
}

pub(super) fn no_capacity(location: &Location) -> Error {
    let expected = "a producer of messages that end in a slice says how large they get, as in \
                    .capacity(\"5M\") or .elements(100_000); or it waits for a consumer that does, \
                    with .open_timeout()";
    location.error(ErrorKind::BadOption {
        option: "capacity",
        found: "not given".into(),
        expected: expected.into(),
    })
}

/// The largest number that `fits`, where all below one that does fit too.
fn most(fits: impl Fn(u64) -> bool) -> u64 {
    (0..64).rev().map(|bit| 1 << bit).fold(0, |most, bit| match fits(most | bit) {
        true => most | bit,
        false => most,
    })
}

fn refused(location: &Location, spec: &Spec, error: LayoutError, most: impl Fn() -> u64) -> Error {
    let show = |value: Option<u32>| value.map_or_else(String::new, |value| value.to_string());
    let slots = if spec.kind == Kind::Channel { "consumers" } else { "handles" };
    let size = if spec.kind == Kind::Channel { "capacity" } else { "size" };
    let (option, found, expected) = match error {
        LayoutError::Consumers => {
            (slots, show(spec.consumers), "there is at least one slot".into())
        }
        LayoutError::Holds => {
            let most = layout::MOST_HOLDS;
            ("holds", show(spec.holds), format!("a consumer holds 1 to {most} values"))
        }
        LayoutError::Buffers if spec.kind != Kind::Channel => {
            let most = layout::MOST_LOCKERS;
            (slots, show(spec.consumers), format!("a lock has at most {most} slots"))
        }
        LayoutError::Buffers => {
            let most = layout::MOST_BUFFERS - 2;
            let each = spec.holds.unwrap_or(1);
            (
                "consumers",
                show(spec.consumers),
                format!(
                    "consumers x holds is at most {most}: at most .consumers({})",
                    most / u64::from(each)
                ),
            )
        }
        LayoutError::Align => {
            let what = "messages are aligned to a page at most".to_owned();
            return location.error(ErrorKind::Unsupported { what });
        }
        LayoutError::Schema => {
            let what = "the type's description is longer than 1 MiB".to_owned();
            return location.error(ErrorKind::Unsupported { what });
        }
        LayoutError::Size => (
            size,
            spec.capacity.map_or_else(String::new, |capacity| capacity.to_string()),
            format!("the region must stay below 2^63 bytes: at most .{size}({})", most()),
        ),
    };
    location.error(ErrorKind::BadOption { option, found, expected })
}

/// A new region, entered by its creator, that nobody else sees yet.
pub(super) struct New {
    unlinked: Unlinked,
    attached: Attached,
}

impl New {
    pub(super) fn make(
        location: &Location,
        role: &Role,
        spec: &Spec,
        planned: &Planned,
    ) -> Result<Self> {
        let size = planned.layout.total_size;
        let unlinked =
            Unlinked::new(location, size, spec.mode).map_err(|error| error.ask_less(less(spec)))?;
        let file = unlinked.file();
        let write = |bytes: &[u8], offset: u64| {
            file.write_all_at(bytes, offset).map_err(|error| location.io_error("pwrite", &error))
        };
        let flags = if spec.ephemeral { EPHEMERAL } else { 0 };
        let prelude = planned.layout.prelude(instance(file), planned.schema.hash(), flags);
        let after_magic = prelude.as_bytes().get(MAGIC.len()..).unwrap_or_default();
        write(planned.schema_text.as_bytes(), planned.layout.schema_offset.into())?;
        write(after_magic, MAGIC.len() as u64)?;
        reached(CrashPoint::RegionWritten);
        write(&MAGIC, 0)?;

        let claims = Claims::open(
            |access| unlinked.reopen(access).map(|file| Some(file.into())),
            |errno| Error::system(location, "pthread_atfork", errno),
        )?;
        let found = Found {
            location: location.clone(),
            identity: identity_of(location, file)?,
            size,
            claims,
            file: unlinked.keep()?,
            prelude,
        };
        let read_only = match role {
            Role::Consumer { .. } => Some(unlinked.reopen(OFlag::O_RDONLY)?),
            _ => None,
        };
        let schema = planned.schema.clone();
        let region = Region::map(found, role, spec, planned.layout, schema, read_only.as_ref())?;
        // It is of this boot, and has nothing to judge.
        region.store_boot();
        let side = region.claim(role, spec.patience)?;
        reached(CrashPoint::RegionClaimed);
        Ok(Self { unlinked, attached: Attached { region, side } })
    }

    /// Makes it visible. `None`: another was faster.
    pub(super) fn link(self) -> Result<Option<Attached>> {
        if !self.unlinked.link()? {
            return Ok(None);
        }
        reached(CrashPoint::RegionLinked);
        let region = &self.attached.region;
        tracing::info!(region = region.name(), bytes = region.layout().total_size, "created");
        Ok(Some(self.attached))
    }
}

/// By which option a smaller region may be asked for.
fn less(spec: &Spec) -> &'static str {
    let is_sized =
        spec.schema.as_ref().is_some_and(|schema| schema.root().shape().element.is_none());
    match spec.kind {
        Kind::Channel if !is_sized => "a smaller .capacity()",
        Kind::Channel if spec.consumers.unwrap_or(1) > 1 => "fewer .consumers()",
        Kind::Channel if spec.holds.unwrap_or(1) > 1 => "fewer .holds()",
        Kind::Mmap | Kind::RwMmap => "a smaller .size()",
        Kind::Channel | Kind::State => "",
    }
}

/// A number that no other region of this name is likely to have.
fn instance(file: &File) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // The standard library seeds this from the kernel's random numbers.
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u64(file.metadata().map_or(0, |metadata| metadata.ino()));
    hasher.write_u64(crate::os::clock::now());
    hasher.finish()
}
