//! The words of the command line.

use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::out::{Out, plain};
use crate::{bw, clean, delay, doctor, echo, hz, info, legacy, list, play, put, record, rm};
use crate::{snapshot, top, view, wait};

/// See what flows through shared memory: which channels there are, who uses them, how fast values
/// come, and what is in them.
///
/// NAME is a channel's name such as /clouds, or `file:PATH` for a channel in a file.
#[derive(Debug, Parser)]
#[command(name = "io-shared", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print JSON, one object on each line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Look at the names of this domain, as IO_SHARED_DOMAIN does for programs.
    #[arg(long, global = true, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the channels: what they are, how fast values come, and who uses them.
    #[command(visible_alias = "ls")]
    List(list::Options),
    /// Show all that is known of a channel: its type, its memory, and who uses it.
    #[command(visible_alias = "show")]
    Info(info::Options),
    /// Print the values of a channel as they come.
    #[command(visible_alias = "cat")]
    Echo(echo::Options),
    /// Measure how fast values come.
    #[command(visible_alias = "rate")]
    Hz(hz::Options),
    /// Measure how many bytes per second are put.
    #[command(visible_alias = "bandwidth")]
    Bw(bw::Options),
    /// Measure how long after another value, or after a time in it, a value was put.
    #[command(visible_alias = "latency")]
    Delay(delay::Options),
    /// Wait until a channel has a value.
    Wait(wait::Options),
    /// Show the channels as a live table.
    Top(top::Options),
    /// Write the newest value as a picture: a cloud from above, or an image.
    #[command(visible_alias = "picture")]
    Snapshot(snapshot::Options),
    /// Write channels to an MCAP file, which Foxglove, rosbags and `play` read.
    Record(record::Options),
    /// Put what was recorded into channels.
    #[command(visible_alias = "replay")]
    Play(play::Options),
    /// Show the channels on a page, live, and serve Foxglove and Lichtblick.
    #[command(visible_alias = "watch")]
    View(view::Options),
    /// Pass arrays on between a channel and a share of the original Python package.
    #[command(visible_alias = "original")]
    Legacy(legacy::Options),
    /// Put one value, given as JSON, into a channel that has no producer.
    #[command(visible_alias = "pub")]
    Put(put::Options),
    /// Remove channels and locked bytes.
    #[command(visible_alias = "remove")]
    Rm(rm::Options),
    /// List what nobody uses any more; remove it with --yes.
    Clean(clean::Options),
    /// Look for what is wrong, and say what to do.
    #[command(visible_alias = "check")]
    Doctor(doctor::Options),
    /// Print the line that lets a shell complete this command, live names included.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the man pages into a directory.
    Man {
        /// Where to.
        directory: PathBuf,
    },
}

pub(crate) fn completions(shell: Shell, out: &mut Out) -> Result<(), Failure> {
    let line = match shell {
        Shell::Fish => "COMPLETE=fish io-shared | source",
        Shell::Elvish => "eval (E:COMPLETE=elvish io-shared | slurp)",
        Shell::PowerShell => {
            "$env:COMPLETE = 'powershell'; io-shared | Out-String | Invoke-Expression"
        }
        Shell::Zsh => "source <(COMPLETE=zsh io-shared)",
        _ => "source <(COMPLETE=bash io-shared)",
    };
    match out.json {
        true => Ok(out.object(&serde_json::json!({"line": line}))?),
        false => Ok(out.line(line)?),
    }
}

pub(crate) fn man(directory: &Path, out: &mut Out) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::Failed(format!("cannot write man pages to {}: {error}", directory.display()))
    };
    std::fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), directory).map_err(failed)?;
    let directory = plain(&directory.display().to_string());
    if out.json {
        return Ok(out.object(&serde_json::json!({"directory": directory}))?);
    }
    Ok(out.line(format!("man pages are in {directory}: read one with man -l"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }
}
