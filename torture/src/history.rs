//! Which roles the parent stopped and killed, and when, and when the host took the processors away.
//! This explains some delays and not others.

use io_shared_core::clock;
use io_shared_core::crash_point::CrashPoint;

use crate::role::Role;

/// What is older than this cannot matter to anything that is still to be judged.
const KEPT: u64 = 10_000_000_000;

/// Stops of every role and lives of the producer. Times are CLOCK_MONOTONIC in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct History {
    stops: Vec<Stop>,
    producers: Vec<Life>,
    lockers: Vec<LockerDeath>,
    /// When the time that the host has taken was found to have grown, and to what.
    stolen: Vec<(u64, u64)>,
}

/// How a locker died.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LockerDeath {
    pub(crate) role: Role,
    /// Bit n: it was opening lock n, in a call of it, or had its guard.
    pub(crate) locks: u64,
    /// The crash point passed last.
    pub(crate) point: Option<CrashPoint>,
    /// When the signal was sent, and when the process was gone.
    pub(crate) killed: u64,
    pub(crate) at: u64,
}

#[derive(Debug, Clone, Copy)]
struct Stop {
    role: Role,
    from: u64,
    /// [`u64::MAX`] while it lasts.
    to: u64,
}

/// One incarnation of the producer.
#[derive(Debug, Clone, Copy)]
struct Life {
    spawned: u64,
    /// 0: not yet, or never.
    opened: u64,
    died: Option<Death>,
}

/// How a producer died.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Death {
    pub(crate) at: u64,
    /// The crash point passed last.
    pub(crate) point: Option<CrashPoint>,
    /// The sequence that it was putting, on either channel.
    pub(crate) putting: [u64; 2],
}

/// By when the sleepers had been woken for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// At this instant at the latest.
    By(u64),
    /// Its producer died between publishing it and waking. A successor had opened by this instant.
    ByWhoCameNext(u64),
    /// Its put had not returned.
    NotYet,
}

impl History {
    pub(crate) fn stopped(&mut self, role: Role) {
        self.stops.push(Stop { role, from: clock::now(), to: u64::MAX });
    }

    pub(crate) fn continued(&mut self, role: Role) {
        let now = clock::now();
        if let Some(stop) = self.stops.iter_mut().rfind(|stop| stop.role == role) {
            stop.to = stop.to.min(now);
        }
        self.stops.retain(|stop| stop.to.saturating_add(KEPT) > now);
    }

    pub(crate) fn producer_spawned(&mut self) {
        let spawned = clock::now();
        self.producers.push(Life { spawned, opened: 0, died: None });
        self.producers.retain(|life| life.died.is_none_or(|death| death.at + KEPT > spawned));
    }

    /// Notes when the last producer opened its channels, if it has.
    pub(crate) fn producer_opened(&mut self, at: u64) {
        if let Some(life) = self.producers.last_mut() {
            life.opened = at;
        }
    }

    pub(crate) fn producer_died(&mut self, death: Death) {
        if let Some(life) = self.producers.last_mut() {
            life.died = Some(death);
        }
    }

    pub(crate) fn locker_died(&mut self, death: LockerDeath) {
        self.lockers.push(death);
        self.lockers.retain(|old| old.at + KEPT > death.at);
    }

    /// The deaths between `from` and `to` that may have happened with `lock`.
    pub(crate) fn deaths_at(
        &self,
        lock: u64,
        from: u64,
        to: u64,
    ) -> impl Iterator<Item = &LockerDeath> {
        let lockers = self.lockers.iter().filter(move |death| death.locks & 1 << lock != 0);
        lockers.filter(move |death| death.at >= from && death.killed <= to)
    }

    /// All deaths of lockers after `from`, as text.
    pub(crate) fn locker_deaths(&self, from: u64) -> String {
        let lockers = self.lockers.iter().filter(|death| death.at > from);
        let tell = |death: &LockerDeath| {
            let after = (death.at - from) as f64 / 1e6;
            format!("{:?} after {after:.1} ms at {:?}", death.role, death.point)
        };
        lockers.map(tell).collect::<Vec<_>>().join(", ")
    }

    /// Notes how much time the host has taken from this machine, which may be none.
    pub(crate) fn stolen(&mut self, stolen: u64) {
        if self.stolen.last().is_none_or(|(_, before)| *before != stolen) {
            let now = clock::now();
            let old = self.stolen.partition_point(|(at, _)| at + KEPT <= now);
            self.stolen.drain(..old.saturating_sub(1)); // one still says how much it was
            self.stolen.push((now, stolen));
        }
    }

    /// How much of `from..to` the host has taken, or a little before or after.
    pub(crate) fn stolen_for(&self, from: u64, to: u64) -> u64 {
        let before = self.stolen.iter().rfind(|(at, _)| *at <= from).or(self.stolen.first());
        let after = self.stolen.iter().find(|(at, _)| *at >= to).or(self.stolen.last());
        let total = |noted: Option<&(u64, u64)>| noted.map_or(0, |(_, total)| *total);
        total(after).saturating_sub(total(before))
    }

    /// For how much of `from..to` the role was stopped, or the host had the processors.
    pub(crate) fn stopped_for(&self, role: Role, from: u64, to: u64) -> u64 {
        let stops = self.stops.iter().filter(|stop| stop.role == role);
        let stopped = stops.map(|stop| stop.to.min(to).saturating_sub(stop.from.max(from)));
        stopped.sum::<u64>() + self.stolen_for(from, to)
    }

    /// What became of a put that began at `began` and did not return.
    pub(crate) fn woken(&self, channel: usize, sequence: u64, began: u64) -> Woken {
        let lives = &self.producers;
        let Some(own) = lives.iter().rposition(|life| life.spawned <= began) else {
            return Woken::By(0);
        };
        let Some(death) = lives.get(own).and_then(|life| life.died) else {
            return Woken::NotYet;
        };
        if death.putting.get(channel) != Some(&sequence) {
            return Woken::By(death.at); // it had gone on to others
        }
        match death.point {
            // The point before the publish counts as well: the death may have come between the two.
            Some(CrashPoint::PutSealed | CrashPoint::PutPublished | CrashPoint::PutSawWaiting) => {
                let next = lives.iter().skip(own + 1).map(|life| life.opened);
                Woken::ByWhoCameNext(next.filter(|at| *at > 0).min().unwrap_or(u64::MAX))
            }
            _ => Woken::By(death.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_death_between_publish_and_wake_explains_a_value_without_a_wake() {
        let mut history = History::default();
        history.producer_spawned();
        let began = clock::now();
        assert_eq!(history.woken(0, 7, began), Woken::NotYet);
        let die = |history: &mut History, point| {
            history.producer_died(Death { at: began + 9, point: Some(point), putting: [7, 3] });
        };
        die(&mut history, CrashPoint::PutWoken);
        assert_eq!(history.woken(0, 7, began), Woken::By(began + 9));
        die(&mut history, CrashPoint::PutPublished);
        assert_eq!(history.woken(1, 7, began), Woken::By(began + 9));
        assert_eq!(history.woken(0, 7, began), Woken::ByWhoCameNext(u64::MAX));
        history.producer_spawned();
        history.producer_opened(began + 50);
        assert_eq!(history.woken(0, 7, began), Woken::ByWhoCameNext(began + 50));
    }

    #[test]
    fn stops_count_as_far_as_they_overlap() {
        let mut history = History::default();
        history.stopped(Role::Left);
        let from = history.stops[0].from;
        assert_eq!(history.stopped_for(Role::Left, from - 5, from + 10), 10);
        assert_eq!(history.stopped_for(Role::Right, from - 5, from + 10), 0);
        history.continued(Role::Left);
        let to = history.stops[0].to;
        assert_eq!(history.stopped_for(Role::Left, 0, u64::MAX), to - from);
    }

    #[test]
    fn what_the_host_took_counts_from_the_look_before_to_the_look_after() {
        let mut history = History::default();
        assert_eq!(history.stolen_for(0, u64::MAX), 0);
        history.stolen = vec![(100, 5), (200, 25), (300, 26)];
        let stolen = [(150, 250), (0, 100), (200, 200), (100, 201), (400, 500)];
        assert_eq!(stolen.map(|(from, to)| history.stolen_for(from, to)), [21, 0, 0, 21, 0]);
        history.stolen(27);
        history.stolen(27);
        assert_eq!(history.stolen.len(), 2, "{:?}", history.stolen);
        assert_eq!(history.stolen_for(0, u64::MAX), 1);
    }
}
