//! The model: the shipped lock, run by loom, with deaths at each crash point.
//!
//! `words` is the platform, `process` what runs on it, `scenarios` and `deaths` what is tried; the
//! rest is `crate::model`. What the model covers, and what it cannot, is in `docs/PROOF.md`.
//!
//! To add a scenario, write a function and a line in [`SCENARIOS`].

mod deaths;
mod gate;
mod process;
mod scenarios;
mod watching;
pub(crate) mod words;

use super::scenario::{Model, scenarios};

pub(crate) static MODEL: Model = Model {
    sources: &[
        ("lock.rs", include_str!("../lock.rs")),
        ("writer.rs", include_str!("../lock/writer.rs")),
        ("reader.rs", include_str!("../lock/reader.rs")),
        ("watcher.rs", include_str!("../lock/watcher.rs")),
    ],
    touches: &[
        ".load(",
        ".store(",
        ".compare_exchange(",
        ".fence(",
        ".wake_word(",
        ".wake_reading(",
        ".wake_writes(",
        ".win_slot(",
        ".unwin_slot(",
    ],
    scenarios: SCENARIOS,
    orderings: "The lock: orderings",
    steps: "The lock: steps",
    scenario_table: "The lock: what is modelled",
    slips: gate::slips,
};

scenarios! {
    a_forgotten_guard_is_told_and_blocks_nobody: 1, scenarios::forgotten_guard;
    two_writers_exclude_each_other: 30, scenarios::two_writers;
    a_writer_and_a_reader_exclude_each_other: 3, scenarios::writer_and_reader;
    two_readers_read_together_and_a_waiting_writer_gets_in: 2, scenarios::readers_together;
    a_sleeper_that_a_writer_keeps_out_is_woken: 2, scenarios::sleepers;
    a_try_never_waits: 5, scenarios::tries;
    a_try_in_vain_leaves_no_sleeper: 5, scenarios::try_in_vain;
    a_handle_that_left_is_not_taken_for_dead: 5, scenarios::reused_slot;
    an_unlock_without_the_claim_frees_nobodys_lock: 5, scenarios::stale_unlock;
    a_dirty_mark_stays_until_somebody_takes_it_down: 2, scenarios::marks;
    a_killed_writers_lock_goes_to_one_and_is_dirty: 2, deaths::writer, WriterOwns..=WriterLeft;
    a_half_written_value_is_told_until_it_is_repaired: 3,
        deaths::repaired, WriterAlone..=WriterAlone;
    a_killed_waiter_keeps_nobody_waiting: 2, deaths::waiter, LockWaiting..=LockWaiting;
    a_killed_reader_lets_the_writer_in: 3, deaths::reader, ReaderRaised..=ReaderLeft;
    a_writer_killed_while_it_waits_for_readers_has_written_nothing: 2,
        deaths::awaiting_writer, WriterAwaits..=WriterAwaits;
    a_killed_burier_leaves_the_lock_to_one_and_dirty: 2,
        deaths::burier, OwnerBuryWon..=OwnerReplaced;
    a_reader_killed_while_it_buries_leaves_the_lock_dirty: 3,
        deaths::burying_reader, OwnerBuryWon..=OwnerReplaced;
    a_writer_killed_while_it_buries_a_reader_robs_nobody: 3,
        deaths::reader_burier, ReaderBuryWon..=ReaderBuryWon;
    a_killed_burier_of_a_reader_leaves_the_lock_to_one: 2,
        deaths::reader_buriers, ReaderBuryWon..=ReaderBuryWon;
    a_killed_new_owner_of_a_dead_writers_slot_leaves_the_lock_dirty: 5,
        deaths::new_owner, LockerClaimed..=LockerCleared;
    a_new_owner_killed_while_it_buries_leaves_the_lock_dirty: 5,
        deaths::new_owner, OwnerDirty..=OwnerReplaced;
    a_burier_wakes_those_that_wait_for_the_dead_writer: 2,
        deaths::burier_wakes, WriterAlone..=WriterAlone;
    a_new_owner_wakes_those_that_wait_for_the_dead_reader: 2,
        deaths::new_owner_wakes, ReaderReads..=ReaderReads;
    a_watcher_is_woken_by_each_write: 3, watching::watcher;
    two_watchers_are_woken_by_one_write: 2, watching::two_watchers;
    a_watcher_and_a_waiter_are_woken_by_one_write: 2, watching::watcher_and_waiter;
    a_try_in_vain_leaves_a_watcher_to_the_next_write: 2, watching::watched_try_in_vain;
    a_watcher_sees_a_killed_writers_write_or_its_death: 3,
        watching::killed_writer, WriterAlone..=WriterLeft;
    a_killed_watcher_keeps_no_other_asleep: 2,
        watching::killed_watcher, ChangeWatched..=ChangeWatched;
    a_burier_wakes_those_that_watch: 2, watching::burier_wakes, WriterAlone..=WriteCounted;
    a_burier_of_one_that_died_before_wakes_those_that_watch: 2, watching::late_burier;
    a_reader_learns_of_a_writer_that_is_buried_meanwhile: 2,
        watching::burial_during_a_read, WriterOwns..=WriterOwns;
}
