//! The model: the shipped steps of removing, exchanging and entering, run by loom, with deaths at
//! each.
//!
//! `world` is the platform, with a directory of one name, `scenarios` what is tried, `exchange`
//! both for regions that take another's name, and `ephemeral` those that go with their last user.
//! The rest is `crate::model`, and the slot inside a region is that of `crate::model::protocol`.
//! What the model covers, and what it cannot, is in `docs/PROOF.md`.
//!
//! To add a scenario, write a function and a line in [`SCENARIOS`].

mod ephemeral;
mod exchange;
mod gate;
mod scenarios;
mod world;

use super::scenario::{Model, scenarios};

pub(crate) static MODEL: Model = Model {
    sources: &[("link_protocol.rs", include_str!("../region/link_protocol.rs"))],
    touches: &[
        "region.lock(",
        ".is_named(",
        ".win_roles(",
        ".is_awaited(",
        ".free_roles(",
        ".remove_successor(",
        ".unlink(",
        "region.mark(",
        "region.wake(",
        ".is_replaced(",
        "old.lock(",
        "exchange.has_role(",
        "exchange.hand_over(",
        "exchange.rename(",
        "old.mark(",
        "old.wake(",
    ],
    scenarios: SCENARIOS,
    orderings: "Removing and replacing: orderings",
    steps: "Removing and replacing: steps",
    scenario_table: "Removing and replacing: what is modelled",
    slips: gate::slips,
};

scenarios! {
    what_cannot_be_unlinked_is_left_as_it_was: 1, scenarios::not_owner;
    an_opener_that_finds_a_removed_region_taken_starts_over: 1, scenarios::taken_and_removed;
    a_sleeper_is_woken_by_a_removal: 30, scenarios::woken;
    a_removal_is_noticed_by_producer_and_consumer: 3,
        scenarios::removal, RemoveLocked..=RemoveRetired;
    an_opener_during_a_removal_is_told_at_the_next_look: 30,
        scenarios::opening, RemoveLocked..=RemoveRetired;
    a_joiner_during_a_removal_has_its_buffer_in_a_region_that_stays: 5,
        scenarios::joining, RemoveLocked..=RemoveRetired;
    two_creators_make_one_region: 30, scenarios::creators, RegionClaimed..=RegionLinked;
    a_replacer_robs_no_user: 5, scenarios::replacer, RegionClaimed..=RemoveRetired;
    two_replacers_leave_one_region: 5, scenarios::replacers, RegionClaimed..=RemoveRetired;
    of_two_that_leave_at_once_the_last_removes: 30, scenarios::leavers;
    a_last_user_that_leaves_robs_no_opener: 5, scenarios::leaver, RemoveLocked..=RemoveRetired;
    an_exchange_by_a_lost_producer_or_of_a_lost_name_is_none: 1, exchange::one_after_another;
    a_sleeper_is_woken_by_an_exchange: 30, exchange::woken;
    a_consumer_follows_an_exchange_and_misses_nothing: 3,
        exchange::followed, ExchangeLinked..=ExchangeRetired;
    a_consumer_that_comes_back_during_an_exchange_has_nothing_twice: 3,
        exchange::come_back, ExchangeLinked..=ExchangeRetired;
    a_joiner_during_an_exchange_has_its_buffer_in_the_region_it_follows_to: 3,
        exchange::joined, ExchangeLinked..=ExchangeRetired;
    a_removal_during_an_exchange_removes_the_channel: 5,
        exchange::removed, ExchangeLinked..=ExchangeRetired;
    a_replacer_during_an_exchange_robs_no_producer: 5,
        exchange::replaced, ExchangeLinked..=ExchangeRetired;
    an_ephemeral_channel_that_grew_goes_with_its_last_user: 3,
        ephemeral::left, ExchangeLinked..=ExchangeRetired;
    a_consumer_that_follows_has_a_role_in_both_regions: 2,
        ephemeral::in_both, ExchangeLinked..=ExchangeRetired;
}
