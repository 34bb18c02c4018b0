"""Services: each call returns the answer to its own question, whoever is killed meanwhile."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import io_shared
from conftest import pythons
from io_shared import Client, Server, _service, _service_calls

#: `Service<[f32], [u32]>` in Rust.
LABELS = {"question_tail": "f4", "answer_tail": "u4"}
PREFIX = """
import os, sys, time
import numpy as np
import io_shared
name = sys.argv[1]
def say(what):
    print(what); sys.stdout.flush()
"""
SERVE = """
server = io_shared.Server(name)
say("ready")
for question in server:
    question.answer(question.value * 2)
"""


@pytest.fixture
def other(start):
    """Starts a program of Python that first says that it is ready."""

    def run(python, script, *arguments):
        made = start(python, "-c", PREFIX + script, *arguments,
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert made.stdout.readline().strip() == b"ready"
        return made

    return run


@pytest.fixture
def served():
    """Answers the questions of a server in a thread, until the test is over."""
    running = []

    def serve(server, answer):
        def answer_all():
            try:
                for question in server:
                    question.answer(answer(question.value))
            except io_shared.Interrupted:
                pass

        thread = threading.Thread(target=answer_all)
        thread.daemon = True
        thread.start()
        running.append((server, thread))

    yield serve
    for server, thread in running:
        server.interrupt()
        thread.join(60)
        assert not thread.is_alive()
        server.close()


def left(name):
    """The channels of the service that there are."""
    return [file for file in os.listdir("/dev/shm") if file.startswith(name[1:] + "%")]


def until(what, happens):
    deadline = time.time() + 60
    while not happens():
        assert time.time() < deadline, what
        time.sleep(0.01)


def kill(process):
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_a_call_returns_the_answer_to_its_question_and_all_goes_with_its_users(name, served):
    server = Server(name)
    served(server, lambda array: array[::-1] + 1)
    with Client(name) as client:
        assert client.call([1, 2, 3], timeout=60).tolist() == [4, 3, 2]
        for shape in ((2000, 40), (0, 4), ()):
            array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
            array = array if shape else np.atleast_1d(array)
            answer = client.call(array, timeout=60)
            assert answer.dtype == np.float32 and answer.flags.writeable
            assert (answer == array[::-1] + 1).all() and answer.shape == array.shape
        assert client.ask(np.arange(4)[::2]) == 5
        assert client.answer(timeout=60).tolist() == [3, 1]
        assert client.number == 1 and client.server.pid == os.getpid()
        assert "Client" in repr(client) and not client.closed
    with pytest.raises(io_shared.Closed):
        client.call([1])
    until("the channels of the client go", lambda: not [
        file for file in left(name) if "question" in file or "answer" in file
    ])


def test_nothing_is_left_of_a_service_without_users(name):
    with Server(name), Client(name):
        assert left(name)
    assert left(name) == []


def test_messages_with_fields_tails_and_lists_are_asked_and_answered(new_name, served):
    route = new_name()
    fields = {"start": ("f8", 2), "goal": ("f8", 2), "timeout": "f4"}
    planner = Server(route, question=fields, answer={"cost": "f8", "ways": [("f8", 2)]})
    served(planner, lambda asked: {
        "cost": asked.goal[0] - asked.start[0] + asked.timeout,
        "ways": [asked.start, asked.goal],
    })
    client = Client(route, fields, {"cost": "f8", "ways": [("f8", 2)]})
    # Its question has a field of that name.
    answer = client.call(start=[1, 2], goal=[4, 5], timeout=0.5)
    assert answer.cost == 3.5 and answer.ways.tolist() == [[1, 2], [4, 5]]
    assert client.call({"start": [0, 0], "goal": [1, 1], "timeout": 0}).cost == 1
    with pytest.raises(io_shared.WrongFields):
        client.ask(start=[1, 2])
    with pytest.raises(io_shared.WrongFields) as caught:
        client.ask([1, 2], [4, 5])
    assert ": pass all fields by name, or one value" in str(caught.value)

    heights = new_name()
    served(Server(heights, **LABELS), lambda tail: tail > 1.5)
    asks = Client(heights, **LABELS)
    labels = asks.call([1, 2, 3], timeout=60)
    assert labels.dtype == np.uint32 and labels.tolist() == [0, 1, 1]
    with pytest.raises(io_shared.WrongFields):
        asks.call([1], other=2, timeout=1)


def test_questions_wait_for_a_server_and_a_restarted_one_answers_once(name, other):
    client = Client(name)
    asked = client.ask([5])
    with pytest.raises(io_shared.NoProducer) as caught:
        client.answer(timeout=0.15)
    assert "there is no server: start it" in str(caught.value)
    first = other(sys.executable, """
server = io_shared.Server(name)
question = server.take(timeout=60)
say("ready")
time.sleep(60)
""", name)
    kill(first)  # it has taken the question, and not answered
    second = Server(name)
    question = second.take(timeout=60)
    assert (question.seq, question.client_number) == (asked, 1)
    assert question.client.pid == os.getpid() and question.age < 60
    assert question.value.tolist() == [5]
    question.answer([6])
    assert client.answer(timeout=60).tolist() == [6]
    with pytest.raises(io_shared.Closed):
        question.answer([7])
    second.close()
    with Server(name) as third, pytest.raises(io_shared.Timeout) as caught:
        third.take(timeout=0.2)
    assert "it has 1 client" in str(caught.value)


def test_a_call_ends_at_its_timeout_and_never_gets_the_answer_to_an_older_question(name):
    client, server = Client(name), Server(name)
    began = time.time()
    with pytest.raises(io_shared.Timeout) as caught:
        client.call([1], timeout=0.25)
    assert 0.2 < time.time() - began < 30
    assert "no answer to question 1 came within 0.25 s" in str(caught.value)
    assert str(os.getpid()) in str(caught.value)
    old = server.take(timeout=60)
    client.ask([2])
    old.answer(["for the first"])
    with pytest.raises(io_shared.Timeout):
        client.answer(timeout=0.05)
    new = server.take(timeout=60)
    assert new.value.tolist() == [2]
    new.answer([3])
    assert client.answer().tolist() == [3]


def test_a_question_without_an_answer_is_left_when_the_next_is_taken(name):
    one, server = Client(name), Server(name)
    two = Client(name)
    one.ask([1])
    left_out = server.take(timeout=60)
    two.ask([2])
    taken = server.take(timeout=60)
    with pytest.raises(io_shared.Closed):
        left_out.answer([0])
    with pytest.raises(io_shared.WrongFields):
        taken.answer(None)  # nothing was sent
    taken.answer([3])
    assert two.answer(timeout=60).tolist() == [3]
    one.ask([4])
    waits = server.take(timeout=60)
    server.close()  # it is left to the next
    with pytest.raises(io_shared.Closed):
        waits.answer([0])
    with Server(name) as following:
        following.take(timeout=60).answer([5])
        assert one.answer(timeout=60).tolist() == [5]


def test_a_client_that_is_killed_leaves_nothing_and_the_next_never_gets_its_answer(name, other):
    server = Server(name)
    victim = other(sys.executable, """
client = io_shared.Client(name)
client.ask([7])
say("ready")
time.sleep(60)
""", name)
    question = server.take(timeout=60)
    assert question.value.tolist() == [7] and question.client.pid == victim.pid
    kill(victim)
    question.answer([8])
    client = Client(name)
    client.ask([9])
    question = server.take(timeout=60)
    assert question.value.tolist() == [9]
    question.answer([10])
    assert client.answer(timeout=60).tolist() == [10]
    assert [each.pid for each in server.clients] == [os.getpid()]
    client.close()
    server.close()
    assert left(name) == []


def test_a_second_server_is_refused_or_waits_and_other_types_are_named(name):
    server = Server(name, **LABELS)
    with pytest.raises(io_shared.RoleTaken) as caught:
        Server(name, **LABELS)
    assert str(os.getpid()) in str(caught.value)
    with pytest.raises(io_shared.RoleTaken):
        Server(name, wait_for_role=0.2, **LABELS)
    with pytest.raises(io_shared.Mismatch) as caught:
        Client(name, question_tail="f8", answer_tail="u4")
    assert "question" in str(caught.value)
    closing = threading.Timer(0.2, server.close)
    closing.start()
    with Server(name, wait_for_role=60, **LABELS):
        closing.join()


def test_waits_are_interrupted_by_threads_and_by_signals(name):
    client, server = Client(name), Server(name)
    client.ask([1])
    client.interrupt()
    with pytest.raises(io_shared.Interrupted):
        client.answer()
    server.take(timeout=60).answer([2])
    assert client.answer(timeout=60).tolist() == [2]
    threading.Timer(0.1, server.interrupt).start()
    with pytest.raises(io_shared.Interrupted):
        for _ in server:
            pass
    for wait in (server.take, client.answer):
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            wait()


def test_a_client_that_requires_a_server_is_told_of_its_end(name, other):
    serving = other(sys.executable, SERVE, name)
    client = Client(name, requires_server=True)
    assert client.call([1], timeout=60).tolist() == [2]
    kill(serving)
    began = time.time()
    with pytest.raises(io_shared.NoProducer) as caught:
        client.call([1])
    assert time.time() - began < 10 and "start it again" in str(caught.value)
    new = Client(name, requires_server=True)
    new.ask([4])
    with pytest.raises(io_shared.NoProducer):
        new.answer(timeout=0.3)  # it has had none, and so waits
    with Server(name) as server:
        server.take(timeout=60).answer([5])
        assert new.answer(timeout=60).tolist() == [5]


def test_bytes_that_are_no_array_are_left_out_by_a_server_and_corrupt_to_a_client(name, caplog):
    server, wrong, right = Server(name), Client(name), Client(name)
    _service._send(_service_calls.client_loan, wrong._open(), b"nonsense", None, 0)
    with pytest.raises(io_shared.Timeout):
        server.take(timeout=1)
    assert "question 1 of client 1: it is not an array" in caplog.text
    right.ask([1])
    question = server.take(timeout=60)
    assert question.client_number == 2
    question._reply._send(b"nonsense", None, 0)
    with pytest.raises(io_shared.Corrupt) as caught:
        right.answer(timeout=60)
    assert "the answer to question 1: it is not an array" in str(caught.value)


def test_a_client_that_is_pickled_is_another_and_a_child_opens_its_own(name):
    client = Client(name)
    other = pickle.loads(pickle.dumps(client))
    assert (client.number, other.number) == (1, 2)
    child = os.fork()
    if child == 0:
        try:
            client.ask([1])
        except io_shared.ForkedHandle:
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    with Server(name) as server:
        other.ask([2])
        server.take(timeout=60).answer([3])
        assert other.answer(timeout=60).tolist() == [3]


@pytest.mark.parametrize("python", pythons())
def test_every_interpreter_asks_and_answers_every_other(name, other, python):
    serving = other(python, SERVE, name)
    with Client(name) as client:
        for number in range(20):
            answer = client.call(np.full(3000, number, np.float32), timeout=60)
            assert answer.dtype == np.float32 and (answer == 2 * number).all()
    kill(serving)
    with Server(name) as server:
        asking = other(python, """
client = io_shared.Client(name)
say("ready")
for number in range(20):
    answer = client.call(np.full(3000, number, np.float32), timeout=60)
    assert (answer == number + 1).all()
""", name)
        for _ in range(20):
            question = server.take(timeout=60)
            question.answer(question.value + 1)
        assert asking.wait() == 0


def test_programs_in_rust_and_c_ask_and_answer(name, start, peer):
    serving = start(peer, "label", name)
    with Client(name, **LABELS) as client:
        assert client.call([1.0, 2.0, 3.5], timeout=60).tolist() == [0, 1, 1]
        many = np.arange(100000, dtype=np.float32)
        assert (client.call(many, timeout=60) == (many > 1.5)).all()
        kill(serving)
        client.ask([9.0])
        serving = start(peer, "label", name)
        assert client.answer(timeout=60).tolist() == [1]
    kill(serving)
    asking = start(peer, "ask", name, 3)
    with Server(name, **LABELS) as server:
        for number in range(1, 4):
            question = server.take(timeout=60)
            assert question.value.tolist() == [float(at) for at in range(number)]
            assert question.client.pid == asking.pid
            question.answer(question.value > 1.5)
        assert asking.wait() == 0


def test_calls_return_their_own_answers_while_servers_and_clients_are_killed(name, other):
    """The long version is in Rust: `torture service`."""
    serving = other(sys.executable, SERVE, name)
    asking = """
client = io_shared.Client(name)
say("ready")
number = 0
while True:
    number += 1
    array = np.arange(number % 50) + 100000 * os.getpid() + number
    if (client.call(array, timeout=60) != 2 * array).any():
        say("wrong")
        break
    if number % 100 == 0:
        say("hundred")
"""
    victim, stays = other(sys.executable, asking, name), other(sys.executable, asking, name)
    for _ in range(4):
        assert stays.stdout.readline().strip() == b"hundred"
        kill(serving)
        kill(victim)
        serving = other(sys.executable, SERVE, name)
        victim = other(sys.executable, asking, name)
        assert victim.stdout.readline().strip() == b"hundred"
    for process in (victim, stays, serving):
        kill(process)
    Client(name).close()  # this start removes what the killed ones have left
    assert left(name) == []
