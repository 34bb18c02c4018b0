//! Arbitrary bytes as an array message, or as what its header says.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| torture::hostile::array::npy(bytes));
