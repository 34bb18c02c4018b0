//! The checks while everybody is at rest, and while everybody is dead.

use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use super::Campaign;
use crate::checks;
use crate::crew::Member;
use crate::machine::{self, Footprint};
use crate::page::{REST_PRODUCERS, REST_READERS};
use crate::role::Role;

impl Campaign {
    /// Brings everybody to rest, checks what must be free, and every other time kills everybody at
    /// once.
    pub(super) fn rest(&mut self) -> Result<(), String> {
        for member in &mut self.crew {
            member.restart_at = 0;
        }
        let all_up = self.attend_until("bringing everybody up", |campaign| {
            campaign.crew.iter().all(|m| m.has_opened() && m.goal.is_none())
        })?;
        // The producer rests last: a consumer that waits for a value must get one before it rests.
        let rests = all_up
            && self.rest_until("readers' rest", REST_READERS, |role| role != Role::Producer)?
            && self.rest_until("rest", REST_READERS | REST_PRODUCERS, |_| true)?;
        if rests {
            self.report.rests += 1;
            self.check_rest();
        }
        self.quarters.page.rest.store(0, Release);
        if rests && self.report.rests.is_multiple_of(2) {
            self.attend_for(Duration::from_millis(5))?;
            self.massacre()?;
        }
        Ok(())
    }

    fn rest_until(
        &mut self,
        what: &str,
        groups: u32,
        mut whom: impl FnMut(Role) -> bool,
    ) -> Result<bool, String> {
        self.quarters.page.rest.store(groups, Release);
        self.attend_until(what, |campaign| {
            let mut members = campaign.crew.iter().filter(|member| whom(member.role));
            members.all(|member| member.lane.resting.load(Acquire) != 0)
        })
    }

    fn check_rest(&mut self) {
        for channel in 0..2 {
            let put = self.crew[Role::Producer as usize].lane.had[channel].load(Acquire);
            let path = machine::path_of(&self.quarters.names.of(channel));
            let checked = self.region(channel).and_then(|region| {
                checks::region_in_use(&region, self.inodes[channel], put)?;
                // What a dead visitor has left is for whoever takes its slot.
                let living = region.of_the_living(&path).map_err(|error| error.to_string())?;
                checks::region_at_rest(&living)
            });
            if let Err(wrong) = checked {
                self.fail(format!("at rest: {wrong}"));
            }
        }
        for lock in 0..2 {
            if let Err(wrong) = self.lock(lock).and_then(|lock| checks::lock_at_rest(&lock)) {
                self.fail(format!("at rest: {wrong}"));
            }
        }
        let names = &self.quarters.names;
        let mut expected = names.all().map(|name| name[1..].to_owned()).to_vec();
        expected.retain(|name| *name != names.of(2)[1..]);
        expected.sort();
        let objects = machine::objects(&self.quarters.names.0);
        if objects != expected {
            self.fail(format!("at rest: shared memory has {objects:?}"));
        }
        for i in 0..self.crew.len() {
            let role = self.crew[i].role;
            let footprint = self.crew[i].pid().and_then(Footprint::of);
            let before = *self.crew[i]
                .footprint
                .get_or_insert(footprint.unwrap_or(Footprint { descriptors: 0, maps: 0 }));
            if footprint.is_none_or(|footprint| !footprint.is_like(before)) {
                self.fail(format!("at rest: {role:?} has {footprint:?}, before {before:?}"));
            }
        }
    }

    /// Kills everybody, restarts them in one of two orders, and checks that the last value is
    /// there.
    fn massacre(&mut self) -> Result<(), String> {
        self.locker_deaths(); // a death begins
        self.crew.iter_mut().for_each(Member::kill);
        for i in 0..self.crew.len() {
            if self.crew[i].is_up() {
                self.mourn(i)?;
            }
            self.crew[i].restart_at = u64::MAX;
        }
        self.locker_deaths(); // it has ended
        self.report.massacres += 1;
        let before = [self.region(0)?.sequence, self.region(1)?.sequence];
        let producer_first = self.report.massacres.is_multiple_of(2);
        for i in 0..self.crew.len() {
            if (self.crew[i].role == Role::Producer) == producer_first {
                self.crew[i].restart_at = 0;
            }
        }
        // Without a producer, the goal is the value that was put last.
        self.attend_until("the first to come back", |campaign| {
            let mut due = campaign.crew.iter().filter(|member| member.restart_at == 0);
            due.all(|member| member.is_up() && member.reaches_now())
        })?;
        if !producer_first {
            let after = [self.region(0)?, self.region(1)?];
            if after.map(|region| region.sequence) != before {
                self.fail("the latest value changed while nobody could put");
            }
            let had = self.crew[Role::Nameless as usize].has_had();
            if had != before[0] {
                let latest = before[0];
                self.fail(format!("without a producer, a new consumer had {had}, not {latest}"));
            }
        }
        for member in &mut self.crew {
            member.restart_at = 0;
        }
        Ok(())
    }
}
