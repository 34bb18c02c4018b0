//! What the harnesses say about a wrong command line.

#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn a_value_that_will_not_do_is_refused_with_the_name_of_its_option() {
    for [harness, option, value] in [
        ["campaign", "--kills", "many"],
        ["campaign", "--seed", "-1"],
        ["hostile", "--random", "1.5"],
        ["hostile", "--seed", ""],
    ] {
        let torture = env!("CARGO_BIN_EXE_torture");
        let refused = Command::new(torture).args([harness, option, value]).output().unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("{option} takes a whole number")), "{said}");
        assert!(said.contains(&format!("{value:?}")), "{said}");
    }
}
