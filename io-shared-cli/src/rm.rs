//! `io-shared rm`: remove channels and locked bytes by their names.

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use io_shared::inspect::{self, Content};

use crate::advice;
use crate::failure::Failure;
use crate::list;
use crate::named;
use crate::out::{Out, plain};
use crate::people;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to remove.
    #[arg(value_name = "NAME", required = true, add = ArgValueCandidates::new(named::all))]
    names: Vec<String>,
    /// Remove it even if somebody uses it. Programs that use it go on in a new channel, or say that
    /// it was replaced.
    #[arg(long, short)]
    force: bool,
}

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let removed = options.names.iter().map(|name| remove(name, options.force, out));
    // One that cannot be removed keeps none of the others.
    let mut failures: Vec<Failure> = removed.filter_map(Result::err).collect();
    let Some(last) = failures.pop() else { return Ok(()) };
    out.flush()?;
    for failure in failures {
        failure.tell();
    }
    Err(last)
}

fn remove(name: &str, is_forced: bool, out: &mut Out) -> Result<(), Failure> {
    let entry = list::entry(name)?;
    if is_forced {
        inspect::remove(&entry.location)?;
    } else if !inspect::remove_unused(&entry.location)? {
        let force = advice::command(&format!("rm --force {}", advice::word(&entry)));
        let text = format!(
            "{name} is in use by {}: stop that first, or remove it all the same with `{force}`",
            users(&entry.content)
        );
        return Err(Failure::Failed(text));
    }
    if out.json {
        out.object(&serde_json::json!({"removed": name}))?;
    } else if out.is_terminal {
        out.line(format_args!("removed {}", plain(name)))?;
    }
    Ok(())
}

/// Who uses it, for people.
fn users(content: &Content) -> String {
    let Content::Region(region) = content else { return "somebody".to_owned() };
    let there = region.producer.iter().chain(&region.consumers);
    let there = there.filter(|participant| participant.is_connected).map(people::who);
    match &there.collect::<Vec<_>>()[..] {
        [] => "somebody".to_owned(),
        there => there.join(", "),
    }
}
