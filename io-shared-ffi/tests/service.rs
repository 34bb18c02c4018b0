//! Services by the C ABI: questions and their answers, with clients and servers in Rust and C.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::ptr::null_mut;
use std::time::Duration;

use io_shared::{ErrorKind, Service};
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{Options, bytes_of, last_error, nothing, options, taken};
use common::{Language, Linked, compile_program};
use test_support::{TestName, eventually};

/// 10 seconds, in nanoseconds.
const PATIENCE: i64 = 10_000_000_000;

/// Options of a service; the schemas must outlive them.
fn service(name: &str) -> Options {
    options(name, None).with(|o| o.open_timeout = -1)
}

/// As [`service`], with `Service<[f32], [u32]>`.
fn labels(name: &str) -> Options {
    options(name, Some(r#"{"slice":"<f4"}"#)).with(|o| {
        o.open_timeout = -1;
        o.answer_schema = c"{\"slice\":\"<u4\"}".as_ptr();
    })
}

#[track_caller]
fn client(options: &Options) -> *mut ios_client {
    let mut client = null_mut();
    let status = unsafe { ios_client_open(&raw const options.raw, &raw mut client) };
    assert_eq!(status, IOS_OK, "{}", last_error());
    client
}

#[track_caller]
fn server(options: &Options) -> *mut ios_server {
    let mut server = null_mut();
    let status = unsafe { ios_server_open(&raw const options.raw, &raw mut server) };
    assert_eq!(status, IOS_OK, "{}", last_error());
    server
}

fn next(server: *mut ios_server, timeout: i64) -> Result<ios_question, ios_status> {
    let mut question = ios_question { value: nothing(), reply: null_mut(), client: 0 };
    match unsafe { ios_server_next(server, timeout, &raw mut question) } {
        IOS_OK => Ok(question),
        status => Err(status),
    }
}

fn ask(client: *mut ios_client, question: &[u8]) -> u64 {
    let mut number = 0;
    let (data, length) = (question.as_ptr().cast(), question.len());
    let status = unsafe { ios_client_ask(client, data, length, &raw mut number) };
    assert_eq!(status, IOS_OK, "{}", last_error());
    number
}

fn reply(reply: *mut ios_reply, answer: &[u8]) -> ios_status {
    unsafe { ios_reply_answer(reply, answer.as_ptr().cast(), answer.len()) }
}

/// The number of the question and the bytes of its answer.
fn answer(client: *mut ios_client, timeout: i64) -> Result<(u64, Vec<u8>), ios_status> {
    let mut value = nothing();
    match unsafe { ios_client_answer(client, timeout, &raw mut value) } {
        IOS_OK => {
            let found = (value.tag, bytes_of(&value).to_vec());
            unsafe { ios_guard_drop(value.guard) };
            Ok(found)
        }
        status => Err(status),
    }
}

/// Answers one question with its bytes in reverse.
fn reverse(server: *mut ios_server) {
    let question = next(server, PATIENCE).unwrap();
    let mut bytes = bytes_of(&question.value).to_vec();
    bytes.reverse();
    assert_eq!(reply(question.reply, &bytes), IOS_OK, "{}", last_error());
    unsafe { ios_guard_drop(question.value.guard) };
}

fn nobody() -> ios_process {
    ios_process { pid: 0, command: [0; 16], since: 0 }
}

/// How many channels of the service there are.
fn channels(name: &TestName) -> usize {
    let prefix = format!("{}%", name.trim_start_matches('/'));
    let files = std::fs::read_dir("/dev/shm").unwrap();
    files
        .filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with(&prefix))
        .count()
}

#[test]
fn a_call_returns_the_answer_to_its_own_question_and_all_goes_with_its_users() {
    let name = TestName::new("c-service");
    let server = server(&service(&name));
    let served = server as usize;
    let serving = std::thread::spawn(move || {
        for _ in 0..3 {
            reverse(served as *mut ios_server);
        }
    });
    let client = client(&service(&name));
    for (number, question) in [(1, &b"one"[..]), (2, b"a question that is longer"), (3, b"")] {
        let mut value = nothing();
        let (data, length) = (question.as_ptr().cast(), question.len());
        let status = unsafe { ios_client_call(client, data, length, PATIENCE, &raw mut value) };
        assert_eq!(status, IOS_OK, "{}", last_error());
        let expected: Vec<u8> = question.iter().rev().copied().collect();
        assert_eq!((value.tag, bytes_of(&value)), (number, &*expected));
        unsafe { ios_guard_drop(value.guard) };
    }
    serving.join().unwrap();
    let (mut process, mut number, mut count) = (nobody(), 0, 0);
    unsafe {
        assert_eq!(ios_client_server(client, &raw mut process), IOS_OK);
        assert_eq!(process.pid, std::process::id());
        assert_eq!(ios_client_number(client, &raw mut number), IOS_OK);
        assert_eq!(number, 1);
        process = nobody();
        assert_eq!(ios_server_clients(server, &raw mut process, 1, &raw mut count), IOS_OK);
        assert_eq!((process.pid, count), (std::process::id(), 1));
        let (mut one, mut other) = (null_mut(), null_mut());
        assert_eq!(ios_client_name(client, &raw mut one), IOS_OK);
        assert_eq!(ios_server_name(server, &raw mut other), IOS_OK);
        assert_eq!((taken(one), taken(other)), (name.to_string(), name.to_string()));
        ios_client_close(client);
        ios_server_close(server);
        ios_client_close(null_mut());
        ios_server_close(null_mut());
        ios_reply_drop(null_mut());
    }
    assert_eq!(channels(&name), 0);
}

#[test]
fn questions_and_answers_are_filled_in_place() {
    let name = TestName::new("c-service-loans");
    let (server, client) = (server(&service(&name)), client(&service(&name)));
    let (mut loan, mut data) = (null_mut(), null_mut());
    assert_eq!(unsafe { ios_client_loan(client, 300, &raw mut loan, &raw mut data) }, IOS_OK);
    unsafe { data.cast::<u8>().write_bytes(7, 300) };
    assert_eq!(unsafe { ios_loan_tag(loan, 9) }, IOS_UNSUPPORTED);
    assert_eq!(unsafe { ios_loan_number(loan, 9, 0) }, IOS_UNSUPPORTED);
    let status = unsafe { ios_client_ask(client, null_mut(), 0, null_mut()) };
    assert_eq!(status, IOS_ALREADY_LOANED, "nothing else is asked meanwhile");
    let mut number = 0;
    assert_eq!(unsafe { ios_loan_put(loan, 200, &raw mut number) }, IOS_OK, "{}", last_error());
    assert_eq!(number, 1);

    let question = next(server, PATIENCE).unwrap();
    assert_eq!((question.value.seq, question.client), (1, 1));
    assert_eq!(bytes_of(&question.value), [7; 200]);
    let lent = unsafe { ios_reply_loan(question.reply, 5000, &raw mut loan, &raw mut data) };
    assert_eq!(lent, IOS_OK, "{}", last_error());
    assert_eq!(unsafe { ios_loan_tag(loan, 9) }, IOS_UNSUPPORTED);
    assert_eq!(next(server, 0).unwrap_err(), IOS_ALREADY_HELD, "its reply is not over");
    assert!(last_error().contains("ios_reply_answer"), "{}", last_error());
    assert_eq!(bytes_of(&question.value), [7; 200], "it stays while its answer is filled");
    unsafe { data.cast::<u8>().write_bytes(8, 5000) };
    assert_eq!(unsafe { ios_loan_put(loan, IOS_WHOLE, null_mut()) }, IOS_OK, "{}", last_error());
    unsafe { ios_guard_drop(question.value.guard) };
    assert_eq!(answer(client, PATIENCE).unwrap(), (1, vec![8; 5000]));

    // A loan that is dropped asks nothing, and one of a reply answers nothing.
    assert_eq!(unsafe { ios_client_loan(client, 3, &raw mut loan, &raw mut data) }, IOS_OK);
    unsafe { ios_loan_drop(loan) };
    assert_eq!(next(server, 0).unwrap_err(), IOS_EMPTY);
    let asked = ask(client, b"x");
    let question = next(server, PATIENCE).unwrap();
    unsafe { ios_guard_drop(question.value.guard) };
    assert_eq!(unsafe { ios_reply_loan(question.reply, 1, &raw mut loan, &raw mut data) }, IOS_OK);
    unsafe { ios_loan_drop(loan) };
    assert_eq!(next(server, 0).unwrap_err(), IOS_EMPTY);
    assert_eq!(answer(client, 0).unwrap_err(), IOS_EMPTY);
    assert_eq!(answer(client, 1).unwrap_err(), IOS_TIMEOUT);
    assert!(last_error().contains(&format!("the answer to question {asked}")), "{}", last_error());
    unsafe { ios_client_close(client) };
    unsafe { ios_server_close(server) };
}

#[test]
fn a_restarted_server_answers_the_question_that_waits_once() {
    let name = TestName::new("c-service-restart");
    let client = client(&service(&name));
    let asked = ask(client, b"who?");
    assert_eq!(answer(client, 1).unwrap_err(), IOS_NO_PRODUCER);
    assert!(last_error().contains("there is no server: start it"), "{}", last_error());
    let first = server(&service(&name));
    let question = next(first, PATIENCE).unwrap();
    let mut process = nobody();
    assert_eq!(unsafe { ios_reply_client(question.reply, &raw mut process) }, IOS_OK);
    assert_eq!(process.pid, std::process::id());
    unsafe { ios_reply_drop(question.reply) };
    unsafe { ios_guard_drop(question.value.guard) };
    unsafe { ios_server_close(first) };

    let second = server(&service(&name));
    reverse(second);
    assert_eq!(answer(client, PATIENCE).unwrap(), (asked, b"?ohw".to_vec()));
    unsafe { ios_server_close(second) };
    let third = server(&service(&name));
    assert_eq!(next(third, 200_000_000).unwrap_err(), IOS_TIMEOUT);
    assert!(last_error().contains("a question; there is 1 client"), "{}", last_error());
    unsafe { ios_server_close(third) };
    unsafe { ios_client_close(client) };
}

#[test]
fn an_answer_to_an_older_question_is_skipped_and_a_reply_whose_client_is_gone_is_no_error() {
    let name = TestName::new("c-service-older");
    let (server, client) = (server(&service(&name)), client(&service(&name)));
    ask(client, b"old");
    let question = next(server, PATIENCE).unwrap();
    let asked = ask(client, b"new");
    assert_eq!(reply(question.reply, b"of old"), IOS_OK);
    unsafe { ios_guard_drop(question.value.guard) };
    assert_eq!(answer(client, 0).unwrap_err(), IOS_EMPTY);
    let question = next(server, PATIENCE).unwrap();
    assert_eq!(reply(question.reply, b"of new"), IOS_OK);
    unsafe { ios_guard_drop(question.value.guard) };
    assert_eq!(answer(client, PATIENCE).unwrap(), (asked, b"of new".to_vec()));

    ask(client, b"last");
    let question = next(server, PATIENCE).unwrap();
    unsafe { ios_client_close(client) };
    assert_eq!(reply(question.reply, b"for nobody"), IOS_OK, "{}", last_error());
    unsafe { ios_guard_drop(question.value.guard) };
    unsafe { ios_server_close(server) };
}

#[test]
fn a_reply_keeps_the_role_of_a_server_that_is_closed() {
    let name = TestName::new("c-service-closed");
    let (one, client) = (server(&service(&name)), client(&service(&name)));
    let asked = ask(client, b"x");
    let question = next(one, PATIENCE).unwrap();
    unsafe { ios_server_close(one) };
    let (mut other, taken) = (null_mut(), service(&name));
    let status = unsafe { ios_server_open(&raw const taken.raw, &raw mut other) };
    assert_eq!(status, IOS_ROLE_TAKEN, "{}", last_error());
    assert_eq!(reply(question.reply, b"y"), IOS_OK);
    unsafe { ios_guard_drop(question.value.guard) };
    assert_eq!(answer(client, PATIENCE).unwrap(), (asked, b"y".to_vec()));
    unsafe { ios_server_close(server(&service(&name))) };
    unsafe { ios_client_close(client) };
}

#[test]
fn waits_of_both_sides_are_interrupted_and_slices_end_empty() {
    let name = TestName::new("c-service-interrupt");
    let requires = service(&name).with(|o| o.flags = IOS_REQUIRES_PRODUCER);
    let (one, client) = (server(&service(&name)), client(&requires));
    unsafe { ios_server_interrupt(one) };
    assert_eq!(next(one, -1).unwrap_err(), IOS_INTERRUPTED);
    ask(client, b"x");
    unsafe { ios_client_interrupt(client) };
    assert_eq!(answer(client, -1).unwrap_err(), IOS_INTERRUPTED);
    let mut value = nothing();
    let mut poll = || unsafe { ios_client_poll(client, 1_000_000, &raw mut value) };
    assert_eq!(poll(), IOS_EMPTY);
    reverse(one);
    assert_eq!(answer(client, PATIENCE).unwrap().1, b"x");
    ask(client, b"y");
    unsafe { ios_server_close(one) };
    eventually("it has lost its server", || poll() == IOS_NO_PRODUCER);
    assert_eq!(answer(client, -1).unwrap_err(), IOS_NO_PRODUCER);
    assert!(last_error().contains("start it again"), "{}", last_error());
    unsafe { ios_client_end_waits_at_signals(client) };
    unsafe { ios_client_interrupt(null_mut()) };
    unsafe { ios_server_interrupt(null_mut()) };
    unsafe { ios_client_close(client) };
}

#[test]
fn types_are_those_of_rust_and_others_are_refused_by_name() {
    let name = TestName::new("c-service-types");
    let mut rust = Service::<[f32], [u32]>::named(&*name).server().unwrap();
    let client = client(&labels(&name));
    let asked = ask(client, &[0, 0, 0, 64]); // 2.0
    let question = rust.next_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(*question, [2.0]);
    question.answer(&[5, 6]).unwrap();
    assert_eq!(answer(client, PATIENCE).unwrap(), (asked, [5, 0, 0, 0, 6, 0, 0, 0].to_vec()));
    let status = unsafe { ios_client_ask(client, [1_u8].as_ptr().cast(), 1, null_mut()) };
    assert_eq!(status, IOS_BAD_LENGTH, "{}", last_error());
    let (mut other, wrong) = (null_mut(), service(&name));
    let status = unsafe { ios_client_open(&raw const wrong.raw, &raw mut other) };
    assert_eq!(status, IOS_MISMATCH);
    assert!(
        last_error().contains("question") && last_error().contains("answer"),
        "{}",
        last_error()
    );
    unsafe { ios_client_close(client) };
    drop(rust);

    let server = server(&labels(&name));
    let mut rust = Service::<[f32], [u32]>::named(&*name).client().unwrap();
    rust.ask(&[1.0]).unwrap();
    let question = next(server, PATIENCE).unwrap();
    assert_eq!(bytes_of(&question.value), [0, 0, 128, 63]);
    assert_eq!(reply(question.reply, &[1]), IOS_BAD_LENGTH, "{}", last_error());
    unsafe { ios_guard_drop(question.value.guard) };
    let error = rust.answer(Duration::from_millis(1)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "its reply is over: {error}");
    unsafe { ios_server_close(server) };
}

#[test]
fn options_that_services_do_not_have_are_refused() {
    let name = TestName::new("c-service-options");
    let refused = |options: &Options, has: &str| {
        let (mut client, mut server) = (null_mut(), null_mut());
        let status = unsafe { ios_client_open(&raw const options.raw, &raw mut client) };
        let asks = (status, last_error());
        let status = unsafe { ios_server_open(&raw const options.raw, &raw mut server) };
        for (status, text) in [asks, (status, last_error())] {
            if status == IOS_BAD_OPTION {
                assert!(text.contains(has), "{text}");
                return;
            }
        }
        panic!("{has} was taken");
    };
    refused(&service(&name).with(|o| o.consumers = 2), "options.consumers");
    refused(&service(&name).with(|o| o.history = 2), "options.history");
    refused(&service(&name).with(|o| o.flags = IOS_GROWING), "IOS_REQUIRES_PRODUCER");
    refused(&service(&name).with(|o| o.name = std::ptr::null()), "exactly one");
    let other = |o: &mut ios_options| {
        o.name = std::ptr::null();
        o.flags = IOS_ANONYMOUS;
    };
    refused(&service(&name).with(other), "options.name");
    refused(&options(&name, None), "options.open_timeout");
    for (side, set) in [
        ("servers only", (|o| o.wait_for_role = 1) as fn(&mut ios_options)),
        ("clients only", |o| o.holds = 2),
        ("clients only", |o| o.flags = IOS_REQUIRES_PRODUCER),
    ] {
        refused(&service(&name).with(set), side);
    }
    let channel = service(&name).with(|o| o.answer_capacity = 8);
    assert_eq!(channel.refused(), IOS_BAD_OPTION);
    assert!(last_error().contains("options.answer_capacity"), "{}", last_error());
}

fn example(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/segmentation_service.c");
    compile_program(Language::C11, &source, folder, Linked::Shared)
}

#[test]
fn the_example_labels_the_clouds_of_c_and_rust_and_is_restarted_between_questions() {
    let (folder, name) = (tempfile::tempdir().unwrap(), TestName::new("c-service-example"));
    let program = example(folder.path());
    let mut rust = Service::<[f32], [u32]>::named(&*name).client().unwrap();
    rust.ask(&[9.0, 1.0]).unwrap(); // while nobody serves
    let mut server = Command::new(&program).arg(&*name).spawn().unwrap();
    assert_eq!(*rust.answer(Duration::from_secs(10)).unwrap(), [1, 0]);
    let run = || {
        let done = Command::new(&program).args([&*name, "0.5", "2.0"]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    assert_eq!(run(), "0.5: ground\n2: higher\n");
    // A client that is killed while it waits leaves nothing behind.
    server.kill().unwrap();
    server.wait().unwrap();
    let mut waits =
        Command::new(&program).args([&*name, "3"]).stdout(Stdio::null()).spawn().unwrap();
    eventually("it has asked", || channels(&name) >= 4);
    waits.kill().unwrap();
    waits.wait().unwrap();
    let mut server = Command::new(&program).arg(&*name).spawn().unwrap();
    assert_eq!(run(), "0.5: ground\n2: higher\n");
    rust.ask(&[2.0]).unwrap();
    assert_eq!(*rust.answer(Duration::from_secs(10)).unwrap(), [1]);
    drop(rust);
    server.kill().unwrap();
    server.wait().unwrap();
    drop(Service::<[f32], [u32]>::named(&*name).client().unwrap()); // removes what is left
    assert_eq!(channels(&name), 0);
}
