//! Which channels are meant: a name, or a pattern of names with `*`, `?` and `**`.

/// A name or a pattern. `*` stands for any part of a word between slashes, `**` also for slashes,
/// `?` for one character other than a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        Self(if text.starts_with('/') { text.to_owned() } else { format!("/{text}") })
    }

    /// The one name that it means, if it is no pattern.
    pub(crate) fn name(&self) -> Option<&str> {
        (!self.0.contains(['*', '?'])).then_some(&self.0)
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let name: Vec<char> = name.chars().collect();
        // Row by row: which starts of the name the pattern, as far as it was read, matches.
        let mut starts = vec![false; name.len() + 1];
        starts[0] = true;
        let mut rest = &pattern[..];
        while let [first, after @ ..] = rest {
            let is_double = *first == '*' && after.first() == Some(&'*');
            rest = if is_double { &after[1..] } else { after };
            let before = starts.clone();
            starts.fill(false);
            for at in 0..=name.len() {
                let fits = |wanted: char| match wanted {
                    '?' => name[at - 1] != '/',
                    wanted => name[at - 1] == wanted,
                };
                starts[at] = match *first {
                    '*' => {
                        before[at] || at > 0 && starts[at - 1] && (is_double || name[at - 1] != '/')
                    }
                    wanted => at > 0 && before[at - 1] && fits(wanted),
                };
            }
        }
        starts[name.len()]
    }
}

impl std::str::FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pattern = Self::new(text);
        if let Some(name) = pattern.name() {
            io_shared::Name::new(name).map_err(|error| error.to_string())?;
        }
        Ok(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_say() {
        let matches = |pattern: &str, name: &str| Pattern::new(pattern).matches(name);
        assert!(matches("/clouds", "/clouds") && matches("clouds", "/clouds"));
        assert!(!matches("/clouds", "/clouds2") && !matches("/clouds2", "/clouds"));
        assert!(matches("/camera/*", "/camera/rgb") && !matches("/camera/*", "/camera/a/b"));
        assert!(matches("/**", "/camera/a/b") && matches("/**", "/x") && matches("**/b", "/a/b"));
        assert!(matches("/c*s", "/clouds") && matches("/c*s", "/cs") && !matches("/c*s", "/cx"));
        assert!(matches("/a?c", "/abc") && !matches("/a?c", "/a/c") && !matches("/a?c", "/ac"));
        // Many stars take no longer than their number times the name's length.
        assert!(!matches(&"*a".repeat(200), &format!("/{}b", "a".repeat(500))));
    }
}
