//! The commands that outputs and errors advise to run next, as they are typed.

use std::sync::OnceLock;

use io_shared::Location;
use io_shared::inspect::Entry;

use crate::out::plain;

/// The domain that the user named, for the commands that are advised.
static ADVISED_DOMAIN: OnceLock<String> = OnceLock::new();

/// Notes the domain that the user named.
pub(crate) fn note_domain(domain: String) {
    // It is noted once, at the start.
    let _ = ADVISED_DOMAIN.set(domain);
}

/// A command to run next, as it is typed: `io-shared WORDS`, in the domain that the user named.
pub(crate) fn command(words: &str) -> String {
    match ADVISED_DOMAIN.get() {
        Some(domain) => format!("io-shared {words} --domain {}", quoted(domain)),
        None => format!("io-shared {words}"),
    }
}

/// An object as it is named on the command line.
pub(crate) fn word(entry: &Entry) -> String {
    match &entry.location {
        Location::File(path) => quoted(&format!("file:{}", path.display())),
        _ => quoted(&entry.name),
    }
}

/// A word as a shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "/_.-:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_bare) {
        true => word.to_owned(),
        false => format!("'{}'", plain(word).replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_name_is_advised_as_a_shell_reads_it() {
        assert_eq!(quoted("/camera/rgb-1"), "/camera/rgb-1");
        assert_eq!(quoted("/it's $(x)"), r"'/it'\''s $(x)'");
        assert_eq!(quoted(""), "''");
    }
}
