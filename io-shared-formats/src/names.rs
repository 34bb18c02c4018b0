//! Names as ROS has them: types in `CamelCase`, fields in `snake_case`, topics of few characters.

use std::collections::{HashMap, HashSet};

/// A type's name: `CamelCase` of ASCII letters and digits.
pub(crate) fn camel(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let upper = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    match words.map(upper).collect::<String>() {
        name if name.starts_with(|c: char| c.is_ascii_uppercase()) => name,
        name => format!("M{name}"),
    }
}

/// A field's name: `snake_case` of ASCII letters and digits, without `__` and without `_` at its
/// end.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::new();
    let mut before = '_';
    for c in name.chars() {
        let c = if c.is_ascii_alphanumeric() { c } else { '_' };
        if c.is_ascii_uppercase() && before != '_' && !before.is_ascii_uppercase() {
            snake.push('_');
        }
        if !(c == '_' && before == '_') {
            snake.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    let snake = snake.trim_end_matches('_');
    match snake.chars().next() {
        Some(_) if RESERVED.contains(&snake) => format!("f_{snake}"),
        Some(c) if c.is_ascii_lowercase() => snake.to_owned(),
        _ => format!("f{snake}"),
    }
}

/// Names with which the code that ROS generates would not compile: what is reserved in C, C++ or
/// Python, and the macros of C's headers.
const RESERVED: &[&str] = &[
    "alignas",
    "alignof",
    "and",
    "and_eq",
    "as",
    "asm",
    "assert",
    "async",
    "auto",
    "await",
    "bitand",
    "bitor",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "class",
    "co_await",
    "co_return",
    "co_yield",
    "compl",
    "concept",
    "const",
    "const_cast",
    "consteval",
    "constexpr",
    "constinit",
    "continue",
    "decltype",
    "def",
    "default",
    "del",
    "delete",
    "do",
    "double",
    "dynamic_cast",
    "elif",
    "else",
    "enum",
    "errno",
    "except",
    "explicit",
    "export",
    "extern",
    "false",
    "finally",
    "float",
    "for",
    "friend",
    "from",
    "global",
    "goto",
    "if",
    "import",
    "in",
    "inline",
    "int",
    "is",
    "lambda",
    "linux",
    "long",
    "major",
    "minor",
    "mutable",
    "namespace",
    "new",
    "noexcept",
    "nonlocal",
    "not",
    "not_eq",
    "nullptr",
    "operator",
    "or",
    "or_eq",
    "pass",
    "private",
    "protected",
    "public",
    "raise",
    "register",
    "reinterpret_cast",
    "requires",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "static_cast",
    "stderr",
    "stdin",
    "stdout",
    "struct",
    "switch",
    "template",
    "this",
    "thread_local",
    "throw",
    "true",
    "try",
    "typedef",
    "typeid",
    "typename",
    "union",
    "unix",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "wchar_t",
    "while",
    "with",
    "xor",
    "xor_eq",
    "yield",
];

/// Names of which each is given once.
#[derive(Default)]
pub(crate) struct Taken {
    names: HashSet<String>,
    /// The last number that a name was given, since many fields may have the same one in ROS.
    last: HashMap<String, usize>,
}

impl Taken {
    /// `name`, or `name_2`, `name_3` .. if it is taken. It is taken then.
    pub(crate) fn take(&mut self, name: String) -> String {
        let mut tried = name.clone();
        while !self.names.insert(tried.clone()) {
            let last = self.last.entry(name.clone()).or_insert(1);
            *last += 1;
            tried = format!("{name}_{last}");
        }
        tried
    }
}

/// The topic of a channel: its name with `_` for every character that a topic may not have.
///
/// Two names may become the same topic, which is for the caller to find out.
///
/// ```
/// use io_shared_formats::topic;
///
/// assert_eq!(topic("/camera/rgb"), "/camera/rgb");
/// assert_eq!(topic("/clouds.labels"), "/clouds_labels");
/// assert_eq!(topic("/3d/größe"), "/_3d/gr__e");
/// ```
pub fn topic(name: &str) -> String {
    let mut topic = String::from("/");
    for part in name.split('/').filter(|part| !part.is_empty()) {
        if topic.len() > 1 {
            topic.push('/');
        }
        if part.starts_with(|c: char| c.is_ascii_digit()) {
            topic.push('_');
        }
        topic.extend(part.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    }
    topic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_such_as_ros_takes() {
        for (name, shown) in [
            ("frameId", "frame_id"),
            ("a__b", "a_b"),
            ("größe", "gr_e"),
            ("0", "f0"),
            ("_", "f"),
            ("XYZ", "xyz"),
            ("end_", "end"),
            ("class", "f_class"),
            ("From", "f_from"),
        ] {
            assert_eq!(snake(name), shown);
        }
        for (name, shown) in
            [("point_2", "Point2"), ("point", "Point"), ("2d", "M2d"), ("ö", "M"), ("A_b", "AB")]
        {
            assert_eq!(camel(name), shown);
        }
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let mut taken = Taken::default();
        assert_eq!(taken.take("a_2".into()), "a_2");
        let mut next = || taken.take("a".into());
        assert_eq!([next(), next(), next()], ["a", "a_3", "a_4"]);
    }
}
