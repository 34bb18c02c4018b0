//! The channels that values are put into.

use std::collections::BTreeMap;
use std::sync::Arc;

use io_shared::{Channel, ErrorKind, Producer, Schema};
use serde_json::json;

use super::tracks::Value;
use crate::failure::Failure;
use crate::named;
use crate::out::{Out, plain};

#[derive(Debug)]
struct Target {
    producer: Producer<[u8]>,
    schema: Arc<Schema>,
    values: u64,
}

#[derive(Debug, Default)]
pub(super) struct Output {
    targets: BTreeMap<Arc<str>, Target>,
}

impl Output {
    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// How many values were put.
    pub(super) fn values(&self) -> u64 {
        self.targets.values().map(|target| target.values).sum()
    }

    /// Puts a value. Returns why not, if it is none that its channel can have.
    pub(super) fn put(&mut self, value: Value) -> Result<Option<String>, Failure> {
        let name = value.name.clone();
        let (mut target, is_new) = match self.targets.remove(&name) {
            Some(target) if *target.schema == *value.schema => (target, false),
            Some(Target { values, .. }) => (anew(&value, values)?, true),
            None => (open(&value, 0)?, false),
        };
        let mut done = put(&mut target.producer, &value)?;
        if matches!(done, Put::Behind) {
            // Its number goes back, as at the start of a loop.
            let values = target.values;
            drop(target);
            target = anew(&value, values)?;
            done = if is_new { Put::Behind } else { put(&mut target.producer, &value)? };
        }
        let refused = match done {
            Put::Done => None,
            Put::Behind => Some("it cannot have its number".to_owned()),
            Put::Refused(why) => Some(why),
        };
        target.values += u64::from(refused.is_none());
        self.targets.insert(name, target);
        Ok(refused)
    }

    pub(super) fn tell(&self, out: &mut Out) -> Result<(), Failure> {
        if out.json {
            for (name, target) in &self.targets {
                out.object(&json!({"name": &**name, "values": target.values}))?;
            }
            return Ok(());
        }
        let rows =
            self.targets.iter().map(|(name, target)| vec![plain(name), target.values.to_string()]);
        Ok(out.table(&["NAME", "VALUES"], &rows.collect::<Vec<_>>())?)
    }
}

/// A new channel of the name, in place of the one that there is.
fn anew(value: &Value, values: u64) -> Result<Target, Failure> {
    match io_shared::inspect::remove(&named::location(&value.name)?) {
        Err(error) if *error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    open(value, values)
}

fn open(value: &Value, values: u64) -> Result<Target, Failure> {
    let schema = value.schema.clone();
    let channel = Channel::<[u8]>::at(named::location(&value.name)?).schema((*schema).clone());
    let channel = match schema.root().shape().element {
        Some(_) => channel.capacity(value.bytes.len().max(64)).growing(true),
        None => channel,
    };
    Ok(Target { producer: channel.producer()?, schema, values })
}

/// What became of a value.
enum Put {
    Done,
    /// Its number is not greater than the last one.
    Behind,
    /// It is damaged.
    Refused(String),
}

fn put(producer: &mut Producer<[u8]>, value: &Value) -> Result<Put, Failure> {
    let put = |producer: &mut Producer<[u8]>| {
        let mut loan = producer.loan_len(value.bytes.len())?;
        loan.copy_from_slice(&value.bytes);
        loan.tag(value.marks.tag);
        if value.marks.seq > 0 {
            loan.numbered(value.marks.seq, None)?;
        }
        loan.put()
    };
    match put(producer) {
        Ok(_) => Ok(Put::Done),
        Err(error) => match error.kind() {
            ErrorKind::BadSeq { .. } => Ok(Put::Behind),
            ErrorKind::BadValue { .. } | ErrorKind::BadLength { .. } => {
                Ok(Put::Refused(error.to_string()))
            }
            _ => Err(error.into()),
        },
    }
}
