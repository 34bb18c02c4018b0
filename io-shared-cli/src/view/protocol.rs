//! The words of the Foxglove WebSocket protocol, version 1, as its specification has them:
//! <https://github.com/foxglove/ws-protocol/blob/main/docs/spec.md>. A server says what it has
//! (`advertise`), a client says what it wants (`subscribe`), and gets that in binary messages.

use serde_json::{Value as Json, json};

use super::catalogue::Topic;

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Pairs of a number that the client chose, and the topic's.
    Subscribe(Vec<(u32, u32)>),
    Unsubscribe(Vec<u32>),
    /// Something that this server does not do, by its name.
    Other(String),
}

impl Asked {
    /// `None`: the text is no message of the protocol.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let message: Json = serde_json::from_str(text).ok()?;
        let number = |json: &Json| json.as_u64().and_then(|number| u32::try_from(number).ok());
        match message["op"].as_str()? {
            "subscribe" => {
                let asked = message["subscriptions"].as_array()?.iter();
                let pair = |one: &Json| Some((number(&one["id"])?, number(&one["channelId"])?));
                asked.map(pair).collect::<Option<_>>().map(Asked::Subscribe)
            }
            "unsubscribe" => {
                let asked = message["subscriptionIds"].as_array()?.iter();
                asked.map(number).collect::<Option<_>>().map(Asked::Unsubscribe)
            }
            other => Some(Asked::Other(other.to_owned())),
        }
    }
}

/// How bad what is said is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Level {
    Warning = 1,
    Error = 2,
}

pub(super) fn server_info(session: &str) -> String {
    json!({
        "op": "serverInfo", "name": "io-shared", "capabilities": [], "supportedEncodings": [],
        "metadata": { "version": env!("CARGO_PKG_VERSION") }, "sessionId": session,
    })
    .to_string()
}

pub(super) fn advertise<'a>(topics: impl Iterator<Item = &'a Topic>) -> String {
    let one = |topic: &Topic| {
        json!({
            "id": topic.id, "topic": topic.name, "encoding": topic.encoding,
            "schemaName": topic.type_name, "schema": topic.definition,
            "schemaEncoding": if topic.encoding == "json" { "jsonschema" } else { "ros2msg" },
        })
    };
    json!({ "op": "advertise", "channels": topics.map(one).collect::<Vec<_>>() }).to_string()
}

pub(super) fn unadvertise(ids: &[u32]) -> String {
    json!({ "op": "unadvertise", "channelIds": ids }).to_string()
}

pub(super) fn status(level: Level, text: &str) -> String {
    json!({ "op": "status", "level": level as u8, "message": text }).to_string()
}

/// The start of a binary message of a subscription; its content follows.
pub(super) fn data(subscription: u32, nanos: u64) -> Vec<u8> {
    let mut message = vec![1];
    message.extend(subscription.to_le_bytes());
    message.extend(nanos.to_le_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_say_is_read_and_nonsense_is_none() {
        let subscribe = r#"{"op":"subscribe","subscriptions":[{"id":0,"channelId":3}]}"#;
        assert_eq!(Asked::parse(subscribe), Some(Asked::Subscribe(vec![(0, 3)])));
        let unsubscribe = r#"{"op":"unsubscribe","subscriptionIds":[0,7]}"#;
        assert_eq!(Asked::parse(unsubscribe), Some(Asked::Unsubscribe(vec![0, 7])));
        let publish = r#"{"op":"advertise","channels":[]}"#;
        assert_eq!(Asked::parse(publish), Some(Asked::Other("advertise".into())));
        for nonsense in [
            "",
            "[]",
            "{}",
            r#"{"op":1}"#,
            r#"{"op":"subscribe"}"#,
            r#"{"op":"subscribe","subscriptions":[{"id":-1,"channelId":3}]}"#,
            r#"{"op":"subscribe","subscriptions":[{"id":4294967296,"channelId":3}]}"#,
            r#"{"op":"unsubscribe","subscriptionIds":["0"]}"#,
        ] {
            assert_eq!(Asked::parse(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_binary_message_begins_with_its_subscription_and_time() {
        assert_eq!(data(258, 1), [1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    }
}
