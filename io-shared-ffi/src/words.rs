//! The text of an error in the words of its caller's language.
//!
//! The library's texts name options as Rust does: `.capacity(640)`. C has fields and flags instead,
//! `options.capacity = 640` and `IOS_PREFAULT`, and Python has arguments, `size=640`. Every text is
//! translated by one table, which says what each option is called, so later errors are translated
//! too. Options that a caller does not have are left out, or have a sentence of their own in
//! [`adapted`].
//!
//! What must stay true: names of channels are never translated.

use std::fmt::Write;

use io_shared_core::{Error, ErrorKind, Size};

/// The language whose words a text uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum ios_words {
    /// `options.capacity = 640`.
    IOS_WORDS_C = 0,
    /// `capacity=640`: typed channels of the Python package.
    IOS_WORDS_PYTHON = 1,
    /// `size=640`: its channels of arrays.
    IOS_WORDS_PYTHON_SHARE = 2,
    /// `size=640`, `max_readers=3`: its shared bytes.
    IOS_WORDS_PYTHON_BYTES = 3,
    /// `.capacity(640)`: the C++ headers.
    IOS_WORDS_CPP = 4,
}

use ios_words::*;

pub(crate) const ALL: [ios_words; 5] =
    [IOS_WORDS_C, IOS_WORDS_PYTHON, IOS_WORDS_PYTHON_SHARE, IOS_WORDS_PYTHON_BYTES, IOS_WORDS_CPP];

/// What an option is in C.
enum C {
    Field(&'static str),
    Flag(&'static str),
}

/// An option of Rust's builders; what it is called in C, if C has it; and what it is called in
/// Python's channels, shares and bytes, empty if they do not have it. In C++ it is called as in
/// Rust, but for [`cpp`].
struct Named(&'static str, Option<C>, [&'static str; 3]);

const OPTIONS: [Named; 21] = [
    Named("capacity", Some(C::Field("capacity")), ["capacity", "size", "size"]),
    Named("size", Some(C::Field("capacity")), ["capacity", "size", "size"]),
    Named("elements", None, [""; 3]),
    Named("lists", None, [""; 3]),
    Named("growing", Some(C::Flag("IOS_GROWING")), [""; 3]),
    Named("consumers", Some(C::Field("consumers")), ["consumers", "consumers", "max_readers"]),
    Named("handles", Some(C::Field("handles")), ["max_readers"; 3]),
    Named("holds", Some(C::Field("holds")), ["holds"; 3]),
    Named("history", Some(C::Field("history")), ["history"; 3]),
    Named("mode", Some(C::Field("mode")), ["permissions"; 3]),
    Named("open_timeout", Some(C::Field("open_timeout")), ["open_timeout"; 3]),
    Named("wait_for_role", Some(C::Field("wait_for_role")), ["wait_for_role"; 3]),
    Named("consumer_name", Some(C::Field("consumer_name")), ["consumer_name"; 3]),
    Named("schema", Some(C::Field("schema")), ["dtype"; 3]),
    Named("any_schema", Some(C::Field("schema")), ["dtype"; 3]),
    Named("requires_producer", Some(C::Flag("IOS_REQUIRES_PRODUCER")), ["requires_producer"; 3]),
    Named("reopen", Some(C::Flag("IOS_NO_REOPEN")), ["reopen"; 3]),
    Named("replace", Some(C::Flag("IOS_REPLACE")), [""; 3]),
    Named("extend", Some(C::Flag("IOS_EXTEND")), [""; 3]),
    Named("ephemeral", Some(C::Flag("IOS_EPHEMERAL")), [""; 3]),
    Named("prefault", Some(C::Flag("IOS_PREFAULT")), [""; 3]),
];

/// What an option of Rust's builders is called in C++, empty if it does not have it.
fn cpp(rust: &str) -> &str {
    match rust {
        "size" => "capacity",
        "elements" | "lists" => "",
        "any_schema" => "schema",
        same => same,
    }
}

/// What Rust's callers do by other means than an option, and what callers of C, Python and C++ do
/// instead.
const DEEDS: [(&str, [&str; 3]); 7] = [
    (
        "watch without a slot (.observer())",
        [
            "watch without a slot (ios_observer_open)",
            "watch without a slot (io_shared.Observer)",
            "watch without a slot (io_shared::observer)",
        ],
    ),
    (
        "an .observer() may read",
        [
            "an observer (ios_observer_open) may read",
            "an Observer may read",
            "an io_shared::observer may read",
        ],
    ),
    (
        "drop that handle",
        [
            "close that handle",
            "close that handle (old.close(), or a with block)",
            "close that handle (old.close())",
        ],
    ),
    (
        "drop a handle of this process",
        [
            "close a handle of this process",
            "close a handle of this process (old.close(), or a with block)",
            "close a handle of this process (old.close())",
        ],
    ),
    (
        "drop a guard first",
        [
            "drop one first (ios_guard_drop)",
            "let go of an array from borrow() first",
            "let go of one first (guard.release())",
        ],
    ),
    (
        "(a guard that was forgotten, or is still in use): drop that guard first",
        [
            "(a guard that was forgotten, or is still in use): drop that guard first",
            "(a block of it is not over): leave that block first",
            "(a guard that was forgotten, or is still in use): end it first (guard.release())",
        ],
    ),
    (
        "lock it to write, take the guard out of the error, repair the content, and call \
         mark_consistent()",
        [
            "lock it to write (the guard is given out all the same), repair the content, and call \
             ios_mmap_mark_consistent()",
            "make it right in a block of lock(repair=True) or lock_write(repair=True)",
            "lock it by lock_to_repair() or write_to_repair(), repair the content, and call the \
             guard's mark_consistent()",
        ],
    ),
];

/// Stands for the name while a text is translated: no name contains it.
const NAME: &str = "\u{1}";

/// The text of `error` in `words`.
pub(crate) fn text_of(error: &Error, words: ios_words) -> String {
    let text = match error.kind() {
        ErrorKind::BadOption { option, found, expected } => {
            let option =
                named(option, words).map_or((*option).to_owned(), |named| match found.as_str() {
                    "" | "not given" => format!("{} is not given", bare(&named, words)),
                    found => format!("{} is not valid", with(&named, found, words)),
                });
            format!("{NAME}: {option}: {expected}")
        }
        ErrorKind::BadLength { found, expected } if words == IOS_WORDS_C => {
            let text = error.told_as(NAME, error.kind().clone()).to_string();
            match found.checked_sub(expected.size as u64) {
                Some(more @ 1..) if expected.element.is_none() => format!(
                    "{text}: if the struct has {more} byte{} of padding, add fields for them to \
                     the struct and to the schema (ios_schema_to_c writes the struct of a schema)",
                    if more == 1 { "" } else { "s" }
                ),
                _ => text,
            }
        }
        kind => error.told_as(NAME, adapted(kind, words)).to_string(),
    };
    translated(&text, words).replace(NAME, error.name())
}

fn is_python(words: ios_words) -> bool {
    !matches!(words, IOS_WORDS_C | IOS_WORDS_CPP)
}

/// The error with advice that its caller can follow.
fn adapted(kind: &ErrorKind, words: ios_words) -> ErrorKind {
    let mut kind = kind.clone();
    if let ErrorKind::Mismatch { differences, advice, .. } = &mut kind {
        if is_python(words) && advice.contains(".replace(") {
            *advice = "remove it (io_shared.remove, or os.remove for a file), and open it again";
        }
        for difference in differences.iter_mut().filter(|_| words != IOS_WORDS_CPP) {
            if let Some((label, rest)) = difference.split_once(':')
                && let Some(named) = named(label, words)
            {
                *difference = format!("{}:{rest}", bare(&named, words));
            }
        }
    }
    kind
}

/// What an option is called: `None` if it is not in the table, empty if the caller does not have
/// it.
fn named(option: &str, words: ios_words) -> Option<String> {
    let Named(rust, c, python) = OPTIONS.iter().find(|Named(rust, ..)| *rust == option)?;
    Some(match (words, c) {
        (IOS_WORDS_CPP, _) => cpp(rust).to_owned(),
        (IOS_WORDS_C, Some(C::Field(field))) => format!("options.{field}"),
        (IOS_WORDS_C, Some(C::Flag(flag))) => (*flag).to_owned(),
        (IOS_WORDS_C, None) => String::new(),
        _ => python[words as usize - 1].to_owned(),
    })
}

/// An option without a value.
fn bare(named: &str, words: ios_words) -> String {
    match words {
        IOS_WORDS_C => named.to_owned(),
        IOS_WORDS_CPP => format!(".{named}()"),
        _ => format!("{named}="),
    }
}

/// An option with its value, as Rust writes it.
fn with(named: &str, value: &str, words: ios_words) -> String {
    match (words, value) {
        (IOS_WORDS_CPP, _) => format!(".{named}({value})"),
        (IOS_WORDS_C, _) if !named.starts_with("options.") => named.to_owned(),
        (_, "" | "..") => bare(named, words),
        (IOS_WORDS_C, _) => {
            let size = value.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            match size.map(|text| Size::from(text).bytes(NAME)) {
                Some(Ok(bytes)) => format!("{named} = {bytes}"),
                _ => format!("{named} = {value}"),
            }
        }
        (_, "true") => format!("{named}=True"),
        (_, "false") => format!("{named}=False"),
        _ => format!("{named}={value}"),
    }
}

/// `text`, with each `.option(value)` and each of the [`DEEDS`] in the caller's words.
fn translated(text: &str, words: ios_words) -> String {
    let mut text = text.to_owned();
    for (rust, [c, python, cpp]) in DEEDS {
        let own = match words {
            IOS_WORDS_C => c,
            IOS_WORDS_CPP => cpp,
            _ => python,
        };
        text = text.replace(rust, own);
    }
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut last) = (text.as_str(), String::new());
    while let Some((before, option, value, after)) = next_call(rest) {
        let option = named(option, words).unwrap_or_default();
        let said = if option.is_empty() { option } else { with(&option, value, words) };
        let joint = matches!(before, ", " | " or " | "");
        // Two of Rust's options may be one to this caller, which is named once; or none.
        if said.is_empty() || joint && said == last {
            let kept = before.strip_suffix(" or ").or_else(|| before.strip_suffix(", "));
            out.push_str(kept.unwrap_or(before));
        } else {
            let between = if before.is_empty() && !last.is_empty() { " and " } else { before };
            let _ = write!(out, "{between}{said}");
            last = said;
        }
        rest = after;
    }
    out.push_str(rest);
    if !is_python(words) {
        out = out.replace("0o", "0");
    }
    out
}

/// The next call of an option in `text`: the text before it, its name, its value, the text after
/// it.
fn next_call(text: &str) -> Option<(&str, &str, &str, &str)> {
    let mut from = 0;
    while let Some(dot) = text[from..].find('.').map(|at| from + at) {
        from = dot + 1;
        let length = text[from..].find(|c: char| !c.is_ascii_lowercase() && c != '_')?;
        let (name, value) = text[from..].split_at(length);
        let is_ours = OPTIONS.iter().any(|Named(rust, ..)| *rust == name);
        if let Some((value, after)) = value.strip_prefix('(').and_then(closed)
            && is_ours
        {
            return Some((&text[..dot], name, value, after));
        }
    }
    None
}

/// What stands before the parenthesis that closes one opened before `text`, and what after it.
fn closed(text: &str) -> Option<(&str, &str)> {
    let mut open = 0;
    let end = text.char_indices().find_map(|(at, c)| match c {
        '(' => {
            open += 1;
            None
        }
        ')' if open == 0 => Some(at),
        ')' => {
            open -= 1;
            None
        }
        _ => None,
    })?;
    Some((&text[..end], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use io_shared_core::Holder;

    use super::*;

    fn holder(is_here: bool) -> Holder {
        let (slot, name, command, since) = (Some(0), None, None, None);
        Holder { slot, name, pid: Some(7), command, since, is_here }
    }

    fn option(option: &'static str, found: &str, expected: &str) -> ErrorKind {
        ErrorKind::BadOption { option, found: found.into(), expected: expected.into() }
    }

    fn kinds() -> Vec<ErrorKind> {
        let mismatch = |advice| ErrorKind::Mismatch {
            differences: vec!["capacity: channel has 16, this program wants 32".into()],
            holders: Vec::new(),
            advice,
        };
        vec![
            ErrorKind::BadSize { found: "5MB".into() },
            option("mode", "0o20", "permission bits such as 0o660"),
            option(
                "capacity",
                "not given",
                "as in .capacity(\"5M\") or .elements(100_000); or \
                wait, with .open_timeout()",
            ),
            option(
                "capacity",
                "not given",
                "a size, as in .capacity(\"5M\"), .growing(true) or \
                 .lists(Frame::capacity().boxes(100)), or waits",
            ),
            option("any_schema", "", "a producer says what it puts: .schema(..)"),
            ErrorKind::NotFound,
            mismatch("open a producer with .replace(true) to replace it"),
            mismatch("open it with .replace(true), or remove it"),
            ErrorKind::RoleTaken { holder: holder(true) },
            ErrorKind::NoSlot { holders: vec![holder(false)] },
            ErrorKind::NoSlot { holders: vec![holder(true)] },
            ErrorKind::RoleLost,
            ErrorKind::NoProducer { last: holder(false) },
            ErrorKind::Replaced,
            ErrorKind::Timeout { after: Duration::from_secs(1), waiting_for: "a value".into() },
            ErrorKind::AlreadyHeld { holds: 1 },
            ErrorKind::ForkedHandle,
            ErrorKind::WouldDeadlock,
            ErrorKind::OwnerDied,
            ErrorKind::OutOfBounds { at: 1, length: 9, size: 5 },
            ErrorKind::TooShort { needed: 9, found: 5 },
            ErrorKind::TooLarge { needed: 640, capacity: 64 },
            ErrorKind::NoSpace { needed: 9, directory: "/dev/shm".into() },
            ErrorKind::NoMemory { needed: 9 },
            ErrorKind::FileSizeLimit { needed: 9, limit: 5 },
            ErrorKind::System { call: "open", errno: 13 },
        ]
    }

    #[test]
    fn no_text_has_a_call_of_rust_in_it_and_none_says_a_thing_twice() {
        for kind in kinds() {
            for words in ALL {
                let text = text_of(&Error::new("/x", kind.clone()), words);
                assert!(text.starts_with("/x"), "{text}");
                for rust in [".(", "()) ", "or ,", ", ,", "or or", " , ", "options.options", "(, "]
                {
                    let is_cpp = words == IOS_WORDS_CPP && rust == "()) ";
                    assert!(is_cpp || !text.contains(rust), "{rust}: {text}");
                }
                for Named(rust, ..) in OPTIONS {
                    let has = words == IOS_WORDS_CPP && cpp(rust) == rust;
                    assert!(has || !text.contains(&format!(".{rust}(")), "{text}");
                }
                let foreign: &[&str] = match words {
                    IOS_WORDS_C => &["drop that handle", "0o", "mark_consistent()", "true"],
                    IOS_WORDS_CPP => &["drop ", "0o", ".observer()", "options.", "IOS_"],
                    _ => &["guard", "drop ", "options.", "IOS_", "mark_consistent", "true"],
                };
                for word in foreign {
                    let own = *word == "mark_consistent()" && text.contains("ios_mmap_mark");
                    assert!(own || !text.contains(word), "{word}: {text}");
                }
            }
        }
    }

    #[test]
    fn callers_in_cpp_have_the_options_of_rust_as_far_as_they_have_them() {
        let all: Vec<String> =
            kinds().into_iter().map(|k| text_of(&Error::new("/x", k), IOS_WORDS_CPP)).collect();
        let all = all.join("\n");
        for said in [
            ".capacity() is not given: as in .capacity(\"5M\"); or wait, with .open_timeout()",
            ".mode(020) is not valid: permission bits such as 0660",
            "capacity: channel has 16",
            ".replace(true)",
            "close that handle (old.close())",
            "guard.release()",
            "lock_to_repair()",
        ] {
            assert!(all.contains(said), "{said}\n{all}");
        }
    }

    #[test]
    fn each_caller_has_its_own_words() {
        let too_large = ErrorKind::TooLarge { needed: 640, capacity: 64 };
        let too_large = Error::new("/x.capacity(1)", too_large);
        for (words, has) in ALL.into_iter().zip([
            "create it with options.capacity = 640 or more",
            "create it with capacity=640 or more",
            "create it with size=640 or more",
            "create it with size=640 or more",
            "create it with .capacity(640) or more",
        ]) {
            let text = text_of(&too_large, words);
            assert!(text.contains(has) && text.starts_with("/x.capacity(1):"), "{text}");
        }
        let all: Vec<String> =
            kinds().into_iter().map(|k| text_of(&Error::new("/x", k), IOS_WORDS_C)).collect();
        let all = all.join("\n");
        let advice = "options.capacity is not given: as in options.capacity = 5242880; or wait, \
                      with options.open_timeout";
        assert!(all.contains(advice), "{all}");
        assert!(all.contains("options.capacity = 9 and IOS_EXTEND"), "{all}");
        assert!(all.contains("(options.capacity)"), "{all}");
        assert!(all.contains("such as 0660"), "{all}");
        assert!(all.contains("as in options.capacity = 5242880, IOS_GROWING, or waits"), "{all}");
        let share: Vec<String> = kinds()
            .into_iter()
            .map(|k| text_of(&Error::new("/x", k), IOS_WORDS_PYTHON_SHARE))
            .collect();
        let share = share.join("\n");
        assert!(share.contains("a size, as in size=\"5M\", or waits"), "{share}");
        assert!(share.contains("as in size=\"5M\"; or wait, with open_timeout="), "{share}");
        assert!(share.contains("reopen=False"), "{share}");
        assert!(share.contains("size=: channel has 16"), "{share}");
        assert!(share.contains("(size=) to create it"), "{share}");
        let fewer = ", keep fewer values at once (.holds()), or create it with .consumers(65)";
        for (words, said) in [
            (IOS_WORDS_C, "(options.holds), or create it with options.consumers = 65"),
            (IOS_WORDS_PYTHON, "(holds=), or create it with consumers=65"),
            (IOS_WORDS_CPP, "(.holds()), or create it with .consumers(65)"),
        ] {
            let translated = translated(fewer, words);
            assert!(translated.ends_with(said), "{translated}");
        }
    }
}
