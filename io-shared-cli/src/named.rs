//! Names as users give them, and the names that a shell completes.

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use clap_complete::CompletionCandidate;
use io_shared::inspect::{self, Content, Kind};
use io_shared::{Location, Name};

use crate::failure::Failure;

/// The environment variable with the namespace of all names.
pub(crate) const DOMAIN: &str = "IO_SHARED_DOMAIN";

/// The location that a user means: a name, or a path after `file:`.
pub(crate) fn location(text: &str) -> Result<Location, Failure> {
    match text.strip_prefix("file:") {
        Some(path) => Ok(Location::file(path)),
        None => Ok(Location::from(Name::new(text)?)),
    }
}

/// The name in full, with the slash that a user may leave out. What is no name stays as it is.
pub(crate) fn full(text: &str) -> String {
    match Name::new(text) {
        Ok(name) if !text.starts_with("file:") => name.to_string(),
        _ => text.to_owned(),
    }
}

/// Runs this command again with names in `domain`: a process reads its domain once.
pub(crate) fn again_in(domain: &str) -> ExitCode {
    let program = std::env::current_exe().unwrap_or_else(|_| "io-shared".into());
    let mut command = std::process::Command::new(program);
    let error = command.args(std::env::args_os().skip(1)).env(DOMAIN, domain).exec();
    Failure::Failed(format!("cannot start anew in the domain `{domain}`: {error}")).tell()
}

/// The names that a shell may complete, with what they are.
pub(crate) fn all() -> Vec<CompletionCandidate> {
    candidates(|_| true)
}

/// The names of channels.
pub(crate) fn channels() -> Vec<CompletionCandidate> {
    candidates(|content| matches!(content, Content::Region(region) if region.kind == Kind::Channel))
}

fn candidates(wanted: impl Fn(&Content) -> bool) -> Vec<CompletionCandidate> {
    let entries = inspect::channels().unwrap_or_default();
    let wanted = entries.into_iter().filter(|entry| wanted(&entry.content));
    wanted.map(|entry| CompletionCandidate::new(entry.name)).collect()
}

/// The names among `known` that resemble `name`, for an error.
pub(crate) fn like(name: &str) -> Vec<String> {
    let bare = |name: &str| name.trim_start_matches('/').to_lowercase();
    let wanted = bare(name);
    let entries = inspect::channels().unwrap_or_default();
    let names = entries.into_iter().map(|entry| entry.name);
    let close = |known: &String| {
        let known = bare(known);
        known.contains(&wanted) || wanted.contains(&known) || distance(&known, &wanted) <= 2
    };
    names.filter(close).take(5).collect()
}

/// How many characters have to be changed, added or left out to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = corner + usize::from(from != *to);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn the_distance_counts_changed_characters() {
        for (a, b, changes) in
            [("cloud", "cloud", 0), ("cloud", "clouds", 1), ("a", "", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a, b), changes, "{a} {b}");
        }
    }
}
