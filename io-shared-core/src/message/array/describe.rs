//! A `.npy` header as JSON, for programs that should not parse Python literals. Python itself is
//! one of them: its own parsers are slow on hostile literals, or crash.
//!
//! What must stay true: a text is described only after [`read`](super::header::read) has read it.
//! So text that is nested too deeply or is too large has been refused there.

use std::fmt::Write as _;

use super::error::Result;
use super::header::{self, Header};
use super::literal::Parser;

/// The contents of the header of `npy`, after checking that all elements are there:
/// `{"descr":"<f4","fortran_order":false,"shape":[2, 3],"start":128,"bytes":24}`.
///
/// `start` is the offset of the elements, and `bytes` how many bytes they have. A structured dtype
/// is a list of its fields: `[title or null, name, descr, shape or null]`. Strings have the
/// characters that they mean in Python.
///
/// ```
/// use io_shared_core::array::{NpyError, describe};
///
/// let npy = b"\x93NUMPY\x01\0\x40\0{'descr': [('x', '<f4')], 'fortran_order': False, \
///             'shape': (1,)}\n\0\0\0\0";
/// let json = describe(npy)?;
/// assert!(json.starts_with(r#"{"descr":[[null,"x","<f4",null]],"fortran_order":false,"#));
/// assert!(json.ends_with(r#""shape":[1],"start":74,"bytes":4}"#));
/// assert_eq!(describe(b"PK"), Err(NpyError::NotNpy));
/// # Ok::<(), NpyError>(())
/// ```
///
/// # Errors
/// The errors of [`Array::npy`](super::Array::npy), and
/// [`NpyError::Header`](super::NpyError::Header) for a string that is not valid in Python.
pub fn describe(npy: &[u8]) -> Result<String> {
    let Header { dtype, fortran_order, shape, data } = header::read(npy)?;
    let mut json = String::from("{\"descr\":");
    match dtype.starts_with('[') {
        true => descr(&mut Parser::new(&dtype), &mut json)?,
        false => quote(&dtype, &mut json),
    }
    let (start, bytes) = (data.start, data.len());
    // Writing to a String does not fail.
    let _ = write!(json, ",\"fortran_order\":{fortran_order},\"shape\":{shape:?}");
    let _ = write!(json, ",\"start\":{start},\"bytes\":{bytes}}}");
    Ok(json)
}

/// A dtype that `read` has checked.
fn descr(parser: &mut Parser<'_>, json: &mut String) -> Result<()> {
    if parser.peek() != Some('[') {
        return string(parser, json);
    }
    parser.expect('[', "`[`")?;
    json.push('[');
    while !parser.eat(']') {
        if !json.ends_with('[') {
            json.push(',');
        }
        field(parser, json)?;
        parser.eat(',');
    }
    json.push(']');
    Ok(())
}

/// `('name', descr)`, `('name', descr, shape)` or `(('title', 'name'), descr)`.
fn field(parser: &mut Parser<'_>, json: &mut String) -> Result<()> {
    parser.expect('(', "`(`")?;
    json.push('[');
    if parser.eat('(') {
        string(parser, json)?;
        parser.expect(',', "`,`")?;
        json.push(',');
        string(parser, json)?;
        parser.expect(')', "`)`")?;
    } else {
        json.push_str("null,");
        string(parser, json)?;
    }
    parser.expect(',', "`,`")?;
    json.push(',');
    descr(parser, json)?;
    json.push(',');
    if parser.eat(',') && parser.peek() != Some(')') {
        let shape = match parser.peek() {
            Some('(') => parser.shape()?,
            _ => vec![parser.number()?],
        };
        let _ = write!(json, "{shape:?}");
        parser.eat(',');
    } else {
        json.push_str("null");
    }
    json.push(']');
    parser.expect(')', "`)`")
}

fn string(parser: &mut Parser<'_>, json: &mut String) -> Result<()> {
    let escaped = parser.string()?;
    match meant(escaped) {
        Some(meant) => quote(&meant, json),
        None => return Err(parser.expected("a string of characters before this")),
    }
    Ok(())
}

/// The characters that a string means in Python; `None` if an escape is not valid there, or stands
/// for no character.
fn meant(escaped: &str) -> Option<String> {
    let mut meant = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((plain, after)) = rest.split_once('\\') {
        meant.push_str(plain);
        let kind = after.chars().next()?;
        let (radix, digits) = match kind {
            'x' => (16, after.get(1..3)?),
            'u' => (16, after.get(1..5)?),
            'U' => (16, after.get(1..9)?),
            '0'..='7' => {
                let end = after.bytes().take(3).take_while(|byte| matches!(byte, b'0'..=b'7'));
                (8, after.get(..end.count())?)
            }
            'N' => return None,
            _ => {
                match kind {
                    '\n' => {}
                    '\\' | '\'' | '"' => meant.push(kind),
                    'a' => meant.push('\x07'),
                    'b' => meant.push('\x08'),
                    'f' => meant.push('\x0c'),
                    'n' => meant.push('\n'),
                    'r' => meant.push('\r'),
                    't' => meant.push('\t'),
                    'v' => meant.push('\x0b'),
                    unknown => meant.extend(['\\', unknown]),
                }
                rest = after.get(kind.len_utf8()..)?;
                continue;
            }
        };
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        meant.push(char::from_u32(u32::from_str_radix(digits, radix).ok()?)?);
        rest = after.get(digits.len() + usize::from(radix == 16)..)?;
    }
    meant.push_str(rest);
    Some(meant)
}

fn quote(text: &str, json: &mut String) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn strings_mean_what_they_mean_in_python() {
        for (escaped, text) in [
            ("", Some("")),
            ("x", Some("x")),
            (r"a\'b\\c\n\q", Some("a'b\\c\n\\q")),
            (r"\x41\u00e4\U0001f600\101\0z", Some("A\u{e4}\u{1f600}A\0z")),
            ("gr\u{f6}\\\nsse", Some("gr\u{f6}sse")),
            (r"\x4", None),
            (r"\xg0", None),
            (r"\x+4", None),
            (r"\ud800", None),
            (r"\U00110000", None),
            (r"\N{BULLET}", None),
            ("\\", None),
            ("\\x\u{e4}", None),
        ] {
            assert_eq!(meant(escaped).as_deref(), text, "{escaped}");
        }
    }
}
