//! The role `viewer`: consumer of clouds and of labels.
//!
//! Labels come later than their cloud, and by then newer clouds have come. So one thread keeps
//! copies of the last few clouds, and the other pairs labels with their cloud: their tag is its
//! sequence number. It prints a line for each, labels every tenth frame a second time to check the
//! result (another segmentator's result may differ), and draws the picture at the end. Any program
//! may put the clouds and labels, such as the scripts of `examples/python`.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use io_shared::{Consumer, Guard, Producer};

use crate::channels::Channels;
use crate::latency::{Handover, Latencies};
use crate::messages::{Cloud, Labels, Point};
use crate::options::{Options, Role};
use crate::picture;
use crate::reports::Shown;
use crate::segmentation::{self, Tally};
use crate::stop::Stop;
use crate::waits;

/// How many clouds are kept. Labels later than this are too late for a picture.
const KEPT: usize = 8;
/// A label may be here before its cloud was copied, but not by more than this.
const OVERTAKING: Duration = Duration::from_millis(500);
/// Every n-th frame is labelled a second time.
const VERIFY_EVERY: u64 = 10;

pub(crate) fn run(options: &Options, stop: &Stop) -> Result<(), Box<dyn Error>> {
    let channels = Channels::new(&options.prefix);
    let name = Role::Viewer.name();
    // Labels first: a lidar that sees this viewer on the clouds knows that no label is missed.
    let mut labels = channels.labels().consumer_name(name).consumer()?;
    let mut clouds = channels.clouds().consumer_name(name).consumer()?;
    let reports = channels.shown().producer()?;
    let start = clouds.last_seen();

    let recent = Recent::default();
    thread::scope(|scope| {
        let keeper = scope.spawn(|| {
            let kept = keep(&mut clouds, &recent, stop);
            stop.set();
            kept
        });
        let mut screen = Screen::new(options, reports, start);
        let shown = screen.show(&mut labels, &recent, stop);
        stop.set();
        let kept = keeper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        shown?;
        kept?;
        match &options.png {
            Some(path) => screen.draw(path),
            None => Ok(()),
        }
    })
}

/// A copy of a cloud.
struct PendingCloud {
    seq: u64,
    frame: u64,
    points: Vec<Point>,
    handover: Handover,
}

/// The clouds kept, newest last.
#[derive(Default)]
struct Recent {
    state: Mutex<RecentState>,
    arrival: Condvar,
}

#[derive(Default)]
struct RecentState {
    clouds: VecDeque<Arc<PendingCloud>>,
    latencies: Latencies,
}

fn keep(clouds: &mut Consumer<Cloud>, recent: &Recent, stop: &Stop) -> io_shared::Result<()> {
    while !stop.is_set() {
        let Some((cloud, handover)) = waits::next(clouds)? else {
            continue;
        };
        let kept = PendingCloud {
            seq: cloud.seq(),
            frame: cloud.frame,
            points: cloud.points.to_vec(),
            handover,
        };
        recent.add(kept);
    }
    Ok(())
}

impl Recent {
    fn lock(&self) -> MutexGuard<'_, RecentState> {
        // A panic in the other thread ends the viewer; until then the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, cloud: PendingCloud) {
        let mut state = self.lock();
        state.latencies.record(cloud.handover);
        if state.clouds.len() == KEPT {
            state.clouds.pop_front();
        }
        state.clouds.push_back(Arc::new(cloud));
        self.arrival.notify_one();
    }

    /// The cloud with that sequence, unless it was missed or is too old.
    fn find(&self, seq: u64) -> Option<Arc<PendingCloud>> {
        let to_come = |state: &mut RecentState| state.clouds.back().is_none_or(|c| c.seq < seq);
        let (state, _) = self
            .arrival
            .wait_timeout_while(self.lock(), OVERTAKING, to_come)
            .unwrap_or_else(PoisonError::into_inner);
        state.clouds.iter().find(|cloud| cloud.seq == seq).cloned()
    }
}

/// The viewer's output, and its account of it.
struct Screen<'a> {
    options: &'a Options,
    reports: Producer<Shown>,
    shown: Shown,
    /// The sequence of the cloud that the last label belonged to.
    last_cloud: u64,
    /// Clouds that no label belonged to, as far as labels tell.
    missed: u64,
    picture: Option<(Arc<PendingCloud>, Vec<u32>)>,
}

impl<'a> Screen<'a> {
    /// `start`: the last cloud before those that are shown.
    fn new(options: &'a Options, reports: Producer<Shown>, start: u64) -> Screen<'a> {
        let shown = Shown::default();
        Screen { options, reports, shown, last_cloud: start, missed: 0, picture: None }
    }

    fn show(
        &mut self,
        labels: &mut Consumer<Labels>,
        recent: &Recent,
        stop: &Stop,
    ) -> io_shared::Result<()> {
        while !stop.is_set() {
            let Some((labels, handover)) = waits::next(labels)? else {
                continue;
            };
            let cloud = recent.find(labels.tag());
            self.account(&labels, handover);
            match &cloud {
                Some(cloud) => self.pair(cloud, &labels, handover),
                None => self.shown.unpaired += 1,
            }
            self.shown.cloud_latencies = recent.lock().latencies;
            self.reports.put(&self.shown)?;
        }
        Ok(())
    }

    fn account(&mut self, labels: &Guard<'_, Labels>, handover: Handover) {
        let shown = &mut self.shown;
        shown.got += 1;
        shown.labelled += 1 + labels.missed();
        shown.points += labels.labels.len() as u64;
        shown.label_latencies.record(handover);
        // The first label may belong to a cloud from before this viewer's time.
        if labels.tag() <= self.last_cloud && shown.got > 1 {
            shown.wrong += 1;
            return;
        }
        // The clouds between two labels have labels that came and went unseen.
        let between = labels.tag().saturating_sub(self.last_cloud + 1);
        self.missed += between.saturating_sub(labels.missed());
        self.last_cloud = labels.tag();
    }

    fn pair(&mut self, cloud: &Arc<PendingCloud>, labels: &Guard<'_, Labels>, handover: Handover) {
        if labels.labels.len() != cloud.points.len() || labels.frame != cloud.frame {
            self.shown.wrong += 1;
            return;
        }
        if cloud.frame.is_multiple_of(VERIFY_EVERY) {
            let mut again = vec![0; cloud.points.len()];
            segmentation::segment(&cloud.points, self.options.seed, &mut again);
            self.shown.verified += 1;
            self.shown.differing += u64::from(again != labels.labels);
        }
        self.print(cloud, &labels.labels, handover);
        if self.options.png.is_some() {
            self.picture = Some((Arc::clone(cloud), labels.labels.to_vec()));
        }
    }

    fn print(&self, cloud: &PendingCloud, labels: &[u32], handover: Handover) {
        let tally = Tally::of(labels);
        // Perhaps nobody is listening any more; the account goes on.
        let _ = writeln!(
            io::stdout(),
            "frame {:>4}  seq {:>4}  {:>6} points  ground {:>2.0} %  {:>3} clusters  \
             cloud {:>9}  labels {:>9}  missed {}",
            cloud.frame,
            cloud.seq,
            tally.points,
            tally.ground_share() * 100.0,
            tally.clusters,
            cloud.handover,
            handover,
            self.missed,
        );
    }

    fn draw(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let Some((cloud, labels)) = &self.picture else {
            return Err("no frame was labelled, so there is no picture".into());
        };
        picture::write(path, &cloud.points, labels)
            .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
    }
}
