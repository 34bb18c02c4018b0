//! Services: questions and their answers, whoever is restarted or killed.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::time::{Duration, Instant};

use io_shared::{Error, ErrorKind, Server, Service};
use nix::sys::signal::Signal;
use test_support::eventually;
use test_support::peer::{Peer, arguments, hear, tell};
use test_support::service::TestService;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

#[track_caller]
fn assert_no_question(server: &mut Server<u64, u64>) {
    let error = server.next_timeout(SHORT).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
}

#[track_caller]
fn assert_no_server(error: &Error) {
    assert!(matches!(error.kind(), ErrorKind::NoProducer { .. }), "{error}");
}

/// Answers each question with its double.
#[test]
fn doubles() {
    let Some(arguments) = arguments() else { return };
    let mut server = Service::<u64, u64>::named(&arguments[0]).server().unwrap();
    tell("ready");
    loop {
        let question = server.next().unwrap();
        let answer = *question * 2;
        question.answer(&answer).unwrap();
    }
}

/// Takes one question and never answers it.
#[test]
fn takes_a_question() {
    let Some(arguments) = arguments() else { return };
    let mut server = Service::<u64, u64>::named(&arguments[0]).server().unwrap();
    tell("ready");
    let question = server.next().unwrap();
    tell(&question.to_string());
    hear();
}

/// Asks what it is told to ask, and tells the answers.
#[test]
fn asks() {
    let Some(arguments) = arguments() else { return };
    let mut client = Service::<u64, u64>::named(&arguments[0]).client().unwrap();
    tell("ready");
    loop {
        let question = hear();
        let Ok(question) = question.parse() else { return };
        match client.call(&question, LONG) {
            Ok(answer) => tell(&answer.to_string()),
            Err(error) => tell(&error.to_string()),
        }
    }
}

#[test]
fn a_call_returns_the_answer_that_the_server_gave() {
    let service = TestService::new("call");
    let _server = service.peer("doubles");
    let mut client = service.client();
    for question in [1, 21, u64::MAX / 2] {
        let answer = client.call(&question, LONG).unwrap();
        assert_eq!(*answer, question * 2);
    }
}

#[test]
fn a_question_that_nobody_serves_ends_at_its_timeout_and_says_so() {
    let service = TestService::new("alone");
    let mut client = service.client();
    for timeout in [Duration::ZERO, SHORT, Duration::from_millis(250)] {
        let before = Instant::now();
        let error = client.call(&1, timeout).unwrap_err();
        assert!(before.elapsed() >= timeout && before.elapsed() < LONG);
        assert_no_server(&error);
        assert!(error.to_string().contains("there is no server: start it"), "{error}");
    }
    let peer = service.peer("doubles");
    assert_eq!(*client.call(&1, LONG).unwrap(), 2);
    let pid = peer.id();
    peer.kill();
    let error = client.call(&1, SHORT).unwrap_err();
    assert_no_server(&error);
    let text = error.to_string();
    assert!(text.contains(&format!("its server (process {pid}, ")), "{text}");
    assert!(text.contains("has ended, and there is no other: start it again"), "{text}");
    assert_eq!(error.name(), &*service.0);
}

#[test]
fn a_call_to_a_server_that_does_not_answer_says_that_it_runs() {
    let service = TestService::new("slow");
    let mut peer = service.peer("takes_a_question");
    let mut client = service.client();
    client.ask(&7).unwrap();
    peer.expect("7");
    let error = client.answer(SHORT).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { after: SHORT, .. }), "{error}");
    assert!(error.to_string().contains("the answer to question 1; its server (pro"), "{error}");
}

#[test]
fn a_call_that_requires_a_server_ends_when_it_is_killed() {
    let service = TestService::new("requires");
    let mut client = service.service().requires_server(true).client().unwrap();
    let mut peer = service.peer("takes_a_question");
    client.ask(&1).unwrap();
    peer.expect("1");
    let error = client.answer(SHORT).unwrap_err(); // it has seen the server
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
    std::thread::scope(|scope| {
        let call = scope.spawn(|| client.answer(LONG).unwrap_err());
        peer.kill();
        let killed = Instant::now();
        assert_no_server(&call.join().unwrap());
        assert!(killed.elapsed() < LONG / 4);
    });
}

#[test]
fn a_question_that_waits_is_answered_by_the_server_that_comes() {
    let service = TestService::new("waits");
    let mut client = service.peer("asks");
    client.tell("21");
    // It waits for a while.
    std::thread::sleep(SHORT);
    let mut server = service.server();
    let question = server.next_timeout(LONG).unwrap();
    assert_eq!((*question, question.seq()), (21, 1));
    assert_eq!(question.client().unwrap().unwrap().pid, Some(client.id()));
    question.answer(&42).unwrap();
    client.expect("42");
}

#[test]
fn a_question_whose_server_was_killed_is_answered_once_by_the_next() {
    let service = TestService::new("restart");
    let mut peer = service.peer("takes_a_question");
    let mut client = service.client();
    client.ask(&9).unwrap();
    peer.expect("9");
    peer.kill();
    let mut server = service.server();
    let question = server.next_timeout(LONG).unwrap();
    assert_eq!(*question, 9);
    question.answer(&90).unwrap();
    assert_eq!(*client.answer(LONG).unwrap(), 90);
    assert_no_question(&mut server);
    drop(server);
    assert_no_question(&mut service.server());
    // Also one that came after others.
    for question in 1..5 {
        client.ask(&question).unwrap();
    }
    let mut server = service.server();
    let question = server.next_timeout(LONG).unwrap();
    assert_eq!((*question, question.seq()), (4, 5));
    drop(question); // as if it was killed
    drop(server);
    let mut server = service.server();
    server.next_timeout(LONG).unwrap().answer(&40).unwrap();
    assert_eq!(*client.answer(LONG).unwrap(), 40);
}

#[test]
fn a_question_that_is_dropped_keeps_no_later_one_from_the_server() {
    let service = TestService::new("dropped");
    // Not stored inline, so that a question on the server's hands has a buffer.
    let both = || Service::<[u64], u64>::named(&*service.0);
    let (mut client, mut server) = (both().client().unwrap(), both().server().unwrap());
    for number in 0..5 {
        client.ask(&[number; 100]).unwrap();
        drop(server.next_timeout(LONG).unwrap());
    }
    client.ask(&[7; 100]).unwrap();
    let question = server.next_timeout(LONG).unwrap();
    assert_eq!((question[99], question.seq()), (7, 6));
    question.answer(&8).unwrap();
    assert_eq!(*client.answer(LONG).unwrap(), 8);
}

#[test]
fn an_answer_to_an_older_question_is_not_returned() {
    let service = TestService::new("older");
    let mut server = service.server();
    let mut client = service.client();
    client.ask(&1).unwrap();
    let question = server.next_timeout(LONG).unwrap();
    assert!(client.answer(SHORT).is_err());
    client.ask(&2).unwrap();
    question.answer(&10).unwrap();
    let error = client.answer(SHORT).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
    server.next_timeout(LONG).unwrap().answer(&20).unwrap();
    assert_eq!(*client.answer(LONG).unwrap(), 20);
}

#[test]
fn a_client_that_takes_a_dead_ones_pair_does_not_get_its_answer() {
    let service = TestService::new("heir");
    let mut server = service.server();
    let mut dead = service.peer("asks");
    dead.tell("1");
    let question = server.next_timeout(LONG).unwrap();
    dead.kill();
    let mut heir = service.client();
    assert_eq!((heir.number(), question.client_number()), (1, 1));
    question.answer(&10).unwrap();
    assert!(heir.ask(&2).unwrap() > 1);
    assert!(heir.answer(SHORT).is_err());
    server.next_timeout(LONG).unwrap().answer(&20).unwrap();
    assert_eq!(*heir.answer(LONG).unwrap(), 20);
}

#[test]
fn each_client_gets_its_own_answers_and_a_killed_one_leaves_nothing() {
    let service = TestService::new("clients");
    let mut server = service.server();
    let mut peers = [service.peer("asks"), service.peer("asks"), service.peer("asks")];
    for round in 0..20 {
        for (at, peer) in peers.iter_mut().enumerate() {
            peer.tell(&(100 * round + at).to_string());
        }
        for _ in 0..peers.len() {
            let question = server.next_timeout(LONG).unwrap();
            let answer = *question + 1;
            question.answer(&answer).unwrap();
        }
        for (at, peer) in peers.iter_mut().enumerate() {
            peer.expect(&(100 * round + at + 1).to_string());
        }
    }
    let mut pids: Vec<_> = server.clients().unwrap().iter().map(|one| one.pid.unwrap()).collect();
    pids.sort();
    let mut expected: Vec<_> = peers.iter().map(Peer::id).collect();
    expected.sort();
    assert_eq!(pids, expected);
    let [one, two, three] = peers;
    two.kill();
    eventually("the server drops the pair", || {
        let _ = server.next_timeout(Duration::from_millis(1));
        service.channels().iter().all(|name| !name.starts_with("2%"))
    });
    assert_eq!(server.clients().unwrap().len(), 2);
    one.signal(Signal::SIGKILL);
    three.signal(Signal::SIGKILL);
    eventually("nothing is left but the server's own", || {
        let _ = server.next_timeout(Duration::from_millis(1));
        service.channels() == ["bell", "server"]
    });
    drop(server);
    assert_eq!(service.channels(), [""; 0]);
}

#[test]
fn what_killed_programs_have_left_is_removed_at_the_next_start() {
    let service = TestService::new("left");
    let (server, client) = (service.peer("doubles"), service.peer("asks"));
    let other = service.peer("asks");
    server.kill();
    client.kill();
    other.kill();
    assert_eq!(service.channels().len(), 6, "{:?}", service.channels());
    drop(service.client());
    assert_eq!(service.channels(), [""; 0]);
}

#[test]
fn a_sleeping_server_finds_a_new_client_at_once() {
    let service = TestService::new("bell");
    let _server = service.peer("doubles");
    let mut times: Vec<_> = (0..9)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(20)); // it sleeps
            let started = Instant::now();
            let mut client = service.client();
            assert_eq!(*client.call(&1, LONG).unwrap(), 2);
            started.elapsed()
        })
        .collect();
    times.sort();
    assert!(times[4] < Duration::from_millis(20), "{times:?}");
}

#[test]
fn a_second_server_is_refused_or_waits() {
    let service = TestService::new("second");
    let peer = service.peer("doubles");
    let error = service.service().server().unwrap_err();
    let ErrorKind::RoleTaken { holder } = error.kind() else { panic!("{error}") };
    assert_eq!(holder.pid, Some(peer.id()));
    let mut client = service.client();
    assert_eq!(*client.call(&4, LONG).unwrap(), 8); // nothing was disturbed
    std::thread::scope(|scope| {
        let second = scope.spawn(|| service.service().wait_for_role(LONG).server().unwrap());
        peer.kill();
        let mut server = second.join().unwrap();
        client.ask(&5).unwrap();
        server.next_timeout(LONG).unwrap().answer(&50).unwrap();
        assert_eq!(*client.answer(LONG).unwrap(), 50);
    });
}

#[test]
fn channels_that_somebody_removes_are_made_anew() {
    let service = TestService::new("removed");
    let _server = service.peer("doubles");
    let mut client = service.client();
    for (round, below) in ["1/question", "1/answer", "bell", "server"].into_iter().enumerate() {
        for question in 0..3 {
            assert_eq!(
                *client.call(&(question + round as u64), LONG).unwrap(),
                2 * (question + round as u64)
            );
        }
        io_shared::remove(format!("{}/{below}", &*service.0)).unwrap();
    }
    for question in 0..3 {
        assert_eq!(*client.call(&question, LONG).unwrap(), 2 * question);
    }
    // Not by a server of this process, which would take the role if it came first.
    let shown = io_shared::Channel::<[u8]>::named(format!("{}/server", &*service.0));
    eventually("the server shows itself again", || {
        let found = shown.clone().open_timeout(Duration::ZERO).observer();
        found.is_ok_and(|found| found.producer().is_ok_and(|producer| producer.is_some()))
    });
}

#[test]
fn a_server_waits_as_long_as_it_is_told_when_an_idle_clients_channel_is_removed() {
    let service = TestService::new("idle");
    let mut server = service.server();
    let mut client = service.client();
    client.ask(&1).unwrap();
    server.next_timeout(LONG).unwrap().answer(&10).unwrap();
    assert_eq!(*client.answer(LONG).unwrap(), 10);
    io_shared::remove(format!("{}/1/question", &*service.0)).unwrap();
    let (tell, hear) = std::sync::mpsc::channel();
    // No scope: if it did not end, neither would the test.
    std::thread::spawn(move || {
        for _ in 0..3 {
            assert_no_question(&mut server);
        }
        tell.send(server).unwrap();
    });
    let mut server = hear.recv_timeout(LONG).expect("a wait has no end");
    client.ask(&2).unwrap();
    server.next_timeout(LONG).unwrap().answer(&20).unwrap();
    assert_eq!(*client.answer(LONG).unwrap(), 20);
    drop(client);
    eventually("the client has gone", || server.clients().unwrap().is_empty());
    assert_no_question(&mut server);
}

#[test]
fn a_call_whose_channel_is_removed_while_it_waits_says_so() {
    let service = TestService::new("unanswered");
    let mut server = service.server();
    let mut client = service.client();
    for is_loan in [false, true] {
        client.ask(&1).unwrap();
        let question = server.next_timeout(LONG).unwrap();
        io_shared::remove(format!("{}/1/question", &*service.0)).unwrap();
        std::thread::sleep(2 * SHORT);
        if is_loan {
            let (_, mut reply) = question.into_parts();
            assert_eq!(*reply.loan().unwrap_err().kind(), ErrorKind::Replaced);
        } else {
            question.answer(&10).unwrap();
        }
        let started = Instant::now();
        let error = client.answer(LONG).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Replaced);
        assert!(error.to_string().contains("ask again"), "{error}");
        assert!(started.elapsed() < LONG);
        client.ask(&2).unwrap();
        server.next_timeout(LONG).unwrap().answer(&20).unwrap();
        assert_eq!(*client.answer(LONG).unwrap(), 20);
    }
}

#[test]
fn an_interrupted_call_can_go_on_waiting() {
    let service = TestService::new("interrupts");
    let mut server = service.server();
    let mut client = service.client();
    client.ask(&1).unwrap();
    let interrupter = client.interrupter();
    std::thread::scope(|scope| {
        let wait = scope.spawn(|| client.answer(LONG).unwrap_err());
        std::thread::sleep(SHORT);
        interrupter.interrupt();
        let error = wait.join().unwrap();
        assert_eq!((error.kind(), error.name()), (&ErrorKind::Interrupted, &*service.0));
    });
    server.next_timeout(LONG).unwrap().answer(&10).unwrap();
    assert_eq!(*client.answer(LONG).unwrap(), 10);
    let interrupter = server.interrupter();
    std::thread::scope(|scope| {
        let wait = scope.spawn(|| server.next_timeout(LONG).map(drop).unwrap_err());
        std::thread::sleep(SHORT);
        interrupter.interrupt();
        assert_eq!(*wait.join().unwrap().kind(), ErrorKind::Interrupted);
    });
}

#[test]
fn services_of_two_domains_do_not_meet() {
    let service = TestService::new("domains");
    let domain = format!("IO_SHARED_DOMAIN=service-{}", std::process::id());
    let mut elsewhere = Peer::start_under(&["env", &domain], "doubles", &[&service.0]);
    elsewhere.expect("ready");
    assert_no_server(&service.client().call(&1, SHORT).unwrap_err());
    let mut there = Peer::start_under(&["env", &domain], "asks", &[&service.0]);
    there.expect("ready");
    there.tell("4");
    there.expect("8");
    there.tell("end");
    there.end();
    elsewhere.kill();
    // Whoever starts there next removes what is left.
    let mut there = Peer::start_under(&["env", &domain], "asks", &[&service.0]);
    there.expect("ready");
    there.tell("end");
    there.end();
    let left = std::fs::read_dir("/dev/shm").unwrap().flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().contains(&service.0[1..]));
    assert_eq!(left.count(), 0);
}

#[test]
fn a_hundred_clients_have_their_turns() {
    let service = TestService::new("many");
    let mut clients: Vec<_> = (0..100).map(|_| service.client()).collect();
    let mut server = service.server();
    for (at, client) in clients.iter_mut().enumerate() {
        client.ask(&(at as u64)).unwrap();
    }
    for _ in 0..clients.len() {
        let question = server.next_timeout(LONG).unwrap();
        let answer = *question + 1000;
        question.answer(&answer).unwrap();
    }
    for (at, client) in clients.iter_mut().enumerate() {
        assert_eq!(*client.answer(LONG).unwrap(), at as u64 + 1000);
    }
    assert_no_question(&mut server);
}
