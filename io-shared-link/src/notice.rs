//! What the link tells people: lines on stderr when something changes, and figures on stdout.

use std::io::Write;

/// Writes a line to stderr. Where nobody reads it, the link goes on.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "io-shared-link: {}", plain(text));
}

/// Writes a line of figures to stdout.
pub(crate) fn figures(text: &str) {
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "{}", plain(text)).and_then(|()| stdout.flush());
}

/// A text of which no part can be mistaken for a command to the terminal, or for another line. What
/// other machines say is cut to a length that a person reads.
fn plain(text: &str) -> String {
    const LONGEST: usize = 2000;
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().take(LONGEST).map(plain).collect()
}

/// What was said last of one thing, so that it is said once.
#[derive(Debug, Default)]
pub(crate) struct Once(Option<String>);

impl Once {
    /// Says it, unless it was the last thing that was said. Returns whether it did.
    pub(crate) fn say(&mut self, text: String) -> bool {
        if self.0.as_deref() == Some(&text) {
            return false;
        }
        say(&text);
        self.0 = Some(text);
        true
    }

    /// From now on the same is said again.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}
