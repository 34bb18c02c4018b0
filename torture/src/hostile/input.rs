//! How arbitrary bytes are interpreted, for the fuzz targets, their corpus and the property tests.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::time::Duration;

use io_shared::{
    Consumer, Message, Observer, OwnedGuard, Producer, Result, RwSharedMmap, Shared, SharedMmap,
};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::outcome::Outcome;
use super::specimen::{Detections, Pose, Scan, Shape, Specimen};
use super::visit::{self, Elements, Lock, Site, told};

/// A very short wait.
const MOMENT: Duration = Duration::from_micros(100);
/// How many bytes of an input are used as a file at most.
const LONGEST: usize = 1 << 16;

/// The bytes of an input, consumed from the front.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl Input<'_> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next number, little-endian. At the input's end it is filled up with zeros.
    pub(super) fn number(&mut self, bytes: usize) -> u64 {
        let mut number = [0; 8];
        for to in number.iter_mut().take(bytes) {
            *to = self.byte().unwrap_or(0);
        }
        u64::from_le_bytes(number)
    }
}

/// A whole region of the shape. Each is made once.
pub(super) fn specimen(shape: Shape) -> &'static Specimen {
    static SPECIMENS: OnceLock<Vec<Specimen>> = OnceLock::new();
    let made = SPECIMENS.get_or_init(|| {
        let make = |shape| Specimen::new(shape).unwrap_or(Specimen(Vec::new()));
        Shape::ALL.into_iter().map(make).collect()
    });
    &made[shape as usize]
}

/// Anonymous memory that contains `bytes`.
///
/// # Errors
/// If there is no room or no descriptor.
pub fn memory(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create(c"torture-hostile", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file)
}

/// Opens a file of arbitrary bytes as every kind of region and in every role.
///
/// The first byte says what the rest is: the file itself, or changes to a whole region of one of
/// the six shapes, which is then sealed or not.
///
/// # Panics
/// If the library returns a value outside the region, or there is no memory for the region.
pub fn open(bytes: &[u8]) {
    let mut input = Input(bytes);
    let first = usize::from(input.byte().unwrap_or(0));
    let content = match Shape::ALL.get(first % 8) {
        None => Specimen(input.0.iter().copied().take(LONGEST).collect()),
        Some(shape) => altered(specimen(*shape), &mut input),
    };
    let content = if first & 0x80 == 0 {
        content
    } else {
        let mut sealed = content;
        sealed.seal();
        sealed
    };
    let Ok(file) = memory(&content.0) else { panic!("no memory for {} bytes", content.0.len()) };
    let site = Site::Descriptor(file);
    for shape in Shape::ALL {
        for role in shape.roles() {
            let _ = told(visit::visit(&site, shape, *role));
        }
    }
}

/// The region, changed as the input says.
fn altered(whole: &Specimen, input: &mut Input<'_>) -> Specimen {
    let mut changed = whole.clone();
    while let Some(operation) = input.byte() {
        match operation % 5 {
            // Whole fields of the prelude.
            0 => {
                let fields = super::specimen::FIELDS;
                let (name, _, width) = fields[usize::from(operation / 5) % fields.len()];
                let value = input.number(width);
                changed.set_field(name, value);
            }
            1 => {
                let at = input.number(2) as usize;
                let value = input.number(1) as u8;
                changed.write(at, &[value]);
            }
            2 => changed.0.truncate(input.number(2) as usize),
            3 => {
                let longer = changed.0.len() + input.number(2) as usize;
                changed.0.resize(longer.min(LONGEST), operation);
            }
            // The rest is the schema's text.
            _ => {
                let align = changed.field("align");
                let text: Vec<u8> = std::mem::take(&mut input.0).to_vec();
                if changed.0.len() >= super::specimen::PRELUDE && changed.field("page_size") > 0 {
                    changed = whole.with_schema(&text, align);
                }
            }
        }
    }
    changed
}

/// Uses a region whose shared words change meanwhile: after each step of a role, the input says
/// which words are overwritten.
///
/// # Panics
/// If the library returns a value outside the region, or there is no memory for the region.
pub fn get(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let shape = Shape::ALL[usize::from(*first) % Shape::ALL.len()];
    let whole = specimen(shape);
    let Ok(file) = memory(&whole.0) else { panic!("no memory for {} bytes", whole.0.len()) };
    let Ok(writer) = file.try_clone() else { panic!("no descriptor") };
    Stage::new(Site::Descriptor(file), writer, shape).play(rest);
}

/// A region in use, and a way to write to it without the library.
#[derive(Debug)]
pub(super) struct Stage {
    site: Site,
    writer: File,
    shape: Shape,
    words: Vec<(u64, usize)>,
    size: usize,
    /// The number of slots of consumers or lockers.
    slots: usize,
}

impl Stage {
    /// A stage on a copy of the shape's specimen.
    pub(super) fn new(site: Site, writer: File, shape: Shape) -> Self {
        let whole = specimen(shape);
        let (words, size) = (whole.words(), whole.0.len());
        let slots = whole.field("consumers").max(1) as usize;
        Self { site, writer, shape, words, size, slots }
    }

    /// Opens every role, does what the input says, and returns how often a role could be opened.
    pub(super) fn play(&self, bytes: &[u8]) -> Outcome {
        let mut input = Input(bytes);
        match self.shape {
            Shape::Number => Channels::<u64>::new().run(self, &mut input),
            Shape::Scan => Channels::<Scan>::new().run(self, &mut input),
            Shape::Lists => Channels::<Detections>::new().run(self, &mut input),
            Shape::Mmap => run_locks::<SharedMmap>(self, &mut input),
            Shape::RwMmap => run_locks::<RwSharedMmap>(self, &mut input),
            Shape::State => run_locks::<Shared<Pose>>(self, &mut input),
        }
    }

    /// Writes to the shared words until there is no more input.
    pub(super) fn scribble_all(&self, bytes: &[u8]) {
        let mut input = Input(bytes);
        while let Some(operation) = input.byte() {
            self.scribble(operation, &mut input);
        }
    }

    /// Writes one of the shared words, or any byte after the prelude, as another process would.
    fn scribble(&self, operation: u8, input: &mut Input<'_>) {
        let which = input.number(1) as usize;
        let (at, bytes) = match operation & 1 {
            0 => {
                let (at, width) = self.words[which % self.words.len()];
                (at, input.number(width).to_le_bytes()[..width].to_vec())
            }
            _ => {
                let at = 128 + (which << 8 | input.number(1) as usize) % (self.size - 128);
                (at as u64, vec![input.number(1) as u8])
            }
        };
        // The prelude's size is never changed, so this neither fails nor extends the file.
        assert!(at as usize + bytes.len() <= self.size, "a word of the region");
        if let Err(error) = self.writer.write_all_at(&bytes, at) {
            panic!("pwrite: {error}");
        }
    }
}

/// The handles of a channel's roles.
struct Channels<T: Message + ?Sized> {
    producer: Option<Producer<T>>,
    consumers: [Option<Consumer<T>>; 2],
    observer: Option<Observer<T>>,
    held: VecDeque<OwnedGuard<T>>,
    /// How often roles may still be opened. With words that block an opening, each may take 20 ms,
    /// and more openings show nothing new.
    openings: u8,
    outcome: Outcome,
}

impl<T: Message + ?Sized + Elements> Channels<T> {
    fn new() -> Self {
        let held = VecDeque::new();
        let (consumers, outcome) = ([None, None], Outcome::default());
        Self { producer: None, consumers, observer: None, held, openings: 4, outcome }
    }

    fn run(&mut self, stage: &Stage, input: &mut Input<'_>) -> Outcome {
        self.open(stage, 15);
        while let Some(operation) = input.byte() {
            match operation >> 5 {
                0 | 1 => stage.scribble(operation, input),
                step => {
                    let _ = told(self.step(stage, step, operation & 31));
                }
            }
        }
        self.outcome
    }

    fn open(&mut self, stage: &Stage, which: u8) {
        let Some(left) = self.openings.checked_sub(1) else { return };
        self.openings = left;
        let channel = || stage.site.channel::<T>();
        if which & 1 != 0 {
            self.producer = None;
            self.producer = self.outcome.count(channel().producer());
        }
        for (i, name) in ["left", "right"].into_iter().enumerate() {
            if which & 2 << i != 0 {
                // Where there is only one slot, the two take turns.
                let consumer = &mut self.consumers[i % stage.slots];
                *consumer = None;
                *consumer = self.outcome.count(channel().consumer_name(name).consumer());
            }
        }
        if which & 8 != 0 {
            self.observer = self.outcome.count(channel().observer());
        }
    }

    fn step(&mut self, stage: &Stage, step: u8, detail: u8) -> Result<()> {
        let consumer = &mut self.consumers[usize::from(detail & 1) % stage.slots];
        match (step, &mut self.producer, consumer, &mut self.observer) {
            (2, Some(producer), ..) => {
                T::put(producer, usize::from(detail))?;
                producer.wait_taken(Duration::ZERO)?;
            }
            (3, _, Some(consumer), _) => {
                let capacity = consumer.capacity();
                let value = match detail >> 1 & 3 {
                    0 => consumer.latest()?,
                    1 => Some(consumer.get_timeout(MOMENT)?),
                    _ => consumer.try_get()?,
                };
                if let Some(value) = value {
                    visit::check(&*value, capacity);
                    std::hint::black_box((value.age(), value.missed(), value.seq()));
                }
            }
            (4, _, Some(consumer), _) => {
                if let Some(value) = consumer.latest()? {
                    self.held.push_back(value.into_owned());
                }
            }
            (5, ..) => {
                // A held value stays readable, whatever its words are by now.
                for value in &self.held {
                    visit::check(&**value, u64::MAX);
                }
                self.held.pop_front();
            }
            (6, _, _, Some(observer)) => {
                if let Some(value) = observer.copy()? {
                    visit::check(&*value, stage.size as u64);
                }
            }
            (7, ..) => self.open(stage, detail & 15),
            _ => {}
        }
        Ok(())
    }
}

fn run_locks<L: Lock>(stage: &Stage, input: &mut Input<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut open = || outcome.count(L::open(&stage.site));
    let mut locks = [open(), open()];
    let mut openings = 4;
    while let Some(operation) = input.byte() {
        let lock = &mut locks[usize::from(operation & 1)];
        let wait = if operation & 2 == 0 { Duration::ZERO } else { MOMENT };
        let _ = told(match (operation >> 5, lock) {
            (0 | 1, _) => {
                stage.scribble(operation >> 2, input);
                Ok(())
            }
            (2 | 3, Some(lock)) => lock.change(wait),
            (4 | 5, Some(lock)) => lock.look(wait),
            (6, Some(lock)) => {
                lock.keep();
                Ok(())
            }
            (_, lock) => {
                if openings > 0 {
                    openings -= 1;
                    *lock = None;
                    *lock = open();
                }
                Ok(())
            }
        });
    }
    outcome
}
