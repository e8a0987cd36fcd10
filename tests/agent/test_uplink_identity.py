"""Certificates are renewed while the agent runs: checked whole, used without a restart, and never lost by a mistake."""

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.events import Kind
from agent.settings import Centre as CentreSettings
from agent.settings import Confirm
from agent.uplink import LinkPhase, Target, Trouble, TroubleCode
from agent.uplink.identity import Identity
from agent.uplink.papers import PapersError, read
from drivers.base import ClockTrust, SystemClock
from simulators.broker import Broker, Tls
from tests.agent.house import House, house
from tests.authority import SERVER, Authority
from tests.clock import ManualClock
from tests.conftest import need

CLOCK = SystemClock(ClockTrust.ALWAYS)
HOST = "127.0.0.1"


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "district-ca")


def papers_of(ca: Authority, cert: Path, key: Path, broker: str = "mqtts://127.0.0.1") -> CentreSettings:
    return CentreSettings(broker=broker, ca_file=ca.file, cert_file=cert, key_file=key, confirm=Confirm.BROKER)


def into_place(new: tuple[Path, Path], names: tuple[Path, Path]) -> None:
    for source, name in zip(new, names, strict=True):
        source.replace(name)


# ---------------------------------------------------------------- read whole


def truncated(ca: Authority) -> tuple[Path, Path]:
    cert, key = ca.issue("gateway")
    cert.write_bytes(cert.read_bytes()[:300])
    return cert, key


def another_key(ca: Authority) -> tuple[Path, Path]:
    return ca.issue("gateway")[0], ca.issue("gateway", file="other")[1]


def signed_by_a_namesake(ca: Authority) -> tuple[Path, Path]:
    folder = ca.file.parent / "elsewhere"
    folder.mkdir()
    return Authority(folder, "district-ca").issue("gateway")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (truncated, "cannot be used"),
        (another_key, "cannot be used together"),
        (signed_by_a_namesake, "not signed by"),
        (lambda ca: ca.issue("gateway", ends=-0.5), "ended on"),
        (lambda ca: ca.issue("gateway", begins=1), "begins on"),
        (lambda ca: ca.issue("gateway", usage=SERVER), "not one for clients"),
        (lambda ca: (ca.issue("gateway")[0], Path("/nowhere.key")), "No such file"),
    ],
)  # fmt: skip
def test_papers_that_would_not_work_are_refused_with_the_reason(
    ca: Authority, make: Callable[[Authority], tuple[Path, Path]], said: str
) -> None:
    target = Target.of(papers_of(ca, *make(ca)))
    with pytest.raises(PapersError, match=said) as caught:
        read(target, CLOCK.utc())
    assert caught.value.hint


def test_without_a_clock_dates_are_not_judged(ca: Authority) -> None:
    papers = read(Target.of(papers_of(ca, *ca.issue("gateway", begins=10, ends=20))), None)
    assert papers.ends is not None


async def test_the_end_of_the_certificate_is_told_beforehand_and_no_more_than_once_a_step(ca: Authority) -> None:
    told: list[Trouble] = []
    names = ca.issue("gateway", ends=40)
    clock = ManualClock(utc=CLOCK.utc())
    identity = Identity(Target.of(papers_of(ca, *names)), clock, told.append)
    await identity.look()
    assert identity.papers is not None
    identity.used(identity.papers)
    for _ in range(41 * 4):
        await clock.advance(dt.timedelta(hours=6).total_seconds())
        await identity.look()
    assert [trouble.reason.rsplit(", ", 1)[-1] for trouble in told[:3]] == [f"within {n} days" for n in (30, 7, 1)]
    assert "has ended" in told[3].reason
    assert len(told) == 4
    into_place(ca.issue("gateway", file="new", ends=400), names)
    await identity.look()
    assert identity.renewed
    identity.used(identity.papers)
    assert [trouble.code for trouble in told[4:]] == [TroubleCode.CERTIFICATE_WELL]


# ---------------------------------------------------------------- renewed under way


@pytest.fixture
def mutual(ca: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Broker:
    """mosquitto with mTLS; its log names the certificate of each connection."""
    need(Broker.has("mosquitto"), "mosquitto")
    monkeypatch.setattr("agent.uplink.dialler.LOOK_S", 0.05)
    cert, key = ca.issue("broker", HOST)
    return Broker.mosquitto(tmp_path / "broker", tls=Tls(ca.file, cert, key, client_ca=True))


async def seen(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not holds():
            await CLOCK.sleep(0.02)


def came_as(broker: Broker, name: str) -> int:
    return (broker.folder / "mosquitto.log").read_text().count(f"u'{name}'")


async def deliver(made: House, subject: str) -> None:
    made.report(Kind.SMOKE, subject)
    await made.confirmed(40)


async def test_a_renewed_certificate_is_used_without_a_restart(ca: Authority, mutual: Broker, tmp_path: Path) -> None:
    """Put in place one file after the other, with a long pause between them."""
    old = ca.issue("gateway-1")
    async with mutual, house(tmp_path / "j", papers_of(ca, *old, mutual.url), clock=CLOCK) as made:
        await made.linked()
        await deliver(made, "before")
        new = ca.issue("gateway-2")
        new[0].replace(old[0])
        await seen(lambda: bool(made.troubles))
        assert made.troubles[0].code is TroubleCode.CERTIFICATE
        assert "key must belong" in made.troubles[0].hint
        await deliver(made, "between")
        assert came_as(mutual, "gateway-2") == 0
        new[1].replace(old[1])
        await seen(lambda: came_as(mutual, "gateway-2") == 1 and len(made.troubles) == 2)
        await deliver(made, "after")
        assert made.troubles[1].code is TroubleCode.CERTIFICATE_WELL
        assert LinkPhase.DOWN not in {link.phase for link in made.links}
        assert came_as(mutual, "gateway-1") == 1


async def test_a_new_certificate_that_the_broker_refuses_gives_way_to_the_old(
    ca: Authority, mutual: Broker, tmp_path: Path
) -> None:
    names = ca.issue("gateway-1")
    async with mutual, house(tmp_path / "j", papers_of(ca, *names, mutual.url), clock=CLOCK) as made:
        await made.linked()
        into_place(Authority(tmp_path, "stranger").issue("gateway-2"), names)
        await seen(lambda: bool(made.troubles) and "the old one is used" in made.troubles[-1].reason)
        await seen(lambda: made.uplink.link.phase is LinkPhase.UP)
        await deliver(made, "still")
        assert came_as(mutual, "gateway-1") == 2
        into_place(ca.issue("gateway-3"), names)
        await seen(lambda: came_as(mutual, "gateway-3") == 1)
        await seen(lambda: made.troubles[-1].code is TroubleCode.CERTIFICATE_WELL)
        await deliver(made, "renewed")


async def test_files_that_vanish_change_nothing(ca: Authority, mutual: Broker, tmp_path: Path) -> None:
    names = ca.issue("gateway-1")
    async with mutual, house(tmp_path / "j", papers_of(ca, *names, mutual.url), clock=CLOCK) as made:
        await made.linked()
        names[1].unlink()
        await seen(lambda: bool(made.troubles))
        await mutual.kill()
        await seen(lambda: made.uplink.link.phase is LinkPhase.DOWN)
        await mutual.start()
        await made.linked()
        await deliver(made, "from memory")
