//! Inputs of any kind: a short version of what the fuzz targets and the hostile harness try.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use torture::hostile::{self, Settings, array, formats, input};

#[test]
fn the_harness_in_short_finds_nothing() {
    let mut settings = Settings::new(PathBuf::from(env!("CARGO_BIN_EXE_torture")));
    (settings.random, settings.every) = (1000, EVERY);
    settings.live = Duration::from_secs(1);
    let report = hostile::run(&settings).unwrap();
    println!("{report}");
    assert_eq!(report.findings, Vec::<String>::new());
    assert_eq!(report.groups.len(), 14);
}

/// This test tries every n-th flip; `torture hostile` tries all of them.
const EVERY: u64 = 31;

#[test]
fn the_corpus_of_the_fuzz_targets_is_harmless() {
    for (target, run) in [
        ("open", input::open as fn(&[u8])),
        ("get", input::get),
        ("npy", array::npy),
        ("cdr", formats::cdr),
        ("definition", formats::definition),
    ] {
        let inputs = inputs_of(target);
        assert!(inputs.len() >= 20, "{} inputs of {target}", inputs.len());
        for input in inputs {
            run(&input);
        }
    }
}

/// Every file of the archive that holds the target's corpus.
fn inputs_of(target: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../fuzz/corpus/{target}.tar"));
    let mut archive = tar::Archive::new(File::open(path).unwrap());
    let read = |mut entry: tar::Entry<'_, File>| {
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        bytes
    };
    archive.entries().unwrap().map(|entry| read(entry.unwrap())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn bytes_of_any_kind_are_opened_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        input::open(&bytes);
    }

    #[test]
    fn a_region_whose_words_anybody_writes_is_used_within_its_bounds(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        input::get(&bytes);
    }

    #[test]
    fn a_message_of_any_bytes_is_an_array_or_an_error(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        array::npy(&bytes);
    }

    #[test]
    fn cdr_of_any_bytes_is_a_message_or_an_error(
        which in any::<u8>(),
        counts in proptest::collection::vec(0_u32..9, 0..20),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let counts = counts.iter().flat_map(|count| count.to_le_bytes());
        let head: Vec<u8> = [which, 0, 1, 0, 0].into_iter().chain(counts).collect();
        formats::cdr(&[&head, &bytes[..]].concat());
        formats::cdr(&bytes);
    }

    #[test]
    fn any_text_is_a_definition_or_an_error(
        lines in proptest::collection::vec(
            "(uint8|float64|string|string<=5|B|C|p/B)(\\[[0-9]{0,3}\\])? [a-c]|={3}|MSG: p/[BC]",
            0..12,
        ),
        bytes in proptest::collection::vec(0_u8..9, 0..200),
    ) {
        let text = lines.join("\n");
        formats::definition(&[text.as_bytes(), &[0, 0, 1, 0, 0], &bytes[..]].concat());
        formats::definition(&bytes);
    }
}
