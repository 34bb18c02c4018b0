//! A short campaign of growths, as continuous integration runs it.

use std::path::Path;

use torture::growth::{self, ENOUGH_GROWTHS, ENOUGH_VALUES};

#[test]
fn kills_during_growths_harm_nobody_who_joins_holds_or_asks_for_a_history() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let program = Path::new(env!("CARGO_BIN_EXE_torture"));
    let report = growth::run(program, 400, seed).unwrap();
    println!("{report}");
    assert_eq!(report.failures, Vec::<String>::new());
    assert_eq!(report.never_hit(), []);
    assert!(report.kills >= 400 && report.channels > 1, "{report}");
    assert!(report.growths > ENOUGH_GROWTHS && report.joins > ENOUGH_GROWTHS, "{report}");
    assert!(report.values.iter().all(|values| *values > ENOUGH_VALUES), "{report}");
}
