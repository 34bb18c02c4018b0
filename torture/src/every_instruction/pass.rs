//! One pass through an act, instruction by instruction, and the way back to any stop in it.
//!
//! A stop is identified by the number of system calls passed and, since the last of them, of
//! changes to the region's bytes. Instructions are not counted, because reading the clock may take
//! a few more or fewer. This makes the way back quick: from call to call, with single steps only
//! after the last.

use std::collections::HashSet;

use super::scene::Scene;
use super::victim::{Next, Victim};
use super::watched::Watched;

/// Where a victim is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stop {
    /// System calls passed.
    calls: usize,
    kind: Kind,
    /// The address of the next instruction within its page: programs are moved by whole pages.
    in_page: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The next instruction is a system call, or the mark after the act.
    BeforeCall,
    /// The last instruction was a system call, or the mark before the act.
    AfterCall,
    /// The last instruction changed the bytes. The number counts changes since the last call.
    Changed(usize),
}

/// What a pass found.
#[derive(Debug, Default)]
pub(super) struct Pass {
    pub(super) boundaries: u64,
    pub(super) calls: usize,
    pub(super) states: HashSet<u64>,
    pub(super) stops: Vec<Stop>,
    /// Nobody was woken, although somebody should have been.
    pub(super) missed_sleeper: bool,
}

impl Stop {
    fn at(calls: usize, kind: Kind, address: u64) -> Self {
        Self { calls, kind, in_page: address % 4096 }
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.kind, self.calls) {
            (Kind::BeforeCall, calls) => write!(f, "before system call {}", calls + 1),
            (Kind::AfterCall, 0) => write!(f, "before it begins"),
            (Kind::AfterCall, calls) => write!(f, "after system call {calls}"),
            (Kind::Changed(n), 0) => write!(f, "after change {n}"),
            (Kind::Changed(n), calls) => write!(f, "after change {n} after system call {calls}"),
        }
    }
}

/// Goes through the whole act and returns every stop where a death is worth trying.
pub(super) fn record(
    victim: &mut Victim,
    watched: &mut Watched,
    scene: &mut dyn Scene,
) -> Result<Pass, String> {
    let mut pass = Pass::default();
    pass.states.insert(watched.state());
    pass.stops.push(Stop::at(0, Kind::AfterCall, victim.next()?.1));
    let mut changes = 0;
    // A woken peer writes as well, and the two writers cannot be told apart.
    let mut alone = true;
    loop {
        let (next, address) = victim.next()?;
        if next != Next::Instruction {
            pass.stops.push(Stop::at(pass.calls, Kind::BeforeCall, address));
        }
        if next == Next::Mark {
            pass.missed_sleeper = alone && scene.has_sleeper();
            return Ok(pass);
        }
        victim.step(next, &mut || scene.wake())?;
        pass.boundaries += 1;
        if next == Next::Instruction {
            if alone && watched.have_changed() {
                changes += 1;
                let (_, address) = victim.next()?;
                pass.stops.push(Stop::at(pass.calls, Kind::Changed(changes), address));
                pass.states.insert(watched.state());
            }
            continue;
        }
        pass.calls += 1;
        changes = 0;
        alone &= next != Next::Wake || victim.returned()? <= 0;
        watched.look_around(victim.pid());
        let (_, address) = victim.next()?;
        pass.stops.push(Stop::at(pass.calls, Kind::AfterCall, address));
        pass.states.insert(watched.state());
    }
}

/// Takes a victim from the mark to `stop`. Returns `false` if the victim took another path this
/// time, because in a few places its path depends on the time. Therefore the way can also be gone
/// slowly, all in single steps.
pub(super) fn go_to(
    stop: &Stop,
    slowly: bool,
    victim: &mut Victim,
    watched: &mut Watched,
    scene: &mut dyn Scene,
) -> Result<bool, String> {
    for _ in 0..stop.calls {
        let next = if slowly { step_to_call(victim, watched)? } else { victim.enter_call()?.0 };
        if next == Next::Mark {
            return Ok(false);
        }
        if slowly {
            victim.step(next, &mut || scene.wake())?;
        } else {
            victim.leave_call(next, &mut || scene.wake())?;
        }
    }
    watched.look_around(victim.pid());
    let address = match stop.kind {
        Kind::BeforeCall => victim.enter_call()?.1,
        Kind::AfterCall => victim.next()?.1,
        Kind::Changed(changes) => {
            for _ in 0..changes {
                if !next_change(victim, watched)? {
                    return Ok(false);
                }
            }
            victim.next()?.1
        }
    };
    Ok(address % 4096 == stop.in_page)
}

fn step_to_call(victim: &mut Victim, watched: &mut Watched) -> Result<Next, String> {
    loop {
        let (next, _) = victim.next()?;
        if next != Next::Instruction {
            return Ok(next);
        }
        victim.step(next, &mut || ())?;
        // As slowly as the pass.
        watched.have_changed();
    }
}

fn next_change(victim: &mut Victim, watched: &mut Watched) -> Result<bool, String> {
    while victim.next()?.0 == Next::Instruction {
        victim.step(Next::Instruction, &mut || ())?;
        if watched.have_changed() {
            return Ok(true);
        }
    }
    Ok(false)
}
