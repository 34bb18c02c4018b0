//! The campaign in short, as continuous integration runs it.

use std::path::PathBuf;

use torture::campaign::{Settings, run};

#[test]
fn a_thousand_random_kills_harm_nobody_else_and_hit_every_crash_point_of_a_channel() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_torture"));
    let report = run(&Settings { program, kills: 1000, seed }).unwrap();
    println!("{report}");
    assert_eq!(report.failures, Vec::<String>::new());
    assert_eq!(report.never_hit(), []);
    assert!(report.kills >= 1000);
}
