//! `io-shared top`: the channels as a live table.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use io_shared::inspect::{self, Content, Entry, Newest};
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Row, Table};

use crate::advice;
use crate::failure::Failure;
use crate::follow::give_way;
use crate::list;
use crate::named;
use crate::out::{Out, WIDEST, cut, wants_color, widths};
use crate::units;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The channels to show; all if none is given.
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(named::channels))]
    names: Vec<String>,
    /// How often to look.
    #[arg(long, short, value_name = "TIME", default_value = "500ms",
          value_parser = units::parse_duration)]
    every: Duration,
}

const HEADER: [&str; 8] =
    ["NAME", "TYPE", "SIZE", "RATE", "PER SECOND", "AGE", "PRODUCER", "CONSUMERS"];

pub(crate) fn run(options: &Options, out: &Out) -> Result<(), Failure> {
    if !out.is_terminal || out.json {
        let list = advice::command("list --json");
        return Err(Failure::Usage(format!("top needs a terminal: use `{list}` in a program")));
    }
    give_way();
    let mut board = Board::default();
    board.look(&options.names)?;
    let mut terminal = ratatui::init();
    let done = loop {
        let drawn = terminal.draw(|frame| board.draw(frame));
        if let Err(error) = drawn {
            break Err(error.into());
        }
        match is_over(options.every) {
            Ok(false) => {}
            Ok(true) => break Ok(()),
            Err(error) => break Err(error.into()),
        }
        if let Err(failure) = board.look(&options.names) {
            break Err(failure);
        }
    };
    ratatui::restore();
    done
}

/// Waits until it is time for the next look; whether the user wants to leave.
fn is_over(every: Duration) -> std::io::Result<bool> {
    let until = units::deadline(Some(every.max(Duration::from_millis(50))));
    loop {
        let left =
            until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
        // One look is not longer than a poll can wait.
        let left = left.min(Duration::from_secs(3600));
        if left.is_zero() || !event::poll(left)? {
            return Ok(false);
        }
        let Event::Key(key) = event::read()? else { return Ok(false) };
        let is_interrupt =
            key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        if is_interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
            return Ok(true);
        }
    }
}

/// What is shown, and what was seen before.
#[derive(Default)]
struct Board {
    rows: Vec<Vec<String>>,
    before: HashMap<String, Newest>,
}

impl Board {
    fn look(&mut self, names: &[String]) -> Result<(), Failure> {
        let entries = match names {
            [] => inspect::channels()?,
            names => names.iter().filter_map(|name| list::entry(name).ok()).collect(),
        };
        let mut seen = HashMap::new();
        self.rows = entries
            .into_iter()
            .map(|mut entry| {
                let per_second = self.measure(&mut entry, &mut seen);
                let mut row = list::row(&entry);
                row.insert(4, per_second.unwrap_or_else(|| "-".to_owned()));
                row.iter().map(|cell| cut(cell, WIDEST)).collect()
            })
            .collect();
        self.before = seen;
        Ok(())
    }

    /// Notes the rate since the last look, and returns the bytes per second.
    fn measure(&self, entry: &mut Entry, seen: &mut HashMap<String, Newest>) -> Option<String> {
        let Content::Region(region) = &mut entry.content else { return None };
        let newest = region.newest?;
        let before = self.before.get(&entry.name);
        if let Some(rate) = before.and_then(|before| before.rate_to(&newest)) {
            region.rate = Some(rate);
        }
        seen.insert(entry.name.clone(), newest);
        let per_second = region.rate? * newest.bytes as f64;
        Some(format!("{}/s", units::bytes(per_second as u64)))
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let [table, help] =
            Layout::vertical([Constraint::Min(2), Constraint::Length(1)]).areas(frame.area());
        let bold = if wants_color() { Modifier::BOLD } else { Modifier::empty() };
        let style = Style::new().add_modifier(bold);
        let widths = widths(&HEADER, &self.rows);
        let widths = widths.into_iter().map(|width| Constraint::Length(width.min(WIDEST) as u16));
        let rows = self.rows.iter().map(|row| Row::new(row.iter().map(|c| Cell::new(c.as_str()))));
        let header = Row::new(HEADER).style(style);
        frame.render_widget(Table::new(rows, widths).header(header).column_spacing(2), table);
        let info = advice::command("info NAME");
        let text = format!("{} regions   q: leave   More about one: {info}", self.rows.len());
        frame.render_widget(Line::from(text), help);
    }
}
