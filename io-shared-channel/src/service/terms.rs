//! The terms of a service: its name and its options, as the builder collects them.

use std::time::Duration;

use io_shared_core::{Message, Result, Schema};

use super::places::{Place, Places};
use crate::options::{Options, Wanted};

/// What the builder has collected.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) name: String,
    /// The options of each client's channel of questions, and of answers, but for their names.
    pub(super) questions: Options,
    pub(super) answers: Options,
    /// How long a server waits for another one to end.
    pub(super) wait_for_role: Option<Duration>,
}

impl Terms {
    pub(super) fn new(name: String) -> Self {
        let mut options = Options::new(Wanted::Name(String::new()));
        // Whoever opens one of the channels knows the messages of one side, and not how large those
        // of the other are.
        options.growing = true;
        options.ephemeral = true;
        // A side that finds another type there is told at once.
        options.open_timeout = Some(Duration::ZERO);
        let (questions, answers) = (options.clone(), options);
        Self { name, questions, answers, wait_for_role: None }
    }

    pub(super) fn questions_of(&self, client: u32, places: &Places) -> Options {
        let location = Wanted::Name(places.name(Place::Question(client)));
        Options { location, ..self.questions.clone() }
    }

    pub(super) fn answers_of(&self, client: u32, places: &Places) -> Options {
        let location = Wanted::Name(places.name(Place::Answer(client)));
        Options { location, ..self.answers.clone() }
    }

    /// The types of this side.
    pub(super) fn types<Q: Message + ?Sized, A: Message + ?Sized>(&self) -> Result<Types> {
        let question = self.questions.schema_of::<Q>()?.unwrap_or_else(Q::schema);
        let answer = self.answers.schema_of::<A>()?.unwrap_or_else(A::schema);
        Ok(Types { question, answer })
    }
}

/// The types of a service's messages, as one side has them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Types {
    pub(super) question: Schema,
    pub(super) answer: Schema,
}

impl Types {
    /// One line for each difference to the types that a server has. A side that gets needs to know
    /// only the first fields of what the other one puts.
    pub(super) fn differences(&self, server: &Self) -> Vec<String> {
        let compare = |what: &str, own: &Schema, served: &Schema, shorter: [&Schema; 2]| {
            let lines = own.differences(served);
            let fits = lines.is_empty() || shorter[0].is_prefix_of(shorter[1]);
            let lines = if fits { Vec::new() } else { lines };
            lines.into_iter().map(|line| format!("{what}: {line}")).collect::<Vec<_>>()
        };
        let (own, their) = (&self.question, &server.question);
        let mut lines = compare("question", own, their, [their, own]);
        let (own, their) = (&self.answer, &server.answer);
        lines.extend(compare("answer", own, their, [own, their]));
        lines
    }
}
