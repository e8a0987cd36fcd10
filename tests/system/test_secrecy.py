"""Cards and PINs at a running agent: nothing of them is left in any log, file, event or core."""

from collections.abc import Callable
from pathlib import Path

from agent.credentials import add_card
from agent.settings import Settings
from agent.settings.models import PinMode
from drivers.base import Card
from simulators.registry import Received
from tests.system.conftest import compound

KNOWN, UNKNOWN = Card(56, 0x4AB1C2D3E4F5A6), Card(56, 0x5BC2D3E4F5A6B7)
PIN, DURESS, WRONG = "73918264", "73918265", "91827364"
FORMS = [
    *(form for card in (KNOWN, UNKNOWN) for form in (str(card.number).encode(), f"{card.number:x}".encode())),
    *(card.number.to_bytes(7, order) for card in (KNOWN, UNKNOWN) for order in ("big", "little")),
    *(pin.encode() for pin in (PIN, DURESS, WRONG)),
]


async def test_numbers_and_pins_pass_through_and_leave_nothing(doors_only: Settings, folder: Path) -> None:
    doors = tuple(door.model_copy(update={"pin": PinMode.CARD_AND_PIN}) for door in doors_only.doors)
    settings = doors_only.model_copy(update={"doors": doors})
    async with compound(settings, folder) as running:
        reader = running.osdp["osdp-1"]
        add_card(folder / "credentials.json", KNOWN, "3-502", pin=PIN, duress=DURESS)
        await running.centre.wait_for(lambda event: event.kind == "credentials.changed", timeout_s=20)
        seen = []
        for card, keys, kind, reason in (
            (UNKNOWN, "", "access.denied", "unknown_card"),
            (KNOWN, WRONG, "access.denied", "wrong_pin"),
            (KNOWN, PIN, "access.granted", None),
            (KNOWN, DURESS, "duress", None),
        ):
            reader.present_card("reader-north", card)
            for key in f"{keys}#" if keys else "":
                reader.press("reader-north", key)
            seen.append(await running.centre.wait_for(_is(kind, reason), timeout_s=20))
        limits = Path(f"/proc/{running.agent.pid}/limits").read_text()
        assert next(line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file")) == ["0", "0"]
        events = repr(list(running.centre.received)).encode()
    assert len(seen) == 4
    assert not [form for form in FORMS if form in events.lower()]
    left = [
        (file.name, form)
        for file in folder.rglob("*")
        if file.is_file()
        for form in FORMS
        if form in file.read_bytes().lower()
    ]
    assert left == []


def _is(kind: str, reason: str | None) -> Callable[[Received], bool]:
    return lambda event: event.kind == kind and event.data.get("reason") == reason
