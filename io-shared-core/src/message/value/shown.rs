//! A value as text, in one of the styles.

use std::fmt;

use super::output::Output;
use super::{Value, csv, json, yaml};

/// How many parts a message may have for each of its bytes: as deep as types are nested.
const PARTS_PER_BYTE: usize = 48;
/// And how many in any case, of those without bytes.
const PARTS: usize = 1 << 16;

/// A [`Value`] as text. [`Value::yaml`], [`Value::json`] and [`Value::csv`] return it.
///
/// # Examples
/// ```
/// use io_shared_core::{Message, Value};
///
/// let schema = <[u8]>::schema();
/// let value = Value::decode(&schema, &[7; 1000])?;
/// assert_eq!(value.json().most(2).to_string(), r#"[7,7,"and 998 more"]"#);
/// assert_eq!(value.json().without_lists().to_string(), r#""<1000 elements>""#);
/// # Ok::<(), io_shared_core::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Formatted<'v, 'a> {
    value: &'v Value<'a>,
    style: Style,
    most: usize,
    lists: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Style {
    Yaml,
    Json,
    Csv,
}

impl<'v, 'a> Formatted<'v, 'a> {
    pub(super) fn new(value: &'v Value<'a>, style: Style) -> Self {
        Self { value, style, most: usize::MAX, lists: true }
    }

    /// Shows at most this many elements of each list, and says how many more there are.
    /// [`Formatted`] has an example.
    #[must_use]
    pub fn most(mut self, elements: usize) -> Self {
        self.most = elements;
        self
    }

    /// Shows of each list only how long it is. [`Formatted`] has an example.
    #[must_use]
    pub fn without_lists(mut self) -> Self {
        self.lists = false;
        self
    }
}

impl fmt::Display for Formatted<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match self.value {
            Value::List(list) => list.bytes.len(),
            Value::Record(record) => record.bytes.len(),
            _ => 0,
        };
        let left = bytes.saturating_mul(PARTS_PER_BYTE).saturating_add(PARTS);
        let mut out = Output { out: f, most: self.most, lists: self.lists, left };
        match self.style {
            Style::Yaml => yaml::write(&mut out, self.value),
            Style::Json => json::write(&mut out, self.value),
            Style::Csv => csv::write(&mut out, self.value),
        }
    }
}

impl fmt::Debug for Formatted<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
