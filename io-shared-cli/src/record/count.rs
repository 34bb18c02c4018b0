//! What is said of each channel at the end of a recording.

use std::path::PathBuf;

use serde_json::json;

use crate::failure::Failure;
use crate::out::{Out, plain};
use crate::units;

#[derive(Debug)]
pub(super) struct Count {
    pub(super) name: String,
    /// The values in the file.
    pub(super) values: u64,
    /// The values that were put and are not in the file.
    pub(super) missed: u64,
    pub(super) bytes: u64,
    /// Whether the channel was ever there.
    pub(super) was_there: bool,
}

pub(super) fn tell(counts: &[Count], files: &[PathBuf], out: &mut Out) -> Result<(), Failure> {
    if out.json {
        for count in counts {
            out.object(&json!({
                "name": count.name, "values": count.values, "missed": count.missed,
                "bytes": count.bytes, "found": count.was_there,
            }))?;
        }
        return Ok(());
    }
    let rows = counts.iter().map(|count| {
        let bytes = match count.was_there {
            true => units::bytes(count.bytes),
            false => "there was no such channel".to_owned(),
        };
        vec![plain(&count.name), count.values.to_string(), count.missed.to_string(), bytes]
    });
    out.table(&["NAME", "VALUES", "MISSED", "BYTES"], &rows.collect::<Vec<_>>())?;
    if out.is_terminal {
        for file in files {
            out.line(format_args!("wrote {}", file.display()))?;
        }
    }
    Ok(())
}
