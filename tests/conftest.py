"""Fixtures that hold for every test: nothing may leak, and no log call may be badly formatted."""

import asyncio
import gc
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.events import Event
from agent.journal import Draft
from agent.recorder import Recorder
from agent.rules.step import Step
from tests.declared import check_event

STRICT = os.environ.get("GATEHOUSE_TEST_STRICT") == "1"


def need(present: object, what: str) -> None:
    """Skip when a real part is missing, and fail instead in the strict run."""
    if not present:
        if STRICT:
            pytest.fail(f"the strict run needs {what}")
        pytest.skip(f"needs {what}")


class _RaisesOnBadFormat(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()


logging.getLogger("pymodbus.logging").setLevel(logging.INFO)
"""A failure prints the log: the simulated sensors' every byte would bury ours."""


@pytest.fixture(autouse=True)
def _log_calls_are_well_formed() -> Iterator[None]:
    handler = _RaisesOnBadFormat()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)


@pytest.fixture(autouse=True)
def _events_are_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every event that a rule decides, or an agent in this process records, says what its kind declares."""
    decide, record = Step.__init__, Recorder.event

    def deciding(step: Step[Any], *given: Any, **named: Any) -> None:
        decide(step, *given, **named)
        for event in step.events:
            check_event(event)

    def recording(recorder: Recorder, event: Event) -> Draft:
        check_event(event)
        return record(recorder, event)

    monkeypatch.setattr(Step, "__init__", deciding)
    monkeypatch.setattr(Recorder, "event", recording)


def _open_files() -> set[str]:
    found = set()
    for fd in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(fd)  # noqa: PTH115 - the text, whether or not it is a path
        except FileNotFoundError:
            continue
        if not target.startswith(("anon_inode", "/dev/null", "/proc/")):
            found.add(f"{fd.name}:{target}")
    return found


@pytest.fixture(autouse=True)
def _nothing_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """No thread and no descriptor outlives its test; asyncio's own loop is torn down after this fixture."""
    if "event_loop_policy" in request.fixturenames or asyncio.iscoroutinefunction(request.function):
        request.getfixturevalue("_no_task_leaks")
    threads, files = set(threading.enumerate()), _open_files()
    yield
    gc.collect()
    left = [t.name for t in threading.enumerate() if t not in threads and not t.name.startswith("asyncio_")]
    assert not left, f"threads left running: {left}"
    opened = {
        f for f in _open_files() - files if "socket:" not in f or not asyncio.iscoroutinefunction(request.function)
    }
    assert not opened, f"descriptors left open: {opened}"


@pytest.fixture
async def _no_task_leaks() -> object:
    before = asyncio.all_tasks()
    yield
    left = [t.get_name() for t in asyncio.all_tasks() - before if t is not asyncio.current_task()]
    assert not left, f"tasks left running: {left}"
