"""Several GPUs: a process for each, and a door where workers are told which one is theirs.

Films are divided by dividing the workers: each comes to the door once, and they are sent to the
cards in turn. A worker feeds its card for as long as it lives, so no film ever waits for another
card, and the cards know nothing of each other.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from itertools import cycle
from multiprocessing.connection import Client, Connection, Listener
from multiprocessing.process import BaseProcess
from secrets import token_bytes
from typing import Protocol

from hoseg.errors import DeviceError, HosegError
from hoseg.infer.gpu.server import Address


class Server(Protocol):
    """What serves one card: ``hoseg.infer.gpu.server.GpuServer``."""

    address: Address


OpenServer = Callable[[], AbstractContextManager[Server]]


@contextmanager
def open_crew(
    first: AbstractContextManager[Server], others: Sequence[OpenServer]
) -> Iterator[Server]:
    """Servers of several cards behind one address, as one server is.

    first: the server in this process
    others: each opens the server of one more card, in a process of its own; picklable

    Raises
    ------
    DeviceError: a card cannot be used; says which and why. None is left out silently.
    """
    with ExitStack() as stack:
        members = [stack.enter_context(closing(_Member(opener))) for opener in others]
        own = stack.enter_context(first).address
        addresses = [own, *(member.wait() for member in members)]
        yield stack.enter_context(closing(_Door(addresses)))


class _Door:
    """Where workers are told which server is theirs."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        key = token_bytes(32)
        self._listener = Listener(authkey=key)
        self.address = replace(addresses[0], place=self._listener.address, key=key, door=True)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._receive, args=(addresses,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Receive nobody any more."""
        self._closing.set()
        with suppress(OSError, EOFError):
            Client(self.address.place, authkey=self.address.key).close()  # wakes ``accept``
        self._thread.join()
        self._listener.close()

    def _receive(self, addresses: Sequence[Address]) -> None:
        """Tell each worker that comes which server is its own."""
        turns = cycle(addresses)
        while not self._closing.is_set():
            with suppress(OSError, EOFError), self._listener.accept() as pipe:
                if not self._closing.is_set():
                    pipe.send(next(turns))


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

    def close(self) -> None:
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
