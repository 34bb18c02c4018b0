//! An entry as JSON, for programs and for other languages.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};

use super::roles::Participant;
use super::{Content, Entry, Region};
use crate::message::schema::Type;

/// The entry as one line of JSON.
pub(super) fn of(entry: &Entry) -> Json {
    let mut object = json!({
        "name": entry.name,
        "state": state(&entry.content),
        "bytes": entry.bytes,
        "allocated": entry.allocated,
        "mode": format!("{:04o}", entry.mode),
        "uid": entry.uid,
        "changed": seconds(entry.changed),
    });
    let more = match &entry.content {
        Content::Region(region) => of_region(region),
        Content::OtherVersion { version, is_used } => json!({"version": version, "used": is_used}),
        Content::Damaged { what, is_used } => json!({"what": what, "used": is_used}),
        Content::Foreign { what } => json!({"what": what}),
        Content::Refused => Json::Null,
    };
    if let (Json::Object(object), Json::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

fn state(content: &Content) -> &'static str {
    match content {
        Content::Region(_) => "region",
        Content::OtherVersion { .. } => "other version",
        Content::Damaged { .. } => "damaged",
        Content::Refused => "no permission",
        Content::Foreign { .. } => "not a region",
    }
}

/// Seconds since 1970.
fn seconds(at: SystemTime) -> Option<f64> {
    at.duration_since(UNIX_EPOCH).ok().map(|at| at.as_secs_f64())
}

fn of_region(region: &Region) -> Json {
    let newest = region.newest.as_ref();
    let age = newest.and_then(|newest| newest.age()).map(|age| age.as_secs_f64());
    let consumers: Vec<Json> = region.consumers.iter().map(of_participant).collect();
    json!({
        "kind": region.kind.to_string(),
        "type": region.type_name(),
        "version": region.version,
        "used": region.is_used(),
        "capacity": region.capacity,
        "buffers": region.buffers,
        "slots": region.slots,
        "ephemeral": region.is_ephemeral,
        "seq": newest.map(|newest| newest.seq),
        "stamp": newest.map(|newest| newest.stamp),
        "tag": newest.map(|newest| newest.tag),
        "value_bytes": newest.map(|newest| newest.bytes),
        "age": age,
        "rate": region.rate,
        "producer": region.producer.as_ref().map(of_participant),
        "consumers": consumers,
    })
}

fn of_participant(participant: &Participant) -> Json {
    json!({
        "connected": participant.is_connected,
        "slot": participant.slot,
        "name": participant.name,
        "command": participant.command,
        "pid": participant.pid,
        "since": participant.since.and_then(seconds),
        "holds": participant.holds,
        "last_seen": participant.last_seen,
        "origin": participant.origin,
    })
}

impl Region {
    /// The type's name: that of a struct, else what it is made of, such as `[<f4]`.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, inspect};
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-type-name-{}", std::process::id());
    /// # let speeds = io_shared::producer::<[f32; 3]>(name)?;
    /// let entry = inspect::entry(&Location::from(Name::new(name)?))?;
    /// let inspect::Content::Region(region) = entry.content else { unreachable!() };
    /// assert_eq!(region.type_name(), "[<f4; 3]");
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn type_name(&self) -> String {
        match self.schema.root() {
            Type::Struct(layout) => layout.name.clone(),
            other => other.to_string(),
        }
    }
}
