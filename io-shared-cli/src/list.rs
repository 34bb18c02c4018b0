//! `io-shared list`: which channels there are.

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use io_shared::inspect::{self, Content, Entry, Kind, Participant, Region};
use serde_json::Value as Json;

use crate::advice;
use crate::failure::Failure;
use crate::holders;
use crate::named;
use crate::out::{Out, plain};
use crate::people;
use crate::remote;
use crate::units;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The channels to list; all if none is given.
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(named::all))]
    names: Vec<String>,
    /// List also what other programs have in shared memory, and the regions of other domains.
    #[arg(long)]
    all: bool,
    /// List the processes that have a role, proven by the kernel: also in files, and in memory
    /// without a name. Of other users' processes only root learns it.
    #[arg(long, conflicts_with = "all")]
    holders: bool,
}

const HEADER: [&str; 7] = ["NAME", "TYPE", "SIZE", "RATE", "AGE", "PRODUCER", "CONSUMERS"];

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let regions = || options.names.iter().map(|name| Ok(entry(name)?.identity));
    match (options.holders, options.names.is_empty()) {
        (false, _) => {}
        (true, true) => return holders::run(None, out),
        (true, false) => {
            return holders::run(Some(&regions().collect::<Result<Vec<_>, Failure>>()?), out);
        }
    }
    let mut missing = Ok(());
    let mut entries = match (&options.names[..], options.all) {
        ([], true) => inspect::objects()?,
        ([], false) => inspect::channels()?,
        (names, _) => {
            let (found, failures): (Vec<_>, Vec<_>) =
                names.iter().map(|name| entry(name)).partition(Result::is_ok);
            // The others are shown all the same.
            missing = failures.into_iter().next().map_or(Ok(()), |failure| failure.map(drop));
            if found.is_empty() {
                return missing;
            }
            found.into_iter().flatten().collect()
        }
    };
    inspect::measure_rates(&mut entries);
    if out.json {
        entries.iter().try_for_each(|entry| out.object(&json(entry)))?;
        return missing;
    }
    if entries.is_empty() && out.is_terminal {
        out.line("No channels: no program on this machine has created one.")?;
        let doctor = advice::command("doctor");
        return Ok(out.advise(format_args!("What keeps one from doing so: {doctor}"))?);
    }
    let (header, rows) = table(&entries);
    out.table(&header, &rows)?;
    let one = if let [entry] = &entries[..] { advice::word(entry) } else { "NAME".to_owned() };
    let (info, doctor) = (advice::command(&format!("info {one}")), advice::command("doctor"));
    out.advise(format_args!("\nWho uses one, and its type: {info}. What is wrong: {doctor}"))?;
    missing
}

/// The table, with a column more if a channel comes from another machine.
fn table(entries: &[Entry]) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let mut rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    let from = entries.iter().map(|entry| match &entry.content {
        Content::Region(region) => remote::from(region),
        _ => None,
    });
    let from: Vec<Option<String>> = from.collect();
    let mut header = HEADER.to_vec();
    if from.iter().any(Option::is_some) {
        header.push("FROM");
        for (row, from) in rows.iter_mut().zip(from) {
            row.push(from.unwrap_or_else(|| "-".to_owned()));
        }
    }
    (header, rows)
}

/// The object of that name. Where there is none, the error names those that resemble it.
pub(crate) fn entry(name: &str) -> Result<Entry, Failure> {
    let location = named::location(name)?;
    inspect::entry(&location).map_err(|error| match Failure::from(error) {
        Failure::NotFound(text) => Failure::NotFound(match &named::like(name)[..] {
            [] => text,
            like => format!("{text} (there is {})", like.join(", ")),
        }),
        failure => failure,
    })
}

/// An entry as a row of the table.
pub(crate) fn row(entry: &Entry) -> Vec<String> {
    let region = match &entry.content {
        Content::Region(region) => region,
        other => return row_of_other(entry, other),
    };
    let newest = region.newest.as_ref();
    let size = newest.map_or(region.capacity, |newest| newest.bytes);
    let age = newest.and_then(|newest| newest.age());
    let of_channel = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        plain(&entry.name),
        type_of(region),
        units::bytes(size),
        of_channel(region.rate.map(units::rate)),
        of_channel(age.map(units::duration)),
        of_channel(connected(region.producer.as_slice())),
        of_channel(connected(&region.consumers)),
    ]
}

fn row_of_other(entry: &Entry, content: &Content) -> Vec<String> {
    let mut row = vec!["-".to_owned(); HEADER.len()];
    row[0] = plain(&entry.name);
    row[1] = match content {
        Content::OtherVersion { version, .. } => format!("layout version {version}"),
        Content::Damaged { .. } => "damaged".to_owned(),
        Content::Refused => "no permission".to_owned(),
        Content::Foreign { .. } => "not a region".to_owned(),
        _ => "-".to_owned(),
    };
    row[2] = units::bytes(entry.bytes);
    row[5] = format!("owner {}, mode {:04o}", people::user(entry.uid), entry.mode);
    row
}

/// The type's name, or the kind where there is no type.
pub(crate) fn type_of(region: &Region) -> String {
    match region.kind {
        Kind::Channel => plain(&region.type_name()),
        Kind::State => format!("{} (state)", plain(&region.type_name())),
        kind => kind.to_string(),
    }
}

/// Those who are there; `None` if nobody is.
fn connected(participants: &[Participant]) -> Option<String> {
    let there = participants.iter().filter(|participant| participant.is_connected);
    let there: Vec<String> = there.map(people::who).collect();
    (!there.is_empty()).then(|| there.join(", "))
}

/// An entry for programs. The keys stay; a value that is not known is null.
pub(crate) fn json(entry: &Entry) -> Json {
    let mut object: Json = serde_json::from_str(&entry.to_json()).unwrap_or_default();
    if let Some(object) = object.as_object_mut() {
        object.insert("owner".to_owned(), people::user(entry.uid).into());
    }
    object
}
