//! Every instruction of every act, as continuous integration runs it. It reads the registers of
//! x86-64, and is only for it.

#![cfg(target_arch = "x86_64")]

use torture::every_instruction::{Harness, Tally, names};

#[test]
fn a_death_at_any_instruction_of_any_act_harms_nobody_else() {
    let harness = Harness::new().unwrap();
    let mut total = Tally::default();
    for act in names() {
        let tally = harness.run(act).unwrap();
        println!("{act}: {tally}");
        // No act is so short that it could have been skipped.
        assert!(tally.boundaries > 40, "{act}: {tally}");
        assert_eq!(tally.states > 1, !act.starts_with("observe"), "{act}: {tally}");
        assert!(tally.deaths as usize > 2 * tally.calls, "{act}: {tally}");
        if act == "put" {
            assert!(tally.boundaries > 100 && tally.states >= 6, "{tally}");
        }
        total.add(tally);
    }
    println!("total: {total}");
    assert_eq!(total.failures, Vec::<String>::new());
}
