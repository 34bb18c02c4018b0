//! The cases of each group: damage to one region, which is then opened in every role.

use std::path::{Path, PathBuf};

use fastrand::Rng;
use io_shared::{ErrorKind, Result};

use super::outcome::Outcome;
use super::specimen::{FIELDS, PRELUDE, Shape, Specimen};
use super::texts;
use super::visit::{self, Site, told};
use crate::machine;

/// What is done to a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// One bit is flipped, before the first payload or in a buffer's header or checksum. The region
    /// is in shared memory or a file. The checksum stays as it was; for the prelude and the schema
    /// it is also made right.
    Flips,
    /// The region is shortened to any length down to none.
    Lengths,
    /// Zeros, ones and random bytes, with and without the magic.
    Fills,
    /// Each field of the prelude at its limits, sealed, and random pairs of them.
    Fields,
    /// The pool's size, the slots' grants and the number of used slots at their limits, with files
    /// that are shorter or longer than the pool.
    Pools,
    /// Other versions, kinds and shapes than its own, sealed.
    Kinds,
    /// Hostile schemas, with the length, the hash and the checksum that they should have.
    Schemas,
    /// Random inputs of `input::open` and `input::get`.
    Inputs,
}

/// The cases of a group.
#[derive(Debug)]
pub struct Cases {
    group: Group,
    seed: u64,
    random: u64,
    specimens: Vec<(Shape, Specimen)>,
    texts: Vec<Vec<u8>>,
    /// The damaged regions are in shared memory under this prefix, and in this directory.
    prefix: String,
    directory: PathBuf,
}

/// Values at which sums and products go wrong.
pub(super) const LIMITS: [u64; 24] = [
    0,
    1,
    2,
    3,
    4,
    5,
    24,
    63,
    64,
    127,
    128,
    129,
    253,
    254,
    255,
    256,
    1001,
    4095,
    4096,
    4097,
    0x7fff_ffff,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];
/// Sizes of files that are not regions.
const SIZES: [usize; 13] = [0, 1, 7, 8, 127, 128, 129, 256, 4095, 4096, 4097, 65536, 1 << 20];
const RANDOM_FILLS: u64 = 1000;
/// How many other kinds and versions there are, before the other shapes.
const OTHERS: u64 = 11;
/// What the group of pools writes to, and what it does with the file.
const POOLS: [&str; 4] = ["pool", "used", "grant", "grants"];
const FILES: [&str; 3] = ["whole", "short", "long"];

impl Group {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Flips,
        Self::Lengths,
        Self::Fills,
        Self::Fields,
        Self::Pools,
        Self::Kinds,
        Self::Schemas,
        Self::Inputs,
    ];

    /// Finds a group by its name in lower case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    /// Its name in lower case.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

impl Cases {
    /// The cases of `group`. There are `random` random ones in groups that have them.
    ///
    /// # Errors
    /// If no region can be made.
    pub fn new(group: Group, seed: u64, random: u64, prefix: &str) -> Result<Self> {
        let mut specimens = Vec::new();
        for shape in Shape::ALL {
            specimens.push((shape, Specimen::new(shape)?));
        }
        let texts = match group {
            Group::Schemas => texts::all(specimens[0].1.schema()),
            _ => Vec::new(),
        };
        let directory = std::env::temp_dir();
        Ok(Self { group, seed, random, specimens, texts, prefix: prefix.into(), directory })
    }

    /// How many cases there are.
    pub fn count(&self) -> u64 {
        let shapes = self.specimens.len() as u64;
        match self.group {
            Group::Flips => self.specimens.iter().map(|(_, whole)| flips_of(whole) * 2).sum(),
            Group::Lengths => self.specimens.iter().map(|(_, whole)| lengths_of(whole)).sum(),
            Group::Fills => SIZES.len() as u64 * 2 + RANDOM_FILLS,
            Group::Fields => FIELDS.len() as u64 * LIMITS.len() as u64 * shapes + self.random,
            Group::Pools => 2 * LIMITS.len() as u64 * (POOLS.len() * FILES.len()) as u64,
            Group::Kinds => shapes * (OTHERS + shapes),
            Group::Schemas => self.texts.len() as u64,
            Group::Inputs => self.random * 2,
        }
    }

    /// Runs a case and returns its outcome.
    ///
    /// # Panics
    /// If the outcome is neither a refusal nor harmless use.
    pub fn run(&self, case: u64) -> Outcome {
        let mut random = Rng::with_seed(self.seed ^ case.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        match self.group {
            Group::Flips => self.flip(case),
            Group::Lengths => self.cut(case),
            Group::Fills => self.fill(case, &mut random),
            Group::Fields => self.set_field(case, &mut random),
            Group::Pools => self.set_pool(case),
            Group::Kinds => self.change_kind(case),
            Group::Schemas => self.change_schema(case),
            Group::Inputs => {
                let mut bytes = vec![0; random.usize(0..400)];
                random.fill(&mut bytes);
                // In pairs, so that each of two children that take turns runs both kinds.
                match case / 2 % 2 {
                    0 => super::input::open(&bytes),
                    _ => super::input::get(&bytes),
                }
                Outcome::default()
            }
        }
    }

    fn flip(&self, case: u64) -> Outcome {
        let (shape, whole, at) = self.specimen_at(case, |whole| flips_of(whole) * 2);
        let (at, on_disk) = (at / 2, at % 2 == 1);
        let (bit, sealed) = flip_at(whole, at);
        let mut damaged = whole.clone();
        damaged.flip(bit);
        if sealed {
            damaged.seal();
        }
        let site = if on_disk { self.file(case) } else { self.shm(case) };
        let outcome = self.visit_at(&site, shape, &damaged);
        let what = format!("{shape:?} at {site:?}: bit {bit} flipped, sealed: {sealed}");
        // A region with a damaged header is refused and left alone. If the version differs, nothing
        // else can be known, and a producer replaces the region.
        let version = (64..96).contains(&bit);
        if !sealed && bit < PRELUDE * 8 && !version {
            assert_eq!(outcome.opened, 0, "{what}: opened");
            let left = path(&site).and_then(|path| std::fs::read(path).ok());
            assert!(left.as_ref() == Some(&damaged.0), "{what}: not left as it was");
        }
        remove(&site);
        outcome
    }

    fn cut(&self, case: u64) -> Outcome {
        let (shape, whole, length) = self.specimen_at(case, lengths_of);
        let mut damaged = whole.clone();
        damaged.0.truncate(length as usize);
        let what = format!("{shape:?}: cut to {length} bytes");
        let outcome = self.visit(case, shape, &damaged);
        assert_eq!(outcome.opened, 0, "{what}: opened");
        outcome
    }

    fn fill(&self, case: u64, random: &mut Rng) -> Outcome {
        let sizes = SIZES.len() as u64;
        let bytes = if case < sizes * 2 {
            let (size, byte) = (SIZES[(case / 2) as usize], [0, 0xff][(case % 2) as usize]);
            vec![byte; size]
        } else {
            let size = random.usize(0..10_000);
            let mut filled = Specimen(vec![0; size]);
            random.fill(&mut filled.0);
            for (i, start) in [b"ioshared".as_slice(), &1_u32.to_le_bytes(), &1_u32.to_le_bytes()]
                .into_iter()
                .enumerate()
            {
                if random.u8(..) < 192 {
                    filled.write([0, 8, 12][i], start);
                }
            }
            if random.bool() {
                filled.seal();
            }
            filled.0
        };
        let damaged = Specimen(bytes);
        let mut outcome = Outcome::default();
        for shape in Shape::ALL {
            outcome = outcome + self.visit(case, shape, &damaged);
        }
        outcome
    }

    fn set_field(&self, case: u64, random: &mut Rng) -> Outcome {
        let limits = LIMITS.len() as u64;
        let single = FIELDS.len() as u64 * limits * self.specimens.len() as u64;
        let (shape, whole) = &self.specimens[(case % self.specimens.len() as u64) as usize];
        let mut damaged = whole.clone();
        let mut set = |field: usize, value: u64| {
            let (name, ..) = FIELDS[field];
            damaged.set_field(name, value);
        };
        if case < single {
            let at = case / self.specimens.len() as u64;
            set((at / limits) as usize, LIMITS[(at % limits) as usize]);
        } else {
            for _ in 0..random.usize(1..5) {
                let field = random.usize(0..FIELDS.len());
                let limit = LIMITS[random.usize(0..LIMITS.len())];
                let near =
                    whole.field(FIELDS[field].0).wrapping_add(random.u64(0..5)).wrapping_sub(2);
                set(field, if random.bool() { limit } else { near });
            }
        }
        damaged.seal();
        self.visit(case, *shape, &damaged)
    }

    fn set_pool(&self, case: u64) -> Outcome {
        let (case, which) = (case / 2, case % 2);
        let (shape, whole) = &self.specimens[which as usize];
        let (case, limit) =
            (case / LIMITS.len() as u64, LIMITS[(case % LIMITS.len() as u64) as usize]);
        let (word, file) = (case as usize % POOLS.len(), case as usize / POOLS.len());
        let mut damaged = whole.clone();
        match POOLS[word] {
            "pool" => damaged.set_pool(limit),
            "used" => damaged.write(damaged.pool_at() + 8, &limit.to_le_bytes()),
            slots => {
                let most = if slots == "grant" { 1 } else { damaged.field("consumers") };
                for slot in 0..most {
                    let at = damaged.field("consumers_offset") + slot * 128 + 8;
                    damaged.write(at as usize, &[limit as u8]);
                }
            }
        }
        let whole_length = damaged.0.len();
        match FILES[file] {
            "short" => damaged.0.truncate(whole_length - 1),
            "long" => damaged.0.resize(whole_length + (1 << 16), 0xff),
            _ => {}
        }
        let outcome = self.visit(case, *shape, &damaged);
        let none = FILES[file] == "short" || (POOLS[word] == "pool" && !(2..=255).contains(&limit));
        assert!(
            !none || outcome.opened == 0,
            "{shape:?}, {} {limit}, {}: opened",
            POOLS[word],
            FILES[file]
        );
        outcome
    }

    fn change_kind(&self, case: u64) -> Outcome {
        let changes = OTHERS + self.specimens.len() as u64;
        let (own, whole) = &self.specimens[(case / changes) as usize];
        let mut damaged = whole.clone();
        let what = match case % changes {
            number @ 0..6 => {
                damaged.set_field("kind", number);
                format!("{own:?}: kind {number}")
            }
            6 => {
                damaged.set_field("kind", u64::MAX);
                format!("{own:?}: the highest kind")
            }
            number @ 7..OTHERS => {
                let version = [0, 1, 256, u64::MAX][number as usize - 7];
                damaged.set_field("version", version);
                format!("{own:?}: version {version}")
            }
            number => {
                let shape = Shape::ALL[(number - OTHERS) as usize];
                let outcome = self.visit(case, shape, whole);
                let same = shape == *own;
                assert!(same || outcome.opened == 0, "{own:?} opened as {shape:?}");
                return outcome;
            }
        };
        damaged.seal();
        let mut outcome = Outcome::default();
        for shape in Shape::ALL {
            outcome = outcome + self.visit(case, shape, &damaged);
        }
        let unchanged = damaged == *whole;
        assert!(unchanged || outcome.opened == 0 || case % changes < 7, "{what}: opened");
        outcome
    }

    fn change_schema(&self, case: u64) -> Outcome {
        let text = &self.texts[case as usize];
        let mut outcome = Outcome::default();
        for align in [1, 4, 8, 4096] {
            let damaged = self.specimens[0].1.with_schema(text, align);
            outcome = outcome + self.visit(case, Shape::Number, &damaged);
        }
        outcome
    }

    /// Writes `bytes` to anonymous memory and visits them.
    fn visit(&self, case: u64, shape: Shape, bytes: &Specimen) -> Outcome {
        match super::input::memory(&bytes.0) {
            Ok(file) => self.visit_all(&Site::Descriptor(file), shape),
            Err(error) => panic!("case {case} cannot be run: {error}"),
        }
    }

    /// Writes `bytes` to `site` and visits them.
    fn visit_at(&self, site: &Site, shape: Shape, bytes: &Specimen) -> Outcome {
        if let Some(Err(error)) = path(site).map(|path| std::fs::write(path, &bytes.0)) {
            panic!("{site:?} cannot be written: {error}");
        }
        self.visit_all(site, shape)
    }

    fn visit_all(&self, site: &Site, shape: Shape) -> Outcome {
        let mut outcome = Outcome::default();
        for role in shape.roles() {
            match told(visit::visit(site, shape, *role)) {
                Ok(()) => outcome.opened += 1,
                Err(error) => {
                    outcome.refused += 1;
                    assert!(is_expected(error.kind()), "{shape:?} as {role:?}: {error}");
                }
            }
        }
        outcome
    }

    fn shm(&self, case: u64) -> Site {
        Site::Shm(format!("/{}{case}", self.prefix))
    }

    fn file(&self, case: u64) -> Site {
        Site::File(self.directory.join(format!("{}{case}", self.prefix)))
    }

    /// The specimen of case `case` if each has `cases`, and the number of the case within it.
    fn specimen_at(&self, case: u64, cases: fn(&Specimen) -> u64) -> (Shape, &Specimen, u64) {
        let mut left = case;
        for (shape, whole) in &self.specimens {
            let own = cases(whole);
            if left < own {
                return (*shape, whole, left);
            }
            left -= own;
        }
        panic!("case {case} of {}", self.count());
    }
}

/// Errors that hostile bytes may end in.
fn is_expected(kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::Corrupt { .. }
        | ErrorKind::NotARegion { .. }
        | ErrorKind::Mismatch { .. }
        | ErrorKind::Unsupported { .. }
        // A region behind a descriptor is marked as removed.
        | ErrorKind::Replaced => true,
        // It asks for more than can be mapped.
        ErrorKind::System { errno, .. } => *errno == libc::ENOMEM,
        // The slots' grants say that nobody can join.
        ErrorKind::NoSlot { .. } => true,
        // It claimed to be ephemeral, with a valid checksum, so it was removed.
        ErrorKind::NotFound => true,
        _ => false,
    }
}

fn path(site: &Site) -> Option<PathBuf> {
    match site {
        Site::Shm(name) => Some(machine::path_of(name)),
        Site::File(path) => Some(Path::new(path).to_owned()),
        Site::Descriptor(_) => None,
    }
}

fn remove(site: &Site) {
    if let Some(path) = path(site) {
        let _ = std::fs::remove_file(path); // an ephemeral region is gone already
    }
}

/// The number of bytes before the first payload.
fn head(whole: &Specimen) -> u64 {
    whole.field("buffers_offset")
}

/// The bytes of a buffer that are flipped: its header and the checksum of its value.
const IN_BUFFER: u64 = 40;

/// The number of bits that are flipped in one region. Bits that are also tried sealed count twice.
fn flips_of(whole: &Specimen) -> u64 {
    let buffers = if whole.field("kind") == 1 { whole.pool() } else { 0 };
    (head(whole) + buffers * IN_BUFFER + PRELUDE as u64 + whole.schema().len() as u64) * 8
}

/// The bit of flip `at`, and whether it is sealed.
fn flip_at(whole: &Specimen, at: u64) -> (usize, bool) {
    let (byte, bit) = (at / 8, at % 8);
    let unsealed = flips_of(whole) / 8 - PRELUDE as u64 - whole.schema().len() as u64;
    let (byte, sealed) = match byte.checked_sub(unsealed) {
        Some(sealed) if sealed < PRELUDE as u64 => (sealed, true),
        Some(sealed) => (whole.field("schema_offset") + sealed - PRELUDE as u64, true),
        None => match byte.checked_sub(head(whole)) {
            Some(in_buffers) => {
                let (buffer, at) = (in_buffers / IN_BUFFER, in_buffers % IN_BUFFER);
                let at = if at < 32 { at } else { whole.checksum_at() + at - 32 };
                (head(whole) + buffer * whole.field("stride") + at, false)
            }
            None => (byte, false),
        },
    };
    ((byte * 8 + bit) as usize, sealed)
}

/// The lengths that a region is cut to: all within the header, and some more.
fn lengths_of(whole: &Specimen) -> u64 {
    (head(whole) + 300).min(whole.0.len() as u64)
}
