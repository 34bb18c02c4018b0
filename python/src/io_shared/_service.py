"""Services: questions and their answers, as arrays and as typed messages."""

import ctypes
import logging
from ctypes import byref, c_size_t, c_uint32, c_uint64, c_void_p

import numpy as np

from io_shared import _encoding, _library, _messages, _structs, errors
from io_shared import _service_calls as _calls
from io_shared._held import Value, has
from io_shared._memory import Memory, address, aligned_bytes
from io_shared._wait import Deadline, age, opened

_log = logging.getLogger("io_shared")


class Client(_library.Closing):
    """Asks the questions of the service ``name``. Each call returns the answer to exactly its own
    question, whoever is restarted or killed meanwhile.

    ``question``, ``answer``: the fields of the messages, or one number, as the ``dtype`` of
    :func:`io_shared.producer`; ``question_tail``, ``answer_tail``: its ``tail``. Without them,
    questions and answers are arrays of any dtype and shape. The server has the same, else
    :class:`Mismatch`. Rust (``Service``) and C (``ios_client``) have the same services.

    ``question_capacity``, ``answer_capacity``: room for a message ahead of time, in bytes or as
    ``"5M"``. Without it the channels become larger when a message does not fit.
    ``requires_server``: a call raises :class:`NoProducer` within 0.2 seconds of the server's end,
    once there was one; otherwise it waits for the next server. ``permissions``: of the shared
    memory that this client creates (default 0o600). A client is for one thread.

    >>> client = Client("/segment")
    >>> labels = client.call(cloud, timeout=1)
    """

    def __init__(self, name, question=None, answer=None, question_tail=None, answer_tail=None,
                 question_capacity=None, answer_capacity=None, requires_server=False,
                 permissions=None):
        self.name = _library.native(name)
        self._opened = Client, (name, question, answer, question_tail, answer_tail,
                                question_capacity, answer_capacity, requires_server, permissions)
        self._questions = _encoder(self.name, question, question_tail, "Question")
        self._answers = _messages_of(answer, answer_tail, "Answer")
        flags = _library.REQUIRES_PRODUCER if requires_server else 0
        made = _library.options(name, flags=flags, capacity=question_capacity,
                                permissions=permissions)
        _set_types(made, self._questions._messages, self._answers)
        if answer_capacity is not None:
            made.answer_capacity = _library.size(answer_capacity)
        self._handle = _library.open_handle(_calls.client_open, _calls.client_close, made)
        _library.check(_calls.client_end_waits_at_signals(self._handle))

    #: Whether ``interrupt`` was called, and no wait has ended by it yet.
    _interrupted = False
    #: The number of the last question.
    _asked = 0

    def call(*question, **fields):
        """Asks, and waits for the answer to exactly this question; returns a copy of it.

        Takes what ``put`` of a producer takes: an array; or all fields by name, or one mapping or
        value that has them. ``timeout``: seconds; None waits for ever. (If ``timeout`` is a field
        of the question, it is the field: use :meth:`ask` and :meth:`answer`.) Then it raises
        :class:`Timeout` if there is a server, and :class:`NoProducer` if there is none. If there is
        no server, or it is killed meanwhile, the call waits for one.

        >>> labels = client.call(cloud, timeout=1)
        >>> route = planner.call(start=here, goal=there, timeout=5).points
        """
        self, question = question[0], question[1:]  # a field may be called self or question
        timeout = None
        if "timeout" not in self._questions.names:
            timeout = fields.pop("timeout", None)
        self._ask(question, fields)
        return self.answer(timeout)

    def ask(*question, **fields):
        """Puts a question, and does not wait: :meth:`answer` does. Returns the question's number.
        A question that waits for its answer is given up for this one.

        >>> client.ask(cloud)
        >>> prepare()  # something else
        >>> labels = client.answer(timeout=1)
        """
        return question[0]._ask(question[1:], fields)

    def answer(self, timeout=None):
        """Waits for the answer to the last question, as :meth:`call` does. After an error it may
        be called again."""
        deadline, value = Deadline(timeout), Value()
        while True:
            wait = 0 if self._interrupted else deadline.slice()
            if has(_calls.client_poll(self._open(), wait, byref(value))):
                return self._copied(value)
            if self._interrupted:
                self._interrupted = False
                raise errors.Interrupted(
                    "%s: this program interrupted the wait for question %d: call answer() to go on "
                    "waiting" % (self.name, self._asked)
                )
            deadline.tell(self.name, lambda: "the answer to question %d (%s)" % (
                self._asked, self._server_in_words() or "there is no server"
            ))
            if deadline.is_over():
                return self._last_look(value, timeout)

    def _last_look(self, value, timeout):
        """The answer, or why there is none when the time is over."""
        status = _calls.client_answer(self._open(), 1, byref(value))
        if status == _library.OK:
            return self._copied(value)
        if status != _library.TIMEOUT:
            raise _library.failure(status)
        raise errors.Timeout("%s: no answer to question %d came within %s s; %s" % (
            self.name, self._asked, timeout, self._server_in_words() or "its server is running"
        ))

    @property
    def server(self):
        """Who serves this client now, ``(pid, command, since)``; None if there is no server, or if
        it has yet to find this client."""
        return _library.process(_calls.client_server, self._open())

    @property
    def number(self):
        """The number of this client's pair of channels, as in ``/segment/1/question``."""
        return int(_library.number(_calls.client_number, self._open(), c_uint32))

    def interrupt(self):
        """Ends the current wait of this client with :class:`Interrupted`, or else its next one.
        Another thread or a signal handler may call it."""
        self._interrupted = True
        handle = self._handle
        if handle is not None:
            _calls.client_interrupt(handle)

    def close(self):
        """Closes the client. Its channels go."""
        _library.close(self)

    def _open(self):
        return _open(self)

    def _ask(self, question, fields):
        handle = self._open()
        self._asked = self._questions.put(
            lambda *message: _send(_calls.client_loan, handle, *message), question, fields
        )
        return self._asked

    def _copied(self, value):
        return _copied(self._answers, value, "%s: the answer to question" % self.name, value.tag)

    def _server_in_words(self):
        server = self.server
        return None if server is None else "its server (process %s, %s) is running" % (
            server.pid, server.command
        )


class Server(_library.Closing):
    """Answers the questions of the service ``name``. There is one server at a time.

    The types are those of :class:`Client`. ``wait_for_role``: how many seconds to wait for another
    server to end (0), for a restart without a gap; then :class:`RoleTaken`, which names it. None
    waits for ever. ``permissions``: of the shared memory that this server creates (default 0o600).

    At its start a server is given the questions that wait: of each client the last one, if it has
    no answer. What is wrong with one client's questions is logged, and is no error here.

    >>> with Server("/segment") as server:
    ...     for question in server:
    ...         question.answer(labels_of(question.value))
    """

    def __init__(self, name, question=None, answer=None, question_tail=None, answer_tail=None,
                 wait_for_role=0, permissions=None):
        self.name = _library.native(name)
        self._opened = Server, (name, question, answer, question_tail, answer_tail, wait_for_role,
                                permissions)
        self._questions = _messages_of(question, question_tail, "Question")
        self._answers = _encoder(self.name, answer, answer_tail, "Answer")

        def open_within(_, role):
            made = _library.options(name, permissions=permissions, wait_for_role=role)
            _set_types(made, self._questions, self._answers._messages)
            return _library.open_handle(_calls.server_open, _calls.server_close, made)

        self._handle = opened(open_within, 0, self.name, wait_for_role)
        _library.check(_calls.server_end_waits_at_signals(self._handle))

    #: Whether ``interrupt`` was called, and no wait has ended by it yet.
    _interrupted = False
    #: The reply to the last question.
    _reply = None

    def take(self, timeout=None):
        """Waits for a question of any client, and returns it; the clients have their turns. The
        question before is left without an answer, if it has none yet. ``timeout``: seconds, then
        :class:`Timeout`; None waits for ever.

        >>> question = server.take(timeout=1)
        >>> question.answer(labels_of(question.value))
        """
        deadline = Deadline(timeout)
        while True:
            wait = 0 if self._interrupted else deadline.slice()
            question = self._next(wait)
            if question is not None:
                return question
            if self._interrupted:
                self._interrupted = False
                raise errors.Interrupted(
                    "%s: this program interrupted the wait, and nothing was taken: call again to "
                    "go on waiting" % self.name
                )
            deadline.tell(self.name, lambda: "a question (it has %d clients)" % len(self.clients))
            if deadline.is_over():
                raise errors.Timeout("%s: no question came within %s s; it has %d clients" % (
                    self.name, timeout, len(self.clients)
                ))

    def __iter__(self):
        return self

    def next(self):
        """The next question, as by :meth:`take` without a timeout: for loops."""
        return self.take()

    __next__ = next

    @property
    def clients(self):
        """The processes of the clients that this server has found, and that are alive."""
        count, most = c_size_t(), 8
        while True:
            found = (_structs.Process * most)()
            _library.check(_calls.server_clients(self._open(), byref(found), most, byref(count)))
            if count.value <= most:
                return [_library.process_of(each) for each in found[: count.value]]
            most = count.value

    def interrupt(self):
        """Ends the current wait of this server with :class:`Interrupted`, or else its next one.
        Another thread or a signal handler may call it.

        >>> signal.signal(signal.SIGTERM, lambda *_: server.interrupt())
        """
        self._interrupted = True
        handle = self._handle
        if handle is not None:
            _calls.server_interrupt(handle)

    def close(self):
        """Gives the role back. A question without an answer is left to the next server."""
        self._leave()
        _library.close(self)

    def _open(self):
        return _open(self)

    def _leave(self):
        """Leaves the last question without an answer, if it has none."""
        if self._reply is not None:
            self._reply.close()

    def _next(self, wait):
        """The next question, after waiting for at most ``wait``; None if there is none."""
        self._leave()
        found = _structs.Question()
        if not has(_calls.server_next(self._open(), wait, byref(found))):
            return None
        self._reply = reply = _Reply(found.reply, self._answers)
        held, client = Value.from_buffer_copy(found.value), int(found.client)
        seq = int(held.seq)
        try:
            value = _copied(
                self._questions, held, "%s: question %d of client" % (self.name, seq), client
            )
        except errors.Error as error:
            _log.warning("a question was left out: %s", error)
            return None
        return Question(reply, value, seq, held.stamp, client, reply.client())


class Question(object):
    """A question that a server took: ``question.value``, which :meth:`answer` answers.

    One that nobody answers is left when the server takes the next: its client waits until its time
    is over, and a server that is started later answers it if the client still waits."""

    def __init__(self, reply, value, seq, stamp, client_number, client):
        self._reply, self._stamp = reply, stamp
        #: A copy of the question: an array, or a message.
        self.value = value
        #: Its number. Each client counts its own.
        self.seq = seq
        #: The number of the client's pair of channels, as in ``/segment/1/question``.
        self.client_number = client_number
        #: Who asked, ``(pid, command, since)``; None if it was gone.
        self.client = client

    def answer(*answer, **fields):
        """Answers with a copy: takes what ``put`` of a producer takes. If the client is gone by
        now, nothing happens. A question is answered once.

        >>> question.answer(labels)
        >>> question.answer(frame=question.value.frame, labels=labels)
        """
        answer[0]._reply.answer(answer[1:], fields)

    @property
    def age(self):
        """Seconds since the question was put; None if that is not known."""
        return age(self._stamp)

    def __repr__(self):
        return "<io_shared.Question %d of client %d>" % (self.seq, self.client_number)


class _Reply(object):
    """The reply to a question, until it is used."""

    def __init__(self, pointer, answers):
        self._left = [_library.Handle(pointer, _calls.reply_drop)]
        self._answers = answers

    def client(self):
        """Who asks."""
        return _library.process(_calls.reply_client, self._left[0])

    def answer(self, answer, fields):
        self._answers.put(self._send, answer, fields)

    def close(self):
        """Leaves the question without an answer, unless it has one."""
        try:
            self._left.pop().close()
        except IndexError:
            pass

    def _send(self, header, data, length):
        try:
            handle = self._left.pop()
        except IndexError:
            raise errors.Closed(
                "%s: this question was answered already, or left for the next one"
                % self._answers.name
            )
        pointer, handle.value = c_void_p(handle.value), None  # the call takes it
        return _send(_calls.reply_loan, pointer, header, data, length)


def _open(owner):
    handle = owner._handle
    if handle is None:
        raise errors.Closed("%s: it was closed" % owner.name)
    return handle


def _messages_of(dtype, tail, name):
    """The kind of messages that the arguments of a client or server declare."""
    if dtype is None and tail is None:
        return _messages.Arrays()
    return _messages.declared(dtype, tail, name)


def _set_types(made, questions, answers):
    made.schema = _library.encoded(questions.schema)
    made.answer_schema = _library.encoded(answers.schema)


def _copied(messages, value, what, number):
    """A copy of a value that is held, which is given back."""
    try:
        return messages.copy(value.data, value.length)[0]
    except (ValueError, errors.Corrupt) as error:
        kind = type(error) if isinstance(error, errors.Error) else errors.Corrupt
        text = "%s" if isinstance(error, errors.Error) else "it is not an array: %s"
        raise errors.alone(kind("%s %d: %s" % (what, number, text % error)))
    finally:
        value.release()


def _send(lend, handle, header, data, length):
    """Puts the message of ``header``, followed by the ``length`` bytes at the address ``data``, in
    a buffer that ``lend`` lends. Returns its number."""
    loan, out, seq = c_void_p(), c_void_p(), c_uint64()
    _library.check(lend(handle, len(header) + length, byref(loan), byref(out)))
    try:
        _library.check(_library.copy(out.value, header, len(header)))
        _library.check(_library.copy(out.value + len(header), data, length))
    except BaseException:
        _library.loan_drop(loan)
        raise
    _library.check(_library.loan_put(loan, len(header) + length, byref(seq)))
    return int(seq.value)


def _encoder(name, dtype, tail, message):
    """What puts messages of this type."""
    messages = _messages_of(dtype, tail, message)
    return (_ArrayEncoder if messages.is_array else _FieldEncoder)(name, messages)


class _Encoder(object):
    """Has messages put by a function, ``send(header, data, length)``, in place of a label."""

    def __init__(self, name, messages):
        self.name, self._messages = name, messages

    def put(self, send, value, fields):
        """Puts the message of these fields, or of the one ``value``; returns what ``send`` does."""
        sent = []
        self._put(lambda *message: sent.append(send(*message)), value, fields)
        return sent[0]

    def _put_data(self, header, data, length, send):
        send(header, data, length)

    def _lend(self, length):
        return _Own(length)

    def _put_lent(self, lent, length, send):
        send(b"", address(lent.bytes), length)


class _ArrayEncoder(_encoding.Arrays, _Encoder):
    names = ()

    def _put(self, send, value, fields):
        if fields or len(value) != 1:
            raise errors.WrongFields("%s: a message is one array" % self.name)
        self._put_plain(value[0], send)


class _FieldEncoder(_encoding.Fields, _Encoder):
    @property
    def names(self):
        return self._messages.layout.fields

    def _put(self, send, value, fields):
        self._put_message(self._messages.layout, value, fields, send)


class _Own(object):
    """Memory of this process, in place of a producer's buffer."""

    def __init__(self, length):
        # Zeros, since old memory of this process is not for other processes to read.
        self.bytes = aligned_bytes(np.zeros, length)
        self.memory = Memory(address(self.bytes), length, False, self.bytes)

    def cancel(self, _):
        """Nothing: it goes with its last reference."""
