"""What is wrong on site: the agent runs, says what and the cure, and everything else works."""

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.events import Kind
from agent.settings import Settings
from agent.words import Lang
from models.card import FOLDER
from simulators.compound import SimCompound
from tests.system.conftest import about, compound, everything_confirmed, gatehouse, play

CHINESE = re.compile("[一-鿿]")
GRANTED: dict[str, object] = {
    "do": "walk-through",
    "door": "north-gate",
    "card": "resident",
    "expect": [{"kind": "access.granted", "subject": "north-gate"}],
}


async def fault(running: SimCompound, subject: str) -> dict[str, Any]:
    """The event of the fault at the centre; it has a reason and a cure."""
    found = await running.centre.wait_for(about(Kind.DEVICE_FAULT, subject), timeout_s=15)
    assert found.data["reason"]
    assert found.data["hint"]
    return dict(found.data)


async def shown(running: SimCompound, lang: Lang) -> dict[str, str]:
    """What `gatehouse status` says of each thing that is amiss: reason and cure."""
    said = await gatehouse("status", running.file, "--lang", lang)
    assert said.code == 1
    found, name = {}, ""
    for line in said.out.splitlines():
        if line.startswith(("✗", "!", "✓")):
            name, _, what = line[2:].partition("：" if lang is Lang.ZH else ": ")
            name = name.partition("（" if lang is Lang.ZH else " (")[0]
            found[name] = what
        elif line.strip().startswith("→"):
            found[name] += line
    return found


async def test_every_device_that_is_missing_or_misconfigured_is_named_and_the_rest_works(
    settings: Settings, folder: Path
) -> None:
    def mistakes(table: dict[str, Any]) -> None:
        (folder / "reader-south.key").write_text("5a" * 16)
        osdp = {"driver": "osdp", "id": "osdp-2", "port": "/dev/serial/by-path/none"}
        readers = [{"id": "reader-yard", "address": 0, "key_file": str(folder / "reader-north.key")}]
        chip = {"driver": "gpio", "id": "gpio-2", "chip": "gpiochip-none", "outputs": [{"id": "siren", "line": 3}]}
        table["devices"] += [osdp | {"readers": readers}, chip]
        camera = dict(table["cameras"][0], id="cam-yard", source="file:/nowhere/yard.mp4", zones=[])
        table["cameras"].append(camera)

    faulty = {"reader-south", "osdp-2", "reader-yard", "gpio-2", "cam-yard"}
    async with compound(settings, folder, mistakes=mistakes, faulty=faulty) as running:
        outcome = await play(
            running,
            [
                GRANTED,
                {
                    "do": "request-exit",
                    "door": "south-gate",
                    "expect": [{"kind": "door.egress", "subject": "south-gate"}],
                },
                {
                    "do": "set",
                    "point": "pump-room/water",
                    "value": True,
                    "expect": [{"kind": "water", "subject": "pump-room-water"}],
                },
            ],
        )
        assert outcome.passed, (outcome.missing, outcome.failed)
        expected = {
            "reader-south": ("key", "key"),
            "reader-yard": ("/dev/serial/by-path/none", "plug"),
            "gpio-2": ("gpiochip-none", "GPIO chip"),
            "cam-yard": ("/nowhere/yard.mp4", "source"),
        }
        status = await shown(running, Lang.EN)
        chinese = await shown(running, Lang.ZH)
        for subject, (reason, cure) in expected.items():
            data = await fault(running, subject)
            assert reason in data["reason"]
            assert cure in data["hint"]
            assert data["reason"] in status[subject]
            assert data["hint"] in status[subject]
            assert all(map(CHINESE.search, chinese[subject].split("→")))
        assert status["cam-lane"] == "ok"


@pytest.fixture
async def without_cards_and_model(settings: Settings, folder: Path) -> AsyncIterator[SimCompound]:
    """A damaged card list, and a model file with one byte changed."""
    shutil.copytree(FOLDER, folder / "models", ignore=shutil.ignore_patterns("build", "__pycache__"))
    with next((folder / "models").glob("*fp16.tflite")).open("r+b") as model:
        model.seek(1000)
        model.write(b"\xff\x00\xff")

    def mistakes(table: dict[str, Any]) -> None:
        path = Path(table["access"]["credentials_file"])
        path.write_text(path.read_text()[:-20])

    async with compound(settings, folder, mistakes=mistakes, faulty={"cam-lane"}) as running:
        yield running


async def test_damaged_card_list_and_altered_model_are_named_and_the_rest_works(
    without_cards_and_model: SimCompound,
) -> None:
    running = without_cards_and_model
    running.present_card("reader-north", "resident")
    await running.centre.wait_for(about(Kind.ACCESS_DENIED, "north-gate"))
    running.set_point("stairwell-1/smoke", True)
    await running.centre.wait_for(about(Kind.SMOKE, "stairwell-1-smoke"))
    await running.request_exit("north-gate")
    await running.lock_is("north-gate", unlocked=True)

    model, cards = await fault(running, "cam-lane"), await fault(running, "credentials")
    assert "SHA-256" in model["reason"]
    assert "run: " in model["hint"]
    assert "the card list is damaged" in cards["reason"]
    assert "enter the cards again" in cards["hint"]
    status = await shown(running, Lang.EN)
    assert model["hint"] in status["cam-lane"]
    assert cards["hint"] in status["card list"]
    chinese = await shown(running, Lang.ZH)
    for subject in ("cam-lane", "通行名单"):
        assert all(map(CHINESE.search, chinese[subject].split("→")))
    await everything_confirmed(running)
