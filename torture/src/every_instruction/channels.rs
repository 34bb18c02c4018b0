//! Scenes around a victim that uses a channel, and what must hold when it is dead.

use std::ops::Range;
use std::time::Duration;

use io_shared::{Channel, Consumer, ErrorKind, OwnedGuard, Producer};

use super::scene::{PATIENCE, Scene, Stage, Waiter, expect, failed, until};
use super::victim::{Next, Victim};
use crate::actor::HANG;
use crate::region_file::RegionFile;

/// The words of a value that is held in its buffer.
const LARGE: usize = 8;
/// The words of a value that is stored inline.
pub(super) const SMALL: usize = 4;
/// The words of the smallest value that is read ahead: it has two pieces.
pub(super) const AHEAD: usize = 16_384;

/// The channel as the victim opens it.
type Value<const N: usize> = [u64; N];

/// What the victim does, with values of `N` words.
fn with<const N: usize>(act: &str) -> String {
    match N {
        SMALL => format!("small-{act}"),
        AHEAD => format!("large-{act}"),
        _ => act.to_owned(),
    }
}

/// More than there are buffers.
const PUTS: u64 = 8;

/// A channel that is not followed to another: whoever loses it is to say so.
fn channel<const N: usize>(stage: &Stage) -> Channel<Value<N>> {
    Channel::named(&stage.name).reopen(false)
}

fn whole<const N: usize>(value: &Value<N>, sequence: u64) -> Result<(), String> {
    match value.iter().find(|word| **word != sequence) {
        Some(word) => Err(format!("value {sequence} is torn: it has {word}")),
        None => Ok(()),
    }
}

/// What an observer copies, checked to be whole.
fn observed<const N: usize>(stage: &Stage) -> Result<Option<u64>, String> {
    let mut observer = channel::<N>(stage).observer().map_err(failed("opening an observer"))?;
    let Some(copy) = observer.copy().map_err(failed("copying"))? else { return Ok(None) };
    whole(&copy, copy.seq())?;
    Ok(Some(copy.seq()))
}

fn put<const N: usize>(producer: &mut Producer<Value<N>>) -> Result<u64, String> {
    let sequence = producer.seq() + 1;
    let put = producer.put(&[sequence; N]).map_err(failed("putting"))?;
    expect("a put", put, sequence)?;
    Ok(put)
}

fn get<const N: usize>(consumer: &mut Consumer<Value<N>>) -> Result<u64, String> {
    get_within(consumer, HANG)
}

fn get_within<const N: usize>(
    consumer: &mut Consumer<Value<N>>,
    timeout: Duration,
) -> Result<u64, String> {
    let value = consumer.get_timeout(timeout).map_err(failed("getting"))?;
    whole(&value, value.seq())?;
    Ok(value.seq())
}

/// A producer dies next to one consumer that holds a value and one that wants the next.
pub(super) struct DyingProducer<const N: usize = LARGE> {
    holder: Consumer<Value<N>>,
    held: Option<OwnedGuard<Value<N>>>,
    /// In another thread while it sleeps.
    other: Option<Consumer<Value<N>>>,
    sleeper: Option<Waiter<(Consumer<Value<N>>, u64)>>,
    sleeps: bool,
    /// The latest value when the act began.
    before: u64,
}

impl<const N: usize> DyingProducer<N> {
    pub(super) fn awake(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        Self::scene(stage, false)
    }

    pub(super) fn asleep(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        Self::scene(stage, true)
    }

    /// Whether there is also the flag of a consumer that was killed asleep.
    pub(super) fn with_a_dead_sleeper(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        let scene = Self::scene(stage, false)?;
        let mut sleeper = stage.victim(&with::<N>("get"))?;
        sleeper.let_run()?;
        let asleep = || stage.region().is_ok_and(|region| region.waiting.contains(&true));
        until("sleeper", asleep)?;
        sleeper.kill()?;
        Ok(scene)
    }

    pub(super) fn after_another(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        let scene = Self::scene(stage, false)?;
        stage.dead(&with::<N>("half-filled"))?;
        Ok(scene)
    }

    pub(super) fn after_another_asleep(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        let scene = Self::scene(stage, true)?;
        stage.dead(&with::<N>("half-filled"))?;
        Ok(scene)
    }

    fn scene(stage: &Stage, sleeps: bool) -> Result<Box<dyn Scene>, String> {
        let open = || channel::<N>(stage).consumers(3).consumer().map_err(failed("opening"));
        let (holder, other) = (open()?, Some(open()?));
        Ok(Box::new(Self { holder, held: None, other, sleeper: None, sleeps, before: 0 }))
    }

    fn other(&mut self) -> Result<&mut Consumer<Value<N>>, String> {
        self.other.as_mut().ok_or_else(|| "it sleeps".into())
    }
}

impl<const N: usize> Scene for DyingProducer<N> {
    fn begin(&mut self, stage: &Stage) -> Result<(), String> {
        let value = self.holder.get_timeout(HANG).map_err(failed("getting"))?;
        self.before = value.seq();
        self.held = Some(value.into_owned());
        expect("a value", get(self.other()?)?, self.before)?;
        if self.sleeps
            && let Some(mut sleeper) = self.other.take()
        {
            self.sleeper = Some(Waiter::spawn(move || {
                let sequence = get_within(&mut sleeper, PATIENCE)?;
                Ok((sleeper, sequence))
            }));
            let asleep = || stage.region().is_ok_and(|region| region.waiting.contains(&true));
            until("sleeper", asleep)?;
        }
        Ok(())
    }

    fn has_sleeper(&self) -> bool {
        self.sleeps
    }

    fn peers_bytes(&self) -> Vec<Range<usize>> {
        // The byte with the sleeper's bit, and its block.
        if self.sleeps { vec![0x108..0x109, 0x400..0x480] } else { Vec::new() }
    }

    fn judge(&mut self, stage: &Stage, at_death: Option<RegionFile>) -> Result<(), String> {
        let latest = at_death.ok_or("the region is gone")?.sequence;
        if !(self.before..=self.before + 2).contains(&latest) {
            return Err(format!("value {latest} follows {}", self.before));
        }
        expect("an observer's copy", observed::<N>(stage)?, Some(latest))?;
        if latest > self.before {
            if let Some(sleeper) = self.sleeper.take() {
                let (sleeper, sequence) = sleeper.result()?;
                expect("the sleeper's value", sequence, latest)?;
                self.other = Some(sleeper);
            } else {
                expect("the other's value", get(self.other()?)?, latest)?;
            }
        } else if let Some(other) = &mut self.other {
            let value = other.try_get().map_err(failed("trying"))?;
            expect("a value that is not new", value.map(|value| value.seq()), None)?;
            let current = other.latest().map_err(failed("taking the latest"))?;
            whole(&*current.ok_or("no latest value")?, latest)?;
        }
        // A successor takes the victim's role at once.
        let (restarted, outcome) = stage.restart(&with::<N>("put"))?;
        expect("the restarted producer's second put", outcome, (latest + 2).to_string())?;
        if let Some(sleeper) = self.sleeper.take() {
            let (sleeper, sequence) = sleeper.result()?;
            if !(latest + 1..=latest + 2).contains(&sequence) {
                return Err(format!("the sleeper has {sequence}, after {latest}"));
            }
            self.other = Some(sleeper);
            if sequence < latest + 2 {
                expect("the sleeper's next value", get(self.other()?)?, latest + 2)?;
            }
        } else {
            expect("the other's value", get(self.other()?)?, latest + 2)?;
        }
        restarted.kill()?;
        let mut producer = channel::<N>(stage).producer().map_err(failed("opening a producer"))?;
        for _ in 0..PUTS {
            let sequence = put(&mut producer)?;
            expect("the other's value", get(self.other()?)?, sequence)?;
        }
        let held = self.held.take().ok_or("nothing is held")?;
        whole(&held, self.before)?;
        drop(held);
        expect("no more than the entry that each keeps", stage.region()?.most_held() <= 1, true)
    }
}

/// A consumer dies next to the producer.
pub(super) struct DyingConsumer<const N: usize = LARGE> {
    /// `None` while another process has the role.
    producer: Option<Producer<Value<N>>>,
    copier: Option<Victim>,
}

impl<const N: usize> DyingConsumer<N> {
    pub(super) fn awake(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        let mut producer = channel::<N>(stage).producer().map_err(failed("opening"))?;
        put(&mut producer)?;
        Ok(Box::new(Self { producer: Some(producer), copier: None }))
    }

    /// With a producer that has stopped in the middle of copying a value in, and goes on when the
    /// victim sleeps.
    pub(super) fn during_a_copy(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        let copier = stage.victim(&with::<N>("copy"))?;
        Ok(Box::new(Self { producer: None, copier: Some(copier) }))
    }

    fn producer(&mut self, stage: &Stage) -> Result<&mut Producer<Value<N>>, String> {
        if let Some(copier) = self.copier.take() {
            copier.kill()?;
        }
        if self.producer.is_none() {
            self.producer = Some(channel::<N>(stage).producer().map_err(failed("opening"))?);
        }
        self.producer.as_mut().ok_or_else(|| "there is no producer".into())
    }

    /// After a consumer that died while it held a value.
    pub(super) fn after_another(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        let scene = Self::awake(stage)?;
        stage.dead(&with::<N>("hold"))?;
        Ok(scene)
    }
}

impl<const N: usize> Scene for DyingConsumer<N> {
    fn begin(&mut self, stage: &Stage) -> Result<(), String> {
        let Some(copier) = &mut self.copier else { return Ok(()) };
        // The copy takes as many steps again, so skip the check after each.
        while stage.region()?.filled == 0 {
            for _ in 0..200 {
                copier.step(Next::Instruction, &mut || ())?;
            }
        }
        Ok(())
    }

    fn wake(&mut self) {
        // If something is wrong with it, the puts that follow show it.
        if let Some(copier) = &mut self.copier {
            let _ = copier.act();
        }
        let _ = self.producer.as_mut().map(put);
    }

    fn peers_bytes(&self) -> Vec<Range<usize>> {
        // Whoever gets the copy judges it; to compare all of it at each step takes long.
        match N {
            AHEAD => payloads(size_of::<Value<N>>()),
            _ => Vec::new(),
        }
    }

    fn judge(&mut self, stage: &Stage, at_death: Option<RegionFile>) -> Result<(), String> {
        let seen = at_death.and_then(|region| region.last_seen.first().copied());
        let seen = seen.ok_or("the region is gone")?;
        let producer = self.producer(stage)?;
        if seen > producer.seq() {
            return Err(format!("it has had {seen} of {}", producer.seq()));
        }
        for _ in 0..PUTS {
            let sequence = put(producer)?;
            expect("an observer's copy", observed::<N>(stage)?, Some(sequence))?;
        }
        let latest = producer.seq();
        let (restarted, outcome) = stage.restart(&with::<N>("get"))?;
        let missed = latest - seen - 1;
        expect("the restarted consumer's value", outcome, format!("{latest} {missed}"))?;
        expect("no more than the entry that each keeps", stage.region()?.most_held() <= 1, true)?;
        restarted.kill()?;
        (0..PUTS).try_for_each(|_| put(producer).map(drop))
    }
}

/// The offsets of the payloads of a channel with one consumer.
fn payloads(bytes: usize) -> Vec<Range<usize>> {
    const FIRST: usize = 3 * 4096;
    let stride = (64 + bytes).next_multiple_of(128);
    (0..3)
        .map(|buffer| FIRST + buffer * stride)
        .map(|start| start + 64..start + 64 + bytes)
        .collect()
}

/// A consumer that wants more entries than its slot has dies on its way into a channel in use.
pub(super) struct DyingJoiner {
    producer: Producer<Value<LARGE>>,
    consumer: Consumer<Value<LARGE>>,
    /// How many buffers there are without the joiner.
    pool: u64,
}

/// As many as the victim asks for.
const JOINS_WITH: u64 = 3;

impl DyingJoiner {
    pub(super) fn scene(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        let mut producer = channel::<LARGE>(stage).producer().map_err(failed("opening"))?;
        let mut consumer = channel::<LARGE>(stage).consumer().map_err(failed("opening"))?;
        let sequence = put(&mut producer)?;
        expect("a value", get(&mut consumer)?, sequence)?;
        let pool = stage.region()?.pool;
        Ok(Box::new(Self { producer, consumer, pool }))
    }

    fn go_on(&mut self, stage: &Stage) -> Result<(), String> {
        for _ in 0..2 * PUTS {
            let sequence = put(&mut self.producer)?;
            expect("an observer's copy", observed::<LARGE>(stage)?, Some(sequence))?;
            expect("the consumer's value", get(&mut self.consumer)?, sequence)?;
        }
        Ok(())
    }
}

impl Scene for DyingJoiner {
    fn judge(&mut self, stage: &Stage, at_death: Option<RegionFile>) -> Result<(), String> {
        let pool = at_death.ok_or("the region is gone")?.pool;
        let joined = self.pool + JOINS_WITH;
        if ![self.pool, joined].contains(&pool) {
            return Err(format!("{pool} buffers, and not {} or {joined}", self.pool));
        }
        self.go_on(stage)?;
        // What the dead joiner has added is used, and nobody adds it again.
        for _ in 0..2 {
            let (restarted, outcome) = stage.restart("join")?;
            expect("the restarted joiner", &*outcome, "open")?;
            expect("the buffers with a joiner", stage.region()?.pool, joined)?;
            self.go_on(stage)?;
            restarted.kill()?;
        }
        self.go_on(stage)
    }
}

/// An observer dies: it has written nothing, and nobody notices.
pub(super) struct DyingObserver<const N: usize = LARGE> {
    producer: Producer<Value<N>>,
    consumer: Consumer<Value<N>>,
}

impl<const N: usize> DyingObserver<N> {
    pub(super) fn scene(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        let mut producer = channel::<N>(stage).producer().map_err(failed("opening"))?;
        let mut consumer = channel::<N>(stage).consumer().map_err(failed("opening"))?;
        let sequence = put(&mut producer)?;
        expect("a value", get(&mut consumer)?, sequence)?;
        Ok(Box::new(Self { producer, consumer }))
    }
}

impl<const N: usize> Scene for DyingObserver<N> {
    fn judge(&mut self, stage: &Stage, at_death: Option<RegionFile>) -> Result<(), String> {
        let at_death = at_death.ok_or("the region is gone")?;
        expect("the region after an observer's death", stage.region()?, at_death)?;
        for _ in 0..PUTS {
            let sequence = put(&mut self.producer)?;
            expect("the consumer's value", get(&mut self.consumer)?, sequence)?;
            let (restarted, outcome) = stage.restart(&with::<N>("observe"))?;
            expect("the restarted observer's copy", outcome, format!("{sequence} 0"))?;
            restarted.kill()?;
        }
        Ok(())
    }
}

/// A channel is created, replaced, or removed by its last user.
pub(super) struct Creation {
    /// A peer that waits for it.
    observer: Option<Waiter<u64>>,
}

impl Creation {
    pub(super) fn of_nothing(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        let channel = channel::<LARGE>(stage).open_timeout(PATIENCE);
        let observer = Waiter::spawn(move || {
            let mut observer = channel.observer().map_err(failed("opening an observer"))?;
            let mut copy = None;
            until("value", || {
                copy = observer.copy().transpose();
                copy.is_some()
            })?;
            let copy = copy.ok_or("no value")?.map_err(failed("copying"))?;
            whole(&copy, copy.seq())?;
            Ok(copy.seq())
        });
        Ok(Box::new(Self { observer: Some(observer) }))
    }

    /// With an unused channel of another type under the same name.
    pub(super) fn of_another_shape(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        let mut producer =
            Channel::<[u16; 3]>::named(&stage.name).producer().map_err(failed("opening"))?;
        producer.put(&[7; 3]).map_err(failed("putting"))?;
        Ok(Box::new(Self { observer: None }))
    }

    /// The victim creates it and leaves it.
    pub(super) fn of_the_victim(_stage: &Stage) -> Result<Box<dyn Scene>, String> {
        Ok(Box::new(Self { observer: None }))
    }
}

impl Scene for Creation {
    fn judge(&mut self, stage: &Stage, _at_death: Option<RegionFile>) -> Result<(), String> {
        let objects = stage.objects();
        if objects.iter().any(|object| *object != stage.name) {
            return Err(format!("this is left: {objects:?}"));
        }
        let (_restarted, outcome) = stage.restart("put")?;
        expect("the restarted producer's second put", outcome, "2".into())?;
        let mut consumer = channel::<LARGE>(stage).consumer().map_err(failed("opening"))?;
        expect("a value", get(&mut consumer)?, 2)?;
        if let Some(observer) = self.observer.take() {
            let sequence = observer.result()?;
            if !(1..=2).contains(&sequence) {
                return Err(format!("the observer has {sequence}"));
            }
        }
        expect("what is there", stage.objects(), vec![stage.name.clone()])
    }
}

/// A channel in use is removed.
pub(super) struct Removal {
    producer: Producer<Value<LARGE>>,
    consumer: Consumer<Value<LARGE>>,
}

impl Removal {
    pub(super) fn of_used(stage: &Stage) -> Result<Box<dyn Scene>, String> {
        let mut producer = channel::<LARGE>(stage).producer().map_err(failed("opening"))?;
        let mut consumer = channel::<LARGE>(stage).consumer().map_err(failed("opening"))?;
        put(&mut producer)?;
        get(&mut consumer)?;
        Ok(Box::new(Self { producer, consumer }))
    }
}

impl Scene for Removal {
    fn judge(&mut self, stage: &Stage, at_death: Option<RegionFile>) -> Result<(), String> {
        let retired = at_death.is_some_and(|region| region.retired);
        let there = !stage.objects().is_empty();
        if there {
            expect("retired although it is there", retired, false)?;
            let sequence = put(&mut self.producer)?;
            expect("the consumer's value", get(&mut self.consumer)?, sequence)?;
        }
        let (_restarted, outcome) = stage.restart("remove")?;
        expect("the restarted remover", &*outcome, if there { "removed" } else { "NotFound" })?;
        until("notice", || {
            let put = self.producer.put(&[0; 8]);
            put.is_err_and(|error| *error.kind() == ErrorKind::Replaced)
        })?;
        loop {
            match self.consumer.get_timeout(HANG) {
                Ok(_) => {} // it was put before the removal was noticed
                Err(error) if *error.kind() == ErrorKind::Replaced => break,
                Err(error) => return Err(failed("getting")(error)),
            }
        }
        let (_restarted, outcome) = stage.restart("put")?;
        expect("the second put in a new channel", outcome, "2".into())?;
        expect("what is there", stage.objects(), vec![stage.name.clone()])
    }
}
