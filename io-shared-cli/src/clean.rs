//! `io-shared clean`: what nobody uses any more, and its removal.

use std::time::Duration;

use clap::Args;
use io_shared::ErrorKind;
use io_shared::inspect::{self, Content, Entry};
use serde_json::json;

use crate::failure::Failure;
use crate::list;
use crate::out::Out;
use crate::people;
use crate::units;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Remove them. Without it they are only listed.
    #[arg(long)]
    yes: bool,
    /// How long nobody must have put, come or changed anything.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = units::parse_duration)]
    older: Duration,
}

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let found = inspect::channels()?;
    let idle = found.iter().filter_map(|entry| Some((entry, idle_for(entry)?)));
    let idle: Vec<(&Entry, Duration)> = idle.filter(|(_, idle)| *idle >= options.older).collect();
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for (entry, idle) in idle {
        if options.yes && !remove(entry, &mut kept)? {
            continue;
        }
        gone.push((entry, idle));
    }
    tell(options, &gone, out)?;
    match &kept[..] {
        [] => Ok(()),
        kept => Err(Failure::Failed(kept.join("\n"))),
    }
}

/// Removes it, unless somebody uses it by now. What cannot be removed is noted in `kept`.
fn remove(entry: &Entry, kept: &mut Vec<String>) -> Result<bool, Failure> {
    match inspect::remove_unused(&entry.location) {
        Ok(done) => Ok(done),
        Err(error) if *error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) if matches!(error.kind(), ErrorKind::NotOwner) => {
            kept.push(error.to_string());
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// How long nobody has used it; `None` if somebody does, or if that cannot be known.
fn idle_for(entry: &Entry) -> Option<Duration> {
    let changed = people::ago(entry.changed)?;
    match &entry.content {
        Content::Region(region) if !region.is_used() => {
            let participants = region.producer.iter().chain(&region.consumers);
            let claims = participants.filter_map(|participant| people::ago(participant.since?));
            let put = region.newest.as_ref().and_then(|newest| newest.age());
            claims.chain(put).chain([changed]).min()
        }
        Content::OtherVersion { is_used: false, .. } | Content::Damaged { is_used: false, .. } => {
            Some(changed)
        }
        _ => None,
    }
}

fn tell(options: &Options, gone: &[(&Entry, Duration)], out: &mut Out) -> Result<(), Failure> {
    if out.json {
        let objects = gone.iter().map(|(entry, idle)| {
            json!({
                "name": entry.name,
                "bytes": entry.allocated,
                "idle": idle.as_secs_f64(),
                "removed": options.yes,
            })
        });
        return Ok(objects.into_iter().try_for_each(|object| out.object(&object))?);
    }
    let row = |(entry, idle): &(&Entry, Duration)| {
        let mut row = list::row(entry);
        row.truncate(2);
        row.extend([units::bytes(entry.allocated), units::duration(*idle)]);
        row
    };
    let rows: Vec<Vec<String>> = gone.iter().map(row).collect();
    if !rows.is_empty() {
        out.table(&["NAME", "TYPE", "MEMORY", "UNUSED FOR"], &rows)?;
    }
    if out.is_terminal {
        let bytes = units::bytes(gone.iter().map(|(entry, _)| entry.allocated).sum());
        let older = units::duration(options.older);
        out.line(match (gone.len(), options.yes) {
            (0, _) => format!("Nothing is unused for longer than {older}."),
            (count, true) => format!("Removed {count}, {bytes}."),
            (count, false) => {
                format!("{count}, {bytes}. To remove them: io-shared clean --yes")
            }
        })?;
    }
    Ok(())
}
