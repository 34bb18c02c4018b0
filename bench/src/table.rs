//! The report as Markdown tables.

use std::fmt::Write;

use crate::report::{Cell, Mode, Report, size};
use crate::series::Spread;
use crate::system::{BARE, BARE_BUFFER, BARE_LINE};
use crate::targets;

pub(crate) fn render(report: &Report) -> String {
    let mut text = String::new();
    for (name, value) in &report.about {
        let _ = writeln!(text, "- {name}: {value}");
    }
    for mode in Mode::ALL {
        let cells: Vec<_> = report.cells.iter().filter(|cell| cell.case.mode == mode).collect();
        if !cells.is_empty() {
            text += &hand_overs(report, mode, &cells);
        }
    }
    if !report.figures.is_empty() {
        text += "\nOther figures\n\n";
        let mut rows = vec![row(["measured", "of", "system", "median", "least to most", "unit"])];
        for figure in &report.figures {
            let Some(spread) = Spread::of(&figure.rounds) else { continue };
            rows.push(vec![
                figure.measurement.into(),
                figure.what.clone(),
                figure.system.into(),
                three(spread.median),
                format!("{} to {}", three(spread.least), three(spread.most)),
                figure.unit.into(),
            ]);
        }
        text += &aligned(&rows);
    }
    text += "\nTargets: ratios within a round, medians over the rounds\n\n";
    let mut rows = vec![row(["what", "target", "found", "holds"])];
    for target in targets::all(report) {
        rows.push(vec![
            target.what.into(),
            target.wanted,
            target.found.map_or_else(|| "not measured".into(), with_spread),
            target.holds.map_or("", |holds| if holds { "yes" } else { "**no**" }).into(),
        ]);
    }
    text + &aligned(&rows)
}

/// The ping-pongs of one mode.
fn hand_overs(report: &Report, mode: Mode, cells: &[&Cell]) -> String {
    let text = format!("\nHand-over, {}: one way, microseconds\n\n", mode.name());
    let mut rows = vec![row([
        "payload",
        "written, read",
        "system",
        "p50",
        "least to most",
        "p99",
        "p99.9",
        "max",
        if mode == Mode::Polling { "p50 / three buffers" } else { "p50 / futex pair" },
        "/ one buffer",
        "/ in the line",
        "GB/s",
    ])];
    for cell in cells {
        let (case, series) = (cell.case, &cell.series);
        let p50 = Spread::of(&series.p50);
        let p99 = Spread::of(&series.p99);
        let speed = Spread::of(&series.mean).map(|mean| case.payload as f64 / mean.median);
        rows.push(vec![
            size(case.payload),
            if case.touch { "yes" } else { "no" }.into(),
            case.name_of(cell.system).into(),
            p50.map_or_else(String::new, |s| micro(s.median)),
            p50.map_or_else(String::new, |s| format!("{} to {}", micro(s.least), micro(s.most))),
            p99.map_or_else(String::new, |s| micro(s.median)),
            micro(series.quantile(0.999)),
            micro(series.max()),
            report.against(BARE, cell).map_or_else(String::new, with_spread),
            report.against(BARE_BUFFER, cell).map_or_else(String::new, middle),
            report.against(BARE_LINE, cell).map_or_else(String::new, middle),
            // An untouched payload moves nothing.
            speed.filter(|_| case.touch && case.payload > 16).map_or_else(String::new, three),
        ]);
    }
    text + &aligned(&rows)
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Nanoseconds as microseconds, with three significant digits.
fn micro(nanoseconds: f64) -> String {
    three(nanoseconds / 1e3)
}

fn three(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 + 1 };
    format!("{value:.*}", (3 - digits).clamp(0, 4) as usize)
}

fn middle(spread: Spread) -> String {
    three(spread.median)
}

fn with_spread(spread: Spread) -> String {
    format!("{} ({} to {})", three(spread.median), three(spread.least), three(spread.most))
}

/// A Markdown table whose columns line up as plain text too. The first row is the head.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text += "|\n";
        if index == 0 {
            for width in &widths {
                let _ = write!(text, "|{:-<1$}", "", width + 2);
            }
            text += "|\n";
        }
    }
    text
}
