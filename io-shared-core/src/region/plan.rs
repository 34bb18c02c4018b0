//! What a new region would be, and which options make it impossible.

use super::layout::{self, Kind, Layout, LayoutError, USUAL_CONSUMERS};
use super::location::Location;
use super::spec::{Role, Spec};
use crate::error::{Error, ErrorKind, Result};
use crate::message::schema::{Field, Schema, Struct, Type};
use crate::os::file::page_size;
use crate::protocol::{MOST_HOLDS, OWN_BUFFERS};

/// A region that can be created.
pub(super) struct Plan {
    pub(super) layout: Layout,
    /// How many buffers it has at first.
    pub(super) buffers: u64,
    pub(super) schema: Schema,
    pub(super) schema_text: String,
}

/// The region that `role` would create. `None` for one that creates nothing: an observer, or a
/// handle that knows no type or no capacity.
pub(super) fn plan(location: &Location, role: &Role, spec: &Spec) -> Result<Option<Plan>> {
    check_holds(location, spec)?;
    let Some(schema) = &spec.schema else { return Ok(None) };
    check_mode(location, spec)?;
    let schema_text = schema.to_json();
    let planned = |capacity| {
        Layout::plan(
            spec.kind,
            slots(spec),
            capacity,
            u32::try_from(schema.root().shape().align).unwrap_or(u32::MAX),
            u32::try_from(schema_text.len()).unwrap_or(u32::MAX),
            page_size(),
        )
    };
    let layout = planned(spec.capacity.unwrap_or(0)).map_err(|error| {
        impossible(location, spec, error, || largest(|bytes| planned(bytes).is_ok()))
    })?;
    // Whoever opens the region reads its schema.
    Schema::from_json(&schema_text).map_err(|error| {
        let what = format!("no program can read the description of the type: {error}");
        location.error(ErrorKind::Unsupported { what })
    })?;
    let buffers = match spec.kind {
        Kind::Channel => OWN_BUFFERS + u64::from(spec.consumers.unwrap_or(1)),
        _ => 1,
    };
    let plan = Plan { layout, buffers, schema: schema.clone(), schema_text };
    // Wrong options are refused even where nothing would be created.
    Ok((*role != Role::Observer && spec.capacity.is_some()).then_some(plan))
}

/// How many slots it has.
fn slots(spec: &Spec) -> u32 {
    match (spec.kind, spec.consumers) {
        (Kind::Channel, None) => USUAL_CONSUMERS,
        // More than usual only if they are asked for.
        (Kind::Channel, Some(asked)) if asked > 0 => asked.max(USUAL_CONSUMERS),
        (_, asked) => asked.unwrap_or(64),
    }
}

/// Each consumer says for itself how many values it holds.
fn check_holds(location: &Location, spec: &Spec) -> Result<()> {
    match spec.holds {
        Some(holds) if holds == 0 || holds > MOST_HOLDS => {
            Err(location.error(ErrorKind::BadOption {
                option: "holds",
                found: holds.to_string(),
                expected: format!("a consumer holds 1 to {MOST_HOLDS} values"),
            }))
        }
        _ => Ok(()),
    }
}

fn check_mode(location: &Location, spec: &Spec) -> Result<()> {
    match spec.mode {
        Some(mode) if mode & !0o777 != 0 || mode & 0o600 != 0o600 => {
            let expected = "permission bits up to 0o777 that let the owner read and write, such as \
                            0o660";
            Err(location.error(ErrorKind::BadOption {
                option: "mode",
                found: format!("{mode:#o}"),
                expected: expected.into(),
            }))
        }
        _ => Ok(()),
    }
}

/// The error of a producer that would create a channel but does not know its capacity.
pub(super) fn no_capacity(location: &Location, spec: &Spec) -> Error {
    let lists = match spec.schema.as_ref().map(Schema::root) {
        Some(Type::Struct(layout)) if layout.has_lists() => Some(layout),
        _ => None,
    };
    let (what, ways) = match lists {
        Some(Struct { name, fields, .. }) => {
            let list = first_list(fields);
            ("have lists", format!(".growing(true) or .lists({name}::capacity().{list}(100))"))
        }
        None => ("end in a slice", ".elements(100_000) or .growing(true)".to_owned()),
    };
    let expected = format!(
        "a producer of messages that {what} says how large they get, or that they may grow, as in \
         .capacity(\"5M\"), {ways}, or waits with .open_timeout() for a consumer that says so"
    );
    location.error(ErrorKind::BadOption { option: "capacity", found: "not given".into(), expected })
}

/// The name of the first list.
fn first_list(fields: &[Field]) -> &str {
    let list = fields.iter().find(|field| matches!(field.ty, Type::List { .. }));
    list.map_or("list", |field| &*field.name)
}

/// The largest number that `fits`, where every smaller one fits too.
fn largest(fits: impl Fn(u64) -> bool) -> u64 {
    (0..64).rev().map(|bit| 1 << bit).fold(0, |largest, bit| match fits(largest | bit) {
        true => largest | bit,
        false => largest,
    })
}

/// The error for options from which no layout follows.
fn impossible(
    location: &Location,
    spec: &Spec,
    error: LayoutError,
    largest: impl Fn() -> u64,
) -> Error {
    let show = |value: Option<u32>| value.map_or_else(String::new, |value| value.to_string());
    let (slots, size) = match spec.kind {
        Kind::Channel => ("consumers", "capacity"),
        _ => ("handles", "size"),
    };
    let unsupported = |what: &str| location.error(ErrorKind::Unsupported { what: what.into() });
    let (option, found, expected) = match error {
        LayoutError::Consumers => (slots, show(spec.consumers), most_slots(spec)),
        LayoutError::Align => return unsupported("messages are aligned to a page at most"),
        LayoutError::Schema => return unsupported("the type's description is longer than 1 MiB"),
        LayoutError::Size => (
            size,
            spec.capacity.map_or_else(String::new, |capacity| capacity.to_string()),
            format!("the region must stay below 2^63 bytes: at most .{size}({})", largest()),
        ),
    };
    location.error(ErrorKind::BadOption { option, found, expected })
}

/// How many slots a region of this kind may have.
fn most_slots(spec: &Spec) -> String {
    match spec.kind {
        _ if spec.consumers == Some(0) => "there is at least one slot".to_owned(),
        Kind::Channel => format!("at most .consumers({})", layout::MOST_CONSUMERS),
        _ => format!("a lock has at most {} slots", layout::MOST_LOCKERS),
    }
}
