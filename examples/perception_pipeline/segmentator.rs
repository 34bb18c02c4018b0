//! The role `segmentator`: consumer of clouds, producer of labels.
//!
//! It reads a cloud in place and writes the labels where the viewer will read them. It may be
//! killed at any moment: the kernel frees its claims, the lidar and the viewer go on, and the next
//! segmentator takes over under the same name. The [`Ledger`] tells what became of every cloud.

use std::error::Error;

use crate::channels::{Channels, last_word};
use crate::ledger::Ledger;
use crate::options::{Options, Role};
use crate::segmentation;
use crate::stop::Stop;
use crate::waits;

pub(crate) fn run(options: &Options, stop: &Stop) -> Result<(), Box<dyn Error>> {
    let channels = Channels::new(&options.prefix);
    let mut labels = channels.labels().producer()?;
    let mut entries = channels.ledger().producer()?;
    let mut clouds = channels.clouds().consumer_name(Role::Segmentator.name()).consumer()?;

    let mut ledger = match last_word(channels.ledger())? {
        Some(predecessors) => *predecessors,
        None => Ledger::starting_after(clouds.last_seen()),
    };
    let labelled = last_word(channels.labels())?.map_or(0, |labels| labels.tag());
    ledger.recover(clouds.last_seen(), labelled);
    entries.put(&ledger)?;

    while !stop.is_set() {
        let Some((cloud, handover)) = waits::next(&mut clouds)? else {
            continue;
        };
        ledger.cloud_latencies.record(handover);
        ledger.begin(cloud.seq(), cloud.missed());
        entries.put(&ledger)?;

        let mut loan = labels.loan_len(cloud.points.len())?;
        loan.frame = cloud.frame;
        loan.tag(cloud.seq());
        segmentation::segment(&cloud.points, options.seed, &mut loan.labels);
        loan.put()?;

        ledger.finish();
        entries.put(&ledger)?;
        drop(cloud);
        if options.period().is_none() {
            // In step, the viewer gets every label.
            waits::taken(&mut labels, stop)?;
        }
    }
    Ok(())
}
