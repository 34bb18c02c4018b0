//! What another link says of a channel that it gives, and whether it is taken.

use std::sync::mpsc::channel;
use std::time::Duration;

use io_shared::Schema;
use serde_json::Value as Json;
use zenoh::Wait;
use zenoh::qos::CongestionControl;
use zenoh::query::{ConsolidationMode, Reply};

use crate::key;
use crate::link::Link;
use crate::origin::MOST_PLACES;

/// How long to wait for a description.
const PATIENCE: Duration = Duration::from_secs(5);

/// A channel of another link.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) schema: Schema,
    /// Tells it from any other that has, or had, its name there.
    pub(crate) line: u64,
    pub(crate) capacity: u64,
    /// The size of its newest value.
    pub(crate) bytes: Option<u64>,
    /// The places that it has come through, the one that it is produced in last.
    pub(crate) via: Vec<String>,
}

/// Asks for a channel's description. `None`: the link gives it no more.
pub(crate) fn ask(link: &Link, giver: &str, name: &str) -> Option<Description> {
    let key = key::key("schema", &[giver, &key::of_channel(name)]);
    let (sender, answers) = channel();
    let answered = move |reply: Reply| {
        let _ = sender.send(reply.into_result().ok().and_then(|sample| {
            let more = sample.attachment()?.to_bytes();
            Description::of(&sample.payload().to_bytes(), &more)
        }));
    };
    let get = link.session.get(key).congestion_control(CongestionControl::Block);
    let get = get.consolidation(ConsolidationMode::None).timeout(PATIENCE);
    get.callback(answered).wait().ok()?;
    answers.recv().ok().flatten()
}

impl Description {
    /// What a schema's text and the JSON next to it say.
    fn of(schema: &[u8], more: &[u8]) -> Option<Self> {
        let schema = Schema::from_json(std::str::from_utf8(schema).ok()?).ok()?;
        let more: Json = serde_json::from_slice(more).ok()?;
        let via = more.get("via")?.as_array()?.iter();
        Some(Self {
            schema,
            line: u64::from_str_radix(more.get("line")?.as_str()?, 16).ok()?,
            capacity: more.get("capacity")?.as_u64()?,
            bytes: more.get("bytes").and_then(Json::as_u64),
            via: via.map(|place| Some(place.as_str()?.to_owned())).collect::<Option<_>>()?,
        })
    }

    /// Whether it is taken in this place, with values of at most this size.
    pub(crate) fn check(&self, place: &str, most: u64) -> Result<(), String> {
        if self.via.iter().any(|through| through == place) {
            return Err("its values have come from here, and would go in a circle".to_owned());
        }
        if self.via.len() > MOST_PLACES {
            let places = self.via.len();
            return Err(format!(
                "it has come through {places} machines, and at most {MOST_PLACES} are allowed: \
                 take it from one that is nearer to its producer"
            ));
        }
        // A type of a fixed size has no smaller values.
        let is_fixed = self.schema.root().shape().element.is_none();
        let size = if is_fixed { self.capacity } else { self.bytes.unwrap_or(0) };
        if size > most { Err(too_large(size, most)) } else { Ok(()) }
    }
}

/// Why a value of this size is not taken.
pub(crate) fn too_large(size: u64, most: u64) -> String {
    format!(
        "its values have {size} bytes, and at most {most} are taken: raise --max-size where it is \
         taken"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(schema: &str, more: &str) -> Option<Description> {
        Description::of(schema.as_bytes(), more.as_bytes())
    }

    #[test]
    fn a_channel_is_taken_up_to_a_size_and_never_in_a_circle() {
        let more = r#"{"host":"robot","line":"ff","capacity":100,"bytes":12,"via":["aa","bb"]}"#;
        let list = described(r#"{"slice":"<f4"}"#, more).expect("it is sound");
        assert_eq!((list.line, list.capacity, list.bytes), (255, 100, Some(12)));
        assert_eq!(list.check("cc", 12), Ok(()));
        assert!(list.check("cc", 11).is_err_and(|why| why.contains("12 bytes")));
        assert!(list.check("bb", 12).is_err_and(|why| why.contains("circle")));
        let fixed = described(r#"{"array":25,"of":"<f4"}"#, more).expect("it is sound");
        assert!(fixed.check("cc", 99).is_err_and(|why| why.contains("100 bytes")));
        let far = more.replace(r#""aa""#, r#""aa","dd","ee""#);
        let far = described(r#"{"slice":"<f4"}"#, &far).expect("it is sound");
        assert!(far.check("cc", 12).is_err_and(|why| why.contains("4 machines")));
    }

    #[test]
    fn what_is_no_description_is_none() {
        for (schema, more) in [("", "{}"), (r#"{"slice":"<f4"}"#, ""), (r#"{"slice":"<f4"}"#, "{}")]
        {
            assert!(described(schema, more).is_none(), "{schema} {more}");
        }
    }
}
