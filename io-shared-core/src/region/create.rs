//! Creating a region: it appears whole, with its creator's claim, or not at all.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use nix::fcntl::OFlag;
use zerocopy::IntoBytes;

use super::candidate::Candidate;
use super::hidden_file::HiddenFile;
use super::layout::{self, EPHEMERAL, Kind, MAGIC, Prelude};
use super::location::Location;
use super::mapped::Region;
use super::plan::Plan;
use super::role::Attached;
use super::spec::{Role, Spec};
use super::validate::Fitting;
use crate::crash_point::{CrashPoint, reached};
use crate::error::{Error, Result};
use crate::os::claim::Claims;
use crate::protocol::Latest;

/// A new region with its creator in it, which nobody else sees yet.
pub(super) struct NewRegion {
    pub(super) hidden: HiddenFile,
    pub(super) attached: Attached,
    size: u64,
}

/// The region that a new one is to take the place of, and its latest value.
pub(super) type Predecessor<'a> = (&'a Region, Latest);

impl NewRegion {
    /// Creates the region without its name, and claims `role` in it.
    pub(super) fn create(
        location: &Location,
        role: &Role,
        spec: &Spec,
        plan: &Plan,
    ) -> Result<Self> {
        Self::make(location, role, spec, plan, None)
    }

    /// The same; where it is to take the place of another region, it starts with what that has.
    pub(super) fn make(
        location: &Location,
        role: &Role,
        spec: &Spec,
        plan: &Plan,
        old: Option<Predecessor<'_>>,
    ) -> Result<Self> {
        let size = plan.layout.size(plan.buffers);
        let hidden = HiddenFile::new(location, size, spec.mode).map_err(|error| match old {
            // It asks for as much as a message needs.
            Some(_) => error,
            None => error.ask_less(smaller(spec)),
        })?;
        let line = old.map(|(old, _)| old.line);
        let prelude = write(location, spec, plan, hidden.file(), line)?;
        let claims = Claims::open(
            |access| hidden.reopen(access).map(|file| Some(file.into())),
            |errno| Error::system(location, "pthread_atfork", errno),
        )?;
        let candidate = Candidate {
            location: location.clone(),
            identity: location.identity_of(hidden.file())?,
            size,
            claims,
            file: hidden.file_to_keep()?,
            prelude,
            pool: plan.buffers,
            has_more_fields: false,
        };
        let read_only = match role {
            Role::Consumer { .. } => Some(hidden.reopen(OFlag::O_RDONLY)?),
            _ => None,
        };
        let fitting = Fitting { layout: plan.layout, schema: plan.schema.clone(), part: None };
        let mut region = candidate.map(role, spec, fitting, read_only.as_ref())?;
        region.hidden = hidden.hidden_path().map(Path::to_owned);
        // It is of this boot, so there is nothing to judge.
        region.store_boot();
        if let Some((old, latest)) = old {
            old.start_larger(&region, latest)?;
        }
        let side = region.claim_role(role, spec)?;
        if let Some((old, _)) = old {
            // After the claim, with which a producer forgets where another one's values were from.
            old.copy_origin(&region);
        }
        reached(CrashPoint::RegionClaimed);
        let attached = Attached { region, side, left: None, created: true };
        Ok(Self { hidden, attached, size })
    }

    /// Makes it visible. `None`: another creator was faster.
    pub(super) fn link(self) -> Result<Option<Attached>> {
        if !self.hidden.link()? {
            return Ok(None);
        }
        reached(CrashPoint::RegionLinked);
        let region = &self.attached.region;
        tracing::info!(region = region.name(), bytes = self.size, "created");
        Ok(Some(self.attached))
    }
}

/// Writes the description and the header; the magic comes last.
fn write(
    location: &Location,
    spec: &Spec,
    plan: &Plan,
    file: &File,
    line: Option<u64>,
) -> Result<Prelude> {
    let write = |bytes: &[u8], offset: u64| {
        file.write_all_at(bytes, offset).map_err(|error| location.io_error("pwrite", &error))
    };
    let flags = if spec.ephemeral { EPHEMERAL } else { 0 };
    let (instance, line) = (random(file), line.unwrap_or_else(|| random(file)));
    let prelude = plan.layout.prelude(instance, line, plan.schema.hash(), flags);
    let after_magic = prelude.as_bytes().get(MAGIC.len()..).unwrap_or_default();
    write(plan.schema_text.as_bytes(), plan.layout.schema_offset.into())?;
    if spec.kind == Kind::Channel {
        write(&plan.buffers.to_le_bytes(), Region::pool_offset(&plan.layout))?;
    }
    if let Some(initial) = &spec.initial {
        // Nobody else sees the region yet, so no lock is needed, and nobody sees it without this.
        write(initial, plan.layout.buffers_offset)?;
        write(&1u64.to_le_bytes(), layout::WRITES)?;
    }
    write(after_magic, MAGIC.len() as u64)?;
    reached(CrashPoint::RegionWritten);
    write(&MAGIC, 0)?;
    Ok(prelude)
}

/// The option that asks for a smaller region.
fn smaller(spec: &Spec) -> &'static str {
    let is_sized =
        spec.schema.as_ref().is_some_and(|schema| schema.root().shape().element.is_none());
    match spec.kind {
        Kind::Channel if !is_sized => "a smaller .capacity()",
        Kind::Channel if spec.consumers.unwrap_or(1) > 1 => "fewer .consumers()",
        Kind::Mmap | Kind::RwMmap => "a smaller .size()",
        Kind::Channel | Kind::State => "",
    }
}

/// A number that no other region of this name is likely to have.
fn random(file: &File) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // The standard library seeds this from the kernel's random numbers.
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u64(file.metadata().map_or(0, |metadata| metadata.ino()));
    hasher.write_u64(crate::os::clock::now());
    hasher.finish()
}
