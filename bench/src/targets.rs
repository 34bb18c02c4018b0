//! The targets of io-shared, and whether this run meets them.

use crate::measure::{consumers, copying, first, idle, many, memory};
use crate::report::{Case, Mode, Report};
use crate::series::Spread;
use crate::system::{BARE, BARE_LINE, ICEORYX2, IO_SHARED, NO_STAMPS};

pub(crate) struct Target {
    pub(crate) what: &'static str,
    /// In words.
    pub(crate) wanted: String,
    /// `None` if it was not measured in this run.
    pub(crate) found: Option<Spread>,
    pub(crate) holds: Option<bool>,
}

/// Which side of the bound is good.
#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

pub(crate) fn all(report: &Report) -> Vec<Target> {
    let mut targets = hand_overs(report);
    targets.extend(other_figures(report));
    targets.extend(waiting(report));
    targets
}

/// Of the ping-pongs.
fn hand_overs(report: &Report) -> Vec<Target> {
    let polling = |payload, touch| Case { mode: Mode::Polling, payload, touch };
    let p50 = |case, system| report.cell(case, system).map(|series| &*series.p50);
    let p99 = |case, system| report.cell(case, system).map(|series| &*series.p99);
    let small = polling(16, true);
    let one_core = Case { mode: Mode::OneCore, ..small };
    vec![
        target(
            "16 B written and read, polling, default settings, against a bare line with them in it",
            Bound::AtMost(1.6),
            ratio(p50(small, IO_SHARED), p50(small, BARE_LINE)),
        ),
        target(
            "the same with `.stamps(false)`",
            Bound::AtMost(1.25),
            ratio(p50(small, NO_STAMPS), p50(small, BARE_LINE)),
        ),
        target(
            "the same as the first, p99 against p99",
            Bound::AtMost(1.5),
            ratio(p99(small, IO_SHARED), p99(small, BARE_LINE)),
        ),
        target(
            "blocking, both on one core, against the bare futex pair",
            Bound::AtMost(1.1),
            ratio(p50(one_core, IO_SHARED), p50(one_core, BARE)),
        ),
        target(
            "blocking across cores, against the fastest peer",
            Bound::AtMost(1.0),
            against_peers(report, Case { mode: Mode::TwoCores, ..small }),
        ),
        target(
            "blocking with 1 ms between messages, against the fastest peer",
            Bound::AtMost(1.0),
            against_peers(report, Case { mode: Mode::Pauses, ..small }),
        ),
        target(
            "5 MiB untouched, against 16 B untouched",
            Bound::AtMost(1.1),
            ratio(p50(polling(5 << 20, false), IO_SHARED), p50(polling(16, false), IO_SHARED)),
        ),
    ]
}

/// Of everything else but waiting.
fn other_figures(report: &Report) -> Vec<Target> {
    let [first_message, tenth] = first::CASES.map(|(messages, payload)| {
        let what = first::what(messages, payload);
        let of = |system| report.figure(first::MEASUREMENT, &what, system);
        ratio(of(IO_SHARED), of(ICEORYX2))
    });
    let copies = copying::SIZES.map(|size| {
        let what = crate::report::size(size);
        let of = |system| report.figure(copying::MEASUREMENT, &what, system);
        ratio(of(IO_SHARED), of(BARE))
    });
    let worst_copy = copies.into_iter().flatten().min_by(|a, b| a.median.total_cmp(&b.median));
    let put = |count| report.figure(consumers::MEASUREMENT, &consumers::what(count), IO_SHARED);
    let wake = |way| report.figure(many::WAKING, &many::what(127), way);
    let ours = |measurement, what| report.figure(measurement, what, IO_SHARED);
    let memory = ours(memory::MEASUREMENT, memory::SIZE).and_then(Spread::of);
    let most = (3 * (5 << 10) + 16) as f64;
    vec![
        target(
            "speed of a copying put of 1 to 5 MiB (the slowest), against memcpy",
            Bound::AtLeast(0.95),
            worst_copy,
        ),
        target(
            "nothing to the first 4 KiB message, against iceoryx2",
            Bound::AtMost(0.1),
            first_message,
        ),
        target("nothing to the tenth 5 MiB message, against iceoryx2", Bound::AtMost(1.0), tenth),
        target("KiB of shared memory for a 5 MiB channel", Bound::AtMost(most), memory),
        target(
            "share of that memory which is reserved",
            Bound::AtLeast(1.0),
            ratio(
                ours(memory::MEASUREMENT, memory::RESERVED),
                ours(memory::MEASUREMENT, memory::SIZE),
            ),
        ),
        target(
            "one put with 64 consumers polled in between, against 1",
            Bound::AtMost(2.0),
            ratio(put(64), put(1)),
        ),
        target(
            "wake-up after waiting, one of 127 in a wait_any, against a get of one",
            Bound::AtMost(1.5),
            ratio(wake(many::WAIT_ANY), wake(many::GET)),
        ),
    ]
}

/// Of a consumer for which nothing comes.
fn waiting(report: &Report) -> Vec<Target> {
    let of = |what| report.figure(idle::MEASUREMENT, what, IO_SHARED).and_then(Spread::of);
    vec![
        target("% of a core, waiting while nothing comes", Bound::AtMost(0.1), of(idle::CPU)),
        target(
            "wake-ups a second, waiting while nothing comes",
            Bound::AtMost(20.0),
            of(idle::WAKEUPS),
        ),
    ]
}

fn ratio(values: Option<&[f64]>, to: Option<&[f64]>) -> Option<Spread> {
    Spread::of_ratios(values?, to?)
}

/// Compares each round with the peer that is fastest over all rounds.
fn against_peers(report: &Report, case: Case) -> Option<Spread> {
    let ours = report.cell(case, IO_SHARED)?;
    let peers = report
        .cells
        .iter()
        .filter(|cell| cell.case == case && ![BARE, IO_SHARED].contains(&cell.system));
    let median = |values: &[f64]| Spread::of(values).map_or(f64::INFINITY, |s| s.median);
    let fastest = peers.min_by(|a, b| median(&a.series.p50).total_cmp(&median(&b.series.p50)))?;
    Spread::of_ratios(&ours.p50, &fastest.series.p50)
}

fn target(what: &'static str, bound: Bound, found: Option<Spread>) -> Target {
    let (wanted, holds) = match bound {
        Bound::AtMost(most) => (format!("at most {most}"), found.map(|f| f.median <= most)),
        Bound::AtLeast(least) => (format!("at least {least}"), found.map(|f| f.median >= least)),
    };
    Target { what, wanted, found, holds }
}
