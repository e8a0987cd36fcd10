"""Plays a city and prints what came of it, beside what it is held to."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.words import Lang, Words
from simulators.fleet.run import Fleet, Ledger, Phase, Storm

STORM_ALARM_S: Final = 0.25
"""Alarms of the storm reach the centre within this at the 99th percentile, once their gateway has its link."""
_IN_STEP: Final = 0.1
"""Of all dials, in any 100 ms, once the first second of an outage is over: more would be gateways in step."""


class Report:
    """One play, in one language."""

    def __init__(self, lang: Lang, console: Console | None = None) -> None:
        self._lang = lang
        self._console = console or Console(highlight=False)

    async def play(self, fleet: Fleet) -> bool:
        """Whether everything it is held to held. Raises: GatehouseError when the city does not come up."""
        fleet.tell = lambda words: self._console.print(f"▶ {words.to(self._lang)}")
        fleet.tell(
            Words(
                f"{fleet.count} gateways start; {fleet.broker.name}", f"{fleet.count} 台网关启动；{fleet.broker.name}"
            )
        )
        async with fleet:
            steady = await fleet.steady()
            stormy, storm = await fleet.storm()
            rolling = await fleet.rolling_outage()
            ledger = await fleet.settle()
        self._phases((steady, stormy, rolling))
        return self._books(fleet, ledger, storm, stormy)

    def _phases(self, phases: Sequence[Phase]) -> None:
        table = Table(title=self._say(Words("What the city went through", "全城过程")))
        for words in (
            Words("phase", "阶段"), Words("s", "秒"), Words("ent./s", "条目/秒"), Words("alarms", "报警"),
            Words("p50", "p50"), Words("p99", "p99"), Words("felt p99", "自发生起 p99"),
            Words("broker", "代理"), Words("gateways", "网关"), Words("centre", "中心"),
        ):  # fmt: skip
            table.add_column(self._say(words), justify="right")
        for phase in phases:
            table.add_row(
                self._say(phase.name), f"{phase.seconds:.0f}", f"{phase.entries / phase.seconds:.0f}",
                f"{len(phase.linked)}",
                _ms(phase.linked, 0.5), _ms(phase.linked, 0.99), _ms(phase.felt, 0.99),
                f"{phase.load.broker:.1%}", f"{phase.load.gateways:.1%}", f"{phase.load.centre:.1%}",
            )  # fmt: skip
        self._console.print(table)
        self._console.print(self._say(Words(
            "p50, p99: alarms, from raising, or from their gateway's link where that came later, to the centre; "
            "felt: from raising; broker, gateways, centre: of one core",
            "p50、p99：报警自发生（或其网关恢复连接）起至中心；代理、网关、中心：占一个核心的比例",
        )))  # fmt: skip

    def _books(self, fleet: Fleet, ledger: Ledger, storm: Storm, stormy: Phase) -> bool:
        proof, count = ledger.proof, fleet.count
        whole = ledger.gateways == count and ledger.stored == ledger.taken and not ledger.waiting
        faultless = not (proof.gaps or proof.broken or proof.conflicts or proof.unknown)
        table = Table(title=self._say(Words("Books", "账目")), show_header=False)
        rows: list[tuple[Words, str, bool | None]] = [
            (Words("gateways", "网关"), f"{ledger.gateways}", ledger.gateways == count),
            (Words("entries taken by journals", "各网关已接收条目"), f"{ledger.taken}", None),
            (Words("stored at the centre", "中心已存储"), f"{ledger.stored}", whole),
            (Words("gaps, broken chains, conflicts", "缺口、断链、冲突"),
             f"{proof.gaps}, {proof.broken}, {proof.conflicts}", faultless),
            (Words("duplicates (removed)", "重复（已去除）"), f"{proof.duplicates}", None),
            (Words("receipts", "回执"), f"{ledger.receipts}", None),
            (Words("storm: all back after", "风暴：全部恢复用时"), f"{storm.back_s:.1f} s",
             storm.back_s <= fleet.pace.storm_s),
            (Words("dials; busiest 100 ms at first, later", "拨号次数；最密 100 毫秒（初期、其后）"),
             f"{storm.dials}; {storm.busiest}, {storm.busiest_later}", _spread(storm, count)),
            (Words("alarms in the storm, p99", "风暴中报警 p99"), _ms(stormy.linked, 0.99),
             _quantile(stormy.linked, 0.99) <= STORM_ALARM_S),
        ]  # fmt: skip
        for words, figure, held in rows:
            mark = {None: "", True: "✓", False: "✗"}[held]
            table.add_row(
                self._say(words), Text(figure, justify="right"), Text(mark, style="red" if held is False else "green")
            )
        self._console.print(table)
        return all(held is not False for _, _, held in rows)

    def _say(self, words: Words) -> str:
        return words.to(self._lang)


def _spread(storm: Storm, count: int) -> bool:
    """A few gateways may well meet by chance."""
    return storm.busiest_later <= max(5, _IN_STEP * storm.dials, count * _IN_STEP)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _ms(ordered: Sequence[float], share: float) -> str:
    return f"{_quantile(ordered, share) * 1000:.0f} ms" if ordered else "–"
