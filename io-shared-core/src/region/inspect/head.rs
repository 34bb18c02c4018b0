//! The start of a region, read from its file: what it is, and what its newest value is.

use std::fs::File;
use std::os::unix::fs::FileExt;

use zerocopy::FromBytes;

use super::super::blocks;
use super::super::layout::{self, EPHEMERAL, Kind, Layout, Prelude};
use super::newest::{Fault, Values};
use super::roles::Roles;
use super::{Content, Region};
use crate::error::Bytes;
use crate::message::schema::Schema;
use crate::protocol::{MOST_BUFFERS, OWN_BUFFERS};

/// The start of a sound region.
pub(super) struct Head {
    pub(super) layout: Layout,
    pub(super) prelude: Prelude,
    pub(super) schema: Schema,
    /// Everything before the schema.
    bytes: Vec<u8>,
}

/// Why a file is no sound region of this version.
pub(super) enum Unreadable {
    Foreign(String),
    OtherVersion(u32),
    Damaged(String),
}

impl Head {
    pub(super) fn read(file: &File) -> Result<Self, Unreadable> {
        let mut bytes = [0; size_of::<Prelude>()];
        let there = file.read_at(&mut bytes, 0).unwrap_or(0);
        let prelude = Prelude::read_from_bytes(&bytes);
        let Ok(prelude) = prelude.map_err(drop) else {
            return Err(Unreadable::Foreign("too short".to_owned()));
        };
        if prelude.magic != layout::MAGIC {
            let what = "an object that does not start with `ioshared`";
            return Err(Unreadable::Foreign(what.to_owned()));
        }
        if there < bytes.len() {
            // As whoever opens it sees it: only a claim tells that it was more.
            return Err(Unreadable::Foreign("an object that is shorter than a header".to_owned()));
        }
        if prelude.version != layout::VERSION {
            return Err(Unreadable::OtherVersion(prelude.version));
        }
        let damaged = |what: &str| Unreadable::Damaged(what.to_owned());
        let layout = Layout::from_prelude(&prelude).map_err(damaged)?;
        let mut text = vec![0; layout.schema_length as usize];
        let mut bytes = vec![0; layout.schema_offset as usize];
        let cut = |_| damaged("it was cut to less than its header");
        file.read_exact_at(&mut bytes, 0).map_err(cut)?;
        file.read_exact_at(&mut text, layout.schema_offset.into()).map_err(cut)?;
        let text = String::from_utf8(text).map_err(|_| damaged("its schema is not UTF-8"))?;
        let schema = Schema::from_json(&text)
            .map_err(|error| Unreadable::Damaged(format!("its schema cannot be read: {error}")))?;
        if schema.hash() != prelude.schema_hash {
            return Err(damaged("its schema is not the one it was created with"));
        }
        Ok(Self { layout, prelude, schema, bytes })
    }

    /// How many buffers it has.
    fn buffers(&self) -> u64 {
        match self.layout.kind {
            Kind::Channel => {
                let start = self.layout.producer_offset as usize;
                blocks::noted_clock(self.bytes.get(start..).unwrap_or_default()).pool
            }
            _ => 1,
        }
    }
}

/// What is in `file`.
pub(super) fn read(file: &File) -> Content {
    let roles = Roles::of(file);
    let head = match Head::read(file) {
        Ok(head) => head,
        Err(Unreadable::Foreign(what)) if !roles.is_any() => return Content::Foreign { what },
        Err(Unreadable::Foreign(_)) => {
            // Only users of a region have claims.
            let what = "its header was cut or overwritten".to_owned();
            return Content::Damaged { what, is_used: true };
        }
        Err(Unreadable::OtherVersion(version)) => {
            return Content::OtherVersion { version, is_used: roles.is_any() };
        }
        Err(Unreadable::Damaged(what)) => {
            return Content::Damaged { what, is_used: roles.is_any() };
        }
    };
    let buffers = head.buffers();
    if head.layout.kind == Kind::Channel && !(OWN_BUFFERS..=MOST_BUFFERS).contains(&buffers) {
        let what = format!("it says that it has {buffers} buffers");
        return Content::Damaged { what, is_used: roles.is_any() };
    }
    // After the number of buffers: whoever adds some has extended the file first.
    let (there, expected) =
        (file.metadata().map_or(0, |found| found.len()), head.layout.size(buffers));
    if there < expected {
        let what = format!("it has {} instead of {expected}", Bytes(there));
        return Content::Damaged { what, is_used: roles.is_any() };
    }
    let values = Values { file, layout: &head.layout };
    let (newest, rate) = match head.layout.kind {
        Kind::Channel => match values.newest() {
            Err(Fault::Corrupt(what)) => {
                return Content::Damaged { what: what.to_owned(), is_used: roles.is_any() };
            }
            newest => (newest.ok().flatten(), values.rate()),
        },
        _ => (None, None),
    };
    Content::Region(Box::new(Region {
        kind: head.layout.kind,
        version: head.prelude.version,
        capacity: head.layout.capacity,
        slots: head.layout.consumers,
        buffers,
        is_ephemeral: head.prelude.flags & EPHEMERAL != 0,
        newest,
        rate,
        producer: roles.producer(&head.bytes, &head.layout),
        consumers: roles.consumers(&head.bytes, &head.layout),
        is_being_replaced: roles.is_being_replaced(),
        schema: head.schema,
    }))
}
