//! `io-shared legacy`: pass arrays on between a channel and a share of the package that this
//! project began as.
//!
//! It waits in slices, so that Ctrl-C never ends it while it has the other side's lock, which
//! nobody would give back.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use io_shared::array::Npy;
use io_shared::legacy::{self, Share};
use io_shared::{Array, Channel, Consumer, Error, ErrorKind, Producer, binding};

use crate::failure::Failure;
use crate::named;
use crate::out::{Out, plain};
use crate::units;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The share of the original package, as its programs name it.
    #[arg(value_name = "NAME")]
    name: String,
    /// Get what the original puts into NAME, and put it into this channel.
    #[arg(long, value_name = "CHANNEL", required_unless_present = "from", conflicts_with = "from",
          add = ArgValueCandidates::new(named::channels))]
    to: Option<String>,
    /// Get arrays from this channel, and put them into NAME for the original.
    #[arg(long, value_name = "CHANNEL", requires = "size",
          add = ArgValueCandidates::new(named::channels))]
    from: Option<String>,
    /// The size of NAME, as the original's programs give it, such as 5M.
    #[arg(long, value_name = "SIZE", conflicts_with = "to")]
    size: Option<String>,
    /// Say that a semaphore is stuck after this long. It is waited for all the same.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = units::parse_duration)]
    lock_timeout: Duration,
}

/// How long one wait lasts: Ctrl-C is noticed in between.
const SLICE: Duration = Duration::from_millis(50);
/// How long to wait before the command says what it waits for.
const SILENT: Duration = Duration::from_secs(1);

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let mut bridge = Bridge::new()?;
    let share = Share::named(&options.name).lock_timeout(options.lock_timeout);
    let channel = match (&options.to, &options.from) {
        (Some(channel), _) => {
            let producer = Channel::at(named::location(channel)?).growing(true).producer()?;
            bridge.pass_to(share.consumer()?, producer)?;
            channel
        }
        (_, Some(channel)) => {
            let share = share.size(options.size.as_deref().unwrap_or_default()).producer()?;
            if let Some(consumer) = bridge.open(channel)? {
                bridge.pass_from(consumer, share)?;
            }
            channel
        }
        _ => return Err(Failure::Usage("--to or --from says which way".into())),
    };
    let arrays = bridge.arrays;
    if out.json {
        let name = &options.name;
        out.object(&serde_json::json!({"name": name, "channel": channel, "arrays": arrays}))?;
    } else {
        let s = if arrays == 1 { "" } else { "s" };
        out.line(format_args!("{arrays} array{s}"))?;
    }
    Ok(())
}

/// What passes arrays on until a signal ends it.
struct Bridge {
    end: Arc<AtomicBool>,
    arrays: u64,
    started: Instant,
    /// What was said last.
    told: String,
}

impl Bridge {
    fn new() -> Result<Self, Failure> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let end = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, end.clone())
                .map_err(|error| Failure::Failed(format!("cannot listen to signals: {error}")))?;
        }
        Ok(Self { end, arrays: 0, started: Instant::now(), told: String::new() })
    }

    fn goes_on(&self) -> bool {
        !self.end.load(Ordering::Relaxed)
    }

    fn pass_to(
        &mut self,
        mut share: legacy::Consumer,
        mut producer: Producer<Array>,
    ) -> Result<(), Failure> {
        while self.goes_on() {
            match share.get_timeout(SLICE) {
                Ok(npy) => {
                    put(&mut producer, &npy)?;
                    self.arrays += 1;
                }
                Err(error) => drop(self.bear(error)?),
            }
        }
        Ok(())
    }

    fn pass_from(
        &mut self,
        mut consumer: Consumer<Array>,
        mut share: legacy::Producer,
    ) -> Result<(), Failure> {
        while self.goes_on() {
            if let Err(error) = consumer.get_timeout(SLICE).map(drop) {
                self.bear(error)?;
                continue;
            }
            // The newest one, also if the lock is free only after others have come.
            while let Some(array) = consumer.latest()?.filter(|_| self.goes_on()) {
                match binding::put_legacy(&mut share, &[&array.npy], Some(SLICE)) {
                    Ok(()) => self.arrays += 1,
                    Err(error) => {
                        if self.bear(error)? {
                            continue;
                        }
                    }
                }
                break;
            }
        }
        Ok(())
    }

    /// The channel, once there is one. `None`: a signal came first.
    fn open(&mut self, channel: &str) -> Result<Option<Consumer<Array>>, Failure> {
        let location = named::location(channel)?;
        while self.goes_on() {
            let opened = Channel::at(location.clone()).open_timeout(SLICE).consumer();
            match opened {
                Ok(consumer) => return Ok(Some(consumer)),
                Err(error) if *error.kind() == ErrorKind::NotFound => {
                    self.wait(&format!("there is no channel {channel} yet"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Says what is wrong, and whether the same array may be passed on later.
    fn bear(&mut self, error: Error) -> Result<bool, Failure> {
        match error.kind() {
            ErrorKind::Timeout { waiting_for, .. } => {
                self.wait(&format!("{} waits for {waiting_for}", error.name()));
                Ok(true)
            }
            ErrorKind::LegacyLockStuck { .. } => {
                self.tell("warning", &error.to_string());
                Ok(true)
            }
            ErrorKind::Npy(_) | ErrorKind::OutOfBounds { .. } => {
                self.tell("warning", &error.to_string());
                Ok(false)
            }
            _ => Err(error.into()),
        }
    }

    /// Says what nothing came of for a while.
    fn wait(&mut self, what: &str) {
        if self.arrays == 0 && self.told.is_empty() && self.started.elapsed() >= SILENT {
            self.tell("waiting", what);
        }
    }

    fn tell(&mut self, word: &str, what: &str) {
        if self.told != what {
            // Where nobody reads it, the arrays are passed on all the same.
            let _ = writeln!(std::io::stderr(), "{word}: {}", plain(what));
            what.clone_into(&mut self.told);
        }
    }
}

fn put(producer: &mut Producer<Array>, npy: &Npy<'_>) -> Result<(), Failure> {
    let refused = |error| Failure::Failed(format!("cannot pass the array on: {error}"));
    let (dtype, order, shape) = (&npy.dtype, npy.fortran_order, &npy.shape);
    let length = Array::len_of(dtype, order, shape).map_err(refused)?;
    let mut loan = producer.loan_len(length)?;
    loan.write_header(dtype, order, shape)?.copy_from_slice(npy.data);
    loan.put()?;
    Ok(())
}
