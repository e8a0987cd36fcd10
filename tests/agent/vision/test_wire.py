"""Frames between the two processes survive any cut of the stream, and nonsense is refused."""

import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.observations import Box, Flaw, Label, Observation, Track, View
from agent.vision.wire import (
    MAX_BODY,
    MAX_TRACKS,
    Failed,
    FrameType,
    Message,
    NoSnapshot,
    Snapshot,
    SnapshotWanted,
    Stats,
    WatchedCamera,
    WorkerConfig,
    decode,
    encode,
)
from drivers.base import DeviceId, DeviceState, FrameError, Status
from drivers.camera import CameraSource, Picture

CAMERA = DeviceId("cam-lane")
CONFIG = WorkerConfig(
    cameras=(
        WatchedCamera(
            source=CameraSource(id="cam-lane", source="file:clip.mp4", picture=Picture(width=640, height=272)),
            privacy=(((0, 0), (10, 0), (10, 10)),),
        ),
    ),
    model="nanodet-416-fp16",
    models="/var/lib/gatehouse/models",
    runtime="auto",
    threads=1,
    min_score=0.4,
    profile="economical",
    cpu_cores=1.0,
)
STATS = Stats(10, 0, 5, 3, 1.5, 0.01, 0.2, 100_000, "litert")
SUMS = encode(STATS)[5:]
MESSAGES: list[Message] = [
    CONFIG,
    Observation(CAMERA, 12.5, looked=True, tracks=(Track(7, Label.PERSON, Box(1.5, 2, 30, 40.25), 0.81),)),
    Observation(CAMERA, 12.6, looked=False),
    View(CAMERA, 12.7, 3.5, Flaw.COVERED),
    View(CAMERA, 12.8, 3.5),
    Status(CAMERA, DeviceState.FAULT, 13.0, "没有图像", "检查网线"),
    STATS,
    Failed("no model", "run this"),
    SnapshotWanted(7, CAMERA, 13.5, 65536),
    Snapshot(7, CAMERA, 13.4, bytes(range(256)) * 40, 1, 2, whole=False),
    NoSnapshot(8, "the camera gives no pictures"),
]


def all_of(stream: bytes, cuts: list[int]) -> list[Message]:
    """Feed the stream in pieces cut at the given places."""
    got: list[Message] = []
    buffer = bytearray()
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        buffer += stream[start:end]
        used = 1
        while used:
            used, message = decode(buffer)
            del buffer[:used]
            if message is not None:
                got.append(message)
    assert not buffer
    return got


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_a_message_split_at_any_byte_is_one_message(message: Message) -> None:
    stream = encode(message)
    for cut in range(1, len(stream)):
        assert decode(stream[:cut]) == (0, None)
        assert all_of(stream, [cut]) == [message]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(MESSAGES), min_size=1, max_size=6), st.lists(st.integers(0, 2000), max_size=12))
def test_joined_and_cut_anywhere_all_arrive_in_order(messages: list[Message], cuts: list[int]) -> None:
    stream = b"".join(map(encode, messages))
    assert all_of(stream, sorted(cut for cut in cuts if cut <= len(stream))) == messages


def frame(kind: int, body: bytes) -> bytes:
    return struct.pack(">IB", len(body), kind) + body


def snapshot(**changes: object) -> bytes:
    table: dict[str, object] = {
        "number": 1, "camera": "c", "mono_s": 1.0, "jpeg": "/9j/2Q==", "faces": 0, "persons": 0, "whole": False,
    }  # fmt: skip
    return frame(FrameType.SNAPSHOT, json.dumps(table | changes).encode())


def observation(**changes: object) -> bytes:
    table: dict[str, object] = {"camera": "c", "mono_s": 1.0, "looked": True, "tracks": []}
    return frame(FrameType.OBSERVATION, json.dumps(table | changes).encode())


TRACK = {"id": 1, "label": "person", "box": {"left": 0, "top": 0, "right": 9, "bottom": 9}, "score": 1}


@pytest.mark.parametrize(
    "garbage",
    [
        struct.pack(">IB", MAX_BODY + 1, FrameType.STATUS),
        frame(99, b"{}"),
        frame(0, b"{}"),
        frame(FrameType.OBSERVATION, b"not json"),
        frame(FrameType.VIEW, b'{"camera": "cam-lane", "mono_s": NaN, "reference_s": 1}'),
        frame(FrameType.OBSERVATION, b"{}"),
        observation(mono_s=float("nan")),
        observation(mono_s="soon"),
        observation(mono_s=-1e15),
        observation(mono_s=1e300),
        observation(tracks=[TRACK] * (MAX_TRACKS + 1)),
        frame(FrameType.STATUS, b'{"device": "c", "state": "ok", "mono_s": NaN}'),
        frame(FrameType.STATUS, b'{"device": "c", "state": "ok", "mono_s": -1e15}'),
        snapshot(mono_s=-1e15),
        frame(FrameType.STATS, SUMS.replace(b'"cpu_s":1.5', b'"cpu_s":NaN')),
        observation(tracks=[{"id": 1, "label": "dragon", "box": {}, "score": 1}]),
        frame(FrameType.CONFIG, b'{"cameras": []}'),
        snapshot(mono_s=float("inf")),
        snapshot(persons=10**30),
        snapshot(faces=-1),
        snapshot(jpeg="not base 64 %"),
    ],
)
def test_nonsense_is_refused(garbage: bytes) -> None:
    with pytest.raises(FrameError):
        decode(garbage)


def test_a_picture_in_its_frame_is_one() -> None:
    _, message = decode(snapshot())
    assert isinstance(message, Snapshot)
    assert message.jpeg == b"\xff\xd8\xff\xd9"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_waited_for(garbage: bytes) -> None:
    try:
        used, message = decode(garbage)
    except FrameError:
        return
    assert (used, message) == (0, None)


def test_a_message_over_the_cap_is_not_sent() -> None:
    with pytest.raises(FrameError):
        encode(Failed("x" * MAX_BODY, ""))
