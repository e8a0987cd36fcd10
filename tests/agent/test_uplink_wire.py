"""What passes through the buffered socket: everything, in order, and the other end's last words."""

import random
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

import pytest

from agent.uplink.wire import Wire

_SOURCE = random.Random(4)
MEGABYTE = b"".join(b"\x30\xff\x7f" + _SOURCE.randbytes(0x3FFF) for _ in range(64))
"""PUBLISH packets, each with a remaining length of 16,383."""


@dataclass(frozen=True)
class Line:
    near: Wire
    far: socket.socket


@pytest.fixture
def line() -> Iterator[Line]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    near.setblocking(False)
    far.setblocking(False)
    with closing(Wire(near)) as wire, far:
        yield Line(wire, far)


def test_more_than_the_socket_takes_goes_out_in_order_as_there_is_room(line: Line) -> None:
    for begin in range(0, len(MEGABYTE), 1000):
        line.near.send(MEGABYTE[begin : begin + 1000])
    came = bytearray()
    while len(came) < len(MEGABYTE):
        line.near.flush()
        with suppress(BlockingIOError):
            came += line.far.recv(50_000)
    assert came == MEGABYTE
    assert not line.near.unsent


def test_what_came_is_read_in_pieces_and_never_waited_for(line: Line) -> None:
    came, sent = bytearray(), 0
    while len(came) < len(MEGABYTE):
        with suppress(BlockingIOError):
            sent += line.far.send(MEGABYTE[sent : sent + 70_000])
        line.near.fill()
        while line.near.unread:
            came += line.near.recv(777)
        with pytest.raises(BlockingIOError):
            line.near.recv(1)
    assert came == MEGABYTE


def test_the_other_end_s_last_words_are_read_before_the_end(line: Line) -> None:
    line.near.send(b"too large")
    line.near.flush()
    line.far.send(b"no")
    line.far.close()  # with bytes unread: a reset
    line.near.fill()
    while not line.near.ended:
        line.near.send(b"more")
        line.near.flush()
    assert line.near.recv(10) == b"no"
    assert line.near.recv(10) == b""
    assert not line.near.unsent
