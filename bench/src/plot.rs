//! The plot for the README: one-way times of every system, on a logarithmic scale. Its colours
//! follow the reader's choice of light or dark.

use std::fmt::Write;

use crate::report::{Case, Mode, Report};
use crate::series::{Series, Spread};
use crate::system::{BARE, BARE_BUFFER, BARE_LINE, IO_SHARED, LOOKING, NO_STAMPS, PROTOCOL};

const WIDTH: f64 = 820.0;
/// Where the bars begin. The systems' names are to the left.
const LEFT: f64 = 210.0;
/// The width to the right of the bars, for two columns of figures.
const RIGHT: f64 = 170.0;
/// Where the columns of figures end.
const P50_AT: f64 = WIDTH - 80.0;
const P99_AT: f64 = WIDTH - 10.0;
const ROW: f64 = 20.0;
const HEADING: f64 = 34.0;

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}\
.head{font-weight:600}.end{text-anchor:end}.faint{fill:#59636e}.grid{stroke:#d1d9e0}\
.bar{fill:#8c959f}.ours{fill:#0969da}.limit{fill:#bf8700}.tail{stroke:#1f2328;stroke-width:1.5}\
@media(prefers-color-scheme:dark){\
text{fill:#f0f6fc}.faint{fill:#9198a1}.grid{stroke:#3d444d}\
.bar{fill:#656c76}.ours{fill:#4493f8}.limit{fill:#d29922}.tail{stroke:#f0f6fc}}";

/// What is shown: a heading and the case.
const PANELS: [(&str, Case); 5] = [
    ("polling, 16 B written and read", Case { mode: Mode::Polling, payload: 16, touch: true }),
    ("polling, 5 MiB untouched", Case { mode: Mode::Polling, payload: 5 << 20, touch: false }),
    ("blocking, both on one core, 16 B", Case { mode: Mode::OneCore, payload: 16, touch: true }),
    ("blocking, two cores, 16 B", Case { mode: Mode::TwoCores, payload: 16, touch: true }),
    (
        "blocking, two cores, 1 ms between messages",
        Case { mode: Mode::Pauses, payload: 16, touch: true },
    ),
];

struct Bar<'a> {
    system: &'a str,
    p50: f64,
    p99: f64,
}

fn bars(report: &Report, case: Case) -> Vec<Bar<'_>> {
    let median = |values: &[f64]| Spread::of(values).map(|spread| spread.median);
    let bar = |system, series: &Series| {
        Some(Bar { system, p50: median(&series.p50)?, p99: median(&series.p99)? })
    };
    let cells = report.cells.iter().filter(|cell| cell.case == case);
    let mut bars: Vec<_> = cells.filter_map(|cell| bar(cell.system, &cell.series)).collect();
    bars.sort_by(|a, b| a.p50.total_cmp(&b.p50));
    bars
}

/// Returns `None` if nothing of it was measured.
pub(crate) fn render(report: &Report) -> Option<String> {
    let panels: Vec<_> = PANELS
        .iter()
        .map(|(heading, case)| (heading, case, bars(report, *case)))
        .filter(|(_, _, bars)| !bars.is_empty())
        .collect();
    let every = || panels.iter().flat_map(|(_, _, bars)| bars);
    let least = every().map(|bar| bar.p50).min_by(f64::total_cmp)?;
    let most = every().map(|bar| bar.p99).max_by(f64::total_cmp)?;
    let (low, high) = (least.log10().floor(), most.log10().ceil());
    let scale = (WIDTH - LEFT - RIGHT) / (high - low).max(1.0);
    let x = |nanoseconds: f64| LEFT + (nanoseconds.log10() - low) * scale;
    let rows: usize = panels.iter().map(|(_, _, bars)| bars.len()).sum();
    let bottom = 30.0 + panels.len() as f64 * HEADING + rows as f64 * ROW;
    let height = bottom + 40.0;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\"><title>One-way hand-over times</title><style>{STYLE}</style>\n\
         <text class=\"head\" x=\"8\" y=\"20\">One way: half a round trip; logarithmic</text>\
         <text class=\"faint end\" x=\"{P50_AT}\" y=\"20\">p50 (bar)</text>\
         <text class=\"faint end\" x=\"{P99_AT}\" y=\"20\">p99 (line)</text>\n"
    );
    let mut y = 30.0;
    for (heading, case, bars) in &panels {
        y += HEADING;
        let _ = writeln!(svg, "<text class=\"head\" x=\"8\" y=\"{:.0}\">{heading}</text>", y - 9.0);
        // Under the bars alone: a line through a text makes both harder to read.
        let end = y + bars.len() as f64 * ROW;
        for decade in low as i32..=high as i32 {
            let at = x(10f64.powi(decade));
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{y}\" y2=\"{end}\"/>"
            );
        }
        for bar in bars {
            svg += &drawn(bar, case.name_of(bar.system), y, x);
            y += ROW;
        }
    }
    for decade in low as i32..=high as i32 {
        let _ = writeln!(
            svg,
            "<text class=\"faint\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.0}\">{}</text>",
            x(10f64.powi(decade)),
            bottom + 20.0,
            time(10f64.powi(decade)).replace(".0 ", " "),
        );
    }
    svg += "</svg>\n";
    Some(svg)
}

/// One bar with its name and figures, at height `y`; `x` maps nanoseconds to the picture.
fn drawn(bar: &Bar<'_>, name: &str, y: f64, x: impl Fn(f64) -> f64) -> String {
    let class = match bar.system {
        IO_SHARED | NO_STAMPS | LOOKING => "ours",
        BARE | BARE_BUFFER | BARE_LINE | PROTOCOL => "limit",
        _ => "bar",
    };
    let (middle, to, tail) = (y + ROW / 2.0, x(bar.p50), x(bar.p99));
    let (base, left, top, width) = (middle + 4.5, LEFT - 8.0, middle - 7.0, to - LEFT);
    let (p50, p99) = (time(bar.p50), time(bar.p99));
    format!(
        "<text class=\"end\" x=\"{left:.0}\" y=\"{base}\">{name}</text>\
         <rect class=\"{class}\" x=\"{LEFT}\" y=\"{top:.0}\" \
         width=\"{width:.1}\" height=\"14\"/>\
         <line class=\"tail\" x1=\"{to:.1}\" x2=\"{tail:.1}\" \
         y1=\"{middle}\" y2=\"{middle}\"/>\
         <text class=\"end\" x=\"{P50_AT}\" y=\"{base}\">{p50}</text>\
         <text class=\"faint end\" x=\"{P99_AT}\" y=\"{base}\">{p99}</text>\n"
    )
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        t if t < 999.5 => format!("{t:.0} ns"),
        t if t < 999_500.0 => format!("{} us", two(t / 1e3)),
        t => format!("{} ms", two(t / 1e6)),
    }
}

/// A time with two significant digits.
fn two(value: f64) -> String {
    format!("{value:.*}", usize::from(value < 9.95))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::report::Cell;

    #[test]
    fn what_was_measured_is_drawn_and_nothing_else() {
        let mut report = Report::default();
        assert!(render(&report).is_none());
        let clock = Clock::calibrate().unwrap();
        let mut series = Series::new().unwrap();
        series.add(&[clock.ticks(std::time::Duration::from_micros(20)); 100], clock);
        report.cells.push(Cell { case: PANELS[0].1, system: IO_SHARED, series });
        let svg = render(&report).unwrap();
        assert!(svg.contains(PANELS[0].0) && svg.contains(">10 us</text>"), "{svg}");
        assert!(!svg.contains(PANELS[1].0), "{svg}");
    }
}
