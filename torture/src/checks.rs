//! What must hold: judgements of the crew's reports and of the regions' bytes.

use crate::history::{History, Woken};
use crate::page::{Event, EventKind};
use crate::region_file::RegionFile;
use crate::report::Report;
use crate::role::Role;

/// The longest sleep at a time (docs/RATIONALE.md, "Slices").
pub(crate) const SLICE: u64 = 100_000_000;
/// What a wait may take in addition to a slice, not counting stops and run delays.
pub(crate) const WAIT_BOUND: u64 = 50_000_000;
/// A find at the end of a slice is late if it comes this long after its wake-up. Also the longest
/// put.
const LATE: u64 = 20_000_000;

/// Judges `event` of a locker, and counts it in `report`. `others_delayed` is how long all other
/// lockers have been ready to run and did not, as known now.
///
/// Nobody queues for a lock, so a wait counts from when another locker last left it. From then on
/// it must succeed at once, because leaving wakes the waiters. After a death it may take a slice.
///
/// # Errors
/// What is wrong.
pub(crate) fn judge_lock(
    event: &Event,
    role: Role,
    history: &History,
    others_delayed: u64,
    report: &mut Report,
) -> Result<(), String> {
    let Event { called, returned, sequence: lock, put, delayed, late: before, .. } = *event;
    // How much of the time since `from` this locker and those that could block it have used.
    let idle = |from: u64, roles: &[Role], delayed: u64| {
        let stopped: u64 = roles.iter().map(|r| history.stopped_for(*r, from, returned)).sum();
        returned.saturating_sub(from).saturating_sub(stopped + delayed)
    };
    if event.kind == EventKind::Overslept {
        let late = idle(called, &[role], delayed);
        return match late > LATE {
            true => Err(format!("lock {lock}: timed out {:.1} ms too late", late as f64 / 1e6)),
            false => Ok(()),
        };
    }
    let mut free = put.began.max(called);
    for other in Role::LOCKERS.into_iter().filter(|other| put.ended & 1 << *other as u32 != 0) {
        let mut deaths = history.deaths_at(lock, called, returned);
        let death = deaths.find(|death| death.role == other);
        free = free.max(death.map_or(returned, |death| death.at.min(returned)));
    }
    let death = history.deaths_at(lock, called, returned).map(|death| death.at).max();
    let free = free.max(death.unwrap_or(0)).min(returned);
    let wait = idle(free, &Role::LOCKERS, delayed + others_delayed.saturating_sub(before));
    let (longest, bound) = match death {
        None => (&mut report.longest_lock, LATE),
        Some(_) => (&mut report.longest_dead_lock, SLICE + WAIT_BOUND),
    };
    *longest = wait.max(*longest);
    if wait > bound {
        let ms = |time: u64| time as f64 / 1e6;
        return Err(format!(
            "lock {lock}: waited for {:.1} ms after it was left {:.1} ms before, called {:.1} ms \
             before, not scheduled for {:.1} ms, the others for {:.1} ms; died since: {}",
            ms(wait),
            ms(returned - free),
            ms(returned - called),
            ms(delayed),
            ms(others_delayed.saturating_sub(before)),
            history.locker_deaths(called),
        ));
    }
    Ok(())
}

/// Judges `event` of `role`, and counts it in `report`.
///
/// # Errors
/// What is wrong.
pub(crate) fn judge(
    event: &Event,
    role: Role,
    history: &History,
    report: &mut Report,
) -> Result<(), String> {
    if event.kind == EventKind::SlowPut {
        return judge_put(event, history, report);
    }
    let Event { called, returned, sequence, put, delayed, late, .. } = *event;
    let (woken, killed) = match put.ended {
        _ if put.began == 0 => (called, false), // too long ago to be remembered
        0 => match history.woken(role.channel(), sequence, put.began) {
            Woken::By(at) => (at, false),
            Woken::ByWhoCameNext(at) => (at, true),
            Woken::NotYet => (returned, false),
        },
        ended => (ended, false),
    };
    // How much of the time since `from` this consumer could have run.
    let idle = |from: u64| {
        let from = from.max(called).min(returned);
        let stopped = history.stopped_for(role, from, returned);
        (returned - from).saturating_sub(stopped + delayed)
    };
    let overdue = idle(woken);
    let tell = || times_of(event, woken);
    if event.kind == EventKind::Timeout {
        return if overdue > LATE { Err(format!("timed out over {}", tell())) } else { Ok(()) };
    }
    let wait = match put.ended {
        // The producer was stopped during the put and could not publish.
        0 => idle(put.began).saturating_sub(history.stopped_for(
            Role::Producer,
            put.began.max(called),
            returned,
        )),
        ended => idle(ended),
    };
    report.longest_wait = report.longest_wait.max(wait);
    if late > 0 {
        let [unexplained, by_kill, by_stop, by_load] = &mut report.late_finds;
        if overdue > LATE {
            *unexplained += late;
            return Err(format!("found only by the end of a slice: {}", tell()));
        }
        let stopped = [role, Role::Producer]
            .iter()
            .any(|role| history.stopped_for(*role, put.began, returned) > 0);
        *if killed {
            by_kill
        } else if stopped {
            by_stop
        } else {
            by_load
        } += late;
    }
    if wait > SLICE + WAIT_BOUND {
        return Err(format!("waited for {:.1} ms: {}", wait as f64 / 1e6, tell()));
    }
    Ok(())
}

/// The times of a get's event, as text.
fn times_of(event: &Event, woken: u64) -> String {
    let Event { called, returned, sequence, put, delayed, .. } = *event;
    let ms = |nanoseconds: u64| nanoseconds as f64 / 1e6;
    let since = |at: u64| if at > returned { -1.0 } else { ms(returned - at) };
    format!(
        "value {sequence}, put {:.1} ms before (returned {:.1}), called {:.1} ms before, woken \
         {:.1} ms before, not scheduled for {:.1} ms",
        since(put.began),
        since(put.ended),
        since(called),
        since(woken),
        ms(delayed)
    )
}

fn judge_put(event: &Event, history: &History, report: &mut Report) -> Result<(), String> {
    let took = event.returned - event.called;
    let stopped = history.stopped_for(Role::Producer, event.called, event.returned);
    let took = took.saturating_sub(stopped + event.delayed);
    report.longest_put = report.longest_put.max(took);
    if took > LATE {
        return Err(format!("the put of {} took {:.1} ms", event.sequence, took as f64 / 1e6));
    }
    Ok(())
}

/// Checks a region while it is in use: it was not replaced, and its words are plausible.
///
/// # Errors
/// What is wrong.
pub(crate) fn region_in_use(
    region: &RegionFile,
    inode: u64,
    put_before: u64,
) -> Result<(), String> {
    if region.inode != inode || region.retired {
        return Err("the region was replaced".into());
    }
    if region.sequence < put_before {
        return Err(format!("the latest is {} after {put_before} was put", region.sequence));
    }
    Ok(())
}

/// Checks the region of a lock whose users all live and rest: nobody has the lock, and the dead
/// have left nothing behind.
///
/// # Errors
/// What is wrong.
pub(crate) fn lock_at_rest(region: &RegionFile) -> Result<(), String> {
    let (owner, readers) = (region.owner, region.holds());
    if owner != 0 || readers > 0 || region.dirty {
        return Err(format!(
            "nobody has the lock, but its word names slot {owner}, {readers} read, dirty: {}",
            region.dirty
        ));
    }
    Ok(())
}

/// Checks a region whose users all live and rest: each has at most the entry that it keeps.
///
/// # Errors
/// What is wrong.
pub(crate) fn region_at_rest(region: &RegionFile) -> Result<(), String> {
    if region.most_held() > 1 {
        return Err(format!("nobody holds anything, but the entries say {:?}", region.held));
    }
    if region.waiting.contains(&true) {
        return Err(format!("nobody sleeps, but the flags say {:?}", region.waiting));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::LockerDeath;
    use crate::page::PutTimes;

    const MS: u64 = 1_000_000;

    fn wait(ended: u64, late: u64, delayed: u64) -> Event {
        Event {
            kind: EventKind::LongWait,
            called: 1000 * MS,
            returned: 1100 * MS,
            sequence: 5,
            put: PutTimes { began: 1010 * MS, ended },
            delayed,
            late,
        }
    }

    #[test]
    fn a_late_find_without_a_reason_fails_and_one_with_a_reason_is_counted() {
        let (history, mut report) = (History::default(), Report::default());
        let mut judge = |event| judge(&event, Role::Left, &history, &mut report);
        assert!(judge(wait(1011 * MS, 1, 0)).is_err());
        assert!(judge(wait(1011 * MS, 1, 75 * MS)).is_ok());
        assert!(judge(wait(1090 * MS, 1, 0)).is_ok());
        assert!(judge(wait(1011 * MS, 0, 0)).is_ok());
        assert_eq!(report.late_finds, [1, 0, 0, 2]);
        assert_eq!(report.longest_wait, 89 * MS);
    }

    #[test]
    fn a_free_lock_is_had_at_once_and_a_dead_ones_within_a_slice() {
        let (mut history, mut report) = (History::default(), Report::default());
        let wait = |left, inside: &[Role], called| Event {
            kind: EventKind::LockWait,
            called,
            sequence: 1,
            put: PutTimes { began: left, ended: inside.iter().map(|r| 1 << *r as u32).sum() },
            ..wait(0, 0, 0)
        };
        let judge = |event: Event, history: &History, report: &mut Report, others| {
            judge_lock(&event, Role::LockerA, history, others, report)
        };
        let (free, called) = (wait(1070 * MS, &[], 1000 * MS), 900 * MS);
        assert!(judge(free, &history, &mut report, 0).is_err());
        assert!(judge(free, &history, &mut report, 15 * MS).is_ok());
        assert!(judge(wait(1090 * MS, &[], called), &history, &mut report, 0).is_ok());
        let with_b = wait(0, &[Role::LockerB], called);
        assert!(judge(with_b, &history, &mut report, 0).is_ok()); // it has the lock, or just had it
        let mut dies = |at| {
            history.locker_died(LockerDeath {
                role: Role::LockerB,
                locks: 0b10,
                point: None,
                killed: at,
                at,
            });
            judge(with_b, &history, &mut report, 0)
        };
        assert!(dies(920 * MS).is_err());
        assert!(dies(960 * MS).is_ok());
        assert_eq!(report.longest_dead_lock, 180 * MS);
        assert!(judge(Event { sequence: 0, ..free }, &history, &mut report, 0).is_err());
        let overslept = Event { kind: EventKind::Overslept, called: 1079 * MS, ..free };
        assert!(judge(overslept, &history, &mut report, 0).is_err());
    }

    #[test]
    fn a_wait_of_more_than_a_slice_and_the_bound_fails() {
        let (history, mut report) = (History::default(), Report::default());
        let event = Event { called: 900 * MS, ..wait(940 * MS, 0, 0) };
        assert!(judge(&event, Role::Left, &history, &mut report).is_err());
    }
}
