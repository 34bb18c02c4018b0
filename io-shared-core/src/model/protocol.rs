//! The model: the shipped protocol, run by loom through every interleaving and every outcome of
//! every relaxed load that a bound on preemptions leaves.
//!
//! `words` and `process` are the platform, `audit` what a consumer is promised. `scenarios`,
//! `sleepers`, `ahead` and `deaths` are what is tried, `gate` the changes that only this protocol
//! can suffer. The rest is `crate::model`. What the model covers, and what it cannot, is in
//! `docs/PROOF.md`.
//!
//! To add a scenario, write a function and a line in [`SCENARIOS`].

mod ahead;
pub(crate) mod audit;
mod deaths;
mod gate;
mod history;
mod joins;
pub(crate) mod process;
mod scenarios;
mod sleepers;
pub(crate) mod words;

use super::scenario::{Model, scenarios};

pub(crate) static MODEL: Model = Model {
    sources: &[
        ("producer.rs", include_str!("../protocol/producer.rs")),
        ("consumer.rs", include_str!("../protocol/consumer.rs")),
        ("inline.rs", include_str!("../protocol/inline.rs")),
        ("observer.rs", include_str!("../protocol/observer.rs")),
        ("pool.rs", include_str!("../protocol/pool.rs")),
        ("history.rs", include_str!("../protocol/history.rs")),
        ("asleep.rs", include_str!("../protocol/asleep.rs")),
    ],
    touches: &[
        ".load(",
        ".store(",
        ".compare_exchange(",
        ".fence(",
        ".insert(",
        ".remove(",
        ".win(",
        ".unwin(",
    ],
    scenarios: SCENARIOS,
    orderings: "Orderings",
    steps: "Steps",
    scenario_table: "What is modelled",
    slips: gate::slips,
};

scenarios! {
    a_dead_sleeper_is_buried_after_sixteen_needless_wakes: 1, sleepers::needless_wakes;
    one_consumer_gets_whole_values_in_order: 5, scenarios::one_consumer;
    a_buffer_that_is_held_is_not_written: 5, scenarios::held_buffer;
    a_large_buffer_that_is_held_is_not_written: 4, scenarios::large_held_buffer;
    an_abandoned_buffer_is_written_only_when_its_slot_is_cleared: 5, scenarios::abandoned_buffer;
    two_consumers_get_whole_values_in_order: 3, scenarios::two_consumers;
    a_sleeper_gets_the_last_value: 3, sleepers::one_sleeper;
    two_sleepers_get_the_last_value: 2, sleepers::two_sleepers;
    a_waiter_on_two_gets_a_value_of_each: 2, sleepers::waiter_on_two;
    a_guard_dropped_in_another_thread_frees_its_buffer_safely: 4, scenarios::two_holds;
    an_observer_copies_no_torn_value: 4, scenarios::observer;
    an_inline_value_is_whole_or_taken_from_its_buffer: 4, scenarios::inline;
    a_head_is_its_values_or_taken_from_the_buffer: 4, scenarios::head;
    an_expected_buffer_is_held_as_it_comes: 4, scenarios::expected_buffer;
    a_large_buffer_is_expected_and_held_as_it_comes: 3, scenarios::large_expected_buffer;
    a_buffer_is_announced_during_puts: 3, scenarios::announced_buffer;
    what_is_read_ahead_is_the_values_or_thrown_away: 4, ahead::read_ahead;
    a_copy_that_is_not_published_is_not_taken_for_one_that_is: 1, ahead::abandoned_copy;
    a_jump_in_the_numbers_is_counted_as_missed: 3, scenarios::jump;
    a_producer_in_step_makes_nobody_miss_a_value: 5, scenarios::in_step;
    a_producer_that_lost_its_role_is_told_and_undoes_nothing: 5, scenarios::stale_producer;
    a_consumer_that_lost_its_slot_is_told_and_stores_nothing: 1, scenarios::stale_consumer;
    a_consumer_joins_during_puts: 4, joins::during_puts;
    a_consumer_gets_what_lies_in_a_buffer_that_a_joiner_added: 2, joins::bystander;
    two_consumers_join_at_once: 2, joins::two_at_once;
    a_slot_keeps_its_entries_for_its_next_owner: 3, joins::during_take_over;
    a_joiner_sleeps_and_is_woken: 2, joins::sleeper;
    a_killed_joiner_harms_nobody: 2, joins::killed, PoolReserved..=ConsumerReady;
    values_before_the_newest_are_copied_whole_and_in_order: 2, history::copied_during_puts;
    a_newest_value_that_is_overwritten_is_looked_for_again: 2, history::overtaken;
    a_tag_whose_value_is_overwritten_is_looked_for_again: 2, history::overtaken_with_one_tag;
    as_many_values_before_the_newest_lie_whole_as_are_kept: 1, history::kept;
    a_value_is_found_by_its_tag_and_one_of_two_is_not: 1, history::found;
    a_history_that_is_asked_for_during_a_look_is_kept: 3, history::asked_during_a_look;
    a_producer_killed_as_it_ends_a_history_leaves_it_to_the_next: 2,
        history::asked_during_a_look, HistoryEnded..=HistoryEnded;
    a_killed_askers_history_ends: 2, history::killed_asker, HistoryRaised..=PoolGrown;
    a_value_that_was_never_published_is_in_no_history: 2,
        history::killed_producer, ProducerClaimed..=PutPublished;
    a_killed_consumers_slot_goes_to_a_new_one: 2, deaths::consumer, ConsumerClaimed..=SleepCleared;
    a_killed_consumer_comes_back: 2, deaths::resuming_consumer, ConsumerClaimed..=SleepCleared;
    a_killed_waiter_on_two_leaves_both_slots_to_others: 2,
        deaths::waiter_on_two, SleepFlagged..=SleepCleared;
    a_killed_producers_role_is_taken_over: 2, deaths::producer, ProducerClaimed..=PutPublished;
    a_buffer_is_expected_of_a_killed_producer: 2,
        deaths::expected_producer, ProducerClaimed..=PutPublished;
    a_killed_producers_copy_is_not_taken_for_its_successors: 2,
        deaths::copying_producer, ProducerClaimed..=PutPublished;
    half_a_copy_is_not_taken_for_a_successors: 2, deaths::copying_producer, PutFilling..=PutFilling;
    a_producer_killed_as_it_stores_inline_leaves_the_value_before: 3,
        deaths::inline_producer, PutSealed..=PutPublished;
    a_killed_producers_jump_is_whole_or_not_at_all: 2,
        deaths::jumping_producer, LoanChecked..=PutPublished;
    a_new_producer_wakes_for_a_dead_ones_value: 2, deaths::unwoken, ProducerClaimed..=PutWoken;
    a_slice_ends_the_wait_on_a_dead_producer: 5, deaths::no_successor, ProducerClaimed..=PutWoken;
    a_burial_robs_no_new_owner: 3, deaths::burial, BuryWon..=BuryCleared;
}
