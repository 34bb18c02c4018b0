//! A short campaign of calls, as continuous integration runs it.

use std::path::Path;

use torture::service;

#[test]
fn each_call_returns_its_own_answer_while_the_server_and_clients_are_killed() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let program = Path::new(env!("CARGO_BIN_EXE_torture"));
    let report = service::run(program, 200_000, seed).unwrap();
    println!("{report}");
    assert_eq!(report.failures, Vec::<String>::new());
    assert!(report.calls >= 200_000 && report.kills.iter().all(|kills| *kills > 5), "{report}");
}
