//! The Python literals that are `.npy` headers, and the codes of dtypes.
//!
//! What must stay true: reading a text takes time in proportion to its length, and no more stack
//! than [`DEEPEST`] nested structs need.

use super::error::{NpyError, Result};
use super::extent::{MOST_AXES, bytes_of};

/// How deep structured dtypes may be nested.
const DEEPEST: usize = 16;

/// The bytes of an element with this code (`<f4`, `|S8`, `<M8[ns]`).
pub(super) fn itemsize(code: &str) -> Result<usize> {
    let unknown = || NpyError::Unknown { dtype: code.to_owned() };
    let plain = code.strip_prefix(['<', '>', '|', '=']).unwrap_or(code);
    let mut chars = plain.chars();
    let kind = chars.next().ok_or_else(unknown)?;
    if kind == 'O' {
        return Err(NpyError::Object { dtype: code.to_owned() });
    }
    let (digits, unit) = match chars.as_str().split_once('[') {
        None => (chars.as_str(), ""),
        Some((digits, unit)) => (digits, unit.strip_suffix(']').ok_or_else(unknown)?),
    };
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(unknown());
    }
    let size: usize = digits.parse().map_err(|_| unknown())?;
    let known = match kind {
        'b' => size == 1,
        'i' | 'u' => matches!(size, 1 | 2 | 4 | 8),
        'f' => matches!(size, 2 | 4 | 8 | 16),
        'c' => matches!(size, 8 | 16 | 32),
        'm' | 'M' => size == 8 && unit.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        'S' | 'U' | 'V' => true,
        _ => false,
    };
    match kind {
        _ if !known || (!unit.is_empty() && !matches!(kind, 'm' | 'M')) => Err(unknown()),
        'U' => size.checked_mul(4).ok_or_else(unknown),
        _ => Ok(size),
    }
}

/// Reads Python literals.
pub(super) struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, rest: text }
    }

    /// dtype, Fortran order, shape, and the bytes of an element.
    pub(super) fn header(mut self) -> Result<(&'a str, bool, Vec<usize>, usize)> {
        let (mut descr, mut order, mut shape) = (None, None, None);
        self.expect('{', "`{`")?;
        while !self.eat('}') {
            let key = self.string()?;
            self.expect(':', "`:`")?;
            match key {
                "descr" => descr = Some(self.descr(0)?),
                "fortran_order" => order = Some(self.truth()?),
                "shape" => shape = Some(self.shape()?),
                _ => return Err(self.expected("`descr`, `fortran_order` or `shape` before this")),
            }
            if !self.eat(',') {
                self.expect('}', "`}`")?;
                break;
            }
        }
        self.end()?;
        match (descr, order, shape) {
            (Some((dtype, item)), Some(order), Some(shape)) => Ok((dtype, order, shape, item)),
            _ => Err(self.expected("`descr`, `fortran_order` and `shape` before this")),
        }
    }

    pub(super) fn whole_descr(mut self) -> Result<usize> {
        let (_, item) = self.descr(0)?;
        self.end()?;
        Ok(item)
    }

    /// A dtype as it is written (without quotes where it is a code), and the bytes of an element.
    fn descr(&mut self, depth: usize) -> Result<(&'a str, usize)> {
        if self.peek() != Some('[') {
            let code = self.string()?;
            return Ok((code, itemsize(code)?));
        }
        if depth == DEEPEST {
            return Err(self.expected("a dtype that is nested less deeply"));
        }
        let start = self.rest;
        self.expect('[', "`[`")?;
        let mut item = 0usize;
        while !self.eat(']') {
            let bytes = self.field(depth)?;
            item = item.checked_add(bytes).ok_or_else(|| self.expected("less before this"))?;
            if !self.eat(',') {
                self.expect(']', "`]`")?;
                break;
            }
        }
        Ok((&start[..start.len() - self.rest.len()], item))
    }

    /// `('name', descr)`, `('name', descr, shape)` or `(('title', 'name'), descr)`, in bytes.
    fn field(&mut self, depth: usize) -> Result<usize> {
        self.expect('(', "`(`")?;
        if self.eat('(') {
            self.string()?;
            self.expect(',', "`,`")?;
            self.string()?;
            self.expect(')', "`)`")?;
        } else {
            self.string()?;
        }
        self.expect(',', "`,`")?;
        let (dtype, item) = self.descr(depth + 1)?;
        let mut bytes = item;
        if self.eat(',') && self.peek() != Some(')') {
            let shape = if self.peek() == Some('(') { self.shape()? } else { vec![self.number()?] };
            bytes = bytes_of(dtype, item, &shape)?;
            self.eat(',');
        }
        self.expect(')', "`)`")?;
        Ok(bytes)
    }

    pub(super) fn shape(&mut self) -> Result<Vec<usize>> {
        let mut shape = Vec::new();
        self.expect('(', "`(`")?;
        while !self.eat(')') {
            if shape.len() == MOST_AXES {
                return Err(NpyError::TooManyAxes { found: MOST_AXES + 1, most: MOST_AXES });
            }
            shape.push(self.number()?);
            if !self.eat(',') {
                self.expect(')', "`)`")?;
                break;
            }
        }
        Ok(shape)
    }

    /// The text between quotes, with its escapes.
    pub(super) fn string(&mut self) -> Result<&'a str> {
        self.skip_space();
        // Python 2 writes this before texts that are not bytes.
        self.rest = self.rest.strip_prefix('u').unwrap_or(self.rest);
        let quote = self.peek().filter(|quote| matches!(quote, '\'' | '"'));
        let quote = quote.ok_or_else(|| self.expected("a string"))?;
        let inner = &self.rest[1..];
        let mut escaped = false;
        let end = inner.find(|character| {
            let ends = character == quote && !escaped;
            escaped = character == '\\' && !escaped;
            ends
        });
        let end = end.ok_or_else(|| self.expected("a string that ends"))?;
        self.rest = &inner[end + 1..];
        Ok(&inner[..end])
    }

    pub(super) fn number(&mut self) -> Result<usize> {
        self.skip_space();
        let end = self.rest.find(|character: char| !character.is_ascii_digit());
        let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let number = digits.parse().map_err(|_| self.expected("a length"))?;
        // Python 2 writes this after long integers.
        self.rest = rest.strip_prefix('L').unwrap_or(rest);
        Ok(number)
    }

    fn truth(&mut self) -> Result<bool> {
        self.skip_space();
        for (word, truth) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(truth);
            }
        }
        Err(self.expected("`True` or `False`"))
    }

    fn end(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.expected("the end")),
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    pub(super) fn peek(&mut self) -> Option<char> {
        self.skip_space();
        self.rest.chars().next()
    }

    pub(super) fn eat(&mut self, character: char) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(character);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    pub(super) fn expect(&mut self, character: char, expected: &'static str) -> Result<()> {
        if self.eat(character) { Ok(()) } else { Err(self.expected(expected)) }
    }

    pub(super) fn expected(&self, expected: &'static str) -> NpyError {
        NpyError::Header { expected, at: self.text.len() - self.rest.len() }
    }
}
