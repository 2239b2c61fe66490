"""Several GPUs: a process for each, and a door where workers are told which one is theirs.

Films are divided by dividing the workers: each comes to the door once, and they are sent to the
cards in turn. A worker feeds its card for as long as it lives, so no film ever waits for another
card, and the cards know nothing of each other.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import partial
from itertools import cycle
from multiprocessing.connection import Client, Connection, Listener
from multiprocessing.process import BaseProcess
from secrets import token_bytes
from types import TracebackType
from typing import Protocol

from hoseg.errors import DeviceError, HosegError
from hoseg.segment.gpu.server import Address
from hoseg.segment.options import Options
from hoseg.segment.weights import Model


class Server(Protocol):
    """What serves one card: ``hoseg.segment.gpu.server.GpuServer``."""

    address: Address


OpenServer = Callable[[], AbstractContextManager[Server]]


class Crew:
    """Servers of several cards behind one address; a context manager, as one server is.

    first: the server in this process
    others: each opens the server of one more card, in a process of its own; picklable

    Raises
    ------
    DeviceError: a card cannot be used; says which and why. None is left out silently.
    """

    def __init__(self, first: AbstractContextManager[Server], others: Sequence[OpenServer]) -> None:
        self._first = first
        self._members = [_Member(open_server) for open_server in others]
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        try:
            addresses = [first.__enter__().address, *(m.wait() for m in self._members)]
        except BaseException:
            self._end_members()
            first.__exit__(None, None, None)
            raise
        key = token_bytes(32)
        self._listener = Listener(authkey=key)
        self.address = replace(addresses[0], place=self._listener.address, key=key, door=True)
        self._door = threading.Thread(target=self._receive, args=(addresses,), daemon=True)
        self._door.start()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up on every worker and end every process."""
        self._closing.set()
        with suppress(OSError, EOFError):
            Client(self.address.place, authkey=self.address.key).close()  # wakes ``accept``
        self._door.join()
        self._listener.close()
        self._end_members()
        self._first.__exit__(None, None, None)

    def _receive(self, addresses: Sequence[Address]) -> None:
        """Tell each worker that comes which server is its own."""
        turns = cycle(addresses)
        while not self._closing.is_set():
            with suppress(OSError, EOFError), self._listener.accept() as pipe:
                if not self._closing.is_set():
                    pipe.send(next(turns))

    def _end_members(self) -> None:
        for member in self._members:
            member.end()


class _Member:
    """One more card, in a process of its own."""

    def __init__(self, open_server: OpenServer) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process: BaseProcess = context.Process(target=_serve, args=(open_server, far))
        self._process.start()
        far.close()

    def wait(self) -> Address:
        """Address of the server, once it is ready."""
        try:
            answer = self._pipe.recv()
        except EOFError as error:
            raise DeviceError("a process that should own a GPU has ended at its start") from error
        if isinstance(answer, str):
            raise DeviceError(answer)
        address: Address = answer
        return address

    def end(self) -> None:
        """Let the process close its server and end."""
        self._pipe.close()
        self._process.join()


def _serve(open_server: OpenServer, pipe: Connection) -> None:
    """Serve one card until the parent hangs up, or is gone."""
    try:
        with open_server() as server:
            pipe.send(server.address)
            with suppress(EOFError, OSError):
                pipe.recv()
    except HosegError as error:
        pipe.send(str(error))


def other_cards(
    models: Sequence[Model], runtime: str, options: Options, count: int
) -> list[OpenServer]:
    """Openers of the servers of cards 1 to ``count`` - 1; card 0 is the caller's."""
    folders = tuple(str(model.path) for model in models)
    return [
        partial(_open_card, folders, f"cuda:{index}", runtime, options) for index in range(1, count)
    ]


def _open_card(
    folders: Sequence[str], device: str, runtime: str, options: Options
) -> AbstractContextManager[Server]:
    from hoseg.segment.predictor import Predictor

    return Predictor(list(folders), device, runtime, options).serve()
