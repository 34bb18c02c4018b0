//! The scene around a producer that gives its channel a larger capacity.

use std::fs::File;
use std::time::{Duration, SystemTime};

use io_shared::{Channel, Consumer, OwnedGuard};

use super::scene::{Scene, Stage, expect, failed};
use crate::actor::HANG;
use crate::machine;
use crate::region_file::RegionFile;

/// The start of the hidden names of larger channels.
const HIDDEN: &str = ".io-shared.";
/// The words of a value that fits at first.
const WORDS: usize = 8;

fn channel(stage: &Stage) -> Channel<[u64]> {
    Channel::<[u64]>::named(&stage.name).elements(WORDS).growing(true).reopen(true)
}

fn whole(value: &[u64], sequence: u64) -> Result<(), String> {
    match value.iter().find(|word| **word != sequence) {
        Some(word) => Err(format!("value {sequence} is torn: it has {word}")),
        None => Ok(()),
    }
}

/// A producer dies on its way to a larger channel, next to one consumer that holds a value and one
/// that wants the next.
pub(super) struct DyingGrower {
    holder: Consumer<[u64]>,
    held: Option<OwnedGuard<[u64]>>,
    other: Consumer<[u64]>,
    /// The hidden names that are not this victim's.
    hidden: Vec<String>,
}

impl DyingGrower {
    pub(super) fn scene(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        let open = || channel(stage).consumer().map_err(failed("opening a consumer"));
        let (holder, other) = (open()?, open()?);
        Ok(Box::new(Self { holder, held: None, other, hidden: machine::objects(HIDDEN) }))
    }

    /// The next value of the one that wants it.
    fn get(&mut self) -> Result<(u64, usize, u64), String> {
        let value = self.other.get_timeout(HANG).map_err(failed("getting"))?;
        whole(&value, value.seq())?;
        Ok((value.seq(), value.len(), value.missed()))
    }
}

/// Makes the victim's hidden files old enough to be swept by whoever grows next.
fn age(before: &[String]) {
    let old = SystemTime::now() - Duration::from_secs(60);
    for name in machine::objects(HIDDEN).iter().filter(|name| !before.contains(name)) {
        let file = File::options().write(true).open(machine::path_of(name));
        let _ = file.and_then(|file| file.set_modified(old));
    }
}

impl Scene for DyingGrower {
    fn begin(&mut self, _stage: &Stage) -> Result<(), String> {
        let value = self.holder.get_timeout(HANG).map_err(failed("getting"))?;
        expect("the first value", value.seq(), 1)?;
        self.held = Some(value.into_owned());
        expect("the first value", self.get()?, (1, WORDS, 0))
    }

    fn judge(&mut self, stage: &Stage, at_death: Option<RegionFile>) -> Result<(), String> {
        let (old, named) = (at_death.ok_or("the region is gone")?, stage.region()?);
        expect("what the name leads to is retired", named.retired, false)?;
        let is_larger = named.inode != old.inode;
        if old.retired && !is_larger {
            return Err("the old region is retired, and has its name".into());
        }
        expect("the old region's latest value", old.sequence, 1)?;
        let latest = named.sequence;
        if latest != 1 && !(is_larger && latest == 2) {
            return Err(format!("value {latest} follows 1, larger: {is_larger}"));
        }
        let mut observer = channel(stage).observer().map_err(failed("opening an observer"))?;
        let copy = observer.copy().map_err(failed("copying"))?.ok_or("no value")?;
        whole(&copy, latest)?;
        if latest == 2 {
            expect("the other's value", self.get()?, (2, WORDS + 1, 0))?;
        } else {
            let value = self.other.try_get().map_err(failed("trying"))?;
            expect("a value that is not new", value.map(|value| value.seq()), None)?;
        }
        age(&self.hidden);
        // A successor takes the victim's role at once.
        let (restarted, outcome) = stage.restart("grow")?;
        expect("the restarted producer's second put", outcome, (latest + 2).to_string())?;
        // It may receive the value before the growth first, if it has looked shortly before.
        let mut next = self.get()?;
        if next == (latest + 1, WORDS, 0) {
            next = self.get()?;
            next.2 += 1;
        }
        expect("the other's value", next, (latest + 2, WORDS + 1, 1))?;
        restarted.kill()?;
        let mut producer = channel(stage).producer().map_err(failed("opening a producer"))?;
        for doubling in 1..4 {
            let (sequence, words) = (producer.seq() + 1, (WORDS << doubling) + 1);
            producer.put(&vec![sequence; words]).map_err(failed("putting"))?;
            expect("the other's value", self.get()?, (sequence, words, 0))?;
        }
        whole(&self.held.take().ok_or("nothing is held")?, 1)?;
        expect("what is there", stage.objects(), vec![stage.name.clone()])
    }
}
