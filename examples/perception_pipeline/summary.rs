//! The result of a run: the counts of three processes, which each counted independently.
//!
//! The launcher makes it when every frame is settled. Its checks decide the exit status.

use std::fmt;

use serde_json::{Value, json};

use crate::latency::Latencies;
use crate::ledger::Ledger;
use crate::reports::{Sent, Shown};

#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) sent: Sent,
    pub(crate) ledger: Ledger,
    pub(crate) shown: Shown,
    pub(crate) restarts: u64,
    /// Nothing may be missed: in step, and nobody was killed.
    pub(crate) lossless: bool,
}

impl Summary {
    /// What is wrong, in words; empty if the run was right.
    pub(crate) fn faults(&self) -> Vec<String> {
        let Summary { sent, ledger, shown, .. } = self;
        let (labelled, missed) = (ledger.labelled, ledger.missed());
        let mut faults = Vec::new();
        let mut check = |right: bool, fault: String| {
            if !right {
                faults.push(fault);
            }
        };
        check(
            labelled + missed == sent.frames,
            format!("{labelled} frames labelled and {missed} missed are not {} sent", sent.frames),
        );
        check(
            labelled == shown.labelled,
            format!("{labelled} labels put, but {} by the viewer's count", shown.labelled),
        );
        check(shown.wrong == 0, format!("{} labels are wrong", shown.wrong));
        check(
            shown.differing == 0,
            format!("{} frames came out differently when labelled again", shown.differing),
        );
        check(
            !self.lossless || (missed == 0 && shown.got == sent.frames),
            format!("in step, {missed} frames were missed and {} labels came", shown.got),
        );
        faults
    }

    pub(crate) fn to_json(&self) -> Value {
        let Summary { sent, ledger, shown, .. } = self;
        let clouds = self.cloud_latencies();
        let labels = &shown.label_latencies;
        json!({
            "sent": sent.frames,
            "labelled": ledger.labelled,
            "missed": ledger.missed(),
            "skipped": ledger.skipped,
            "lost": ledger.lost,
            "restarts": self.restarts,
            "points": shown.points,
            "got": shown.got,
            "unpaired": shown.unpaired,
            "wrong": shown.wrong,
            "verified": shown.verified,
            "differing": shown.differing,
            "cloud_p50_us": clouds.quantile(0.5),
            "cloud_p99_us": clouds.quantile(0.99),
            "cloud_waits": clouds.count(),
            "label_p50_us": labels.quantile(0.5),
            "label_p99_us": labels.quantile(0.99),
            "label_waits": labels.count(),
        })
    }

    /// The latencies to both consumers.
    fn cloud_latencies(&self) -> Latencies {
        self.ledger.cloud_latencies.merged(&self.shown.cloud_latencies)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { sent, ledger, shown, restarts, .. } = self;
        writeln!(
            f,
            "{} frames sent: {} labelled, {} missed ({} skipped for newer ones, {} lost with a \
             killed segmentator, which was started again {restarts} times)",
            sent.frames,
            ledger.labelled,
            ledger.missed(),
            ledger.skipped,
            ledger.lost,
        )?;
        writeln!(
            f,
            "{} labels with {} points shown, {} without their cloud, {} wrong; {} frames labelled \
             again, {} differing",
            shown.got, shown.points, shown.unpaired, shown.wrong, shown.verified, shown.differing,
        )?;
        write!(
            f,
            "from put to get, by readers that were waiting: clouds {}; labels {}",
            Quantiles(&self.cloud_latencies()),
            Quantiles(&shown.label_latencies),
        )
    }
}

struct Quantiles<'a>(&'a Latencies);

impl fmt::Display for Quantiles<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.quantile(0.5), self.0.quantile(0.99)) {
            (Some(half), Some(most)) => {
                write!(f, "p50 {half} us, p99 {most} us of {}", self.0.count())
            }
            _ => write!(f, "none"),
        }
    }
}
