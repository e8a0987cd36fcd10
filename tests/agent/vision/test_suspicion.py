"""Which camera ends the vision process, found by lives without each of them."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent.vision.client import VisionClient
from agent.vision.suspicion import DEATHS, QUICK_S, Suspicion
from drivers.base import DeviceId, DeviceState, SystemClock
from simulators.camera import clip_source
from simulators.clips import fetch_bikes
from tests.agent.vision.test_client import WAIT_S, Heard, settings

A, B, C = (DeviceId(f"cam-{letter}") for letter in "abc")
HOUR_S = 3600.0


class Lives:
    """One life after the other; those that are given a deadly camera end within a second."""

    def __init__(self, cameras: Sequence[DeviceId], deadly: frozenset[DeviceId]) -> None:
        self.suspicion = Suspicion(cameras)
        self.now_s = 1000.0
        self._cameras = frozenset(cameras)
        self._deadly = deadly

    def one(self) -> tuple[frozenset[DeviceId], bool]:
        """Who is left out at its beginning, and whether it lived."""
        out = self.suspicion.begin(self.now_s)
        if self._deadly & (self._cameras - out):
            self.now_s += 1
            self.suspicion.died(self.now_s)
            return out, False
        self.now_s += QUICK_S
        self.suspicion.lives(self.now_s)
        return out, True


@given(st.integers(2, 6), st.data())
def test_one_deadly_camera_is_kept_out_within_a_trial_of_each(count: int, data: st.DataObject) -> None:
    cameras = [DeviceId(f"cam-{number}") for number in range(count)]
    deadly = data.draw(st.sampled_from(cameras))
    lives = Lives(cameras, frozenset({deadly}))
    for _ in range(DEATHS + count):
        out, lived = lives.one()
        if lived:
            break
    assert out == {deadly}
    assert lives.suspicion.begin(lives.now_s) == {deadly}
    assert lives.suspicion.back_s(deadly) == lives.now_s + 600


def test_a_camera_that_does_it_again_is_tried_first_and_kept_out_for_longer() -> None:
    lives = Lives((A, B, C), frozenset({C}))
    terms: list[float] = []
    for _ in range(5):
        while not lives.one()[1]:
            pass
        back_s = lives.suspicion.back_s(C)
        assert back_s is not None
        assert not lives.suspicion.over(lives.now_s)
        terms.append(back_s - lives.now_s)
        lives.now_s = back_s
        assert lives.suspicion.over(lives.now_s)
        assert [lives.one() for _ in range(DEATHS)] == [(frozenset(), False)] * DEATHS
        assert lives.suspicion.begin(lives.now_s) == {C}
    assert terms == [600, 1200, 2400, HOUR_S, HOUR_S]


def test_where_the_process_dies_without_any_of_them_none_is_kept_out() -> None:
    lives = Lives((A, B), frozenset({A, B}))
    outs = [lives.one()[0] for _ in range(2 * (DEATHS + 2))]
    assert outs == 2 * [*[frozenset()] * DEATHS, frozenset({A}), frozenset({B})]


def test_deaths_with_long_lives_between_them_are_no_suspicion() -> None:
    suspicion, now_s = Suspicion((A, B)), 0.0
    for _ in range(10):
        assert suspicion.begin(now_s) == frozenset()
        now_s += QUICK_S
        suspicion.died(now_s)


def test_a_lone_camera_is_never_left_out() -> None:
    lives = Lives((A,), frozenset({A}))
    assert {lives.one()[0] for _ in range(20)} == {frozenset()}


class Ahead(SystemClock):
    """Runs on as the machine's clock does, from wherever the test has put it."""

    ahead_s = 0.0

    def mono_s(self) -> float:
        return super().mono_s() + self.ahead_s


async def test_the_others_are_watched_while_the_deadly_one_is_kept_out_and_tried_again(tmp_path: Path) -> None:
    """Whoever connects to this camera is killed, as by a crash inside a decoder, which cannot be provoked."""
    good, clock, heard = "cam-good", Ahead(), Heard()
    kills = 0

    def kill(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal kills
        writer.close()
        if client.pid is not None:
            kills += 1
            with contextlib.suppress(ProcessLookupError):
                os.kill(client.pid, signal.SIGKILL)

    async with await asyncio.start_server(kill, "127.0.0.1", 0) as server:
        base = settings(tmp_path, source=clip_source(fetch_bikes()), ids=(good,))
        source = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream"
        deadly = base.cameras[0].model_copy(update={"id": "cam-deadly", "source": source})
        config = base.model_copy(update={"cameras": (base.cameras[0], deadly)})
        client = VisionClient(config, clock, heard.observe, heard.emit)
        task = asyncio.create_task(client.run(), name="vision")
        try:
            async with asyncio.timeout(3 * WAIT_S):
                trial = await _said(heard, "cam-deadly", "left out for a trial")
                assert kills >= DEATHS
                clock.ahead_s += QUICK_S
                kept = await _said(heard, "cam-deadly", "kept out for")
                assert kept == "kept out for 10 min: the vision process dies of it"
                assert trial == "left out for a trial: the vision process keeps dying"
                await heard.observation(lambda seen: seen.camera == good)
                before, clock.ahead_s = kills, clock.ahead_s + 600
                await _said(heard, "cam-deadly", "the vision process was ended by signal 9")
                assert kills > before
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _said(heard: Heard, camera: str, words: str) -> str:
    while True:
        status = await heard.until(DeviceState.FAULT)
        if status.device == camera and status.reason.startswith(words):
            return status.reason
