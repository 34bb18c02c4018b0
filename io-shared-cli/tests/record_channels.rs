//! What `record` says of channels that are made anew, cannot be copied, or meet in one topic.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use common::recording::{Folder, start_recording, stop, wait_until_observed};
use io_shared::Producer;
use test_support::TestName;

#[test]
fn a_channel_that_is_made_anew_and_comes_as_far_is_recorded_from_its_start() {
    for values in [3, 20] {
        let (name, folder) = (TestName::new("anew"), Folder::new());
        let file = folder.file("a.mcap");
        let mut first: Producer<u64> = io_shared::producer(&*name).unwrap();
        let child = start_recording(&["-o", &file], &[&name]);
        (1..=3).for_each(|number| first.put(&number).map(drop).unwrap());
        io_shared::remove(&name).unwrap();
        let mut second: Producer<u64> = io_shared::producer(&*name).unwrap();
        (1..=values).for_each(|number| second.put(&number).map(drop).unwrap());
        wait_until_observed(&child, &name);
        let (_, recorded, missed) = stop(child).remove(0);
        // The newest value of each is there at the least.
        assert!(recorded > 3, "{recorded} of {values}");
        assert_eq!(recorded + missed, 3 + values, "{recorded} and {missed} of {values}");
    }
}
