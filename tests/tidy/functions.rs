//! Where the functions of a file begin and end, by the layout that the formatters leave.

use std::ops::Range;

/// Finds the name and the end of a function that starts at a line, if one does.
type Find = fn(&[&str], usize) -> Option<(String, usize)>;

/// The functions of a file, with the lines that they take.
pub(crate) fn of(extension: &str, lines: &[&str]) -> Vec<(String, Range<usize>)> {
    let find: Find = match extension {
        "rs" => rust,
        "py" | "pyi" => python,
        "c" | "h" | "cpp" | "hpp" => c,
        _ => shell,
    };
    let found = |start| find(lines, start).map(|(name, end)| (name, start..end));
    (0..lines.len()).filter_map(found).collect()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The name at the start of a text.
fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The line after the first one, from `start` on, that is indented as `start` is and `ends`.
fn end(lines: &[&str], start: usize, ends: impl Fn(&str) -> bool) -> usize {
    let depth = indent(lines[start]);
    let is_end = |line: &&str| indent(line) == depth && ends(line.trim_start());
    lines[start..].iter().position(is_end).map_or(lines.len(), |offset| start + offset + 1)
}

fn rust(lines: &[&str], start: usize) -> Option<(String, usize)> {
    let words = lines[start].trim_start();
    let (head, rest) = words.split_once("fn ")?;
    let mut before = head.split_whitespace();
    let is_head = before.all(|word| {
        word.starts_with("pub")
            || word.ends_with(')')
            || word.starts_with('"')
            || ["const", "async", "unsafe", "extern", "safe"].contains(&word)
    });
    if !is_head || !rest.starts_with(|c: char| c.is_lowercase() || c == '_') {
        return None;
    }
    let is_short = words.ends_with(';') || words.ends_with('}');
    let last = |line: &str| line.starts_with('}') || (line.starts_with(')') && line.ends_with(';'));
    Some((name(rest), if is_short { start + 1 } else { end(lines, start, last) }))
}

fn python(lines: &[&str], start: usize) -> Option<(String, usize)> {
    let words = lines[start].trim_start();
    let rest = words.strip_prefix("async ").unwrap_or(words).strip_prefix("def ")?;
    let depth = indent(lines[start]);
    let is_inside = |line: &&str| {
        let words = line.trim();
        words.is_empty() || indent(line) > depth || words.starts_with(')')
    };
    let inside = lines[start + 1..].iter().take_while(|line| is_inside(line)).count();
    let blank = lines[start + 1..=start + inside].iter().rev();
    let blank = blank.take_while(|line| line.trim().is_empty()).count();
    Some((name(rest), start + 1 + inside - blank))
}

fn c(lines: &[&str], start: usize) -> Option<(String, usize)> {
    let line = lines[start];
    let (head, _) = line.split_once('(')?;
    let opens = line.ends_with('{') || lines.get(start + 1) == Some(&"{");
    let is_function = opens && line.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let name = head.rsplit([' ', '*']).next()?.to_owned();
    is_function.then(|| (name, end(lines, start, |line| line.starts_with('}'))))
}

fn shell(lines: &[&str], start: usize) -> Option<(String, usize)> {
    let name = lines[start].strip_suffix("() {")?;
    Some((name.to_owned(), end(lines, start, |line| line.starts_with('}'))))
}

#[test]
fn functions_are_found_with_their_ends() {
    let of = |extension, text: &str| of(extension, &text.lines().collect::<Vec<_>>());
    let rust = "pub(crate) const fn a(\n    b: u8,\n) -> u8 {\n    b\n}\n\nfn c() {}\n// fn d(\n";
    assert_eq!(of("rs", rust), [("a".to_owned(), 0..5), ("c".to_owned(), 6..7)]);
    let python = "class A:\n    def b(\n        self,\n    ):\n        pass\n\n\nx = 1\n";
    assert_eq!(of("py", python), [("b".to_owned(), 1..5)]);
    let c = "static int a(void) {\n    return 0;\n}\n";
    assert_eq!(of("c", c), [("a".to_owned(), 0..3)]);
    assert_eq!(of("sh", "a() {\n    true\n}\n"), [("a".to_owned(), 0..3)]);
}
