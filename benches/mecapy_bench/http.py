"""A small HTTP/1.1 client on bare sockets, so that the client costs little."""

from __future__ import annotations

import json
import socket
from typing import Any

RECEIVE_BYTES = 1 << 16
PATIENCE_S = 90.0


class HttpError(Exception):
    """The answer is not the one that was expected."""


class Reply:
    """An answer that arrives in pieces."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.body_at = -1
        self.total = -1
        self.status = 0

    def feed(self, piece: bytes) -> bool:
        """Takes a piece; whether the answer is whole now."""
        if not piece:
            raise HttpError("the server closed the connection before its whole answer")
        self.received += piece
        if self.body_at < 0:
            self._read_head()
        return 0 <= self.total <= len(self.received)

    def _read_head(self) -> None:
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.received[:end]).lower()
        self.status = int(head[9:12])
        self.body_at = end + 4
        length = head.find(b"\r\ncontent-length:")
        if length < 0:
            raise HttpError(f"an answer without Content-Length: {head[:200]!r}")
        self.total = self.body_at + int(head[length + 17 :].split(b"\r\n", 1)[0])

    @property
    def body(self) -> bytes:
        return bytes(self.received[self.body_at : self.total])

    def expect(self, *statuses: int) -> Any:
        """The JSON of the body, where the status is one of these."""
        if self.status not in statuses:
            raise HttpError(
                f"expected status {' or '.join(map(str, statuses))}, found {self.status}: "
                f"{self.body[:1000].decode(errors='replace')}"
            )
        return json.loads(self.body)


def request(
    method: str,
    path: str,
    token: str,
    body: bytes = b"",
    content_type: str = "application/json",
) -> bytes:
    """The bytes of one request."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection:
    """One connection that is kept alive."""

    def __init__(self, port: int, patience_s: float = PATIENCE_S) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=patience_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def exchange(self, wanted: bytes) -> Reply:
        """Sends a request and waits for its whole answer."""
        self.socket.sendall(wanted)
        reply = Reply()
        while not reply.feed(self.socket.recv(RECEIVE_BYTES)):
            pass
        return reply
