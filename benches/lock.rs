//! The cost of a lock that nobody else wants, compared with a mutex private to one process, and
//! whether a reader pays for other readers. Run it with `cargo bench --bench lock`.
//!
//! Each round measures every case once, so that a change of the machine's speed affects all of
//! them. Ratios are of medians; brackets show the least and the most of all rounds.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::sync::Mutex;
use std::time::Instant;

use io_shared::{RwSharedMmap, Shared, SharedMmap};

const ROUNDS: usize = 31;
const CALLS: u32 = 100_000;
/// How many others read meanwhile. With ours, they fill the 64 slots of a lock.
const OTHER_READERS: [usize; 4] = [0, 8, 32, 63];

struct Case<'a> {
    name: String,
    call: Box<dyn FnMut() -> Result<(), Box<dyn Error>> + 'a>,
    nanoseconds: Vec<f64>,
}

impl<'a> Case<'a> {
    fn new(name: impl Into<String>, call: impl FnMut() -> Result<(), Box<dyn Error>> + 'a) -> Self {
        Self { name: name.into(), call: Box::new(call), nanoseconds: Vec::new() }
    }

    fn measure(&mut self) -> Result<(), Box<dyn Error>> {
        let started = Instant::now();
        (self.call)()?;
        self.nanoseconds.push(started.elapsed().as_nanos() as f64 / f64::from(CALLS));
        Ok(())
    }

    /// Least, median, most.
    fn spread(&self) -> [f64; 3] {
        let mut sorted = self.nanoseconds.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        [at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1))]
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let private = Mutex::new(0u64);
    let mut shared = SharedMmap::anonymous().size(64).open()?;
    let mut readable = RwSharedMmap::anonymous().size(64).open()?;
    let mut typed = Shared::<u64>::anonymous().open()?;
    let mut cases = vec![
        Case::new("private std::sync::Mutex", || {
            for _ in 0..CALLS {
                *black_box(&private).lock().map_err(|_| "poisoned")? += 1;
            }
            Ok(())
        }),
        Case::new("SharedMmap, lock", || {
            for _ in 0..CALLS {
                drop(black_box(shared.lock()?));
            }
            Ok(())
        }),
        Case::new("RwSharedMmap, write", || {
            for _ in 0..CALLS {
                drop(black_box(readable.write()?));
            }
            Ok(())
        }),
        Case::new("Shared, write", || {
            for _ in 0..CALLS {
                *black_box(typed.write()?) += 1;
            }
            Ok(())
        }),
    ];
    for others in OTHER_READERS {
        let mut handle = Shared::<u64>::anonymous().open()?;
        let descriptor = handle.as_fd().ok_or("it has no name")?.try_clone_to_owned()?;
        let mut readers = Vec::new();
        for _ in 0..others {
            readers.push(Shared::<u64>::from_fd(descriptor.try_clone()?).open()?);
        }
        let readers: &'static mut Vec<_> = Box::leak(Box::new(readers));
        let reading: Vec<_> = readers.iter_mut().map(Shared::read).collect::<Result<_, _>>()?;
        cases.push(Case::new(format!("Shared, read next to {others}"), move || {
            let _reading = &reading;
            for _ in 0..CALLS {
                black_box(*handle.read()?);
            }
            Ok(())
        }));
    }
    for _ in 0..ROUNDS {
        for case in &mut cases {
            case.measure()?;
        }
    }
    let median_of = |start: &str| {
        let case = cases.iter().find(|case| case.name.starts_with(start));
        case.map_or(f64::NAN, |case| case.spread()[1])
    };
    let (mutex, alone) = (median_of("private"), median_of("Shared, read"));
    for case in &cases {
        let [least, median, most] = case.spread();
        let base = if case.name.starts_with("Shared, read") { alone } else { mutex };
        println!(
            "{:26} {median:5.1} ns ({least:.1} to {most:.1}), ratio {:.2}",
            case.name,
            median / base
        );
    }
    Ok(())
}
