//! Whether a candidate is whole, and whether it is what a program wants.
//!
//! Everything read here is checked before it is used: another process may have written any bytes.

use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering::Acquire;
use std::sync::atomic::fence;

use super::candidate::Candidate;
use super::layout::{self, Kind, Layout};
use super::mapped::Region;
use super::spec::{Role, Spec};
use crate::error::{Bytes, Error, Result};
use crate::message::schema::Schema;
use crate::protocol::{MOST_BUFFERS, OWN_BUFFERS};

/// What a region that fits has.
pub(super) struct Fitting {
    pub(super) layout: Layout,
    pub(super) schema: Schema,
    /// The program's own type, where a message of it is how a message of the region begins.
    pub(super) part: Option<Schema>,
}

/// A whole region, compared with what a program wants.
pub(super) enum Verdict {
    Fits(Box<Fitting>),
    /// Its messages are how this producer's begin; how they differ.
    Grows(Box<Fitting>, Vec<String>),
    Differs(Vec<String>),
}

impl Candidate {
    /// Whether the region is whole, and how it differs from `spec`. To those that only read, its
    /// messages may have more fields after those that they know.
    pub(super) fn validate(&mut self, role: &Role, spec: &Spec) -> Result<Verdict> {
        self.read_pool()?;
        let version = self.prelude.version;
        let corrupt = |what: String| Error::corrupt(&self.location, what);
        if let Some(damage) = self.damage() {
            return Err(corrupt(damage));
        }
        if version != layout::VERSION {
            return Ok(Verdict::Differs(vec![format!(
                "layout version: {} has {version}, this program {}",
                self.noun(),
                layout::VERSION
            )]));
        }
        let layout =
            Layout::from_prelude(&self.prelude).map_err(|what| corrupt(what.to_owned()))?;
        if layout.kind != spec.kind {
            return Ok(Verdict::Differs(vec![format!(
                "kind: it is {}, this program wants {}",
                layout.kind.describe(),
                spec.kind.describe()
            )]));
        }
        // A longer one is whole: descriptors append, so that a stray write lands after the content.
        let expected = layout.size(self.pool);
        if self.size < expected {
            return Err(corrupt(format!("it has {} instead of {expected}", Bytes(self.size))));
        }
        let schema = self.read_schema(&layout)?;
        let own = spec.schema.as_ref();
        let reads = matches!(role, Role::Consumer { .. } | Role::Observer);
        let part = own.filter(|own| own.hash() != schema.hash() && own.is_prefix_of(&schema));
        self.has_more_fields = part.is_some();
        let part = part.filter(|_| reads);
        let mut differences = match own {
            Some(own) if part.is_none() => own.differences(&schema),
            _ => Vec::new(),
        };
        differences.extend(self.too_few(&layout, spec));
        let grows = *role == Role::Producer && own.is_some_and(|own| schema.is_prefix_of(own));
        let fitting = Box::new(Fitting { layout, part: part.cloned(), schema });
        Ok(match differences.is_empty() {
            true => Verdict::Fits(fitting),
            false if grows => Verdict::Grows(fitting, differences),
            false => Verdict::Differs(differences),
        })
    }

    /// Reads how many buffers a channel has, and how long its file is: as long as they need at
    /// least.
    fn read_pool(&mut self) -> Result<()> {
        let layout = match self.prelude.version {
            layout::VERSION => Layout::from_prelude(&self.prelude).ok(),
            _ => None,
        };
        let Some(layout) = layout.filter(|layout| layout.kind == Kind::Channel) else {
            return Ok(()); // what else it is, or is wrong with it, is judged without
        };
        let mut pool = [0; 8];
        match self.file.read_exact_at(&mut pool, Region::pool_offset(&layout)) {
            Ok(()) => self.pool = u64::from_le_bytes(pool),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()), // too short
            Err(error) => return Err(self.location.io_error("pread", &error)),
        }
        // Acquire: whoever extended the pool has extended the file first.
        fence(Acquire);
        let metadata = self.file.metadata().map_err(|e| self.location.io_error("fstat", &e))?;
        self.size = metadata.len();
        match self.pool {
            OWN_BUFFERS..=MOST_BUFFERS => Ok(()),
            pool => {
                let what = format!("it says that it has {pool} buffers");
                Err(Error::corrupt(&self.location, what))
            }
        }
    }

    /// The options of which the region has less than `spec` asks for.
    fn too_few(&self, layout: &Layout, spec: &Spec) -> impl Iterator<Item = String> {
        let (slots, size) = match spec.kind {
            Kind::Channel => ("consumers", "capacity"),
            _ => ("handles", "size"),
        };
        let noun = self.noun();
        let options = [
            (size, layout.capacity, spec.capacity.filter(|_| !spec.growing)),
            (slots, layout.consumers.into(), spec.consumers.map(u64::from)),
        ];
        options.into_iter().filter_map(move |(option, found, wanted)| {
            let wanted = wanted.filter(|wanted| *wanted > found)?;
            Some(format!("{option}: {noun} has {found}, this program wants at least {wanted}"))
        })
    }

    /// `channel`, or `region` for the other kinds.
    fn noun(&self) -> &'static str {
        if self.is_of_kind(Kind::Channel) { "channel" } else { "region" }
    }

    fn read_schema(&self, layout: &Layout) -> Result<Schema> {
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
            return Err(corrupt("its schema is not the one it was created with".into()));
        }
        if schema.root().shape().align != layout.align as usize {
            return Err(corrupt("its alignment does not match its schema's".into()));
        }
        Ok(schema)
    }
}
