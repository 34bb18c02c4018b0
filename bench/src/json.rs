//! The report as JSON, with the figure of every round.

use serde_json::{Value, json};

use crate::report::Report;
use crate::series::Spread;
use crate::system::{BARE, BARE_BUFFER, BARE_LINE};
use crate::targets;

pub(crate) fn render(report: &Report) -> Value {
    let cells: Vec<_> = report
        .cells
        .iter()
        .map(|cell| {
            let series = &cell.series;
            json!({
                "mode": cell.case.mode.name(),
                "payload_bytes": cell.case.payload,
                "written_and_read": cell.case.touch,
                "system": cell.system,
                "samples": series.samples(),
                "one_way_ns": {
                    "p50_of_rounds": series.p50,
                    "p99_of_rounds": series.p99,
                    "mean_of_rounds": series.mean,
                    "p50": series.quantile(0.5),
                    "p99": series.quantile(0.99),
                    "p99.9": series.quantile(0.999),
                    "max": series.max(),
                },
                "p50_against_three_buffers": report.against(BARE, cell).map(spread),
                "p50_against_one_buffer": report.against(BARE_BUFFER, cell).map(spread),
                "p50_against_in_the_line": report.against(BARE_LINE, cell).map(spread),
            })
        })
        .collect();
    let figures: Vec<_> = report
        .figures
        .iter()
        .map(|figure| {
            json!({
                "measurement": figure.measurement,
                "what": figure.what,
                "system": figure.system,
                "unit": figure.unit,
                "rounds": figure.rounds,
            })
        })
        .collect();
    let targets: Vec<_> = targets::all(report)
        .into_iter()
        .map(|target| {
            json!({
                "what": target.what,
                "target": target.wanted,
                "found": target.found.map(spread),
                "holds": target.holds,
            })
        })
        .collect();
    let about: serde_json::Map<_, _> =
        report.about.iter().map(|(name, value)| (name.clone(), Value::from(&**value))).collect();
    json!({ "about": about, "handover": cells, "figures": figures, "targets": targets })
}

fn spread(spread: Spread) -> Value {
    json!({ "median": spread.median, "least": spread.least, "most": spread.most })
}
