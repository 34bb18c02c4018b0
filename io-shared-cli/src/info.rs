//! `io-shared info`: all that is known of one channel.

use std::path::PathBuf;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use io_shared::inspect::{Content, Entry, Kind, Participant, Region};
use io_shared::schema::{Struct, Type};
use serde_json::Value as Json;

use crate::advice;
use crate::failure::Failure;
use crate::list;
use crate::named;
use crate::out::{Out, cut, plain};
use crate::people;
use crate::remote;
use crate::ros_package;
use crate::schema_text::{self, SchemaForm};
use crate::units;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The channel.
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(named::all))]
    name: String,
    /// Print only the type, to paste into a program; `ros2pkg` writes a package to DIR.
    #[arg(long, value_name = "FORM", requires_if("ros2pkg", "folder"))]
    schema: Option<SchemaForm>,
    /// The folder of the package.
    #[arg(value_name = "DIR", id = "folder", requires = "schema")]
    folder: Option<PathBuf>,
}

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    if out.json && options.schema.is_some_and(|form| form != SchemaForm::Json) {
        let text = "--schema prints no JSON in this form: say --schema json, or leave out --json";
        return Err(Failure::Usage(text.to_owned()));
    }
    let mut entry = [list::entry(&options.name)?];
    io_shared::inspect::measure_rates(&mut entry);
    let [entry] = entry;
    if let Some(form) = options.schema {
        let Content::Region(region) = &entry.content else {
            return Err(Failure::Failed(format!("{}: {}", entry.name, trouble(&entry))));
        };
        match &options.folder {
            Some(folder) if form == SchemaForm::Ros2pkg => {
                return ros_package::write(&region.schema, folder, out);
            }
            Some(_) => return Err(Failure::Usage("only ros2pkg is written to a folder".into())),
            None => {}
        }
        let text = schema_text::write(&region.schema, form).map_err(Failure::Failed)?;
        return Ok(out.line(text.trim_end())?);
    }
    if out.json {
        let mut object = list::json(&entry);
        if let (Content::Region(region), Some(object)) = (&entry.content, object.as_object_mut()) {
            let schema: Json = serde_json::from_str(&region.schema.to_json()).unwrap_or_default();
            object.insert("schema".to_owned(), schema);
        }
        return Ok(out.object(&object)?);
    }
    match &entry.content {
        Content::Region(region) => of_region(&entry, region, out),
        _ => {
            out.line(out.bold(&plain(&entry.name)))?;
            line(out, "state", &trouble(&entry))?;
            memory(&entry, out)
        }
    }
}

fn line(out: &mut Out, word: &str, text: &str) -> Result<(), Failure> {
    Ok(out.line(format!("  {word:<9} {text}"))?)
}

fn of_region(entry: &Entry, region: &Region, out: &mut Out) -> Result<(), Failure> {
    out.line(out.bold(&plain(&entry.name)))?;
    line(out, "kind", &region.kind.to_string())?;
    line(out, "type", &list::type_of(region))?;
    if region.kind == Kind::Channel {
        line(out, "newest", &newest(region))?;
        line(out, "rate", &region.rate.map_or("-".to_owned(), units::rate))?;
        participants(out, "producer", region.producer.as_slice())?;
        if let Some(from) = remote::from(region) {
            line(out, "from", &from)?;
        }
        participants(out, "consumers", &region.consumers)?;
    } else {
        participants(out, "handles", &region.consumers)?;
    }
    if region.is_being_replaced {
        line(out, "state", "somebody is replacing or removing it now")?;
    }
    memory(entry, out)?;
    let slots = if region.kind == Kind::Channel { "consumers" } else { "handles" };
    let buffers = match region.kind {
        Kind::Channel => format!("{} buffers of ", region.buffers),
        _ => String::new(),
    };
    let capacity = units::bytes(region.capacity);
    line(out, "room", &format!("{buffers}{capacity}, at most {} {slots}", region.slots))?;
    let ephemeral = if region.is_ephemeral { ", removed with its last user" } else { "" };
    line(out, "layout", &format!("version {}{ephemeral}", region.version))?;
    out.line("")?;
    fields(region, out)?;
    let name = advice::word(entry);
    let command = |words: &str| advice::command(&format!("{words} {name}"));
    match region.kind {
        Kind::Channel => out.advise(format_args!(
            "\nHow fast: {}\nWhat is in it: {}\nWhy mine does not open: {}",
            command("hz"),
            command("echo"),
            command("doctor")
        ))?,
        _ => out.advise(format_args!("\nWhy mine does not open: {}", command("doctor")))?,
    }
    Ok(())
}

fn newest(region: &Region) -> String {
    let Some(newest) = &region.newest else { return "nothing was ever put".to_owned() };
    let age = newest.age().map_or_else(
        || "put before this boot, or by another clock".to_owned(),
        |age| format!("put {} ago", units::duration(age)),
    );
    let tag = if newest.tag == 0 { String::new() } else { format!(", tag {}", newest.tag) };
    format!("value {}{tag}, {}, {age}", newest.seq, units::bytes(newest.bytes))
}

/// Those who have or had a role, a line for each.
fn participants(out: &mut Out, word: &str, participants: &[Participant]) -> Result<(), Failure> {
    if participants.is_empty() {
        return line(out, word, "-");
    }
    for (number, participant) in participants.iter().enumerate() {
        let mut text = people::who(participant);
        let command = participant.command.as_deref().filter(|_| participant.name.is_some());
        if let Some(command) = command {
            text += &format!(", {}", plain(command));
        }
        let since = participant.since.and_then(people::ago).map(units::duration);
        text += &match (participant.is_connected, since) {
            (true, Some(since)) => format!(", for {since}"),
            (true, None) => String::new(),
            (false, Some(since)) => format!(", came {since} ago and is gone"),
            (false, None) => ", is gone".to_owned(),
        };
        if participant.last_seen > 0 {
            text += &format!(", has had value {}", participant.last_seen);
        }
        line(out, if number == 0 { word } else { "" }, &text)?;
    }
    Ok(())
}

fn memory(entry: &Entry, out: &mut Out) -> Result<(), Failure> {
    let owner = people::user(entry.uid);
    // Its last page, of which it may have a part only, is counted as far as it has it.
    let used = entry.allocated.min(entry.bytes);
    line(
        out,
        "memory",
        &format!(
            "{} of {} in use, owner {owner}, mode {:04o}",
            units::bytes(used),
            units::bytes(entry.bytes),
            entry.mode
        ),
    )
}

/// What an object is that is no region of this version.
fn trouble(entry: &Entry) -> String {
    let used = |is_used: bool| if is_used { "in use" } else { "used by nobody" };
    let doctor = advice::command(&format!("doctor {}", advice::word(entry)));
    let doctor = format!("`{doctor}` says what to do");
    match &entry.content {
        Content::OtherVersion { version, is_used } => format!(
            "it has layout version {version}, which this command cannot read; {}; {doctor}",
            used(*is_used)
        ),
        Content::Damaged { what, is_used } => {
            format!("it is damaged: {}; {}; {doctor}", plain(what), used(*is_used))
        }
        Content::Refused => format!("you may not read it; {doctor}"),
        Content::Foreign { what } => format!("it is not a region: {}; {doctor}", plain(what)),
        _ => "it is a region".to_owned(),
    }
}

/// The fields as a table.
fn fields(region: &Region, out: &mut Out) -> Result<(), Failure> {
    let mut rows = Vec::new();
    add_rows(&mut rows, "", 0, region.schema.root());
    out.table(&["OFFSET", "FIELD", "TYPE", "UNIT", "MEANING"], &rows)?;
    Ok(())
}

/// The most characters of a path to a field.
const LONGEST_PATH: usize = 500;

/// Adds a row for each field of `ty`, which lies at `offset` under the name `path`.
fn add_rows(rows: &mut Vec<Vec<String>>, path: &str, offset: usize, ty: &Type) {
    let Some((layout, path)) = innermost(ty, path) else {
        if path.is_empty() {
            rows.push(vec![offset.to_string(), "-".to_owned(), ty.to_string()]);
        }
        return;
    };
    for field in &layout.fields {
        let name = match &*path {
            "" => plain(&field.name),
            path => format!("{path}.{}", plain(&field.name)),
        };
        // Names in names of a hostile schema would fill the memory.
        let name = cut(&name, LONGEST_PATH);
        let at = offset.saturating_add(field.offset);
        rows.push(vec![
            at.to_string(),
            name.clone(),
            plain(&field.ty.to_string()),
            plain(&field.unit),
            plain(field.doc.lines().next().unwrap_or_default()),
        ]);
        add_rows(rows, &name, at, &field.ty);
    }
}

/// The struct inside a type's arrays and slices, and the path to it.
fn innermost<'t>(ty: &'t Type, path: &str) -> Option<(&'t Struct, String)> {
    match ty {
        Type::Array { element, .. } | Type::Slice { element } | Type::List { element, .. } => {
            innermost(element, &format!("{path}[]"))
        }
        Type::Struct(layout) => Some((layout, path.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_in_lists_and_structs_are_rows_of_their_own() {
        let schema = io_shared::Schema::from_json(
            r#"{"struct":"P","size":4,"align":4,"fields":[
                {"name":"n","offset":0,"type":"<u4","unit":"m","doc":"One.\nTwo."},
                {"name":"ps","offset":4,"type":{"slice":{"struct":"Q","size":4,"align":4,
                    "fields":[{"name":"x","offset":0,"type":"<f4"}]}}}]}"#,
        )
        .unwrap();
        let mut rows = Vec::new();
        add_rows(&mut rows, "", 0, schema.root());
        let rows: Vec<String> = rows.iter().map(|row| row.join("|")).collect();
        assert_eq!(rows, ["0|n|<u4|m|One.", "4|ps|[struct Q of 4 bytes]||", "4|ps[].x|<f4||"]);
    }
}
