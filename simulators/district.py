"""What a district's duty officer watches: compounds, open alarms, faulty devices, coverage and availability.

Coverage (全域覆盖) is the share of all known devices that are alive now; availability (全时可用) the share of all
device-time since each was first heard of. A device is alive while its gateway is online and says that it is well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from rich.console import Group
from rich.table import Table
from rich.text import Text

from agent.contract import Online
from agent.contract.commands import Handled
from agent.doctor import both
from agent.events import CATALOGUE, RESTORES, Kind, Lane, Severity
from agent.words import Lang, Words
from drivers.base import DeviceState
from simulators.centre import Centre, GatewayBook, Received
from simulators.registry import REMINDERS

ROWS: Final = 12
_COLOURS: Final = {
    Severity.CRITICAL: "bold red",
    Severity.MAJOR: "yellow",
    Severity.MINOR: "cyan",
    Severity.INFO: "green",
}

_HANDLED: Final = {
    None: Words("nobody yet", "未接收"),
    Handled.RECEIVED: Words("received", "已接收"),
    Handled.DISPATCHED: Words("dispatched", "已派单"),
    Handled.RESOLVED: Words("resolved", "已办结"),
}


class Subject(NamedTuple):
    gateway: str
    kind: Kind
    subject: str


@dataclass(slots=True)
class _Service:
    """How long a device has been known and alive, in seconds, up to `looked_s`."""

    looked_s: float
    known_s: float = 0.0
    alive_s: float = 0.0
    alive: bool = False

    def look(self, now: float, *, alive: bool) -> None:
        self.known_s += now - self.looked_s
        self.alive_s += now - self.looked_s if self.alive else 0.0
        self.looked_s, self.alive = now, alive


@dataclass(frozen=True, slots=True)
class Figures:
    compounds: int
    online: int
    alarms: int
    devices: int
    alive: int
    availability: float
    """0 to 1; 1 while nothing is known."""

    @property
    def coverage(self) -> float:
        return self.alive / self.devices if self.devices else 1.0


class District:
    """Told of each new event, asked for figures now and then: between two questions a device is what it was."""

    def __init__(self) -> None:
        self._last: dict[Subject, Received] = {}
        """Of each alarm the newest event, be it raised or restored."""
        self._services: dict[tuple[str, str], _Service] = {}

    def open(self, gateways: Mapping[str, GatewayBook]) -> list[Received]:
        """Alarms that are raised, and neither restored nor resolved by somebody; the newest first."""
        raised = (event for event in self._last.values() if event.kind not in RESTORES)
        left = (event for event in raised if _state(gateways, event) is not Handled.RESOLVED)
        return sorted(left, key=lambda event: event.arrived_s, reverse=True)

    def received(self, event: Received) -> None:
        """In any order: within an epoch the sequence decides which of two is the newer. A reminder is no new alarm."""
        if event.lane is not Lane.ALARM or event.kind in REMINDERS:
            return
        subject = Subject(event.gateway, RESTORES.get(event.kind, event.kind), event.subject)
        last = self._last.get(subject)
        if last is None or last.epoch != event.epoch or last.sequence < event.sequence:
            self._last[subject] = event

    def look(self, gateways: Mapping[str, GatewayBook], now: float) -> Figures:
        compounds = online = 0
        for book in gateways.values():
            compounds += 1
            up = book.presence is not None and book.presence.state is Online.ONLINE
            online += up
            for name, device in book.devices.items():
                service = self._services.setdefault((book.path, name), _Service(now))
                service.look(now, alive=up and device.state is DeviceState.OK)
        services = self._services.values()
        known_s = sum(service.known_s for service in services)
        return Figures(
            compounds=compounds,
            online=online,
            alarms=len(self.open(gateways)),
            devices=len(services),
            alive=sum(service.alive for service in services),
            availability=sum(service.alive_s for service in services) / known_s if known_s else 1.0,
        )


def picture(centre: Centre, district: District, now: float, lang: Lang) -> Group:
    """The whole view, in one language."""
    figures = district.look(centre.gateways, now)
    head = Table.grid(padding=(0, 3))
    head.add_row(*(Text(f"{words.to(lang)} {figure}", style="bold") for words, figure in (
        (Words("compounds online", "在线小区"), f"{figures.online}/{figures.compounds}"),
        (Words("alarms open", "未恢复报警"), f"{figures.alarms}"),
        (Words("devices faulty", "故障设备"), f"{figures.devices - figures.alive}/{figures.devices}"),
        (Words("coverage", "全域覆盖"), f"{figures.coverage:.1%}"),
        (Words("availability", "全时可用"), f"{figures.availability:.2%}"),
    )))  # fmt: skip
    return Group(head, _alarms(centre, district, lang), _troubles(centre, lang))


def _alarms(centre: Centre, district: District, lang: Lang) -> Table:
    table = Table(title=Words("Open alarms", "未恢复报警").to(lang), expand=True)
    for words in (
        Words("compound", "小区"), Words("alarm", "报警"), Words("about", "对象"), Words("entry", "条目"),
        Words("handling", "处置"),
    ):  # fmt: skip
        table.add_column(words.to(lang))
    for event in district.open(centre.gateways)[:ROWS]:
        info = CATALOGUE[event.kind]
        title = Text(Words(info.title_en, info.title_zh).to(lang), style=_COLOURS[info.severity])
        entry, state = f"{event.lane}/{event.sequence}", _HANDLED[_state(centre.gateways, event)]
        table.add_row(_compound(centre, event.gateway, lang), title, _subject(event, lang), entry, state.to(lang))
    return table


def _troubles(centre: Centre, lang: Lang) -> Table:
    """Compounds that are away, then devices that are not well."""
    table = Table(title=Words("Away or faulty", "离线与故障").to(lang), expand=True)
    for words in (Words("compound", "小区"), Words("device", "设备"), Words("reason", "原因")):
        table.add_column(words.to(lang))
    rows: list[tuple[str, str, str]] = []
    for name, book in centre.gateways.items():
        if book.presence is None or book.presence.state is Online.OFFLINE:
            rows.append((_compound(centre, name, lang), "–", Words("offline", "离线").to(lang)))
            continue
        rows += [
            (_compound(centre, name, lang), device, message.reason or message.state.value)
            for device, message in book.devices.items()
            if message.state is not DeviceState.OK
        ]
    for compound, device, reason in sorted(rows)[:ROWS]:
        table.add_row(compound, device, both(reason).to(lang))
    if len(rows) > ROWS:
        table.add_row("…", "", Words(f"and {len(rows) - ROWS} more", f"另有 {len(rows) - ROWS} 项").to(lang))
    return table


def _compound(centre: Centre, gateway: str, lang: Lang) -> str:
    status = centre.gateways[gateway].status
    return gateway if status is None else Words(status.name.en, status.name.zh).to(lang)


def _state(gateways: Mapping[str, GatewayBook], event: Received) -> Handled | None:
    gateway = gateways.get(event.gateway)
    return None if gateway is None else gateway.handled.get(event.identity)


def _subject(event: Received, lang: Lang) -> str:
    name = event.data.get("name")
    return str(name[lang.value]) if isinstance(name, dict) and lang.value in name else event.subject
