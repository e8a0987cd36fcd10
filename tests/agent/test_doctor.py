"""The doctor names what is wrong with this machine, on real files, ports and sockets, and how to cure it."""

import asyncio
import fcntl
import os
import secrets
import ssl
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.credentials import add_card
from agent.doctor import Finding, Level, examine, files, hardware, network, report, running
from agent.settings import Settings, Zone, ZoneKind, load
from agent.snapshot_store import KEY_FILE
from agent.words import Lang
from drivers.base import Card, Clock, ClockTrust, GatehouseError, SystemClock
from drivers.camera import Picture as PictureSize
from models import card
from tests.clock import ManualClock
from tests.conftest import need

SIMULATED = (Path(__file__).parents[2] / "config/simulated.toml").read_text()

Site = Callable[..., Settings]


@pytest.fixture(autouse=True)
def _files_are_read_by_whoever_runs_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "service_user", os.geteuid)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Settings of the simulated compound in a folder of its own, with replacements."""

    def site(**replaced: str) -> Settings:
        text = SIMULATED
        for old, new in replaced.items():
            known = _PLACES[old]
            assert known in text
            text = text.replace(known, new, 1)
        path = tmp_path / "compound.toml"
        path.write_text(text)
        return load(path)

    return site


RUNNING: Mapping[str, object] = {
    "version": "1.0",
    "gateway": {"id": "gh-1", "zh": "一号院", "en": "Compound 1"},
    "names": {"gate": {"zh": "北门", "en": "North gate"}},
    "time_trusted": True,
    "link": {"phase": "up", "reason": "", "hint": "", "protocol": "5"},
    "journal": {"state": "ok", "reason": "", "hint": "", "refused": 0, "pending": 0, "epoch": "e"},
    "lanes": {"alarm": {"last": 3, "confirmed": 2, "waiting": 1}},
    "cards": {"count": 1, "problem": "", "hint": ""},
    "devices": {},
    "doors": {"gate": {"unlocked": False, "open": True, "forced": False, "held": False}},
    "sensors": {"smoke": {"raised": True, "value": True}, "water": {"raised": False, "value": False}},
    "zones": {"cam/lane": {"raised": {}, "blind": ""}},
    "lines": {},
    "passages": {},
    "verdicts": {},
    "views": {"cam": {"raised": [], "blind": ""}},
    "vision": {"pid": None, "stats": None},
    "rules_failed": [],
}
"""What the agent says of itself on a good day, with one alarm."""


@pytest.mark.parametrize(
    ("lang", "lines"),
    [
        (
            Lang.EN,
            [
                "✓ gateway: Compound 1 (gh-1), version 1.0",
                "✓ centre: connected, MQTT 5",
                "✓ journal: 3 entries written, 1 waiting for the centre",
                "✓ card list: 1 card",
                "✓ door gate (North gate): locked, open",
                "! sensor smoke: in alarm",
                "    → look after it on site",
                "✓ sensors: 1 of 2 quiet",
                "",
                "✓ Everything works; 1 note.",
            ],
        ),
        (
            Lang.ZH,
            [
                "✓ 网关：一号院（gh-1），版本 1.0",
                "✓ 综治中心：已连接，MQTT 5",
                "✓ 事件日志：已写入 3 条，1 条待综治中心确认",
                "✓ 通行名单：1 张卡",
                "✓ 门 gate（北门）：已上锁，门开",
                "! 传感器 smoke：报警",
                "    → 请查看现场",
                "✓ 传感器：2 个中 1 个无报警",
                "",
                "✓ 全部正常，有 1 条提示。",
            ],
        ),
    ],
)
def test_status_of_a_good_day_is_short_and_plain(lang: Lang, lines: Sequence[str]) -> None:
    assert report(running(RUNNING), lang).splitlines() == lines


@pytest.mark.parametrize(
    ("changed", "en", "zh"),
    [
        ({"time_trusted": False}, "! clock: is not synchronised", "! 时钟：未校准"),
        (
            {"cards": {"count": 0, "problem": "cards.json: not a card list: x", "hint": "enter the cards again"}},
            "✗ card list: cards.json: not a card list: x: every card is denied",
            "所有卡都被拒绝",
        ),
        (
            {"journal": {"state": "full", "reason": "disk full", "hint": "make room", "refused": 2, "pending": 5}},
            "✗ journal: disk full; 5 entries wait in memory, 2 were refused",
            "5 条暂存在内存，已拒收 2 条",
        ),
        (
            {"link": {"phase": "down", "reason": "no answer", "hint": "check the cable", "protocol": None}},
            "✗ centre: no answer; events are kept meanwhile",
            "✗ 综治中心：没有应答；事件暂存在本地",
        ),
        (
            {"doors": {"gate": {"unlocked": False, "open": True, "forced": True, "held": False}}},
            "! door gate (North gate): forced open",
            "! 门 gate（北门）：被强行打开",
        ),
        (
            {"zones": {"cam/lane": {"raised": {"zone.fire-lane": 1}, "blind": ""}}},
            "! zone cam/lane: in alarm: zone.fire-lane (1)",
            "! 区域 cam/lane：报警：zone.fire-lane (1)",
        ),
        (
            {"passages": {"gate": {"last": "alone", "blind": "no pictures for 3 s"}}},
            "! tailgating at gate (North gate): no verdict: no pictures for 3 s",
            "! 尾随检测 gate（北门）：无法判断：已 3 秒没有画面",
        ),
        (
            {"passages": {"gate": {"last": "tailgating"}}},
            "✓ tailgating at gate (North gate): last passage: tailgating",
            "上次通行：有人尾随",
        ),
        (
            {"lines": {"cam/gate": {"in": 3, "out": 2, "blind": ""}}},
            "✓ line cam/gate: 3 in, 2 out",
            "进 3，出 2",
        ),
        ({"views": {"cam": {"raised": ["turned"]}}}, "✗ cam: camera turned", "✗ cam：摄像机被转动"),
        ({"rules_failed": ["gate"]}, "✗ rule gate: stopped by a bug", "✗ 规则 gate"),
    ],
)  # fmt: skip
def test_status_names_what_is_amiss_with_its_cure(changed: Mapping[str, object], en: str, zh: str) -> None:
    findings = running({**RUNNING, **changed})
    assert en in report(findings, Lang.EN)
    assert zh in report(findings, Lang.ZH)


_PLACES = {
    "port": "/dev/serial/by-path/simulated-osdp",
    "chip": 'chip = "simulated"',
    "broker": 'broker = "mqtt://127.0.0.1:1883"',
    "max_mb": "max_mb = 64",
    "folder": 'folder = "state"',
    "model": "[access]",
    "source": "file:bikes.mp4",
}


def only(findings: Iterator[Finding], area: str) -> Finding:
    (found,) = [finding for finding in findings if finding.area.en == area]
    assert (found.cure is None) == (found.level is Level.OK)
    assert found.what.zh
    return found


# ---------------------------------------------------------------- ports and chips


@pytest.fixture
def pty(tmp_path: Path) -> Iterator[Path]:
    master, slave = os.openpty()
    tty.setraw(slave)
    path = tmp_path / "port"
    path.symlink_to(os.ttyname(slave))
    yield path
    os.close(slave)
    os.close(master)


def test_free_port_is_well(site: Site, pty: Path) -> None:
    found = only(hardware.ports(site(port=str(pty)), running=False), "port of osdp-1")
    assert found.level is Level.OK


def test_missing_port_lists_what_is_there(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hardware, "DEVICES", tmp_path)
    (tmp_path / "ttyUSB7").touch()
    found = only(hardware.ports(site(), running=False), "port of osdp-1")
    assert found.level is Level.BAD
    assert found.cure is not None
    assert "ttyUSB7" in found.cure.en


@pytest.mark.parametrize(("running", "level"), [(False, Level.BAD), (True, Level.OK)])
def test_port_in_use_is_well_only_in_the_agents_hands(site: Site, pty: Path, running: bool, level: Level) -> None:
    with pty.open("rb", buffering=0) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = only(hardware.ports(site(port=str(pty)), running=running), "port of osdp-1")
    assert found.level is level
    assert "in use by" in found.what.en


@pytest.mark.parametrize("path", ["/dev/null", "/dev"])
def test_what_is_no_serial_port_is_named(site: Site, path: str) -> None:
    found = only(hardware.ports(site(port=path), running=False), "port of osdp-1")
    assert "is no serial port" in found.what.en


@pytest.mark.parametrize(("number", "said"), [(13, "may not be opened"), (5, "cannot be opened: Input/output error")])
def test_port_that_cannot_be_opened_says_why(
    site: Site, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    settings = site()
    monkeypatch.setattr("os.open", refuse)
    assert said in only(hardware.ports(settings, running=False), "port of osdp-1").what.en


class FakeChip:
    """What gpiod tells of a Raspberry Pi 5's header."""

    label = "pinctrl-rp1"
    name = "gpiochip0"

    def __init__(self, path: str) -> None:
        if "forbidden" in path:
            raise PermissionError(13, "Permission denied")
        if "broken" in path:
            raise OSError(25, "no chip")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def get_info(self) -> "FakeChip":
        return self

    def line_offset_from_id(self, line: int | str) -> int:
        if isinstance(line, int) and line < 54:
            return line
        raise ValueError(line)


@pytest.mark.parametrize(
    ("chip", "device", "level", "said"),
    [
        ("pinctrl-rp1", "gpiochip0", Level.OK, "has all 9 lines"),
        ("pinctrl-bcm2711", "gpiochip0", Level.BAD, "there is no GPIO chip pinctrl-bcm2711"),
        ("pinctrl-rp1", "gpiochip-forbidden", Level.BAD, "may not be opened"),
        ("pinctrl-rp1", "gpiochip-broken", Level.BAD, "there is no GPIO chip"),
        ("pinctrl-rp1", "none", Level.BAD, "there is no GPIO chip"),
    ],
)
def test_gpio_chip_is_found_by_label(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chip: str, device: str, level: Level, said: str
) -> None:
    (tmp_path / device).touch()
    monkeypatch.setattr(hardware, "DEVICES", tmp_path)
    monkeypatch.setattr("gpiod.Chip", FakeChip)
    found = only(hardware.chips(site(chip=f'chip = "{chip}"')), "GPIO of gpio")
    assert found.level is level
    assert said in found.what.en


def test_line_the_chip_does_not_have_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpiod.Chip", FakeChip)
    monkeypatch.setattr(FakeChip, "line_offset_from_id", lambda _, line: [17].index(line))
    found = only(hardware.chips(site(chip='chip = "/dev/gpiochip0"')), "GPIO of gpio")
    assert "north-rex (27)" in found.what.en
    assert "north-contact" not in found.what.en


def test_line_server_must_be_there(site: Site, tmp_path: Path) -> None:
    found = only(hardware.chips(site(chip=f'chip = "unix:{tmp_path}/lines.sock"')), "GPIO of gpio")
    assert "no line server" in found.what.en


def test_clip_of_a_camera_must_be_there(site: Site, tmp_path: Path) -> None:
    settings = site()
    assert only(hardware.camera_files(settings), "camera cam-lane").level is Level.BAD
    (tmp_path / "bikes.mp4").touch()
    assert only(hardware.camera_files(settings), "camera cam-lane").level is Level.OK


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("content", "mode", "level", "said"),
    [
        ("00112233445566778899AABBCCDDEEFF\n", 0o600, Level.OK, "is well"),
        ("00112233445566778899AABBCCDDEEFF\n", 0o644, Level.BAD, "read by others (mode 0644)"),
        ("00112233445566778899AABBCCDDEE", 0o600, Level.BAD, "does not hold 32"),
        ("密钥", 0o600, Level.BAD, "does not hold 32"),
        (None, 0o600, Level.BAD, "is not there"),
    ],
)
def test_reader_key_is_judged(
    site: Site, tmp_path: Path, content: str | None, mode: int, level: Level, said: str
) -> None:
    key = tmp_path / "keys/reader-north.key"
    key.parent.mkdir()
    if content is not None:
        key.write_text(content)
        key.chmod(mode)
    found = only(files.keys(site()), "key of reader-north")
    assert found.level is level
    assert said in found.what.en
    assert content is None or content.strip() not in found.what.en


def test_key_of_another_user_is_refused(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "keys/reader-north.key"
    key.parent.mkdir()
    key.write_text("0" * 32)
    key.chmod(0o600)
    monkeypatch.setattr(files, "service_user", lambda: os.geteuid() + 1)
    assert "belongs to another user" in only(files.keys(site()), "key of reader-north").what.en


def test_card_list_is_counted_and_its_absence_named(site: Site, tmp_path: Path) -> None:
    settings = site()
    missing = only(files.cards(settings), "card list")
    assert (missing.level, missing.what.zh) == (Level.BAD, f"{tmp_path}/credentials.json：通行名单不存在")
    add_card(tmp_path / "credentials.json", Card(26, 4711), holder="3-502")
    found = only(files.cards(settings), "card list")
    assert (found.level, found.what.en.split()[0]) == (Level.OK, "1")
    assert "4711" not in report([found], Lang.EN)


def test_what_root_has_left_in_the_storage_folder_is_named(site: Site) -> None:
    need(os.geteuid() == 0, "root, to give files to another user")
    settings = site()
    folder = settings.storage.folder
    left = folder / "snapshots/left"
    left.parent.mkdir(parents=True)
    left.touch()
    assert only(files.storage(settings), "storage").level is Level.OK
    for path in (folder, left.parent):
        os.chown(path, 54321, 54321)
    found = only(files.storage(settings), "storage")
    assert (found.level, found.what.en.endswith(f"the first: {left}")) == (Level.BAD, True)
    assert found.cure is not None
    assert "chown -R" in found.cure.zh


def test_model_is_proven_and_an_unknown_one_named(site: Site) -> None:
    assert only(files.model(site()), "detection model").level is Level.OK
    wrong = site(model='[vision]\nmodel_card = "yolo.toml"\n[access]')
    found = only(files.model(wrong), "detection model")
    assert (found.level, found.what.zh[:6]) == (Level.BAD, "没有模型卡片")


def test_a_zone_that_waits_for_what_no_model_finds_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = site()
    people = card.load("nanodet-416-fp16").model_copy(update={"labels": {0: "person"}})
    lane = Zone(id="lane", name=settings.cameras[0].name, polygon=((0, 0), (9, 0), (9, 9)), kind=ZoneKind.FIRE_LANE)
    cameras = (settings.cameras[0].model_copy(update={"zones": (lane,)}),)
    settings = settings.model_copy(update={"cameras": cameras})
    assert [found.level for found in files.model(settings)] == [Level.OK]
    monkeypatch.setattr(card, "find", lambda *_: card.Model(people, card.FOLDER))
    found = next(found for found in files.model(settings) if found.level is Level.WARN)
    assert found.what.en.endswith("/lane waits for vehicle, which this model does not find")


def test_cameras_whose_pictures_do_not_fit_into_memory_together_are_told(site: Site) -> None:
    settings = site()
    large = PictureSize(width=2304, height=1296)
    for count, levels in ((4, []), (5, [Level.WARN])):
        cameras = (settings.cameras[0].model_copy(update={"picture": large}),) * count
        found = files.model(settings.model_copy(update={"cameras": cameras}))
        assert [finding.level for finding in found if finding.area.en == "cameras"] == levels


def test_pictures_want_the_model_for_faces_and_a_key_of_their_own(site: Site) -> None:
    settings = site()
    cameras = tuple(camera.model_copy(update={"snapshots": True}) for camera in settings.cameras)
    settings = settings.model_copy(update={"cameras": cameras})
    found = [finding for finding in files.model(settings) if finding.area.en == "pictures"]
    assert [finding.level for finding in found] == [Level.WARN]
    assert "gatehouse models fetch mediapipe-face-full-sparse" in str(found[0].cure)
    assert "模糊" in found[0].what.zh
    settings.storage.folder.mkdir()
    key = settings.storage.folder / KEY_FILE
    key.write_text("00" * 32)
    key.chmod(0o644)
    assert [f.level for f in files.model(settings) if f.area.en == "pictures"] == [Level.BAD, Level.WARN]


def test_missing_runtime_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = site()
    monkeypatch.setattr(files, "find_spec", lambda _: None)
    assert "runtime" in only(files.model(settings), "detection model").what.en


@pytest.mark.parametrize(
    ("replaced", "level", "said"),
    [
        ({}, Level.OK, "can be written"),
        ({"max_mb": "max_mb = 1000000"}, Level.BAD, "has room for"),
        ({"folder": 'folder = "later"'}, Level.WARN, "not there yet"),
        ({"folder": 'folder = "/proc/self"'}, Level.BAD, "cannot be written"),
    ],
)
def test_storage_is_tried(site: Site, tmp_path: Path, replaced: Mapping[str, str], level: Level, said: str) -> None:
    (tmp_path / "state").mkdir()
    found = only(files.storage(site(**replaced)), "storage")
    assert found.level is level
    assert said in found.what.en
    assert list((tmp_path / "state").iterdir()) == []


# ---------------------------------------------------------------- network


@dataclass(frozen=True)
class Authority:
    """A certificate authority that lives as long as the test."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, folder: Path) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        certificate = (
            _builder(name, name, key, timedelta(days=90))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(folder, key, certificate)

    def issue(self, host: str, lasts: timedelta) -> Path:
        """A file with certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = (
            _builder(name, self.certificate.subject, key, lasts)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        path = self.folder / f"{host}.pem"
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(certificate.public_bytes(pem) + private)
        path.chmod(0o600)
        return path


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(secrets.randbits(64))
        .not_valid_before(_now() - timedelta(days=30))
        .not_valid_after(_now() + lasts)
    )


def _now() -> datetime:
    now = SystemClock(ClockTrust.ALWAYS).utc()
    assert now is not None
    return now


@asynccontextmanager
async def listening(certificate: Path | None = None) -> AsyncIterator[int]:
    """A server that accepts, waits for the other side to leave, and says nothing; its port."""
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    left: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        left.append(task)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.wait_for(asyncio.gather(*left), 10)


async def broker(settings: Settings, clock: Clock) -> dict[str, Finding]:
    return {finding.area.en: finding async for finding in network.broker(settings, clock)}


def tls(port: int, more: str = "", host: str = "localhost") -> str:
    return f'broker = "mqtts://{host}:{port}"\nca_file = "ca.pem"\n{more}'


async def test_plain_broker_on_this_machine_answers(site: Site) -> None:
    async with listening() as port:
        found = await broker(site(broker=f'broker = "mqtt://127.0.0.1:{port}"'), SystemClock())
    assert found["broker"].level is Level.OK


async def test_broker_that_is_not_there_is_named_with_its_port(site: Site) -> None:
    async with listening() as port:
        pass
    found = await broker(site(broker=f'broker = "mqtt://127.0.0.1:{port}"'), SystemClock())
    assert found["broker"].level is Level.BAD
    assert f"127.0.0.1:{port} refuses" in found["broker"].what.en


@pytest.mark.parametrize(("days", "level"), [(60, Level.OK), (10, Level.WARN)])
async def test_tls_broker_is_dialled_and_its_certificate_dated(
    site: Site, tmp_path: Path, days: int, level: Level
) -> None:
    certificate = Authority.make(tmp_path).issue("localhost", timedelta(days=days))
    async with listening(certificate) as port:
        found = await broker(site(broker=tls(port)), SystemClock(ClockTrust.ALWAYS))
    assert found["broker"].level is Level.OK
    assert "TLSv1." in found["broker"].what.en
    assert found["broker certificate"].level is level


@pytest.mark.parametrize(
    ("host", "days", "said"), [("localhost", -1, "expired"), ("elsewhere.example", 60, "Hostname mismatch")]
)
async def test_certificate_that_does_not_hold_is_explained(
    site: Site, tmp_path: Path, host: str, days: int, said: str
) -> None:
    certificate = Authority.make(tmp_path).issue(host, timedelta(days=days))
    async with listening(certificate) as port:
        found = await broker(site(broker=tls(port)), SystemClock(ClockTrust.ALWAYS))
    assert found["broker"].level is Level.BAD
    assert said in found["broker"].what.en


async def test_port_without_tls_is_explained(site: Site, tmp_path: Path) -> None:
    Authority.make(tmp_path)

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 this is no TLS\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        found = await broker(site(broker=tls(server.sockets[0].getsockname()[1])), SystemClock())
    assert "does not speak TLS" in found["broker"].what.en


async def test_silent_broker_is_given_up_after_a_few_seconds(site: Site, tmp_path: Path) -> None:
    Authority.make(tmp_path)
    clock = ManualClock()
    async with listening() as port:
        asked = asyncio.create_task(broker(site(broker=tls(port)), clock))
        async with asyncio.timeout(10):
            while clock.next_alarm_s is None:
                await asyncio.wait([asked], timeout=0.001)
        await clock.advance(10)
        found = await asyncio.wait_for(asked, 10)
    assert "does not answer" in found["broker"].what.en


async def test_missing_authority_is_named_before_dialling(site: Site, tmp_path: Path) -> None:
    found = await broker(site(broker=tls(1)), SystemClock())
    assert f"{tmp_path}/ca.pem is not there" in found["broker"].what.en


@pytest.mark.parametrize(("days", "level"), [(60, Level.OK), (10, Level.WARN), (-1, Level.BAD)])
def test_own_certificate_is_dated(tmp_path: Path, days: int, level: Level) -> None:
    path = Authority.make(tmp_path).issue("gateway", timedelta(days=days))
    assert only(network.own_certificate(path, _now()), "gateway certificate").level is level


def test_without_a_clock_no_certificate_is_called_good(tmp_path: Path) -> None:
    path = Authority.make(tmp_path).issue("gateway", timedelta(days=60))
    assert only(network.own_certificate(path, None), "gateway certificate").level is Level.WARN


async def test_network_camera_is_dialled(site: Site) -> None:
    async with listening() as port:
        (camera,) = site(source=f"rtsp://viewer@127.0.0.1:{port}/2").cameras
        assert (await network.network_camera(camera, SystemClock())).level is Level.OK
    assert (await network.network_camera(camera, SystemClock())).level is Level.BAD


# ---------------------------------------------------------------- the whole


def levels(findings: list[Finding]) -> dict[str, Level]:
    return {finding.area.en: finding.level for finding in findings}


async def test_wrong_settings_are_all_the_doctor_says(tmp_path: Path) -> None:
    path = tmp_path / "compound.toml"
    path.write_text(SIMULATED.replace("baud = 115200", "baud = 1"))
    (found,) = await examine(path, ManualClock())
    assert found.level is Level.BAD
    assert "devices.osdp-1.baud" in found.what.en


async def test_every_area_is_examined(site: Site, tmp_path: Path) -> None:
    site(source="rtsp://127.0.0.1:1/")
    found = levels(await examine(tmp_path / "compound.toml", ManualClock()))
    assert found.keys() == {
        "settings", "port of osdp-1", "port of modbus-1", "GPIO of gpio", "key of reader-north", "key of reader-south",
        "card list", "detection model", "storage", "broker", "camera cam-lane", "clock",
    }  # fmt: skip
    assert found["clock"] is Level.OK


async def test_unset_clock_is_named(site: Site, tmp_path: Path) -> None:
    site()
    found = levels(await examine(tmp_path / "compound.toml", ManualClock(utc=None)))
    assert found["clock"] is Level.BAD


async def test_running_agent_tells_of_its_devices(site: Site, tmp_path: Path) -> None:
    async def ask(folder: Path, _: Clock) -> Mapping[str, object]:
        assert folder == tmp_path / "run"
        pump_room = {"state": "fault", "reason": "silent", "hint": "look"}
        return {**RUNNING, "devices": {"osdp-1": {"state": "ok", "reason": "", "hint": ""}, "pump-room": pump_room}}

    site()
    findings = await examine(tmp_path / "compound.toml", ManualClock(), ask)
    found = levels(findings)
    assert found["agent"] is Level.OK
    assert found["pump-room"] is Level.BAD
    assert "osdp-1" not in found


async def test_agent_that_does_not_run_is_a_note(site: Site, tmp_path: Path) -> None:
    async def ask(folder: Path, _: Clock) -> Mapping[str, object]:
        raise GatehouseError(f"no agent answers at {folder}", hint="start it")

    site()
    findings = await examine(tmp_path / "compound.toml", ManualClock(), ask)
    assert levels(findings)["agent"] is Level.WARN


@pytest.mark.parametrize("lang", list(Lang))
def test_report_marks_findings_and_closes_with_a_sentence(lang: Lang, tmp_path: Path) -> None:
    good = network.expiry(network._OWN, datetime(2030, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    note = network.expiry(network._OWN, datetime(2030, 1, 1, tzinfo=UTC), None)
    gone = network.expiry(network._OWN, datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    text = report([good, note, gone], lang)
    assert [line[0] for line in text.splitlines() if line] == ["✓", "!", " ", "✗", " ", "✗"]
    assert report([good], lang).splitlines()[-1] == ("✓ Everything works." if lang is Lang.EN else "✓ 全部正常。")
    assert "✓" in report([note], lang).splitlines()[-1]
