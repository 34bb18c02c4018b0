//! Opening a region: a loop of steps until the region is there, fits, and is mapped.
//!
//! Each step looks at the location once. It ends with the open region ([`Step::Ready`]), because
//! another process got on meanwhile ([`Step::Retry`]), or with a wait for one ([`Step::Wait`]). The
//! rules are in DESIGN.md. The slots and the locked mmaps call [`attach`].

use std::time::Duration;

use nix::fcntl::OFlag;

use super::candidate::Candidate;
use super::create::NewRegion;
use super::layout::Kind;
use super::link_protocol::{self, Joinable};
use super::location::Location;
use super::mapped::Region;
use super::plan::{self, Plan};
use super::role::{Attached, Side, check_consumer_name};
use super::role_wait::RoleWait;
use super::spec::{Role, Spec};
use super::validate::{Fitting, Verdict};
use crate::error::{Error, ErrorKind, FEW, Result};
use crate::os::claim::Part;
use crate::os::clock;
use crate::os::long_wait::LongWait;
use crate::os::nap::nap;

/// The longest pause between two looks for a missing or unsuitable region.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How often opening starts over because the name was replaced meanwhile.
const START_OVERS: usize = 1000;

/// Opens the region at `location` in `role`: creates it, replaces it or waits for it where the
/// rules say so.
pub(crate) fn attach(location: &Location, role: &Role, spec: &Spec) -> Result<Attached> {
    check_consumer_name(location, role)?;
    let mut opening = Opening::new(location, role, spec)?;
    let mut start_overs = 0;
    // Waits are bounded by their deadlines, and each retry means that another process has got on.
    while start_overs < START_OVERS {
        match opening.step()? {
            Step::Ready(attached) => return Ok(*attached),
            Step::Retry => start_overs += 1,
            Step::Wait(Awaited::Creation) => opening.await_creation()?,
            Step::Wait(Awaited::Role(refusal)) => {
                opening.role_wait.wait(location, role, &refusal)?;
            }
            Step::Wait(Awaited::Replacement(found, differences)) => {
                opening.await_replacement(&found, differences)?;
            }
        }
    }
    Err(location.error(ErrorKind::Busy { doing: "opening it" }))
}

/// How one look at the location ended.
enum Step {
    /// The region is open.
    Ready(Box<Attached>),
    /// Another process got on meanwhile: look again at once.
    Retry,
    /// Look again after a pause.
    Wait(Awaited),
}

/// What an opening waits for.
enum Awaited {
    /// Another program has to create the region.
    Creation,
    /// Whoever has the role has to leave. This is the error otherwise.
    Role(Error),
    /// A producer has to replace the region, which differs like this.
    Replacement(Box<Candidate>, Vec<String>),
}

/// Ready if the region was attached; else somebody else was faster.
impl From<Option<Attached>> for Step {
    fn from(attached: Option<Attached>) -> Self {
        attached.map_or(Self::Retry, |attached| Self::Ready(Box::new(attached)))
    }
}

/// An opening in progress.
struct Opening<'a> {
    location: &'a Location,
    role: &'a Role,
    spec: &'a Spec,
    /// The region to create, if this handle may create one.
    plan: Option<Plan>,
    started: u64,
    long: LongWait,
    role_wait: RoleWait,
    /// The next pause, which doubles each time.
    pause: Duration,
}

impl<'a> Opening<'a> {
    fn new(location: &'a Location, role: &'a Role, spec: &'a Spec) -> Result<Self> {
        let plan = plan::plan(location, role, spec)?;
        let started = clock::now();
        Ok(Self {
            location,
            role,
            spec,
            plan,
            started,
            long: LongWait::since(started),
            role_wait: RoleWait::new(spec),
            pause: Duration::from_millis(1),
        })
    }

    /// Looks at the location once, and waits for the role if that is what failed.
    fn step(&self) -> Result<Step> {
        match self.look() {
            Err(refusal) if self.role_wait.outlasts(self.role, &refusal) => {
                Ok(Step::Wait(Awaited::Role(refusal)))
            }
            step => step,
        }
    }

    /// Looks at the location once.
    fn look(&self) -> Result<Step> {
        let only_reads = *self.role == Role::Observer && !self.spec.asks_for_history();
        let access = if only_reads { OFlag::O_RDONLY } else { OFlag::O_RDWR };
        let found = Candidate::open(self.location, access).map_err(|error| self.explain(error))?;
        let Some(mut found) = found else {
            return self.create();
        };
        // Whoever comes from the region before it is a user already.
        let is_followed =
            self.spec.comes_from.is_some_and(|from| from.leads_to(found.prelude.line));
        let is_left = found.is_ephemeral() && *self.role != Role::Observer && !is_followed;
        if is_left && found.retire_left_over()? {
            return Ok(Step::Retry);
        }
        match found.validate(self.role, self.spec)? {
            Verdict::Fits(fitting) => found.join(self.role, self.spec, *fitting).map(Step::from),
            Verdict::Grows(fitting, differences) => self.add_fields(found, *fitting, differences),
            Verdict::Differs(differences) => self.replace(found, differences),
        }
    }

    /// Says of an observer that may not write what it would write.
    fn explain(&self, error: Error) -> Error {
        let denied = ErrorKind::System { call: "open", errno: libc::EACCES };
        let asks = *self.role == Role::Observer && self.spec.asks_for_history();
        if asks && *error.kind() == denied {
            return error.advise(
                "to ask for a history (.history()) an observer reserves buffers, and needs \
                 permission to write: leave that out, or have its owner permit it",
            );
        }
        error
    }

    /// Creates the region that is missing, if this handle can.
    fn create(&self) -> Result<Step> {
        let Self { location, role, spec, plan, .. } = self;
        if let Some(plan) = plan {
            return Ok(NewRegion::create(location, role, spec, plan)?.link()?.into());
        }
        let waits = !matches!(location, Location::Anonymous) // nobody else creates an anonymous one
            && (**role != Role::Producer || spec.open_timeout.is_some());
        match spec.kind {
            Kind::Channel if !waits => Err(plan::no_capacity(location, spec)),
            _ => Ok(Step::Wait(Awaited::Creation)),
        }
    }

    /// Replaces a region of another shape, if this handle may.
    fn replace(&self, found: Candidate, differences: Vec<String>) -> Result<Step> {
        let Self { location, role, spec, plan, .. } = self;
        let may_replace = self.may_replace(&found);
        let Some(plan) = plan.as_ref().filter(|_| may_replace) else {
            return Ok(Step::Wait(Awaited::Replacement(Box::new(found), differences)));
        };
        if found.is_taken_for_long(Part::Roles)? {
            return self.refuse_replacing(&found, differences);
        }
        // The new one is created first: a lack of room or descriptors then costs nothing.
        let new = NewRegion::create(location, role, spec, plan)?;
        if !found.retire_unused()? {
            return self.refuse_replacing(&found, differences);
        }
        tracing::info!(region = %location, ?differences, "replaced a region of another shape");
        Ok(new.link()?.into())
    }

    /// The error that a region of another shape is in use; if its users have ended meanwhile, it
    /// is looked at again.
    fn refuse_replacing(&self, found: &Candidate, differences: Vec<String>) -> Result<Step> {
        let error = self.mismatch(found, differences);
        match error.kind() {
            ErrorKind::Mismatch { holders, .. } if holders.is_empty() => Ok(Step::Retry),
            _ => Err(error),
        }
    }

    /// Gives the name to a channel whose messages have more fields. The users of this one go on in
    /// that one.
    fn add_fields(
        &self,
        found: Candidate,
        fitting: Fitting,
        differences: Vec<String>,
    ) -> Result<Step> {
        let Self { location, role, spec, plan, .. } = self;
        let may_replace = self.may_replace(&found);
        let Some(plan) = plan.as_ref().filter(|_| may_replace) else {
            return self.replace(found, differences);
        };
        let holders = found.holders()?;
        if found.is_taken_for_long(Part::Producer)? {
            // Perhaps another producer of these messages was faster.
            return match location.identity() == Some(found.identity) {
                true => Err(self.only_adds(&found, differences)),
                false => Ok(Step::Retry),
            };
        }
        let Some(old) = found.join(role, &Spec { consumers: None, ..(*spec).clone() }, fitting)?
        else {
            return Ok(Step::Retry);
        };
        let Side::Producer(producer) = &old.side else { return Ok(Step::Retry) };
        let new = match old.region.add_fields(producer, plan, spec.prefault) {
            Err(error) if *error.kind() == ErrorKind::Replaced => return Ok(Step::Retry),
            // This process may not replace the file.
            Err(error) if matches!(error.kind(), ErrorKind::TooLarge { .. }) => {
                let advice = "ask its owner to remove it";
                return Err(location.error(ErrorKind::Mismatch { differences, holders, advice }));
            }
            new => new?,
        };
        tracing::info!(region = %location, ?differences, "gave the messages more fields");
        Ok(Step::Ready(Box::new(Attached { left: Some(old.region), ..new })))
    }

    /// Whether this handle may replace what differs.
    fn may_replace(&self, found: &Candidate) -> bool {
        match (self.location, self.role) {
            (Location::Descriptor(_), _) => false,
            (_, Role::Producer) => self.is_transient(found) || self.spec.replace,
            (_, Role::Locker) => self.spec.replace,
            _ => false,
        }
    }

    /// Whether it is a channel in shared memory, which keeps nothing that a producer may not
    /// replace.
    fn is_transient(&self, found: &Candidate) -> bool {
        matches!(self.location, Location::Shm(_))
            && self.spec.kind == Kind::Channel
            && found.is_of_kind(self.spec.kind)
    }

    /// Waits until something is at the location.
    fn await_creation(&mut self) -> Result<()> {
        // At least one pause: a file of zeros may be there, which is as good as nothing.
        loop {
            if !self.pause_until(self.deadline()) {
                let advice = absent(self.role, self.spec);
                return Err(self.location.error(ErrorKind::NotFound).advise(advice));
            }
            if self.long.is_due(clock::now()) {
                warn_of_missing(self.location);
            }
            if self.location.identity().is_some() {
                return Ok(());
            }
        }
    }

    /// Pauses before the next look at a region of another shape. A producer may replace it: one of
    /// the new type that starts after its consumer. It is an error if that cannot be, if this
    /// handle has waited long enough, or if the region has a producer.
    fn await_replacement(&mut self, found: &Candidate, differences: Vec<String>) -> Result<()> {
        let location = self.location;
        let waits = matches!(self.role, Role::Consumer { .. } | Role::Observer)
            && !matches!(location, Location::Descriptor(_))
            && found.is_of_kind(self.spec.kind);
        if !waits || !self.pause_until(self.deadline()) {
            return Err(self.mismatch(found, differences));
        }
        if found.is_taken_for_long(Part::Producer)? && location.identity() == Some(found.identity) {
            return Err(self.mismatch(found, differences));
        }
        if self.long.is_due(clock::now()) {
            tracing::warn!(
                region = %location,
                producer = false,
                "has waited for over a second for a producer that replaces {location}, which has \
                 another shape and no producer: {} (`open_timeout` bounds this wait)",
                few(&differences),
            );
        }
        Ok(())
    }

    /// When the waits of this opening end.
    fn deadline(&self) -> u64 {
        match self.spec.open_timeout {
            Some(timeout) => {
                self.started.saturating_add(timeout.as_nanos().min(u64::MAX.into()) as u64)
            }
            None => u64::MAX,
        }
    }

    /// Pauses, but not past `deadline`. `false`: the deadline has passed.
    fn pause_until(&mut self, deadline: u64) -> bool {
        let left = Duration::from_nanos(deadline.saturating_sub(clock::now()));
        nap(self.pause.min(left));
        self.pause = (self.pause * 2).min(LOOK_AGAIN);
        !left.is_zero()
    }

    /// The error that the region has another shape, with its users and what to do.
    fn mismatch(&self, found: &Candidate, differences: Vec<String>) -> Error {
        if *self.role == Role::Producer && found.has_more_fields && self.may_replace(found) {
            return self.lacks_fields(found, differences);
        }
        self.of_another_shape(found, differences)
    }

    /// The error for a producer whose struct only adds fields, while another producer is there.
    fn only_adds(&self, found: &Candidate, differences: Vec<String>) -> Error {
        let error = self.of_another_shape(found, differences);
        let ErrorKind::Mismatch { holders, .. } = error.kind() else { return error };
        let producer = holders.iter().find(|holder| holder.slot.is_none());
        let stop = match producer {
            Some(producer) if producer.is_here => "once this process has dropped it".to_owned(),
            Some(producer) => format!("when {producer} has ended"),
            None => "when its producer has ended".to_owned(),
        };
        error.advise(format!(
            "this struct only adds fields, so it is accepted {stop} (consumers may stay): wait for \
             that with .wait_for_role(), or use another name"
        ))
    }

    /// The error for a producer whose struct has no longer all fields, while others use the
    /// channel.
    fn lacks_fields(&self, found: &Candidate, differences: Vec<String>) -> Error {
        self.of_another_shape(found, differences).advise(
            "this struct lacks fields that the channel has: stop all of those programs, also those \
             that have this struct themselves, so that this producer replaces the channel, whose \
             numbers then begin again; or remove the channel, and they go on in the new one",
        )
    }

    /// The error with its advice for any difference.
    fn of_another_shape(&self, found: &Candidate, differences: Vec<String>) -> Error {
        let advice = match self.location {
            Location::Descriptor(_) => "make a new one",
            _ if self.is_transient(found) => {
                "start a producer of the new shape, with a capacity, to replace it"
            }
            _ if self.spec.kind == Kind::Channel => {
                "open a producer with .replace(true) to replace it"
            }
            _ => "open it with .replace(true), or remove it",
        };
        match found.holders() {
            Ok(holders) => {
                self.location.error(ErrorKind::Mismatch { differences, holders, advice })
            }
            Err(error) => error,
        }
    }
}

/// The advice for a handle that creates nothing.
const START_OR_WAIT: &str =
    "start the program that creates it, or wait longer for it with .open_timeout()";

/// What to do where nothing is.
fn absent(role: &Role, spec: &Spec) -> &'static str {
    match (role, spec.kind) {
        (Role::Observer, _) => START_OR_WAIT,
        // A consumer that takes messages of any type does not create the channel.
        (_, Kind::Channel) if spec.schema.is_none() => START_OR_WAIT,
        (_, Kind::Channel) => {
            "start the program that creates it, wait longer for it with .open_timeout(), or say \
             how large it is (.capacity()) to create it here"
        }
        _ => {
            "start the program that creates it, wait longer for it with .open_timeout(), or say \
             how large it is (.size()) to create it here"
        }
    }
}

/// The first few differences on one line, and how many more there are.
fn few(differences: &[String]) -> String {
    let shown = differences.get(..differences.len().min(FEW)).unwrap_or_default();
    let more = match differences.len() - shown.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    shown.join("; ") + &more
}

/// Warns that an opening is waiting for `location` to appear.
#[cold]
pub(crate) fn warn_of_missing(location: &Location) {
    tracing::warn!(
        region = %location,
        producer = false,
        "has waited for over a second for {location}, which is not there: no producer or other \
         program has created it; is the name right? (`open_timeout` bounds this wait)",
    );
}

impl Candidate {
    /// Maps the region and claims `role` in it. `None`: the name leads elsewhere by now.
    fn join(self, role: &Role, spec: &Spec, fitting: Fitting) -> Result<Option<Attached>> {
        let read_only = if matches!(role, Role::Consumer { .. }) {
            match self.location.open(OFlag::O_RDONLY)? {
                Some(file) if self.location.identity_of(&file)? == self.identity => Some(file),
                _ => return Ok(None),
            }
        } else {
            None
        };
        let region = self.map(role, spec, fitting, read_only.as_ref())?;
        let claim = |region: &Region| region.claim_role(role, spec);
        let Some(side) = link_protocol::join(&region, claim)? else {
            region.check_mark()?;
            return Ok(None);
        };
        tracing::debug!(region = region.name(), ?role, "opened");
        if *role == Role::Producer && spec.growing {
            // What a producer before it has left that was killed as it grew the channel takes room.
            region.look_at_line();
        }
        Ok(Some(Attached { region, side, left: None, created: false }))
    }
}

impl Joinable for Region {
    fn is_replaced(&self) -> bool {
        Region::is_replaced(self)
    }
}

impl Region {
    /// Refuses a mark that no remover has set. A remover takes the name before it sets the flag, so
    /// if the name still leads here, starting over would find the same region again and again.
    fn check_mark(&self) -> Result<()> {
        if !self.is_retired() || self.location.identity() != Some(self.identity) {
            return Ok(());
        }
        Err(self.error(match self.location {
            Location::Descriptor(_) => ErrorKind::Replaced,
            _ => ErrorKind::Corrupt {
                what: "it is marked as removed, and its name still leads to it".into(),
            },
        }))
    }
}
