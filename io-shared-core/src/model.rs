//! What the models share: loom's runs of shipped code, with deaths and mutants.
//!
//! A [`Model`](scenario::Model) is the shipped files of one protocol, the scenarios tried on them,
//! and the tables of `docs/PROOF.md` that speak of them. There are three:
//! - [`protocol`]: the slot;
//! - [`lock`]: the reader-writer lock;
//! - [`linked`]: the order in which a region is removed and entered.
//!
//! What they share:
//! - `kernel` and `words`: what their platforms are made of, from futexes to atomics;
//! - `victim`: who can die, and where;
//! - `mutant`: one deliberate weakening of the source;
//! - `scenario`: how a scenario is run;
//! - `gate`: shows that each step is needed, because a scenario fails when it is weakened;
//! - `line`, `page`, `proof`: hold the page to the source.
//!
//! `storm` is apart: larger scenarios at random, under shuttle.
//!
//! To look deeper than a scenario's bound once, set `LOOM_MAX_PREEMPTIONS`.

pub(crate) mod gate;
pub(crate) mod kernel;
pub(crate) mod line;
pub(crate) mod linked;
pub(crate) mod lock;
pub(crate) mod mutant;
pub(crate) mod page;
mod proof;
pub(crate) mod protocol;
pub(crate) mod scenario;
mod storm;
pub(crate) mod victim;
pub(crate) mod words;
