"""Loads on the server: closed loops of clients, and many requests at once."""

from __future__ import annotations

import contextlib
import resource
import selectors
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mecapy_bench.checks import Check
from mecapy_bench.http import RECEIVE_BYTES, Connection, Reply
from mecapy_bench.processes import FailedError
from mecapy_bench.samples import Samples
from mecapy_bench.server import Server, completed, execute

WAIT_S = 60


def one_client(server: Server, check: Check, count: int) -> Samples:
    """One client that waits for each result, on one connection."""
    wanted = execute(check.name, check.inputs, server.token, WAIT_S)
    samples = Samples()
    with server.connect() as connection:
        began = time.perf_counter()
        for _ in range(count):
            started = time.perf_counter()
            reply = connection.exchange(wanted)
            samples.seconds.append(time.perf_counter() - started)
            completed(reply, check)
        samples.elapsed_s = time.perf_counter() - began
    return samples


@dataclass
class Sent:
    """A request on its way."""

    connection: Connection
    started: float
    reply: Reply


def clients(server: Server, check: Check, number: int, count: int) -> Samples:
    """Clients that each send the next request when the last was answered.

    One thread drives them all: threads of Python would take turns and take
    processor time away from the server.
    """
    wanted = execute(check.name, check.inputs, server.token, WAIT_S)
    samples = Samples()
    left = count
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        opened = [stack.enter_context(server.connect()) for _ in range(min(number, count))]
        began = time.perf_counter()
        for connection in opened:
            sent = Sent(connection, time.perf_counter(), Reply())
            connection.socket.sendall(wanted)
            selector.register(connection.socket, selectors.EVENT_READ, sent)
            left -= 1
        while samples.calls < count:
            events = selector.select(WAIT_S + 30)
            if not events:
                raise FailedError(f"no answer within {WAIT_S + 30} s")
            for key, _ in events:
                sent = key.data
                if not sent.reply.feed(sent.connection.socket.recv(RECEIVE_BYTES)):
                    continue
                now = time.perf_counter()
                samples.seconds.append(now - sent.started)
                reply, sent.reply = sent.reply, Reply()
                if left:
                    left -= 1
                    sent.started = now
                    sent.connection.socket.sendall(wanted)
                else:
                    selector.unregister(sent.connection.socket)
                completed(reply, check)
        samples.elapsed_s = time.perf_counter() - began
    return samples


@dataclass
class Answered:
    """An answer and the seconds from the first request of all until it."""

    sent_s: float
    answered_s: float
    reply: Reply


@contextlib.contextmanager
def open_files(number: int) -> Iterator[None]:
    """Room for connections here, while servers started before or after keep their own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, number), hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def at_once(server: Server, wanted: list[bytes]) -> list[Answered]:
    """Sends each request on a connection of its own, all without waiting.

    Connections are opened ahead; answers are read as they come, in between
    the requests too.
    """
    answers: dict[int, Answered] = {}
    files = open_files(len(wanted) + 256)
    with files, contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        opened = [stack.enter_context(server.connect()) for _ in wanted]
        began = time.perf_counter()
        sent_s: dict[int, float] = {}

        def read(timeout: float) -> None:
            events = selector.select(timeout)
            if timeout and not events:
                raise FailedError(f"no answer within {timeout:.0f} s")
            for key, _ in events:
                place, connection, reply = key.data
                if reply.feed(connection.socket.recv(RECEIVE_BYTES)):
                    now = time.perf_counter() - began
                    answers[place] = Answered(sent_s[place], now, reply)
                    selector.unregister(connection.socket)

        for place, (connection, data) in enumerate(zip(opened, wanted, strict=True)):
            sent_s[place] = time.perf_counter() - began
            connection.socket.sendall(data)
            selector.register(connection.socket, selectors.EVENT_READ, (place, connection, Reply()))
            if place % 16 == 15:
                read(0)
        while len(answers) < len(wanted):
            read(WAIT_S)
    return [answers[place] for place in range(len(wanted))]
