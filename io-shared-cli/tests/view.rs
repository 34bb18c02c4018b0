//! `io-shared view`: who may connect, and what viewers are sent.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use common::recording::{Folder, signal, wait_until};
use common::viewer::{View, Viewer};
use common::{SetAtEnd, command, end, run, start};
use io_shared::{Array, Channel, Message as _};
use io_shared_formats::{Foreign, Image, Marks, PointCloud2, Recorded};
use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};
use test_support::TestName;
use test_support::messages::{Cloud, Point};

fn points(count: usize, first: f32) -> Vec<Point> {
    let point = |n: usize| Point { x: first + n as f32, y: -(n as f32), z: 0.5, intensity: 0.25 };
    (0..count).map(point).collect()
}

/// The topic of a name, as the server has it.
fn topic(name: &str) -> String {
    io_shared_formats::topic(name)
}

/// A channel of arrays: each value is given as the dtype, the shape and the bytes.
struct Arrays(io_shared::Producer<[u8]>);

impl Arrays {
    fn new(name: &str) -> Self {
        let channel = Channel::<[u8]>::named(name).schema(Array::schema()).capacity("64K");
        Self(channel.growing(true).producer().unwrap())
    }

    fn put(&mut self, dtype: &str, shape: &[usize], data: &[u8]) {
        self.0.put(&Array::to_bytes(dtype, shape, data).unwrap()).unwrap();
    }
}

#[test]
fn whoever_has_no_token_or_comes_from_a_strange_page_or_host_is_refused() {
    let view = View::start(&["--allow-origin", "https://viewer.example"]);
    let host = &*view.host;
    let get = |target: &str, host: &str, more: &str| {
        view.ask(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n"))
    };
    let page = format!("/{}", view.query);
    let answer = get(&page, host, "");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("Content-Security-Policy: default-src 'none'")
            && answer.contains("main.js")
    );
    for file in [
        "main.js",
        "connection.js",
        "cdr.js",
        "scene.js",
        "picture.js",
        "fields.js",
        "plot.js",
        "view.css",
    ] {
        assert!(get(&format!("/{file}"), host, "").starts_with("HTTP/1.1 200"), "{file}");
    }
    for (target, host, more, status, words) in [
        ("/", host, "", 401, "open the address that `io-shared view` printed"),
        ("/?token=0123", host, "", 401, "token"),
        (&*page, "evil.example", "", 403, "the host must be an address or localhost"),
        (
            &page,
            host,
            "Origin: https://evil.example\r\n",
            403,
            "--allow-origin https://evil.example",
        ),
        ("/etc/passwd", host, "", 404, "only the page"),
        ("/../main.js", host, "", 404, "only the page"),
    ] {
        let answer = get(target, host, more);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{target}: {answer}");
        assert!(answer.contains(words), "{target}: {answer}");
    }
    for nonsense in ["POST / HTTP/1.1\r\n\r\n", "\r\n\r\n", "GET\r\n\r\n", &"x".repeat(20_000)] {
        let answer = view.ask(nonsense);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }

    let protocol = ("Sec-WebSocket-Protocol", "foxglove.sdk.v1, foxglove.websocket.v1");
    let connect = |query: &str, headers: &[(&str, &str)]| {
        view.connect_with(query, headers).map(|viewer| viewer.protocol)
    };
    let sdk = Ok("foxglove.sdk.v1".to_owned());
    assert_eq!(connect(&view.query, &[protocol]), sdk);
    let older = ("Sec-WebSocket-Protocol", "foxglove.websocket.v1");
    assert_eq!(connect(&view.query, &[older]), Ok("foxglove.websocket.v1".to_owned()));
    assert_eq!(connect(&view.query, &[protocol, ("Origin", "https://viewer.example")]), sdk);
    assert_eq!(connect(&view.query, &[protocol, ("Origin", &format!("http://{host}"))]), sdk);
    assert_eq!(connect("", &[protocol]), Err(401));
    assert_eq!(connect("?token=0", &[protocol]), Err(401));
    assert_eq!(connect(&view.query, &[protocol, ("Origin", "https://evil.example")]), Err(403));
    assert_eq!(connect(&view.query, &[protocol, ("Host", "evil.example")]), Err(403));
    assert_eq!(connect(&view.query, &[("Sec-WebSocket-Protocol", "mqtt")]), Err(400));

    let open = View::start(&["--no-token"]);
    assert_eq!(open.query, "");
    assert!(open.connect_with("", &[protocol]).is_ok());
    let strange = [protocol, ("Origin", "https://evil.example")];
    assert_eq!(open.connect_with("", &strange).map(|viewer| viewer.protocol), Err(403));
}

#[test]
fn a_cloud_arrives_as_it_was_put_with_its_number_next_to_it() {
    let name = TestName::new("view-cloud");
    let channel = Channel::<Cloud>::named(&*name).elements(1000);
    let mut producer = channel.producer().unwrap();
    let view = View::start(&[&*name]);
    let mut viewer = view.connect();
    let put = |producer: &mut io_shared::Producer<Cloud>, frame: u64| {
        let mut loan = producer.loan_len(1000).unwrap();
        (loan.frame, loan.stamp_ns) = (frame, 2);
        loan.points.copy_from_slice(&points(1000, frame as f32));
        loan.tag(77);
        loan.put().unwrap();
    };
    put(&mut producer, 1);
    let (data, head) =
        (viewer.subscribe(&topic(&name)), viewer.subscribe(&(topic(&name) + "/_io")));
    let (mut clouds, mut heads) = (Vec::new(), Vec::new());
    for frame in 2..=4 {
        put(&mut producer, frame);
        // Both parts of the newest value come, and are of one time.
        while heads.last().is_none_or(|(_, marks, _): &(u64, Marks, Vec<u8>)| marks.seq < frame) {
            match viewer.next() {
                Some((id, time, cdr)) if id == data => clouds.push((time, cdr)),
                Some((id, time, cdr)) if id == head => {
                    let (marks, fields) = Recorded::head(&Cloud::schema()).decode(&cdr).unwrap();
                    heads.push((time, marks, fields));
                }
                _ => {}
            }
        }
    }
    let (time, marks, fields) = heads.last().unwrap();
    assert_eq!((marks.seq, marks.tag), (4, 77));
    assert_eq!(fields[..16], [&4_u64.to_le_bytes()[..], &2_u64.to_le_bytes()].concat());
    let (_, cdr) = clouds.iter().find(|(of, _)| of == time).unwrap();
    let cloud = PointCloud2::decode(cdr).unwrap();
    assert_eq!((cloud.width, cloud.point_step, &*cloud.frame_id), (1000, 16, &name[1..]));
    assert_eq!(cloud.data, points(1000, 4.0).as_slice().as_bytes());
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(since.as_nanos().abs_diff(u128::from(*time)) < 60_000_000_000, "the wall clock");
}

#[test]
fn an_image_a_number_and_a_jpeg_arrive() {
    let (image, number) = (TestName::new("view-image"), TestName::new("view-number"));
    let mut images = Arrays::new(&image);
    let mut numbers = io_shared::producer::<f64>(&*number).unwrap();
    let pixels: Vec<u8> = (0..16 * 8 * 3).map(|n| n as u8).collect();
    images.put("|u1", &[8, 16, 3], &pixels);
    numbers.put(&0.5).unwrap();

    let view = View::start(&[&*image, &*number]);
    let mut viewer = view.connect();
    let data = viewer.subscribe(&topic(&image));
    let (_, cdr) = viewer.data(data);
    let shown = Image::decode(&cdr).unwrap();
    assert_eq!((shown.width, shown.height, &*shown.encoding), (16, 8, "rgb8"));
    assert_eq!(shown.data, pixels);
    let data = viewer.subscribe(&topic(&number));
    let (_, cdr) = viewer.data(data);
    let (marks, value) = Recorded::whole(&f64::schema()).decode(&cdr).unwrap();
    assert_eq!((marks.seq, &value[..]), (1, &0.5_f64.to_le_bytes()[..]));

    // What comes after it is a name.
    let view = View::start(&["--jpeg", &image]);
    let mut viewer = view.connect();
    viewer.subscribe(&topic(&image));
    assert_eq!(viewer.topics[&topic(&image)].type_name, "sensor_msgs/msg/CompressedImage");
    let view = View::start(&["--jpeg=90", &image]);
    let mut viewer = view.connect();
    let data = viewer.subscribe(&topic(&image));
    assert_eq!(viewer.topics[&topic(&image)].type_name, "sensor_msgs/msg/CompressedImage");
    let (_, cdr) = viewer.data(data);
    let start = cdr.windows(2).position(|two| two == [0xff, 0xd8]).unwrap();
    assert!(cdr[..start].windows(5).any(|text| text == b"jpeg\0") && cdr.ends_with(&[0xff, 0xd9]));
}

#[test]
fn whoever_subscribes_late_is_sent_the_value_that_is_there() {
    let name = TestName::new("view-late");
    let mut producer = Channel::<Cloud>::named(&*name).elements(10).producer().unwrap();
    let mut loan = producer.loan_len(10).unwrap();
    loan.points.copy_from_slice(&points(10, 0.0));
    loan.put().unwrap();
    let view = View::start(&[&*name]);
    let mut viewer = view.connect();
    let data = viewer.subscribe(&topic(&name));
    viewer.data(data);
    // Nothing is put any more.
    let head = viewer.subscribe(&(topic(&name) + "/_io"));
    let (_, cdr) = viewer.data(head);
    assert_eq!(Recorded::head(&Cloud::schema()).decode(&cdr).unwrap().0.seq, 1);
}

#[test]
fn cdr_is_sent_as_it_is_with_its_own_definition() {
    let name = TestName::new("view-cdr");
    let text = "pkg/Path[] paths\n===\nMSG: pkg/Path\nuint8[] steps\n";
    let foreign = Foreign::parse("pkg/msg/Plan", text).unwrap();
    assert!(foreign.is_cdr());
    let channel = Channel::<[u8]>::named(&*name).schema(foreign.schema().clone());
    let mut producer = channel.capacity("4K").producer().unwrap();
    let cdr = [0, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 7, 8];
    producer.put(&cdr).unwrap();
    let view = View::start(&[&*name]);
    let mut viewer = view.connect();
    let data = viewer.subscribe(&topic(&name));
    let told = &viewer.topics[&topic(&name)];
    assert_eq!((&*told.type_name, &*told.definition), ("pkg/msg/Plan", text));
    assert_eq!(viewer.data(data).1, cdr);
    producer.put(&[0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
    assert_eq!(viewer.data(data).1, [0, 1, 0, 0, 0, 0, 0, 0]);
    assert!(!viewer.topics.contains_key(&(topic(&name) + "/_io")));
    assert_eq!(viewer.said, [""; 0]);
}

#[test]
fn what_becomes_another_type_or_goes_is_told() {
    let name = TestName::new("view-changes");
    let mut arrays = Arrays::new(&name);
    arrays.put("<f4", &[2, 3], &[0; 24]);
    let view = View::start(&[&*name]);
    let mut viewer = view.connect();
    let shown = topic(&name);
    let type_name =
        |viewer: &Viewer| viewer.topics.get(&shown).map(|topic| topic.type_name.clone());
    viewer.subscribe(&shown);
    assert_eq!(type_name(&viewer).unwrap(), "sensor_msgs/msg/PointCloud2");
    arrays.put("|u1", &[2, 3], &[0; 6]);
    viewer.until(|viewer| type_name(viewer).is_some_and(|ty| ty == "sensor_msgs/msg/Image"));
    let data = viewer.subscribe(&shown);
    assert_eq!(Image::decode(&viewer.data(data).1).unwrap().data, [0; 6]);

    drop(arrays);
    io_shared::remove(&*name).unwrap();
    viewer.until(|viewer| type_name(viewer).is_none());
    let mut speed = io_shared::producer::<f64>(&*name).unwrap();
    speed.put(&13.9).unwrap();
    let data = viewer.subscribe(&shown);
    let cdr = viewer.data(data).1;
    assert_eq!(Recorded::whole(&f64::schema()).decode(&cdr).unwrap().1, 13.9_f64.to_le_bytes());

    // A region that takes its place with the same type: the same topic goes on.
    let id = viewer.topics[&shown].id;
    drop(speed);
    io_shared::remove(&*name).unwrap();
    let mut speed = io_shared::producer::<f64>(&*name).unwrap();
    speed.put(&14.1).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        assert!(Instant::now() < deadline);
        let again = viewer.topics.get(&shown).is_none_or(|topic| topic.id != id);
        let data = if again { viewer.subscribe(&shown) } else { data };
        let cdr = viewer.data(data).1;
        if Recorded::whole(&f64::schema()).decode(&cdr).unwrap().1 == 14.1_f64.to_le_bytes() {
            break;
        }
    }
}

#[test]
fn a_channel_that_has_another_type_for_a_moment_is_shown_on() {
    let name = TestName::new("view-moment");
    let mut speed = io_shared::producer::<f64>(&*name).unwrap();
    speed.put(&1.0).unwrap();
    let view = View::start(&[&*name]);
    let mut viewer = view.connect();
    let (mut data, list) =
        (viewer.subscribe(&topic(&name)), viewer.subscribe("/io_shared/channels"));
    viewer.data(data);
    // There was a look just now, and the next one comes in a second.
    viewer.data(list);
    drop(speed);
    io_shared::remove(&*name).unwrap();
    let mut other = io_shared::producer::<u64>(&*name).unwrap();
    other.put(&2).unwrap();
    // Not to synchronise: this is the moment, in which the values are looked at.
    std::thread::sleep(Duration::from_millis(300));
    drop(other);
    io_shared::remove(&*name).unwrap();
    let mut speed = io_shared::producer::<f64>(&*name).unwrap();
    speed.put(&3.0).unwrap();
    let mut id = viewer.topics[&topic(&name)].id;
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        assert!(Instant::now() < deadline, "nothing comes");
        let Some((of, _, cdr)) = viewer.next() else {
            // On a busy machine it was seen after all.
            if let Some(other) = viewer.topics.get(&topic(&name)).filter(|topic| topic.id != id) {
                id = other.id;
                data = viewer.subscribe(&topic(&name));
            }
            continue;
        };
        if of == data && cdr.last_chunk() == Some(&3.0_f64.to_le_bytes()) {
            break;
        }
    }
}

#[test]
fn channels_whose_names_become_one_topic_have_one_each() {
    let name = TestName::new("view-meets");
    // The third one's is what comes next to a cloud.
    let names = [name.to_string(), topic(&name), format!("{}_2/_io", topic(&name))];
    let mut producers = names.each_ref().map(|name| io_shared::producer::<u64>(&**name).unwrap());
    let view = View::start(&names.each_ref().map(|name| &**name));
    let mut viewer = view.connect();
    let list = viewer.subscribe("/io_shared/channels");
    for (producer, value) in producers.iter_mut().zip(1..) {
        producer.put(&value).unwrap();
    }
    let (_, text) = viewer.data(list);
    let channels: Json = serde_json::from_slice(&text).unwrap();
    let mut topics: Vec<String> = Vec::new();
    for (name, value) in names.iter().zip(1_u64..) {
        let rows = channels["channels"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == **name).unwrap();
        let id = row["topics"][0].as_u64();
        let told = viewer.topics.iter().find(|(_, topic)| Some(topic.id) == id).unwrap();
        let shown = told.0.clone();
        let data = viewer.subscribe(&shown);
        assert_eq!(viewer.data(data).1.last_chunk(), Some(&value.to_le_bytes()), "{shown}");
        topics.push(shown);
    }
    assert_eq!(topics, ["", "_2", "_2/_io_2"].map(|end| topic(&name) + end));
    drop(producers);
    names[1..].iter().for_each(|name| io_shared::remove(name).unwrap());
}

#[test]
fn a_channel_is_the_same_without_its_slash_and_one_in_a_file_is_there() {
    let (name, folder) = (TestName::new("view-bare"), Folder::new());
    let file = folder.file("x");
    let cloud = Channel::<Cloud>::named(&*name).elements(10).producer().unwrap();
    let in_file = Channel::<u64>::file(&file).producer().unwrap();
    let bare = name.trim_start_matches('/');
    let view = View::start(&[bare, &format!("file:{file}"), "--as", &format!("{bare}=none")]);
    let mut viewer = view.connect();
    let list = viewer.subscribe("/io_shared/channels");
    let (_, text) = viewer.data(list);
    let channels: Json = serde_json::from_slice(&text).unwrap();
    let rows = channels["channels"].as_array().unwrap().iter();
    let rows: Vec<_> = rows.map(|row| [&row["name"], &row["state"]]).collect();
    assert_eq!(json!(rows), json!([[&*name, "region"], [file, "region"]]));
    let type_name = &viewer.topics[&topic(&name)].type_name;
    assert!(type_name.starts_with("io_shared_msgs/"), "{type_name}");
    drop((cloud, in_file));
}

#[test]
fn the_list_says_what_there_is_and_how_fast_it_comes() {
    let (name, absent) = (TestName::new("view-list"), TestName::new("view-absent"));
    let mut producer = io_shared::producer::<u64>(&*name).unwrap();
    let view = View::start(&[&*name, &*absent]);
    let mut viewer = view.connect();
    let list = viewer.subscribe("/io_shared/channels");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = SetAtEnd(&stop);
        scope.spawn(|| {
            // In pairs, so that the newest two values do not tell how many come in a second.
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                producer.put(&1).unwrap();
                producer.put(&2).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let (_, text) = viewer.data(list);
            let channels: Json = serde_json::from_slice(&text).unwrap();
            let of = |name: &str| {
                let all = channels["channels"].as_array().unwrap();
                all.iter().find(|channel| channel["name"] == name).unwrap().clone()
            };
            assert_eq!(of(&absent)["state"], "absent");
            let channel = of(&name);
            assert_eq!(channel["producer"]["pid"], std::process::id());
            if channel["rate"].as_f64().is_some_and(|rate| rate > 5.0 && rate < 101.0) {
                let id = viewer.topics[&topic(&name)].id;
                assert_eq!(channel["topics"], json!([id]));
                break;
            }
            assert!(Instant::now() < deadline, "{channel}");
        }
    });
}

#[test]
fn who_watches_changes_nothing_in_a_channel() {
    let name = TestName::new("view-observes");
    let mut producer = io_shared::producer::<u64>(&*name).unwrap();
    producer.put(&1).unwrap();
    let before = std::fs::read(name.path()).unwrap();
    let view = View::start(&[&*name]);
    let mut viewer = view.connect();
    let data = viewer.subscribe(&topic(&name));
    viewer.data(data);
    let list = viewer.subscribe("/io_shared/channels");
    viewer.data(list);
    assert!(std::fs::read(name.path()).unwrap() == before, "not a byte has changed");
    assert_eq!(producer.connected().unwrap(), []);
}

#[test]
fn frames_are_sent_as_the_file_says() {
    let folder = Folder::new();
    let file = folder.file("frames");
    std::fs::write(&file, "# the car\nbase left 0 1 0\nbase right 0 -1 0 0 0 1.5\n").unwrap();
    let view = View::start(&["--tf", &file]);
    let mut viewer = view.connect();
    let data = viewer.subscribe("/tf_static");
    assert_eq!(viewer.topics["/tf_static"].type_name, "tf2_msgs/msg/TFMessage");
    let (_, cdr) = viewer.data(data);
    assert_eq!(cdr[4..8], 2_u32.to_le_bytes());
    for frame in [&b"base\0"[..], b"left\0", b"right\0"] {
        assert!(cdr.windows(frame.len()).any(|bytes| bytes == frame));
    }

    std::fs::write(&file, "base left 0 1\n").unwrap();
    let done = run(&["view", "--tf", &file]);
    assert_eq!(done.code, 2, "{}", done.err);
    assert!(done.err.contains("line 1: write PARENT CHILD X Y Z"), "{}", done.err);
    let done = run(&["view", "--tf", "/nowhere"]);
    assert!(done.code == 1 && done.err.contains("cannot read /nowhere"), "{}", done.err);
}

#[test]
fn a_port_that_is_taken_is_told_and_ctrl_c_ends_the_server() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let done = run(&["view", "--listen", &address]);
    assert_eq!(done.code, 1, "{}", done.err);
    assert!(
        done.err.contains(&address) && done.err.contains("--listen 127.0.0.1:0"),
        "{}",
        done.err
    );

    let mut view = View::start(&[]);
    let viewer = view.connect();
    signal(&view.child, Signal::SIGINT);
    let started = Instant::now();
    wait_until(|| view.child.try_wait().unwrap().is_some());
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(view.child.wait().unwrap().success());
    drop(viewer);

    let child = start(&["view", "--listen", "127.0.0.1:0"]);
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, Signal::SIGTERM);
    let done = end(child);
    assert!(done.out.contains("http://127.0.0.1:") && done.out.contains("?token="), "{}", done.out);
}

#[test]
fn the_browser_is_told_the_name_of_a_file_and_the_token_stands_in_that_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let own = std::path::PathBuf::from(folder.file(""));
    let mut command = command(&["view", "--json", "--listen", "127.0.0.1:0", "--open"]);
    // It prints what it is told.
    command.env("BROWSER", "echo").env("XDG_RUNTIME_DIR", &own);
    let child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut view = View { child, host: String::new(), query: String::new() };
    let mut lines = BufReader::new(view.child.stdout.take().unwrap()).lines();
    let said: Json = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let url = said["url"].as_str().unwrap();
    let file = std::path::PathBuf::from(lines.next().unwrap().unwrap());
    assert!(url.contains("?token=") && file.starts_with(&own), "{}", file.display());
    for (path, mode) in [(&*file, 0o600), (file.parent().unwrap(), 0o700)] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode);
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(&format!("content=\"0; url={url}\"")), "{text}");
    signal(&view.child, Signal::SIGINT);
    wait_until(|| view.child.try_wait().unwrap().is_some());
    assert!(!file.parent().unwrap().exists(), "it is removed");
}
