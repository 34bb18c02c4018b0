//! What the models share: loom's runs of shipped code, with deaths and mutants.
//!
//! A [`Model`] (`scenario`) is the shipped files of one protocol, the scenarios tried on them, and the tables of
//! `docs/PROOF.md` that speak of them; `protocol`, `lock` and `linked` have one each. `kernel` and `words` are
//! what their platforms are made of, `victim` is who can die, `mutant` one deliberate weakening,
//! `gate` the proof that each step is needed: weakened, it makes one of the scenarios fail. `proof`
//! holds the page to the source. `storm` is apart: larger scenarios, at random, under shuttle.
//!
//! To look deeper than a scenario's bound for once, set `LOOM_MAX_PREEMPTIONS`.

pub(crate) mod gate;
pub(crate) mod kernel;
pub(crate) mod line;
pub(crate) mod linked;
pub(crate) mod lock;
pub(crate) mod mutant;
pub(crate) mod proof;
pub(crate) mod protocol;
pub(crate) mod scenario;
mod storm;
pub(crate) mod victim;
pub(crate) mod words;

pub(crate) use scenario::Model;

const MODELS: &[&Model] = &[&protocol::MODEL, &lock::MODEL, &linked::MODEL];
