//! Mapping a validated candidate: the header and the buffers, as far as a role may write them.

use std::fs::File;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32};

use memmap2::{MmapOptions, MmapRaw};

use super::buffers::Buffers;
use super::candidate::Candidate;
use super::layout::{EPHEMERAL, Kind, Layout};
use super::location::Location;
use super::mapped::Region;
use super::spec::{Role, Spec};
use super::validate::Fitting;
use crate::error::{ErrorKind, Result};
use crate::message::schema::Checks;
use crate::os::clock_id::Clock;
use crate::os::file::{leave_out_of_dumps, page_size};
use crate::os::fork;

impl Candidate {
    /// Maps the region: a consumer's buffers read-only, from the file `read_only` if there is one;
    /// all of it read-only for an observer, unless it asks for a history, which the header says;
    /// all of it to write for the others.
    pub(super) fn map(
        self,
        role: &Role,
        spec: &Spec,
        fitting: Fitting,
        read_only: Option<&File>,
    ) -> Result<Region> {
        let Fitting { layout, schema, part } = fitting;
        self.check_page_size(&layout)?;
        let (header, separate) = self.mappings(role, spec, &layout, read_only)?;
        let head = layout.buffers_offset;
        let start = match &separate {
            Some(separate) => {
                leave_out_of_dumps(separate, 0);
                separate.as_mut_ptr()
            }
            None => {
                leave_out_of_dumps(&header, head);
                // SAFETY: the header is mapped at least up to here.
                unsafe { header.as_mut_ptr().add(head as usize) }
            }
        };
        let location = self.location;
        let is_observer = *role == Role::Observer;
        let shape = schema.root().shape();
        // A part of a message with lists is as long as all of it: that is where its lists lie.
        let sized_part = part.as_ref().filter(|_| shape.element.is_none());
        let size_of_part = sized_part.map(|part| part.root().shape().size as u64);
        let own = part.unwrap_or(schema);
        Ok(Region {
            name: location.to_string(),
            identity: self.identity,
            line: self.prelude.line,
            directory: match location {
                Location::File(_) => location.directory_identity(),
                _ => None,
            },
            clock: Clock::here(),
            generation: fork::generation(),
            claims: self.claims,
            header,
            buffers: Buffers::new(start, separate, &layout, self.pool as usize),
            writes_buffers: matches!(role, Role::Producer | Role::Locker),
            prefaults: spec.prefault && layout.kind == Kind::Channel,
            left_to_others: AtomicBool::new(false),
            ephemeral: self.prelude.flags & EPHEMERAL != 0,
            overlaid: is_observer && location.is_overlay(&self.file),
            survives_reboot: location.survives_reboot(&self.file),
            file: (location.path().is_none() || is_observer).then_some(self.file),
            hidden: None,
            location,
            own_size: size_of_part.unwrap_or(layout.capacity),
            unknown: size_of_part.map_or(0, |part| shape.size as u64 - part),
            layout,
            stores_inline: layout.is_small()
                && shape.element.is_none()
                && shape.size as u64 == layout.capacity,
            checks: Checks::of(own.root()),
            own_shape: own.root().shape(),
            schema: own,
            own_history: AtomicU32::new(0),
            asks_for_others: AtomicBool::new(false),
            sleepers: Mutex::new(0),
        })
    }

    /// Refuses a region whose pages are not this machine's: its parts could not be mapped apart.
    fn check_page_size(&self, layout: &Layout) -> Result<()> {
        let page = page_size();
        if layout.buffers_offset.is_multiple_of(page.into()) && layout.align <= page {
            return Ok(());
        }
        let what = format!(
            "the region was created with pages of {} bytes, but this machine has pages of {page}",
            layout.page_size
        );
        Err(self.location.error(ErrorKind::Unsupported { what }))
    }

    /// The mapping that starts with the header, and the buffers' if it is a separate one.
    fn mappings(
        &self,
        role: &Role,
        spec: &Spec,
        layout: &Layout,
        read_only: Option<&File>,
    ) -> Result<(MmapRaw, Option<MmapRaw>)> {
        let failed = |error: std::io::Error| self.location.io_error("mmap", &error);
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
        let write = |length| options(0, length).map_raw(&self.file).map_err(failed);
        let (whole, head) = (layout.size(self.pool), layout.buffers_offset);
        Ok(match role {
            Role::Producer | Role::Locker => (write(whole)?, None),
            Role::Observer if !spec.asks_for_history() => (read(&self.file, 0, whole)?, None),
            Role::Consumer { .. } | Role::Observer if whole > head => {
                let header = write(head)?;
                let buffers = read(read_only.unwrap_or(&self.file), head, whole - head)?;
                (header, Some(buffers))
            }
            Role::Consumer { .. } | Role::Observer => (write(head)?, None),
        })
    }
}
