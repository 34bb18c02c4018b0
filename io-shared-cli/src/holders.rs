//! `io-shared list --holders`: which process has which role, as the kernel knows it.

use io_shared::inspect::{self, Claimant};
use serde_json::json;

use crate::failure::Failure;
use crate::out::{Out, plain};

/// Lists those that have a role in the regions of these identities, or in any.
pub(crate) fn run(regions: Option<&[(u64, u64)]>, out: &mut Out) -> Result<(), Failure> {
    let mut found = inspect::claimants();
    found.retain(|claimant| regions.is_none_or(|regions| regions.contains(&claimant.identity)));
    if out.json {
        return Ok(found.iter().try_for_each(|claimant| {
            out.object(&json!({
                "name": claimant.name,
                "removed": claimant.is_removed,
                "role": if claimant.slot.is_none() { "producer" } else { "slot" },
                "slot": claimant.slot,
                "pid": claimant.pid,
                "command": claimant.command,
            }))
        })?);
    }
    if found.is_empty() && out.is_terminal {
        out.line("Nobody has a role, of the processes that you may look into.")?;
        return Ok(());
    }
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    out.table(&["NAME", "ROLE", "PID", "COMMAND"], &rows)?;
    Ok(())
}

fn row(claimant: &Claimant) -> Vec<String> {
    let removed = if claimant.is_removed { " (removed)" } else { "" };
    let role = claimant.slot.map_or("producer".to_owned(), |slot| format!("slot {slot}"));
    let command = claimant.command.as_deref().map_or("-".to_owned(), plain);
    vec![format!("{}{removed}", plain(&claimant.name)), role, claimant.pid.to_string(), command]
}
