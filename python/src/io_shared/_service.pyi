"""Types of the services, for checkers such as mypy."""

from typing import Any, Iterator, List, Optional, Union

from io_shared import Process, _Closing

_Size = Union[int, str]

class Client(_Closing):
    name: str
    def __init__(
        self,
        name: str,
        question: Any = ...,
        answer: Any = ...,
        question_tail: Any = ...,
        answer_tail: Any = ...,
        question_capacity: Optional[_Size] = ...,
        answer_capacity: Optional[_Size] = ...,
        requires_server: bool = ...,
        permissions: Optional[int] = ...,
    ) -> None: ...
    def call(self, *question: Any, **fields: Any) -> Any: ...
    def ask(self, *question: Any, **fields: Any) -> int: ...
    def answer(self, timeout: Optional[float] = ...) -> Any: ...
    @property
    def server(self) -> Optional[Process]: ...
    @property
    def number(self) -> int: ...
    def interrupt(self) -> None: ...

class Server(_Closing):
    name: str
    def __init__(
        self,
        name: str,
        question: Any = ...,
        answer: Any = ...,
        question_tail: Any = ...,
        answer_tail: Any = ...,
        wait_for_role: Optional[float] = ...,
        permissions: Optional[int] = ...,
    ) -> None: ...
    def take(self, timeout: Optional[float] = ...) -> Question: ...
    def __iter__(self) -> Iterator[Question]: ...
    def next(self) -> Question: ...
    def __next__(self) -> Question: ...
    @property
    def clients(self) -> List[Process]: ...
    def interrupt(self) -> None: ...

class Question:
    value: Any
    seq: int
    client_number: int
    client: Optional[Process]
    def answer(self, *answer: Any, **fields: Any) -> None: ...
    @property
    def age(self) -> Optional[float]: ...
