"""The structs of ``io_shared.h``, for ctypes."""

import ctypes
from ctypes import c_char, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint32, c_uint64
from ctypes import c_void_p


class Options(ctypes.Structure):
    """``ios_options``: what a handle is opened with."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("file", c_char_p),
        ("fd", c_int32),
        ("flags", c_uint32),
        ("schema", c_char_p),
        ("consumer_name", c_char_p),
        ("capacity", c_uint64),
        ("consumers", c_uint32),
        ("holds", c_uint32),
        ("mode", c_uint32),
        ("handles", c_uint32),
        ("open_timeout", c_int64),
        ("wait_for_role", c_int64),
        ("history", c_uint32),
        ("reserved", c_uint32),
        ("initial", c_void_p),
        ("initial_length", c_size_t),
        ("answer_schema", c_char_p),
        ("answer_capacity", c_uint64),
    ]


class Value(ctypes.Structure):
    """``ios_value``: a value, which is valid until its guard is dropped."""

    _fields_ = [
        ("guard", c_void_p),
        ("data", c_void_p),
        ("length", c_size_t),
        ("seq", c_uint64),
        ("missed", c_uint64),
        ("stamp", c_uint64),
        ("tag", c_uint64),
    ]


class Question(ctypes.Structure):
    """``ios_question``: a question, and the reply to it."""

    _fields_ = [("value", Value), ("reply", c_void_p), ("client", c_uint32)]


class Field(ctypes.Structure):
    """``ios_field``: a part of a value."""

    _fields_ = [
        ("json", c_void_p),
        ("number", c_double),
        ("seq", c_uint64),
        ("stamp", c_uint64),
        ("tag", c_uint64),
    ]


class Process(ctypes.Structure):
    """``ios_process``: who has a role."""

    _fields_ = [("pid", c_uint32), ("command", c_char * 16), ("since", c_uint64)]


class Puts(ctypes.Structure):
    """``ios_puts``: what puts of messages with the same header have in common."""

    _fields_ = [
        ("producer", c_void_p),
        ("header", c_char_p),
        ("header_length", c_size_t),
        ("length", c_size_t),
        ("seq", c_void_p),
        ("tag", c_uint64),
        ("number", c_uint64),
        ("stamp", c_uint64),
    ]


class Gets(ctypes.Structure):
    """``ios_gets``: what gets of messages with the same header have in common."""

    _fields_ = [
        ("consumer", c_void_p),
        ("timeout_ns", c_int64),
        ("header", c_char_p),
        ("header_length", c_size_t),
        ("data", c_void_p),
        ("length", c_size_t),
        ("value", c_void_p),
    ]


class RosMessage(ctypes.Structure):
    """``ios_ros_message``: a message that was converted."""

    _fields_ = [
        ("head", c_void_p),
        ("head_length", c_size_t),
        ("data", c_void_p),
        ("data_length", c_size_t),
        ("tail", c_void_p),
        ("tail_length", c_size_t),
        ("stamp_ns", c_uint64),
        ("frame_id", c_char_p),
        ("version", c_uint64),
        ("capacity", c_uint64),
        ("seq", c_uint32),
        ("flags", c_uint32),
    ]
