"""The calls of services, by ctypes."""

from ctypes import c_int64, c_size_t, c_void_p

from io_shared._library import _POINTER, _declare

client_open = _declare("client_open", c_void_p, _POINTER)
client_close = _declare("client_close", c_void_p, returns=None)
client_loan = _declare("client_loan", c_void_p, c_size_t, _POINTER, _POINTER)
client_answer = _declare("client_answer", c_void_p, c_int64, c_void_p)
client_poll = _declare("client_poll", c_void_p, c_int64, c_void_p)
client_server = _declare("client_server", c_void_p, c_void_p)
client_number = _declare("client_number", c_void_p, c_void_p)
client_interrupt = _declare("client_interrupt", c_void_p, returns=None)
client_end_waits_at_signals = _declare("client_end_waits_at_signals", c_void_p)
server_open = _declare("server_open", c_void_p, _POINTER)
server_close = _declare("server_close", c_void_p, returns=None)
server_next = _declare("server_next", c_void_p, c_int64, c_void_p)
server_clients = _declare("server_clients", c_void_p, c_void_p, c_size_t, c_void_p)
server_interrupt = _declare("server_interrupt", c_void_p, returns=None)
server_end_waits_at_signals = _declare("server_end_waits_at_signals", c_void_p)
reply_loan = _declare("reply_loan", c_void_p, c_size_t, _POINTER, _POINTER)
reply_client = _declare("reply_client", c_void_p, c_void_p)
reply_drop = _declare("reply_drop", c_void_p, returns=None)
