//! The report of a campaign.

use std::fmt;
use std::time::Duration;

use io_shared_core::crash_point::CrashPoint;

use crate::parcel::Size;
use crate::role::{Spot, spots};

/// The result of a campaign. Its `Display` ends with the counts.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Repeats the parent's choices, but not the machine's timing.
    pub seed: u64,
    /// Processes killed.
    pub kills: u64,
    /// Stops; how many of them the kernel confirmed; and how many stopped a locker that had a lock.
    pub stops: u64,
    /// As above.
    pub confirmed_stops: u64,
    /// As above.
    pub stopped_holders: u64,
    /// Checks while everybody was at rest or dead.
    pub rests: u64,
    /// How often everybody was killed at once.
    pub massacres: u64,
    /// How many died after each crash point, in the order of [`CrashPoint::ALL`]: with values of
    /// each size, in the order of [`Size::ALL`], and without values.
    pub hits: Vec<[u64; Size::ALL.len() + 1]>,
    /// How many died before they passed a crash point, or were observers, which pass none.
    pub before_any: u64,
    /// Values put, got by consumers, and copied.
    pub values: [u64; 3],
    /// The longest time from a put until a waiting consumer got the value, in nanoseconds, without
    /// the time that it was stopped or not scheduled.
    pub longest_wait: u64,
    /// The longest put, measured likewise.
    pub longest_put: u64,
    /// Children that reached their goal after a start.
    pub restarts: u64,
    /// The longest time from a restart to the first success, in nanoseconds.
    pub longest_restart: u64,
    /// Late finds: unexplained; after a death between publish and wake; while one of the two was
    /// stopped; while one of the two was not scheduled.
    pub late_finds: [u64; 4],
    /// Timeouts and `Busy` that were right.
    pub timeouts: u64,
    /// As above.
    pub busy: u64,
    /// Records written and read under the locks, and repaired.
    pub records: [u64; 3],
    /// Lock calls whose time ran out.
    pub lock_timeouts: u64,
    /// The longest time that a lock was free and a waiting locker did not have it, measured
    /// likewise, and the same where a locker died at that lock meanwhile.
    pub longest_lock: u64,
    /// As above.
    pub longest_dead_lock: u64,
    /// What went wrong.
    pub failures: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// How many died at a spot.
    pub fn hits_at(&self, (point, size): Spot) -> u64 {
        self.hits.get(point as usize).map_or(0, |hits| hits[column(size)])
    }

    /// Counts one more death.
    pub(crate) fn hit(&mut self, (point, size): Spot) {
        self.hits.resize(CrashPoint::ALL.len(), [0; _]);
        self.hits[point as usize][column(size)] += 1;
    }

    /// The spots at which nobody died.
    pub fn never_hit(&self) -> Vec<Spot> {
        spots().filter(|spot| self.hits_at(*spot) == 0).collect()
    }

    /// Whether nothing failed and every crash point was hit.
    pub fn is_clean(&self) -> bool {
        self.failures.is_empty() && self.never_hit().is_empty()
    }
}

fn column(size: Option<Size>) -> usize {
    size.map_or(Size::ALL.len(), |size| size as usize)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        writeln!(f, "died after           inline    small    large    other")?;
        for point in CrashPoint::ALL {
            write!(f, "  {:<16}", format!("{point:?}"))?;
            for size in Size::ALL.map(Some).into_iter().chain([None]) {
                match self.hits_at((*point, size)) {
                    0 if !spots().any(|spot| spot == (*point, size)) => write!(f, "        -")?,
                    hits => write!(f, " {hits:>8}")?,
                }
            }
            writeln!(f)?;
        }
        writeln!(f, "  {:<16} {:>6}", "(none)", self.before_any)?;
        for failure in &self.failures {
            writeln!(f, "FAILED: {failure}")?;
        }
        for (point, size) in self.never_hit() {
            let values = size.map_or(String::new(), |size| format!(" with {size:?} values"));
            writeln!(f, "FAILED: nobody died at {point:?}{values}")?;
        }
        let [put, had, copied] = self.values;
        writeln!(f, "values: {put} put, {had} got, {copied} copied")?;
        let [written, read, repaired] = self.records;
        writeln!(
            f,
            "under locks: {written} written, {read} read, {repaired} repaired, {} timed out",
            self.lock_timeouts
        )?;
        writeln!(
            f,
            "stops: {}, {} confirmed by the kernel, {} of a lock's holder",
            self.stops, self.confirmed_stops, self.stopped_holders
        )?;
        writeln!(
            f,
            "restarts: {}; checks at rest: {}; everybody killed at once: {}; \
             timeouts: {}, busy: {}",
            self.restarts, self.rests, self.massacres, self.timeouts, self.busy
        )?;
        writeln!(
            f,
            "longest wait {:.1} ms, longest put {:.1} ms, longest restart {:.1} ms",
            milliseconds(self.longest_wait),
            milliseconds(self.longest_put),
            milliseconds(self.longest_restart)
        )?;
        writeln!(
            f,
            "longest wait for a free lock {:.1} ms, where one died at it {:.1} ms",
            milliseconds(self.longest_lock),
            milliseconds(self.longest_dead_lock)
        )?;
        let [late, killed, stopped, unscheduled] = self.late_finds;
        writeln!(
            f,
            "late finds: {late}; and {killed} after a death between publish and wake, {stopped} \
             while stopped, {unscheduled} while not scheduled"
        )?;
        writeln!(f, "seed {}; {:.1} s", self.seed, self.took.as_secs_f64())?;
        write!(f, "{} kills, {} failed", self.kills, self.failures.len())?;
        let hit = spots().count() - self.never_hit().len();
        write!(f, ", {hit} of {} crash points hit, of each size of values", spots().count())?;
        if self.failures.is_empty() && self.kills > 0 {
            let bound = 300.0 / self.kills as f64;
            write!(f, ": fewer than {bound:.3} % of kills fail (3/n, at 95 %)")?;
        }
        Ok(())
    }
}
