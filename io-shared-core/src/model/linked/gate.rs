//! What the mutation gate tries of removing and entering beyond each step's absence.

use super::MODEL;
use crate::model::gate::gate_tests;
use crate::model::line::Line;
use crate::model::mutant::{self, Mutant, Operation, Site};

gate_tests!();

pub(super) fn slips(site: &Site, line: &Line) -> Vec<(&'static str, Mutant)> {
    match (site.operation, line.text) {
        (Operation::Store, text) if text.contains("unlink") || text.contains("rename") => {
            vec![("after the mark", Mutant::Late(site.place))]
        }
        (Operation::Store, text) if text.contains("hand_over") => {
            vec![("after the rename", Mutant::Late(site.place))]
        }
        (Operation::Store, _) => vec![("after the wake-up", Mutant::Late(site.place))],
        _ => Vec::new(),
    }
}

/// What `create.rs` does, which is not run here.
#[test]
fn a_creator_that_links_before_it_claims_is_robbed() {
    let scenario = MODEL.scenario("two_replacers_leave_one_region");
    let why = mutant::with(Some(Mutant::LinkFirst), || scenario.explore(2)).unwrap_err();
    assert!(why.contains("removed"), "{why}");
}
