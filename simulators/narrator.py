"""Tells a scenario in the terminal: a live table where there is a terminal, plain lines elsewhere, then the books."""

from collections import Counter, deque
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agent.cli.complaints import COMPLAINTS
from agent.events import CATALOGUE, Kind, Severity
from agent.settings import Settings
from agent.words import Lang, Words
from drivers.base import Clock
from simulators.centre import Received
from simulators.compound import SimCompound
from simulators.player import Outcome
from simulators.scenario import ActionStep, Scenario

_ROWS = 12
_COLOURS = {Severity.CRITICAL: "bold red", Severity.MAJOR: "yellow", Severity.MINOR: "cyan", Severity.INFO: "green"}
_WITHHELD_S = 1.0
"""An event that arrives later than this waited for the uplink; it is counted apart."""


class Narrator:
    """A context manager for the time of the play; everything it prints is in one language."""

    def __init__(self, lang: Lang, clock: Clock, console: Console | None = None) -> None:
        self._lang = lang
        self._clock = clock
        self._console = console or Console(highlight=False)
        self._rows: deque[tuple[str, str, str, str, str]] = deque(maxlen=_ROWS)
        self._said = ""
        self._kinds: Counter[Kind] = Counter()
        self._latencies_s: list[float] = []
        self._readings = 0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(self._picture(), console=self._console, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        if self._live is not None:
            self._live.stop()
            self._live = None

    # ------------------------------------------------------------ what is told

    def opening(self, settings: Settings, scenario: Scenario) -> None:
        name = self._pick(Words(settings.gateway.name.en, settings.gateway.name.zh))
        title = self._pick(Words(scenario.title.en, scenario.title.zh))
        doors, sensors, cameras = len(settings.doors), len(settings.sensors), len(settings.cameras)
        self._console.print(Text(f"{name}: {title}", style="bold"))
        self._console.print(
            self._pick(
                Words(
                    f"  {doors} doors, {sensors} sensors, {cameras} camera(s), all on simulated wires; starting …",
                    f"  {doors} 扇门、{sensors} 个传感器、{cameras} 台摄像机，全部为模拟线路；启动中…",
                )
            )
        )

    def up(self, compound: SimCompound) -> None:
        self._console.print(
            self._pick(
                Words(
                    f"  up: agent pid {compound.agent.pid}, MQTT on 127.0.0.1:{compound.broker.port}",
                    f"  已启动：代理进程 {compound.agent.pid}，MQTT 127.0.0.1:{compound.broker.port}",
                )
            )
        )

    def step(self, step: ActionStep) -> None:
        if step.say is None:
            return
        self._said = self._pick(Words(step.say.en, step.say.zh))
        if self._live is None:
            self._console.print(Text(f"▶ {self._said}", style="bold"))
        else:
            self._live.console.print(Text(f"▶ {self._said}", style="bold"))
            self._live.update(self._picture())

    def received(self, received: Received) -> None:
        """Told of everything the centre stores, once."""
        if received.kind is Kind.READINGS:
            self._readings += received.readings
            return
        late_s = received.arrived_s - received.mono_s
        self._kinds[received.kind] += 1
        self._latencies_s.append(late_s)
        info = CATALOGUE[received.kind]
        title = self._pick(Words(info.title_en, info.title_zh))
        colour = _COLOURS[info.severity]
        self._rows.append((received.lane.value, title, received.subject, _duration(late_s), colour))
        if self._live is None:
            self._console.print(
                Text(
                    f"    {received.lane.value:9} {title:32} {received.subject:20} {_duration(late_s):>9}", style=colour
                )
            )
        else:
            self._live.update(self._picture())

    # ------------------------------------------------------------ the books

    def summary(self, compound: SimCompound, outcome: Outcome) -> None:
        proof = compound.centre.proof()
        prompt = sorted(s for s in self._latencies_s if s <= _WITHHELD_S)
        held = [s for s in self._latencies_s if s > _WITHHELD_S]
        books = Table(title=self._pick(Words("What the centre can prove", "中心的账目")), show_header=False)
        for words, value in (
            (Words("readings", "读数"), self._readings),
            (Words("events delivered", "送达事件"), sum(self._kinds.values())),
            (Words("confirmed by the centre", "中心已确认条目"), proof.confirmed),
            (Words("waiting", "待确认"), outcome.waiting),
            (Words("duplicates (removed)", "重复（已去除）"), proof.duplicates),
            (Words("gaps", "缺口"), proof.gaps),
            (Words("broken hash chains", "断裂的哈希链"), proof.broken),
            (Words("latency, wire to centre, p50 / p99", "线路到中心时延 p50 / p99"),
             f"{_duration(_quantile(prompt, 0.5))} / {_duration(_quantile(prompt, 0.99))}"),
            (Words("kept on disk during the cut, then delivered", "断网期间落盘、恢复后送达"), len(held)),
        ):  # fmt: skip
            books.add_row(self._pick(words), Text(str(value), justify="right"))
        kinds = Table(title=self._pick(Words("Events by kind", "各类事件")), show_header=False)
        for kind, count in sorted(self._kinds.items()):
            info = CATALOGUE[kind]
            kinds.add_row(info.lane.value, kind.value, f"{info.title_zh} / {info.title_en}", str(count))
        self._console.print(kinds)
        self._console.print(books)
        for line in (*outcome.missing, *outcome.failed):
            self._console.print(Text(f"✗ {self._pick(COMPLAINTS.both(line))}", style="bold red"))
        if outcome.passed:
            self._console.print(Text(self._pick(Words("✓ nothing missing", "✓ 一条不缺")), style="bold green"))

    def staying(self, compound: SimCompound) -> None:
        self._console.print(
            self._pick(
                Words("Staying up; Ctrl-C ends. Watch it with:", "保持运行，Ctrl-C 结束。可以这样观察："),
            )
            + f"\n  mosquitto_sub -V 5 -p {compound.broker.port} -t 'gatehouse/1/up/#' -v"
            + f"\n  gatehouse status {compound.file}"
        )

    # ------------------------------------------------------------ drawing

    def _pick(self, words: Words) -> str:
        return words.to(self._lang)

    def _picture(self) -> Group:
        table = Table(expand=True, title=self._pick(Words("At the centre", "中心收到")))
        for words in (Words("lane", "通道"), Words("event", "事件"), Words("about", "对象"), Words("after", "时延")):
            table.add_column(self._pick(words))
        for lane, title, subject, late, colour in self._rows:
            table.add_row(lane, Text(title, style=colour), subject, late)
        counted = self._pick(Words("readings", "读数"))
        return Group(table, Text(f"▶ {self._said}", style="bold"), Text(f"{counted}: {self._readings}"))


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < _WITHHELD_S else f"{seconds:.1f} s"


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
