//! What `#[derive(Message)]` takes, and the text of every error that it gives for the rest.
//!
//! The texts are those of the compiler in `rust-toolchain.toml`. After a change of either, run
//! `TRYBUILD=overwrite cargo test --test ui` and read the difference.

#[test]
fn the_derive_takes_messages_and_says_what_to_do_about_the_rest() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
