//! Everything that was measured.

use crate::series::{Series, Spread};
use crate::system::BARE;

/// How a ping-pong waits, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Polling,
    OneCore,
    TwoCores,
    Pauses,
}

impl Mode {
    pub(crate) const ALL: [Self; 4] = [Self::Polling, Self::OneCore, Self::TwoCores, Self::Pauses];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::OneCore => "blocking, one core",
            Self::TwoCores => "blocking, two cores",
            Self::Pauses => "blocking, two cores, 1 ms between messages",
        }
    }
}

/// Which ping-pong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) mode: Mode,
    pub(crate) payload: usize,
    pub(crate) touch: bool,
}

impl Case {
    /// The name of a system in this ping-pong. Where it waits in the kernel, the bare limit is the
    /// futex, wherever the payload is.
    pub(crate) fn name_of(self, system: &str) -> &str {
        match self.mode {
            Mode::Polling => system,
            _ if system == BARE => "bare futex pair",
            _ => system,
        }
    }
}

/// The ping-pong of one system.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) case: Case,
    pub(crate) system: &'static str,
    pub(crate) series: Series,
}

/// Any other figure, for each round.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) measurement: &'static str,
    pub(crate) what: String,
    pub(crate) system: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) rounds: Vec<f64>,
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The systems and the machine.
    pub(crate) about: Vec<(String, String)>,
    pub(crate) cells: Vec<Cell>,
    pub(crate) figures: Vec<Figure>,
}

impl Report {
    pub(crate) fn cell(&self, case: Case, system: &str) -> Option<&Series> {
        let cell = self.cells.iter().find(|cell| cell.case == case && cell.system == system);
        cell.map(|cell| &cell.series)
    }

    /// A system's p50 in each round, as a multiple of a limit's.
    pub(crate) fn against(&self, limit: &str, cell: &Cell) -> Option<Spread> {
        Spread::of_ratios(&cell.series.p50, &self.cell(cell.case, limit)?.p50)
    }

    /// Adds a round's value to a figure.
    pub(crate) fn add(
        &mut self,
        measurement: &'static str,
        what: impl Into<String>,
        system: &'static str,
        unit: &'static str,
        value: f64,
    ) {
        let what = what.into();
        let same = |figure: &&mut Figure| {
            (figure.measurement, &figure.what, figure.system) == (measurement, &what, system)
        };
        match self.figures.iter_mut().find(same) {
            Some(figure) => figure.rounds.push(value),
            None => {
                let rounds = vec![value];
                self.figures.push(Figure { measurement, what, system, unit, rounds });
            }
        }
    }

    pub(crate) fn figure(&self, measurement: &str, what: &str, system: &str) -> Option<&[f64]> {
        let same = |figure: &&Figure| {
            (figure.measurement, &*figure.what, figure.system) == (measurement, what, system)
        };
        self.figures.iter().find(same).map(|figure| &*figure.rounds)
    }
}

/// The size of a payload, as text.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes >> 20),
    }
}
