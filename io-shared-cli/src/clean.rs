//! `io-shared clean`: what nobody uses any more, and its removal.

use std::time::Duration;

use clap::Args;
use io_shared::ErrorKind;
use io_shared::inspect::{self, Entry};
use serde_json::json;

use crate::advice;
use crate::failure::Failure;
use crate::list;
use crate::out::{Out, plain};
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

/// How long, unless the user says it.
const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let found = inspect::channels()?;
    let idle = found.iter().filter_map(|entry| Some((entry, entry.idle()?)));
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for (entry, idle) in idle.filter(|(_, idle)| *idle >= options.older) {
        if !options.yes {
            gone.push((entry, idle));
            continue;
        }
        match inspect::remove_idle(&entry.location, options.older) {
            Ok(true) => gone.push((entry, idle)),
            // Somebody uses it by now, has used it, or has removed it.
            Ok(false) => {}
            Err(error) if *error.kind() == ErrorKind::NotFound => {}
            // One that cannot be removed keeps none of the others.
            Err(error) => kept.push(plain(&error.to_string())),
        }
    }
    tell(options, &gone, out)?;
    match &kept[..] {
        [] => Ok(()),
        kept => {
            out.flush()?;
            Err(Failure::Failed(kept.join("\n")))
        }
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
            (0, _) if options.older.is_zero() => "Nothing is unused.".to_owned(),
            (0, _) => {
                let all = advice::command("clean --older 0s");
                format!("Nothing is unused for longer than {older}. All that nobody uses: {all}")
            }
            (count, true) => format!("Removed {count}, {bytes}."),
            (count, false) => format!("{count}, {bytes}. To remove them: {}", removal(options)),
        })?;
    }
    Ok(())
}

/// The command that removes what was listed.
fn removal(options: &Options) -> String {
    let older = options.older.as_secs_f64();
    let older = if options.older == HOUR { String::new() } else { format!(" --older {older}s") };
    advice::command(&format!("clean{older} --yes"))
}
