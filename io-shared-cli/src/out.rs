//! The output: tables for people, fields for programs, JSON where it is asked for.

use std::fmt;
use std::io::{self, IsTerminal, StdoutLock, Write};

use serde_json::Value as Json;

/// The standard output.
pub(crate) struct Out {
    to: io::BufWriter<StdoutLock<'static>>,
    /// Whether a person reads it.
    pub(crate) is_terminal: bool,
    has_color: bool,
    pub(crate) json: bool,
}

impl Out {
    pub(crate) fn new(json: bool) -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let has_color = is_terminal && wants_color();
        Self { to: io::BufWriter::new(stdout.lock()), is_terminal, has_color, json }
    }

    pub(crate) fn line(&mut self, line: impl fmt::Display) -> io::Result<()> {
        writeln!(self.to, "{line}")
    }

    /// One object on one line.
    pub(crate) fn object(&mut self, object: &Json) -> io::Result<()> {
        let mut text = object.to_string();
        // JSON lets some characters pass that a terminal acts on. They stand in its texts alone.
        if text.contains(is_hidden) {
            let escape = |c: char| match is_hidden(c) {
                true => format!("\\u{:04x}", u32::from(c)),
                false => c.to_string(),
            };
            text = text.chars().map(escape).collect();
        }
        writeln!(self.to, "{text}")
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// Advice for a person: which command to run next. Programs are told nothing.
    pub(crate) fn advise(&mut self, advice: impl fmt::Display) -> io::Result<()> {
        match self.is_terminal && !self.json {
            true => writeln!(self.to, "{advice}"),
            false => Ok(()),
        }
    }

    /// A text in bold, where a person reads it.
    pub(crate) fn bold(&self, text: &str) -> String {
        match self.has_color {
            true => format!("\x1b[1m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    /// A table: aligned under its header for a person; for a program the rows alone, with a tab
    /// between the cells.
    pub(crate) fn table(&mut self, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        if !self.is_terminal {
            return rows.iter().try_for_each(|row| writeln!(self.to, "{}", row.join("\t")));
        }
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| cut(cell, WIDEST)).collect()).collect();
        let widths = widths(header, &rows);
        let header: Vec<String> = header.iter().map(|&cell| cell.to_owned()).collect();
        let line = aligned(&header, &widths);
        let line = self.bold(&line);
        writeln!(self.to, "{line}")?;
        rows.iter().try_for_each(|row| writeln!(self.to, "{}", aligned(row, &widths)))
    }
}

/// Whether the user has not refused colors (<https://no-color.org>).
pub(crate) fn wants_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
}

/// The most characters of a cell on a terminal.
pub(crate) const WIDEST: usize = 80;

/// A text of at most `most` characters, where `..` stands for the rest.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(2)).chain("..".chars()).collect(),
    }
}

/// How wide each column is.
pub(crate) fn widths(header: &[&str], rows: &[Vec<String>]) -> Vec<usize> {
    let width = |text: &str| text.chars().count();
    let column = |number: usize| {
        let cells = rows.iter().filter_map(|row| row.get(number)).map(|cell| width(cell));
        cells.chain(header.get(number).map(|cell| width(cell))).max().unwrap_or(0)
    };
    (0..header.len()).map(column).collect()
}

/// A row with its columns aligned, without spaces at its end.
pub(crate) fn aligned(row: &[String], widths: &[usize]) -> String {
    // Not by `{cell:width$}`, which panics where a width has more than 16 bits.
    let padded = |(cell, width): (&String, &usize)| {
        cell.clone() + &" ".repeat(width.saturating_sub(cell.chars().count()))
    };
    row.iter().zip(widths).map(padded).collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// A text of another program, without characters that move a terminal's cursor or end a cell.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown
}

/// Whether a character is one for control, ends a line, or changes the direction of the text around
/// it.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows =
            [vec!["/größe".to_owned(), "1".to_owned()], vec!["/b".to_owned(), String::new()]];
        let widths = widths(&["NAME", "SEQ"], &rows);
        assert_eq!(widths, [6, 3]);
        assert_eq!(aligned(&rows[0], &widths), "/größe  1");
        assert_eq!(aligned(&rows[1], &widths), "/b");
    }

    #[test]
    fn a_cell_that_no_terminal_shows_is_cut() {
        let long = "ü".repeat(100_000);
        assert_eq!(cut(&long, 5), "üüü..");
        assert_eq!((cut("12345", 5), cut("", 0)), ("12345".to_owned(), String::new()));
        // A width that `format!` takes for none.
        let row = [long, "end".to_owned()];
        assert!(aligned(&row, &widths(&["A", "B"], &[row.to_vec()])).ends_with("ü  end"));
    }

    #[test]
    fn texts_of_other_programs_move_no_cursor() {
        let text = "a\x1b[2J\n\u{202e}\u{2067}ü";
        assert_eq!(plain(text), r"a\u{1b}[2J\u{a}\u{202e}\u{2067}ü");
    }
}
