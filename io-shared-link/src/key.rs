//! The words of the wire: the names under which links meet in Zenoh.
//!
//! Each key starts with `io-shared` and the number of the protocol, so links of different protocols
//! only ever see that the other is there. A link announces itself, and each channel that it gives,
//! by liveliness tokens, which Zenoh takes back when the link ends or its connection does:
//!
//! ```text
//! io-shared/1/link/LINK/PLACE/HOST                     a link is there
//! io-shared/1/give/LINK/PLACE/HOST/ORIGIN/CHANNEL      it gives a channel that has a producer
//! io-shared/1/schema/LINK/CHANNEL                      ask for its description
//! io-shared/1/value/LINK/CHANNEL                       ask for a value that is newer
//! io-shared/1/clock/LINK                               ask for the time there
//! io-shared/1/refused/LINK                             tell it what is not taken, and why
//! ```
//!
//! LINK is a random number of the process, PLACE says which shared memory it is in, and ORIGIN is
//! the place where the channel's values are produced.

/// Bump this when old links cannot talk to new ones, or vice versa.
pub(crate) const PROTOCOL: u32 = 1;
/// What all keys start with.
pub(crate) const ROOT: &str = "io-shared";

/// The key of this kind, with these words after it.
pub(crate) fn key(kind: &str, words: &[&str]) -> String {
    format!("{ROOT}/{PROTOCOL}/{kind}/{}", words.join("/"))
}

/// A text as one or, if it has slashes, several words of a key. [`text_of`] turns them back.
pub(crate) fn words_of(text: &str) -> String {
    let word = |word: &str| {
        if word.is_empty() {
            return "%".to_owned();
        }
        let mut encoded = String::new();
        for byte in word.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' => {
                    encoded.push(char::from(byte));
                }
                _ => encoded.push_str(&format!("%{byte:02X}")),
            }
        }
        encoded
    };
    text.split('/').map(word).collect::<Vec<_>>().join("/")
}

/// The text of these words. `None`: they are of no text.
pub(crate) fn text_of(words: &str) -> Option<String> {
    let word = |word: &str| {
        if word == "%" {
            return Some(String::new());
        }
        let mut bytes = Vec::new();
        let mut rest = word.as_bytes();
        while let [first, after @ ..] = rest {
            rest = after;
            if *first != b'%' {
                bytes.push(*first);
                continue;
            }
            let [high, low, after @ ..] = rest else { return None };
            let digit = |digit: u8| char::from(digit).to_digit(16);
            bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
            rest = after;
        }
        String::from_utf8(bytes).ok()
    };
    Some(words.split('/').map(word).collect::<Option<Vec<_>>>()?.join("/"))
}

/// A channel's name as words of a key: without the leading slash.
pub(crate) fn of_channel(name: &str) -> String {
    words_of(name.strip_prefix('/').unwrap_or(name))
}

/// A token of a link of any protocol.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A link of this protocol.
    Link { link: String, host: String },
    /// A link of another protocol.
    Other { protocol: String, link: String, host: String },
    /// A channel that a link gives.
    Give { link: String, place: String, host: String, origin: String, channel: String },
}

impl Token {
    /// What this key says; `None` if it is no token's.
    pub(crate) fn of(key: &str) -> Option<Self> {
        let mut words = key.strip_prefix(ROOT)?.strip_prefix('/')?.splitn(3, '/');
        let (protocol, kind, rest) = (words.next()?, words.next()?, words.next()?);
        let own = protocol == PROTOCOL.to_string();
        let mut words = rest.splitn(5, '/');
        let (link, place) = (words.next()?.to_owned(), words.next()?.to_owned());
        let host = text_of(words.next()?)?;
        match kind {
            "link" if own => Some(Token::Link { link, host }),
            "link" => Some(Token::Other { protocol: protocol.to_owned(), link, host }),
            "give" if own => {
                let origin = words.next()?.to_owned();
                let channel = format!("/{}", text_of(words.next()?)?);
                Some(Token::Give { link, place, host, origin, channel })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_can_be_a_key_and_comes_back() {
        for name in ["clouds", "camera/rgb", "a//b", "*", "$*", "a?b#c", "100%", "größe", "a b"] {
            let words = words_of(name);
            assert!(!words.contains(['*', '$', '?', '#', ' ']), "{words}");
            assert!(!words.split('/').any(str::is_empty), "{words}");
            assert_eq!(text_of(&words).as_deref(), Some(name));
        }
        assert_eq!(of_channel("/camera/rgb"), "camera/rgb");
        for wrong in ["%4", "%zz", "%FF"] {
            assert_eq!(text_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_says_who_gives_what_and_one_of_another_protocol_which() {
        let key = key("give", &["1f", "2e", "robot", "2e", "camera/rgb"]);
        let Some(Token::Give { host, channel, .. }) = Token::of(&key) else { panic!("{key}") };
        assert_eq!((&*host, &*channel), ("robot", "/camera/rgb"));
        let other = Token::of("io-shared/7/link/1f/2e/robot");
        let (protocol, link, host) = ("7".to_owned(), "1f".to_owned(), "robot".to_owned());
        assert_eq!(other, Some(Token::Other { protocol, link, host }));
        for wrong in
            ["", "io-shared", "io-shared/1/link/1f", "io-shared/2/give/1/2/3/4/5", "x/1/link/1/2/3"]
        {
            assert_eq!(Token::of(wrong), None, "{wrong}");
        }
    }
}
