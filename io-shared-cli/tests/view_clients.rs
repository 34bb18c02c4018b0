//! `io-shared view` and clients that do not do as they should: slow, mute and hostile ones.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::SetAtEnd;
use common::viewer::{View, Viewer};
use io_shared::Channel;
use io_shared_formats::topic;
use serde_json::{Value as Json, json};
use test_support::TestName;
use tungstenite::Message;

/// How many messages of each subscription come until the list of channels has come three times.
fn came(viewer: &mut Viewer, list: u32) -> BTreeMap<u32, usize> {
    let mut came = BTreeMap::new();
    while came.get(&list) < Some(&3) {
        if let Some((id, _, _)) = viewer.next() {
            *came.entry(id).or_default() += 1;
        }
    }
    came.remove(&list);
    came
}

#[test]
fn a_client_that_answers_no_ping_is_sent_one_value_of_each_channel() {
    let names = ["view-mute-a", "view-mute-b"].map(TestName::new);
    let mut producers = names.each_ref().map(|name| io_shared::producer::<u64>(&**name).unwrap());
    let view = View::start(&[&names[0], &names[1]]);
    let mut viewer = view.connect();
    let ids = names.each_ref().map(|name| viewer.subscribe(&topic(name)));
    let list = viewer.subscribe("/io_shared/channels");
    viewer.data(list);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = SetAtEnd(&is_done);
        viewer.socket.get_mut().is_mute = true;
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                for producer in &mut producers {
                    producer.put(&1).unwrap();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        assert_eq!(came(&mut viewer, list), ids.map(|id| (id, 1)).into());
        // A pong is the credit of its channel, and of no other; one for no channel is of none.
        viewer.socket.get_mut().is_mute = false;
        let mark = u32::try_from(viewer.topics[&topic(&names[1])].id).unwrap();
        for mark in [&mark.to_le_bytes()[..], b"", b"\xff\xff\xff\xff"] {
            viewer.socket.send(Message::Pong(mark.to_vec().into())).unwrap();
        }
        viewer.socket.get_mut().is_mute = true;
        assert_eq!(came(&mut viewer, list), [(ids[1], 1)].into());
    });
}

/// A frame of a client, masked by zeros.
fn frame(first: u8, content: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match content.len() {
        length @ ..126 => frame.push(0x80 | length as u8),
        length @ ..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(content);
    frame
}

#[test]
fn a_client_that_talks_and_does_not_read_has_no_answers_pile_up() {
    let view = View::start(&[]);
    let mut viewer = view.connect();
    let stream = &mut viewer.socket.get_mut().stream;
    stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let nonsense = frame(0x81, &[b'x'; 200]).repeat(100);
    // The answers to these would be 40 MB, and what lies in the sockets is far less.
    let is_refused = (0..5000).any(|_| stream.write_all(&nonsense).is_err());
    assert!(is_refused, "the server reads on");
    assert!(view.memory() < 32 << 20, "{} bytes", view.memory());
    let mut other = view.connect();
    let list = other.subscribe("/io_shared/channels");
    assert!(!other.data(list).1.is_empty());
}

/// What a client may send that is no WebSocket's.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let mut unmasked = frame(0x81, b"{}");
    unmasked[1] = 2;
    let mut longest = vec![0x82, 0xff];
    longest.extend([0xff; 12]);
    let many_fragments = [frame(0x01, &[b'x'; 1000]), frame(0x00, &[b'x'; 1000]).repeat(10_000)];
    vec![
        ("no frame at all", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("an unmasked frame", unmasked),
        ("a kind that is not there", frame(0x83, b"x")),
        ("reserved bits", frame(0xf1, b"x")),
        ("a length of 2^63", longest),
        ("a message that never ends", many_fragments.concat()),
        ("a continuation of nothing", frame(0x80, b"x")),
        ("a ping in fragments", frame(0x09, b"x")),
        ("a ping that is too long", frame(0x89, &[0; 126])),
        ("a text that is no UTF-8", frame(0x81, b"\xff\xfe")),
        ("zeros", vec![0; 1000]),
    ]
}

#[test]
fn frames_that_are_none_end_their_own_connection_and_no_other() {
    let name = TestName::new("view-frames");
    let mut producer = io_shared::producer::<u64>(&*name).unwrap();
    let view = View::start(&[&*name]);
    let mut other = view.connect();
    let data = other.subscribe(&topic(&name));
    for (what, bytes) in hostile() {
        let mut viewer = view.connect();
        let stream = &mut viewer.socket.get_mut().stream;
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // The server may end the connection before all was sent.
        let _ = stream.write_all(&bytes);
        let (started, mut rest) = (Instant::now(), Vec::new());
        let read = stream.read_to_end(&mut rest);
        let is_reset = read.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
        assert!(is_reset || started.elapsed() < Duration::from_secs(29), "{what}: it goes on");
        producer.put(&7).unwrap();
        assert_eq!(other.data(data).1.last_chunk(), Some(&7_u64.to_le_bytes()), "{what}");
    }
    assert!(view.memory() < 32 << 20, "{} bytes", view.memory());
}

#[test]
fn a_client_that_does_not_read_delays_nobody_and_is_sent_the_newest_afterwards() {
    const BYTES: usize = 4 << 20;
    let name = TestName::new("view-slow");
    let mut producer = Channel::<[u8]>::named(&*name).elements(BYTES).producer().unwrap();
    producer.put(&vec![0; BYTES]).unwrap();
    let view = View::start(&[&*name]);
    let (mut slow, mut quick) = (view.connect(), view.connect());
    slow.subscribe(&topic(&name));
    let data = quick.subscribe(&topic(&name));
    quick.data(data);
    let (mut last, mut memory) = (0, 0);
    for number in 1..=60_u8 {
        producer.put(&vec![number; BYTES]).unwrap();
        let (_, cdr) = quick.data(data);
        last = *cdr.last().unwrap();
        if number == 20 {
            memory = view.memory();
        }
    }
    assert!(last >= 59, "the other client has what is new: {last}");
    let after = view.memory();
    // A queue would have grown by 40 values; the allocator keeps a few.
    assert!(after < memory + 10 * BYTES as u64, "from {memory} to {after} bytes within 40 values");

    // What was on its way comes first, and then the newest.
    let mut received = 0;
    let newest = loop {
        if let Some((_, _, cdr)) = slow.next()
            && cdr.len() > BYTES
        {
            received += 1;
            if *cdr.last().unwrap() == 60 {
                break 60;
            }
        }
        assert!(received < 5, "values were queued");
    };
    assert_eq!(newest, 60);
}

#[test]
fn clients_that_talk_nonsense_are_told_and_others_go_on() {
    let name = TestName::new("view-nonsense");
    io_shared::producer::<u64>(&*name).unwrap().put(&1).unwrap();
    let view = View::start(&[&*name]);
    let mut viewer = view.connect();
    viewer.until(|viewer| viewer.topics.contains_key(&topic(&name)));
    for (message, words) in [
        (json!({"op": "subscribe", "subscriptions": [{"id": 1, "channelId": 99}]}), "channel 99"),
        (json!({"op": "advertise", "channels": []}), "nothing that a client can do"),
        (json!({"op": "subscribe", "subscriptions": 3}), "could not be read"),
        (json!([1, 2]), "could not be read"),
        (
            json!({"op": "subscribe", "subscriptions": [{"id": 1, "channelId": u32::MAX}]}),
            "channel",
        ),
        (json!({"op": "subscribe", "subscriptions": [{"id": -1, "channelId": 1}]}), "not be read"),
        (json!({"op": "unsubscribe", "subscriptionIds": [1e300]}), "could not be read"),
    ] {
        viewer.said.clear();
        viewer.say(&message);
        viewer.until(|viewer| viewer.said.iter().any(|said| said.contains(words)));
    }
    viewer.said.clear();
    viewer.socket.send(Message::binary(vec![1, 0, 0, 0, 0])).unwrap();
    viewer.until(|viewer| viewer.said.iter().any(|said| said.contains("cannot publish")));
    let id = viewer.topics[&topic(&name)].id;
    // A number that is taken, and more than there may be.
    viewer.say(&json!({"op": "unsubscribe", "subscriptionIds": [7, 7, u32::MAX]}));
    let twice = [json!({"id": 9, "channelId": id}), json!({"id": 9, "channelId": id})];
    viewer.say(&json!({"op": "subscribe", "subscriptions": twice}));
    viewer.until(|viewer| viewer.said.iter().any(|said| said.contains("9 is there already")));
    let many: Vec<Json> = (0..3000).map(|n| json!({"id": n, "channelId": id})).collect();
    viewer.say(&json!({"op": "subscribe", "subscriptions": many}));
    viewer.until(|viewer| viewer.said.iter().any(|said| said.contains("too many")));

    // One that sends far too much is cut off, and one that says nothing at all waits for itself.
    let mut large = view.connect();
    let _ = large.socket.send(Message::text("x".repeat(8 << 20)));
    let silent = std::net::TcpStream::connect(&view.host).unwrap();
    let mut other = view.connect();
    let data = other.subscribe(&topic(&name));
    assert!(!other.data(data).1.is_empty());
    drop(silent);
}
