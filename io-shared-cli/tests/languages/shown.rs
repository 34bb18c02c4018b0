//! What a command printed, without what differs from run to run.

use regex::{Captures, Regex};

/// What is replaced in each output: patterns, and what stands for them.
const RULES: &[(&str, &str)] = &[
    (r"\b\d+(\.\d+)? (ns|us|ms|s|min|h|days)\b", "TIME"),
    (r#""(age|changed|since|idle|stamp|pid|uid)":[0-9.e+-]+"#, r#""$1":N"#),
    (r#""(window|missed|without_partner)":[0-9]+"#, r#""$1":N"#),
    (r#""command":"[^"]*""#, r#""command":"PROGRAM""#),
    (r#""owner":"[^"]*""#, r#""owner":"USER""#),
    (r"owner [^ ,]+, mode", "owner USER, mode"),
    (r"window: \d+", "window: N"),
    (r"from \d+ values", "from N values"),
    // How many that are depends on how fast this machine is.
    (r"\tmissed \d+ values?: .*\n", ""),
    (r"\t\d+ values? without a partner: .*\n", ""),
    // A terminal's columns are as wide as the pids in them.
    (r"  +", "  "),
];

/// How the output of a command is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figures {
    /// As they are.
    Exact,
    /// To three digits after the point.
    Rounded,
    /// Not at all.
    Any,
}

/// The output with each of `facts` replaced, and what differs from run to run.
pub(crate) fn settled(output: &str, facts: &[(String, &str)], figures: Figures) -> String {
    let mut text = output.to_owned();
    for (found, said) in facts {
        text = text.replace(found, said);
    }
    for (pattern, said) in RULES {
        text = Regex::new(pattern).unwrap().replace_all(&text, *said).into_owned();
    }
    let number = Regex::new(r"-?\d+\.\d+(e-?\d+)?").unwrap();
    let rounded = |found: &Captures<'_>| format!("{:.3}", found[0].parse::<f64>().unwrap().abs());
    match figures {
        Figures::Exact => text,
        Figures::Rounded => number.replace_all(&text, rounded).into_owned(),
        Figures::Any => number.replace_all(&text, "N").into_owned(),
    }
}
