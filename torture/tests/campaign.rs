//! A short campaign, as continuous integration runs it.

use std::path::PathBuf;

use torture::campaign::{Settings, run};

#[test]
fn two_thousand_random_kills_harm_nobody_else_and_hit_every_crash_point() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_torture"));
    let report = run(&Settings { program, kills: 2000, seed, progress: |_| () }).unwrap();
    println!("{report}");
    assert_eq!(report.failures, Vec::<String>::new());
    assert_eq!(report.never_hit(), []);
    assert!(report.kills >= 2000);
    // Some were stopped with a lock, and others timed out waiting for it.
    assert!(report.confirmed_stops > 0 && report.stopped_holders > 0, "nobody was stopped");
    assert!(report.lock_timeouts > 0, "no lock call ran out of time");
}
