//! What the mutation gate tries of this protocol beyond its orderings and stores.

use super::MODEL;
use crate::model::gate::gate_tests;
use crate::model::line::Line;
use crate::model::mutant::{self, Mutant, Site};

gate_tests!();

pub(super) fn slips(site: &Site, line: &Line) -> Vec<(&'static str, Mutant)> {
    match (line.function, line.text) {
        ("protect", text) if text.starts_with("let again = ") => {
            vec![("not looked again", Mutant::Repeated(site.place))]
        }
        ("is_own", _) => {
            vec![("not looked again", Mutant::Repeated(site.place))]
        }
        ("is_of", _) => {
            vec![("not looked again", Mutant::Repeated(site.place))]
        }
        ("scan", text) if text.starts_with("let held = ") => {
            vec![("not looked", Mutant::Blind(site.place))]
        }
        ("is_any_asleep", text) if text.contains("words.asleep(") => vec![
            ("nobody is woken", Mutant::WakeNever),
            ("woken before the publish", Mutant::WakeFirst),
            ("not woken at take-over", Mutant::WakeOnlyAfterPut),
        ],
        ("raise" | "lower", text) if text.starts_with("words.asleep(word).") => {
            vec![("plain store", Mutant::Plain(site.place))]
        }
        ("join", text) if text.starts_with("words.grant(") => {
            vec![("shrunk for the next owner", Mutant::GrantShrinks)]
        }
        ("join", text) if text.contains(".store(") => {
            vec![("after the first value", Mutant::Late(site.place))]
        }
        ("pool", _) => vec![
            ("not looked again", Mutant::Repeated(site.place)),
            ("before the held entries", Mutant::PoolFirst),
        ],
        ("used" | "entries", _) => vec![("not looked again", Mutant::Repeated(site.place))],
        _ => Vec::new(),
    }
}

#[test]
fn one_buffer_fewer_starves() {
    let scenario = MODEL.scenario("a_buffer_that_is_held_is_not_written");
    let why = mutant::with(Some(Mutant::OneBufferFewer), || scenario.explore(1)).unwrap_err();
    assert!(why.contains("more buffers are held than there are holds"), "{why}");
}
