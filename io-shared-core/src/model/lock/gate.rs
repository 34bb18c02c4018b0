//! What the mutation gate tries of the lock beyond its orderings, stores, wakes and claims.

use super::MODEL;
use crate::model::gate::gate_tests;
use crate::model::line::Line;
use crate::model::mutant::{self, Mutant, Operation, Site};

gate_tests!();

pub(super) fn slips(site: &Site, line: &Line) -> Vec<(&'static str, Mutant)> {
    let (place, text) = (site.place, line.text);
    match (site.operation, line.function) {
        (Operation::Load, "bury") => vec![("not looked again", Mutant::Repeated(place))],
        (Operation::Load, "await_readers") => vec![("not looked", Mutant::Blind(place))],
        (Operation::Load, "read") if text.contains("words.word()") => {
            vec![("not looked", Mutant::Blind(place))]
        }
        (Operation::Load, "leave") => vec![("not looked", Mutant::Blind(place))],
        (Operation::Load, "take_over") => vec![("not looked", Mutant::Blind(place))],
        (Operation::Store, "replace_dead") if text.contains("dirty()") => {
            vec![("after the exchange", Mutant::Late(place))]
        }
        (Operation::Exchange, "replace_dead") => {
            vec![("without the waiting bit", Mutant::Unsaid(place))]
        }
        (Operation::Wake, "free_asked") => vec![("woken before", Mutant::WakeFirst)],
        _ => Vec::new(),
    }
}

#[test]
fn without_incarnations_an_unlock_frees_a_successors_lock() {
    let scenario = MODEL.scenario("an_unlock_without_the_claim_frees_nobodys_lock");
    mutant::with(Some(Mutant::SameIncarnation), || scenario.explore(2)).unwrap_err();
}
