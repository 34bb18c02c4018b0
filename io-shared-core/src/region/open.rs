//! Finding a region or waiting for it, and mapping it.

use std::fs::File;
use std::sync::Mutex;
use std::time::Duration;

use memmap2::{MmapOptions, MmapRaw};
use nix::fcntl::OFlag;

use super::create::New;
use super::enter::Attached;
use super::found::{Found, Judged, identity_of};
use super::linked::{self, Joined};
use super::{Buffers, Region, Role, Spec, create, enter};
use crate::error::{ErrorKind, Result};
use crate::message::schema::Schema;
use crate::os::claim::Part;
use crate::os::clock::{self, Clock};
use crate::os::fork;
use crate::os::long_wait::LongWait;
use crate::os::nap::nap;
use crate::region::layout::{EPHEMERAL, Kind, Layout};
use crate::region::location::Location;

/// How often a missing or unsuitable region is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long a consumer waits for a producer to replace a region of another shape.
const REPLACEMENT_TIMEOUT: Duration = Duration::from_secs(1);
/// How often an opening starts over because the name was replaced under it.
const START_OVERS: usize = 1000;

/// Opens the region in that place in `role`, creating, replacing or waiting for it as DESIGN.md
/// section 3 says.
pub(crate) fn attach(location: &Location, role: &Role, spec: &Spec) -> Result<Attached> {
    enter::check_name(location, role)?;
    let planned = create::plan(location, role, spec)?;
    let started = clock::now();
    let wait = |since: u64, default: Option<Duration>| match spec.open_timeout.or(default) {
        Some(timeout) => since.saturating_add(timeout.as_nanos().min(u64::MAX.into()) as u64),
        None => u64::MAX,
    };
    let access = if *role == Role::Observer { OFlag::O_RDONLY } else { OFlag::O_RDWR };
    let mut differs_since = None;
    let long = LongWait::since(started);
    let mut pause = Duration::from_millis(1);
    let mut pause_until = |deadline: u64| {
        let left = Duration::from_nanos(deadline.saturating_sub(clock::now()));
        nap(pause.min(left));
        pause = (pause * 2).min(LOOK_AGAIN);
        !left.is_zero()
    };
    // Each start over means that another process has got on meanwhile.
    for _ in 0..START_OVERS {
        let Some(found) = Found::at(location, access)? else {
            if let Some(planned) = &planned {
                if let Some(attached) = New::make(location, role, spec, planned)?.link()? {
                    return Ok(attached);
                }
            } else if spec.kind == Kind::Channel
                && (matches!(location, Location::Anonymous)
                    || *role == Role::Producer && spec.open_timeout.is_none())
            {
                // Nobody else makes an anonymous one: it is not waited for.
                return Err(create::no_capacity(location));
            } else {
                // At least once: there may be zeros that are as good as nothing.
                loop {
                    if !pause_until(wait(started, None)) {
                        return Err(location.error(ErrorKind::NotFound).advise(absent(role, spec)));
                    }
                    if long.is_due(clock::now()) {
                        tell_of_missing(location);
                    }
                    if location.identity().is_some() {
                        break;
                    }
                }
            }
            continue;
        };
        if found.is_ephemeral() && *role != Role::Observer && found.retire_left_over()? {
            continue;
        }
        let differences = match found.judge(spec)? {
            Judged::Fits(layout, schema) => match found.enter(role, spec, layout, *schema)? {
                Some(attached) => return Ok(attached),
                None => continue, // it was replaced meanwhile
            },
            Judged::Differs(differences) => differences,
        };
        let transient = matches!(location, Location::Shm(_))
            && spec.kind == Kind::Channel
            && found.is_of_kind(spec);
        let replaces = match (location, role) {
            (Location::Descriptor(_), _) => false,
            (_, Role::Producer) => transient || spec.replace,
            (_, Role::Locker) => spec.replace,
            _ => false,
        };
        let advice = match location {
            Location::Descriptor(_) => "make a new one",
            _ if transient => {
                "a producer of the new shape, with a capacity, replaces it at its start"
            }
            _ if spec.kind == Kind::Channel => "a producer with .replace(true) replaces it",
            _ => "open it with .replace(true), or remove it",
        };
        let mismatch = |found: &Found| {
            let holders = found.holders()?;
            Err(location.error(ErrorKind::Mismatch {
                differences: differences.clone(),
                holders,
                advice,
            }))
        };
        match &planned {
            Some(planned) if replaces => {
                if found.is_taken_for_long(Part::Roles)? {
                    return mismatch(&found);
                }
                // The new one first: what is there is not lost to a lack of room or descriptors.
                let new = New::make(location, role, spec, planned)?;
                if !found.retire_unused()? {
                    return mismatch(&found);
                }
                tracing::info!(region = %location, ?differences, "replaced a region of another shape");
                if let Some(attached) = new.link()? {
                    return Ok(attached);
                }
            }
            _ => {
                let since = *differs_since.get_or_insert_with(clock::now);
                let consumer = matches!(role, Role::Consumer { .. } | Role::Observer);
                if !consumer || !pause_until(wait(since, Some(REPLACEMENT_TIMEOUT))) {
                    return mismatch(&found);
                }
                if found.is_taken_for_long(Part::Producer)?
                    && location.identity() == Some(found.identity)
                {
                    return mismatch(&found);
                }
                if long.is_due(clock::now()) {
                    tracing::warn!(
                        region = %location,
                        producer = false,
                        ?differences,
                        "has waited for over a second for {location} to be replaced, which has another \
                         shape and no producer",
                    );
                }
            }
        }
    }
    Err(location.error(ErrorKind::Busy { doing: "opening it" }))
}

/// What to do where nothing is.
fn absent(role: &Role, spec: &Spec) -> &'static str {
    match (role, spec.kind) {
        (Role::Observer, _) => START_OR_WAIT,
        // A consumer that takes messages of any type does not create the channel.
        (_, Kind::Channel) if spec.schema.is_none() => START_OR_WAIT,
        (_, Kind::Channel) => {
            "start the program that creates it, wait for that with a longer .open_timeout(), or say \
             how large it is (.capacity()) to have it created here"
        }
        _ => {
            "start the program that creates it, wait for that with a longer .open_timeout(), or say \
             how large it is (.size()) to have it created here"
        }
    }
}

/// The advice for a handle that creates nothing.
const START_OR_WAIT: &str =
    "start the program that creates it, or wait for that with a longer .open_timeout()";

/// Says that `location` is waited for to be there.
#[cold]
pub(crate) fn tell_of_missing(location: &Location) {
    tracing::warn!(
        region = %location,
        producer = false,
        "has waited for over a second for {location}, which is not there: no producer or other program \
         has created it; is the name right? (`open_timeout` bounds this wait)",
    );
}

impl Found {
    /// Claims `role` in the region and maps it. `None`: the name leads elsewhere by now.
    fn enter(
        self,
        role: &Role,
        spec: &Spec,
        layout: Layout,
        schema: Schema,
    ) -> Result<Option<Attached>> {
        let read_only = if matches!(role, Role::Consumer { .. }) {
            match self.location.open(OFlag::O_RDONLY)? {
                Some(file) if identity_of(&self.location, &file)? == self.identity => Some(file),
                _ => return Ok(None),
            }
        } else {
            None
        };
        let region = Region::map(self, role, spec, layout, schema, read_only.as_ref())?;
        let Some(side) = linked::enter(&region, |region| region.claim(role, spec.patience))? else {
            region.check_mark()?;
            return Ok(None);
        };
        tracing::debug!(region = region.name(), ?role, "opened");
        Ok(Some(Attached { region, side }))
    }
}

/// Leaves what is mapped from `offset` on out of core dumps. The kernel does that by itself for files
/// that have a name, and not for memory without one, nor once the name was removed.
pub(crate) fn leave_out_of_dumps(map: &MmapRaw, offset: u64) {
    let Some(length) = map.len().checked_sub(offset as usize).filter(|length| *length > 0) else {
        return;
    };
    // Where it cannot be, a dump is larger, and nothing else.
    let _ = map.advise_range(memmap2::Advice::DontDump, offset as usize, length);
}

impl Joined for Region {
    fn is_replaced(&self) -> bool {
        Region::is_replaced(self)
    }
}

impl Region {
    /// A remover takes the name before it sets the flag, so a flag under a name that still leads
    /// here is no remover's: starting over would find it again, and again.
    fn check_mark(&self) -> Result<()> {
        if !self.is_retired() || self.location.identity() != Some(self.identity) {
            return Ok(());
        }
        Err(self.error(match self.location {
            Location::Descriptor(_) => ErrorKind::Replaced,
            _ => ErrorKind::Corrupt {
                what: "it is marked as removed, and its name still leads to it".into(),
            },
        }))
    }

    /// Maps what was found: the header and (read-only) the buffers for a consumer, the whole for
    /// the others.
    pub(super) fn map(
        found: Found,
        role: &Role,
        spec: &Spec,
        layout: Layout,
        schema: Schema,
        read_only: Option<&File>,
    ) -> Result<Self> {
        let location = found.location;
        let page = create::page_size();
        if !layout.buffers_offset.is_multiple_of(page.into()) || layout.align > page {
            let what = format!(
                "the region was made with pages of {} bytes, this machine has {page}",
                layout.page_size
            );
            return Err(location.error(ErrorKind::Unsupported { what }));
        }
        let failed = |error: std::io::Error| location.io_error("mmap", &error);
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
            options(offset, length).map_raw_read_only(file).map_err(failed)
        };
        let write = |file: &File, length| options(0, length).map_raw(file).map_err(failed);
        let (header, apart): (MmapRaw, Option<MmapRaw>) = match role {
            Role::Producer | Role::Locker => (write(&found.file, whole)?, None),
            Role::Consumer { .. } if whole > head => (
                write(&found.file, head)?,
                Some(read(read_only.unwrap_or(&found.file), head, whole - head)?),
            ),
            Role::Consumer { .. } => (write(&found.file, head)?, None),
            Role::Observer => (read(&found.file, 0, whole)?, None),
        };
        match &apart {
            Some(apart) => leave_out_of_dumps(apart, 0),
            None => leave_out_of_dumps(&header, head),
        }
        let start = match &apart {
            Some(apart) => apart.as_mut_ptr(),
            // SAFETY: the header is mapped up to here at least.
            None => unsafe { header.as_mut_ptr().add(head as usize) },
        };
        let buffers = Buffers { start, _apart: apart };
        let keeps = location.keeps(&found.file);
        let overlaid = *role == Role::Observer && location.is_overlay(&found.file);
        let kept = location.path().is_none() || *role == Role::Observer;
        let file = kept.then_some(found.file);
        let name = location.to_string();
        let directory = match location {
            Location::File(_) => location.directory_identity(),
            _ => None,
        };
        let ephemeral = found.prelude.flags & EPHEMERAL != 0;
        let shape = schema.root().shape();
        let stores_inline =
            layout.is_small() && shape.element.is_none() && shape.size as u64 == layout.capacity;
        let (identity, claims) = (found.identity, found.claims);
        let (generation, clock) = (fork::generation(), Clock::here());
        Ok(Self {
            name,
            location,
            identity,
            directory,
            clock,
            generation,
            claims,
            header,
            buffers,
            file,
            ephemeral,
            overlaid,
            keeps,
            layout,
            stores_inline,
            schema,
            sleepers: Mutex::new(0),
        })
    }
}
